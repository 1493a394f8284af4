"""Processes that do one kind of work, task after task, and end with the process that started them or on its word."""

import multiprocessing
import os
import pickle
import signal
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from itertools import cycle
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, Generic, NamedTuple, TypeVar

import torch

from plcnn.data.carried import Carried, start
from plcnn.errors import UserError

Task = TypeVar("Task")
Result = TypeVar("Result")


class _Worker(NamedTuple):
    process: BaseProcess
    connection: Connection


class Workers(Generic[Task, Result]):
    """Worker processes, started when there is something to do.

    Args:
        work: does a task. Tasks and results travel through pipes; what large ones are made of is better left in memory
            that is shared.
        processes: how many.
        ahead: tasks that each of them is given at a time, so that it never waits for the next.
    """

    def __init__(self, work: Callable[[Task], Result], processes: int, ahead: int = 2) -> None:
        self.work, self.processes, self.ahead = work, processes, ahead
        self._workers: list[_Worker] = []
        self._owing: deque[_Worker] = deque()
        self._ending = weakref.finalize(self, _end, self._workers, os.getpid())

    def results(self, tasks: Iterable[Task]) -> Generator[Result, None, None]:
        """Do tasks.

        Args:
            tasks: asked for no sooner than they are handed on: `processes` times `ahead` before their results.

        Yields:
            The results, in the order of the tasks.

        Raises:
            UserError: if a process died.
            Exception: what `work` raised.
        """
        self._settle()
        if not self._workers:
            self._start()
        owing, turn = self._owing, cycle(self._workers)
        for task in tasks:
            result = self._received(owing.popleft()) if len(owing) == len(self._workers) * self.ahead else None
            worker = next(turn)
            with suppress(ConnectionError):  # it died; that is told when its result is asked for
                worker.connection.send((task,))
            owing.append(worker)
            if result:
                yield result[0]
        while owing:
            yield self._received(owing.popleft())[0]

    def close(self) -> None:
        """End the processes at once, whatever they are doing."""
        self._ending()

    def __enter__(self) -> "Workers[Task, Result]":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> None:
        for _ in range(self.processes):
            here, there = multiprocessing.Pipe()
            process = start(_serve, self.work, here, there)
            there.close()
            self._workers.append(_Worker(process, here))

    def _settle(self) -> None:
        """Wait for what is left of an iteration that was given up."""
        while self._owing:
            with suppress(Exception):  # nobody wants it any more
                self._received(self._owing.popleft())

    def _received(self, worker: _Worker) -> tuple[Result]:
        try:
            result, error = worker.connection.recv()
        except (EOFError, ConnectionError):
            worker.process.join()
            raise UserError(
                f"A process that reads pictures died (exit code {worker.process.exitcode}). Is there memory enough?"
            ) from None
        if error is not None:
            raise error
        return (result,)


def _serve(carried: Carried[Callable[[Any], Any]], starters: Connection, own: Connection) -> None:
    """Work in a process of its own until the one that started it is no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends Ctrl-C to all; the starter ends this one
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    starters.close()  # else the starter's end of the pipe would outlive it
    torch.set_num_threads(1)
    work: Callable[[Any], Any] | None = None
    with suppress(EOFError, ConnectionError):
        while True:
            (task,) = own.recv()
            answer: tuple[Any, Exception | None]
            try:
                work = work or carried.opened()
                answer = work(task), None
            except Exception as error:
                answer = None, _portable(error)
            own.send(answer)


def _portable(error: Exception) -> Exception:
    """The error, or its words where its class cannot be made anew by the starter."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _end(workers: list[_Worker], starter: int) -> None:
    if os.getpid() != starter:  # in a copy of the starter
        return
    for worker in workers:
        worker.process.kill()  # one that has just been forked still has its starter's handler of SIGTERM
    for worker in workers:
        worker.process.join()
        worker.connection.close()
    workers.clear()
