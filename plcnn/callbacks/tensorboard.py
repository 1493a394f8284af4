"""What TensorBoard shows of a run: scalars by epoch and by step, pictures, the graph, hyper-parameters."""

import warnings
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger

from plcnn.callbacks.history import history_of
from plcnn.classifier import LOGGED
from plcnn.event_files import BY_STEP


class TensorBoard(Callback):
    """Logs a run to the trainer's loggers; pictures, graph and hyper-parameters go to TensorBoard alone.

    Args:
        graph: whether to draw the network's graph.
        pictures: how many training pictures to show, as the network gets them; 0 shows none.
    """

    def __init__(self, graph: bool = True, pictures: int = 64) -> None:
        self.graph, self.pictures = graph, pictures

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Log the graph of a fresh network, before it is compiled or spread over devices."""
        if self.graph and stage == "fit" and trainer.starts_afresh:
            for writer in _writers(trainer):
                _add_graph(writer, pl_module)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log hyper-parameters, and the pictures of a fresh training."""
        for writer in _writers(trainer):
            if self.pictures and trainer.global_step == 0:
                writer.add_image("training pictures", _grid(trainer, self.pictures), 0)
            _add_hparams(writer, _settings(pl_module, trainer.datamodule))

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Log the step's loss and learning rate, every `log_every_n_steps`."""
        if trainer.loggers and trainer.global_step % trainer.log_every_n_steps == 0:
            point = {f"{BY_STEP}train_loss": float(outputs["loss"]), f"{BY_STEP}lr": history_of(trainer).rate}
            _log(trainer, point, trainer.global_step)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the epoch's metrics against the epoch, and against the step."""
        history = history_of(trainer)
        row = history.rows[-1]
        epoch, step = int(row["epoch"]), int(row["step"])
        metrics: dict[str, float] = {tag: row[tag] for tag in LOGGED if tag in row}
        _log(trainer, {**metrics, "lr": row["lr"], "speed/pictures_per_second": row["pictures/s"]}, epoch)
        by_step = {f"{BY_STEP}epoch_{tag.replace('/', '_')}": value for tag, value in metrics.items()}
        _log(trainer, by_step, step)
        best = history.best("val/acc", "max")
        if best:
            _log(trainer, {"best/val_acc": best["val/acc"]}, epoch)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Have everything on the disk that lies before the checkpoint."""
        for writer in _writers(trainer):
            writer.flush()

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the test metrics, at the epoch whose checkpoint was tested."""
        metrics = {tag: float(trainer.callback_metrics[tag]) for tag in ("test/loss", "test/acc")}
        _log(trainer, metrics, len(history_of(trainer).rows))


def _log(trainer: Trainer, metrics: dict[str, float], step: int) -> None:
    for logger in trainer.loggers:
        logger.log_metrics(metrics, step=step)


def _writers(trainer: Trainer) -> list[Any]:
    loggers = [logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]
    return [logger.experiment for logger in loggers] if trainer.is_global_zero else []


def _grid(trainer: Trainer, count: int) -> torch.Tensor:
    """Training pictures as the network gets them, tiled: (channels, height, width), float from 0 to 1."""
    from torchvision.utils import make_grid

    # neither workers nor another copy of the pictures for one batch
    images = next(iter(trainer.datamodule.train_dataloader(place="host"))).images[:count].cpu()
    images = images.float().div(255) if images.dtype == torch.uint8 else images
    grid: torch.Tensor = make_grid(images, nrow=max(1, int(len(images) ** 0.5)), padding=1)
    return grid


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
    """Give the HPARAMS tab a session whose results are the scalars best/val_acc and test/acc."""
    from torch.utils.tensorboard.summary import hparams

    for summary in hparams(flat, {"best/val_acc": 0.0, "test/acc": 0.0}):
        writer._get_file_writer().add_summary(summary)


def _settings(pl_module: Any, data: Any) -> dict[str, Any]:
    """What was set for a run; what the data determines is left out."""
    model = {k: v for k, v in pl_module.hparams.items() if k not in ("classes", "image_shape", "plugins")}
    return {"seed": data.seed, **_flat(model), **_flat(data.hparams, "data.")}


def _flat(hparams: Any, prefix: str = "") -> dict[str, Any]:
    """Hyper-parameters as scalars and strings: a choice `arch` becomes `arch` and `arch.ARG`."""
    flat: dict[str, Any] = {}
    for key, value in hparams.items():
        if isinstance(value, dict) and "class_path" in value:
            flat[prefix + key] = value["class_path"]
            flat |= _flat(value["init_args"], f"{prefix}{key}.")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            flat[prefix + key] = ", ".join(_written(choice) for choice in value)
        else:
            # torch writes a bool as a number, and TensorBoard then shows 1.0000
            flat[prefix + key] = value if type(value) in (int, float) else str(value)
    return flat


def _written(choice: dict[str, Any]) -> str:
    """A choice of a list in one string, as pad_crop(padding=4, fill='reflect')."""
    return f"{choice['class_path']}({', '.join(f'{k}={v!r}' for k, v in choice['init_args'].items())})"
