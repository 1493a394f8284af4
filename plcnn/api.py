"""The Python API: architectures by name, and trained classifiers from run folders and checkpoints."""

import math
from pathlib import Path
from typing import Any

from torch import nn

from plcnn import checkpoint
from plcnn.architectures import architectures
from plcnn.classifier import Classifier
from plcnn.errors import UserError

MOST_VALUES = 2**24
"""Of a picture of a checkpoint, with which its network is tried when it is loaded."""


def names() -> list[str]:
    """All registered architectures, sorted."""
    return architectures.names()


def build(name: str, num_classes: int = 10, in_channels: int = 3, image_size: int = 32, **arguments: Any) -> nn.Module:
    """Build a registered architecture.

    Args:
        name: the registered name.
        num_classes: number of classes.
        in_channels: channels of a picture.
        image_size: height and width of a picture, in pixels.
        arguments: the architecture's own arguments.

    Returns:
        A module that maps images (batch, in_channels, image_size, image_size) to logits (batch, num_classes).

    Raises:
        UserError: if the name or an argument is unknown.
    """
    choice = architectures.choose(name, **arguments)
    return choice.build(num_classes=num_classes, in_channels=in_channels, image_size=image_size)


def load(path: str | Path) -> Classifier:
    """Rebuild a trained classifier, ready for inference.

    Args:
        path: a run folder (its best checkpoint is taken) or a checkpoint file.

    Returns:
        The classifier in evaluation mode, on the CPU.

    Raises:
        UserError: if there is no checkpoint, it is refused or broken, or its architecture is not registered.
    """
    content = checkpoint.read(checkpoint.find(path))
    shape = content["hyper_parameters"]["image_shape"]
    if math.prod(shape) > MOST_VALUES:
        raise UserError(f"{path}: its pictures of {' × '.join(map(str, shape))} values are too large to be tried here.")
    classifier = Classifier(**checkpoint.model_arguments(content))
    classifier.load_state_dict(content["state_dict"])
    classifier.on_load_checkpoint(content)
    return classifier.eval()
