"""Resizing inside an exported network: bilinear and antialiased as Pillow does it, by two products with small matrices.

A matrix product is the same everywhere; the antialiased resize operators of the runtimes differ at the edges.
"""

import torch
from torch import Tensor, nn

from plcnn.data.reading.pictures import Resize as Policy


class Resize(nn.Module):
    """Brings pictures of any size to one size, as `plcnn.data.reading.pictures.fitted` does.

    Pictures that have the size keep their pixels; others differ from Pillow's by one level of 255 at most.

    Args:
        height: in pixels.
        width: in pixels.
        policy: how pictures of another aspect are brought to it.
    """

    def __init__(self, height: int, width: int, policy: Policy = "stretch") -> None:
        super().__init__()
        self.height, self.width, self.policy = height, width, policy

    def forward(self, images: Tensor) -> Tensor:
        """Resize pictures.

        Args:
            images: uint8 (batch, channels, any height, any width).

        Returns:
            Whole numbers from 0 to 255, float32 (batch, channels, height, width).
        """
        height, width = images.shape[2:]
        across = self._weights(width, height, self.width, self.height, images.device)
        down = self._weights(height, width, self.height, self.width, images.device)
        return _rounded(down @ _rounded(images.float() @ across.T))  # Pillow rounds after each direction

    def _weights(self, length: int, other: int, size: int, other_size: int, device: torch.device) -> Tensor:
        """What each of `length` pixels adds to each of `size`, float32 (size, length).

        Args:
            length: of a side of the picture.
            other: the length of its other side.
            size: that the side is brought to.
            other_size: that the other side is brought to.
            device: where to compute.
        """
        # lengths are tensors from here on: a number would be fixed when the module is traced
        one = torch.ones((), dtype=torch.int64, device=device)
        whole, even = one * length, torch.div(one * other * size, other_size, rounding_mode="floor")
        if self.policy == "crop":
            part = torch.minimum(whole, even.clamp(min=1))
        elif self.policy == "pad":
            part = torch.maximum(whole, -torch.div(-one * other * size, other_size, rounding_mode="floor"))
        else:
            part = whole
        start = torch.div(whole - part, 2, rounding_mode="floor")
        scale = part / size
        centres = (torch.arange(size, device=device) + 0.5)[:, None] * scale
        shares = _shares(torch.arange(length, device=device) - start, part, centres, scale)
        if self.policy != "pad":
            return shares / shares.sum(1, keepdim=True)
        most = max(1, -(-size // other_size))  # the black beside the picture takes its share, too
        canvas = torch.arange(length + other * most, device=device)
        return shares / _shares(canvas, part, centres, scale).sum(1, keepdim=True)


def _rounded(x: Tensor) -> Tensor:
    return (x + 0.5).floor()


def _shares(places: Tensor, part: Tensor, centres: Tensor, scale: Tensor) -> Tensor:
    """How near places are to centres, (centres, places): a triangle's height; 0 beyond `part`."""
    reach = scale.clamp(min=1)  # of a pixel, so that every given pixel counts where the picture shrinks
    near = (1 - (places + 0.5 - centres).abs() / reach).clamp(min=0)
    return near * ((places >= 0) & (places < part))
