"""Mean and standard deviation of pictures' channels: ImageNet's, or measured."""

from typing import Literal, NamedTuple

import torch

from plcnn.data.kept.stores import Pictures, read_rows

Normalize = Literal["none", "data", "imagenet"]

MOST_MEASURED = 50_000
"""More pictures than these do not change three digits."""

_AT_ONCE = 1024
_LEAST_STD = 1e-3  # of a channel that is the same everywhere


class Scaling(NamedTuple):
    """Mean and standard deviation of each channel, of pixels from 0 to 1."""

    mean: list[float]
    std: list[float]

    def for_channels(self, channels: int) -> "Scaling":
        """The same for another number of channels: the mean over all of them."""
        if channels == len(self.mean):
            return self
        return Scaling(*([sum(values) / len(values)] * channels for values in self))


IMAGENET = Scaling([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
"""What torchvision's and most of timm's weights were trained with."""


def measured(images: Pictures) -> Scaling:
    """Measure pictures, at most `MOST_MEASURED` of them, evenly spread.

    Args:
        images: uint8 (pictures, channels, height, width), in memory or in a store.
    """
    count = len(images)
    rows = torch.arange(min(count, MOST_MEASURED)) * count // min(count, MOST_MEASURED)
    sums = squares = torch.zeros(())
    pixels = 0
    for part in rows.split(_AT_ONCE):
        # whole numbers, so that nothing depends on the order of the sum
        values = read_rows(images, part).long()
        sums, squares = sums + values.sum((0, 2, 3)), squares + values.square().sum((0, 2, 3))
        pixels += values[:, 0].numel()
    mean = sums.double() / pixels
    std = (squares.double() / pixels - mean.square()).clamp(min=0).sqrt()
    return Scaling((mean / 255).tolist(), (std / 255).clamp(min=_LEAST_STD).tolist())
