"""The page in a browser: its figures say their numbers, and it asks for nothing."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from plcnn.examples import examples
from plcnn.outputs import Outputs
from plcnn.report import single
from plcnn.report.page import picture_data
from plcnn.report.record import Record
from plcnn.results import Result

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
CLASSES = ["<script>document.title = 'bad'</script>", "</script><b>x</b>", *(f"class {n}" for n in range(28))]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a made-up run of grey pictures."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(30, (300,), generator=generator)
    logits = torch.randn(300, 30, generator=generator) + 3 * torch.nn.functional.one_hot(labels, 30)
    outputs = Outputs(logits, labels)
    kept = {
        kind: (places, torch.randint(256, (len(places), 1, 9, 7), dtype=torch.uint8, generator=generator))
        for kind, places in examples(outputs, 5).items()
    }
    figures = {
        "checkpoint": "last.ckpt",
        "pictures": 300,
        "loss": 1.0,
        "acc": float(outputs.right.float().mean()),
        "temperature": 0.5,
    }
    rows = [{"epoch": n, "train/acc": n / 10, "val/acc": n / 20, "train/loss": 1 / n} for n in range(1, 9)]
    folder = tmp_path_factory.mktemp("run")
    result = Result(folder / "test.json", figures, outputs, torch.arange(300), kept)
    return single.write(Record(folder, rows, {}, [], result, CLASSES, None, ["A <b>note</b>."]))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM:
        pytest.skip("there is no Chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_figures_say_their_numbers_and_nothing_is_asked_for(browser: Any, report: Path, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800}, has_touch=True)
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(report.as_uri())
    assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()] and said == []
    assert page.title().endswith("report") and page.locator("b").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    curve = page.locator(".drawn").first
    tip = curve.locator(".tip")
    assert not tip.is_visible()
    curve.focus()
    for text in ("epoch 1\ntraining 0.100\nvalidation 0.050", "epoch 2\ntraining 0.200\nvalidation 0.100"):
        page.keyboard.press("ArrowRight")
        assert tip.is_visible() and tip.text_content() == text
    page.keyboard.press("Escape")
    assert not tip.is_visible()
    canvas = curve.locator(".canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] * 0.97, box["y"] + box["height"] / 2)
    assert tip.text_content() == "epoch 8\ntraining 0.800\nvalidation 0.400"
    matrix = page.locator(".drawn", has_text="confusion matrix")
    matrix.locator(".canvas").hover(position={"x": 30, "y": 3})
    assert "→" in matrix.locator(".tip").text_content() and "picture" in matrix.locator(".tip").text_content()
    page.close()


def test_a_mark_stands_on_its_point(browser: Any, report: Path) -> None:
    page = browser.new_page(viewport={"width": 800, "height": 800})
    page.goto(report.as_uri())
    curve = page.locator(".drawn").first
    curve.focus()
    page.keyboard.press("ArrowRight")
    mark = curve.locator(".mark").bounding_box()
    dots = curve.locator("svg use").evaluate_all("all => all.map(dot => dot.getBoundingClientRect().toJSON())")
    middles = [dot["x"] + dot["width"] / 2 for dot in dots]
    assert min(abs(middle - mark["x"] - mark["width"] / 2) for middle in middles) < 1.5
    matrix = page.locator(".drawn", has_text="confusion matrix")
    matrix.focus()
    page.keyboard.press("ArrowRight")
    assert matrix.locator(".tip").text_content().startswith(f"{CLASSES[0]} → {CLASSES[0]}\n")
    room, mark = (matrix.locator(part).bounding_box() for part in (".canvas", ".mark"))
    assert mark["y"] - room["y"] < 0.1 * room["height"]
    page.close()


def test_pictures_stay_as_they_are_where_they_are_small() -> None:
    import base64
    from io import BytesIO

    import numpy as np
    from PIL import Image

    for shape, kind, size in (
        ((3, 32, 20), "png", (20, 32)),
        ((1, 28, 28), "png", (28, 28)),
        ((3, 200, 400), "jpeg", (192, 96)),
    ):
        image = torch.randint(256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
        head, _, data = picture_data(image).partition(",")
        read = Image.open(BytesIO(base64.b64decode(data)))
        assert head == f"data:image/{kind};base64" and read.size == size
        if kind == "png":
            expected = image[0] if len(image) == 1 else image.permute(1, 2, 0)
            assert np.array_equal(np.asarray(read), expected.numpy())
