"""Files of NumPy arrays, opened without running or believing what is in them."""

import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

MOST_BYTES = 2**32
"""Of an archive of arrays, once it is unpacked; a .npy file may be of any size, for it is not read at once."""


class ArrayFile(NamedTuple):
    """An array that lies in a file.

    Attributes:
        shape: its shape.
        read: returns its values. Those of a .npy file are read from the disk as they are needed, and never written
            there.
        state: the file's path, size and time of change, and the array's name in it.
    """

    shape: tuple[int, ...]
    read: Callable[[], np.ndarray]
    state: str


def open_array(path: Path) -> ArrayFile:
    """The array in a .npy file.

    Raises:
        Exception: of any kind, where the file is damaged or no array.
    """
    with path.open("rb") as file:
        if file.read(6) != np.lib.format.MAGIC_PREFIX:
            raise ValueError("no NumPy array")
    return ArrayFile(_mapped(path).shape, partial(_mapped, path), _state(path))


def open_archive(path: Path) -> dict[str, ArrayFile]:
    """The arrays in a .npz file by name; `read` unpacks one of them.

    Raises:
        ValueError: if they are too large to be unpacked.
        Exception: of any other kind, where the file is damaged or no archive of arrays.
    """
    with zipfile.ZipFile(path) as parts:
        if sum(part.file_size for part in parts.infolist()) > MOST_BYTES:
            raise ValueError(f"it holds more than {MOST_BYTES >> 30} GiB; save the array with np.save")
        names = [name.removesuffix(".npy") for name in parts.namelist() if name.endswith(".npy")]
        state = _state(path)
        return {
            name: ArrayFile(_shape(parts, name), partial(_unpacked, path, name), f"{state} {name}") for name in names
        }


def _state(path: Path) -> str:
    found = path.stat()
    return f"{path.absolute()} {found.st_size} {found.st_mtime_ns}"


def _mapped(path: Path) -> np.ndarray:
    return np.asarray(np.load(path, mmap_mode="c", allow_pickle=False))


def _unpacked(path: Path, name: str) -> np.ndarray:
    with np.load(path, allow_pickle=False) as arrays:
        return np.asarray(arrays[name])


def _shape(parts: zipfile.ZipFile, name: str) -> tuple[int, ...]:
    with parts.open(f"{name}.npy") as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape: tuple[int, ...] = read(file)[0]
        return shape
