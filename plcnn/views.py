"""Test-time augmentation: logits averaged over views of a picture.

The views and their weights are airbench's, https://github.com/KellerJordan/cifar10-airbench.
"""

from collections.abc import Callable
from typing import Literal

import torch.nn.functional as F
from torch import Tensor

Views = Literal["none", "flip", "flip_translate"]


def mean_logits(network: Callable[[Tensor], Tensor], images: Tensor, views: Views) -> Tensor:
    """Average a network's logits over views of each picture.

    Args:
        network: maps images to logits (batch, classes).
        images: (batch, channels, height, width), as the network gets them.
        views: "none": the picture itself; "flip": it and its mirror image, half each; "flip_translate": besides these,
            with half of the weight, both moved by one pixel up and left, and down and right; six views.

    Returns:
        Logits (batch, classes).
    """
    if views == "none":
        return network(images)
    logits = (network(images) + network(images.flip(-1))) / 2
    if views == "flip":
        return logits
    height, width = images.shape[-2:]
    padded = F.pad(images, (1, 1, 1, 1), "reflect")
    moved = [padded[..., start : start + height, start : start + width] for start in (0, 2)]
    return logits / 2 + sum(mean_logits(network, view, "flip") for view in moved) / 4
