"""RandAugment: Cubuk et al., 2019 (https://arxiv.org/abs/1909.13719), with torchvision's operations and magnitudes.

Departures from torchvision's, which is meant for uint8: values are not rounded between the operations, each of which is
torchvision's own on floats; `plcnn.data.batchwise.operations` says how a batch goes through them.
"""

import torch
from torch import Tensor, nn

from plcnn.data.augmentations import augmentations
from plcnn.data.batchwise.operations import NAMES, Operations
from plcnn.data.randomness import Draws
from plcnn.errors import wrong_value

BINS = 31
"""Strengths of each operation, from none to the strongest."""


@augmentations.register
class RandAugment(nn.Module):
    """Apply a few random operations, all of one strength, to each picture: shears, moves, turns and changes of colour.

    Args:
        num_ops: how many operations one after the other, at least 1.
        magnitude: their strength, 0..30.

    Raises:
        UserError: if an argument lies outside its range.
    """

    def __init__(self, num_ops: int = 2, magnitude: int = 9) -> None:
        super().__init__()
        if num_ops < 1:
            raise wrong_value("num_ops", num_ops, "at least 1", 2)
        if not 0 <= magnitude < BINS:
            raise wrong_value("magnitude", magnitude, f"0 to {BINS - 1}", 9)
        self.num_ops, self.magnitude = num_ops, magnitude
        self._operations: dict[tuple[int, int], Operations] = {}

    def forward(self, images: Tensor, draws: Draws) -> Tensor:
        """Change each picture by its own operations; images and result (batch, channels, height, width), float."""
        height, width = images.shape[2:]
        if (height, width) not in self._operations:
            self._operations[height, width] = Operations(strengths(height, width))
        operation, direction = draws.uniforms(2 * self.num_ops).chunk(2, 1)
        strength = torch.full((len(images),), self.magnitude, device=images.device)
        for which, way in zip(operation.unbind(1), direction.unbind(1), strict=True):
            place = (which * len(NAMES)).long()
            images = self._operations[height, width](images, place, strength, way < 0.5)
        return images


def strengths(height: int, width: int) -> dict[str, Tensor]:
    """Torchvision's table for pictures of this size."""
    blend = torch.linspace(0, 0.9, BINS)
    return {
        "shear_x": torch.linspace(0, 0.3, BINS),
        "shear_y": torch.linspace(0, 0.3, BINS),
        "translate_x": torch.linspace(0, 150 / 331 * width, BINS),
        "translate_y": torch.linspace(0, 150 / 331 * height, BINS),
        "rotate": torch.linspace(0, 30, BINS),
        **dict.fromkeys(("brightness", "color", "contrast", "sharpness"), blend),
        "posterize": (8 - torch.arange(BINS) / ((BINS - 1) / 4)).round(),
        "solarize": torch.linspace(1, 0, BINS),
    }
