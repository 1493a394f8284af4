"""Hooks that do nothing are not called: Lightning enters each of them at every step, for every callback.

With fifteen callbacks that is a hundred empty calls a step. Lightning passes over a hook that is not callable, so one
that is still the base class's is replaced by None, on the object alone.
"""

from typing import Any

import lightning.pytorch as pl
from lightning.pytorch import Callback, LightningModule

STEP_HOOKS = (
    "on_train_batch_start",
    "on_train_batch_end",
    "on_before_zero_grad",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
)


def skip_idle_hooks(trainer: pl.Trainer, model: LightningModule) -> None:
    """Let the trainer pass over the step hooks that neither a callback nor the model defines.

    Args:
        trainer: its callbacks are looked through.
        model: the module to be trained.
    """
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    for owner, base in [(model, LightningModule), *((callback, Callback) for callback in callbacks)]:
        for hook in STEP_HOOKS:
            if _function(owner, hook) is getattr(base, hook):
                setattr(owner, hook, None)


def _function(owner: Any, name: str) -> Any:
    """The function behind a method; what was set on the object itself is returned as it is."""
    method = getattr(owner, name)
    return getattr(method, "__func__", method)
