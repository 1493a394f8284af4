"""The report of one run."""

import shlex
from pathlib import Path
from typing import Any

import torch

from plcnn.calibration import UNFITTED, probabilities
from plcnn.examples import KINDS
from plcnn.figures import confusion, curve, pictures, reliability
from plcnn.figures.confusion import block
from plcnn.figures.curves import METRICS, STAGES, points
from plcnn.figures.reliability import binned
from plcnn.figures.style import as_png
from plcnn.predictions import name_classes
from plcnn.report import facts, files, measures
from plcnn.report.page import MOST_STOPS, Drawn, Stop, drawn, page, percent, picture_data
from plcnn.report.record import Record
from plcnn.reproduce import flat
from plcnn.results import STAGES as MEASURED
from plcnn.run import next_command, short
from plcnn.terminal import printable

PAGE = "report.html"

_DIAGRAM_NOTE = "A dot's area grows with its pictures; below the dotted line the network is surer than right."


def default_folder(record: Record) -> Path:
    """The folder of a run's report: one for each result, in the run folder."""
    return record.folder / (f"report_{record.result.path.stem}" if record.result else "report")


def write(record: Record, folder: Path | None = None) -> Path:
    """Write the report of a run.

    Args:
        record: of the run.
        folder: where to; the run's own by default.

    Returns:
        The page.

    Raises:
        UserError: if the disk does not take it.
    """
    folder = folder or default_folder(record)
    figures: dict[str, tuple[Any, Drawn]] = _curves(record)
    images: dict[str, Any] = {}
    shown: dict[str, list[dict[str, Any]]] = {}
    answers: dict[str, Any] = {"classes": [], "pairs": [], "calibration": None}
    content: dict[str, str | bytes] = {}
    result = record.result
    if result and result.outputs and len(result.outputs.labels):
        found, answers = answers_of(record)
        figures |= found
        shown, images = examples_of(record)
        shares = probabilities(result.outputs.logits, record.temperature)
        called = result.names or result.rows.tolist()
        content["predictions.csv"] = files.predictions_csv(result.outputs, called, shares, record.classes)
    for name, figure in {**{name: figure for name, (figure, _) in figures.items()}, **images}.items():
        content[f"{name}.png"] = as_png(figure)
    measured, settings = accuracy(record), flat(record.config)
    rows, commands = facts.facts(record), facts.commands(record)
    data = {
        "run": record.name,
        "measured": {**measured, **answers},
        "facts": dict(rows),
        "commands": commands,
        "settings": settings,
        "history": record.rows,
        "notes": record.notes,
    }
    content["report.json"] = files.as_json(data)
    values = {
        "record": record,
        "measured": measured,
        "answers": answers,
        "figures": [figure for _, figure in figures.values()],
        "examples": shown,
        "facts": rows,
        "commands": commands,
        "reproduce": f"plcnn reproduce {shlex.quote(short(record.folder))}",
        "test": next_command("test", record.folder),
        "settings": {key: facts.setting(value) for key, value in settings.items()},
        "duration": facts.duration(record.seconds),
        "files": [*content, PAGE],
    }
    content[PAGE] = page("report.html", values)
    files.write(folder, content)
    return folder / PAGE


def _curves(record: Record) -> dict[str, tuple[Any, Drawn]]:
    """The learning curves that there are: figures, and how they stand in the page."""
    found = {}
    for metric, title in METRICS.items():
        series = {name: dict(points(record.rows, f"{stage}/{metric}")) for stage, name in STAGES.items()}
        if any(series.values()):
            figure = curve(record.rows, metric)
            stops = stops_of_series(series, 4 if metric == "loss" else 3)
            found[f"curves_{title.replace('-', '_')}"] = (figure, drawn(figure, f"{title} by epoch", stops))
    return found


def stops_of_series(series: dict[str, dict[float, float]], digits: int) -> list[Stop]:
    """A stop at each epoch that says the value of every series.

    Args:
        series: values by epoch, by the names of the series.
        digits: after the point.
    """
    epochs = sorted({epoch for values in series.values() for epoch in values})
    return [
        Stop(e, None, "\n".join([f"epoch {e:g}", *(f"{n} {v[e]:.{digits}f}" for n, v in series.items() if e in v)]))
        for e in epochs
    ]


