"""However many processes share them, pictures are counted and predicted exactly once."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from ranks import Fork, all_well, ends, start
from support import TINY, Outcome

from plcnn.api import load
from plcnn.calibration import fit_temperature
from plcnn.results import read, results_in

DEEP = ["--model.arch", "keras_cnn", "--model.arch.widths", "[4]", "--model.arch.dropouts", "[0]"]
RUN = Path("tb_logs/run/version_0")


def measured(outcome: Outcome) -> tuple[float, str]:
    """The printed loss, and accuracy with counts to the last digit."""
    found = re.search(r"loss ([\d.]+)  (acc [\d.]+  \([\d,]+ of [\d,]+ pictures\))", outcome.out)
    assert found, outcome
    return float(found[1]), found[2]


@pytest.mark.parametrize(
    ("size", "batch_size"),
    [
        pytest.param(91, 10, id="no process has as many as another"),
        pytest.param(100, 9, id="one process has one more"),
        pytest.param(10, 64, id="fewer than a batch"),
    ],
)
def test_one_two_and_three_processes_test_the_same(
    fork: Fork, plcnn: Callable[..., Outcome], size: int, batch_size: int
) -> None:
    sizes = ["--data.source.test_size", size, "--data.batch_size", batch_size]
    assert plcnn("fit", *TINY, *DEEP, *sizes, "--trainer.max_epochs", "1", "--data.source.train_size", "40").code == 0
    alone = measured(plcnn("test", "--ckpt_path", RUN))
    assert f"of {size} pictures" in alone[1]
    for world in (2, 3):
        ranks = start(fork, world, "test", "--ckpt_path", RUN.absolute(), folder=Path(f"of_{world}"))
        outcomes = all_well(ranks)
        loss, accuracy = measured(outcomes[0])
        assert accuracy == alone[1]
        assert loss == pytest.approx(alone[0], abs=1.1e-4)  # the last digit that is printed
        assert not any("pictures)" in outcome.out for outcome in outcomes[1:])
    outputs, *others = (read(path).outputs for path in results_in(RUN, "test"))
    assert outputs and len(outputs.labels) == size and len(others) == 2
    for other in others:  # picture by picture, in the order of the set
        assert other and torch.equal(other.labels, outputs.labels)
        torch.testing.assert_close(other.logits, outputs.logits)


def test_fewer_pictures_than_processes_is_one_line(fork: Fork) -> None:
    # one validation picture of twenty
    sizes = ["--data.source.train_size", "20", "--data.val_fraction", "0.05"]
    for outcome in ends(start(fork, 2, "fit", *TINY, *sizes, folder=Path("of_2"))):
        assert outcome.code == 1
        assert outcome.err.strip() == "error: The val set has 1 pictures for 2 devices; use fewer."


def test_validation_counts_every_picture_once(fork: Fork, plcnn: Callable[..., Outcome]) -> None:
    # 21 validation pictures in batches of 10: the first rank has two batches, the other one
    sizes = ["--data.source.train_size", "210", "--data.batch_size", "10", "--trainer.max_epochs", "2"]
    outcomes = all_well(start(fork, 2, "fit", *TINY, *DEEP, *sizes, folder=Path("fitted")))
    assert "batches of 10 (effective 20), 10 an epoch" in outcomes[0].out and outcomes[0].out.count("epoch 2/2") == 1
    line = re.search(r"epoch 2/2 .*val_loss ([\d.]+)  val_acc ([\d.]+)", outcomes[0].out)
    run = Path("fitted/run/version_0")
    assert [path.name for path in run.parent.iterdir()] == [run.name]
    alone = plcnn("validate", "--ckpt_path", run / "checkpoints" / "last.ckpt")
    assert line and f"acc {line[2]}" in alone.out and "of 21 pictures" in alone.out
    assert measured(alone)[0] == pytest.approx(float(line[1]), abs=1.1e-4)
    (kept,) = (read(path).outputs for path in results_in(run, "validate"))
    assert kept and load(run / "checkpoints" / "last.ckpt").temperature == pytest.approx(fit_temperature(*kept))


def test_every_picture_is_predicted_however_many_the_processes(fork: Fork, plcnn: Callable[..., Outcome]) -> None:
    assert plcnn("fit", *TINY, "--trainer.max_epochs", "1").code == 0
    Image.new("RGB", (8, 8), "red").save("red.png")
    asked = ["predict", "--ckpt_path", RUN.absolute(), "--data.pictures", f"[{Path('red.png').absolute()}]"]
    outcomes = all_well(start(fork, 2, *asked, folder=Path("of_2")))
    assert outcomes[0].out == plcnn(*asked).out and outcomes[0].out.count("red.png") == 1 and not outcomes[1].out
