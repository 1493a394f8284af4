"""Cutout: DeVries and Taylor, "Improved Regularization of Convolutional Neural Networks with Cutout", 2017.

https://arxiv.org/abs/1708.04552. The square's centre is any pixel, so the border clips it; what it hides is 0.
"""

import torch
from torch import Tensor, nn

from plcnn.data.augmentations import augmentations
from plcnn.data.batchwise.ranges import check_probability
from plcnn.data.randomness import Draws
from plcnn.errors import wrong_value


@augmentations.register
class Cutout(nn.Module):
    """Hide a square of each picture.

    Args:
        size: side of the square in pixels, at least 1; the paper takes 16 for CIFAR-10, 8 for CIFAR-100.
        p: probability that a picture loses its square, 0..1.

    Raises:
        UserError: if an argument lies outside its range.
    """

    takes_uint8 = True

    def __init__(self, size: int = 16, p: float = 1.0) -> None:
        super().__init__()
        if size < 1:
            raise wrong_value("size", size, "a number of pixels, at least 1", 16)
        check_probability("p", p)
        self.size, self.p = size, p

    def forward(self, images: Tensor, draws: Draws) -> Tensor:
        """Hide one square in each picture; images and result (batch, channels, height, width)."""
        chosen, down, across = draws.uniforms(3).unbind(1)
        height, width = images.shape[2:]
        top, left = ((number * size).long() - self.size // 2 for number, size in ((down, height), (across, width)))
        hidden = inside(top, left, self.size, self.size, height, width) & (chosen < self.p).view(-1, 1, 1, 1)
        return torch.where(hidden, 0, images)


def inside(top: Tensor, left: Tensor, tall: Tensor | int, wide: Tensor | int, height: int, width: int) -> Tensor:
    """Which pixels lie in each picture's rectangle.

    Args:
        top: first row, int64 (batch,); it may lie outside of the picture.
        left: first column, int64 (batch,); it may lie outside of the picture.
        tall: rows of the rectangles, for all or (batch,).
        wide: columns of the rectangles, for all or (batch,).
        height: of the pictures.
        width: of the pictures.

    Returns:
        bool (batch, 1, height, width).
    """
    from_top = _places(top, height)
    from_left = _places(left, width)
    rows = (from_top >= 0) & (from_top < _column(tall))
    columns = (from_left >= 0) & (from_left < _column(wide))
    return (rows.unsqueeze(2) & columns.unsqueeze(1)).unsqueeze(1)


def _places(first: Tensor, size: int) -> Tensor:
    return torch.arange(size, device=first.device) - first.unsqueeze(1)


def _column(length: Tensor | int) -> Tensor | int:
    return length.unsqueeze(1) if isinstance(length, Tensor) else length
