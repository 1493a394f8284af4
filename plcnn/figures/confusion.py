"""The confusion matrix: which class is taken for which."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from plcnn.figures.style import INK, SERIES, WIDTH, label, look, panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_NUMBERED = 12
"""Classes with which the cells hold numbers."""

MOST_NAMED = 30
"""Classes with which the rows and columns have their names."""

MOST_CELLS = 100
"""Rows and columns; of more classes, several next to each other share a cell."""

_DARK = 0.75
"""How dense a cell's colour is from which on its number is white."""


def confusion(counts: Tensor, classes: Sequence[str]) -> "Figure":
    """A matrix of what was taken for what: hits in one colour, mistakes in another, denser the more there are.

    The share of its row makes a hit's density; a mistake's is relative to the greatest share of all mistakes. A cell of
    several classes has the density of the greatest.

    Args:
        counts: (classes, classes), pictures by truth (rows) and prediction (columns).
        classes: their names.
    """
    from matplotlib.colors import to_rgb

    number = len(classes)
    table = counts.cpu().double().numpy()
    shares = table / np.maximum(table.sum(1, keepdims=True), 1)
    wrong = shares * (1 - np.eye(number))
    density = 0.9 * np.sqrt(_blocks(wrong) / max(wrong.max(initial=0), 1e-12))
    hits = np.eye(len(density), dtype=bool)
    density[hits] = _blocks(np.diag(shares.diagonal()))[hits]
    cells = np.zeros((*density.shape, 4))
    cells[..., :3] = np.where(hits[..., None], to_rgb(SERIES[0]), to_rgb(SERIES[1]))
    cells[..., 3] = density
    with look():
        figure, axes = panel(WIDTH * 0.98)
        edge = len(cells) * block(number) - 0.5
        axes.imshow(cells, interpolation="none", extent=(-0.5, edge, edge, -0.5))
        axes.set(xlabel="predicted", ylabel="truth")
        axes.spines[:].set_visible(True)
        if number <= MOST_NAMED:
            names = [label(name, 12) for name in classes]
            size = 8 if number <= MOST_NUMBERED else 5
            axes.set_xticks(range(number), names, rotation=90, fontsize=size)
            axes.set_yticks(range(number), names, fontsize=size)
        if number <= MOST_NUMBERED:
            for row, column in zip(*table.nonzero(), strict=True):
                colour = "white" if density[row, column] > _DARK else INK
                text = f"{table[row, column]:.0f}"
                axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=7 if len(text) < 5 else 6)
        return figure


def block(number: int) -> int:
    """How many classes share a row or column.

    Args:
        number: of classes.
    """
    return -(-number // MOST_CELLS)


def _blocks(values: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """The greatest value of each block."""
    size = block(len(values))
    padded = np.pad(values, (0, -len(values) % size))
    greatest: np.ndarray[Any, Any] = padded.reshape(len(padded) // size, size, -1, size).max((1, 3))
    return greatest
