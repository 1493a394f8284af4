"""Pictures of all kinds and sizes in batches for `predict`, read ahead of the network."""

import sys
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from plcnn.compute import usable_cores
from plcnn.data.reading.in_memory import image_of
from plcnn.data.reading.meant import Meant, fault, meant_pictures
from plcnn.data.reading.pictures import Resize
from plcnn.data.workers import Workers
from plcnn.errors import UserError


class PictureBatch(NamedTuple):
    """Pictures that could be read, and words on the others.

    Attributes:
        images: uint8 (pictures, channels, height, width).
        pictures: what they are.
        faults: of those that could not be read, each its name and the reason.
    """

    images: Tensor
    pictures: list[Meant]
    faults: list[str]


class PictureBatches:
    """Iterates over pictures, in order; worker processes read them while the network is at work on the ones before.

    No more than a few batches are in memory at a time. What cannot be read is passed over and remembered.

    Args:
        typed: files, folders, patterns, NumPy files, and "-" for the standard input.
        image_shape: channels, height and width to bring every picture to.
        batch_size: pictures in a batch.
        workers: processes that read, at most as many as there are cores; none are started for a single batch.
        standard_input: its content, where "-" is among the paths.
        resize: how pictures of another shape are brought to it.

    Attributes:
        pictures: what was found.
        faults: of what was typed and of the pictures read so far, what was no picture.

    Raises:
        UserError: naming everything that was typed, if there is no picture among it.
    """

    def __init__(
        self,
        typed: Sequence[str],
        image_shape: tuple[int, int, int],
        batch_size: int,
        workers: int,
        standard_input: bytes | None = None,
        resize: Resize = "stretch",
    ) -> None:
        self.pictures, self.faults = meant_pictures(typed, standard_input, image_shape[0])
        self._missing = len(self.faults)
        self._reading = _Reading(self.pictures, image_shape, resize, batch_size)
        self._workers = min(workers, usable_cores())
        if not self.pictures:
            self.raise_faults()

    def __len__(self) -> int:
        return len(self._reading)

    def __iter__(self) -> Iterator[PictureBatch]:
        del self.faults[self._missing :]
        processes = self._workers if len(self) > 1 else 0
        with Workers(self._reading, processes) as workers:
            numbers = range(len(self))
            for batch in workers.results(numbers) if processes else map(self._reading, numbers):
                self.faults += batch.faults
                if batch.pictures:
                    yield PictureBatch(torch.from_numpy(batch.images), batch.pictures, batch.faults)

    def raise_faults(self) -> None:
        """End with what could not be read.

        Raises:
            UserError: naming all of it, if there is any.
        """
        if self.faults:
            of = len(self.pictures) + self._missing
            raise UserError(f"{len(self.faults)} of {of} pictures cannot be read: {'; '.join(self.faults)}")


class _Read(NamedTuple):
    """A batch as a worker hands it over."""

    images: np.ndarray
    pictures: list[Meant]
    faults: list[str]


class _Reading:
    """Reads batches by their numbers, in whichever process."""

    def __init__(
        self, pictures: list[Meant], image_shape: tuple[int, int, int], resize: Resize, batch_size: int
    ) -> None:
        self.pictures, self.image_shape, self.resize, self.batch_size = pictures, image_shape, resize, batch_size

    def __len__(self) -> int:
        return -(-len(self.pictures) // self.batch_size)

    def __call__(self, number: int) -> _Read:
        images, pictures, faults = [], [], []
        for meant in self.pictures[number * self.batch_size : (number + 1) * self.batch_size]:
            try:
                images.append(image_of(meant.picture, self.image_shape, self.resize))
                pictures.append(meant._replace(picture=b""))  # its values need not travel back
            except Exception as error:  # of a damaged file, Pillow may raise anything
                faults.append(fault(meant.name, error))
        stacked = np.stack(images) if images else np.zeros((0, *self.image_shape), np.uint8)
        return _Read(stacked, pictures, faults)


def read_standard_input(trainer: Any) -> bytes:
    """All of the standard input, the same on every rank of a trainer: one alone can read it."""
    if trainer is None or trainer.world_size == 1:
        return sys.stdin.buffer.read()
    content: bytes = trainer.strategy.broadcast(sys.stdin.buffer.read() if trainer.is_global_zero else b"")
    return content
