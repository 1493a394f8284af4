"""Paths as they are typed."""

import os
from pathlib import Path


def expanded(path: str | Path) -> Path:
    """A path with ~ as the home folder; that of a user who does not exist stays as it is: pathlib would raise."""
    return Path(os.path.expanduser(path))  # noqa: PTH111
