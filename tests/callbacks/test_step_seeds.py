"""What a step draws depends on seed, epoch, batch and rank, and on nothing before it."""

import random
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from plcnn.callbacks.step_seeds import StepSeeds


def drawn(seed: int = 0, epoch: int = 0, batch: int = 0, rank: int = 0) -> tuple[float, float, float]:
    trainer: Any = SimpleNamespace(datamodule=SimpleNamespace(seed=seed), current_epoch=epoch, global_rank=rank)
    StepSeeds().on_train_batch_start(trainer, SimpleNamespace(device=torch.device("cpu")), None, batch)  # type: ignore[arg-type]
    return float(torch.rand(())), random.random(), float(np.random.random())  # noqa: NPY002


def test_a_step_draws_the_same_whatever_was_drawn_before() -> None:
    first = drawn(3, 2, 1)
    torch.rand(7)
    assert drawn(3, 2, 1) == first


def test_seeds_epochs_batches_and_ranks_draw_differently() -> None:
    places = [(s, e, b, r) for s in (0, 1, 2**32 - 1) for e in (0, 1, 2) for b in (0, 1, 2) for r in (0, 1)]
    for numbers in zip(*(drawn(*place) for place in places), strict=True):
        assert len(set(numbers)) == len(places)
