"""The sums behind an epoch's training metrics go on on as many ranks as there are."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from plcnn.callbacks.within_epoch import KEY, WithinEpoch
from plcnn.classifier import Classifier

RANKS = {"loss.total": [3.0, 5.0], "loss.pictures": [4.0, 4.0], "acc.right": [1, 3], "acc.pictures": [4, 4]}


@pytest.mark.parametrize(
    ("rank", "world_size", "loss", "acc"),
    [(0, 2, 0.75, 0.25), (1, 2, 1.25, 0.75), (0, 1, 1.0, 0.5), (0, 3, 1.0, 0.5), (1, 3, None, None)],
)
def test_each_rank_goes_on_from_its_sums_or_the_first_from_all(
    rank: int, world_size: int, loss: float | None, acc: float | None
) -> None:
    classifier = Classifier(classes=["a", "b"], image_shape=(3, 8, 8), arch="linear")  # type: ignore[arg-type]
    trainer: Any = SimpleNamespace(global_rank=rank, world_size=world_size, is_global_zero=rank == 0)
    callback = WithinEpoch()
    checkpoint = {KEY: {name: torch.tensor(values) for name, values in RANKS.items()}}
    callback.on_load_checkpoint(trainer, classifier, checkpoint)
    callback.on_train_start(trainer, classifier)
    metrics = classifier.metrics["train_metrics"]
    if loss is None:
        assert float(metrics["loss"].pictures) == float(metrics["acc"].pictures) == 0
    else:
        assert float(metrics["loss"].total / metrics["loss"].pictures) == loss
        assert float(metrics["acc"].right / metrics["acc"].pictures) == acc
