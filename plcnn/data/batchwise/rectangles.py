"""Rectangles of random area and shape, drawn until one fits, as torchvision draws them: for a batch, without a loop."""

import math

from torch import Tensor

TRIES = 10
"""Rectangles that are drawn for each picture; the first that fits is taken."""


def drawn(numbers: Tensor, area: int, scale: tuple[float, float], ratio: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Draw rectangles: areas uniformly, shapes uniformly in the logarithm of their ratio.

    Args:
        numbers: (batch, 2 * TRIES), uniform in [0, 1): area and ratio of each in turn.
        area: the picture's, in pixels.
        scale: smallest and largest area, as shares of the picture's.
        ratio: smallest and largest ratio of the first side to the second.

    Returns:
        Both sides in whole pixels, int64 (batch, TRIES).
    """
    shares, ratios = numbers.view(len(numbers), -1, 2).unbind(2)
    least, most = scale
    size = (least + (most - least) * shares) * area
    narrow, broad = (math.log(bound) for bound in ratio)
    aspect = (narrow + (broad - narrow) * ratios).exp()
    return (size * aspect).sqrt().round().long(), (size / aspect).sqrt().round().long()


def first(fitting: Tensor, *sides: Tensor) -> tuple[Tensor, ...]:
    """Of each picture's rectangles the first that fits, or simply the first.

    Args:
        fitting: which do, bool (batch, TRIES).
        sides: (batch, TRIES) each.

    Returns:
        Whether any fits, bool (batch,), and the sides, (batch,) each.
    """
    which = fitting.int().argmax(1, keepdim=True)
    return fitting.any(1), *(side.gather(1, which).squeeze(1) for side in sides)
