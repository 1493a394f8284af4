"""What came of a sweep: printed, and kept in its folder as a page, JSON and CSV."""

import json
import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from plcnn import results
from plcnn.results import Result
from plcnn.run import next_command, short
from plcnn.sweep.plan import Plan
from plcnn.sweep.runs import State, best_row, look
from plcnn.sweep.statistics import Spread, spread
from plcnn.terminal import printable, say

if TYPE_CHECKING:
    import optuna

METRICS = ("val/acc", "val/loss", "train/acc", "train/loss")
"""Of the best epoch of each run."""

CHOSEN = {"val": "the best epoch of each", "train": "the last epoch of each", "test": "each tested once, as it ended"}
"""What a metric is of, where it is told: that of training only where nothing is held out for validation."""

BEST = "best.yaml"


class Row(NamedTuple):
    """A run as it is shown.

    Attributes:
        state: what its folder holds.
        status: done, ended early, diverged, failed or unfinished.
        best: the row of its best epoch.
        test: what was measured on the test pictures; empty where nothing was.
        note: what else there is to say.
    """

    state: State
    status: str
    best: dict[str, float]
    test: dict[str, Any]
    note: str

    @property
    def seconds(self) -> float:
        """What its epochs took."""
        return sum(row.get("seconds", 0.0) for row in self.state.rows)


class Outcome(NamedTuple):
    """What came of a sweep.

    Attributes:
        folder: the sweep's.
        plan: what was to be done.
        rows: its runs; of a search the best first.
        spreads: mean and deviation of each metric over the runs that are done.
        joined: of folds: the out-of-fold answers, once every fold has some.
        study: of a search: Optuna's.
        best: of a search: the best trial; none where none ran to its end.
    """

    folder: Path
    plan: Plan
    rows: list[Row]
    spreads: dict[str, Spread]
    joined: Result | None = None
    study: "optuna.Study | None" = None
    best: "optuna.trial.FrozenTrial | None" = None


def conclude(folder: Path, plan: Plan, failed: dict[str, str]) -> Outcome:
    """Gather what came of a sweep, say it, and write it into the sweep's folder.

    Args:
        folder: the sweep's.
        plan: what was to be done.
        failed: what runs said that failed now, by their names.

    Raises:
        UserError: if the disk does not take it, or the folds overlap.
    """
    outcome = _of_search(folder, plan) if plan.kind == "search" else _of_repetitions(folder, plan, failed)
    for line in told(outcome):
        say(line)
    from plcnn.sweep.page import write  # draws, which takes a while to import

    say(f"page       {printable(short(write(outcome)))}")
    return outcome


def _of_repetitions(folder: Path, plan: Plan, failed: dict[str, str]) -> Outcome:
    rows = []
    for key in plan.names():
        state = look(folder, key)
        status = "failed" if key in failed else "done" if state.is_trained else "unfinished"
        rows.append(Row(state, status, state.best(), _test(state), failed.get(key, "")))
    measured = [row.state.result("validate") for row in rows] if plan.kind == "folds" else []
    joined = None
    if measured and all(measured):
        from plcnn.sweep import folds

        joined = folds.joined(folder, [results.read(path) for path in measured if path])
    return Outcome(folder, plan, rows, spreads_of(rows), joined)


def spreads_of(rows: list[Row]) -> dict[str, Spread]:
    """Mean and standard deviation of each metric over the runs that are done.

    Args:
        rows: of all runs.
    """
    done = [row for row in rows if row.status == "done"]
    values = {name: [row.best[name] for row in done if name in row.best] for name in METRICS}
    values |= {f"test/{name}": [row.test[name] for row in done if name in row.test] for name in ("acc", "loss")}
    return {name: found for name, of_runs in values.items() if (found := spread(of_runs))}


def _test(state: State) -> dict[str, Any]:
    path = state.result("test")
    return dict(results.read(path).figures) if path else {}


def _of_search(folder: Path, plan: Plan) -> Outcome:
    from optuna.trial import TrialState

    from plcnn.sweep.plan import MODES
    from plcnn.sweep.search import best_trial
    from plcnn.sweep.study import NOTE, drawn_trials, key_of, open_study

    study = open_study(folder, plan.search)
    monitor = plan.search["monitor"]
    mode = MODES[monitor]
    statuses = {TrialState.COMPLETE: "done", TrialState.PRUNED: "ended early", TrialState.FAIL: "failed"}
    rows = []
    for trial in drawn_trials(study):
        state, note = look(folder, key_of(trial)), str(trial.user_attrs.get(NOTE, ""))
        status = "diverged" if note == "diverged" else statuses.get(trial.state, "unfinished")
        if status == "ended early":  # what the run did until it heard of that is not counted, by whoever looks
            state = state._replace(rows=[row for row in state.rows if row["epoch"] <= (trial.last_step or 0)])
        rows.append(Row(state, status, best_row(state.rows, monitor, mode), {}, note))
    worst = -math.inf if mode == "max" else math.inf

    def order(row: Row) -> tuple[bool, float]:
        value = row.best.get(monitor, worst)
        return row.status != "done", -value if mode == "max" else value

    best = best_trial(study)
    if best is not None:
        _write_best(folder, key_of(best))
    return Outcome(folder, plan, sorted(rows, key=order), {}, None, study, best)


