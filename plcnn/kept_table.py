"""A table that a command answers from: kept as JSON with a digest of the source files that it was made from.

Making it imports or builds what is in those files, which takes seconds and PyTorch; a table that came with the package,
or that was kept in the user's cache folder, is true as long as the files have that digest.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from plcnn.paths import user_cache

Rows = list[dict[str, Any]]


def digest(folder: Path) -> str:
    """The SHA-256 of the Python files in a folder and of their names."""
    found = hashlib.sha256()
    for file in sorted(folder.glob("*.py")):
        found.update(file.name.encode() + b"\0" + file.read_bytes())
    return found.hexdigest()


def cache_file(name: str) -> Path:
    """The path of a table in the user's cache folder."""
    return user_cache() / f"{name}.json"


def stored(paths: Iterable[Path], made_from: str, given: Sequence[Any]) -> Rows | None:
    """The rows of the first table that was made from these source files.

    Args:
        paths: where tables may lie.
        made_from: the files' digest.
        given: what else the rows depend on.

    Returns:
        The rows, or None if there is no such table.
    """
    for path in paths:
        with suppress(OSError, ValueError, KeyError, TypeError):
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["digest"] == made_from and content["input"] == list(given):
                return list(content["rows"])
    return None


def store(path: Path, made_from: str, given: Sequence[Any], rows: Iterable[dict[str, Any]]) -> None:
    """Keep a table; where it cannot be written, nothing happens, and it is made again."""
    aside = path.with_suffix(f".{os.getpid()}")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_text(json.dumps({"digest": made_from, "input": list(given), "rows": list(rows)}, indent=1) + "\n")
        aside.replace(path)
