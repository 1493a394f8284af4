"""The figures, and the two forms in which they are written."""

import re
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from plcnn.calibration import expected_calibration_error
from plcnn.figures import compared, confusion, curve, curves, pictures, reliability
from plcnn.figures.confusion import MOST_CELLS, MOST_NAMED, MOST_NUMBERED
from plcnn.figures.reliability import binned
from plcnn.figures.style import INK, NAMES, SERIES, as_png, as_svg

ROWS = [
    {"epoch": 1, "train/acc": 0.25, "train/loss": 2.0, "val/acc": 0.5, "val/loss": 1.5},
    {"epoch": 2, "train/acc": 0.75, "train/loss": 1.0},
    {"epoch": 3, "train/acc": 0.875, "train/loss": 0.5, "val/acc": 0.625, "val/loss": 1.25},
]


def test_curves_hold_what_was_measured() -> None:
    lines = {line.get_label(): line.get_xydata().tolist() for line in curve(ROWS, "acc").axes[0].lines}
    assert lines == {"training": [[1, 0.25], [2, 0.75], [3, 0.875]], "validation": [[1, 0.5], [3, 0.625]]}
    assert len(curves(ROWS).axes) == 2
    assert not curve([], "loss").axes[0].lines


def test_a_run_keeps_its_colour_in_every_figure_of_a_comparison() -> None:
    for key in ("val/acc", "train/loss"):
        lines = compared({"unmeasured": ROWS[1:2] if "val" in key else ROWS, "measured": ROWS}, key).axes[0].lines
        assert [line.get_color() for line in lines if line.get_label() == "measured"] == [SERIES[1]]


def test_a_matrix_tells_hits_from_mistakes() -> None:
    counts = torch.tensor([[8, 2, 0], [0, 10, 0], [4, 0, 6]])
    axes = confusion(counts, ["a", "b", "c"]).axes[0]
    alpha = np.asarray(axes.images[0].get_array())[..., 3]
    assert alpha.diagonal() == pytest.approx([0.8, 1.0, 0.6])
    assert alpha[2, 0] == pytest.approx(0.9) and alpha[0, 1] == pytest.approx(0.9 * 0.5**0.5)
    assert (alpha[counts.numpy() == 0] == 0).all()
    assert {t.get_text(): t.get_position() for t in axes.texts} == {
        "8": (0, 0), "2": (1, 0), "10": (1, 1), "4": (0, 2), "6": (2, 2)
    }  # fmt: skip


@pytest.mark.parametrize("number", [2, MOST_NUMBERED + 1, MOST_NAMED + 1, 2 * MOST_CELLS + 1])
def test_a_matrix_of_many_classes_stays_readable(number: int) -> None:
    counts = torch.eye(number).long() * 3
    counts[number - 1, 0] = 1
    axes = confusion(counts, [f"class {n}" for n in range(number)]).axes[0]
    cells = np.asarray(axes.images[0].get_array())
    assert len(cells) <= MOST_CELLS and len(cells) == min(number, 67)
    assert cells[-1, 0, 3] == pytest.approx(0.9)
    assert bool(axes.texts) == (number <= MOST_NUMBERED)
    assert ("class 1" in [t.get_text() for t in axes.get_xticklabels()]) == (number <= MOST_NAMED)


def test_bins_add_up_to_the_calibration_error() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(500, 4, generator=generator) * 2, torch.randint(4, (500,), generator=generator)
    shares = logits.softmax(1)
    found = binned(shares, labels)
    assert found.counts.sum() == 500
    error = (found.counts / 500 * (found.accuracy - found.confidence).abs()).sum()
    assert float(error) == pytest.approx(expected_calibration_error(shares, labels), abs=1e-6)
    assert len(reliability(shares, labels, shares).axes[0].lines) == 3


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_keep_their_pixels_and_shape(channels: int) -> None:
    images = torch.randint(256, (7, channels, 4, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    axes = pictures(images, [f"truth {n}\nsaid" for n in range(7)], columns=3).axes[0]
    assert len(axes.images) == 7 and len(axes.texts) == 7
    for shown, image in zip(axes.images, images, strict=True):
        expected = image[0] if channels == 1 else image.permute(1, 2, 0)
        assert np.array_equal(np.asarray(shown.get_array()), expected.numpy())
        left, right, bottom, top = shown.get_extent()
        assert (right - left) / (bottom - top) == pytest.approx(2)
    assert as_png(pictures(images[:0], []))


def test_a_png_is_on_white_and_an_svg_has_names_for_its_colours() -> None:
    names = ["<b>", "$x$", "猫", "line\nbreak", "\x1b[31m", "x" * 99]
    figure = confusion(torch.eye(6).long(), names)
    image = Image.open(BytesIO(as_png(figure)))
    assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    svg = as_svg(figure, 'a "title"')
    assert svg.startswith("<svg") and 'aria-label="a &quot;title&quot;"' in svg.split(">")[0]
    assert "&lt;b&gt;" in svg and "$x$" in svg and r"line\nbreak" in svg and r"\x1b[31m" in svg
    assert "var(--ink)" in svg and not [colour for colour in NAMES if colour in svg]
    once, again = (as_svg(confusion(torch.eye(6).long(), names), "the same") for _ in range(2))
    assert once == again
    assert not re.findall(r'(?:href|src)="(?!data:|#)', svg) and "font-family" not in svg
    assert INK not in as_svg(curve(ROWS, "acc"), "curve") and "var(--series-2)" in as_svg(curve(ROWS, "acc"), "curve")
