"""Which pictures are meant by what was typed: files, folders, patterns, arrays, and the standard input."""

import glob
import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from plcnn.data.reading.array_files import open_archive, open_array
from plcnn.data.reading.decoding import is_picture
from plcnn.data.reading.in_memory import Picture
from plcnn.data.reading.pictures import in_folder, why_unreadable
from plcnn.paths import expanded, nearby
from plcnn.terminal import printable

STANDARD_INPUT = "-"
ARRAY_SUFFIXES = (".npy", ".npz")


class Meant(NamedTuple):
    """A picture that has not been read yet.

    Attributes:
        name: what it is called in answers, and, with an ending, the file of its saliency.
        stem: of files that are made of it.
        picture: its file, content or values.
    """

    name: str
    stem: str
    picture: Picture


def meant_pictures(
    typed: Iterable[str], standard_input: bytes | None = None, channels: int = 3
) -> tuple[list[Meant], list[str]]:
    """Find pictures; none is read yet.

    Args:
        typed: files, folders, patterns (`*.jpg`, `**/*.png`), NumPy files, and "-" for the standard input.
        standard_input: its content: one picture, or a list of the above, one a line.
        channels: the network's; arrays may have as many last, besides 1, 3 or 4.

    Returns:
        The pictures in order; and what names none, each as `fault` says it.
    """
    pictures: list[Meant] = []
    faults: list[str] = []
    for text in typed:
        try:
            if text != STANDARD_INPUT:
                pictures += _meant_by(text, channels)
                continue
            found, lines = _in_standard_input(standard_input or b"", channels)
            more, bad = meant_pictures(lines, channels=channels) if lines else ([], [])
            pictures += found + more
            faults += bad
        except Exception as error:  # of a damaged file, NumPy may raise anything
            faults.append(fault(text, error))
    return pictures, faults


def fault(name: str, error: Exception) -> str:
    """What cannot be read, and why, on one line."""
    return printable(f"{name} ({why_unreadable(error)})")


def _meant_by(text: str, channels: int) -> list[Meant]:
    if not text:
        raise ValueError("an empty name")  # to pathlib, the folder one is in
    path = expanded(text)
    if path.is_dir():
        if files := in_folder(path):
            return [_file(file) for file in files]
        raise ValueError("a folder without pictures")
    if path.suffix.lower() in ARRAY_SUFFIXES and path.is_file():
        return _of_array(_load(path), path.name, str(path), channels)
    if path.exists() or path.is_symlink():
        return [_file(path)]
    if glob.has_magic(text):
        return _matching(str(path), channels)
    raise ValueError(f"no such file or folder. {nearby(path)}".rstrip(" ."))


def _file(path: Path) -> Meant:
    return Meant(str(path), path.stem, path)


def _matching(pattern: str, channels: int) -> list[Meant]:
    found: dict[str, Meant] = {}
    for match in sorted(glob.glob(pattern, recursive=True)):  # noqa: PTH207 - pathlib's takes no absolute pattern
        path = Path(match)
        for meant in [_file(file) for file in in_folder(path)] if path.is_dir() else _meant_by(match, channels):
            found.setdefault(meant.name, meant)
    if not found:
        raise ValueError("no file has a name like it")
    return list(found.values())


def _in_standard_input(content: bytes, channels: int) -> tuple[list[Meant], list[str]]:
    """The pictures that lie in the standard input, or the lines that name some."""
    if not content.strip():
        raise ValueError("the standard input is empty")
    if content.startswith(np.lib.format.MAGIC_PREFIX):
        return _of_array(np.load(io.BytesIO(content), allow_pickle=False), "stdin", STANDARD_INPUT, channels), []
    if is_picture(content):
        return [Meant(STANDARD_INPUT, "stdin", content)], []
    if b"\0" in content:
        raise ValueError("neither a picture nor a list of files, one a line")
    return [], [line.rstrip("\r") for line in os.fsdecode(content).split("\n") if line.strip()]


def _load(path: Path) -> np.ndarray:
    """The array in a NumPy file."""
    if path.suffix.lower() == ".npy":
        return open_array(path).read()
    arrays = open_archive(path)
    if len(arrays) != 1:
        raise ValueError(f"it holds {len(arrays)} arrays ({', '.join(arrays)}); expected one")
    (array,) = arrays.values()
    return array.read()


def _of_array(array: np.ndarray, file_name: str, name: str, channels: int) -> list[Meant]:
    """The pictures in an array (height, width[, channels]) or (pictures, height, width[, channels])."""
    stem = Path(file_name).stem
    if array.dtype != np.uint8 and not np.issubdtype(array.dtype, np.floating):
        raise ValueError(f"values of type {array.dtype}; expected uint8 from 0 to 255, or floats from 0 to 1")
    has_channels = array.ndim > 2 and array.shape[-1] in (1, 3, 4, channels)
    if array.ndim not in (2, 3, 4) or (array.ndim == 4 and not has_channels):
        raise ValueError(f"an array of shape {array.shape}; expected (pictures, height, width, channels)")
    if array.ndim == 3 and not has_channels and array.shape[0] in (3, 4):
        raise ValueError(f"an array of shape {array.shape}; channels come last, and grey pictures may have one")
    if 0 in array.shape:
        raise ValueError(f"an array of shape {array.shape} holds no pictures")
    if array.ndim - has_channels == 2:
        return [Meant(name, stem, array)]
    return [Meant(f"{name}[{row}]", f"{stem}-{row}", array[row]) for row in range(len(array))]
