"""From the command to the printed test accuracy, over several seeds: seconds and accuracy, mean ± standard deviation.

    python benchmarks/time_to_accuracy.py --config configs/base.yaml --root data --seeds 0 1 2
    python benchmarks/time_to_accuracy.py --config configs/base.yaml --root data \\
        --keras_python kerasvenv/bin/python --keras_epochs 17 --trainer.precision bf16-mixed

Runs `plcnn fit --test_after true`, which reads the test pictures once, at its end. `command s` is from the start of
the process to the line with the test accuracy, `training s` the sum of the epochs in `history.csv`. What is not an
option here is handed on to `plcnn fit`.

The baseline's seconds are given (`--baseline_seconds`), or measured beside each run: the Keras program runs two
epochs, and the second one is multiplied up to the epochs that it takes to stop (`--keras_epochs`); start, first epoch
and test are its own. `speed-up` is the baseline's seconds over the command's.
"""

import statistics
from typing import Any

from common import HERE, Report, add_root, data_flags, fail, fit, parser, run


def keras_seconds(python: str, root: str, epochs: int) -> float:
    """Seconds of the Keras program if it stopped after so many epochs, from a run of two."""
    finished = run([python, str(HERE / "keras_program.py"), "--root", root, "--epochs", "2"])
    return finished.seconds + (epochs - 2) * float(finished.read("keras_epochs")[-1]["seconds"])


def measure(flags: list[str], seed: int) -> dict[str, Any]:
    done = fit(*flags, "--test_after", "true", "--seed_everything", str(seed), echo=True)
    if done.test is None:
        fail("the run left no test.json: this plcnn does not know --test_after.")
    return {
        "epochs": len(done.history),
        "command s": done.finished.when("test "),
        "training s": sum(row["seconds"] for row in done.history),
        "test accuracy": done.test["acc"],
    }


def main(arguments: list[str] | None = None) -> None:
    options = parser(__doc__, repeats=None)
    add_root(options, otherwise="; the config's data if left out")
    options.add_argument("--config", required=True)
    options.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options.add_argument("--baseline_seconds", type=float, help="what the baseline takes, if it is known")
    options.add_argument("--keras_python", help="a Python with Keras 3 and TensorFlow")
    options.add_argument("--keras_epochs", type=int, default=17, help="after which the program stops (default: 17)")
    given, others = options.parse_known_args(arguments)
    report = Report(given, plcnn_fit=others)
    if given.keras_python and not given.root:
        fail("--keras_python needs --root: the Keras program reads CIFAR-10's files.")
    flags = ["--config", given.config, "--trainer.accelerator", given.accelerator]
    flags += [*(data_flags(given.root) if given.root else ()), *others]
    for seed in given.seeds:
        row = {"seed": str(seed), **measure(flags, seed)}
        baseline = given.baseline_seconds
        if given.keras_python:
            baseline = keras_seconds(given.keras_python, given.root, given.keras_epochs)
        report.add(**row, **{"baseline s": baseline, "speed-up": baseline / row["command s"] if baseline else None})
    rows = list(report.rows)
    for name, statistic in (("mean", statistics.mean), ("standard deviation", statistics.stdev)):
        if len(rows) > 1:
            columns = {key: [row[key] for row in rows] for key in rows[0] if key != "seed"}
            report.add(
                seed=name,
                **{key: None if None in values else float(statistic(values)) for key, values in columns.items()},
            )


if __name__ == "__main__":
    main()
