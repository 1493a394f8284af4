"""What a sweep found: curves of many runs over each other, and how a search's settings made for its values."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from plcnn.figures.curves import HEIGHT, METRICS, STAGES, Rows, cut_leaps, points, without_leaps
from plcnn.figures.style import GRID, INK, MUTED, SERIES, label, look, panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Tried(NamedTuple):
    """A trial of a search.

    Attributes:
        number: its own.
        value: what it reached; of one that ended early, until then.
        early: whether it ended early.
    """

    number: int
    value: float
    early: bool


class Axis(NamedTuple):
    """A setting of a search, as an axis.

    Attributes:
        name: of the setting.
        places: of each trial on it: its value, or its place among the choices.
        choices: what it is one of; empty for a number.
        logarithmic: whether its axis is.
    """

    name: str
    places: Sequence[float]
    choices: Sequence[str]
    logarithmic: bool


def bundle(runs: Mapping[str, Rows], key: str, highlighted: str) -> "Figure":
    """A metric of many runs by the epoch, one of them highlighted; a loss that leaps goes beyond the figure.

    Args:
        runs: the rows of each, by its name.
        key: of a column, `val/acc`.
        highlighted: the name of that one.
    """
    stage, metric = key.split("/")
    with look():
        figure, axes = panel(HEIGHT)
        for name, rows in sorted(runs.items(), key=lambda run: run[0] == highlighted):
            found = points(rows, key)
            if found and name == highlighted:
                axes.plot(*zip(*found, strict=True), color=SERIES[0], marker="o", ms=3.5, label=label(name, 28))
            elif found:
                marker = "." if len(found) == 1 else None
                axes.plot(*zip(*found, strict=True), color=MUTED, lw=0.8, alpha=0.55, marker=marker)
        axes.set(xlabel="epoch", ylabel=f"{STAGES[stage]} {METRICS[metric]}")
        if metric == "loss":
            losses = {name: [value for _, value in points(rows, key)] for name, rows in runs.items()}
            top = max(without_leaps(list(losses.values())), without_leaps([losses[highlighted]]))
            cut_leaps(axes, list(losses.values()), top)
        _whole(axes)
        axes.grid(True)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=8)
        return figure


def search_history(trials: Sequence[Tried], title: str, largest: bool) -> "Figure":
    """What each trial reached, and the best so far.

    Args:
        trials: in the order of their numbers.
        title: what they reached.
        largest: whether a large value is good.
    """
    with look():
        figure, axes = panel(HEIGHT)
        _dots(axes, trials, [float(trial.number) for trial in trials])
        best: list[float] = []
        for trial in trials:
            if not trial.early:
                best.append(trial.value if not best else (max if largest else min)(best[-1], trial.value))
            elif best:
                best.append(best[-1])
        numbers = [trial.number for trial in trials][len(trials) - len(best) :]
        axes.step(numbers, best, where="post", color=SERIES[1], label="best so far")
        axes.set(xlabel="trial", ylabel=title)
        _whole(axes)
        axes.grid(True)
        axes.legend(fontsize=8)
        return figure


def importances(shares: Mapping[str, float]) -> "Figure":
    """How much of the difference between trials each setting makes.

    Args:
        shares: by setting, the largest first.
    """
    with look():
        figure, axes = panel(max(1.2, 0.45 + 0.3 * len(shares)))
        names = [label(_last(name), 24) for name in shares]
        axes.barh(range(len(shares)), list(shares.values()), color=SERIES[0], height=0.6)
        axes.set_yticks(range(len(shares)), names)
        axes.invert_yaxis()
        axes.set(xlabel="importance", xlim=(0, 1.12 * max([*shares.values(), 1e-9])))
        for place, share in enumerate(shares.values()):
            axes.text(share, place, f" {share:.2f}", va="center", fontsize=8, color=INK)
        axes.grid(True, axis="x")
        axes.set_axisbelow(True)
        return figure


def search_slice(trials: Sequence[Tried], axis: Axis, title: str) -> "Figure":
    """What trials reached by one of their settings.

    Args:
        trials: those that have the setting.
        axis: of the setting, with the place of each.
        title: what they reached.
    """
    with look():
        figure, axes = panel(HEIGHT)
        if axis.choices:
            names = [label(choice, max(10, 48 // len(axis.choices))) for choice in axis.choices]
            axes.set_xticks(range(len(names)), names, rotation=20 if len(names) > 3 else 0)
            axes.set_xlim(-0.5, len(names) - 0.5)
        elif axis.logarithmic:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axes.xaxis.set_minor_formatter(lambda value, _: "")
        _dots(axes, trials, axis.places)
        axes.set(xlabel=label(axis.name, 44), ylabel=title)
        axes.grid(True)
        axes.legend(fontsize=8)
        return figure


def parallel(trials: Sequence[Tried], settings: Sequence[Axis], title: str, largest: bool) -> "Figure":
    """Each trial as a line over all settings, to what it reached; the best quarter and the best one in colour.

    Inselberg, "The plane with parallel coordinates", 1985.

    Args:
        trials: all of which have each setting.
        settings: two or more, with the places of the trials.
        title: what they reached.
        largest: whether a large value is good.
    """
    columns = [*settings, Axis(title, [trial.value for trial in trials], [], False)]
    heights = [_heights(axis) for axis in columns]
    ranked = sorted(range(len(trials)), key=lambda at: trials[at].value, reverse=not largest)  # the best is drawn last
    good = set(ranked[len(ranked) - max(1, len(ranked) // 4) :])
    with look():
        figure, axes = panel(HEIGHT)
        for at in ranked:
            best = at == ranked[-1]
            colour = SERIES[1] if best else SERIES[0] if at in good else MUTED
            strong = at in good
            axes.plot(
                range(len(columns)),
                [places[at] for places in heights],
                color=colour,
                lw=1.8 if best else 1.1 if strong else 0.7,
                alpha=1 if strong else 0.45,
            )
        for place, axis in enumerate(columns):
            axes.axvline(place, color=GRID, lw=1, zorder=0)
            for height, text in _marks(axis):
                shown = axes.text(place, height, f" {text} ", fontsize=7, color=INK, va="bottom")
                if not axis.choices:
                    shown.set(ha="center", va="top" if height < 0.5 else "bottom")
        axes.set(xlim=(-0.1, len(columns) - 0.55), ylim=(-0.1, 1.1))
        last = [axis.name.rpartition(".")[2] for axis in columns]
        told = [name if last.count(name) == 1 else _last(axis.name) for name, axis in zip(last, columns, strict=True)]
        axes.set_xticks(range(len(columns)), [label(name, 20) for name in told], rotation=16, fontsize=8)
        axes.set_yticks([])
        axes.spines[["left", "bottom"]].set_visible(False)
        lines = [axes.plot([], [], color=colour)[0] for colour in (SERIES[1], SERIES[0], MUTED)]
        names = ("the best", "the best quarter", "others")
        figure.legend(lines, names, fontsize=8, ncols=3, loc="outside upper center")
        return figure


def _heights(axis: Axis) -> list[float]:
    """Where on an axis of height 1 each trial is."""
    last = len(axis.choices) - 1
    low, high = (0.0, float(last)) if axis.choices else (min(axis.places), max(axis.places))
    scaled = math.log if axis.logarithmic else float
    span = scaled(high) - scaled(low)
    return [(scaled(place) - scaled(low)) / span if span else 0.5 for place in axis.places]


def _marks(axis: Axis) -> list[tuple[float, str]]:
    """What is written along an axis: its choices, or the least and the greatest value."""
    last = len(axis.choices) - 1
    if axis.choices:
        return [(place / last, label(choice, 12)) for place, choice in enumerate(axis.choices)]
    return [(-0.02, f"{min(axis.places):.3g}"), (1.02, f"{max(axis.places):.3g}")]


def _dots(axes: "Axes", trials: Sequence[Tried], places: Sequence[float]) -> None:
    pairs = list(zip(places, trials, strict=True))
    for early, name, colour, marker in ((False, "to its end", SERIES[0], "o"), (True, "ended early", MUTED, "x")):
        found = [(place, trial.value) for place, trial in pairs if trial.early == early]
        if found:
            axes.plot(*zip(*found, strict=True), marker, color=colour, ms=4.5, label=name, ls="none")


def _whole(axes: "Axes") -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _last(setting: str) -> str:
    """The last two parts of a setting's name, which tell it from others."""
    return ".".join(setting.split(".")[-2:])
