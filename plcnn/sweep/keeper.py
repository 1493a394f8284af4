"""The process that starts the runs of a sweep, and ends them with a checkpoint if the sweep itself is killed.

    python -m plcnn.sweep.keeper fork|start LOCK

Reads lines of JSON: {"start": key, "arguments": [...], "log": path, "environment": {...}} starts `plcnn` with the
arguments, {"end": key, "signal": number} sends it a signal. Answers {"ended": key, "code": exit code, negative for a
signal}. With "fork" everything is imported once and each run is forked, within milliseconds; that is for machines
without a GPU, whose driver does not survive a fork. LOCK is the number of an open file, which holds the sweep's lock
and which every process has.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

LOOK_EVERY = 0.05
SECONDS_TO_END = 120
"""How long runs may take to save a checkpoint once the sweep is gone."""


class Keeper:
    """The runs that are under way.

    Args:
        forks: whether runs are forked from this process.
        lock: the number of the open file that holds the sweep's lock.
    """

    def __init__(self, forks: bool, lock: int) -> None:
        self.forks, self.lock = forks, lock
        self.answers = os.dup(1)
        os.dup2(2, 1)  # what else is printed here is no answer
        self.numbers: dict[str, int] = {}

    def serve(self) -> None:
        """Obey until the sweep's end of the pipe is closed, then end the runs."""
        unread = b""
        while True:
            readable, _, _ = select.select([0], [], [], LOOK_EVERY)
            if readable:
                read = os.read(0, 65536)
                if not read:
                    break
                *lines, unread = (unread + read).split(b"\n")
                for line in lines:
                    self._obey(json.loads(line))
            self._reap()
        self._end_all()

    def _obey(self, order: dict[str, Any]) -> None:
        if "start" in order:
            start = _fork if self.forks else _spawn
            log, environment = Path(order["log"]), order["environment"]
            self.numbers[order["start"]] = start(order["arguments"], log, environment, self.lock)
        elif order["end"] in self.numbers:
            with suppress(ProcessLookupError):
                os.kill(self.numbers[order["end"]], order["signal"])

    def _reap(self) -> None:
        for key, number in list(self.numbers.items()):
            ended, status = os.waitpid(number, os.WNOHANG)
            if ended:
                del self.numbers[key]
                answer = {"ended": key, "code": os.waitstatus_to_exitcode(status)}
                with suppress(BrokenPipeError):
                    os.write(self.answers, json.dumps(answer).encode() + b"\n")

    def _end_all(self) -> None:
        for number in self.numbers.values():
            os.kill(number, signal.SIGTERM)
        limit = time.monotonic() + SECONDS_TO_END
        while self.numbers and time.monotonic() < limit:
            self._reap()
            time.sleep(LOOK_EVERY)
        for number in self.numbers.values():
            os.kill(number, signal.SIGKILL)


def _log(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)


def _spawn(arguments: list[str], log: Path, environment: dict[str, str], lock: int) -> int:
    handle = _log(log)
    process = subprocess.Popen(
        [sys.executable, "-m", "plcnn", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=handle,
        stderr=handle,
        env={**os.environ, **environment},
        pass_fds=[lock],
    )
    os.close(handle)
    process.returncode = 0  # waited for by number; the object shall not complain
    return process.pid


def _fork(arguments: list[str], log: Path, environment: dict[str, str], lock: int) -> int:
    number = os.fork()
    if not number:
        _be(arguments, log, environment)
    return number


def _be(arguments: list[str], log: Path, environment: dict[str, str]) -> NoReturn:
    """Become the run."""
    code = 1
    try:
        for signum in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signum, signal.default_int_handler if signum == signal.SIGINT else signal.SIG_DFL)
        nowhere, handle = os.open(os.devnull, os.O_RDONLY), _log(log)
        for source, standard in ((nowhere, 0), (handle, 1), (handle, 2)):
            os.dup2(source, standard)
        os.environ.update(environment)
        sys.argv = ["plcnn", *arguments]
        from plcnn.__main__ import main

        main(arguments)
        code = 0
    except SystemExit as ending:
        code = int(ending.code or 0)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def main() -> None:
    """Serve one sweep."""
    forks, lock = sys.argv[1] == "fork", int(sys.argv[2])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the sweep says when runs end
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if forks:
        import plcnn.cli  # noqa: F401  # what every run needs
    Keeper(forks, lock).serve()


if __name__ == "__main__":
    main()
