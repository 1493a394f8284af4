"""Worker processes: results in order, errors, iterations given up, and no process that outlives its starter."""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from plcnn.data.kept.stores import Part
from plcnn.data.readers import WorkerReader
from plcnn.data.workers import Workers
from plcnn.errors import UserError

FORK = multiprocessing.get_context("fork")


def square(number: int) -> int:
    time.sleep(0.01 * (number % 3))
    return number**2


def own_number(_: int) -> int:
    return os.getpid()


@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 17])
def test_results_come_in_the_order_of_the_tasks(processes: int, count: int) -> None:
    with Workers(square, processes) as workers:
        for _ in range(2):
            assert list(workers.results(range(count))) == [number**2 for number in range(count)]


def test_work_is_done_elsewhere_by_processes_that_live_on() -> None:
    with Workers(own_number, 2) as workers:
        first, second = (set(workers.results(range(6))) for _ in range(2))
    assert first == second and len(first) == 2 and os.getpid() not in first


def test_tasks_are_asked_for_when_they_are_handed_on() -> None:
    asked: list[int] = []

    def tasks() -> Iterator[int]:
        for number in range(20):
            asked.append(number)
            yield number

    with Workers(square, 2, ahead=2) as workers:
        results = workers.results(tasks())
        next(results)
        assert asked == [0, 1, 2, 3, 4]
        next(results)
        assert asked == [0, 1, 2, 3, 4, 5]


def test_an_iteration_that_is_given_up_leaves_nothing_to_the_next() -> None:
    with Workers(square, 2) as workers:
        next(workers.results(range(10)))
        assert list(workers.results(range(100, 105))) == [number**2 for number in range(100, 105)]


def failing(number: int) -> int:
    if number == 3:
        raise UserError("three cannot be read.")
    return number


def test_an_error_is_raised_in_its_place_and_the_workers_go_on() -> None:
    with Workers(failing, 2) as workers:
        results = workers.results(range(10))
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(UserError, match="three cannot be read"):
            next(results)
        assert list(workers.results([5, 6])) == [5, 6]


def deadly(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_a_worker_that_dies_is_an_error() -> None:
    with Workers(deadly, 2) as workers, pytest.raises(UserError, match=r"died \(exit code -9\)"):
        list(workers.results(range(10)))


def sleeping(number: int) -> int:
    Path(f"{os.getpid()}").touch()
    time.sleep(60)
    return number


def is_alive(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def within(seconds: float, condition: object) -> bool:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.01)
    return False


def test_they_end_at_once_and_when_they_are_forgotten() -> None:
    started = time.monotonic()
    with Workers(sleeping, 2) as workers:
        workers._start()
    assert time.monotonic() - started < 5 and workers._workers == []
    forgotten = Workers(own_number, 2)
    numbers = set(forgotten.results(range(4)))
    del forgotten
    assert within(5, lambda: not any(map(is_alive, numbers)))


def test_a_starter_that_heeds_no_sigterm_does_not_wait_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plcnn.data.workers._serve", lambda *_: time.sleep(60))  # it has not come to its own signals
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        with Workers(sleeping, 2) as workers:
            workers._start()
        assert workers._workers == []
    finally:
        signal.signal(signal.SIGTERM, before)


def start_and_wait() -> None:
    crews = [Workers(own_number, 2) for _ in range(2)]
    numbers = {number for crew in crews for number in crew.results(range(4))}
    Path("part").write_text(" ".join(map(str, numbers)))
    Path("part").rename("numbers")
    time.sleep(60)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_they_do_not_outlive_a_starter_that_is_killed() -> None:
    starter = FORK.Process(target=start_and_wait)
    starter.start()
    assert within(10, Path("numbers").exists)
    numbers = list(map(int, Path("numbers").read_text().split()))
    assert len(numbers) == 4 and all(map(is_alive, numbers))
    starter.kill()
    starter.join()
    assert within(5, lambda: not any(map(is_alive, numbers)))


class Store:
    """Pictures whose values are their numbers; number 7 cannot be read."""

    shape = (3, 2, 4)

    def __len__(self) -> int:
        return 100

    def read(self, indices: torch.Tensor) -> torch.Tensor:
        if 7 in indices.tolist():
            raise UserError("seven cannot be read.")
        return indices.to(torch.uint8).view(-1, 1, 1, 1).expand(-1, *self.shape)


def test_streamed_batches_stay_as_they_were_read() -> None:
    read = WorkerReader(Part(Store()), torch.device("cpu"), 2)
    for sizes in ([5] * 12 + [2], [40, 30], []):  # a larger batch than before needs more memory
        batches = list((torch.arange(sum(sizes)) + 10).split(sizes or [0]))
        kept = list(read(batches))
        assert [images[:, 0, 0, 0].tolist() for images in kept] == [rows.tolist() for rows in batches]
        assert all(images.shape[1:] == Store.shape and images.dtype == torch.uint8 for images in kept)


def test_a_batch_is_copied_before_its_place_is_written_to_again(monkeypatch: pytest.MonkeyPatch) -> None:
    results = Workers.results

    def late(self: Workers[int, int], tasks: Iterator[int]) -> Iterator[int]:
        for result in results(self, tasks):
            time.sleep(0.02)  # the workers are done with what they were given meanwhile
            yield result

    monkeypatch.setattr(Workers, "results", late)
    batches = torch.arange(10, 40).split(2)
    kept = list(WorkerReader(Part(Store()), torch.device("cpu"), 2)(list(batches)))
    assert [images[:, 0, 0, 0].tolist() for images in kept] == [rows.tolist() for rows in batches]


def test_a_picture_that_cannot_be_read_is_one_error_and_reading_goes_on() -> None:
    read = WorkerReader(Part(Store()), torch.device("cpu"), 2)
    with pytest.raises(UserError, match="seven"):
        list(read(list(torch.arange(20).split(2))))
    assert [len(images) for images in read(list(torch.arange(10, 16).split(4)))] == [4, 2]


@pytest.fixture
def spawned() -> Iterator[None]:
    """Processes are started as on macOS and Windows."""
    before = multiprocessing.get_start_method()
    multiprocessing.set_start_method("spawn", force=True)
    yield
    multiprocessing.set_start_method(before, force=True)


@pytest.mark.usefixtures("spawned")
def test_processes_that_are_started_anew_share_memory_and_leave_the_main_module_as_it_was() -> None:
    main = dict(vars(sys.modules["__main__"]))
    read = WorkerReader(Part(Store()), torch.device("cpu"), 1)
    batches = list(torch.arange(10, 16).split(4))
    assert [images[:, 0, 0, 0].tolist() for images in read(batches)] == [[10, 11, 12, 13], [14, 15]]
    assert vars(sys.modules["__main__"]) == main


class OddError(Exception):
    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first} and {second}")


def oddly(number: int) -> int:
    raise OddError(number, 2)


def test_an_error_that_cannot_travel_sends_its_words() -> None:
    with Workers(oddly, 1) as workers, pytest.raises(RuntimeError, match="^OddError: 1 and 2$"):
        list(workers.results([1]))
