"""What a run prints: what is trained on what, a line an epoch, how it ended and what to do next."""

import shlex
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger

from plcnn import terminal
from plcnn.callbacks.checkpoints import Checkpoints
from plcnn.callbacks.early_stopping import EarlyStopping
from plcnn.callbacks.finetune import FineTune
from plcnn.callbacks.history import history_of
from plcnn.classifier import Classifier
from plcnn.data.module import ImageData
from plcnn.data.scaling import Scaling
from plcnn.layers import as_text, counts, layer_table
from plcnn.pretrained import scaled_otherwise
from plcnn.run import next_command, run_folder, short
from plcnn.terminal import printable
from plcnn.weights import Start

MOST_LAYERS = 40
"""Networks of more layers are summarised without the table of layers; `plcnn show` draws pictures, not layers."""


def say(trainer: Trainer, text: str) -> None:
    """Print on rank zero."""
    if trainer.is_global_zero:
        terminal.say(text)


class Opening(Callback):
    """Prints what is trained on what, before the first step.

    Args:
        layers: whether to print the table of layers, too.
    """

    def __init__(self, layers: bool = True) -> None:
        self.layers = layers
        self._counts = (0, 0)
        self._steps = 0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Look at the network while it is whole: a strategy may spread it over devices."""
        assert isinstance(pl_module, Classifier)
        if stage != "fit" or not trainer.is_global_zero:
            return
        layers = layer_table(pl_module.net, pl_module.image_shape)
        if self.layers and len(layers) <= MOST_LAYERS:
            say(trainer, as_text(layers))
        self._counts = counts(pl_module.net)

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Note where the training goes on."""
        self._steps = checkpoint["global_step"]

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the opening."""
        data = trainer.datamodule
        assert isinstance(pl_module, Classifier) and isinstance(data, ImageData)
        trainable, statistics = self._counts
        sets = data.counts()
        if trainer.is_global_zero and (words := _scaled_otherwise(pl_module)):
            terminal.warn(words)
        say(
            trainer,
            f"training   {pl_module.arch.short()}: {trainable:,} trainable parameters, {statistics:,} statistics\n"
            f"{_started_from(pl_module.start)}{self._going_on(trainer)}"
            f"on         {data.source_choice.name}: {sets['train']:,} training and {sets['val']:,} validation pictures "
            f"of {len(data.classes)} classes, {' × '.join(map(str, data.image_shape))}\n"
            f"{_pictures(data)}"
            f"with       {_device(trainer)}, {trainer.precision}, {_batch(trainer, data.batch_size)}\n"
            f"optimizer  {pl_module.optimizer_choice!r}, schedule {pl_module.schedule_choice!r}\n"
            f"{_fine_tuning(trainer)}"
            f"run folder {run_folder(trainer)}",
        )

    def _going_on(self, trainer: Trainer) -> str:
        if not trainer.ckpt_path:
            return ""
        epochs = len(history_of(trainer).rows)
        return f"going on   after epoch {epochs}, step {self._steps}: {trainer.ckpt_path}\n"


class EpochLine(Callback):
    """Prints one line an epoch: loss, accuracy, validation loss and accuracy, seconds, pictures a second.

    Args:
        enabled: whether to print it.
    """

    def __init__(self, enabled: bool = True) -> None:
        self.enabled = enabled

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the epoch's line."""
        if not self.enabled:
            return
        row = history_of(trainer).rows[-1]
        most = trainer.max_epochs if trainer.max_epochs and trainer.max_epochs > 0 else "-"
        names = {"train/loss": "loss", "train/acc": "acc", "val/loss": "val_loss", "val/acc": "val_acc"}
        numbers = "  ".join(f"{short} {_number(row[tag])}" for tag, short in names.items() if tag in row)
        place = f"epoch {int(row['epoch']):>{len(str(most))}}/{most}"
        say(trainer, f"{place}  {numbers}  {row['seconds']:.1f} s  {row['pictures/s']:,.0f} pictures/s")


