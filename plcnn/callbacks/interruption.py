"""Ctrl-C and SIGTERM end a training between two steps, with a checkpoint; a second one ends it at once."""

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from plcnn.run import next_command, run_folder

EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}


class Interrupted(Exception):
    """A signal asked the training to end.

    Args:
        signum: the signal.
        folder: the run folder, from which the training can go on.
    """

    def __init__(self, signum: int, folder: Path) -> None:
        super().__init__(f"interrupted by {signal.Signals(signum).name}. To go on: {next_command('fit', folder)}")
        self.exit_code = EXIT_CODES.get(signal.Signals(signum), 128 + signum)


class Interruption(Callback):
    """Turns the first SIGINT or SIGTERM into an `Interrupted` before the next training step.

    Validation is finished first, so that the checkpoint is that of a whole epoch. SIGTERM is left to Lightning where it
    has more to do: under SLURM, which requeues, and with several processes, which it tells.
    """

    def __init__(self) -> None:
        self._signum = 0
        self._previous: dict[int, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Listen; Lightning has set its own handlers by now."""
        alone = trainer.world_size == 1 and "SLURM_JOB_ID" not in os.environ
        signals = list(EXIT_CODES) if alone else [signal.SIGINT]
        self._previous = {number: signal.signal(number, self._note) for number in signals}

    def _note(self, signum: int, frame: FrameType | None) -> None:
        if self._signum:
            os._exit(EXIT_CODES[signal.Signals(signum)])
        self._signum = signum
        name = signal.Signals(signum).name
        os.write(sys.stderr.fileno(), f"\n{name}: saving a checkpoint ... (once more ends at once)\n".encode())

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End before an epoch."""
        self._end(trainer)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """End before a step."""
        self._end(trainer)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End with the signal's exit code even where the training was over anyhow."""
        self.teardown(trainer, pl_module, "fit")
        self._end(trainer)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Stop listening."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    def _end(self, trainer: Trainer) -> None:
        if self._signum:
            raise Interrupted(self._signum, run_folder(trainer))
