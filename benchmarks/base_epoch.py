"""Seconds an epoch of base.yaml: plcnn against the Keras program and against a bare PyTorch loop.

    python benchmarks/base_epoch.py --root data --keras_python kerasvenv/bin/python
    python benchmarks/base_epoch.py --root data --keras_python kerasvenv/bin/python --batches 100 --precisions 32-true

Each turn runs every side for two epochs in a process of its own and takes the second, the first one warms up: plcnn's
from the run's `history.csv`, Keras' and the bare loop's from what they print. An epoch is training and validation.
Without `--keras_python` there is no Keras side. What is not an option here is handed on to `plcnn fit`.
"""

import statistics
from functools import partial

from bare_loop import bare_fit
from common import BASE, HERE, Report, add_root, data_flags, fit, image_data, median_ratio, parser, run, turn_by_turn

BATCH_SIZE = 64


def limits(root: str, batches: int | None) -> list[str]:
    """The flags that limit an epoch to so many training batches, and validation in proportion."""
    if batches is None:
        return []
    data = image_data(root)
    val_batches = round(len(data.val_dataloader()) * batches / len(data.train_dataloader()))
    return [
        *("--trainer.limit_train_batches", str(batches)),
        *("--trainer.limit_val_batches", str(max(1, val_batches))),
    ]


def plcnn_seconds(*flags: str) -> float:
    return fit(*flags).history[-1]["seconds"]


def bare_seconds(*flags: str) -> float:
    return float(bare_fit(*flags).finished.read("bare_epochs")[-1]["seconds"])


def keras_seconds(python: str, *flags: str) -> float:
    return float(run([python, str(HERE / "keras_program.py"), *flags]).read("keras_epochs")[-1]["seconds"])


def main(arguments: list[str] | None = None) -> None:
    options = parser(__doc__)
    add_root(options, otherwise=None)
    options.add_argument("--keras_python", help="a Python with Keras 3 and TensorFlow")
    options.add_argument("--batches", type=int, help="training batches an epoch (default: all)")
    options.add_argument("--precisions", nargs="+", default=["32-true", "bf16-mixed"])
    given, others = options.parse_known_args(arguments)
    report = Report(given, plcnn_fit=others)

    flags = ["--config", str(BASE), *data_flags(given.root), *limits(given.root, given.batches), *others]
    flags += ["--trainer.accelerator", given.accelerator, "--trainer.max_epochs", "2", "--trainer.devices", "1"]
    sides = {}
    for precision in given.precisions:
        in_precision = [*flags, "--trainer.precision", precision]
        sides[f"plcnn {precision}"] = partial(plcnn_seconds, *in_precision)
        sides[f"bare PyTorch {precision}"] = partial(bare_seconds, *in_precision)
    if given.keras_python:
        keras_flags = ["--root", given.root, "--epochs", "2"]
        keras_flags += ["--limit_pictures", str(BATCH_SIZE * given.batches)] if given.batches else []
        sides["Keras"] = partial(keras_seconds, given.keras_python, *keras_flags)
    times = turn_by_turn(sides, given.repeats)
    for name, seconds in times.items():
        bare = times[f"bare PyTorch {name.split()[-1]}"] if name.startswith("plcnn") else None
        report.add(
            **{
                "an epoch of": name,
                "seconds": statistics.median(seconds),
                "fastest": min(seconds),
                "slowest": max(seconds),
                "Keras / it": median_ratio(times["Keras"], seconds) if "Keras" in times else None,
                "it / bare": median_ratio(seconds, bare) if bare else None,
            }
        )


if __name__ == "__main__":
    main()
