"""Random erasing: Zhong et al., "Random Erasing Data Augmentation", 2017 (https://arxiv.org/abs/1708.04896).

As torchvision's `RandomErasing` has it: a rectangle's area and aspect are drawn until it fits, ten times at most, and
then its place. Departure: the fill is 0 or grey, not random pixels.
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from plcnn.data.augmentations import augmentations
from plcnn.data.augmentations.cutout import inside
from plcnn.data.batchwise.ranges import check_probability
from plcnn.data.batchwise.rectangles import TRIES, drawn, first
from plcnn.data.randomness import Draws
from plcnn.errors import wrong_value


@augmentations.register
class RandomErasing(nn.Module):
    """Hide a rectangle of random area, shape and place in some of the pictures.

    Args:
        p: probability that a picture loses a rectangle, 0..1.
        scale: smallest and largest area, as shares of the picture's, within 0..1.
        ratio: smallest and largest height / width, above 0.
        fill: what the rectangle shows: zeros, or the mean of each channel over the picture.

    Raises:
        UserError: if an argument lies outside its range.
    """

    def __init__(
        self,
        p: float = 0.5,
        scale: tuple[float, float] = (0.02, 0.33),
        ratio: tuple[float, float] = (0.3, 3.3),
        fill: Literal["zeros", "mean"] = "zeros",
    ) -> None:
        super().__init__()
        check_probability("p", p)
        if not 0 <= scale[0] <= scale[1] <= 1:
            raise wrong_value("scale", list(scale), "two shares of the picture, the smaller first", [0.02, 0.33])
        if not 0 < ratio[0] <= ratio[1] < math.inf:
            raise wrong_value("ratio", list(ratio), "two numbers above 0, the smaller first", [0.3, 3.3])
        self.p, self.scale, self.ratio, self.fill = p, scale, ratio, fill
        self.takes_uint8 = fill == "zeros"

    def forward(self, images: Tensor, draws: Draws) -> Tensor:
        """Hide a rectangle in some of the pictures; images and result (batch, channels, height, width)."""
        height, width = images.shape[2:]
        numbers = draws.uniforms(3 + 2 * TRIES)
        heights, widths = drawn(numbers[:, 3:], height * width, self.scale, self.ratio)
        fits, tall, wide = first((heights < height) & (widths < width), heights, widths)
        top = (numbers[:, 1] * (height - tall + 1)).long()
        left = (numbers[:, 2] * (width - wide + 1)).long()
        hidden = inside(top, left, tall, wide, height, width)
        hidden &= (fits & (numbers[:, 0] < self.p)).view(-1, 1, 1, 1)
        if self.fill == "zeros":
            return torch.where(hidden, 0, images)
        return torch.where(hidden, images.mean((2, 3), keepdim=True), images)
