"""The shape that pictures of many sizes are brought to where nobody says one."""

import io
from pathlib import Path
from statistics import median

from plcnn.data.kept.stores import Unfitted
from plcnn.data.reading.decoding import header
from plcnn.data.reading.in_memory import Picture

MOST_LOOKED_AT = 200
"""Pictures, spread evenly, whose beginnings are read."""

LARGEST_KEPT = 256
"""Pixels along a side up to which a size that all pictures share is kept."""

SIZES = range(32, 225, 32)
"""What is proposed for other pictures: the nearest of these to the middle one of their shorter sides."""

_GREY = ("1", "L", "LA", "La", "I", "F")


def proposed_shape(pictures: Unfitted) -> tuple[int, int, int]:
    """Propose the shape that pictures are brought to: channels, height and width, the last two equal.

    Where all that are looked at are squares of one size, at most 256 pixels, it is theirs. Else it is the median of the
    shorter sides, rounded to a multiple of 32 from 32 to 224. One channel if all of them are grey, else three.

    Args:
        pictures: files or their content; what cannot be read is passed over.
    """
    step = max(1, -(-len(pictures) // MOST_LOOKED_AT))
    sizes, grey = [], True
    for index in range(0, len(pictures), step):
        try:
            height, width, mode = header(_file(pictures.picture(index)))
        except Exception:  # of a damaged file, Pillow may raise anything
            continue
        sizes.append((height, width))
        grey &= mode in _GREY or mode.startswith("I;16")
    return 1 if grey and sizes else 3, *(_side(sizes),) * 2


def _file(picture: Picture) -> Path | io.BytesIO:
    return io.BytesIO(picture) if isinstance(picture, bytes) else Path(str(picture))


def _side(sizes: list[tuple[int, int]]) -> int:
    if not sizes:
        return SIZES[0]
    height, width = sizes[0]
    if height == width <= LARGEST_KEPT and set(sizes) == {sizes[0]}:
        return height
    middle = median(min(size) for size in sizes)
    return min(SIZES, key=lambda size: abs(size - middle))
