"""curves.png in the run folder: the seed's two panels, accuracy and cross-entropy, redrawn after every epoch."""

from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer

from plcnn.callbacks.history import history_of
from plcnn.files import failing_softly, written_aside
from plcnn.run import run_folder


class Curves(Callback):
    """Draws the learning curves of training and validation.

    Args:
        enabled: whether to draw them.
    """

    def __init__(self, enabled: bool = True) -> None:
        self.enabled = enabled

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Learn where the picture is written."""
        if stage == "fit":
            self.path = run_folder(trainer) / "curves.png"

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the curves anew."""
        if self.enabled and trainer.is_global_zero and not trainer.fast_dev_run:
            draw(history_of(trainer).rows, self.path)


def draw(rows: list[dict[str, float]], path: Path) -> None:
    """Draw the curves of a history.

    Args:
        rows: one dict an epoch, as `History.rows` has them.
        path: the PNG to write; it appears whole or not at all.
    """
    from plcnn.figures import curves
    from plcnn.figures.style import as_png

    with failing_softly(path.name), written_aside(path) as aside:
        aside.write_bytes(as_png(curves(rows), dpi=120))
