"""The callbacks that accompany every command: those with a key of their own, and those that make a run whole."""

from typing import Any

from lightning.pytorch import Callback
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.callbacks import ProgressBar as AnyProgressBar

from plcnn.callbacks.checkpoints import Checkpoints
from plcnn.callbacks.console import Ending, EpochLine, Opening
from plcnn.callbacks.curves import Curves
from plcnn.callbacks.early_stopping import EarlyStopping
from plcnn.callbacks.ema import EMA
from plcnn.callbacks.finetune import FineTune
from plcnn.callbacks.finite import FiniteLoss
from plcnn.callbacks.health import Health
from plcnn.callbacks.history import History
from plcnn.callbacks.interruption import Interruption
from plcnn.callbacks.lookahead import Lookahead
from plcnn.callbacks.outputs import CollectOutputs
from plcnn.callbacks.progress_bar import ProgressBar
from plcnn.callbacks.split_file import SplitFile
from plcnn.callbacks.step_seeds import StepSeeds
from plcnn.callbacks.tensorboard import TensorBoard
from plcnn.callbacks.watchdog import Watchdog
from plcnn.callbacks.within_epoch import WithinEpoch

CALLBACKS: dict[str, type[Callback]] = {
    "early_stopping": EarlyStopping,
    "lookahead": Lookahead,
    "ema": EMA,
    "checkpoints": Checkpoints,
    "epoch_line": EpochLine,
    "health": Health,
    "curves": Curves,
    "tensorboard": TensorBoard,
    "opening": Opening,
    "finetune": FineTune,
    "watchdog": Watchdog,
}
"""The callbacks that have a key of their own; adding others to `trainer.callbacks` leaves them in place."""


def accompany(keyed: list[Callback], of_run: list[Callback], trainer: dict[str, Any]) -> list[Callback]:
    """All callbacks of a command but those that `--trainer.callbacks` adds, in the order in which they are asked.

    Args:
        keyed: those of `CALLBACKS`, built.
        of_run: what records this very run.
        trainer: the trainer's settings.

    Returns:
        Those that are enabled.
    """
    first = [c for c in keyed if isinstance(c, Watchdog)]  # notes where a rank is before ranks wait for others
    ours: list[Callback] = [*first, FiniteLoss(), CollectOutputs(), WithinEpoch(), History(), StepSeeds()]
    ours += [*of_run, SplitFile(), Interruption()]
    ours += [*(c for c in keyed if c not in first), Ending()]
    if trainer["enable_progress_bar"] and not any(isinstance(c, AnyProgressBar) for c in trainer["callbacks"] or []):
        ours.append(ProgressBar())
    if trainer["enable_checkpointing"] is False:
        ours = [c for c in ours if not isinstance(c, Checkpoint)]
    return [c for c in ours if getattr(c, "enabled", True)]
