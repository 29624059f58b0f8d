"""Signatures are those of NKI 0.6.0, and every instruction is there."""

import inspect

import pytest

from reverie.kernels.neuron.nkisim import isa

DOCUMENTED = {  # name: parameters in order, from the API reference
    "dma_copy": "dst src priority oob_mode dge_mode engine name",
    "nc_matmul": "dst stationary moving is_stationary_onezero is_moving_onezero is_transpose accumulate tile_position"
    " tile_size perf_mode name",
    "nc_matmul_mx": "dst stationary moving stationary_scale moving_scale tile_position tile_size accumulate name",
    "quantize_mx": "dst src dst_scale name",
    "nc_transpose": "dst data engine name",
    "activation": "dst op data bias scale reduce_op reduce_res reduce_cmd name",
    "exponential": "dst src max_value reduce_res reduce_cmd reduce_init name",
    "tensor_tensor": "dst data1 data2 op engine name",
    "tensor_scalar": "dst data op0 operand0 reverse0 op1 operand1 reverse1 engine name",
    "scalar_tensor_tensor": "dst data op0 operand0 op1 operand1 reverse0 reverse1 name",
    "tensor_reduce": "dst op data axis negate keepdims name",
    "tensor_copy": "dst src engine name",
    "memset": "dst value engine name",
    "reciprocal": "dst data name",
    "iota": "dst pattern offset channel_multiplier name",
    "max8": "dst src name",
    "nc_find_index8": "dst data vals name",
    "register_alloc": "x",
    "register_move": "dst src",
    "register_load": "dst src",
}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_the_signature_is_the_documented_one(name: str) -> None:
    assert list(inspect.signature(getattr(isa, name)).parameters) == DOCUMENTED[name].split()


def test_the_table_is_whole() -> None:
    functions = {name for name in isa.__all__ if inspect.isfunction(getattr(isa, name))}
    assert functions == set(DOCUMENTED)
