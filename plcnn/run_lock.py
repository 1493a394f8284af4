"""One process trains a run at a time: a second that is to go on with it would write into the same files."""

import os
import time
from pathlib import Path

from plcnn.errors import UserError
from plcnn.terminal import printable

FILE = ".lock"
"""In a run folder. What counts is the system's lock on it, which ends with the process, however that ends."""

PATIENCE = 3.0
"""Seconds: workers that a killed process had forked share its lock until they notice that it is gone."""

_held: dict[Path, int] = {}


def hold(folder: Path) -> None:
    """Keep other processes from training a run, until `release`; nothing where the system or the disk has no locks.

    Args:
        folder: the run's, which this process may hold already.

    Raises:
        UserError: if another process trains it.
    """
    path = folder.absolute() / FILE
    if path in _held:
        return
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        # not for writing, which would keep a disk from being made read-only
        handle = os.open(path, os.O_RDONLY | os.O_CREAT, 0o666)
    except OSError:  # whoever writes there has words for it
        return
    end = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() < end:
                time.sleep(0.05)
                continue
            os.close(handle)
            raise UserError(
                f"{printable(folder)} is being trained by another process. Wait until it has ended, or stop it."
            ) from error
        except OSError:  # this disk has no locks
            os.close(handle)
            return
        _held[path] = handle
        return


def release() -> None:
    """Let others train the runs that this process held."""
    while _held:
        import fcntl

        handle = _held.popitem()[1]
        fcntl.flock(handle, fcntl.LOCK_UN)  # closing it would leave it to workers that live on
        os.close(handle)
