"""The network, the data and the trainer of `fit`, for a look at a few steps that leaves nothing behind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch import Callback
from lightning.pytorch.cli import LightningCLI

from plcnn.callbacks.finetune import FineTune
from plcnn.command_parser import CommandParser
from plcnn.errors import UserError
from plcnn.fit_options import FitOptions
from plcnn.terminal import remark

NEVER = 10**9
"""Epochs from one validation to the next."""


class Trial(FitOptions):
    """`fit`, built but not run: on one device, without loggers, checkpoints, validation; what freezes layers is kept.

    Args:
        arguments: what `CLI` takes.
        folder: where Lightning may write its own checkpoint for the while.
        steps: optimizer steps that will be taken at most.
        find: what is done with it.
        parser: of the command's own options.
    """

    def __init__(
        self, *arguments: Any, folder: Path, steps: int, find: Callable[["Trial"], None], parser: CommandParser
    ) -> None:
        self.folder, self.steps, self.find = folder, steps, find
        super().__init__(*arguments, parser=parser)

    def before_instantiate_classes(self) -> None:
        """Check the settings as `fit` does, and take away what a look does not need."""
        super().before_instantiate_classes()
        config = self.config[self.command]
        if self.origin.checkpoint:
            raise UserError("tune starts from fresh weights, or from --model.weights FILE: leave --ckpt_path out.", 2)
        trainer = config["trainer"]
        if trainer["devices"] not in ("auto", 1, "1") or trainer["num_nodes"] != 1:
            remark("tune uses one device: --data.batch_size is the batch of each, and the learning rate is for it.")
        trainer["logger"], trainer["callbacks"], trainer["profiler"] = False, None, None
        trainer["devices"], trainer["num_nodes"], trainer["strategy"] = 1, 1, "auto"
        trainer["fast_dev_run"], trainer["enable_progress_bar"], trainer["enable_checkpointing"] = False, False, False
        trainer["max_epochs"], trainer["max_steps"], trainer["max_time"] = self.steps + 1, -1, None
        trainer["check_val_every_n_epoch"], trainer["val_check_interval"] = NEVER, None
        config["test_after"], config["profile"] = False, False

    def _run_folder(self, root: str) -> Path:
        return self.folder

    def _instantiate_trainer(self, config: dict[str, Any], callbacks: list[Callback]) -> pl.Trainer:
        freezing: list[Callback] = [callback for callback in callbacks if isinstance(callback, FineTune)]
        return LightningCLI._instantiate_trainer(self, config, freezing)

    def _run_subcommand(self, subcommand: str) -> None:
        self.model.on_train_start = None  # it sets the schedule's rates, and the finder has a schedule of its own
        self.find(self)
