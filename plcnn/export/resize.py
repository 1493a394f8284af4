"""Resizing inside an exported network: bilinear and antialiased as Pillow does it, by two products with small matrices.

A matrix product is the same everywhere; the antialiased resize operators of the runtimes differ at the edges.
"""

import torch
from torch import Tensor, nn


class Resize(nn.Module):
    """Brings pictures of any size to one size, as `plcnn.data.pictures.fitted` does.

    Pictures that have the size keep their pixels; others differ from Pillow's by one level of 255 at most.

    Args:
        height: in pixels.
        width: in pixels.
    """

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width = height, width

    def forward(self, images: Tensor) -> Tensor:
        """Resize pictures.

        Args:
            images: uint8 (batch, channels, any height, any width).

        Returns:
            Whole numbers from 0 to 255, float32 (batch, channels, height, width).
        """
        x = images.float()
        x = _rounded(x @ _weights(images.shape[3], self.width, images.device).T)  # Pillow rounds after each direction
        return _rounded(_weights(images.shape[2], self.height, images.device) @ x)


def _rounded(x: Tensor) -> Tensor:
    return (x + 0.5).floor()


def _weights(length: int, size: int, device: torch.device) -> Tensor:
    """What each of `length` pixels adds to each of `size`: float32 (size, length), rows that sum to 1."""
    scale = torch.ones((), device=device) * length / size
    centres = (torch.arange(size, device=device) + 0.5) * scale
    places = torch.arange(length, device=device) + 0.5
    reach = scale.clamp(min=1)  # of a pixel, so that every given pixel counts where the picture shrinks
    shares = (1 - (places - centres[:, None]).abs() / reach).clamp(min=0)
    return shares / shares.sum(1, keepdim=True)
