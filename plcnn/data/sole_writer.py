"""One process at a time writes a file or folder, beside its place; what killed processes left behind is cleared."""

import glob
import logging
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from plcnn.errors import UserError

_log = logging.getLogger(__name__)


@contextmanager
def sole_writer(path: Path) -> Iterator[Path]:
    """Hold the lock on a path and give a fresh temporary one beside it, to be renamed to the path once complete.

    The lock is the operating system's, so a killed holder frees it. The temporary path is removed on leaving.

    Args:
        path: the final place; folders above it are made.

    Yields:
        A path in the same folder at which nothing exists yet.

    Raises:
        UserError: if the folder cannot be written, or the disk is full.
    """
    lock = FileLock(path.with_name(f".{path.name}.lock"), mode=0o666)  # writable: other users must be able to wait
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            os.stat(lock.lock_file)  # filelock would wait for ever where no file can appear, as in /proc
            _log.info("waiting for another process that is making %s", path)
            lock.acquire()
        for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
            _remove(leftover)
        yield part
    except OSError as error:
        raise UserError(
            f"cannot make {path}: {error}. Make room or allow writing there, or name another folder with --data.root."
        ) from error
    finally:
        _remove(part)
        lock.release()


def _remove(path: Path) -> None:
    if os.path.isdir(path):  # Path.is_dir raises where it may not look
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
