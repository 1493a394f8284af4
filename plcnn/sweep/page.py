"""The page of a sweep, with its numbers beside it as JSON and CSV."""

import csv
import io
import json
import shlex
from pathlib import Path
from typing import Any

from plcnn.figures.curves import METRICS, STAGES, Rows, points
from plcnn.figures.search import Tried, bundle, importances, search_history, search_slice
from plcnn.figures.style import as_png
from plcnn.report import facts, files, record, single
from plcnn.report.comparison import curves, differing_settings
from plcnn.report.page import Drawn, Stop, drawn, page
from plcnn.run import next_command, short
from plcnn.sweep.distributions import DIGITS
from plcnn.sweep.outcome import BEST, Outcome, Row, as_data

PAGE = "sweep.html"
MOST_TOLD_APART = 8
"""Curves that have a colour each; of more runs the best is highlighted."""

MOST_SLICES = 12
Figures = dict[str, tuple[Any, Drawn]]


def write(outcome: Outcome) -> Path:
    """Write the page of a sweep into its folder.

    Args:
        outcome: of it.

    Returns:
        The page.

    Raises:
        UserError: if the disk does not take it.
    """
    figures = _search(outcome) if outcome.study is not None else {}
    figures |= _curves(outcome)
    answers: dict[str, Any] = {"classes": [], "pairs": [], "calibration": None}
    shown: dict[str, Any] = {}
    measured: dict[str, Any] = {}
    if outcome.joined:
        joined = _record(outcome)
        found, answers = single.answers_of(joined)
        figures = {**found, **figures}
        shown, _ = single.examples_of(joined)
        measured = single.accuracy(joined)
    settings = _drawn_settings(outcome) or differing_settings([row.state.config for row in outcome.rows])
    content: dict[str, str | bytes] = {f"{name}.png": as_png(figure) for name, (figure, _) in figures.items()}
    data = as_data(outcome)
    content["sweep.json"] = files.as_json({**data, "settings": settings})
    content["sweep.csv"] = _csv(outcome.rows, settings)
    best = outcome.best
    values = {
        "outcome": outcome,
        "name": f"{outcome.folder.resolve().parent.name}/{outcome.folder.resolve().name}",
        "rows": [_shown(outcome, row) for row in outcome.rows],
        "settings": settings,
        "spreads": outcome.spreads,
        "tested": any(row.test for row in outcome.rows),
        "measured": measured,
        "answers": answers,
        "examples": shown,
        "figures": [figure for _, figure in figures.values()],
        "best": data.get("best"),
        "test": next_command("test", Path(data["runs"][0]["folder"] or "")) if best else "",
        "fit": f"plcnn fit --config {shlex.quote(short(outcome.folder / BEST))}",
        "command": _command(outcome),
        "files": [*content, *([BEST] if best else []), PAGE],
    }
    content[PAGE] = page("sweep.html", values)
    files.write(outcome.folder, content)
    return outcome.folder / PAGE


def _drawn_settings(outcome: Outcome) -> dict[str, list[str]]:
    """What was drawn for each trial, in the order of the rows; a dash where a setting is not in it."""
    if outcome.study is None:
        return {}
    from plcnn.sweep.study import key_of

    params = {key_of(trial.number): trial.params for trial in outcome.study.get_trials(deepcopy=False)}
    of_rows = [params[row.state.key] for row in outcome.rows]
    names = dict.fromkeys(name for one in of_rows for name in one)
    return {name: [_value(one[name]) if name in one else "–" for one in of_rows] for name in names}


def _value(value: Any) -> str:
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else str(value)


def _record(outcome: Outcome) -> record.Record:
    """The out-of-fold answers as those of a run."""
    folder = outcome.rows[0].state.folder
    assert folder
    first = record.read(folder)
    return first._replace(folder=outcome.folder, rows=[], result=outcome.joined, notes=[])


def _command(outcome: Outcome) -> str:
    plan = outcome.plan
    if plan.kind == "search":
        words = [f"--space.{key}={_as_typed(value)}" for key, value in plan.search["space"].items()]
        words += [f"--{key}={plan.search[key]}" for key in ("trials", "monitor", "sampler", "pruner")]
    else:
        words = [str(number) for number in plan.numbers] if plan.kind == "seeds" else [str(len(plan.numbers))]
    return shlex.join(["plcnn", "sweep", plan.kind, *words, *plan.typed])


