"""Folders of small pictures, drawn from random colours."""

from collections.abc import Callable
from pathlib import Path

import pytest
from inspection.subjects import blotches


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """Make a folder of classes with different pictures in each."""

    def make(
        *classes: str, each: int = 30, parts: tuple[str, ...] = ("train", "val", "test"), root: str = "set"
    ) -> Path:
        seed = 0
        for part in parts:
            for name in classes:
                place = tmp_path / root / part / name
                place.mkdir(parents=True)
                for number in range(each if part == "train" else each // 3):
                    blotches(seed).save(place / f"{number:02}.png")
                    seed += 1
        return tmp_path / root

    return make
