"""Learning curves: accuracy and cross-entropy by the epoch, of a run or of several."""

from collections.abc import Mapping, Sequence
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
        _draw(axes, {name: points(rows, key) for name, rows in runs.items()}, f"{STAGES[stage]} {METRICS[metric]}")
        return figure


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
