"""The report that compares runs: their curves, results and settings, and each pair on the same pictures."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from plcnn.figures import compared
from plcnn.figures.curves import METRICS, STAGES, Rows, points
from plcnn.figures.style import as_png
from plcnn.report import facts, files, measures
from plcnn.report.page import Drawn, drawn, page
from plcnn.report.pairs import paired, why_not_paired
from plcnn.report.record import Record
from plcnn.report.single import PAGE, accuracy, stops_of_series
from plcnn.reproduce import PLACES, flat
from plcnn.run import next_command, short

FOLDER = "report_comparison"


def write(records: Sequence[Record], folder: Path) -> Path:
    """Write a comparison.

    Args:
        records: of two runs or more.
        folder: where to.

    Returns:
        The page.

    Raises:
        UserError: if the disk does not take it.
    """
    names = _names(records)
    figures = curves({name: record.rows for name, record in zip(names, records, strict=True)})
    runs = [
        {
            "name": name,
            "folder": short(record.folder),
            "test": next_command("test", record.folder),
            "measured": accuracy(record),
            "calibration": _calibration(record),
            "parameters": record.parameters,
            "epochs": len(record.rows),
            "seconds": record.seconds,
            "duration": facts.duration(record.seconds),
            "notes": record.notes,
        }
        for name, record in zip(names, records, strict=True)
    ]
    pairs = [
        {
            "first": one,
            "second": other,
            "why_not": (why := why_not_paired(first.result, second.result)),
            "found": None if why or not first.result or not second.result else paired(first.result, second.result),
        }
        for (one, first), (other, second) in combinations(zip(names, records, strict=True), 2)
    ]
    settings = differing_settings([record.config for record in records])
    content: dict[str, str | bytes] = {f"{name}.png": as_png(figure) for name, (figure, _) in figures.items()}
    histories = {name: record.rows for name, record in zip(names, records, strict=True)}
    content["report.json"] = files.as_json({"runs": runs, "pairs": pairs, "settings": settings, "history": histories})
    values = {
        "names": names,
        "runs": runs,
        "pairs": pairs,
        "settings": settings,
        "figures": [figure for _, figure in figures.values()],
        "files": [*content, PAGE],
    }
    content[PAGE] = page("comparison.html", values)
    files.write(folder, content)
    return folder / PAGE


def differing_settings(configs: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    """The settings that are not the same in all runs, as they are said, for each run; a dash where one has none.

    Args:
        configs: of each run, as its config.yaml holds them.
    """
    settings = [flat(config) for config in configs]
    keys = dict.fromkeys(key for one in settings for key in one if key not in PLACES)
    found = {key: [facts.setting(one[key]) if key in one else "–" for one in settings] for key in keys}
    return {key: values for key, values in found.items() if len(set(values)) > 1}


def _names(records: Sequence[Record]) -> list[str]:
    """What each run is called; by its path where two have one name."""
    counts = Counter(record.name for record in records)
    return [record.name if counts[record.name] == 1 else short(record.folder) for record in records]


def _calibration(record: Record) -> measures.Calibration | None:
    result = record.result
    if not result or not result.outputs or not len(result.outputs.labels):
        return None
    return measures.calibration(result.outputs, record.temperature)


def curves(runs: Mapping[str, Rows]) -> dict[str, tuple[Any, Drawn]]:
    """The curves over each other: figures, and how they stand in a page.

    Args:
        runs: the rows of each, by its name.
    """
    found = {}
    for stage, pictures in reversed(STAGES.items()):
        for metric, title in METRICS.items():
            key = f"{stage}/{metric}"
            series = {name: dict(points(rows, key)) for name, rows in runs.items()}
            if any(series.values()):
                figure = compared(runs, key)
                stops = stops_of_series(series, 4 if metric == "loss" else 3)
                missing = [name for name, points_ in series.items() if not points_]
                note = f"Not measured in {', '.join(missing)}." if missing else ""
                shown = drawn(figure, f"{pictures} {title} by epoch", stops, note)
                found[f"curves_{pictures}_{title.replace('-', '_')}"] = (figure, shown)
    return found
