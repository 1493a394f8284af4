"""The idx format of MNIST and its kin: pictures of 28x28 bytes, and labels (http://yann.lecun.com/exdb/mnist/)."""

import gzip
import io
import struct
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from plcnn.errors import UserError

_UNSIGNED_BYTES = 8  # the type's code in the header
_MOST_BYTES = 2_000_000_000  # of what is read; EMNIST's largest file has a third of it


def read_idx(data: bytes, path: Path, dimensions: int) -> np.ndarray:
    """Read a file's bytes.

    Args:
        data: the file's content, compressed by gzip or not.
        path: the file that `data` was read from, for messages.
        dimensions: that the array must have.

    Returns:
        uint8, with as many dimensions, read-only.

    Raises:
        UserError: if it is of another form, cut off or damaged.
    """
    try:
        return _array(_unpacked(data), dimensions)
    except (gzip.BadGzipFile, EOFError, zlib.error, struct.error, ValueError) as error:
        raise UserError(f"{path} is no whole idx file of {dimensions} dimensions: {error}. Replace it.") from error


def compressed(name: str) -> str:
    """The name of an idx file as it is downloaded."""
    return f"{name}.gz"


def standing(folder: Path, name: str) -> str:
    """The name under which an idx file stands in a folder: compressed, unless it is there unpacked alone."""
    unpacked = (folder / name).is_file() and not (folder / compressed(name)).is_file()
    return name if unpacked else compressed(name)


def to_tensors(
    contents: Iterable[bytes], folder: Path, names: Sequence[str], lowest: int, highest: int
) -> tuple[Tensor, Tensor]:
    """Make tensors of the contents of two idx files.

    Args:
        contents: of the file of pictures, and of that of labels.
        folder: where they lie.
        names: what they are called there.
        lowest: label of the first class.
        highest: label of the last class.

    Returns:
        Pictures (pictures, 1, 28, 28), uint8, and labels (pictures,), int64, from 0.

    Raises:
        UserError: if one of them is not of the form that it should have.
    """
    paths = [folder / name for name in names]
    pixels, numbers = (read_idx(data, path, d) for data, path, d in zip(contents, paths, (3, 1), strict=True))
    if pixels.shape[1:] != (28, 28) or not len(pixels):
        raise UserError(f"{paths[0]} holds an array of {pixels.shape} instead of pictures (pictures, 28, 28).")
    if len(numbers) != len(pixels):
        raise UserError(f"{paths[1]} holds {len(numbers)} labels for {len(pixels)} pictures.")
    if not lowest <= numbers.min() <= numbers.max() <= highest:
        raise UserError(f"{paths[1]} holds labels from {numbers.min()} to {numbers.max()}, not {lowest} to {highest}.")
    labels = torch.from_numpy(numbers.copy()).long() - lowest
    return torch.from_numpy(pixels.copy()).unsqueeze(1), labels


def _unpacked(data: bytes) -> bytes:
    if data[:2] != b"\x1f\x8b":
        return data
    with gzip.open(io.BytesIO(data)) as stream:
        unpacked = stream.read(_MOST_BYTES + 1)
    if len(unpacked) > _MOST_BYTES:
        raise ValueError("it unpacks to far more than it should")
    return unpacked


def _array(data: bytes, dimensions: int) -> np.ndarray:
    zeros, kind, count = struct.unpack_from(">HBB", data)
    if zeros or kind != _UNSIGNED_BYTES or count != dimensions:
        raise ValueError(f"it begins with {data[:4].hex()}, not with 0000{_UNSIGNED_BYTES:02x}{dimensions:02x}")
    shape = struct.unpack_from(f">{dimensions}I", data, 4)
    begin, size = 4 + 4 * dimensions, int(np.prod(shape, dtype=object))
    if len(data) - begin != size:
        raise ValueError(f"it has {len(data) - begin} bytes after its header, which says {size}")
    return np.frombuffer(data, np.uint8, offset=begin).reshape(shape)
