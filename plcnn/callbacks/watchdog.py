"""Ends a run on several processes when one of them hangs, and says which and where.

Each process tells the others, once a second and through the store in which they met, how far it is. A rank that stays
behind the others, or all of them in one place after the first step, for longer than is allowed: every process writes
where it is (faulthandler, which works even where the interpreter is blocked) and is then ended by the system's alarm.
"""

import faulthandler
import signal
import sys
import threading
import time
from datetime import timedelta
from typing import Any, NamedTuple

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from plcnn.errors import wrong_value

BEAT = 1.0
"""Seconds between two looks."""

GRACE = 4.0
"""Seconds between what a hanging process writes and its end: no process ends before all have written."""

PATIENCE = 10
"""A rank may take so many times as long as the longest part of a step so far."""

WAITING, FORWARD, BACKWARD, VALIDATION, FREE = range(5)
PLACES = ("between steps", "in the forward pass", "after the forward pass", "in validation", "at the end of an epoch")


class Place(NamedTuple):
    """How far a rank is; a greater one is further."""

    epoch: int
    batch: int
    part: int

    def __str__(self) -> str:
        batch = f", batch {self.batch + 1}" if self.part < VALIDATION else ""
        return f"{PLACES[self.part]} (epoch {self.epoch + 1}{batch})"


class Watchdog(Callback):
    """Ends a training on several processes in which one hangs, in less than a minute, with each one's traceback.

    What rank zero does alone (checkpoints, pictures) may take as long as it likes, and so may a first step that all
    ranks are taking (compilation).

    Args:
        enabled: whether to watch.
        seconds: how long a rank may stay behind the others, or all in one place; ten times the longest part of a step
            so far where that is more.

    Raises:
        UserError: if the time is too short.
    """

    def __init__(self, enabled: bool = True, seconds: float = 40.0) -> None:
        if seconds < 5:
            raise wrong_value("--watchdog.seconds", seconds, "at least 5", 40)
        # what Windows does not have
        self.enabled, self.seconds = enabled and hasattr(signal, "setitimer"), seconds
        self._place, self._signs, self._since, self._longest = Place(0, 0, WAITING), 0, 0.0, 0.0
        # made when there is something to watch: neither can go to a spawned process
        self._ended: threading.Event | None = None
        self._thread: threading.Thread | None = None

    def _seen(self, trainer: Trainer, part: int, batch: int | None = None) -> None:
        now = time.monotonic()
        if self._place.part != FREE:
            self._longest = max(self._longest, now - self._since)
        where = self._place.batch if batch is None else batch
        self._place, self._since, self._signs = Place(trainer.current_epoch, where, part), now, self._signs + 1

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Watch from now on."""
        if trainer.world_size == 1 or self._thread is not None:
            return
        self._place, self._since = Place(trainer.current_epoch, 0, WAITING), time.monotonic()
        store = torch.distributed.distributed_c10d._get_default_store().clone()
        store.set_timeout(timedelta(seconds=self.seconds))
        self._ended = threading.Event()
        arguments = (store, trainer.global_rank, trainer.world_size, self._ended)
        self._thread = threading.Thread(target=self._watch, args=arguments, name="watchdog", daemon=True)
        self._thread.start()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the start of an epoch."""
        self._seen(trainer, WAITING, 0)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Note the start of a step."""
        self._seen(trainer, FORWARD, batch_idx)

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: torch.Tensor) -> None:
        """Note the end of the forward pass."""
        self._seen(trainer, BACKWARD)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Note the end of a step."""
        self._seen(trainer, WAITING, batch_idx + 1)

    def on_validation_batch_start(self, trainer: Trainer, pl_module: LightningModule, *batch: Any) -> None:
        """Note a batch of validation."""
        self._seen(trainer, VALIDATION)

    def on_validation_batch_end(self, trainer: Trainer, pl_module: LightningModule, *batch: Any) -> None:
        """Note the end of a batch of validation."""
        self._seen(trainer, VALIDATION)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let rank zero take its time."""
        self._seen(trainer, FREE)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let rank zero take its time."""
        self._seen(trainer, FREE)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Let rank zero take its time."""
        self._seen(trainer, FREE)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Watch no more."""
        self._stop()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Watch no more."""
        self._stop()

    def _stop(self) -> None:
        if self._thread is not None and self._ended is not None:
            self._ended.set()
            self._thread.join()
            self._thread = self._ended = None

    def _watch(self, store: torch._C._distributed_c10d.Store, rank: int, ranks: int, ended: threading.Event) -> None:
        """Put the end off, second by second, as long as nothing hangs."""
        keys = [f"plcnn/watchdog/{number}" for number in range(ranks)]
        before, since, told = "", time.monotonic(), False
        while not ended.is_set():
            try:
                store.set(keys[rank], f"{self._signs} {self._longest} {' '.join(map(str, self._place))}")
                found = [value.decode().split() for value in store.multi_get(keys)]
            except (RuntimeError, torch.distributed.DistError):  # rank zero, which keeps the store, has ended
                break
            signs = " ".join(words[0] for words in found)
            if signs != before:
                before, since = signs, time.monotonic()
            places = [Place(*map(int, words[2:])) for words in found]
            allowed = max(self.seconds, PATIENCE * max(float(words[1]) for words in found))
            fresh = max(int(words[0]) for words in found) < 4  # signs of an epoch, a step, its backward pass, its end
            if time.monotonic() - since < BEAT or not _can_hang(places, fresh):
                _put_off(allowed, GRACE if rank else GRACE + 2 * BEAT)  # rank zero, which keeps the store, last
            elif time.monotonic() - since > allowed - 2 * BEAT and not told:
                last = min(places)
                behind = ", ".join(str(number) for number, place in enumerate(places) if place == last)
                told = True
                sys.stderr.write(f"watchdog: rank {rank} is {places[rank]}; last is rank {behind}, {last}\n")
                sys.stderr.flush()
            ended.wait(BEAT)
        if ended.is_set():
            faulthandler.cancel_dump_traceback_later()
            signal.setitimer(signal.ITIMER_REAL, 0)


def _can_hang(places: list[Place], fresh: bool) -> bool:
    """Whether standing still at these places is a fault; fresh: no rank has ended a step."""
    last = min(places)
    compiling = fresh and len(set(places)) == 1 and last.part in (FORWARD, BACKWARD)
    return last.part != FREE and not compiling


def _put_off(seconds: float, grace: float) -> None:
    """Set the time at which this process writes where it is, and a little later ends."""
    faulthandler.dump_traceback_later(seconds)
    signal.setitimer(signal.ITIMER_REAL, seconds + grace)
