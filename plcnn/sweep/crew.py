"""The processes of a sweep: so many runs at once, each with its share of the processors, or a GPU of its own."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from plcnn.errors import UserError
from plcnn.run import short
from plcnn.terminal import remark

SECONDS_TO_WAIT = 150
"""How long a sweep waits for the runs of a killed one to end."""

LOOK_EVERY = 0.1
LOCK = ".lock"


class Job(NamedTuple):
    """A command to be run for a run of the sweep.

    Attributes:
        key: its name in the sweep.
        arguments: the command line without the program's name.
        log: where what it prints goes.
    """

    key: str
    arguments: list[str]
    log: Path


class Ended(NamedTuple):
    """How a job ended.

    Attributes:
        key: its name in the sweep.
        code: its exit code, negative for a signal.
    """

    key: str
    code: int


class Gone(Exception):
    """The keeper of the runs has died."""


@contextmanager
def lock(folder: Path) -> Iterator[int]:
    """Hold a sweep's lock, which its runs hold as well: it is free once none of them is left.

    Args:
        folder: the sweep's.

    Yields:
        The number of the open file.

    Raises:
        UserError: if another sweep works in the folder.
    """
    import fcntl  # Windows has none

    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        limit = time.monotonic() + SECONDS_TO_WAIT
        told = False
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if time.monotonic() > limit or is_at_work(folder):
                    raise UserError(f"{short(folder)}: this sweep is at work in another process.") from error
                if not told:
                    remark("waiting until the runs of the sweep that was killed have saved their checkpoints ...")
                    told = True
                time.sleep(LOOK_EVERY)
        os.ftruncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        yield handle
    finally:
        os.close(handle)


def is_at_work(folder: Path) -> bool:
    """Whether the process that wrote its number into the lock is alive."""
    try:
        number = int((folder / LOCK).read_text())
        os.kill(number, 0)
        return number != os.getpid()
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False


class Crew:
    """Runs jobs, so many at once.

    Args:
        at_once: how many.
        threads: of each; 0 to leave that to PyTorch.
        gpus: names of the GPUs to share out, as CUDA_VISIBLE_DEVICES has them; empty to leave that to each run.
        forks: whether runs may be forked from one process that has everything imported.
        lock: the number of the open file that holds the sweep's lock.
    """

    def __init__(self, at_once: int, threads: int, gpus: Sequence[str], forks: bool, lock: int) -> None:
        self.at_once, self.threads, self.gpus, self.forks, self.lock = at_once, threads, gpus, forks, lock
        self._slots: dict[str, int] = {}
        self._unread = b""
        self._keeper: subprocess.Popen[bytes] | None = None

    def _started(self) -> "subprocess.Popen[bytes]":
        """The keeper, once a job needs it."""
        if self._keeper is None:
            settings = {"OMP_NUM_THREADS": str(self.threads)} if self.threads else {}
            # NumPy's BLAS, which no run needs, would start threads before the forks
            alone = {"OPENBLAS_NUM_THREADS": "1"} if self.forks else {}
            self._keeper = subprocess.Popen(
                [sys.executable, "-m", "plcnn.sweep.keeper", "fork" if self.forks else "start", str(self.lock)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**alone, **os.environ, **settings},
                pass_fds=[self.lock],
                start_new_session=True,  # Ctrl-C comes from here alone
            )
        return self._keeper

    def close(self) -> None:
        """End the runs, which save a checkpoint each, and wait for that."""
        if self._keeper is None:
            return
        assert self._keeper.stdin and self._keeper.stdout
        with suppress(BrokenPipeError):
            self._keeper.stdin.close()
        self._keeper.wait()
        self._keeper.stdout.close()

    @property
    def has_room(self) -> bool:
        """Whether another job can start."""
        return len(self._slots) < self.at_once

    @property
    def is_idle(self) -> bool:
        """Whether no job is under way."""
        return not self._slots

    def start(self, job: Job) -> None:
        """Start a job."""
        slot = next(number for number in range(self.at_once) if number not in self._slots.values())
        self._slots[job.key] = slot
        environment = {"CUDA_VISIBLE_DEVICES": self.gpus[slot % len(self.gpus)]} if self.gpus else {}
        job.log.parent.mkdir(exist_ok=True)
        order = {"start": job.key, "arguments": job.arguments, "log": str(job.log), "environment": environment}
        self._send(order)

    def end(self, key: str) -> None:
        """Ask a job to end between two steps, with a checkpoint."""
        self._send({"end": key, "signal": int(signal.SIGTERM)})

    def _send(self, order: dict[str, Any]) -> None:
        pipe = self._started().stdin
        assert pipe
        try:
            pipe.write(json.dumps(order).encode() + b"\n")
            pipe.flush()
        except BrokenPipeError as error:
            raise Gone from error

    def ended(self) -> list[Ended]:
        """Wait a moment, and say which jobs have ended.

        Raises:
            Gone: if the keeper has died.
        """
        if self.is_idle:
            return []
        pipe = self._started().stdout
        assert pipe
        handle = pipe.fileno()
        if not select.select([handle], [], [], LOOK_EVERY)[0]:
            return []
        read = os.read(handle, 65536)
        if not read:
            raise Gone
        *lines, self._unread = (self._unread + read).split(b"\n")
        found = [json.loads(line) for line in lines]
        for answer in found:
            del self._slots[answer["ended"]]
        return [Ended(answer["ended"], answer["code"]) for answer in found]


@contextmanager
def crew(make: Callable[[], Crew]) -> Iterator[Crew]:
    """A crew that is closed, whatever happens; SIGTERM ends it as Ctrl-C does.

    Yields:
        The crew.

    Raises:
        Gone: if its keeper dies.
        Interrupted: for the first of both signals.
    """

    def interrupt(signum: int, _: Any) -> None:
        for number in before:
            signal.signal(number, signal.SIG_IGN)  # checkpoints are being saved
        raise Interrupted(signum)

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        found = make()
        try:
            yield found
        except Interrupted:
            remark("ending the runs, which save their checkpoints ...")
            raise
        finally:
            found.close()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Interrupted(Exception):
    """A signal asked the sweep to end.

    Args:
        signum: the signal.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(signum).name}")
        self.exit_code = 128 + signum
