"""The page of a sweep, with its numbers beside it as JSON and CSV."""

import csv
import io
import json
import shlex
from pathlib import Path
from typing import Any

from plcnn.figures.curves import METRICS, STAGES, Rows, points
from plcnn.figures.search import bundle
from plcnn.figures.style import as_png
from plcnn.report import facts, files, record, single
from plcnn.report.comparison import curves, differing_settings
from plcnn.report.page import Drawn, drawn, page
from plcnn.run import next_command, short
from plcnn.sweep.distributions import as_text
from plcnn.sweep.outcome import BEST, Outcome, Row, as_data
from plcnn.sweep.plan import log_of

PAGE = "sweep.html"
MOST_TOLD_APART = 8
"""Curves that have a colour each; of more runs the best is highlighted."""

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
    figures = _curves(outcome)
    if outcome.study is not None:
        from plcnn.sweep import search_figures  # of Optuna, which seeds and folds do without

        figures = {**search_figures.figures(outcome), **figures}
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
        "failures": _failures(outcome),
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
    from plcnn.sweep.study import drawn_trials, key_of

    params = {key_of(trial): trial.params for trial in drawn_trials(outcome.study)}
    of_rows = [params[row.state.key] for row in outcome.rows]
    names = dict.fromkeys(name for one in of_rows for name in one)
    return {name: [as_text(one[name]) if name in one else "–" for one in of_rows] for name in names}


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


def _failures(outcome: Outcome) -> dict[str, list[dict[str, str]]]:
    """The runs that failed and their logs, by what they said: many fail for the same reason."""
    found: dict[str, list[dict[str, str]]] = {}
    for row in outcome.rows:
        if row.status == "failed":
            log = log_of(outcome.folder, row.state.key)
            link = str(log.relative_to(outcome.folder)) if log.is_file() else ""
            found.setdefault(row.note, []).append({"name": row.state.key, "log": link})
    return found


def _csv(rows: list[Row], settings: dict[str, list[str]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    metrics = [f"{stage}/{metric}" for stage in STAGES for metric in METRICS]
    writer.writerow(
        ["run", "status", *settings, "epochs", "best epoch", *metrics, "test/acc", "test/loss", "seconds", "note"]
    )
    for place, row in enumerate(rows):
        differing = [values[place] for values in settings.values()]
        measured = [row.best.get(name, "") for name in metrics]
        tested = [row.test.get(name, "") for name in ("acc", "loss")]
        epochs = [len(row.state.rows), f"{row.best.get('epoch', 0):.0f}"]
        told = [*epochs, *measured, *tested, f"{row.seconds:.1f}", row.note]
        writer.writerow([row.state.key, row.status, *differing, *told])
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
