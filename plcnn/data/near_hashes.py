"""Perceptual hashes as ImageHash (4.3) makes them, for many pictures at once: alike pictures differ in few bits.

Large pictures are first reduced by a mean over blocks, to three times the hash's own size at least; a bit or two may
then differ from ImageHash's.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image

_SIDE = 8
_COSINES = np.cos(np.pi * np.outer(np.arange(_SIDE), np.arange(4 * _SIDE) + 0.5) / (4 * _SIDE))
"""The eight lowest frequencies of a discrete cosine transform (type 2) over 32 pixels."""

_GAP = 3.0


def near_hashes(pictures: Sequence[Image.Image]) -> np.ndarray:
    """Hash grey pictures.

    Args:
        pictures: of mode L and any size.

    Returns:
        uint64 (pictures, 2): phash, whether each of 8 × 8 low frequencies is above their median; dhash, whether each
        of 8 × 8 pixels is brighter than the one to its left.
    """
    squares, lines = (
        np.stack([np.asarray(_resized(picture, size)) for picture in pictures])
        for size in ((4 * _SIDE, 4 * _SIDE), (_SIDE + 1, _SIDE))
    )
    # rounded, so that what cancels out, as in an even picture, is 0 in spite of the floats' own errors
    low = (_COSINES @ squares @ _COSINES.T).round(6)
    bits = np.stack([low > np.median(low, axis=(1, 2), keepdims=True), lines[..., 1:] > lines[..., :-1]], axis=1)
    hashes: np.ndarray = np.packbits(bits.reshape(len(pictures), 2, -1), axis=2).view(np.uint64)[..., 0]
    return hashes


def _resized(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    if picture.size == size:
        return picture
    return picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=_GAP)
