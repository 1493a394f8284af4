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
        torch.manual_seed(word >> 1)
        random.seed(word)
        np.random.seed(word & 0xFFFFFFFF)  # noqa: NPY002  # the generator that others draw from
