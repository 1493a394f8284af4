"""What a sweep is to do, as its folder keeps it."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from plcnn.errors import UserError
from plcnn.files import written_aside
from plcnn.paths import expanded
from plcnn.run import short

FILE = "plan.json"
SETTINGS = "settings.yaml"
"""The settings of `fit` that all runs share."""

LOGS = "logs"
Kind = Literal["seeds", "folds", "search"]
MODES: dict[str, Literal["min", "max"]] = {"val/acc": "max", "val/loss": "min"}
"""What a search can go by, and whether a small or a large value is good."""


@dataclass
class Plan:
    """What a sweep is to do.

    Attributes:
        kind: seeds, folds or search.
        typed: the options of `fit` as they were typed, for the record.
        numbers: the seeds, or the numbers of the folds.
        jobs: runs at once.
        threads: of each run; 0 to leave that to PyTorch.
        forks: whether runs may be forked: one device, and no GPU whose driver would not survive it.
        test_after: whether each run is tested as it ends.
        search: of a search: space, trials, monitor, sampler, pruner, seed, epochs.
    """

    kind: Kind
    typed: list[str]
    numbers: list[int]
    jobs: int
    threads: int
    forks: bool
    test_after: bool
    search: dict[str, Any] = field(default_factory=dict)

    def names(self) -> list[str]:
        """The runs' names, of seeds or folds."""
        return [f"{self.kind.removesuffix('s')}_{number}" for number in self.numbers]

    def flags(self, key: str) -> list[str]:
        """What sets a run of seeds or folds apart.

        Args:
            key: its name.
        """
        number = key.rpartition("_")[2]
        if self.kind == "seeds":
            return ["--seed_everything", number]
        return ["--data.folds", str(len(self.numbers)), "--data.fold", number]

    def write(self, folder: Path) -> None:
        """Write the plan into a sweep's folder."""
        with written_aside(folder / FILE) as aside:
            aside.write_text(json.dumps(asdict(self), indent=2) + "\n")


def read(typed: str) -> tuple[Path, Plan]:
    """Read the plan of a sweep's folder.

    Args:
        typed: the folder.

    Raises:
        UserError: if it is none, or its plan cannot be read.
    """
    folder = expanded(typed)
    if not (folder / FILE).is_file():
        reason = "it is no folder of a sweep" if folder.exists() else "there is no such folder"
        found = sorted(folder.glob("sweep_*/plan.json")) or sorted(folder.parent.glob("sweep_*/plan.json"))
        hint = f" There is {', '.join(short(path.parent) for path in found[-3:])}." if found else ""
        raise UserError(f"--resume {typed}: {reason}: no {FILE} in it.{hint}", exit_code=2)
    try:
        plan = Plan(**json.loads((folder / FILE).read_text(encoding="utf-8")))
        if plan.kind not in ("seeds", "folds", "search") or not (folder / SETTINGS).is_file():
            raise ValueError(f"it is of no kind that is known, or {SETTINGS} is missing")
        return folder, plan
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"--resume {typed}: {FILE} cannot be read: {error}.", exit_code=2) from error


def log_of(folder: Path, key: str) -> Path:
    """The file in which a run's output is kept.

    Args:
        folder: the sweep's.
        key: the run's name in it.
    """
    return folder / LOGS / f"{key}.txt"


def fit_command(folder: Path, key: str, flags: list[str]) -> list[str]:
    """The command line of a run: it begins the run, goes on with it where it was interrupted, or does nothing.

    Args:
        folder: the sweep's.
        key: the run's name in it.
        flags: what sets it apart.
    """
    place = ["--trainer.default_root_dir", str(folder), "--name", key]
    return ["fit", "--config", str(folder / SETTINGS), *place, "--resume", "auto", *flags]
