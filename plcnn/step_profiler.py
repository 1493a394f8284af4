"""Where the time of a training step goes: data, forward, backward, optimizer, callbacks and logging, the loop itself.

A Lightning profiler: every moment belongs to the innermost action that has a name here. `--trainer.profiler simple`,
`advanced` and `pytorch` are Lightning's own, with a row for each hook, function or kernel.
"""

import time
from collections import defaultdict

import torch
from lightning.pytorch.profilers import Profiler

PARTS = {
    "train_dataloader_next": "data",
    "batch_to_device": "data",
    ".training_step": "forward",
    ".backward": "backward",
    "optimizer_step": "optimizer",
    "optimizer_zero_grad": "optimizer",
    "lr_scheduler_step": "optimizer",
    "[Callback]": "callbacks",
    "save_checkpoint": "callbacks",
}
"""Parts of Lightning's names of actions, and to which row their time counts."""

ROWS = ("data", "forward", "backward", "optimizer", "callbacks", "loop")
FIRST_STEPS = 3
"""Steps left out: they allocate, and compile what is to be compiled."""


class StepProfiler(Profiler):
    """Sums up the training steps' time by what it was spent on.

    On a GPU the host waits for the device at each boundary, so that a kernel counts where it was launched; that makes
    the steps somewhat longer. Validation is left out; what callbacks do at an epoch's end is shared out over its steps.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.steps = 0
        self._stack: list[str] = []
        self._validating = False
        self._last = 0.0

    def start(self, action_name: str) -> None:
        """Count the time so far, and from now on count it for this action."""
        if action_name == "run_training_epoch":
            self._last, self._stack = self._now(), []
        if action_name.endswith("on_validation_start"):
            self._charge()
            self._validating = True
        self._charge()
        inherited = self._stack[-1] if self._stack else "loop"
        self._stack.append(next((row for part, row in PARTS.items() if part in action_name), inherited))

    def stop(self, action_name: str) -> None:
        """Count the time so far for this action."""
        self._charge()
        if self._stack:
            self._stack.pop()
        if action_name.endswith("on_validation_end"):
            self._validating = False
        if action_name == "run_training_batch":
            self.steps += 1
            if self.steps == FIRST_STEPS:
                self.seconds.clear()

    def _charge(self) -> None:
        now = self._now()
        if not self._validating:
            self.seconds[self._stack[-1] if self._stack else "loop"] += now - self._last
        self._last = now

    def _now(self) -> float:
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            torch.cuda.synchronize()
        return time.perf_counter()

    def describe(self) -> None:
        """Print the summary of a training, on rank zero."""
        if self._stage == "fit" and self._local_rank in (None, 0):
            print(self.summary(), flush=True)

    def summary(self) -> str:
        """A row for each part: its milliseconds a step, and its share."""
        steps, total = self.steps - FIRST_STEPS, sum(self.seconds[row] for row in ROWS)
        if steps < 1:
            return f"--profile: no step beyond the first {FIRST_STEPS} was taken."
        lines = [f"where a training step's time goes, mean of {steps:,} steps"]
        for row in ROWS:
            share = self.seconds[row] / total
            lines.append(f"{row:<10} {1e3 * self.seconds[row] / steps:9.3f} ms {share:6.1%}")
        lines.append(f"{'step':<10} {1e3 * total / steps:9.3f} ms")
        return "\n".join(lines)
