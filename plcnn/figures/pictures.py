"""A grid of pictures, each with a few words above it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from plcnn.figures.style import label, look

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIDE = 1.15  # inches, as all here
_LINE = 0.12
_GAP = 0.08


def displayable(picture: Tensor) -> "np.ndarray[Any, Any]":
    """A picture as Matplotlib and Pillow take it.

    Args:
        picture: (channels, height, width), uint8 or floats from 0 to 1.

    Returns:
        (height, width, 3), or (height, width) where there is but one channel.
    """
    array: np.ndarray[Any, Any] = (picture[0] if len(picture) < 3 else picture[:3].permute(1, 2, 0)).cpu().numpy()
    return array


def pictures(images: Tensor, titles: Sequence[str], columns: int = 6, longest: int = 20) -> "Figure":
    """Pictures in rows; each pixel keeps its edges.

    Args:
        images: uint8 (pictures, channels, height, width).
        titles: what stands above each; several lines may.
        columns: pictures in a row.
        longest: the most characters of a line.
    """
    from matplotlib.figure import Figure

    columns = max(1, min(columns, len(images)))
    rows = max(1, -(-len(images) // columns))
    above = max((title.count("\n") + 1 for title in titles), default=0) * _LINE + _GAP
    with look():
        figure = Figure(figsize=(columns * _SIDE, rows * (_SIDE + above)))
        # one panel for all: a grid of panels takes ten times as long
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, columns * _SIDE), ylim=(rows * (_SIDE + above), 0))
        axes.axis("off")
        for number, (picture, title) in enumerate(zip(images, titles, strict=True)):
            left, top = number % columns * _SIDE, number // columns * (_SIDE + above)
            shape = picture.shape[1:]
            half = [0.5 * (_SIDE - _GAP) * side / max(shape) for side in shape]
            middle = (left + _SIDE / 2, top + above + (_SIDE - _GAP) / 2)
            extent = (middle[0] - half[1], middle[0] + half[1], middle[1] + half[0], middle[1] - half[0])
            shown = displayable(picture)
            axes.imshow(shown, cmap="gray", vmin=0, vmax=255, interpolation="nearest", extent=extent, aspect="auto")
            text = "\n".join(label(line, longest) for line in title.split("\n"))
            axes.text(middle[0], top + above - _GAP / 2, text, ha="center", va="bottom", fontsize=7, linespacing=1.1)
        axes.set(xlim=(0, columns * _SIDE), ylim=(rows * (_SIDE + above), 0))
        return figure