def _as_typed(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _shown(outcome: Outcome, row: Row) -> dict[str, Any]:
    """A run as a line of the page's table."""
    folder = row.state.folder
    reports = sorted(folder.glob("report*/report.html")) if folder else []
    return {
        "name": row.state.key,
        "status": row.status,
        "note": row.note,
        "best": row.best,
        "test": row.test,
        "epochs": len(row.state.rows),
        "duration": facts.duration(row.seconds),
        "report": str(reports[-1].relative_to(outcome.folder)) if reports else "",
    }


def _csv(rows: list[Row], settings: dict[str, list[str]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    metrics = [f"{stage}/{metric}" for stage in STAGES for metric in METRICS]
    writer.writerow(["run", "status", *settings, "epochs", "best epoch", *metrics, "test/acc", "test/loss", "seconds"])
    for place, row in enumerate(rows):
        differing = [values[place] for values in settings.values()]
        measured = [row.best.get(name, "") for name in metrics]
        tested = [row.test.get(name, "") for name in ("acc", "loss")]
        epochs = [len(row.state.rows), f"{row.best.get('epoch', 0):.0f}"]
        writer.writerow([row.state.key, row.status, *differing, *epochs, *measured, *tested, f"{row.seconds:.1f}"])
    return text.getvalue()


def _curves(outcome: Outcome) -> Figures:
    """The runs' curves over each other; of many runs the best is highlighted."""
    runs: dict[str, Rows] = {row.state.key: row.state.rows for row in outcome.rows if row.state.rows}
    if len(runs) <= MOST_TOLD_APART:
        return curves(runs)
    best = next(iter(runs))
    if outcome.study is None:
        best = max(outcome.rows, key=lambda row: row.best.get("val/acc", 0.0)).state.key
    found: Figures = {}
    for stage, pictures in reversed(STAGES.items()):
        for metric, title in METRICS.items():
            key = f"{stage}/{metric}"
            if any(points(rows, key) for rows in runs.values()):
                figure = bundle(runs, key, best)
                stops = single.stops_of_series({best: dict(points(runs[best], key))}, 4)
                shown = drawn(figure, f"{pictures} {title} by epoch", stops, f"{len(runs)} runs; {best} is the best.")
                found[f"curves_{pictures}_{title.replace('-', '_')}"] = (figure, shown)
    return found


def _search(outcome: Outcome) -> Figures:
    """What the trials reached, and how their settings made for it."""
    assert outcome.study is not None
    monitor = outcome.plan.search["monitor"]
    title = f"{STAGES[monitor.split('/')[0]]} {METRICS[monitor.split('/')[1]]}"
    largest = outcome.study.direction.name == "MAXIMIZE"
    reached = {row.state.key: row for row in outcome.rows if monitor in row.best and row.status != "failed"}
    from plcnn.sweep.study import key_of

    trials, tried = [], []
    for trial in outcome.study.get_trials(deepcopy=False):
        row = reached.get(key_of(trial.number))
        if row:
            trials.append(trial)
            tried.append(Tried(trial.number, row.best[monitor], row.status != "done"))
    if not tried:
        return {}
    history = search_history(tried, title, largest)
    stops = [Stop(one.number, one.value, f"trial {one.number}\n{monitor} {one.value:.4f}") for one in tried]
    found: Figures = {"search_history": (history, drawn(history, f"{title} of each trial", stops))}
    shares = _importances(outcome)
    if shares:
        figure = importances(shares)
        stops = [Stop(share, place, f"{name}\n{share:.3f}") for place, (name, share) in enumerate(shares.items())]
        note = (
            "PED-ANOVA (Watanabe and others, 2023): what tells the best of those that ran to their end from the rest."
        )
        found["importances"] = (figure, drawn(figure, "importance of each setting", stops, note))
    names = list(shares) + [name for trial in trials for name in trial.params]
    for place, name in enumerate(list(dict.fromkeys(names))[:MOST_SLICES]):
        having = [
            (one, trial.params[name], trial) for one, trial in zip(tried, trials, strict=True) if name in trial.params
        ]
        if len({value for _, value, _ in having}) < 2:
            continue
        distribution: Any = having[0][2].distributions[name]
        choices = [str(choice) for choice in getattr(distribution, "choices", ())]
        logarithmic = bool(getattr(distribution, "log", False))
        places = [choices.index(value) if choices else value for _, value, _ in having]
        figure = search_slice([one for one, _, _ in having], places, choices, name, title, logarithmic)
        stops = [
            Stop(at, one.value, f"trial {one.number}\n{_value(value)}\n{monitor} {one.value:.4f}")
            for at, (one, value, _) in zip(places, having, strict=True)
        ]
        found[f"slice_{place}"] = (figure, drawn(figure, f"by {name}", stops))
    return found


def _importances(outcome: Outcome) -> dict[str, float]:
    """The settings' importances, the largest first; none where too few trials ran to their end."""
    import optuna

    assert outcome.study is not None
    ended = outcome.study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.COMPLETE])
    if len({trial.value for trial in ended}) < 4:
        return {}
    try:
        return {name: float(share) for name, share in optuna.importance.get_param_importances(outcome.study).items()}
    except (ValueError, RuntimeError):  # no setting that all of them have, or all alike
        return {}
