"""Channels-last or contiguous: how a batch's pictures lie in memory."""

import torch
from torch import Tensor


def in_format_of(images: Tensor, result: Tensor) -> Tensor:
    """`result` laid out as `images` are, both (batch, channels, height, width)."""
    last = images.is_contiguous(memory_format=torch.channels_last) and not images.is_contiguous()
    return result.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)
