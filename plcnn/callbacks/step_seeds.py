"""Random numbers of a training step that depend on nothing before it."""

import random
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from plcnn.data.randomness import mixed


class StepSeeds(Callback):
    """Seeds PyTorch's, NumPy's and Python's generators anew before each step, by seed, epoch, batch and rank.

    What a network draws (dropout, say) is then the same in a run that goes on from a checkpoint, with no state of
    generators to keep, and differs by rank.
    """

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Seed the step."""
        word = mixed(trainer.datamodule.seed, trainer.current_epoch, batch_idx, trainer.global_rank)
        for generator in _generators(pl_module.device):
            generator.manual_seed(word >> 1)
        random.seed(word)
        np.random.seed(word & 0xFFFFFFFF)  # noqa: NPY002  # the generator that others draw from


def _generators(device: torch.device) -> list[torch.Generator]:
    """PyTorch's for the CPU and for a device; `torch.manual_seed` goes through all kinds of devices, 0.16 ms a step."""
    own = []
    if device.type == "cuda":
        own = [torch.cuda.default_generators[device.index or 0]]
    if device.type == "mps":
        own = [torch.mps._get_default_mps_generator()]
    return [torch.default_generator, *own]
