"""Convolutions of a network on a CPU with their weights as oneDNN wants them: laid out once, not in every call.

At 256x256 torch spends more time on laying out the wide layers' weights anew than on some of their convolutions.  The
price is a second copy of them (`memory.need` counts it).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from reverie.models.nano import fast_dtype

REORDER: Any = torch._C._nn.mkldnn_reorder_conv2d_weight  # torch's stub knows no shape of the input


class Packed(nn.Conv2d):
    """A convolution that lays its weight out again once it was written to (LoRAs), or pictures change shape.

    The layout is oneDNN's choice for a shape: another's, or one chosen without a shape, can cost twelve times the
    plain convolution (measured), while laying out costs what torch does in every call.
    """

    _laid_out: Tensor
    _of: tuple[int, int, torch.Size] | None = None  # where the weight lies, its version, and the pictures' shape

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Args: input: (N, C, Y, X) or (C, Y, X).  Gradients, other types and torch's compiler get the plain way."""
        if torch.compiler.is_compiling() or input.dim() != 4 or not ready(input, weight):
            return super()._conv_forward(input, weight, bias)
        more, of = (self.padding, self.stride, self.dilation, self.groups), (weight.data_ptr(), weight._version)
        if self._of != (*of, input.shape):
            dense = weight.detach().contiguous().to_mkldnn()
            self._laid_out = REORDER(dense, *more, input.shape)
            self._of = (*of, input.shape)
        return torch.ops.mkldnn._convolution_pointwise(input, self._laid_out, bias, *more, "none", [], "")


def ready(input: Tensor, weight: Tensor) -> bool:
    """Whether oneDNN can be asked directly, and nobody wants gradients."""
    graded = torch.is_grad_enabled() and (input.requires_grad or weight.requires_grad)
    return input.dtype == weight.dtype and known(weight) and not graded


def known(weight: Tensor) -> bool:
    """Whether oneDNN lays it out here: float32, or what this CPU multiplies quickly."""
    return weight.dtype in (torch.float32, fast_dtype()) and not weight.is_inference()


def pack(network: nn.Module, device: str) -> int:
    """From now on the convolutions of a network keep their weights laid out; on a CPU alone.  Returns: how many."""
    if device != "cpu" or not torch.backends.mkldnn.is_available():
        return 0
    count = 0
    for layer in network.modules():
        if fits(layer):
            layer.__class__ = Packed
            count += 1
    return count


def fits(layer: Any) -> bool:
    """Whether it is a plain convolution: no kind of its own, zeros around the picture."""
    plain = type(layer) is nn.Conv2d and layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
    return plain and known(layer.weight)
