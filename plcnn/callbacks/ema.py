"""An exponential moving average of the weights: Lightning's, with a key of its own."""

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import EMAWeightAveraging

from plcnn.errors import wrong_value


class EMA(EMAWeightAveraging):
    """Averages weights and statistics over the steps; validation, checkpoints and what follows use the average.

    Args:
        enabled: whether to average at all.
        decay: the average's share a step, from 0 to below 1: 0.999 looks back over about 1,000 steps.

    Raises:
        UserError: a value outside its range.
    """

    def __init__(self, enabled: bool = False, decay: float = 0.999) -> None:
        if not 0 <= decay < 1:
            raise wrong_value("--ema.decay", decay, "a share from 0 up to, not including, 1", 0.999)
        super().__init__(decay=decay)
        self.enabled = enabled
        self._swapped = False

    def _swap_models(self, pl_module: LightningModule) -> None:
        super()._swap_models(pl_module)
        self._swapped = not self._swapped

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Give an interrupted validation's network its own weights back, before they are saved."""
        if self._swapped:
            self._swap_models(pl_module)
