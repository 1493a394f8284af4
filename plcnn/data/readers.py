"""From batches of indices to batches of uint8 pictures on the device: gathered there, on the host, or by workers.

All three give the same pictures.
"""

import ctypes
import math
import mmap
import multiprocessing
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from plcnn.data.keep import Place
from plcnn.data.kept.stores import Pictures, read_rows
from plcnn.data.workers import Workers


class Reader:
    """Reads pictures that lie where the batches are wanted.

    Args:
        images: uint8 (pictures, channels, height, width).
    """

    def __init__(self, images: Tensor) -> None:
        self.images = images

    def __call__(self, batches: Iterable[Tensor]) -> Iterator[Tensor]:
        """Read batch after batch.

        Args:
            batches: int64 (batch,) each, on the device of the pictures.

        Yields:
            uint8 (batch, channels, height, width), on the device.
        """
        for rows in batches:
            yield self.images.index_select(0, rows)


class HostReader:
    """Gathers on the host and copies to the device, a batch ahead of what is being computed.

    Args:
        images: the pictures.
        device: where the batches go.
    """

    def __init__(self, images: Pictures, device: torch.device) -> None:
        self.images, self.device = images, device

    def __call__(self, batches: Iterable[Tensor]) -> Iterator[Tensor]:
        """Read batch after batch, as `Reader`; the indices are on the CPU."""
        return _ahead(map(self._read, batches), self.device)

    def _read(self, rows: Tensor) -> Tensor:
        pinned = self.device.type == "cuda"
        if not isinstance(self.images, Tensor):
            images = self.images.read(rows)
            return images.pin_memory() if pinned else images
        gathered = torch.empty((len(rows), *self.images.shape[1:]), dtype=torch.uint8, pin_memory=pinned)
        return torch.index_select(self.images, 0, rows, out=gathered)


class WorkerReader:
    """Has worker processes read, a few batches ahead; they live as long as this reader.

    The batches come over in memory that all share, set aside once: new memory for each would cost more time than the
    copy out of it.

    Args:
        images: the pictures.
        device: where the batches go.
        workers: number of processes, at least 1.
    """

    def __init__(self, images: Pictures, device: torch.device, workers: int) -> None:
        self.images, self.device, self.workers = images, device, workers
        self._crew: Workers[tuple[int, np.ndarray], None] | None = None
        self._slots = torch.empty(0)

    def __call__(self, batches: Iterable[Tensor]) -> Iterator[Tensor]:
        """Read batch after batch, as `Reader`; the indices are on the CPU.

        Raises:
            UserError: if a store raised one, or a worker died.
        """
        return _ahead(self._read(list(batches)), self.device)

    def _read(self, batches: list[Tensor]) -> Iterator[Tensor]:
        largest = max(map(len, batches), default=0)
        if self._crew is None or self._slots.shape[1] < largest:
            self._crew = self._started(largest)
        # a slot is written to again once the batch after it has been asked for
        tasks = ((number % len(self._slots), rows.numpy()) for number, rows in enumerate(batches))
        for number, _ in enumerate(self._crew.results(tasks)):
            slot = self._slots[number % len(self._slots), : len(batches[number])]
            images = torch.empty(
                slot.shape,
                dtype=torch.uint8,
                pin_memory=self.device.type == "cuda",
                memory_format=torch.channels_last,
            )
            # PyTorch would copy in several threads, and these turn idly for a while, on the cores that workers want
            np.copyto(images.permute(0, 2, 3, 1).numpy(), slot.permute(0, 2, 3, 1).numpy())
            yield images

    def _started(self, largest: int) -> Workers[tuple[int, np.ndarray], None]:
        ahead = 2
        channels, height, width = self.images.shape[-3:]
        filling = _Filling(self.images, (self.workers * ahead + 1, largest, height, width, channels))
        self._slots = filling.slots()
        return Workers(filling, self.workers, ahead)


def reader(images: Pictures, place: Place, device: torch.device, workers: int) -> Reader | HostReader | WorkerReader:
    """The reader for pictures that lie in `place` and are wanted on `device`."""
    if place == "workers":
        return WorkerReader(images, device, workers)
    return Reader(images) if place == "device" and isinstance(images, Tensor) else HostReader(images, device)


class _Filling:
    """Reads a batch, in a worker, into its place in memory that is shared with those that are started later.

    Args:
        images: the pictures.
        shape: of the memory: batches, pictures in each, height, width, channels.
    """

    def __init__(self, images: Pictures, shape: tuple[int, ...]) -> None:
        self.images, self.shape = images, shape
        self.memory = _shared_memory(max(1, math.prod(shape)))

    def slots(self) -> Tensor:
        """The memory, uint8 (batches, pictures, channels, height, width)."""
        values: Tensor = torch.frombuffer(self.memory, dtype=torch.uint8)
        return values[: math.prod(self.shape)].view(self.shape).permute(0, 1, 4, 2, 3)

    def __call__(self, task: tuple[int, np.ndarray]) -> None:
        slot, rows = task
        self.slots()[slot, : len(rows)] = read_rows(self.images, torch.from_numpy(rows))


def _shared_memory(size: int) -> Any:
    """A buffer; where processes are forked, of no file system that may be full."""
    if multiprocessing.get_start_method() == "fork":
        return mmap.mmap(-1, size)
    return multiprocessing.RawArray(ctypes.c_uint8, size)


def _ahead(batches: Iterator[Tensor], device: torch.device) -> Iterator[Tensor]:
    """Copy host batches to the device, each while the one before is worked on."""
    if device.type != "cuda":
        yield from (images.to(device) for images in batches)
        return
    side = torch.cuda.Stream(device)
    held: tuple[Tensor, torch.cuda.Event] | None = None
    for images in batches:
        with torch.cuda.stream(side):
            copied = images.to(device, non_blocking=True), side.record_event()
        if held:
            yield _arrived(*held)
        held = copied
    if held:
        yield _arrived(*held)


def _arrived(images: Tensor, event: torch.cuda.Event) -> Tensor:
    stream = torch.cuda.current_stream(images.device)
    stream.wait_event(event)
    images.record_stream(stream)  # its memory is not given away while this stream reads it
    return images
