"""Early stopping: Lightning's, with the seed's settings as defaults."""

from typing import Any, Literal

from lightning.pytorch import LightningModule, Trainer, callbacks
from torch import Tensor

from plcnn.errors import wrong_value


class EarlyStopping(callbacks.EarlyStopping):
    """Stops the training when a metric no longer improves.

    Args:
        enabled: whether to stop early at all.
        monitor: the metric to watch.
        mode: whether a small ("min") or a large ("max") value is good.
        patience: epochs without improvement before stopping.
        min_delta: the least change that counts as an improvement.
    """

    def __init__(
        self,
        enabled: bool = True,
        monitor: str = "val/loss",
        mode: Literal["min", "max"] = "min",
        patience: int = 5,
        min_delta: float = 0.0,
    ) -> None:
        if patience < 0:
            raise wrong_value("--early_stopping.patience", patience, "0 or more epochs", 5)
        if not 0 <= min_delta < float("inf"):
            raise wrong_value("--early_stopping.min_delta", min_delta, "a finite number from 0 on", 0.001)
        super().__init__(monitor=monitor, mode=mode, patience=patience, min_delta=min_delta, verbose=False)
        self.enabled = enabled

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint's best value and count of epochs; the patience is the one asked for now."""
        best, waited = state_dict["best_score"], state_dict["wait_count"]
        if not isinstance(best, Tensor) or best.numel() != 1 or type(waited) is not int:
            raise ValueError("early stopping's best value is no number")
        super().load_state_dict({**state_dict, "patience": self.patience})

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take no further epoch where the run that goes on had stopped already."""
        trainer.should_stop = trainer.should_stop or 0 < self.wait_count >= self.patience

    def _should_skip_check(self, trainer: Trainer) -> bool:
        """Pass over an epoch that ended (by `max_steps`, say) before the first validation."""
        measured = trainer.callback_metrics
        unmeasured = self.monitor.startswith("val/") and not any(name.startswith("val/") for name in measured)
        return unmeasured or super()._should_skip_check(trainer)
