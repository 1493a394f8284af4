"""What is drawn for trackers: every number of classes and channels, classes without a picture, logits that are none."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from plcnn.classifier import Classifier
from plcnn.outputs import Outputs
from plcnn.run_logger import RunLogger
from plcnn.tracking.pictures import log_outputs, training_grid

PICTURES = 60


def drawn(folder: Path, classes: list[str], outputs: Outputs, shape: tuple[int, int, int] = (3, 8, 8)) -> Any:
    """What an event file holds of the outputs, drawn at epoch 3."""
    images = torch.randint(0, 256, (len(outputs.labels), *shape), dtype=torch.uint8)
    run = folder / "run" / "version_0"
    run.mkdir(parents=True)
    trainer: Any = SimpleNamespace(
        lightning_module=Classifier(classes, shape, arch="linear"),  # type: ignore[arg-type]
        datamodule=SimpleNamespace(sets={"val": (images, outputs.labels)}),
        loggers=[RunLogger(run)],
        is_global_zero=True,
    )
    log_outputs(trainer, "val", outputs, 3, 30)
    trainer.loggers[0].experiment.close()
    events = EventAccumulator(str(run))
    events.Reload()
    return events


def outputs_of(classes: int, labels: torch.Tensor) -> Outputs:
    return Outputs(torch.randn(len(labels), classes, generator=torch.Generator().manual_seed(0)), labels)


def test_a_precision_recall_curve_says_what_counting_says(tmp_path: Path) -> None:
    outputs = outputs_of(4, torch.arange(PICTURES) % 4)
    events = drawn(tmp_path, ["cat", "dog", "a/b", "ship & <i>"], outputs)
    (point,) = events.Tensors("val precision-recall/dog")
    found = np.array(point.tensor_proto.float_val).reshape(6, 127)
    assert point.step == 3
    share, is_dog = outputs.logits.softmax(1)[:, 1].numpy(), (outputs.labels == 1).numpy()
    for place in (0, 20, 50, 80):
        taken = np.floor(share * 126) >= place
        counts = [(taken & is_dog).sum(), (taken & ~is_dog).sum(), (~taken & ~is_dog).sum(), (~taken & is_dog).sum()]
        assert found[:4, place].tolist() == counts
    assert sorted(events.Tags()["images"]) == ["val/calibration", "val/confusion matrix", "val/mistakes"]


def test_a_class_without_pictures_has_no_curve(tmp_path: Path) -> None:
    events = drawn(tmp_path, ["cat", "dog", "ship"], outputs_of(3, torch.arange(PICTURES) % 2))
    assert events.Tags()["tensors"] == ["val precision-recall/cat", "val precision-recall/dog"]


def test_many_classes_share_a_curve_and_grey_pictures_are_drawn(tmp_path: Path) -> None:
    names = [f"class {n}" for n in range(100)]
    events = drawn(tmp_path, names, outputs_of(100, torch.arange(PICTURES)), (1, 8, 8))
    (point,) = events.Tensors("val precision-recall/all classes")
    found = np.array(point.tensor_proto.float_val).reshape(6, 127)
    assert found[:2, 0].tolist() == [PICTURES, PICTURES * 99]
    assert len(events.Tags()["images"]) == 3


def test_without_a_mistake_none_is_drawn(tmp_path: Path) -> None:
    labels = torch.arange(PICTURES) % 3
    logits = torch.nn.functional.one_hot(labels, 3).float()
    tags = drawn(tmp_path, ["cat", "dog", "ship"], Outputs(logits, labels)).Tags()
    assert sorted(tags["images"]) == ["val/calibration", "val/confusion matrix"]


def test_logits_that_are_no_numbers_are_not_drawn(tmp_path: Path) -> None:
    outputs = Outputs(torch.full((PICTURES, 3), torch.nan), torch.arange(PICTURES) % 3)
    assert not drawn(tmp_path, ["cat", "dog", "ship"], outputs).Tags()["images"]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("as_floats", [False, True])
def test_the_grid_holds_each_training_picture_enlarged(channels: int, as_floats: bool) -> None:
    images = torch.randint(0, 256, (9, channels, 8, 8), dtype=torch.uint8)
    batch = SimpleNamespace(images=images / 255 if as_floats else images)
    trainer: Any = SimpleNamespace(datamodule=SimpleNamespace(train_dataloader=lambda place: iter([batch])))
    grid = training_grid(trainer, 4)
    factor = 512 // (2 * 8)
    assert grid.shape == (2 * (8 * factor + 2) + 2, 2 * (8 * factor + 2) + 2, 3)
    for number in range(4):
        top, left = (2 + place * (8 * factor + 2) for place in divmod(number, 2))
        pixels = grid[top : top + 8 * factor : factor, left : left + 8 * factor : factor]
        assert (pixels == images[number].expand(3, 8, 8).permute(1, 2, 0).numpy()).all()
