"""What can be refused before anything heavy is built."""

from pathlib import Path
from typing import Any

import torch

from plcnn.classifier import LOGGED
from plcnn.data.parts.split import Split
from plcnn.errors import UserError, wrong_value
from plcnn.paths import expanded

LARGEST = 2**62
"""Greater numbers would not fit where Lightning and PyTorch keep them."""

MOST_MACHINES = 2**20
"""More than these are taken for a slip."""


def check_accelerator(trainer: Any) -> None:
    """Refuse a GPU where there is none, telling a CPU-only build of PyTorch from a machine without a device.

    Raises:
        UserError: if the trainer's settings ask for a GPU that PyTorch cannot use.
    """
    if trainer["accelerator"] not in ("gpu", "cuda") or torch.cuda.is_available() or _has_mps():
        return
    if torch.version.cuda is None and torch.version.hip is None:
        reason = f"this PyTorch ({torch.__version__}) is a CPU-only build; install one with CUDA"
    else:
        reason = f"PyTorch {torch.__version__} is built for a GPU but finds no device; see `nvidia-smi`"
    raise UserError(
        f"--trainer.accelerator {trainer['accelerator']}: {reason}, or go on with --trainer.accelerator auto.", 2
    )


def _has_mps() -> bool:
    return torch.backends.mps.is_available()


def check_seed(seed: int) -> None:
    """Refuse a seed that NumPy's generator does not take.

    Raises:
        UserError: if the seed is out of range.
    """
    if not 0 <= seed < 2**32:
        raise UserError(f"--seed_everything must be from 0 to {2**32 - 1}, got {seed}.", exit_code=2)


def check_something_is_trained(trainer: Any) -> None:
    """Refuse limits that leave nothing to train.

    Raises:
        UserError: if the trainer would not take one step.
    """
    for key in ("max_epochs", "max_steps", "limit_train_batches"):
        if trainer[key] == 0:
            raise UserError(f"--trainer.{key} 0 leaves nothing to train.", exit_code=2)


def check_test_after(test_after: bool, trainer: Any) -> None:
    """Refuse a test right after a training whose weights are spread over devices: they stay spread.

    Raises:
        UserError: if both were asked for.
    """
    if test_after and trainer["strategy"] == "fsdp":
        raise UserError(
            "--test_after does not go with --trainer.strategy fsdp. Leave it out, and test the run when it has ended: "
            "plcnn test RUN",
            exit_code=2,
        )


def check_trainer(trainer: Any) -> None:
    """Refuse what Lightning would trip over late, with a traceback.

    Raises:
        UserError: if a setting of the trainer is out of range.
    """
    for key, value in vars(trainer).items():
        if isinstance(value, int) and abs(value) >= LARGEST:
            raise wrong_value(f"--trainer.{key}", value, "a number of at most 18 digits", 100)
    if trainer["default_root_dir"] is None:
        raise UserError("--trainer.default_root_dir: expected a folder, got null. For example: tb_logs", exit_code=2)
    every = trainer["check_val_every_n_epoch"]
    if every is not None and every < 1:
        raise wrong_value("--trainer.check_val_every_n_epoch", every, "1 or more epochs, or null", 1)
    if expanded(trainer["default_root_dir"]).is_file():
        raise UserError(f"--trainer.default_root_dir {trainer['default_root_dir']}: is a file, no folder.", exit_code=2)
    if trainer["accumulate_grad_batches"] < 1:
        raise wrong_value("--trainer.accumulate_grad_batches", trainer["accumulate_grad_batches"], "1 or more", 1)
    if not 1 <= trainer["num_nodes"] < MOST_MACHINES:
        raise wrong_value("--trainer.num_nodes", trainer["num_nodes"], "1 or more machines", 1)
    clip = trainer["gradient_clip_val"]
    if clip is not None and not 0 <= clip < float("inf"):
        raise wrong_value("--trainer.gradient_clip_val", clip, "a finite number from 0 on, or null", 1.0)


def check_epochs_are_left(trainer: Any, done: int, checkpoint: Path | None) -> None:
    """Refuse to go on with a run that has all its epochs.

    Args:
        trainer: the trainer's settings.
        done: the epochs that the run has taken.
        checkpoint: where the run goes on.

    Raises:
        UserError: if no epoch is left.
    """
    most = trainer["max_epochs"]
    if most and 0 < most <= done:
        raise UserError(
            f"--ckpt_path {checkpoint}: all of its epochs ({done}) are done. To go further, add "
            f"--trainer.max_epochs with more than {done}.",
            exit_code=2,
        )


def validates(data: Any) -> bool:
    """Whether the data's settings hold pictures out for validation."""
    held_out = Split("first", data["val_fraction"], data["val_count"], folds=data["folds"]).holds_out
    return held_out or data["split_file"] is not None


def check_monitor(key: str, monitor: str | None, validates: bool, enabled: bool) -> None:
    """Refuse a metric that will not be measured, before the first epoch.

    Raises:
        UserError: if the metric is not among those that `fit` measures.
    """
    measured = [name for name in LOGGED if validates or not name.startswith("val/")]
    if not enabled or monitor is None or monitor in measured:
        return
    if monitor in LOGGED:
        raise UserError(
            f"No pictures are held out for validation (--data.val_fraction or val_count 0), but --{key}.monitor is "
            f"{monitor}. "
            "Add --early_stopping.enabled false --checkpoints.monitor null.",
            exit_code=2,
        )
    raise UserError(
        f"--{key}.monitor: no metric {monitor!r} is measured. Measured: {', '.join(measured)}.", exit_code=2
    )
