"""Hands metrics, pictures and settings to each of a trainer's loggers, in the way that it takes them."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import Logger, MLFlowLogger, TensorBoardLogger, WandbLogger

OWN_AXES = (TensorBoardLogger, MLFlowLogger)
"""Loggers in which each metric has steps of its own: what is measured once an epoch counts epochs there."""


def log_by_step(
    trainer: Trainer, metrics: Mapping[str, float], step: int, kinds: tuple[type[Logger], ...] = (Logger,)
) -> None:
    """Log what belongs to an optimizer step, to the loggers of some kinds."""
    for logger in _loggers(trainer):
        if isinstance(logger, kinds):
            logger.log_metrics(dict(metrics), step=step)


def log_by_epoch(trainer: Trainer, metrics: Mapping[str, Any], epoch: int, step: int) -> None:
    """Log what belongs to an epoch.

    Args:
        trainer: its loggers get it, on rank zero.
        metrics: numbers by tag.
        epoch: the epoch, from 1.
        step: the optimizer step at its end; loggers with one axis for all metrics get it, and the epoch as a metric.
    """
    for logger in _loggers(trainer):
        if isinstance(logger, OWN_AXES):
            logger.log_metrics(dict(metrics), step=epoch)
        else:
            _log_with_epoch(logger, metrics, epoch, step)


def _log_with_epoch(logger: Logger, values: Mapping[str, Any], epoch: int, step: int) -> None:
    if isinstance(logger, WandbLogger):
        for tag in values:
            logger.experiment.define_metric(tag, step_metric="epoch")
    logger.log_metrics({**values, "epoch": epoch}, step=step)


def takes_pictures(trainer: Trainer) -> bool:
    """Whether one of this rank's loggers shows pictures, so that they are worth drawing."""
    return any(isinstance(logger, TensorBoardLogger | WandbLogger | MLFlowLogger) for logger in _loggers(trainer))


def log_picture(trainer: Trainer, tag: str, picture: np.ndarray, epoch: int, step: int) -> None:
    """Log a picture of an epoch to each logger that shows pictures.

    Args:
        trainer: its loggers get it, on rank zero.
        tag: its name.
        picture: uint8 (height, width, 3).
        epoch: the epoch, from 1; 0 before the training.
        step: the optimizer step at its end.
    """
    for logger in _loggers(trainer):
        if isinstance(logger, TensorBoardLogger):
            logger.experiment.add_image(tag, picture, epoch, dataformats="HWC")
        elif isinstance(logger, WandbLogger):
            import wandb

            _log_with_epoch(logger, {tag: wandb.Image(picture)}, epoch, step)
        elif isinstance(logger, MLFlowLogger):
            logger.experiment.log_image(logger.run_id, picture, key=tag, step=epoch)


def log_settings(trainer: Trainer, settings: Mapping[str, Any]) -> None:
    """Log a run's settings, by name, to all loggers but TensorBoard's, which `writers` serves."""
    for logger in _loggers(trainer):
        if isinstance(logger, MLFlowLogger):
            logged = logger.experiment.get_run(logger.run_id).data.params  # which may not be changed
            logger.log_hyperparams({name: value for name, value in settings.items() if name not in logged})
        elif not isinstance(logger, TensorBoardLogger):
            logger.log_hyperparams(dict(settings))


def writers(trainer: Trainer) -> list[Any]:
    """TensorBoard's SummaryWriters, on rank zero; none on others."""
    return [logger.experiment for logger in _loggers(trainer) if isinstance(logger, TensorBoardLogger)]


def _loggers(trainer: Trainer) -> Iterator[Logger]:
    return iter(trainer.loggers if trainer.is_global_zero else [])
