"""Learning curves: accuracy and cross-entropy by the epoch, of a run or of several."""

import math
from collections.abc import Mapping, Sequence
from statistics import median_low
from typing import TYPE_CHECKING

from plcnn.figures.style import SERIES, WIDTH, label, look, panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

METRICS = {"acc": "accuracy", "loss": "cross-entropy"}
"""What is drawn, with its name."""

STAGES = {"train": "training", "val": "validation"}
"""Of which pictures, with their name."""

HEIGHT = 3.2
LEAP = 3.0
"""A loss that is so many times another has leapt."""

GUESS = 7.0
"""The cross-entropy of a guess among 1,000 classes."""

_HEADROOM = 1.15
_MOST_MARKERS = 40

Rows = Sequence[Mapping[str, float]]


def points(rows: Rows, key: str) -> list[tuple[float, float]]:
    """The epochs at which a metric was measured, with its value.

    Args:
        rows: one an epoch, as `History.rows` has them.
        key: of a column, `val/acc`.
    """
    return [(row["epoch"], row[key]) for row in rows if "epoch" in row and key in row]


def curve(rows: Rows, metric: str) -> "Figure":
    """A metric of training and validation by the epoch.

    Args:
        rows: one an epoch, as `History.rows` has them.
        metric: "acc" or "loss".
    """
    with look():
        figure, axes = panel(HEIGHT)
        _draw(axes, {name: points(rows, f"{stage}/{metric}") for stage, name in STAGES.items()}, METRICS[metric])
        return figure


def curves(rows: Rows) -> "Figure":
    """Accuracy and cross-entropy side by side.

    Args:
        rows: one an epoch, as `History.rows` has them.
    """
    from matplotlib.figure import Figure

    with look():
        figure = Figure(figsize=(2 * WIDTH, HEIGHT), layout="constrained")
        for axes, (metric, title) in zip(figure.subplots(1, 2), METRICS.items(), strict=True):
            _draw(axes, {name: points(rows, f"{stage}/{metric}") for stage, name in STAGES.items()}, title)
        return figure


def compared(runs: Mapping[str, Rows], key: str) -> "Figure":
    """A metric of several runs by the epoch.

    Args:
        runs: the rows of each, by its name.
        key: of a column, `val/acc`.
    """
    stage, metric = key.split("/")
    with look():
        figure, axes = panel(HEIGHT)
        series = {name: points(rows, key) for name, rows in runs.items()}
        _draw(axes, series, f"{STAGES[stage]} {METRICS[metric]}")
        if metric == "loss":
            losses = [[value for _, value in found] for found in series.values()]
            cut_leaps(axes, losses, without_leaps(losses))
        return figure


def cut_leaps(axes: "Axes", losses: Sequence[Sequence[float]], top: float) -> None:
    """End the axis of losses above those that have not leapt, so that they can be read, and say so on the figure.

    Args:
        axes: with the losses drawn.
        losses: of each run, one an epoch.
        top: the greatest loss to be seen.
    """
    beyond = sum(any(not loss <= top for loss in run) for run in losses)
    if beyond and top > 0:
        axes.set_ylim(0, _HEADROOM * top)
        axes.set_title(f"{beyond} of {len(losses)} runs beyond the figure", fontsize=8, loc="left")


def without_leaps(losses: Sequence[Sequence[float]]) -> float:
    """The greatest loss that has not leapt; 0 where there is none.

    Within a run a loss has leapt that is more than `LEAP` times the first. A run has leapt as a whole if the greatest
    of the rest is more than `LEAP` times the median of all runs' greatest. What is below `GUESS` has not leapt.

    Args:
        losses: of each run, one an epoch.
    """
    finite = [[loss for loss in run if math.isfinite(loss)] for run in losses]
    greatest = [max(loss for loss in run if loss <= max(LEAP * run[0], GUESS)) for run in finite if run]
    if not greatest:
        return 0.0
    limit = max(LEAP * median_low(greatest), GUESS)  # half of the runs are below it
    return max(loss for loss in greatest if loss <= limit)


def _draw(axes: "Axes", series: Mapping[str, list[tuple[float, float]]], title: str) -> None:
    """Draw series of (epoch, value) by their names; one without points is left out, its colour too."""
    from matplotlib.ticker import MaxNLocator

    last = max((found[-1][0] for found in series.values() if found), default=1)
    for number, (name, found) in enumerate(series.items()):
        if found:
            marker = "o" if len(found) <= _MOST_MARKERS else None
            dashes = "-" if number < len(SERIES) else "--"
            colour = SERIES[number % len(SERIES)]
            axes.plot(*zip(*found, strict=True), dashes, label=label(name, 28), color=colour, marker=marker, ms=3.5)
    axes.set(xlabel="epoch", ylabel=title, xlim=(0.5, last + 0.5))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(True)
    if axes.has_data():
        axes.legend(fontsize=8)
