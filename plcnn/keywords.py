"""Options of the command line, given as Python's keywords."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def as_arguments(options: Mapping[str, Any]) -> list[str]:
    """The command line's arguments that say the same.

    Args:
        options: values by key; a dictionary is a section, so that `{"trainer": {"max_epochs": 3}}` is
            `--trainer.max_epochs 3`, unless it is a choice of its own with a `class_path`.
    """
    return [f"--{key}={_text(value)}" for key, value in _flat(options)]


def _flat(options: Mapping[str, Any], section: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in options.items():
        if isinstance(value, Mapping) and "class_path" not in value:
            yield from _flat(value, f"{section}{key}.")
        else:
            yield f"{section}{key}", value


def _text(value: Any) -> str:
    return str(value) if isinstance(value, str | Path) else json.dumps(value, default=str)
