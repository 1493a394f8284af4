"""A loss or a weight that is no number ends the run, before it can count as best or overwrite a good checkpoint."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from plcnn.callbacks.checkpoints import Checkpoints
from plcnn.checkpoint_content import not_finite
from plcnn.errors import UserError


class FiniteLoss(Callback):
    """Raises when the training or validation loss, or a weight that is to be saved, is NaN or infinite.

    The training loss is looked at after every step on a CPU; elsewhere every `log_every_n_steps` and at the end of the
    epoch, over all steps since, since each look makes the host wait for the device. The weights, which may be no
    numbers while the loss is one, are looked at as an epoch ends and before a checkpoint is written.
    """

    def __init__(self) -> None:
        self._total: torch.Tensor | float = 0.0
        self._looked_at = -1

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look at the training loss."""
        loss = outputs["loss"].detach()
        self._total = self._total + loss
        if loss.device.type == "cpu" or trainer.global_step % trainer.log_every_n_steps == 0:
            self._check(trainer)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look at the steps since the last look."""
        self._check(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look at the steps since the last look, at the validation loss and at the weights."""
        self._check(trainer)
        value = trainer.callback_metrics.get("val/loss")
        if value is not None and not torch.isfinite(value):
            raise UserError(_message(f"validation loss became {float(value)}", trainer))
        self._check_weights(trainer, pl_module)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Look at the weights, unless that was done since the last step."""
        self._check_weights(trainer, pl_module)

    def _check(self, trainer: Trainer) -> None:
        total, self._total = self._total, 0.0
        if isinstance(total, torch.Tensor) and not torch.isfinite(total):
            raise UserError(_message(f"training loss became {float(total)}", trainer))

    def _check_weights(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._looked_at == trainer.global_step:
            return
        weights = {name: value.detach() for name, value in pl_module.named_parameters()}
        if name := not_finite(weights):
            raise UserError(_message(f"weights became NaN or infinite ({name.removeprefix('net.')})", trainer))
        self._looked_at = trainer.global_step


def _message(what: str, trainer: Trainer) -> str:
    rate = trainer.optimizers[0].param_groups[0]["lr"]
    kept = next((c for c in trainer.callbacks if isinstance(c, Checkpoints)), None)
    path = kept and kept.good_path
    return (
        f"The {what} in epoch {trainer.current_epoch + 1}, step {trainer.global_step}, at learning rate "
        f"{rate:g}. Last good checkpoint: {path or 'none'}.\nTry a smaller --model.optimizer.lr, "
        "a warm-up (--model.schedule.warmup 0.1), or --trainer.gradient_clip_val 1."
    )
