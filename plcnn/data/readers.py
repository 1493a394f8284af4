"""From batches of indices to batches of uint8 pictures on the device: gathered there, on the host, or by workers.

All three give the same pictures.
"""

import signal
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from plcnn.data.keep import Place
from plcnn.data.stores import Pictures
from plcnn.errors import UserError


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
    """Has worker processes read; they live as long as this reader.

    Args:
        images: the pictures.
        device: where the batches go.
        workers: number of processes, at least 1.
    """

    def __init__(self, images: Pictures, device: torch.device, workers: int) -> None:
        self.device, self._batches = device, _Batches()
        self._loader: DataLoader[Any] = DataLoader(
            _Reading(images),
            batch_size=None,
            sampler=self._batches,
            num_workers=workers,
            pin_memory=device.type == "cuda",
            worker_init_fn=ignore_interrupts,
            persistent_workers=True,
            generator=torch.Generator(),  # else it would draw from the generator that dropout reads
        )

    def __call__(self, batches: Iterable[Tensor]) -> Iterator[Tensor]:
        """Read batch after batch, as `Reader`; the indices are on the CPU.

        Raises:
            UserError: if a store raised one in a worker.
        """
        self._batches.batches = list(batches)
        return _ahead(map(_checked, self._loader), self.device)


def reader(images: Pictures, place: Place, device: torch.device, workers: int) -> Reader | HostReader | WorkerReader:
    """The reader for pictures that lie in `place` and are wanted on `device`."""
    if place == "workers":
        return WorkerReader(images, device, workers)
    return Reader(images) if place == "device" and isinstance(images, Tensor) else HostReader(images, device)


class _Batches:
    """An epoch's batches of indices, exchanged before each pass."""

    def __init__(self) -> None:
        self.batches: list[Tensor] = []

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


class _Reading(Dataset[Any]):
    """A data set whose items are batches; a user's error is an item, since workers would wrap it in a traceback."""

    def __init__(self, images: Pictures) -> None:
        self.images = images

    def __getitem__(self, rows: Tensor) -> Tensor | UserError:
        try:
            return self.images[rows] if isinstance(self.images, Tensor) else self.images.read(rows)
        except UserError as error:
            return error


def _checked(read: Tensor | UserError) -> Tensor:
    if isinstance(read, UserError):
        raise read
    return read


def ignore_interrupts(worker: int) -> None:
    """Leave Ctrl-C, which a terminal sends to all processes, to the one that trains and ends the workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


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
