"""`nki.isa`: every instruction that our kernels use, refused where the documentation forbids it, then computed.

Source: NKI 0.6 API reference and the Trainium3 architecture guide.
"""

from __future__ import annotations

from reverie.kernels.neuron.nkisim.isa_move import (
    dma_copy,
    iota,
    memset,
    register_alloc,
    register_load,
    register_move,
    tensor_copy,
)  # fmt: skip
from reverie.kernels.neuron.nkisim.isa_tensor import nc_matmul, nc_matmul_mx, nc_transpose
from reverie.kernels.neuron.nkisim.isa_vector import (
    activation,
    exponential,
    max8,
    nc_find_index8,
    quantize_mx,
    reciprocal,
    scalar_tensor_tensor,
    tensor_reduce,
    tensor_scalar,
    tensor_tensor,
)  # fmt: skip
from reverie.kernels.neuron.nkisim.rules import engine, oob_mode, reduce_cmd

__all__ = [
    "activation", "dma_copy", "engine", "exponential", "iota", "max8", "memset", "nc_find_index8", "nc_matmul",
    "nc_matmul_mx", "nc_transpose", "oob_mode", "quantize_mx", "reciprocal", "reduce_cmd", "register_alloc",
    "register_load", "register_move", "scalar_tensor_tensor", "tensor_copy", "tensor_reduce", "tensor_scalar",
    "tensor_tensor",
]  # fmt: skip
