"""Step hooks that nothing defines are passed over; all others are called."""

from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch.utils.data import DataLoader

from plcnn.idle_hooks import STEP_HOOKS, skip_idle_hooks


class Module(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.called = torch.nn.Linear(2, 1), []

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        return self.layer(batch).sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def on_after_backward(self) -> None:
        self.called.append("module")


class Defines(Callback):
    def __init__(self) -> None:
        self.called: list[str] = []

    def on_train_batch_end(self, *args: Any) -> None:
        self.called.append("end")

    def on_before_zero_grad(self, *args: Any) -> None:
        self.called.append("zero_grad")


class Inherits(Defines):
    pass


@pytest.mark.filterwarnings("ignore:.*num_workers")
def test_defined_hooks_are_called_and_empty_ones_are_not() -> None:
    callbacks = [Defines(), Inherits(), Callback()]
    trainer = Trainer(
        accelerator="cpu", max_steps=2, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=callbacks, log_every_n_steps=1,
    )  # fmt: skip
    module = Module()
    skip_idle_hooks(trainer, module)
    trainer.fit(module, DataLoader(torch.ones(4, 2), batch_size=2))
    assert module.called == ["module"] * 2
    for callback in callbacks[:2]:
        assert callback.called == ["zero_grad", "end"] * 2
        assert callback.on_train_batch_start is None
    assert all(getattr(callbacks[2], hook) is None for hook in STEP_HOOKS)
