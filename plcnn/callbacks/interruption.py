"""Ctrl-C and SIGTERM end a training between two steps, with a checkpoint; a second one ends it at once.

With several processes all of them end before the same step, whichever got the signal. Under SLURM the signal that
announces the end of the time (SIGUSR1, say) does the same, and the job is put into the queue again.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.plugins.environments import SLURMEnvironment

from plcnn.processes import end_all, fate_of_others, is_of_another
from plcnn.run import next_command, run_folder
from plcnn.terminal import warn

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):
    """A signal asked the training to end.

    Args:
        signum: the signal.
        folder: the run folder, from which the training can go on.
        requeue: whether SLURM is to be asked to start the job again.
    """

    def __init__(self, signum: int, folder: Path, requeue: bool = False) -> None:
        super().__init__(f"interrupted by {signal.Signals(signum).name}. To go on: {next_command('fit', folder)}")
        self.exit_code, self.requeue = 128 + signum, requeue


class Interruption(Callback):
    """Turns the first SIGINT or SIGTERM, on whichever rank, into an `Interrupted` before the next step on every rank.

    A single process ends within a validation, too; several finish it first. Lightning (2.6) heeds SIGTERM on rank zero
    alone, and saves for SLURM wherever the signal strikes, while other ranks are elsewhere.
    """

    def __init__(self) -> None:
        self._signum = 0
        self._since = 0.0
        self._requeue_signal: int | None = None
        self._previous: dict[int, Any] = {}
        self._trainer: Trainer | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Listen; Lightning has set its own handlers by now."""
        self._trainer = trainer
        environment = trainer._accelerator_connector.cluster_environment
        if isinstance(environment, SLURMEnvironment) and environment.auto_requeue:
            self._requeue_signal = environment.requeue_signal or signal.SIGUSR1
        signals = {*SIGNALS, *([self._requeue_signal] if self._requeue_signal else [])}
        self._previous = {number: signal.signal(number, self._note) for number in signals}
        # before each step Lightning, too, asks rank zero for a signal, and never gets one from now on
        trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = lambda: None  # type: ignore[method-assign]

    def _note(self, signum: int, frame: FrameType | None) -> None:
        if self._signum:
            # torchrun passes on what the terminal has sent to every process, `timeout` what it sends to the group
            if time.monotonic() - self._since > (2 if torch.distributed.is_torchelastic_launched() else 0.3):
                self._end_at_once(signum)
            return
        self._signum, self._since = signum, time.monotonic()
        assert self._trainer is not None
        if self._trainer.is_global_zero:
            name = signal.Signals(signum).name
            os.write(sys.stderr.fileno(), f"\n{name}: saving a checkpoint ... (once more ends at once)\n".encode())

    def _end_at_once(self, signum: int) -> None:
        assert self._trainer is not None
        if self._trainer.strategy.launcher is not None and hasattr(self._trainer.strategy.launcher, "kill"):
            # Windows has no SIGKILL
            self._trainer.strategy.launcher.kill(getattr(signal, "SIGKILL", signal.SIGTERM))
        os._exit(128 + signum)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End before an epoch."""
        self._end(trainer)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """End before a step."""
        self._end(trainer)

    def on_validation_batch_start(self, trainer: Trainer, *_: Any) -> None:
        """End within a validation where no other process waits for it; it begins again when the training goes on."""
        if trainer.world_size == 1:
            self._end(trainer)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End with the signal's exit code even where the training was over anyhow."""
        self.teardown(trainer, pl_module, "fit")
        self._end(trainer)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """End with the processes of the other devices, each with its own words and exit code."""
        if is_of_another(exception):
            way_on = f"To go on: {next_command('fit', Path(trainer.default_root_dir))}"
            exception.add_note(f"{fate_of_others(trainer) or 'another process of this run has ended'}. {way_on}")
        end_all(trainer)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Stop listening."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    def _end(self, trainer: Trainer) -> None:
        signum = _greatest(self._signum, trainer)
        if signum:
            raise Interrupted(signum, run_folder(trainer), signum == self._requeue_signal)


def _greatest(signum: int, trainer: Trainer) -> int:
    """The greatest of the ranks' signals, on each of them; 0 where there is none."""
    if trainer.world_size == 1:
        return signum
    greatest = torch.tensor(signum, device=trainer.strategy.root_device)
    torch.distributed.all_reduce(greatest, torch.distributed.ReduceOp.MAX)
    return int(greatest)


def requeue() -> None:
    """Put this SLURM job, or this task of an array, into the queue again."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    job = f"{array}_{task}" if array else os.environ["SLURM_JOB_ID"]
    try:
        done = subprocess.run(["scontrol", "requeue", job], capture_output=True, text=True, check=False)
        reason = "" if done.returncode == 0 else done.stderr.strip() or f"exit code {done.returncode}"
    except OSError as error:
        reason = str(error)
    if reason:
        warn(f"the job could not be put into the queue again (scontrol requeue {job}): {reason}")
