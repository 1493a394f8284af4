"""One process trains a run at a time: a second that is to go on with it would write into the same files."""

import errno
from pathlib import Path
from typing import IO

from plcnn.errors import UserError
from plcnn.terminal import printable

FILE = ".lock"
"""In a run folder. What counts is the system's lock on it, which ends with the process, however that ends."""

_held: dict[Path, IO[str]] = {}


def hold(folder: Path) -> None:
    """Keep other processes from training a run, until `release`; nothing where the system or the disk has no locks.

    The lock is POSIX's, of the process alone: what it forks, such as workers that outlive it for a moment, has no part
    in it.

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
        file = path.open("a", encoding="utf-8")
    except OSError:  # whoever writes there has words for it
        return
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        if error.errno in (errno.EACCES, errno.EAGAIN):
            raise UserError(
                f"{printable(folder)} is being trained by another process. Wait until it has ended, or stop it."
            ) from error
        return
    _held[path] = file


def release() -> None:
    """Let others train the runs that this process held."""
    while _held:
        _held.popitem()[1].close()
