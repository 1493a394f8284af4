"""Perceptual hashes by the optional package ImageHash: pictures that look alike differ in few bits."""

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from PIL import Image


def hasher_version() -> str:
    """What hashes, with its version; empty where it is not installed."""
    try:
        return f"imagehash {version('ImageHash')}"
    except PackageNotFoundError:
        return ""


def near_hashes(pictures: Sequence[Image.Image]) -> np.ndarray:
    """Hash grey pictures.

    Args:
        pictures: of mode L and any size.

    Returns:
        uint64 (pictures, 2): phash, whether each of 8 × 8 low frequencies is above their median; dhash, whether each
        of 8 × 8 pixels is brighter than the one to its left. Zeros for an even picture, of which hashes say nothing,
        and for all where ImageHash is not installed.
    """
    hashes = np.zeros((len(pictures), 2), np.uint64)
    if not hasher_version():
        return hashes
    from imagehash import dhash, phash

    for row, picture in enumerate(pictures):
        darkest, brightest = picture.getextrema()
        if darkest != brightest:
            hashes[row] = [np.packbits(of(picture).hash).view(np.uint64)[0] for of in (phash, dhash)]
    return hashes
