"""What a data set is made of: pictures of each class, and the sizes of pictures."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from plcnn.figures.style import INK, SERIES, WIDTH, label, look, panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_NAMED = 40
"""Classes with which each has a bar with its name; of more, a curve is drawn, the largest class first."""

_BAR = 0.2  # inches
_BINS = 36


def class_counts(counts: Mapping[str, Sequence[int]], classes: Sequence[str]) -> "Figure":
    """How many pictures each class has, those of each part in a colour of their own.

    Args:
        counts: of each part by its name: pictures of each class.
        classes: their names.
    """
    from matplotlib.ticker import MaxNLocator

    named = len(classes) <= MOST_NAMED
    values = {name: np.array(numbers) for name, numbers in counts.items()}
    order = np.arange(len(classes))
    if not named:
        order = np.argsort(-np.sum(list(values.values()), axis=0), kind="stable")
    with look():
        figure, axes = panel(max(2.4, 0.9 + _BAR * len(classes)) if named else 3.2)
        places, start = np.arange(len(classes)), np.zeros(len(classes))
        for (name, numbers), colour in zip(values.items(), SERIES, strict=False):
            numbers = numbers[order]
            if named:
                axes.barh(places, numbers, 0.78, left=start, color=colour, label=name)
            else:
                axes.fill_between(places, start, start + numbers, color=colour, label=name, lw=0)
            start = start + numbers
        if named:
            axes.set_yticks(places, [label(name) for name in classes], fontsize=8)
            axes.set(xlabel="pictures", ylim=(len(classes) - 0.4, -0.6))
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
            axes.grid(True, axis="x")
        else:
            axes.set(xlabel=f"{len(classes):,} classes, the largest first", ylabel="pictures", ylim=(0, None))
            axes.grid(True)
        axes.set_axisbelow(True)
        if len(values) > 1:
            figure.legend(fontsize=8, loc="outside upper center", ncols=3)
        return figure


class Cell(NamedTuple):
    """Pictures of about the same size.

    Attributes:
        width: the mean, in pixels.
        height: the mean, in pixels.
        pictures: how many there are.
    """

    width: float
    height: float
    pictures: int


def size_cells(sizes: np.ndarray) -> list[Cell]:
    """Bring pictures of about the same width and height together.

    Args:
        sizes: (pictures, 2), height and width, at least one pixel.
    """
    if not len(sizes):
        return []
    logs = np.log2(sizes.astype(np.float64))
    low, high = logs.min(), logs.max()
    step = max((high - low) / _BINS, 0.02)
    bins = ((logs - low) / step).astype(np.int64)
    cells, which = np.unique(bins[:, 0] * (_BINS + 1) + bins[:, 1], return_inverse=True)
    number = np.bincount(which, minlength=len(cells))
    height, width = (np.bincount(which, sizes[:, side], len(cells)) / number for side in (0, 1))
    return [Cell(*values) for values in zip(width.tolist(), height.tolist(), number.tolist(), strict=True)]


def picture_sizes(cells: Sequence[Cell], wanted: tuple[int, int]) -> "Figure":
    """Widths and heights on logarithmic axes; a dot's area grows with its pictures.

    Args:
        cells: what `size_cells` returns.
        wanted: height and width that pictures are brought to.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    most = max((cell.pictures for cell in cells), default=1)
    with look():
        figure, axes = panel(WIDTH)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.scatter(
            [cell.width for cell in cells],
            [cell.height for cell in cells],
            s=[24 + 240 * cell.pictures / most for cell in cells],
            color=SERIES[0],
            alpha=0.6,
            lw=0,
        )
        height, width = wanted
        axes.plot([width], [height], "+", color=INK, ms=11, mew=1.6, label=f"brought to {width} × {height}")
        sides = [side for cell in cells for side in (cell.width, cell.height)] + [height, width]
        limits = (min(sides) / 1.4, max(sides) * 1.4)
        axes.plot(limits, limits, ":", color=SERIES[1], lw=1, label="squares")
        axes.set(xlabel="width", ylabel="height", xlim=limits, ylim=limits, aspect="equal")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(LogLocator(10, subs=(1.0, 2.0, 5.0)))
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_formatter(NullFormatter())
        axes.grid(True)
        axes.legend(fontsize=8)
        return figure
