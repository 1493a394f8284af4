"""Files of a run: each appears whole or not at all, and one that cannot be written does not end the training."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from plcnn.terminal import warn

ON_WINDOWS = os.name == "nt"

_ASIDE = ".tmp"

_told: set[tuple[str, str]] = set()


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Give a path beside `path`, and let what was written there take its place, synced, unless an error came.

    Yields:
        The path to write to; nothing of it is left after an error.
    """
    aside = path.with_name(f"{path.name}{_ASIDE}")
    try:
        yield aside
        sync(aside)
        aside.replace(path)
        sync(path.parent)
    except BaseException:
        with suppress(OSError):
            aside.unlink()
        raise


def remove_left_aside(folder: Path) -> None:
    """Take away what processes that were killed while they wrote left in a folder."""
    for left in folder.glob(f"*{_ASIDE}"):
        with suppress(OSError):
            left.unlink()


def sync(path: Path) -> None:
    """Have the system write a file, or a folder's list of files, to the disk; on Windows a file alone."""
    if ON_WINDOWS and path.is_dir():
        return
    handle = os.open(path, os.O_RDWR if ON_WINDOWS else os.O_RDONLY)  # what Windows syncs must be open for writing
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def reason(error: OSError) -> str:
    """What the system says of an error, without its number."""
    return error.strerror or str(error)


@contextmanager
def failing_softly(what: str) -> Iterator[None]:
    """Turn an error of the disk into a warning, once for each `what` and reason.

    Args:
        what: what is being written, for the warning.
    """
    try:
        yield
    except OSError as error:
        why = reason(error)
        if (what, why) not in _told:
            _told.add((what, why))
            warn(f"{what} cannot be written: {why}. The training goes on.")
