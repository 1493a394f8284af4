"""What the tests of the command line share."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import NamedTuple

CONFIGS = Path(__file__).parents[1] / "configs"

TINY = [
    *("--data.source", "shapes", "--data.source.train_size", "200", "--data.source.test_size", "90"),
    *("--data.source.image_size", "8", "--model.arch", "linear", "--trainer.accelerator", "cpu"),
    *("--tensorboard.figures_every_n_epochs", "0"),
]
"""A run of a second: 180 training, 20 validation and 90 test pictures of 8 × 8 pixels, a linear network, no figures."""


class Outcome(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


class Forked(NamedTuple):
    """A command line that runs in a process of its own, forked from one that has everything imported."""

    server: "subprocess.Popen[str]"
    number: int
    folder: Path

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal."""
        os.kill(self.number, number)

    def wait(self) -> Outcome:
        """Wait for the end; the code is negative for a signal."""
        code = int(asked(self.server, {"wait": self.number}))
        return Outcome(code, *((self.folder / name).read_text() for name in ("out", "err")))


def asked(server: "subprocess.Popen[str]", order: dict[str, object]) -> str:
    """The answer of the process that has everything imported."""
    server.stdin.write(json.dumps(order) + "\n")  # type: ignore[union-attr]
    server.stdin.flush()  # type: ignore[union-attr]
    answer = server.stdout.readline()  # type: ignore[union-attr]
    assert answer, "the warm process has died"
    return answer
