"""The page of `plcnn check`, of pictures that are very many, and of names that are code."""

import re
from typing import Any

import numpy as np
import pytest
from inspection.subjects import Nameless, clean, subject

from plcnn.data.scaling import Scaling
from plcnn.inspection import page, thumbnails
from plcnn.inspection.facts import facts
from plcnn.inspection.findings import look


class _Squares(Nameless):
    """Plain squares with a name that is code."""

    def picture(self, index: int) -> Any:
        return np.full((40, 40, 3), index % 256, np.uint8)

    def name(self, index: int) -> str:
        return f"<script>{index}</script>\u202e"


def _page(given: dict[str, Any]) -> str:
    looked_at = subject(given)
    told = {"data": "<i>data</i>", "files": ["check.json"]}
    return page.content(looked_at, facts(looked_at, Scaling([0.5] * 3, [0.25] * 3)), look(looked_at), told)


def test_the_page_of_very_many_pictures_stays_small() -> None:
    given = clean(20_000, 1000)
    given["pictures"] = _Squares(20_000)
    survey = given["survey"]
    survey.exact[15_000:] = survey.exact[:5000]  # copies in all parts
    survey.sizes[:] = np.random.default_rng(0).integers(20, 4000, (20_000, 2))
    survey.modes[:] = ["CMYK"] * 20_000
    survey.faults = dict.fromkeys(range(8000, 9000), "no picture")
    text = _page(given)
    assert 300 < text.count("<img") <= thumbnails.MOST
    assert len(text) < 2_000_000
    assert text.count("<td>no picture</td>") == page.MOST_NAMES
    assert "800 more" in text and "36 of 20" not in text
    assert "800 smaller classes" in text


def test_pictures_shown_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnails, "MOST", 5)
    given = clean(60)
    given["pictures"] = _Squares(60)
    given["survey"].exact[40:] = given["survey"].exact[:20]
    assert len(set(re.findall(r'<img src="([^"]+)"', _page(given)))) == 5


def test_names_are_text() -> None:
    given = clean(60)
    given["pictures"], given["classes"] = _Squares(60), ["<b>a</b>", "$b & \udcff"]
    given["survey"].exact[50] = given["survey"].exact[0]
    text = _page(given)
    assert "<script>0" not in text and "<b>" not in text and "<i>" not in text
    assert "&lt;script&gt;0&lt;/script&gt;\\u202e" in text and "&lt;b&gt;a&lt;/b&gt;" in text
    assert "$b &amp; \\udcff" in text and text.encode() and "\u202e" not in text
    assert "--model.mean" in text and "(<code>--data.groups</code>)." in text


def test_pictures_that_are_gone_by_now_are_said_to_be_not_shown() -> None:
    given = clean(60)
    given["survey"].exact[50] = given["survey"].exact[0]
    text = _page(given)
    assert "<img" not in text and "not shown" in text and "p50" in text
