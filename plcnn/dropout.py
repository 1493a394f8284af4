"""Dropout that is quick on a CPU: sixteen random bits a value, from PyTorch's generator, a word for four values.

`torch.nn.Dropout` draws each value by itself there, which took a seventh of `keras_cnn`'s training step on two cores.
On other devices and when compiled this is `torch.nn.Dropout`.

Departure: the rate is rounded to a multiple of 2**-16, and the kept values are scaled by that.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEVELS = 1 << 16


class Dropout(nn.Dropout):
    """Sets a share `p` of the values to zero in training, and scales the others by 1 / (1 - p)."""

    def forward(self, x: Tensor) -> Tensor:
        """Drop values of (...); the shape and the memory format stay."""
        quick = self.training and x.device.type == "cpu" and not torch.compiler.is_compiling()
        if not quick or not 0 < self.p < 1:
            return F.dropout(x, self.p, self.training, self.inplace)
        dropped: Tensor = _Drop.apply(x, round(self.p * LEVELS))
        return dropped


class _Drop(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, dropped_levels: int) -> Tensor:
        words = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(1 << 63), None)
        levels = words.view(torch.int16)[: x.numel()]
        factors = torch.empty_like(x)  # keeps the strides of dense tensors, so that the products below need no copy
        _in_memory_order(factors).copy_(levels >= dropped_levels - LEVELS // 2)
        factors.mul_(LEVELS / (LEVELS - dropped_levels))
        ctx.save_for_backward(factors)
        return x * factors

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        (factors,) = ctx.saved_tensors
        return gradient * factors, None


def _in_memory_order(x: Tensor) -> Tensor:
    """The values of a dense tensor as they lie in memory, (values,)."""
    return torch.as_strided(x, (x.numel(),), (1,), x.storage_offset())
