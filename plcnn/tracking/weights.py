"""Histograms of weights, and of the gradients of the step taken last, in TensorBoard."""

from typing import Any

import torch
from lightning.pytorch import Trainer

from plcnn.processes import has_whole_weights
from plcnn.tracking.loggers import writers


def log_histograms(trainer: Trainer, classifier: torch.nn.Module, epoch: int) -> None:
    """Log a histogram of each parameter and of its gradient, as the step taken last has left it.

    Args:
        trainer: its TensorBoard loggers get them, on rank zero, unless weights are sharded.
        classifier: whose parameters.
        epoch: the epoch, from 1.
    """
    if not has_whole_weights(trainer):
        return
    for writer in writers(trainer):
        for name, parameter in classifier.named_parameters():
            name = name.removeprefix("net.")
            _add(writer, f"weights/{name}", parameter.detach(), epoch)
            if parameter.grad is not None:
                _add(writer, f"gradients/{name}", parameter.grad, epoch)


def _add(writer: Any, tag: str, values: torch.Tensor, epoch: int) -> None:
    finite = values.float().flatten()
    finite = finite[finite.isfinite()]  # a step whose gradients overflow in float16 is left out by its scaler
    if len(finite):
        writer.add_histogram(tag, finite.cpu().numpy(), epoch)
