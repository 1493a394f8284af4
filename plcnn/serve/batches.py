"""Pictures of concurrent requests, put to the network together."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import torch
from torch import Tensor

MOST_TOGETHER = 64
"""Pictures in a batch."""

MOST_WAITING = 512
"""Pictures that may wait for the network; further ones are refused."""


class BusyError(Exception):
    """Too many pictures are waiting."""


class Batches:
    """Puts what has gathered, while the network was at work, to it as one batch.

    A lone picture waits for nothing; under load the batches grow by themselves.

    Args:
        network: maps uint8 (batch, channels, height, width) to a tensor with a row for each picture.
        thread: the one thread in which the network is used.
    """

    def __init__(self, network: Callable[[Tensor], Tensor], thread: ThreadPoolExecutor) -> None:
        self.network, self.thread = network, thread
        self.waiting: asyncio.Queue[tuple[Tensor, asyncio.Future[Tensor]]] = asyncio.Queue(MOST_WAITING)
        self._worker: asyncio.Task[None] | None = None

    async def answer(self, image: Tensor) -> Tensor:
        """The network's row for one picture, uint8 (channels, height, width).

        Raises:
            BusyError: if too many pictures are waiting.
            Exception: whatever the network raises for this picture.
        """
        answer: asyncio.Future[Tensor] = asyncio.get_running_loop().create_future()
        try:
            self.waiting.put_nowait((image, answer))
        except asyncio.QueueFull:
            raise BusyError from None
        return await answer

    def start(self) -> None:
        """Begin to work, in the running event loop."""
        self._worker = asyncio.get_running_loop().create_task(self._work())

    async def stop(self) -> None:
        """Answer no more."""
        if self._worker:
            self._worker.cancel()
            with suppress(asyncio.CancelledError):
                await self._worker

    async def _work(self) -> None:
        while True:
            gathered = [await self.waiting.get()]
            while len(gathered) < MOST_TOGETHER and not self.waiting.empty():
                gathered.append(self.waiting.get_nowait())
            asked = [(image, answer) for image, answer in gathered if not answer.done()]  # its client has gone
            if asked:
                await self._put(asked)

    async def _put(self, asked: list[tuple[Tensor, "asyncio.Future[Tensor]"]]) -> None:
        """Answer some pictures; where the network fails, each by itself, so that one does not take others down."""
        try:
            images = torch.stack([image for image, _ in asked])
            rows = await asyncio.get_running_loop().run_in_executor(self.thread, self.network, images)
        except Exception as error:
            if len(asked) > 1:
                for one in asked:
                    await self._put([one])
            elif not asked[0][1].done():
                asked[0][1].set_exception(error)
            return
        for (_, answer), row in zip(asked, rows, strict=True):
            if not answer.done():
                answer.set_result(row)
