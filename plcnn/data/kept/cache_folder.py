"""The folder of prepared sets of pictures: where it is, room for another set, and whether a file is whole."""

import hashlib
import os
import shutil
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from plcnn.files import reason
from plcnn.paths import expanded, user_cache
from plcnn.terminal import in_bytes, remark, warn

GB = 10**9
RECORD = "record.json"
"""The file that a complete set has."""

_BLOCK, _MOST_BLOCKS = 1 << 16, 256
"""Of a large file, so many blocks, spread evenly, are compared with what was written: reading all would take long."""


def cache_folder(cache_dir: str | Path | None = None) -> Path:
    """The folder of all prepared sets."""
    return expanded(cache_dir) if cache_dir else user_cache() / "pictures"


def make_room(parent: Path, most: float) -> None:
    """Remove what killed processes left, and sets, those used least recently first, until no more than `most` is left.

    Whoever has a removed file mapped keeps it until they end.
    """
    for leftover in parent.glob(".*.part"):
        with (
            suppress(Timeout, OSError),
            FileLock(leftover.with_name(f".{leftover.name.split('.')[1]}.lock"), timeout=0),
        ):
            shutil.rmtree(leftover, ignore_errors=True)
    sizes = {folder: _bytes(folder) for folder in _sets(parent)}
    gone = 0
    for folder, size in sizes.items():
        if sum(sizes.values()) - gone <= most:
            break
        shutil.rmtree(folder, ignore_errors=True)
        gone += size
    if gone:
        remark(f"prepared sets of {in_bytes(gone)} were removed from {parent} to make room for this one.")


def allocated(file: Path, size: int) -> str:
    """Have the disk set a file's bytes aside, since a full disk kills those who write to a map; or tell why not."""
    try:
        with file.open("wb") as content:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(content.fileno(), 0, size)
            else:
                for start in range(0, size, 1 << 24):
                    content.write(bytes(min(1 << 24, size - start)))
    except OSError as error:
        file.unlink(missing_ok=True)
        warn(f"pictures are not kept: {in_bytes(size)} in {file.parent.parent}: {reason(error)}.")
        return reason(error)
    return ""


def sample(file: Path) -> str:
    """SHA-256 of a file's length and of blocks spread evenly over it; of all of it where it is small."""
    size = file.stat().st_size
    blocks = -(-size // _BLOCK)
    digest = hashlib.sha256(str(size).encode())
    with file.open("rb") as content:
        for number in range(min(blocks, _MOST_BLOCKS)):
            content.seek(number * blocks // min(blocks, _MOST_BLOCKS) * _BLOCK)
            digest.update(content.read(_BLOCK))
        content.seek(-min(size, _BLOCK), os.SEEK_END)
        digest.update(content.read())
    return digest.hexdigest()


def _sets(parent: Path) -> list[Path]:
    """The prepared sets, those used least recently first."""
    if not parent.is_dir():
        return []
    found = [(folder.stat().st_mtime, folder) for folder in parent.iterdir() if (folder / RECORD).is_file()]
    return [folder for _, folder in sorted(found)]


def _bytes(folder: Path) -> int:
    with suppress(OSError):
        return sum(file.stat().st_size for file in folder.iterdir())
    return 0
