"""What can be refused before anything heavy is built."""

from typing import Any

import torch

from plcnn.classifier import LOGGED
from plcnn.errors import UserError


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


def check_monitor(key: str, monitor: str | None, val_fraction: float, enabled: bool) -> None:
    """Refuse a metric that will not be measured, before the first epoch.

    Raises:
        UserError: if the metric is not among those that `fit` measures.
    """
    measured = [name for name in LOGGED if val_fraction or not name.startswith("val/")]
    if enabled and monitor is not None and monitor not in measured:
        raise UserError(
            f"--{key}.monitor: no metric {monitor!r} is measured. Measured: {', '.join(measured)}.", exit_code=2
        )
