"""Early stopping: Lightning's, with the seed's settings as defaults."""

from typing import Literal

from lightning.pytorch import Trainer, callbacks


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
        super().__init__(monitor=monitor, mode=mode, patience=patience, min_delta=min_delta, verbose=False)
        self.enabled = enabled

    def _should_skip_check(self, trainer: Trainer) -> bool:
        """Pass over an epoch that ended (by `max_steps`, say) before the first validation."""
        measured = trainer.callback_metrics
        unmeasured = self.monitor.startswith("val/") and not any(name.startswith("val/") for name in measured)
        return unmeasured or super()._should_skip_check(trainer)
