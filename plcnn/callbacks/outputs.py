"""Keeps what the network answered to the validation or test pictures, for callbacks and commands that look at it."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from plcnn.calibration import fit_temperature
from plcnn.classifier import Classifier
from plcnn.outputs import Collected, Outputs


class CollectOutputs(Callback):
    """Collects outputs, and fits the temperature of a network that is being trained on those of validation.

    Attributes:
        outputs: those of the newest validation or test, the same on every rank; none before.
    """

    def __init__(self) -> None:
        self.outputs: Outputs | None = None
        self._collected = Collected()

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin anew."""
        self.outputs, self._collected = None, Collected(trainer.global_rank, trainer.world_size)

    on_test_epoch_start = on_validation_epoch_start

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Take a batch's logits."""
        self._collected.update(outputs, batch.labels)

    on_test_batch_end = on_validation_batch_end

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Bring the ranks' outputs together."""
        assert isinstance(pl_module, Classifier)
        logits, labels = self._collected.compute()
        self.outputs = Outputs(logits, labels.reshape(-1))  # torchmetrics makes a number of a single label
        if trainer.state.fn == TrainerFn.FITTING:
            pl_module.temperature = fit_temperature(*self.outputs)

    on_test_epoch_end = on_validation_epoch_end


def outputs_of(trainer: Trainer) -> Outputs:
    """The outputs of the trainer's newest validation or test, of which there was one."""
    outputs = next(c.outputs for c in trainer.callbacks if isinstance(c, CollectOutputs))
    assert outputs is not None
    return outputs