def accuracy(record: Record) -> dict[str, Any]:
    """What every result holds, of an older version, too; nothing where there is no result."""
    if not record.result:
        return {}
    given = record.result.figures
    count = int(given["pictures"])
    right = round(given["acc"] * count)
    return {
        "command": record.result.command,
        "stage": {"test": "test", "val": "validation"}[MEASURED[record.result.command]],
        "result": record.result.path.name,
        "checkpoint": given["checkpoint"],
        "pictures": count,
        "right": right,
        "accuracy": given["acc"],
        "interval": measures.wilson(right, count) if count else None,
        "loss": given["loss"],
    }


def answers_of(record: Record) -> tuple[dict[str, tuple[Any, Drawn]], dict[str, Any]]:
    """Figures, and numbers, of the answers to each picture.

    Args:
        record: with a result that has outputs.
    """
    assert record.result and record.result.outputs
    outputs, classes, heat = record.result.outputs, record.classes, record.temperature
    counts = outputs.confusion
    cells = [(row, column, n) for row, line in enumerate(counts.tolist()) for column, n in enumerate(line) if n]
    most = sorted(cells, key=lambda cell: -cell[2])[:MOST_STOPS]
    stops = [Stop(c, r, f"{classes[r]} → {classes[c]}\n{n:,} picture{'s' * (n != 1)}") for r, c, n in sorted(most)]
    matrix = confusion(counts, classes)
    cold, warm = (probabilities(outputs.logits, temperature) for temperature in (UNFITTED, heat))
    diagram = reliability(warm, outputs.labels, cold if heat != UNFITTED else None)
    bins = [
        Stop(c, a, f"confidence {percent(c)}\naccuracy {percent(a)}\n{n:,} pictures")
        for c, a, n in zip(*(values.tolist() for values in binned(warm, outputs.labels)), strict=True)
    ]
    figures = {
        "confusion": (matrix, drawn(matrix, "confusion matrix", stops, _matrix_note(len(classes)))),
        "reliability": (diagram, drawn(diagram, "reliability", bins, _DIAGRAM_NOTE)),
    }
    return figures, {
        "classes": measures.class_scores(outputs, classes),
        "pairs": measures.confused_pairs(counts, classes),
        "confusion": [(classes[r], classes[c], n) for r, c, n in cells],
        "calibration": measures.calibration(outputs, heat),
    }


def _matrix_note(classes: int) -> str:
    side = block(classes)
    shared = f" A cell stands for {side} × {side} classes." if side > 1 else ""
    return f"Rows are the truth, columns what the network said.{shared}"


def examples_of(record: Record) -> tuple[dict[str, list[dict[str, Any]]], dict[str, Any]]:
    """The kept pictures, each with what the network says of it: for the page, and as figures.

    Args:
        record: with a result that has outputs.
    """
    assert record.result and record.result.outputs
    outputs, classes = record.result.outputs, record.classes
    shown: dict[str, list[dict[str, Any]]] = {}
    figures: dict[str, Any] = {}
    for kind, title in KINDS.items():
        places, images = record.result.examples.get(kind, (torch.empty(0, dtype=torch.long), torch.empty(0)))
        if not len(places):
            continue
        said = name_classes(probabilities(outputs.logits[places], record.temperature), classes, files.TOP)
        truths = [classes[label] for label in outputs.labels[places].tolist()]
        called = record.result.names
        names = [printable(called[place]) if called else "" for place in places.tolist()]
        shown[title] = [
            {"source": picture_data(image), "row": row, "name": name, "truth": truth, "top": answer.top}
            for image, row, name, truth, answer in zip(
                images, record.result.rows[places].tolist(), names, truths, said, strict=True
            )
        ]
        titles = [f"{truth}\n{a.label} {percent(a.probability)}" for truth, a in zip(truths, said, strict=True)]
        figures[kind] = pictures(images, titles)
    return shown, figures
