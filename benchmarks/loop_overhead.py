"""What plcnn's epoch costs beyond a bare PyTorch loop of the same steps: ratio, and milliseconds a step and an epoch.

    python benchmarks/loop_overhead.py
    python benchmarks/loop_overhead.py --archs keras_cnn --root data --trainer.precision bf16-mixed

plcnn's side is the whole command: Lightning's loop, metrics, the progress bar (forced on), TensorBoard, the curves and
the checkpoints. Both sides are processes of their own, turn by turn; the first epoch warms up, the median of the
others counts. A whole epoch lasts from one epoch's printed line to the next. `linear` has next to nothing to compute,
so the overhead of a step stands alone. What is not an option here is handed on to `plcnn fit`, on both sides.
"""

import re
import statistics
from functools import partial
from itertools import pairwise

from bare_loop import bare_fit
from common import BASE, SHAPES, Report, add_root, data_flags, fit, median_ratio, parser, turn_by_turn

EPOCH_LINE = re.compile(r"epoch +\d+/\d+ ")
"""What an epoch's line begins with, and a progress bar does not."""


def plcnn_epoch(*flags: str) -> dict[str, float]:
    """Seconds of a whole epoch, and of its training steps."""
    done = fit(*flags, "--trainer.enable_progress_bar", "true")
    ends = [seconds for seconds, line in done.finished.lines if EPOCH_LINE.match(line)]
    rates = [row["pictures/s"] for row in done.history[1:]]
    whole = [after - before for before, after in pairwise(ends)]
    return {"seconds": statistics.median(whole), "pictures/s": statistics.median(rates)}


def bare_epoch(*flags: str) -> dict[str, float]:
    """Seconds of a whole epoch, and of its training steps, of which there are so many."""
    finished = bare_fit(*flags).finished
    epochs = finished.read("bare_epochs")[1:]
    times = {key: statistics.median(epoch[key] for epoch in epochs) for key in ("seconds", "train_seconds")}
    return {**times, "steps": finished.read("steps"), "pictures": finished.read("pictures")}


def main(arguments: list[str] | None = None) -> None:
    options = parser(__doc__)
    add_root(options)
    options.add_argument("--archs", nargs="+", default=["linear", "keras_cnn"])
    options.add_argument("--batch_size", type=int, default=64)
    options.add_argument("--pictures", type=int, default=SHAPES, help="of the embedded shapes")
    options.add_argument("--epochs", type=int, default=3, help="of each process, at least 2")
    given, others = options.parse_known_args(arguments)
    report = Report(given, plcnn_fit=others)
    for arch in given.archs:
        flags = ["--config", str(BASE), *data_flags(given.root, given.pictures), "--model.arch", arch]
        flags += ["--data.batch_size", str(given.batch_size), "--trainer.max_epochs", str(given.epochs)]
        flags += ["--trainer.accelerator", given.accelerator, "--trainer.devices", "1", *others]
        sides = {"plcnn": partial(plcnn_epoch, *flags), "bare": partial(bare_epoch, *flags)}
        turns = turn_by_turn(sides, given.repeats)
        whole, bare_whole = ([turn["seconds"] for turn in turns[side]] for side in ("plcnn", "bare"))
        steps, pictures = turns["bare"][0]["steps"], turns["bare"][0]["pictures"]
        both = list(zip(turns["plcnn"], turns["bare"], strict=True))
        step = [pictures / ours["pictures/s"] - theirs["train_seconds"] for ours, theirs in both]
        rest = [
            ours["seconds"] - theirs["seconds"] - in_steps for (ours, theirs), in_steps in zip(both, step, strict=True)
        ]
        report.add(
            **{
                "network": arch,
                "steps": int(steps),
                "plcnn s": statistics.median(whole),
                "bare s": statistics.median(bare_whole),
                "plcnn / bare": median_ratio(whole, bare_whole),
                "overhead ms/step": 1000 * statistics.median(step) / steps,
                "ms/epoch besides": 1000 * statistics.median(rest),
            }
        )


if __name__ == "__main__":
    main()