class Ending(Callback):
    """Prints why the training stopped, its best epoch, where everything lies, and the next command."""

    def __init__(self) -> None:
        self._trained = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note that there was something to do."""
        self._trained = True

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the ending."""
        history = history_of(trainer)
        if not history.rows or trainer.fast_dev_run:
            return
        why, further = _why(trainer)
        lines = [f"stopped    {why}"]
        if not self._trained:
            lines.append(f"           nothing was left to do; to go further, add {further}")
        checkpoints = next((c for c in trainer.callbacks if isinstance(c, Checkpoints)), None)
        best = history.best(checkpoints.monitor, checkpoints.mode) if checkpoints and checkpoints.monitor else None
        if best:
            numbers = ", ".join(f"{tag} {best[tag]:.4f}" for tag in ("val/acc", "val/loss", "train/acc") if tag in best)
            lines.append(f"best       epoch {int(best['epoch'])}: {numbers}")
        folder = run_folder(trainer)
        lines.append(f"run folder {folder}")
        if checkpoints:
            path = checkpoints.best_path or checkpoints.last_path
            lines.append(f"checkpoint {path and path.relative_to(folder)}, curves in curves.png")
            lines.append(f"next       {next_command('test', folder)}")
        if any(isinstance(logger, TensorBoardLogger) for logger in trainer.loggers):
            lines.append(f"           tensorboard --logdir {shlex.quote(short(folder.parent.parent))}")
        say(trainer, "\n".join(lines))


def _number(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 1e6 else f"{value:.3e}"


def _why(trainer: Trainer) -> tuple[str, str]:
    """Why the training stopped, and the option with which it would go on."""
    stopping = next((c for c in trainer.callbacks if isinstance(c, EarlyStopping)), None)
    epoch = int(history_of(trainer).rows[-1]["epoch"])
    if stopping is not None and trainer.should_stop and stopping.wait_count >= stopping.patience:
        epochs = f"{stopping.patience} epoch{'s' if stopping.patience > 1 else ''}"
        reason = f"early, after epoch {epoch}: {stopping.monitor} has not improved for {epochs}"
        return reason, f"--early_stopping.patience with more than {stopping.wait_count}"
    if trainer.max_steps > 0 and trainer.global_step >= trainer.max_steps:
        reason = f"after {trainer.global_step} steps (--trainer.max_steps)"
        return reason, f"--trainer.max_steps with more than {trainer.global_step}"
    further = f"--trainer.max_epochs with more than {epoch}"
    if trainer.max_epochs and epoch >= trainer.max_epochs:
        return f"after epoch {epoch} (--trainer.max_epochs)", further
    return f"after epoch {epoch}", further


def _started_from(start: Start | None) -> str:
    if start is None:
        return ""
    fresh = [f"afresh: {', '.join(start.fresh)}"] if start.fresh else []
    return f"from       {'; '.join([start.origin, *fresh, *start.notes])}\n"


def _scaled_otherwise(classifier: Classifier) -> str:
    if not classifier.start or not classifier.start.scaling:
        return ""
    own = Scaling(*(values.flatten().tolist() for values in (classifier.mean, classifier.std)))
    return scaled_otherwise(classifier.start.scaling, own)


def _fine_tuning(trainer: Trainer) -> str:
    epoch = len(history_of(trainer).rows)  # the loops are restored later
    words = next((c.in_words(epoch) for c in trainer.callbacks if isinstance(c, FineTune)), "")
    return f"finetune   {words}\n" if words else ""


def _pictures(data: ImageData) -> str:
    """Where pictures lie that were brought to their shape."""
    lines = dict.fromkeys(printable(made.words) for made in data.preparations)
    return "".join(f"pictures   {line}\n" for line in lines)


def _device(trainer: Trainer) -> str:
    name = trainer.strategy.root_device.type
    if name == "cuda":
        name = torch.cuda.get_device_name(trainer.strategy.root_device)
    if name == "cpu":
        threads = torch.get_num_threads()
        return f"{trainer.world_size} × cpu, {threads} thread{'s' if threads > 1 else ''}"
    return f"{trainer.world_size} × {name}"


def _batch(trainer: Trainer, size: int) -> str:
    effective = size * trainer.world_size * trainer.accumulate_grad_batches
    return f"batches of {size} (effective {effective}), {trainer.num_training_batches} an epoch"
