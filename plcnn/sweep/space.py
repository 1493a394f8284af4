"""The space of a search: for keys of `fit`, the distributions to draw their values from."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from plcnn import strict_yaml
from plcnn.errors import UserError
from plcnn.keywords import as_arguments
from plcnn.paths import expanded
from plcnn.sweep.distributions import CALL, Distribution, Trial, distribution
from plcnn.terminal import printable

KEPT = (
    "name",
    "config",
    "plugins",
    "resume",
    "ckpt_path",
    "test_after",
    "report",
    "profile",
    "trainer.default_root_dir",
)
"""Keys that are no settings of a training."""

SPLITTING = (
    "data.val_fraction",
    "data.val_count",
    "data.test_fraction",
    "data.split",
    "data.groups",
    "data.split_file",
    "data.folds",
    "data.fold",
    "data.split_seed",
)
"""Keys that say which pictures are held out for validation: values on different pictures do not compare."""


def read(file: str | None, typed: dict[str, str]) -> dict[str, Any]:
    """The space as plain data, by key.

    Args:
        file: YAML with keys and distributions; sections may be nested.
        typed: distributions by key; they beat the file's.

    Raises:
        UserError: if the file cannot be read, or there is nothing to search.
    """
    found: dict[str, Any] = {}
    if file:
        found |= dict(_flat(_yaml(expanded(file)), f"--space {printable(file)}"))
    for key, text in typed.items():
        found[key] = _value(text, f"--space.{key}")
    if not found:
        raise UserError(
            "search needs a space: --space FILE.yaml, or --space.KEY, as --space.model.optimizer.lr "
            "'loguniform(1e-4, 1e-1)'.",
            exit_code=2,
        )
    return found


def parse(space: dict[str, Any]) -> dict[str, Distribution]:
    """The distributions of a space.

    Args:
        space: as `read` gives it.

    Raises:
        UserError: if one is not understood, or a key is not to be searched.
    """
    for key in space:
        if key in KEPT:
            raise UserError(f"--space: {key} is no setting of a training.", exit_code=2)
        if key == "seed_everything":
            raise UserError(f"--space: a search over {key} would choose luck: plcnn sweep seeds 0-4", exit_code=2)
        if key in SPLITTING:
            raise UserError(f"--space: runs with another {key} are measured on other validation pictures.", exit_code=2)
    return {key: distribution(value, f"--space: {key}") for key, value in space.items()}


def draw(space: dict[str, Distribution], trial: Trial) -> list[str]:
    """Draw the options of a run.

    Args:
        space: by key.
        trial: draws.
    """
    return as_arguments({key: one.draw(key, trial) for key, one in space.items()})


def examples(space: dict[str, Distribution]) -> Iterator[list[str]]:
    """Options with each value at an end of its distribution, one key at a time."""
    for key, one in space.items():
        for value in one.examples():
            yield as_arguments({key: value})


def _value(text: str, where: str) -> Any:
    """What was typed for a key: a distribution's text, or a list or name with arguments as YAML."""
    if CALL.fullmatch(text):
        return text
    try:
        return strict_yaml.load(text)
    except yaml.YAMLError as error:
        raise UserError(f"{where}: {printable(text)!r} is not understood.", exit_code=2) from error


def _yaml(path: Path) -> dict[str, Any]:
    try:
        content = strict_yaml.load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise UserError(f"--space {printable(path)}: {reason}.", exit_code=2) from error
    except yaml.YAMLError as error:
        words = printable(" ".join(str(error).split()))[:200]
        raise UserError(f"--space {printable(path)}: no valid YAML: {words}", exit_code=2) from error
    if not isinstance(content, dict) or not content:
        raise UserError(f"--space {printable(path)}: must hold keys and distributions.", exit_code=2)
    return content


def _flat(values: dict[Any, Any], where: str, section: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if not isinstance(key, str):
            raise UserError(f"{where}: {printable(key)} is no key.", exit_code=2)
        if isinstance(value, dict) and "class_path" not in value:
            yield from _flat(value, where, f"{section}{key}.")
        else:
            yield f"{section}{key}", value
