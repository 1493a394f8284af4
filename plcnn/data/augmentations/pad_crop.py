"""Pad all sides and crop back to the size at a random place: the translation of He et al. 2015, section 4.2.

https://arxiv.org/abs/1512.03385 pads with zeros; airbench (https://arxiv.org/abs/2404.00498) reflects.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from plcnn.data.augmentations import augmentations
from plcnn.data.memory_format import in_format_of
from plcnn.data.randomness import Draws
from plcnn.errors import wrong_value


@augmentations.register
class PadCrop(nn.Module):
    """Move pictures by whole pixels: pad every side, then crop at a random place.

    Args:
        padding: pixels on each side, at least 0; at most the picture's size less one where it reflects.
        fill: what the padding shows, the picture reflected (the edge pixels not repeated) or zeros.

    Raises:
        UserError: if `padding` is negative, or too large to reflect.
    """

    takes_uint8 = True

    def __init__(self, padding: int = 4, fill: Literal["reflect", "zeros"] = "reflect") -> None:
        super().__init__()
        if padding < 0:
            raise wrong_value("padding", padding, "a number of pixels, at least 0", 4)
        self.padding, self.fill = padding, fill

    def forward(self, images: Tensor, draws: Draws) -> Tensor:
        """Crop each picture at its own place, in one gather; images and result (batch, channels, height, width).

        Raises:
            UserError: if the padding cannot be reflected from pictures of this size.
        """
        batch, channels, height, width = images.shape
        if self.fill == "reflect" and self.padding >= min(height, width):
            allowed = f"below the picture's {min(height, width)} pixels where it reflects"
            raise wrong_value("padding", self.padding, allowed, min(4, min(height, width) - 1))
        # the rounded product is a whole number below 2 * padding + 1: the numbers are multiples of 2**-24
        offsets = (draws.uniforms(2) * (2 * self.padding + 1)).long() - self.padding
        rows, rows_inside = self._read(offsets[:, 0], height)
        columns, columns_inside = self._read(offsets[:, 1], width)
        pixels = (rows.unsqueeze(2) * width + columns.unsqueeze(1)).view(batch, 1, height * width)
        moved = images.reshape(batch, channels, -1).gather(2, pixels.expand(-1, channels, -1)).view(images.shape)
        if self.fill == "zeros":
            moved.mul_((rows_inside.unsqueeze(2) & columns_inside.unsqueeze(1)).unsqueeze(1))
        return in_format_of(images, moved)

    def _read(self, offsets: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """The (batch, size) places along an axis that are read, and whether they lie in the picture."""
        places = torch.arange(size, device=offsets.device) + offsets.unsqueeze(1)
        if self.fill == "reflect":
            places = (size - 1) - ((size - 1) - places.abs()).abs()
        return places.clamp(0, size - 1), (places >= 0) & (places < size)
