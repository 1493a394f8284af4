"""What is known of a run of a sweep, from its folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from plcnn import manifest, results
from plcnn.arguments import read_yaml
from plcnn.run import history, newest_config, newest_run
from plcnn.terminal import printable

ENDED = ("finished", "stopped early")
"""Of a manifest's last entry: the training is over."""


class State(NamedTuple):
    """What is known of a run.

    Attributes:
        key: its name in the sweep.
        folder: the run folder; none where it has not begun.
        rows: one an epoch.
        reason: why its training ended; empty where it has not.
        message: what the error said, where it failed.
    """

    key: str
    folder: Path | None
    rows: list[dict[str, float]]
    reason: str
    message: str

    @property
    def is_trained(self) -> bool:
        """Whether its training is over."""
        return self.reason in ENDED

    @property
    def has_diverged(self) -> bool:
        """Whether its training ended because a loss or weight was no number."""
        return self.reason == "failed" and " became " in self.message

    @property
    def config(self) -> dict[str, Any]:
        """Its newest settings."""
        path = newest_config(self.folder) if self.folder else None
        return read_yaml(str(path)) if path else {}

    def result(self, command: str) -> Path | None:
        """The newest file of what a command measured; none where it measured nothing.

        Args:
            command: "test" or "validate".
        """
        found = results.results_in(self.folder, command) if self.folder else []
        return found[-1] if found else None

    def best(self) -> dict[str, float]:
        """The best epoch's row, by what chose the checkpoint; the last where nothing did; empty without an epoch."""
        kept = self.config.get("checkpoints") or {}
        return best_row(self.rows, kept.get("monitor"), kept.get("mode", "max"))


def best_row(rows: list[dict[str, float]], monitor: str | None, mode: str) -> dict[str, float]:
    """The row with the best value of a metric, the first of equals.

    Args:
        rows: one an epoch.
        monitor: the metric; none for the last epoch.
        mode: "min" or "max".
    """
    measured = [row for row in rows if monitor in row]
    if not measured:
        return dict(rows[-1]) if rows else {}
    return dict(max(measured, key=lambda row: row[monitor] if mode == "max" else -row[monitor]))  # type: ignore[index]


def look(sweep: Path, key: str) -> State:
    """Look at a run.

    Args:
        sweep: the sweep's folder.
        key: the run's name in it.
    """
    folder = newest_run(sweep, key)
    if folder is None:
        return State(key, None, [], "", "")
    try:
        ended: Mapping[str, Any] = manifest.read(folder)[-1].get("ended") or {}
    except (OSError, ValueError, IndexError):
        ended = {}
    return State(key, folder, _epochs(folder), str(ended.get("reason", "")), str(ended.get("message", "")))


def _epochs(folder: Path) -> list[dict[str, float]]:
    """The rows of a run's history.csv; none where there is none yet."""
    try:
        return history(folder)
    except (OSError, ValueError):
        return []


def last_words(log: Path) -> str:
    """The last line that a run printed, its error where it failed."""
    try:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    except OSError:
        return ""
    errors = [place for place, line in enumerate(lines) if line.startswith("error: ")]
    text = " ".join(lines[errors[-1] :]) if errors else next(reversed(lines), "")
    return printable(text.removeprefix("error: "))[:400]
