"""How long the command takes to answer: help, and from the command to the first training step.

    python benchmarks/start_up.py
    python benchmarks/start_up.py --root data --repeats 5

Whole processes, turn by turn: `plcnn --help`, `plcnn fit --help`, `plcnn fit` of base.yaml until its first step is
done and until it has ended after that step, and, as the floor, a Python that imports torch and Lightning and ends. The
data lies on the disk; a turn that is not counted fills the caches. What is not an option here is handed on to `plcnn
fit`.
"""

import statistics
import sys
from collections.abc import Callable
from functools import partial

from common import BASE, Report, add_root, data_flags, fit, parser, plcnn, run, turn_by_turn
from probes import FIRST_STEP


def seconds_of(name: str, command: list[str]) -> dict[str, float]:
    return {name: run(command).seconds}


def main(arguments: list[str] | None = None) -> None:
    options = parser(__doc__)
    add_root(options)
    options.add_argument("--pictures", type=int, default=640, help="of the embedded shapes")
    given, others = options.parse_known_args(arguments)
    report = Report(given, plcnn_fit=others)
    flags = ["--config", str(BASE), *data_flags(given.root, given.pictures), "--trainer.accelerator", given.accelerator]
    flags += ["--trainer.devices", "1", "--trainer.callbacks+", "probes.FirstStep"]
    for limit in ("max_epochs", "limit_train_batches", "limit_val_batches"):
        flags += [f"--trainer.{limit}", "1"]
    flags += others

    def one_step() -> dict[str, float]:
        finished = fit(*flags).finished
        return {
            "plcnn fit, to the first step": finished.when(FIRST_STEP),
            "plcnn fit, one step, to the end": finished.seconds,
        }

    commands = {
        "import torch, lightning": [sys.executable, "-c", "import torch, lightning.pytorch"],
        "plcnn --help": plcnn("--help"),
        "plcnn fit --help": plcnn("fit", "--help"),
    }
    sides: dict[str, Callable[[], dict[str, float]]] = {
        name: partial(seconds_of, name, command) for name, command in commands.items()
    }
    sides["plcnn fit"] = one_step
    turn_by_turn(sides, 1)
    for turns in turn_by_turn(sides, given.repeats).values():
        for name in turns[0]:
            seconds = [turn[name] for turn in turns]
            report.add(command=name, seconds=statistics.median(seconds), fastest=min(seconds), slowest=max(seconds))


if __name__ == "__main__":
    main()
