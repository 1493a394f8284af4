"""TrivialAugment, wide: Müller and Hutter, 2021 (https://arxiv.org/abs/2103.10158), as torchvision has it.

Departures from torchvision's, which is meant for uint8: values are not rounded, the operations are torchvision's own on
floats; `plcnn.data.batchwise.operations` says how a batch goes through them.
"""

import torch
from torch import Tensor, nn

from plcnn.data.augmentations import augmentations
from plcnn.data.batchwise.operations import NAMES, Operations
from plcnn.data.randomness import Draws

BINS = 31
"""Strengths of each operation, from none to the strongest."""


@augmentations.register
class TrivialAugment(nn.Module):
    """Apply one random operation of random strength to each picture: a shear, a move, a turn or a change of colour."""

    def __init__(self) -> None:
        super().__init__()
        self._operations = Operations(strengths())

    def forward(self, images: Tensor, draws: Draws) -> Tensor:
        """Change each picture by its own operation; images and result (batch, channels, height, width), float."""
        operation, strength, direction = draws.uniforms(3).unbind(1)
        place, strong = (operation * len(NAMES)).long(), (strength * BINS).long()
        return self._operations(images, place, strong, direction < 0.5)


def strengths() -> dict[str, Tensor]:
    """The wide table; pictures of every size are moved by up to 32 pixels."""
    return {
        **dict.fromkeys(("shear_x", "shear_y"), torch.linspace(0, 0.99, BINS)),
        **dict.fromkeys(("translate_x", "translate_y"), torch.linspace(0, 32, BINS)),
        "rotate": torch.linspace(0, 135, BINS),
        **dict.fromkeys(("brightness", "color", "contrast", "sharpness"), torch.linspace(0, 0.99, BINS)),
        "posterize": (8 - torch.arange(BINS) / ((BINS - 1) / 6)).round(),
        "solarize": torch.linspace(1, 0, BINS),
    }
