"""Figures of a search: losses that leap, and all settings at once."""

import math

import pytest

from plcnn.figures import compared
from plcnn.figures.curves import without_leaps
from plcnn.figures.search import Axis, Tried, bundle, parallel
from plcnn.figures.style import SERIES, as_svg


@pytest.mark.parametrize(
    ("losses", "top"),
    [
        ([[2.3, 1.0, 0.1], [2.2, 6.5]], 6.5),  # below a guess nothing has leapt
        ([[2.3, 1.0], [2.0, 0.5, 80.0, 1e9]], 2.3),  # late, and what was before it is in the figure
        ([[2.3, 1.0], [2.1, 0.9], [44.0, 60.0]], 2.3),  # from the first epoch on
        ([[30.0, 20.0], [25.0, 9.0], [80.0, 70.0]], 80.0),  # large, but much as the others
        ([[2.3, 1.0], [2.0, 40.0], [2.1, 50.0], [1.9, 60.0]], 2.3),  # most of them, late
        ([[2.0, math.nan], [2.1, math.inf]], 2.1),
        ([[], [math.nan]], 0.0),
    ],
)
def test_the_greatest_loss_that_has_not_leapt(losses: list[list[float]], top: float) -> None:
    assert without_leaps(losses) == top


def test_losses_beyond_the_figure_are_told() -> None:
    values = {"trial_0": [2.3, 0.5, 0.4], "trial_1": [2.2, 0.6, 900.0], "trial_2": [2.4, 0.9, 0.8]}
    runs = {
        name: [{"epoch": float(at), "val/loss": loss, "val/acc": loss} for at, loss in enumerate(found, 1)]
        for name, found in values.items()
    }
    for figure in (compared(runs, "val/loss"), bundle(runs, "val/loss", "trial_0")):
        (axes,) = figure.axes
        assert axes.get_ylim() == pytest.approx((0, 1.15 * 2.4))
        assert axes.get_title(loc="left") == "1 of 3 runs beyond the figure"
    assert bundle(runs, "val/loss", "trial_1").axes[0].get_title(loc="left")
    assert not compared(runs, "val/acc").axes[0].get_title(loc="left")
    del runs["trial_1"]
    assert not compared(runs, "val/loss").axes[0].get_title(loc="left")


@pytest.mark.parametrize("largest", [True, False])
def test_a_line_goes_through_a_trials_settings_to_what_it_reached(largest: bool) -> None:
    trials = [Tried(number, value, False) for number, value in enumerate((0.2, 0.6, 0.4))]
    settings = [
        Axis("model.optimizer.lr", [1e-3, 1e-1, 1e-2], [], True),
        Axis("data.augment", [2, 0, 1], ["none", "flip", "shift"], False),
        Axis("data.size", [8, 8, 8], [], False),
    ]
    figure = parallel(trials, settings, "validation accuracy", largest)
    (axes,) = figure.axes
    lines = [list(line.get_ydata()) for line in axes.lines if len(line.get_xdata()) == 4]
    expected = [[0.0, 1.0, 0.5, 0.0], [0.5, 0.5, 0.5, 0.5], [1.0, 0.0, 0.5, 1.0]]
    for line, wanted in zip(lines, expected if largest else reversed(expected), strict=True):  # the best is the last
        assert line == pytest.approx(wanted)
    assert [line.get_color() for line in axes.lines].index(SERIES[1]) == 2
    assert {"0.001", "0.1", "none", "flip", "shift"} <= {text.get_text().strip() for text in axes.texts}
    assert [text.get_text() for text in axes.get_xticklabels()] == ["lr", "augment", "size", "validation accuracy"]
    assert "var(--series-2)" in as_svg(figure, "x")
