"""Run folders: `<root>/<name>/version_N`, the place of everything that one run makes."""

from __future__ import annotations

import csv
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from plcnn import plugins
from plcnn.errors import UserError
from plcnn.paths import expanded

if TYPE_CHECKING:
    from lightning.pytorch import Trainer


HISTORY = "history.csv"
"""In a run folder: a row an epoch."""

MOST_BYTES = 200
"""Of a run's name; file systems take 255."""


def history(folder: Path) -> list[dict[str, float]]:
    """The rows of a run folder's history.csv, one an epoch, without what was not measured.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is no table of numbers, with an epoch in each row.
    """
    try:
        with (folder / HISTORY).open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            rows = [{name: float(value) for name, value in row.items() if value} for row in reader]
    except (TypeError, csv.Error) as error:  # a row that is longer than the header; no text
        raise ValueError(f"it is no table of numbers: {error}") from error
    if "epoch" not in (reader.fieldnames or ()) or any("epoch" not in row for row in rows):
        raise ValueError("it has no column epoch")
    return rows


def new_run_folder(root: str | Path, name: str, stem: str = "version") -> Path:
    """Make the run folder with the next free number.

    Making the folder is what claims the number, so two runs that start together get two folders.

    Args:
        root: folder of all runs.
        name: what the run is called; a folder name.
        stem: what stands before the number.

    Raises:
        UserError: if the name is no folder name, or the folder cannot be made.
    """
    if not name or name in (".", "..") or "/" in name or "\\" in name or not name.isprintable():
        raise UserError(f"--name {name!r}: a run's name is one folder name, without / or \\.", exit_code=2)
    if len(name.encode()) > MOST_BYTES:
        raise UserError(f"--name {name[:20]}...: a run's name has at most {MOST_BYTES} bytes.", exit_code=2)
    parent = expanded(root) / name
    try:
        parent.mkdir(parents=True, exist_ok=True)
        number = max((_number(p.name, stem) for p in parent.iterdir()), default=-1) + 1
        while True:
            folder = parent / f"{stem}_{number}"
            try:
                folder.mkdir()
                return folder
            except FileExistsError:
                number += 1
    except OSError as error:
        raise UserError(f"The run folder cannot be made: {error}. --trainer.default_root_dir names another.") from error


def run_folder(trainer: Trainer) -> Path:
    """The run folder of a trainer, the same on every rank; call it on all of them."""
    folder = trainer.strategy.broadcast(trainer.default_root_dir)
    # the other ranks know it from now on, also once the processes have parted
    trainer._default_root_dir = folder  # type: ignore[attr-defined]
    return Path(folder)


def newest_config(folder: Path) -> Path | None:
    """The settings with which a run was begun or last went on; None where no run has begun in the folder."""
    found = [path for path in folder.glob("config*.yaml") if path.stem.removeprefix("config_").isdecimal()]
    first = [folder / "config.yaml"] if (folder / "config.yaml").is_file() else []
    return max(found, key=lambda path: int(path.stem.removeprefix("config_")), default=next(iter(first), None))


def newest_run(root: str | Path, name: str) -> Path | None:
    """The run folder with the highest number; None where there is none."""
    parent = expanded(root) / name
    runs = [path for path in parent.glob("version_*") if _number(path.name) >= 0]
    return max(runs, key=lambda path: _number(path.name), default=None)


def unused(path: Path) -> Path:
    """The path itself, or with the first of `_2`, `_3` ... after its stem at which nothing stands yet."""
    candidate, number = path, 1
    while candidate.exists():
        number += 1
        candidate = path.with_stem(f"{path.stem}_{number}")
    return candidate


def short(path: Path) -> str:
    """A path relative to the working directory where it lies below it."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def next_command(command: str, folder: Path) -> str:
    """What to type to run a command on a run folder."""
    if command == "fit":
        return f"plcnn fit --resume {shlex.quote(short(folder))}"
    files = plugins.option(short(Path(path)) for path in plugins.loaded())
    return f"plcnn {command} {shlex.quote(short(folder))}{files}"


def _number(name: str, stem: str = "version") -> int:
    digits = name.removeprefix(f"{stem}_")
    return int(digits) if name.startswith(f"{stem}_") and digits.isdecimal() else -1
