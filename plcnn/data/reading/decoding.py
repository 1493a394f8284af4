"""Picture files of any format, decoded into Pillow's images; JPEGs by the fastest way to the same pixels.

Where simplejpeg is installed it decodes JPEGs, the small ones several times as fast; what it does not take as flawless,
and what is to be turned, goes to Pillow, whose answer counts. Both hold libjpeg-turbo: a test compares their pixels.
"""

import io
import os
import stat
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image, ImageOps

from plcnn.data.shared import Shared

try:
    import simplejpeg
except ImportError:
    simplejpeg = None

FORMATS = (
    *("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "DIB", "PPM", "TGA", "ICO", "ICNS", "JPEG2000", "AVIF"),
    *("PCX", "DDS", "SGI", "QOI"),
)
"""Pillow's names of the formats that are read; others, such as EPS, it hands to programs of the system."""

_JPEG = b"\xff\xd8\xff"
_FOR_PILLOW = (b"Exif\0", b"http://ns.adobe.com/xap/", b"MPF\0")
"""In a JPEG: descriptions that may say how to turn it, and the mark of several pictures in one file."""

_IN_COLOUR, _GREY = {"YCbCr": "RGB", "Gray": "L"}, "L"
_REDUCTIONS = (8, 4, 2)


class Decoded(NamedTuple):
    """A picture, and what its file says of it.

    Attributes:
        picture: upright, of any mode; or values that were given as such, uint8 (height, width[, channels]).
        height: as stored, in pixels.
        width: as stored, in pixels.
        mode: as stored, in Pillow's words.
        format: of the file, in Pillow's words; empty for what is no file.
        moving: whether the file holds other pictures, too; the first one counts.
    """

    picture: Image.Image | np.ndarray
    height: int
    width: int
    mode: str
    format: str = ""
    moving: bool = False


def decoder_version() -> str:
    """What decodes, with versions."""
    return f"pillow {version('pillow')}" + (f", simplejpeg {version('simplejpeg')}" if simplejpeg else "")


def is_picture(content: bytes) -> bool:
    """Whether a file's content begins as a picture does."""
    try:
        with _UNWARNED, Image.open(io.BytesIO(content), formats=_formats()):
            return True
    except Exception:  # of a damaged file, Pillow may raise anything
        return False


def header(file: Path | BinaryIO) -> tuple[int, int, str]:
    """Height, width and Pillow's mode of a picture file, told from its beginning.

    Raises:
        Exception: of any kind, where the file is damaged or no picture; `why_unreadable` has words for it.
    """
    with _opened(file) as content, _UNWARNED, Image.open(content, formats=_formats()) as opened:
        return opened.height, opened.width, opened.mode


def decoded(file: Path | BinaryIO, least: int = 0) -> Decoded:
    """Decode one picture file; of moving pictures, the first. Several threads may decode at once.

    Args:
        file: its path, or the file opened for reading.
        least: pixels that both sides of the result shall keep. A JPEG whose sides are both multiples of 2, 4 or 8 is
            decoded at that part of its size, several times as fast, while it keeps them; 0 for never.

    Raises:
        Exception: of any kind, where the file is damaged or no picture; `why_unreadable` has words for it.
    """
    with _opened(file) as content:
        if simplejpeg and content.read(len(_JPEG)) == _JPEG:
            content.seek(0)
            read = content.read()
            if flawless := _flawless_jpeg(read, least):
                return flawless
            content = io.BytesIO(read)
        content.seek(0)
        return _by_pillow(content, least)


@contextmanager
def _opened(file: Path | BinaryIO) -> Iterator[BinaryIO]:
    if not isinstance(file, Path):
        yield file
        return
    if not stat.S_ISREG(os.stat(file).st_mode):  # noqa: PTH116 - several times as fast, and said of every picture
        raise ValueError("no plain file")
    with open(file, "rb") as content:  # noqa: PTH123
        yield content


def _flawless_jpeg(content: bytes, least: int) -> Decoded | None:
    """A JPEG that simplejpeg decodes without a remark, and that Pillow would not decode otherwise."""
    if any(mark in content for mark in _FOR_PILLOW):
        return None
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(content)
        mode = _IN_COLOUR.get(colours)
        if not mode or height * width > (Image.MAX_IMAGE_PIXELS or 0) or _reduction(height, width, least) > 1:
            return None
        values = simplejpeg.decode_jpeg(content, "GRAY" if mode == _GREY else mode)
    except ValueError:
        return None
    picture = Image.fromarray(values[..., 0] if mode == _GREY else values)
    return Decoded(picture, height, width, mode, "JPEG")


def _by_pillow(content: BinaryIO, least: int) -> Decoded:
    with _UNWARNED, Image.open(content, formats=_formats()) as opened:
        is_jpeg = opened.format in ("JPEG", "MPO")
        found = Decoded(
            opened, opened.height, opened.width, opened.mode, opened.format or "", getattr(opened, "is_animated", False)
        )
        part = _reduction(opened.height, opened.width, least) if is_jpeg else 1
        if part > 1:
            opened.draft(None, (opened.width // part, opened.height // part))  # type: ignore[arg-type]  # its own default
        with _SILENT if opened.format == "TIFF" else nullcontext():
            opened.load()
            ImageOps.exif_transpose(opened, in_place=True)
        return found


def _reduction(height: int, width: int, least: int) -> int:
    """The part of its size at which a JPEG is decoded: 8 means an eighth."""
    if not least:
        return 1
    parts = (part for part in _REDUCTIONS if not height % part and not width % part)
    return next((part for part in parts if min(height, width) >= part * least), 1)


def _formats() -> list[str]:
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


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
