"""Lookahead, by a scripted sequence of weights."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule

from plcnn.callbacks.lookahead import Lookahead
from plcnn.errors import UserError


class OneWeight(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
        self.register_buffer("count", torch.tensor(0))


def run(callback: Lookahead, module: OneWeight, steps: range, total: int) -> list[float]:
    """Add 1 to the weight at each step, and let the callback do its part."""
    weights = []
    trainer: Any = SimpleNamespace(global_step=steps.start, estimated_stepping_batches=total)
    callback.on_train_start(trainer, module)
    for _ in steps:
        module.weight.data += 1
        trainer.global_step += 1
        callback.on_train_batch_end(trainer, module, None, None, 0)
        weights.append(float(module.weight.detach()))
    return weights


def expected(total: int, every: int, decay: float) -> list[float]:
    slow, fast, weights = 0.0, 0.0, []
    for step in range(1, total + 1):
        fast += 1
        if step % every == 0 or step == total:
            share = decay**every * (step / total) ** 3
            slow = fast = share * slow + (1 - share) * fast
        weights.append(fast)
    return weights


def test_every_few_steps_the_weights_start_again_from_the_slow_ones() -> None:
    assert run(Lookahead(True, 3, 0.9), OneWeight(), range(8), 8) == pytest.approx(expected(8, 3, 0.9))


def test_it_goes_on_from_its_state() -> None:
    module, first = OneWeight(), Lookahead(True, 3, 0.9)
    weights = run(first, module, range(5), 8)
    second = Lookahead(True, 3, 0.9)
    second.load_state_dict(first.state_dict())
    assert weights + run(second, module, range(5, 8), 8) == pytest.approx(expected(8, 3, 0.9))


@pytest.mark.parametrize("arguments", [{"every": 0}, {"decay": 1.0}])
def test_values_out_of_range_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=next(iter(arguments))):
        Lookahead(**arguments)
