"""Pictures of any kind, in files or in memory, brought to the one form that a network takes."""

import io
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from plcnn.data.shared import Shared

FORMATS = (
    *("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "DIB", "PPM", "TGA", "ICO", "ICNS", "JPEG2000", "AVIF"),
    *("PCX", "DDS", "SGI", "QOI"),
)
"""Pillow's names of the formats that are read; others, such as EPS, it hands to programs of the system."""


def why_unreadable(error: Exception) -> str:
    """What is wrong with a picture that could not be read, in some words."""
    if isinstance(error, UnidentifiedImageError):
        return "no picture"
    if isinstance(error, Image.DecompressionBombError):
        return "too large: " + str(error).split(" exceeds")[0].lower()
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


def in_folder(folder: Path) -> list[Path]:
    """The pictures below a folder, sorted, less what is hidden and folders that are called like pictures."""
    suffixes = {suffix for suffix, name in Image.registered_extensions().items() if name in (*FORMATS, "MPO")}
    found = (file for file in folder.rglob("*") if file.suffix.lower() in suffixes)
    return sorted(file for file in found if not _is_hidden(file.relative_to(folder)) and not file.is_dir())


def is_picture(content: bytes) -> bool:
    """Whether a file's content begins as a picture does."""
    try:
        with _UNWARNED, Image.open(io.BytesIO(content), formats=_formats()):
            return True
    except Exception:  # of a damaged file, Pillow may raise anything
        return False


def _formats() -> list[str]:
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def read_picture(file: Path | BinaryIO, image_shape: tuple[int, int, int]) -> np.ndarray:
    """Read one picture file; of moving pictures, the first. Several threads may read at once.

    Args:
        file: its path, or the file opened for reading.
        image_shape: channels (1 or 3), height and width to bring it to, as `fitted` does.

    Returns:
        uint8 (channels, height, width).

    Raises:
        Exception: of any kind, where the file is damaged or no picture; `why_unreadable` has words for it.
    """
    if isinstance(file, Path) and file.exists() and not file.is_file():
        raise ValueError("no plain file")
    with _UNWARNED, Image.open(file, formats=_formats()) as opened:
        with _SILENT if opened.format == "TIFF" else nullcontext():
            picture = ImageOps.exif_transpose(opened)
            picture.load()
        return fitted(picture, image_shape)


def fitted(picture: Image.Image, image_shape: tuple[int, int, int]) -> np.ndarray:
    """Bring a picture to a number of channels and a size.

    A picture of another size is resized (bilinear, antialiased) without keeping its aspect; transparency is laid on
    white; three channels are RGB, one channel is grey. Grey values of 16 bits are brought to 8; those with a fraction
    may go up to 1, 255 or 65535. A picture that has the size keeps its pixels.

    Args:
        picture: of any mode and size.
        image_shape: channels (1 or 3), height and width.

    Returns:
        uint8 (channels, height, width).

    Raises:
        ValueError: if grey values are out of range.
    """
    channels, height, width = image_shape
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    if picture.mode.startswith("I;16") or picture.mode in ("I", "F"):
        picture = _eight_bits(picture)
    picture = picture.convert("L" if channels == 1 else "RGB")
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(picture).reshape(height, width, channels).transpose(2, 0, 1)


@contextmanager
def _silent() -> Iterator[None]:
    """Keep libtiff's remarks on damaged files, written past Python, from the terminal; the error says it."""
    sys.stderr.flush()
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


_SILENT = Shared(_silent)
_UNWARNED = Shared(lambda: warnings.catch_warnings(action="ignore"))
"""Warned is of damaged descriptions, and of large pictures, of which the largest are errors."""


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Bring grey values of more than eight bits to 0..255."""
    values = np.asarray(picture, dtype=np.float32)
    least, most = float(values.min()), float(values.max())
    if not 0 <= least <= most <= 65535:
        raise ValueError(f"grey values from {least:g} to {most:g}; they may go from 0 to 1, 255 or 65535")
    scale = 1 / 257
    if picture.mode == "F" and most <= 255:
        scale = 255 if most <= 1 else 1
    return Image.fromarray((values * scale).astype(np.uint8))
