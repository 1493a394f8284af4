"""`fit` on files: prepared, found again, or streamed, it trains on the same; the opening says where they lie."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support import Outcome

Command = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def _folder() -> None:
    random = np.random.default_rng(0)
    for label in "ab":
        Path("set", label).mkdir(parents=True)
        for number in range(30):
            values = random.integers(256, size=(12, 9, 3), dtype=np.uint8) // (2 if label == "a" else 1)
            Image.fromarray(values).save(f"set/{label}/{number}.png")


def fit(plcnn: Command, *arguments: str) -> Outcome:
    return plcnn(
        *("fit", "--data.source", "folder", "--data.root", "set", "--data.image_size", "8", "--model.arch", "linear"),
        *("--trainer.accelerator", "cpu", "--trainer.max_epochs", "2", "--tensorboard.figures_every_n_epochs", "0"),
        *("--data.cache_dir", "kept", *arguments),
    )


def metrics(version: int) -> list[list[str]]:
    """Rows of the history without what a clock says."""
    lines = [line.split(",") for line in Path(f"tb_logs/run/version_{version}/history.csv").read_text().splitlines()]
    timed = [number for number, name in enumerate(lines[0]) if name in ("seconds", "pictures/s")]
    return [[cell for number, cell in enumerate(line) if number not in timed] for line in lines]


def test_prepared_found_and_streamed_pictures_train_the_same(plcnn: Command) -> None:
    prepared, found, streamed = fit(plcnn), fit(plcnn), fit(plcnn, "--data.cache_gb", "0.000001")
    for outcome in (prepared, found, streamed):
        assert outcome.code == 0, outcome.err
    assert metrics(0) == metrics(1) == metrics(2) and len(metrics(0)) == 3
    # 54 of 60 pictures, 3 × 8 × 8
    assert "pictures   10.4 kB prepared in kept/" in prepared.out and "prepared in kept/" in found.out
    assert "pictures   read anew each epoch: they would take 10.4 kB, more than --data.cache_gb 1e-06" in streamed.out


def test_a_limit_that_is_none_is_told(plcnn: Command) -> None:
    outcome = fit(plcnn, "--data.cache_gb", "-1")
    assert outcome.code == 2 and "--data.cache_gb: got -1.0; allowed: 0 or more" in outcome.err


def test_what_cannot_be_read_is_told_before_training_though_it_was_found_in_an_earlier_run(plcnn: Command) -> None:
    Path("set/a/3.png").write_bytes(b"no picture")
    for gb in ("1", "0"):
        outcome = fit(plcnn, "--data.cache_gb", gb)
        assert outcome.code == 1 and "a/3.png (no picture)" in outcome.err and "epoch 1" not in outcome.out
