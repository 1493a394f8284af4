"""Paths as they are typed."""

import itertools
import os
from pathlib import Path

from plcnn.suggestions import did_you_mean

MOST_NEIGHBOURS = 1000
"""How many names in a folder are compared with one that is not there."""


def expanded(path: str | Path) -> Path:
    """A path with ~ as the home folder; that of a user who does not exist stays as it is: pathlib would raise."""
    return Path(os.path.expanduser(path))  # noqa: PTH111


def user_cache() -> Path:
    """plcnn's folder in the user's cache."""
    return expanded(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "plcnn"


def nearby(path: Path) -> str:
    """A question that names what lies beside a missing path under nearly its name; empty where nothing does."""
    try:
        there = itertools.islice(path.parent.iterdir(), MOST_NEIGHBOURS) if path.parent.is_dir() else ()
        return did_you_mean(path.name, (file.name for file in there), otherwise="")
    except OSError:
        return ""
