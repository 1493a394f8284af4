"""Processes that are started anew, as on macOS and Windows, without running the starter's script again in each.

Python would: it imports the main module, so that what is defined there is known; a script without
`if __name__ == "__main__"` would train again. Here that is done only where the work is made of such definitions.
"""

import io
import multiprocessing
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker, spawn
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from typing import Any, Generic, TypeVar

from plcnn.errors import UserError

Work = TypeVar("Work")

_starting = threading.Lock()


class Carried(Generic[Work]):
    """What a process is to work with, on its way there: as it is into a forked one, else as bytes, opened on arrival.

    Args:
        work: it; pickled only where the process is no copy of this one.
    """

    def __init__(self, work: Work) -> None:
        self._work, self._bytes = work, b""
        self._main = {key: value for key, value in spawn.get_preparation_data("").items() if "main" in key}

    def __getstate__(self) -> tuple[bytes, dict[str, Any]]:
        return bytes(ForkingPickler.dumps(self._work)), self._main

    def __setstate__(self, state: tuple[bytes, dict[str, Any]]) -> None:
        self._bytes, self._main = state

    def opened(self) -> Work:
        """The work.

        Raises:
            UserError: if something it is made of is not to be found in this process.
        """
        if not self._bytes:
            return self._work
        try:
            work: Work = _Opening(io.BytesIO(self._bytes), self._main).load()
        except AttributeError as error:
            raise UserError(
                f"A process that reads pictures lacks what it needs: {error}. Define it in a file, and name that by"
                " --plugins or import it."
            ) from error
        return work


class _Opening(pickle.Unpickler):
    """Imports the starter's main module once something of it is met."""

    def __init__(self, file: io.BytesIO, main: dict[str, Any]) -> None:
        super().__init__(file)
        self._main = main

    def find_class(self, module: str, name: str) -> Any:
        if module == "__main__" and self._main:
            spawn.prepare(self._main)
            self._main = {}
        return super().find_class(module, name)


def start(serve: Callable[..., None], work: Any, *arguments: Any) -> BaseProcess:
    """Start a process that ends with this one.

    Args:
        serve: called there with the work, `Carried`, and the arguments.
        work: what it works with.
        arguments: more, which are not made of anything in the main module.
    """
    with _starting, _interrupts_held():
        process = multiprocessing.Process(target=serve, args=(Carried(work), *arguments), daemon=True)
        with _nameless_main():
            process.start()
    return process


@contextmanager
def _nameless_main() -> Iterator[None]:
    """Have Python not find the main module, where it would import it in a process that it starts."""
    if multiprocessing.get_start_method() == "fork":
        yield
        return
    main = vars(sys.modules["__main__"])
    names: dict[str, Any] = {name: main.pop(name) for name in ("__spec__", "__file__") if name in main}
    main["__spec__"] = None
    try:
        yield
    finally:
        main.update(names)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Keep Ctrl-C, which a terminal sends to all, from a process that has not come to its own settings yet.

    It inherits that the signal is blocked; here it is only late.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    if multiprocessing.get_start_method() != "fork":
        resource_tracker.ensure_running()  # starting it, Python (3.11) would end this
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def refuse_second_run() -> None:
    """Refuse to do again, in a process that imports its starter's script, what that script does.

    Raises:
        UserError: saying how to mend the script.
    """
    copy = sys.modules.get("__mp_main__")
    if copy is not None and copy is not sys.modules["__main__"]:  # until it is imported
        raise UserError(
            "the script is imported by a process that it has started. Put what it does, not what it defines, below `if"
            ' __name__ == "__main__":`.'
        )
