"""When a run's manifest.json is written: before the first step, and as the training ends, however it does."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy
from lightning.pytorch.utilities.exceptions import SIGTERMException

from plcnn import manifest, plugins
from plcnn.callbacks.interruption import Interrupted
from plcnn.errors import first_line
from plcnn.files import failing_softly
from plcnn.hashes import weights_hash
from plcnn.run import newest_config, run_folder
from plcnn.run_lock import hold
from plcnn.weights import Start

OnStart = Callable[[Path, dict[str, Any]], None]


class Manifest(Callback):
    """Adds an entry to the run folder's manifest.json each time that the run is started, and completes it at the end.

    Args:
        arguments: the command line as typed, without the program's name.
        on_start: called with the run folder and the new entry, before the first step, on rank zero.
    """

    def __init__(self, arguments: list[str], on_start: OnStart | None = None) -> None:
        self.command, self.on_start = shlex.join(["plcnn", *arguments]), on_start
        self.folder = Path()
        self._sessions: list[dict[str, Any]] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write what the training starts from; the processors' threads are set by now."""
        self.folder = run_folder(trainer)
        if not trainer.is_global_zero or trainer.fast_dev_run:
            return
        hold(self.folder)
        config = newest_config(self.folder)
        start = getattr(pl_module, "start", None)
        session = {
            "command": self.command,
            "config": config and config.name,
            "started": manifest.now(),
            "resumed": {"epoch": trainer.current_epoch, "step": trainer.global_step} if trainer.global_step else None,
            "seed": trainer.datamodule.seed,
            "device": _device(trainer),
            "versions": manifest.versions(),
            "git": manifest.git_states(),
            "plugins": manifest.file_hashes(plugins.loaded()),
            "weights": _started_from(start) if start else {},
            "data": manifest.data_facts(trainer.datamodule),
            "ended": None,
        }
        try:
            before = manifest.read(self.folder)
        except (OSError, ValueError):
            before = []
        self._sessions = [*before, session]
        self._write()
        if self.on_start:
            self.on_start(self.folder, session)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write how the training ended, with the hash of its weights."""
        self._end(trainer, pl_module, "stopped early" if trainer.should_stop else "finished")

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Write why the training ended."""
        if isinstance(exception, Interrupted | SIGTERMException | KeyboardInterrupt):
            self._end(trainer, pl_module, "interrupted")
        else:
            self._end(trainer, None, "failed", f"{type(exception).__name__}: {first_line(exception)}")

    def _end(self, trainer: Trainer, pl_module: LightningModule | None, reason: str, message: str = "") -> None:
        """Complete the entry, the first time that this is called after a start."""
        if not self._sessions or self._sessions[-1]["ended"]:
            return
        self._sessions[-1]["ended"] = {
            "time": manifest.now(),
            "reason": reason,
            **({"message": message} if message else {}),
            "epochs": trainer.current_epoch,
            "steps": trainer.global_step,
            "weights": _weights(trainer, pl_module) if pl_module else None,
        }
        self._write()

    def _write(self) -> None:
        with failing_softly(manifest.FILE):
            manifest.write(self.folder, self._sessions)


def _device(trainer: Trainer) -> dict[str, Any]:
    """What computes, and how."""
    device = trainer.strategy.root_device
    names = [torch.cuda.get_device_name(index) for index in trainer.device_ids] if device.type == "cuda" else []
    return {
        "accelerator": device.type,
        "names": names,
        "world_size": trainer.world_size,
        "nodes": trainer.num_nodes,
        "threads": torch.get_num_threads(),
        "cpu": manifest.processor(),
        "precision": str(trainer.precision),
        "float32_matmul": torch.get_float32_matmul_precision(),
    }


def _started_from(start: Start) -> dict[str, str | None]:
    """What the weights started from, with its hash."""
    return manifest.file_hashes([start.file]) if start.file else {start.origin: start.digest}


def _weights(trainer: Trainer, pl_module: LightningModule) -> str | None:
    """The hash of the weights; None where no process holds all of them."""
    if not isinstance(trainer.strategy, SingleDeviceStrategy | DDPStrategy):
        return None
    return weights_hash(pl_module.state_dict())
