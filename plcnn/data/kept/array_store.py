"""Arrays of pictures, grey or with channels anywhere, as what a network takes; those too large for the memory, too."""

from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from plcnn.data.reading.array_files import ArrayFile
from plcnn.data.reading.in_memory import eight_bits
from plcnn.data.reading.pictures import why_unreadable
from plcnn.errors import UserError

Channels = Literal["auto", "first", "last"]

_AT_ONCE = 1024
"""Pictures that are brought to bytes together."""

_IN_FILES = (1, 3, 4)
"""Numbers of channels that most pictures have."""


def are_last(shape: tuple[int, ...], channels: Channels = "auto") -> bool | None:
    """Whether channels are the last dimension of an array of pictures.

    They are the dimension that is left where the two others are equal, else the one of 1, 3 or 4.

    Args:
        shape: (pictures, height, width), which has none: False; or with channels after the pictures, or last.
        channels: what is known.

    Returns:
        None where the shape does not tell.

    Raises:
        ValueError: if it is no shape of pictures.
    """
    if len(shape) not in (3, 4) or 0 in shape:
        raise ValueError(f"an array of shape {shape}; expected (pictures, height, width), or with channels")
    if len(shape) == 3 or channels != "auto":
        return len(shape) == 4 and channels == "last"
    _, first, middle, last = shape
    if (first == middle) != (middle == last):
        return first == middle
    if (first in _IN_FILES) != (last in _IN_FILES):
        return last in _IN_FILES
    return None


class ArrayStore:
    """A store of an array's pictures, which are read where they lie.

    Args:
        file: the array: uint8, or floats from 0 to 1.
        last: whether its channels come last.
        name: what it is called, for messages.

    Attributes:
        fingerprint: another one where the file has changed.
    """

    def __init__(self, file: ArrayFile, last: bool, name: str) -> None:
        self.file, self.last, self.name = file, last, name
        self.fingerprint = f"{file.state} {last}"
        _, *sides = file.shape
        channels, height, width = [1, *sides] if len(sides) == 2 else [*sides[2:], *sides[:2]] if last else sides
        self.shape = (channels, height, width)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_values"}  # to be opened anew elsewhere

    @cached_property
    def _values(self) -> np.ndarray:
        return self.file.read()

    def __len__(self) -> int:
        return self.file.shape[0]

    def read(self, indices: Tensor) -> Tensor:
        """Read pictures, uint8 (batch, channels, height, width).

        Raises:
            UserError: if values are of another type or range.
        """
        return self._images(self._values[indices.numpy()])

    def in_memory(self) -> Tensor:
        """All pictures; bytes share the memory of the file.

        Raises:
            UserError: if values are of another type or range.
        """
        if self._values.dtype == np.uint8:
            return self._images(self._values)
        images = torch.empty((len(self), *self.shape), dtype=torch.uint8)
        for places in torch.arange(len(self)).split(_AT_ONCE):
            images[places] = self.read(places)
        return images

    def _images(self, values: np.ndarray) -> Tensor:
        try:
            images = torch.from_numpy(eight_bits(values))
        except ValueError as error:
            raise UserError(f"{self.name} cannot be used: {why_unreadable(error)}.") from error
        if images.ndim == 3:
            return images[:, None]
        return images.permute(0, 3, 1, 2) if self.last else images
