"""How training pictures are changed, by name: one augmentation a file, registered when the file is imported.

An augmentation changes a whole batch at once, on the device where it lies, each picture by its own random numbers. It
holds no random state: the loader brings the numbers (`plcnn.data.randomness.Draws`), so a picture is changed alike in
whatever batch, on whatever rank and in whatever process it lies. Nothing in it waits for a GPU.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from plcnn.choice import Choice
from plcnn.data.randomness import Draws
from plcnn.registry import Registry


class Augment(Protocol):
    """What an augmentation offers to the loader.

    One that can also take uint8 pictures, 0 to 255, says so by an attribute `takes_uint8 = True`: they are a quarter of
    the bytes. Others get floats.
    """

    def __call__(self, images: Tensor, draws: Draws) -> Tensor:
        """Change pictures, each by its own numbers.

        Args:
            images: (batch, channels, height, width), float from 0 to 1, in any memory format; not to be changed.
            draws: the pictures' random numbers.

        Returns:
            Pictures in the shape, dtype and memory format of `images`.
        """


class Augmentation(Choice):
    """An augmentation by its registered name, with its arguments."""


augmentations = Registry(Augmentation, package="plcnn.data.augmentations")


def apply(augments: Sequence[Augment], images: Tensor, draws: Draws) -> Tensor:
    """Change pictures by several augmentations in order, each with a stream of numbers of its own.

    Args:
        augments: the augmentations.
        images: uint8 (batch, channels, height, width); they become floats when an augmentation first needs it.
        draws: the pictures' random numbers.

    Returns:
        (batch, channels, height, width), channels-last in memory, uint8 or float from 0 to 1.
    """
    for stream, augment in enumerate(augments):
        if images.dtype == torch.uint8 and not getattr(augment, "takes_uint8", False):
            images = images.float().div_(255)
        images = augment(images, draws.in_stream(stream))
    return images.contiguous(memory_format=torch.channels_last)
