"""Augmentation by strength: compositions of the others that suit pictures of any size.

| name | what it does |
| --- | --- |
| `light` | moves by up to 10 %, zooms by up to 10 %, mirrors half of the pictures |
| `medium` | shows 50 to 100 % of the picture, mirrors half, brightness, contrast and saturation × 0.8 to 1.2 |
| `strong` | shows 25 to 100 %, mirrors half, two of RandAugment's operations, hides a part of every fourth |
"""

from torch import Tensor

from plcnn.data.augmentations import Augment, augmentations
from plcnn.data.augmentations.color_jitter import ColorJitter
from plcnn.data.augmentations.flip import Flip
from plcnn.data.augmentations.rand_augment import RandAugment
from plcnn.data.augmentations.random_erasing import RandomErasing
from plcnn.data.augmentations.random_resized_crop import RandomResizedCrop
from plcnn.data.augmentations.shift_zoom_flip import ShiftZoomFlip
from plcnn.data.randomness import Draws


class Composed:
    """Several augmentations as one, each with random numbers of its own.

    Args:
        parts: in their order; they get floats.
    """

    def __init__(self, *parts: Augment) -> None:
        self.parts = parts

    def __call__(self, images: Tensor, draws: Draws) -> Tensor:
        """Change pictures by each part in turn; images and result (batch, channels, height, width), float."""
        for place, part in enumerate(self.parts):
            images = part(images, draws.in_part(place))
        return images


@augmentations.register
def light() -> Augment:
    """Small moves and zooms, and mirror images: for much data, and for the last per cent of a pretrained network."""
    return ShiftZoomFlip(shift=0.1, zoom=0.1)


@augmentations.register
def medium() -> Augment:
    """Parts of at least half the picture, mirror images, some colour: what fine-tuning usually wants."""
    return Composed(RandomResizedCrop(scale=(0.5, 1.0)), Flip(), ColorJitter())


@augmentations.register
def strong() -> Augment:
    """Parts of at least a quarter of the picture, mirror images, RandAugment, erasing: for few pictures."""
    return Composed(RandomResizedCrop(), Flip(), RandAugment(), RandomErasing(p=0.25))
