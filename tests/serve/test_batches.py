"""Concurrent pictures share batches, and one that fails fails alone."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor

from plcnn.serve import batches as module
from plcnn.serve.batches import Batches, BusyError

Network = Callable[[Tensor], Tensor]


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


def at_work(network: Network, thread: ThreadPoolExecutor, work: Callable[[Batches], Awaitable[None]]) -> None:
    async def run() -> None:
        batches = Batches(network, thread)
        batches.start()
        try:
            await asyncio.wait_for(work(batches), 20)
        finally:
            await batches.stop()

    asyncio.run(run())


def image(value: int) -> Tensor:
    return torch.full((1, 2, 2), value, dtype=torch.uint8)


def test_what_gathers_while_the_network_works_is_one_batch(
    thread: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_TOGETHER", 4)
    go, sizes = threading.Event(), []

    def network(images: Tensor) -> Tensor:
        sizes.append(len(images))
        go.wait(20)
        return images[:, 0, 0, 0].float() * 2

    async def work(batches: Batches) -> None:
        first = asyncio.create_task(batches.answer(image(0)))
        while not sizes:
            await asyncio.sleep(0.001)
        others = [asyncio.create_task(batches.answer(image(n))) for n in range(1, 7)]
        await asyncio.sleep(0.05)
        go.set()
        assert [float(await answer) for answer in [first, *others]] == [2 * n for n in range(7)]

    at_work(network, thread, work)
    assert sizes == [1, 4, 2]


def test_a_picture_on_which_the_network_fails_takes_no_other_down(thread: ThreadPoolExecutor) -> None:
    def network(images: Tensor) -> Tensor:
        if (images == 13).any():
            raise RuntimeError("thirteen")
        return images[:, 0, 0, 0]

    async def work(batches: Batches) -> None:
        answers = await asyncio.gather(*(batches.answer(image(n)) for n in (1, 13, 2)), return_exceptions=True)
        assert [str(answers[1]), int(answers[0]), int(answers[2])] == ["thirteen", 1, 2]
        assert int(await batches.answer(image(3))) == 3

    at_work(network, thread, work)


def test_more_than_may_wait_are_refused_at_once(thread: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 3)
    monkeypatch.setattr(module, "MOST_TOGETHER", 1)
    go = threading.Event()

    def network(images: Tensor) -> Tensor:
        go.wait(20)
        return images[:, 0, 0, 0]

    async def work(batches: Batches) -> None:
        asked = []
        for n in range(4):  # one with the network, three that wait
            asked.append(asyncio.create_task(batches.answer(image(n))))
            await asyncio.sleep(0.01)
        with pytest.raises(BusyError):
            await batches.answer(image(9))
        go.set()
        assert [int(answer) for answer in await asyncio.gather(*asked)] == [0, 1, 2, 3]

    at_work(network, thread, work)


def test_a_client_that_has_gone_is_passed_over(thread: ThreadPoolExecutor) -> None:
    go, seen = threading.Event(), []

    def network(images: Tensor) -> Tensor:
        seen.extend(images[:, 0, 0, 0].tolist())
        go.wait(20)
        return images[:, 0, 0, 0]

    async def work(batches: Batches) -> None:
        first = asyncio.create_task(batches.answer(image(1)))
        while not seen:
            await asyncio.sleep(0.001)
        gone, stays = (asyncio.create_task(batches.answer(image(n))) for n in (2, 3))
        await asyncio.sleep(0.01)
        gone.cancel()
        go.set()
        assert int(await first) == 1 and int(await stays) == 3

    at_work(network, thread, work)
    assert seen == [1, 3]
