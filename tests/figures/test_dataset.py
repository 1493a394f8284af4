"""The figures of what a data set is made of."""

import numpy as np
import pytest

from plcnn.figures.dataset import MOST_NAMED, class_counts, picture_sizes, size_cells


def test_bars_stand_on_each_other() -> None:
    axes = class_counts({"training": [6, 2], "test": [1, 3]}, ["a", "b"]).axes[0]
    bars = [[(bar.get_x(), bar.get_width()) for bar in bars] for bars in axes.containers]
    assert bars == [[(0, 6), (0, 2)], [(6, 1), (2, 3)]]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["a", "b"]


def test_many_classes_are_a_curve_from_the_largest_on() -> None:
    number = MOST_NAMED + 1
    axes = class_counts({"training": range(number)}, [f"c{n}" for n in range(number)]).axes[0]
    corners = axes.collections[0].get_paths()[0].vertices
    for place in (0, 7, number - 1):
        assert corners[corners[:, 0] == place][:, 1].max() == number - 1 - place
    assert not any(text.get_text() == "c1" for text in axes.get_yticklabels())


def test_sizes_close_to_each_other_share_a_dot() -> None:
    sizes = np.array([[100, 200]] * 5 + [[102, 203]] + [[3000, 50]])
    cells = size_cells(sizes)
    assert [(round(c.width, 1), round(c.height, 1), c.pictures) for c in cells] == [(200.5, 100.3, 6), (50, 3000, 1)]
    axes = picture_sizes(cells, (32, 32)).axes[0]
    assert len(axes.collections[0].get_offsets()) == 2
    areas = axes.collections[0].get_sizes()
    assert areas[0] - 24 == pytest.approx(6 * (areas[1] - 24))


@pytest.mark.parametrize("count", [0, 1, 100_000])
def test_dots_are_bounded(count: int) -> None:
    sizes = np.random.default_rng(0).integers(1, 10_000, (count, 2))
    cells = size_cells(sizes)
    assert sum(cell.pictures for cell in cells) == count and len(cells) <= 1400
    picture_sizes(cells[:5], (32, 32))
