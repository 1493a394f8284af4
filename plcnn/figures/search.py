"""What a sweep found: curves of many runs over each other, and how a search's settings made for its values."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from plcnn.figures.curves import HEIGHT, METRICS, STAGES, Rows, points
from plcnn.figures.style import INK, MUTED, SERIES, label, look, panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_ROOM = 1.15


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


def bundle(runs: Mapping[str, Rows], key: str, highlighted: str) -> "Figure":
    """A metric of many runs by the epoch, one of them highlighted; a loss that leaps is cut off.

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
            greatest = {
                name: max((value for _, value in points(rows, key)), default=0.0) for name, rows in runs.items()
            }
            axes.set_ylim(0, _ROOM * max(median(greatest.values()), greatest[highlighted]))
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


def search_slice(
    trials: Sequence[Tried],
    places: Sequence[float],
    choices: Sequence[str],
    setting: str,
    title: str,
    logarithmic: bool,
) -> "Figure":
    """What trials reached by one of their settings.

    Args:
        trials: those that have the setting.
        places: its value in each; its place among the choices where there are some.
        choices: what it is one of; empty for a number.
        setting: its name.
        title: what they reached.
        logarithmic: whether its axis is.
    """
    with look():
        figure, axes = panel(HEIGHT)
        if choices:
            names = [label(choice, max(10, 48 // len(choices))) for choice in choices]
            axes.set_xticks(range(len(names)), names, rotation=20 if len(names) > 3 else 0)
            axes.set_xlim(-0.5, len(names) - 0.5)
        elif logarithmic:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axes.xaxis.set_minor_formatter(lambda value, _: "")
        _dots(axes, trials, places)
        axes.set(xlabel=label(setting, 44), ylabel=title)
        axes.grid(True)
        axes.legend(fontsize=8)
        return figure


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
