"""What a run's loggers show of it, TensorBoard above all: scalars by epoch and by step, pictures, graph, settings."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from plcnn.callbacks.history import history_of
from plcnn.callbacks.outputs import outputs_of
from plcnn.classifier import LOGGED, Classifier
from plcnn.errors import wrong_value
from plcnn.event_files import BY_STEP, forget_settings
from plcnn.tracking.embedding import log_embedding
from plcnn.tracking.loggers import (
    OWN_AXES,
    log_by_epoch,
    log_by_step,
    log_picture,
    log_settings,
    takes_pictures,
    writers,
)
from plcnn.tracking.pictures import log_outputs, training_grid
from plcnn.tracking.settings import settings
from plcnn.tracking.weights import log_histograms


class TensorBoard(Callback):
    """Logs a run to the trainer's loggers; graph, histograms, curves and embedding to TensorBoard alone.

    Args:
        graph: whether to draw the network's graph.
        pictures: how many training pictures to show, as the network gets them; 0 shows none.
        figures_every_n_epochs: of how many validated epochs one gets confusion matrix, calibration, mistakes and
            precision-recall curves; the last one does in any case, and a test. 0 draws none at all.
        histograms: whether to draw, every epoch, how weights and gradients are distributed.
        embedding: how many validation pictures to place, as training ends, by what the last layer sees of them; 0 none.

    Raises:
        UserError: a value outside its range.
    """

    def __init__(
        self,
        graph: bool = True,
        pictures: int = 64,
        figures_every_n_epochs: int = 5,
        histograms: bool = False,
        embedding: int = 0,
    ) -> None:
        self.graph, self.pictures, self.figures_every = graph, pictures, figures_every_n_epochs
        self.histograms, self.embedding = histograms, embedding
        for key in ("pictures", "embedding"):
            if getattr(self, key) < 0:
                raise wrong_value(f"--tensorboard.{key}", getattr(self, key), "0 or more pictures", 64)
        if figures_every_n_epochs < 0:
            raise wrong_value("--tensorboard.figures_every_n_epochs", figures_every_n_epochs, "0 or more epochs", 5)
        self._drawn = 0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Log the graph of a fresh network, before it is compiled or spread over devices."""
        if self.graph and stage == "fit" and trainer.starts_afresh:
            for writer in writers(trainer):
                _add_graph(writer, pl_module)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log hyper-parameters, and the pictures of a fresh training."""
        chosen = settings(trainer)
        log_settings(trainer, {**chosen, "run_folder": str(trainer.default_root_dir)})
        for writer in writers(trainer):
            if trainer.global_step:
                forget_settings(Path(writer.log_dir))
            _add_hparams(writer, chosen)
        if self.pictures and trainer.global_step == 0 and takes_pictures(trainer):
            log_picture(trainer, "training pictures", training_grid(trainer, self.pictures), 0, 0)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Log the step's loss and learning rate, every `log_every_n_steps`, and the last step's histograms."""
        if trainer.loggers and trainer.global_step % trainer.log_every_n_steps == 0:
            point = {f"{BY_STEP}train_loss": float(outputs["loss"]), f"{BY_STEP}lr": history_of(trainer).rate}
            log_by_step(trainer, point, trainer.global_step)
        # a validation that follows throws the gradients away
        if self.histograms and (trainer.is_last_batch or trainer.global_step == trainer.max_steps):
            log_histograms(trainer, pl_module, trainer.current_epoch + 1)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the epoch's metrics against the epoch, and against the step; draw figures now and then."""
        history = history_of(trainer)
        row = history.rows[-1]
        epoch, step = int(row["epoch"]), int(row["step"])
        metrics: dict[str, float] = {tag: row[tag] for tag in LOGGED if tag in row}
        best = history.best("val/acc", "max")
        by_epoch = {**metrics, "lr": row["lr"], "speed/pictures_per_second": row["pictures/s"]}
        log_by_epoch(trainer, by_epoch | ({"best/val_acc": best["val/acc"]} if best else {}), epoch, step)
        by_step = {f"{BY_STEP}epoch_{tag.replace('/', '_')}": value for tag, value in metrics.items()}
        log_by_step(trainer, by_step, step, OWN_AXES)
        validated = sum("val/acc" in past for past in history.rows)
        if "val/acc" in row and self.figures_every and validated % self.figures_every == 0:
            self._draw(trainer, "val", epoch, step)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the figures of the last validation, the curves, and the embedding."""
        rows = history_of(trainer).rows
        if not rows or not takes_pictures(trainer):
            return
        epoch, step = int(rows[-1]["epoch"]), int(rows[-1]["step"])
        if "val/acc" in rows[-1] and self.figures_every and self._drawn != epoch:
            self._draw(trainer, "val", epoch, step)
        curves = Path(trainer.default_root_dir) / "curves.png"
        if self.figures_every and curves.is_file():
            log_picture(trainer, "curves", _read(curves), epoch, step)
        if self.embedding:
            assert isinstance(pl_module, Classifier)
            log_embedding(trainer, pl_module, self.embedding, epoch)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Have everything on the disk that lies before the checkpoint."""
        for writer in writers(trainer):
            writer.flush()

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the test metrics and figures, at the epoch whose checkpoint was tested."""
        rows = history_of(trainer).rows
        epoch, step = len(rows), int(rows[-1]["step"]) if rows else 0
        metrics = {tag: float(trainer.callback_metrics[tag]) for tag in ("test/loss", "test/acc")}
        log_by_epoch(trainer, {**metrics, "best/test_acc": metrics["test/acc"]}, epoch, step)
        if self.figures_every:
            self._draw(trainer, "test", epoch, step)

    def _draw(self, trainer: Trainer, stage: str, epoch: int, step: int) -> None:
        if takes_pictures(trainer):
            self._drawn = epoch
            log_outputs(trainer, stage, outputs_of(trainer), epoch, step)


def _read(path: Path) -> np.ndarray:
    from PIL import Image

    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def _add_graph(writer: Any, pl_module: Any) -> None:
    network, training = pl_module.net, pl_module.net.training
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # the tracer's remarks on shapes are not the user's concern
            device = next((p.device for p in network.parameters()), torch.device("cpu"))
            writer.add_graph(network.eval(), torch.zeros(1, *pl_module.image_shape, device=device))
    except Exception as error:
        warnings.warn(f"TensorBoard shows no graph of this network: {type(error).__name__}.", stacklevel=2)
    finally:
        network.train(training)


def _add_hparams(writer: Any, flat: dict[str, Any]) -> None:
    """Give the HPARAMS tab a session with a run's settings.

    The summary in which torch names settings and metrics of all runs is left out: TensorBoard takes the first run's,
    and shows no setting that only others have. Without it, it shows the settings of all, first those that differ, and
    the first metrics by name: best/test_acc and best/val_acc.
    """
    from torch.utils.tensorboard.summary import hparams

    _, start, end = hparams(flat, {})
    for summary in (start, end):
        writer._get_file_writer().add_summary(summary)
