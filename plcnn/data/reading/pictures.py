"""Pictures of any kind, in files or in memory, brought to the one form that a network takes."""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from PIL import Image, UnidentifiedImageError

from plcnn.data.class_names import composed
from plcnn.data.reading.decoding import FORMATS, decoded

Resize = Literal["stretch", "crop", "pad"]
"""How a picture of another shape than the wanted is brought to it: without keeping its aspect; by its centre, what
stands out cut off; or whole, with black beside it."""

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
"""Pillow's modes by the number of channels that a picture file can have."""


def why_unreadable(error: Exception) -> str:
    """What is wrong with a picture that could not be read, in some words."""
    if isinstance(error, UnidentifiedImageError):
        return "no picture"
    if isinstance(error, Image.DecompressionBombError):
        return "too large: " + str(error).split(" exceeds")[0].lower()
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


def in_folder(folder: Path, on_error: Callable[[OSError], object] | None = None) -> list[Path]:
    """The pictures below a folder, sorted, less what is hidden and folders that are called like pictures.

    Args:
        folder: the folder.
        on_error: what is told of folders that cannot be looked into; they are passed over.
    """
    found: list[str] = []
    for place, folders, files in os.walk(
        folder, onerror=on_error
    ):  # many times as fast as rglob, as are texts compared with paths
        folders[:] = [name for name in folders if not is_hidden(Path(name))]
        start = place.rstrip(os.sep) + os.sep
        found += [start + name for name in files if is_called_a_picture(name)]
    return [Path(file) for file in sorted(found, key=lambda file: composed(file).replace(os.sep, "\0"))]


def is_called_a_picture(name: str) -> bool:
    """Whether a file's name has the suffix of a picture, in small or large letters, and is not hidden."""
    stem, point, suffix = name.rpartition(".")
    return bool(stem) and not name.startswith(".") and point + suffix.lower() in _suffixes()


@cache
def _suffixes() -> frozenset[str]:
    return frozenset(suffix for suffix, name in Image.registered_extensions().items() if name in (*FORMATS, "MPO"))


def is_hidden(path: Path) -> bool:
    """Whether a path leads through what is hidden, or through what macOS adds to archives."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def read_picture(file: Path | BinaryIO, image_shape: tuple[int, int, int], resize: Resize = "stretch") -> np.ndarray:
    """Read one picture file; of moving pictures, the first. Several threads may read at once.

    Args:
        file: its path, or the file opened for reading.
        image_shape: channels (1 to 4), height and width to bring it to, as `fitted` does.
        resize: how.

    Returns:
        uint8 (channels, height, width).

    Raises:
        Exception: of any kind, where the file is damaged or no picture; `why_unreadable` has words for it.
    """
    return fitted(decoded(file, least_sides(image_shape)).picture, image_shape, resize)  # type: ignore[arg-type]


def least_sides(image_shape: tuple[int, int, int]) -> int:
    """The pixels that a JPEG's sides keep where it is decoded at a part of its size, to be resized to a shape.

    Twice the shape's own: what such a picture then differs by from one that was decoded whole, is hardly seen.
    """
    return 2 * max(image_shape[1:])


def fitted(picture: Image.Image, image_shape: tuple[int, int, int], resize: Resize = "stretch") -> np.ndarray:
    """Bring a picture to a number of channels and a size.

    One channel is grey, two are grey and opacity, three RGB, four RGB and opacity; without a channel for it,
    transparency is laid on white. Grey values of 16 bits are brought to 8; those with a fraction may go up to 1, 255 or
    65535. A picture of another size is resized (bilinear, antialiased), one that has the size keeps its pixels.

    Args:
        picture: of any mode and size.
        image_shape: channels (1 to 4), height and width.
        resize: how another aspect is brought to the wanted one.

    Returns:
        uint8 (channels, height, width).

    Raises:
        ValueError: if grey values are out of range, or a picture file cannot have so many channels.
    """
    channels, height, width = image_shape
    picture = with_channels(picture, channels)
    if channels in (2, 4):  # Pillow would weigh colours by opacity
        return fitted_planes(np.asarray(picture), image_shape, resize)
    picture = _resized(picture, height, width, resize)
    return np.asarray(picture).reshape(height, width, channels).transpose(2, 0, 1)


def with_channels(picture: Image.Image, channels: int) -> Image.Image:
    """Bring a picture of any mode to 1 to 4 channels of 8 bits, as `fitted` says."""
    if channels not in MODES:
        raise ValueError(f"a picture file has 1 to 4 channels, not {channels}; arrays have any number")
    if picture.has_transparency_data and channels in (1, 3):
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    if picture.mode.startswith("I;16") or picture.mode in ("I", "F"):
        picture = _eight_bits(picture)
    return picture.convert(MODES[channels])


def fitted_planes(planes: np.ndarray, image_shape: tuple[int, int, int], resize: Resize = "stretch") -> np.ndarray:
    """Bring a picture of any number of channels to a size, each channel as `fitted` does.

    Args:
        planes: uint8 (height, width, channels).
        image_shape: as many channels; height and width.
        resize: how another aspect is brought to the wanted one.

    Returns:
        uint8 (channels, height, width).

    Raises:
        ValueError: if the number of channels is another.
    """
    channels, height, width = image_shape
    if planes.shape[2] != channels:
        raise ValueError(f"it has {planes.shape[2]} channels; expected {channels}")
    pictures = (Image.fromarray(np.ascontiguousarray(planes[..., channel])) for channel in range(channels))
    return np.stack([np.asarray(_resized(picture, height, width, resize)) for picture in pictures])


def frame(height: int, width: int, to_height: int, to_width: int, resize: Resize) -> tuple[int, int, int, int]:
    """The part of a picture that becomes the whole: left, top, right, bottom; beyond the picture where it is padded."""
    wide, tall = width * to_height, height * to_width
    part_height, part_width = height, width
    if resize == "crop":
        part_height, part_width = min(height, max(1, wide // to_width)), min(width, max(1, tall // to_height))
    elif resize == "pad":
        part_height, part_width = max(height, -(-wide // to_width)), max(width, -(-tall // to_height))
    left, top = (width - part_width) // 2, (height - part_height) // 2
    return left, top, left + part_width, top + part_height


def _resized(picture: Image.Image, height: int, width: int, resize: Resize) -> Image.Image:
    if picture.size == (width, height):
        return picture
    part = frame(picture.height, picture.width, height, width, resize)
    if part != (0, 0, *picture.size):
        picture = picture.crop(part)  # what lies beyond the picture is black
    return picture.resize((width, height), Image.Resampling.BILINEAR)


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
