"""The LightningModule: a registered architecture with its loss, metrics, optimizer and schedule."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import Metric, MetricCollection, SumMetric

from plcnn import plugins
from plcnn.architectures import Architecture, architectures
from plcnn.calibration import UNFITTED
from plcnn.checkpoint_content import STAMP, TEMPERATURE, stamp
from plcnn.compilation import CompileMode, compile_in_place
from plcnn.compute import prepare
from plcnn.data.loader import Batch
from plcnn.data.reading.in_memory import Picture, to_images
from plcnn.data.reading.pictures import Resize
from plcnn.data.scaling import IMAGENET, Normalize, measured
from plcnn.errors import UserError
from plcnn.inference import predict_probabilities
from plcnn.metrics import Accuracy, MeanLoss
from plcnn.optim import Optimizer, optimizers, scale_rates, trainable
from plcnn.predictions import Prediction, check, name_classes
from plcnn.schedules import Schedule, scheduler, schedules
from plcnn.views import Views, mean_logits
from plcnn.weights import start_from

LOGGED = ("train/loss", "train/acc", "val/loss", "val/acc")
"""What can be monitored during `fit`."""

MOST_FIRST_IMAGES = 5_000
"""How many training pictures a network's `init_from_images` is given at most."""


class Classifier(LightningModule):
    """Trains a named architecture to tell classes of pictures apart.

    Everything needed to build it again is stored in its checkpoints as plain data.

    Args:
        classes: the class names; label `i` means `classes[i]`.
        image_shape: channels, height and width of a picture.
        arch: the architecture, by name.
        optimizer: the optimizer, by name.
        schedule: the learning rate over the training, by name.
        label_smoothing: share of each label, 0 to 1, that is spread evenly over all classes.
        normalize: where mean and std come from if they are not given: "none", the training pictures ("data"), or
            "imagenet", whose values networks trained on ImageNet expect.
        mean: subtracted from each channel once pixels are scaled to 0..1.
        std: divides each channel after that.
        class_weights: what each class counts in the training loss: all alike ("none"), the rarer the more ("balanced",
            1 on average over the pictures), or a number for each class.
        compile: whether and how `fit` compiles the network: true, or one of torch.compile's modes ("reduce-overhead"
            uses CUDA graphs); checkpoints are the same either way.
        tta: test-time augmentation of `test`, `validate` and `predict`: logits averaged over the picture and its mirror
            image ("flip"), and besides over both moved by a pixel ("flip_translate").
        weights: what to start from: a run folder, a checkpoint or weight file for the same architecture, or
            "pretrained" (or "pretrained:TAG") for what torchvision or timm has trained. Where it knows other classes,
            the head starts afresh.
        resize: how `predict` brings pictures of another shape to the network's.

    Attributes:
        temperature: divides logits before they become probabilities, as fitted on the newest validation.
        start: what the weights started from; None for a network's own initial ones and once a checkpoint is loaded.
        frozen: parameters that a callback keeps from being trained for now; the optimizer knows them nevertheless.
        rate_factors: what a callback multiplies the learning rate of single parameters with, by their names in `net`.

    Raises:
        UserError: if a name or an argument is unknown, or the network's output is not (batch, classes).
    """

    mean: Tensor
    std: Tensor
    loss_weights: Tensor | None

    def __init__(
        self,
        classes: Sequence[str],
        image_shape: tuple[int, int, int],
        arch: Architecture = "keras_cnn",  # type: ignore[assignment]
        optimizer: Optimizer = "adam",  # type: ignore[assignment]
        schedule: Schedule = "constant",  # type: ignore[assignment]
        label_smoothing: float = 0.0,
        normalize: Normalize = "none",
        mean: list[float] | None = None,
        std: list[float] | None = None,
        class_weights: Literal["none", "balanced"] | list[float] = "none",
        compile: bool | CompileMode = False,
        tta: Views = "none",
        weights: str | None = None,
        resize: Resize = "stretch",
    ) -> None:
        super().__init__()
        self.classes, self.image_shape = list(classes), (image_shape[0], image_shape[1], image_shape[2])
        self.arch = architectures.choose(arch)
        self.optimizer_choice, self.schedule_choice = optimizers.choose(optimizer), schedules.choose(schedule)
        self.optimizer_choice.build([torch.nn.Parameter(torch.zeros(1, 1))])  # mistakes show before anything is trained
        self.schedule_choice.build()
        if not 0 <= label_smoothing <= 1:
            raise UserError(f"--model.label_smoothing must be from 0 to 1, got {label_smoothing}.", exit_code=2)
        self.label_smoothing, self.compile_mode, self.tta = label_smoothing, compile, tta
        self.save_hyperparameters(
            {
                "classes": self.classes,
                "image_shape": self.image_shape,
                "arch": self.arch.as_dict(),
                "optimizer": self.optimizer_choice.as_dict(),
                "schedule": self.schedule_choice.as_dict(),
                "label_smoothing": label_smoothing,
                "normalize": normalize,
                "mean": mean,
                "std": std,
                "class_weights": class_weights,
                "compile": compile,
                "tta": tta,
                "resize": resize,
                "plugins": plugins.loaded(),
                "started_from": weights,
            },
            logger=False,
        )
        self.resize, self.class_weights = resize, class_weights
        self._add_class_weights()
        if normalize == "imagenet" and mean is None and std is None:
            mean, std = IMAGENET.for_channels(self.image_shape[0])
        self._add_scaling(mean, std)
        self.is_measured = normalize != "data" or self.scaled
        channels, height, _ = self.image_shape
        self.net = self.arch.build(num_classes=len(self.classes), in_channels=channels, image_size=height)
        self.start = start_from(self.net, weights, self.arch, self.classes, self.image_shape) if weights else None
        if self.start:
            self.hparams.update(started_from=self.start.origin)
        self.frozen: list[torch.nn.Parameter] = []
        self.rate_factors: dict[str, float] = {}
        self.net.to(memory_format=torch.channels_last)
        self._check_output()
        self._handed_over: set[str] = set()
        self.temperature = UNFITTED
        self.metrics: Mapping[str, MetricCollection] = torch.nn.ModuleDict(  # type: ignore[assignment]
            {f"{stage}_metrics": self._new_metrics(stage) for stage in ("train", "val", "test")}
        )

    def _add_scaling(self, mean: list[float] | None, std: list[float] | None) -> None:
        channels = self.image_shape[0]
        for key, values, unchanged in (("mean", mean, 0.0), ("std", std, 1.0)):
            if values is not None and len(values) != channels:
                raise UserError(f"--model.{key} needs {channels} values, one a channel, got {values}.", exit_code=2)
            buffer = torch.tensor([unchanged] * channels if values is None else values).view(-1, 1, 1)
            self.register_buffer(key, buffer, persistent=False)
        if not (self.std > 0).all():
            raise UserError(f"--model.std must be above 0, got {std}.", exit_code=2)
        self.scaled = mean is not None or std is not None

    def _add_class_weights(self) -> None:
        given, count = self.class_weights, len(self.classes)
        if isinstance(given, list) and (len(given) != count or not 0 < sum(given) < float("inf") or min(given) < 0):
            raise UserError(
                f"--model.class_weights needs {count} numbers of at least 0, one a class, got {given}.", exit_code=2
            )
        weights = torch.tensor(given, dtype=torch.float32) if isinstance(given, list) else None
        self.register_buffer("loss_weights", weights, persistent=False)

    def _new_metrics(self, stage: str) -> MetricCollection:
        metrics: dict[str, Metric | MetricCollection] = {"loss": MeanLoss(), "acc": Accuracy()}
        if stage != "train":
            metrics["pictures"] = SumMetric(nan_strategy="disable")
        return MetricCollection(metrics, compute_groups=False)

    def _check_output(self) -> None:
        """Refuse a network that does not map pictures to one logit a class, before anything is trained."""
        images = torch.zeros(2, *self.image_shape)
        name, expected = self.arch.name, (2, len(self.classes))
        was_training = self.net.training
        try:
            with torch.no_grad():
                logits = self.net.eval()(images)
        except Exception as error:
            raise UserError(
                f"Architecture {name!r} fails on images of shape {tuple(images.shape)}: {type(error).__name__}: {error}"
            ) from error
        finally:
            self.net.train(was_training)
        if not isinstance(logits, Tensor) or logits.shape != expected:
            got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise UserError(
                f"Architecture {name!r} must return logits of shape (batch, classes) = {expected}, got {got}."
            )

    @property
    def calibrated(self) -> bool:
        """Whether a temperature was fitted."""
        return self.temperature != UNFITTED

    def forward(self, images: Tensor) -> Tensor:
        """Map pictures to logits.

        Args:
            images: (batch, channels, height, width), uint8 from 0 to 255 or float from 0 to 1.

        Returns:
            Logits (batch, classes).
        """
        logits: Tensor = self.net(self._scaled(images))
        return logits

    def view_logits(self, images: Tensor, tta: Views | None = None) -> Tensor:
        """Logits (batch, classes) of pictures as `forward` takes them, with test-time augmentation."""
        return mean_logits(self.net, self._scaled(images), tta or self.tta)

    def _scaled(self, images: Tensor) -> Tensor:
        if images.dtype == torch.uint8:
            images = images.float().div_(255)
        return (images - self.mean) / self.std if self.scaled else images

    def predict(
        self,
        pictures: Picture | Sequence[Picture],
        top_k: int = 3,
        threshold: float = 0.0,
        tta: Views | None = None,
        batch_size: int = 256,
    ) -> list[Prediction]:
        """Name the classes of pictures.

        Args:
            pictures: files, PIL images, arrays (height, width[, channels]) or tensors (channels, height, width); one,
                several, or an array or tensor of several. Those of another size are resized.
            top_k: how many classes to name for each picture.
            threshold: below this probability, 0 to 1, the label is "unsure".
            tta: test-time augmentation; the classifier's own if left out.
            batch_size: pictures at once.

        Returns:
            One prediction a picture; probabilities are calibrated by the temperature.

        Raises:
            UserError: if a picture cannot be read, or an argument is out of its range.
        """
        check(top_k, threshold)
        shares = predict_probabilities(self, to_images(pictures, self.image_shape, self.resize), tta, batch_size)
        return name_classes(shares, self.classes, top_k, threshold)

    def setup(self, stage: str) -> None:
        """Measure the training pictures where that was asked for, and let a network see some that asks for it.

        A network sees them before a training that starts from its initial weights.
        """
        if stage == "fit":
            self._measure_data()
        init_from_images = getattr(self.net, "init_from_images", None)
        if stage == "fit" and init_from_images and not self.start:
            images, _ = self.trainer.datamodule.sets["train"]  # type: ignore[attr-defined]
            with torch.no_grad():
                init_from_images(self._scaled(images[:MOST_FIRST_IMAGES]))

    def _measure_data(self) -> None:
        """Take mean and standard deviation, and the classes' weights, from the training pictures."""
        images, labels = self.trainer.datamodule.sets["train"]  # type: ignore[attr-defined]
        if not self.is_measured:
            mean, std = measured(images)
            self._add_scaling(mean, std)
            self.hparams.update(mean=mean, std=std)
            self.is_measured = True
        if self.class_weights == "balanced":
            counts = torch.bincount(labels.cpu(), minlength=len(self.classes))
            self.loss_weights = len(labels) / ((counts > 0).sum() * counts.clamp(min=1))

    def on_fit_start(self) -> None:
        """Prepare the process for speed, and compile the network where that was asked for."""
        prepare(self.device)
        compile_in_place(self.net, self.compile_mode, self.device)

    def on_train_start(self) -> None:
        """Let the optimizer's settings take effect where a training goes on; its state has brought the old ones."""
        (optimizer,), (config,) = self.trainer.optimizers, self.trainer.lr_scheduler_configs
        schedule: Any = config.scheduler
        schedule.base_lrs = [settings["initial_lr"] for settings in self._settings]
        factors = [factor(schedule.last_epoch) for factor in schedule.lr_lambdas]
        for group, settings, factor in zip(optimizer.param_groups, self._settings, factors, strict=True):
            group.update({**settings, "lr": settings["initial_lr"] * factor})

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One step: the mean cross-entropy of a batch."""
        logits = self(batch.images)
        return self._measured("train", logits, batch, self.label_smoothing)

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Count one validation batch; returns its logits (batch, classes)."""
        return self._evaluation_step("val", batch)

    def test_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Count one test batch; returns its logits (batch, classes)."""
        return self._evaluation_step("test", batch)

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Logits (batch, classes)."""
        return self.view_logits(batch.images).float()

    def _evaluation_step(self, stage: str, batch: Batch) -> Tensor:
        fitting = self._trainer is None or self.trainer.state.fn == TrainerFn.FITTING
        logits = self(batch.images) if fitting else self.view_logits(batch.images)
        self._measured(stage, logits, batch)
        return logits

    def _measured(self, stage: str, logits: Tensor, batch: Batch, smoothing: float = 0.0) -> Tensor:
        """The mean cross-entropy of a batch, counted in the stage's metrics."""
        weights = self.loss_weights if stage == "train" else None
        loss = F.cross_entropy(logits, batch.labels, weights, label_smoothing=smoothing)
        metrics = self.metrics[f"{stage}_metrics"]
        metrics["loss"].update(loss.detach(), len(batch.labels))
        # of mixed pictures, the class with the largest share
        labels = batch.labels.argmax(1) if batch.labels.is_floating_point() else batch.labels
        metrics["acc"].update(logits.detach(), labels)
        if stage != "train":
            metrics["pictures"].update(len(batch.labels))
        self.hand_over(stage)
        return loss

    def hand_over(self, stage: str) -> None:
        """Tell Lightning of a stage's metrics, once an epoch: it reads them at the epoch's end, and `log` is slow."""
        if stage in self._handed_over:
            return
        self._handed_over.add(stage)
        named = {f"{stage}/{name}": metric for name, metric in self.metrics[f"{stage}_metrics"].items()}
        self.log_dict(named, on_step=False, on_epoch=True, logger=False, batch_size=1)

    def on_train_epoch_start(self) -> None:
        """Have the training metrics handed over anew."""
        self._handed_over.discard("train")

    def on_validation_epoch_start(self) -> None:
        """Have the validation metrics handed over anew."""
        self._handed_over.discard("val")

    def on_test_epoch_start(self) -> None:
        """Have the test metrics handed over anew."""
        self._handed_over.discard("test")

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Build the optimizer and a schedule over as many steps as the trainer will take."""
        with trainable(self.frozen):
            optimizer = self.optimizer_choice.build(self.parameters())
        scale_rates(optimizer, {self.net.get_parameter(name): by for name, by in self.rate_factors.items()})
        total_steps = self.trainer.estimated_stepping_batches
        if total_steps == float("inf"):
            raise UserError("A schedule needs to know how long training takes: give --trainer.max_epochs.", exit_code=2)
        schedule = scheduler(optimizer, self.schedule_choice, int(total_steps))
        self._settings = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Stamp the checkpoint with its format and the version of plcnn, and add the temperature."""
        checkpoint[STAMP], checkpoint[TEMPERATURE] = stamp(), self.temperature

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the temperature; checkpoints of older versions have none."""
        self.temperature = float(checkpoint.get(TEMPERATURE, UNFITTED))

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Load weights; a mismatch says which architecture the weights were meant for.

        Raises:
            UserError: if names or shapes do not fit this network.
        """
        try:
            return super().load_state_dict(state_dict, *args, **kwargs)
        except RuntimeError as error:
            first = str(error).splitlines()[1:2] or [str(error)]
            raise UserError(f"The checkpoint's weights do not fit {self.arch!r}: {first[0].strip()}") from error