def _write_best(folder: Path, key: str) -> None:
    """Write the best run's settings as a config of `fit`, under the name that was given, not the sweep's."""
    import yaml

    from plcnn.arguments import read_yaml
    from plcnn.files import failing_softly, written_aside
    from plcnn.sweep.plan import SETTINGS

    given, config = read_yaml(str(folder / SETTINGS)), look(folder, key).config
    if not config:
        return
    config["name"] = given["name"]
    config["trainer"]["default_root_dir"] = given["trainer"]["default_root_dir"]
    with failing_softly(BEST), written_aside(folder / BEST) as aside:
        text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
        aside.write_text(f"# The best settings of {folder.name}, {key}.\n{text}", encoding="utf-8")


def told(outcome: Outcome) -> list[str]:
    """The lines that say what came of a sweep.

    Args:
        outcome: of it.
    """
    lines = []
    validated = any(name.startswith("val/") for name in outcome.spreads)
    for name, found in outcome.spreads.items():
        if not (validated and name.startswith("train/")):
            runs = f"{found.runs} run{'s' * (found.runs != 1)}"
            chosen = CHOSEN[name.split("/")[0]]
            lines.append(f"{name:<10} {found.as_text(4)}  ({runs}, {chosen})")
    if outcome.joined:
        figures = outcome.joined.figures
        right = round(figures["acc"] * figures["pictures"])
        lines.append(
            f"all folds  acc {figures['acc']:.4f}, loss {figures['loss']:.4f}  ({right:,} of {figures['pictures']:,} "
            "training pictures, each by the network that has not seen it)"
        )
    if outcome.study is not None:
        lines += _told_of_search(outcome)
    return lines


def _told_of_search(outcome: Outcome) -> list[str]:
    from plcnn.sweep.study import flags_of, key_of

    statuses = [row.status for row in outcome.rows]
    counted = ", ".join(f"{statuses.count(status)} {status}" for status in dict.fromkeys(statuses))
    lines = [f"trials     {len(statuses)}: {counted}"]
    if outcome.best is None:
        return [*lines, "best       none: no run came to its end"]
    key = key_of(outcome.best)
    folder = next(row.state.folder for row in outcome.rows if row.state.key == key)
    return [
        *lines,
        f"best       {key}: {outcome.plan.search['monitor']} {outcome.best.value:.4f}",
        f"settings   {printable(shlex.join(flags_of(outcome.best) or []))}",
        f"next       plcnn fit --config {short(outcome.folder / BEST)}",
        f"           {next_command('test', folder) if folder else ''}".rstrip(),
    ]


def as_data(outcome: Outcome) -> dict[str, Any]:
    """What came of a sweep, as plain data for sweep.json.

    Args:
        outcome: of it.
    """
    runs = [
        {
            "run": row.state.key,
            "folder": short(row.state.folder) if row.state.folder else None,
            "status": row.status,
            "note": row.note,
            "epochs": len(row.state.rows),
            "best": row.best,
            "test": {name: row.test[name] for name in ("acc", "loss", "pictures") if name in row.test},
            "seconds": row.seconds,
        }
        for row in outcome.rows
    ]
    data: dict[str, Any] = {"kind": outcome.plan.kind, "options": outcome.plan.typed, "runs": runs}
    data["spread"] = {name: found._asdict() for name, found in outcome.spreads.items()}
    if outcome.joined:
        data["out_of_fold"] = json.loads(json.dumps(outcome.joined.figures))
    if outcome.study is not None:
        from plcnn.sweep.study import drawn_trials, flags_of, key_of

        best = outcome.best
        data["search"] = outcome.plan.search
        data["trials"] = [
            {
                "run": key_of(trial),
                "state": trial.state.name.lower(),
                "value": trial.value,
                "params": trial.params,
                "options": flags_of(trial),
            }
            for trial in drawn_trials(outcome.study)
        ]
        data["best"] = best and {"run": key_of(best), "value": best.value, "options": flags_of(best)}
    return data
