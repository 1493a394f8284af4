"""Shears, moves and turns of batches, each picture by an amount of its own, as torchvision's `affine` and `rotate`.

Nearest neighbour; what comes from outside is 0.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def affine(images: Tensor, shear: Tensor, move: Tensor, degrees: Tensor) -> Tensor:
    """Shear about the upper left corner, turn about the centre, and move; meant for one of them in each picture.

    Args:
        images: (batch, channels, height, width), float.
        shear: (batch, 2), columns a row and rows a column.
        move: (batch, 2), pixels to the right and down.
        degrees: (batch,), counter-clockwise.

    Returns:
        (batch, channels, height, width).
    """
    height, width = images.shape[2:]
    angle = degrees.deg2rad()
    cosine, sine = angle.cos(), angle.sin()
    # the pixels read, from the centre: this is the inverse of what the picture undergoes
    xx, xy = cosine, shear[:, 0] - sine
    yx, yy = shear[:, 1] + sine, cosine
    x_start = shear[:, 0] * (height / 2) - move[:, 0]
    y_start = shear[:, 1] * (width / 2) - move[:, 1]
    across = torch.arange(width, device=images.device) - (width - 1) / 2
    down = torch.arange(height, device=images.device).unsqueeze(1) - (height - 1) / 2
    x, y = (
        a.view(-1, 1, 1) * across + b.view(-1, 1, 1) * down + start.view(-1, 1, 1)
        for a, b, start in ((xx, xy, x_start), (yx, yy, y_start))
    )
    read = torch.stack([x / (width / 2), y / (height / 2)], dim=3).to(images.dtype)
    return F.grid_sample(images, read, mode="nearest", padding_mode="zeros", align_corners=False)
