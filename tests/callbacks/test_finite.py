"""No NaN and no infinity is trained on, counted as best, or saved: where it comes from, and what the run says."""

import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule
from support import TINY, Outcome

from plcnn.callbacks.finite import FiniteLoss
from plcnn.errors import UserError

Command = Callable[..., Outcome]
LAST = Path("tb_logs/run/version_0/checkpoints/last.ckpt")

SICK = """
import torch
from plcnn import register

@register
class Sick(torch.nn.Module):
    def __init__(self, num_classes: int, where: str = "", value: float = float("nan"), after: int = 4):
        super().__init__()
        self.dense, self.idle = torch.nn.Linear(192, num_classes), torch.nn.Parameter(torch.zeros(3))
        self.where, self.value, self.after, self.calls = where, value, after, 0

    def forward(self, x):
        self.calls += self.training
        late = self.calls >= self.after
        if late and self.where == "idle":
            self.idle.data[1] = self.value
        logits = self.dense(x.flatten(1))
        if late and self.where == ("train" if self.training else "val"):
            logits = logits * self.value if self.value != self.value else logits + torch.tensor([1e38] + [-3e38] * 9)
        return logits
"""


def train(plcnn: Command, *arguments: str) -> Outcome:
    Path("sick.py").write_text(SICK)
    return plcnn("fit", *TINY, "--plugins", "sick.py", "--model.arch", "sick", "--trainer.max_epochs", "5", *arguments)


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        ("train", ".nan", "The training loss became nan in epoch 2, step 4, at learning rate 0.001"),
        ("val", ".nan", "The validation loss became nan in epoch 2, step 6, at learning rate 0.001"),
        ("val", "1", "The validation loss became inf in epoch 2, step 6, at learning rate 0.001"),
        ("idle", ".nan", "The weights became NaN or infinite (idle) in epoch 2, step 6, at learning rate 0.001"),
        ("idle", ".inf", "The weights became NaN or infinite (idle) in epoch 2, step 6, at learning rate 0.001"),
    ],
)
def test_the_run_ends_with_the_last_good_checkpoint_named(
    plcnn: Command, registers: None, where: str, value: str, said: str
) -> None:
    outcome = train(plcnn, "--model.arch.where", where, "--model.arch.value", value)
    assert outcome.code == 1 and said in outcome.err, outcome.err
    assert f"Last good checkpoint: {LAST}" in outcome.err and "smaller --model.optimizer.lr" in outcome.err
    assert "Traceback" not in outcome.err and len(outcome.err.splitlines()) == 2
    content = torch.load(LAST, weights_only=True)
    assert content["epoch"] == 0 and all(value.isfinite().all() for value in content["state_dict"].values())
    (best,) = LAST.parent.glob("best-*")
    assert best.name.startswith("best-epoch=01-")


def test_a_checkpoint_within_an_epoch_holds_no_nan(plcnn: Command, registers: None) -> None:
    outcome = train(plcnn, "--model.arch.where", "idle", "--model.arch.after", "5", "--checkpoints.every_n_steps", "1")
    assert outcome.code == 1 and "The weights became NaN or infinite (idle) in epoch 2, step 5" in outcome.err
    content = torch.load(LAST, weights_only=True)
    assert content["global_step"] == 4 and content["state_dict"]["net.idle"].isfinite().all()


class OneWeight(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(2))


def fake_trainer(val_loss: float = 1.0) -> Any:
    return SimpleNamespace(
        global_step=1,
        log_every_n_steps=50,
        current_epoch=0,
        callbacks=[],
        callback_metrics={"val/loss": torch.tensor(val_loss)},
        optimizers=[SimpleNamespace(param_groups=[{"lr": 0.1}])],
    )


def test_a_gradient_that_overflows_is_no_error() -> None:
    # in half precision the scaler finds it, leaves out the step, and takes a smaller scale
    module, callback = OneWeight(), FiniteLoss()
    module.weight.grad = torch.tensor([math.inf, math.nan])
    callback.on_train_batch_end(fake_trainer(), module, {"loss": torch.tensor(1.0)}, None, 0)
    callback.on_train_epoch_end(fake_trainer(), module)
    callback.on_save_checkpoint(fake_trainer(), module, {})


def test_what_is_no_number_is_named_before_anything_is_saved() -> None:
    module = OneWeight()
    with pytest.raises(UserError, match="validation loss became inf in epoch 1, step 1.*\n.*smaller"):
        FiniteLoss().on_train_epoch_end(fake_trainer(math.inf), module)
    module.weight.data[1] = math.nan
    for look in (FiniteLoss().on_train_epoch_end, lambda *given: FiniteLoss().on_save_checkpoint(*given, {})):
        with pytest.raises(UserError, match=r"weights became NaN or infinite \(weight\)"):
            look(fake_trainer(), module)
