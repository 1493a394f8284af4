"""What checkpoints cost: milliseconds for each, and per cent of an epoch's training, by network.

    python benchmarks/checkpoint_cost.py --root data
    python benchmarks/checkpoint_cost.py --root data --archs keras_cnn --every_n_steps 50

A checkpoint is gathered, written, synced and renamed, and the best epoch gets a second name; all of that counts, and is
measured within the run. An epoch's time is that of its training pictures at the speed of the same run, validation left
out. What is not an option here is handed on to `plcnn fit`.
"""

import statistics

from common import BASE, SHAPES, Report, add_root, data_flags, fit, parser, turn_by_turn


def main(arguments: list[str] | None = None) -> None:
    options = parser(__doc__)
    add_root(options)
    options.add_argument("--archs", nargs="+", default=["keras_cnn", "resnet20", "resnet18"])
    options.add_argument("--batch_size", type=int, default=64)
    options.add_argument("--batches", type=int, default=40, help="training batches in each of the measured epochs")
    options.add_argument("--epochs", type=int, default=4, help="of each process; the first is left out")
    options.add_argument("--every_n_steps", type=int, default=0, help="checkpoints within epochs, too; 0 for none")
    options.add_argument("--pictures", type=int, default=SHAPES, help="of the embedded shapes")
    given, others = options.parse_known_args(arguments)
    report = Report(given, plcnn_fit=others)
    for arch in given.archs:
        flags = ["--config", str(BASE), *data_flags(given.root, given.pictures), "--model.arch", arch]
        flags += ["--data.batch_size", str(given.batch_size), "--trainer.max_epochs", str(given.epochs)]
        flags += ["--trainer.limit_train_batches", str(given.batches), "--trainer.limit_val_batches", "2"]
        flags += ["--trainer.accelerator", given.accelerator, "--trainer.devices", "1"]
        flags += ["--trainer.callbacks+", "probes.SaveTimes", *others]
        runs = turn_by_turn({arch: lambda flags=flags: fit(*flags)}, given.repeats)[arch]
        saves = [seconds for run in runs for seconds in run.finished.read("save_seconds")[1:]]
        rates = [row["pictures/s"] for run in runs for row in run.history[1:]]
        pictures = runs[0].finished.read("train_pictures")
        epoch, save = pictures / statistics.median(rates), statistics.median(saves)
        steps = pictures / given.batch_size
        times = 1 + (steps // given.every_n_steps if given.every_n_steps else 0)
        report.add(
            **{
                "network": arch,
                "MiB": runs[0].finished.read("checkpoint_bytes") / 2**20,
                "ms each": 1000 * save,
                "slowest ms": 1000 * max(saves),
                "an epoch": int(times),
                "epoch s": epoch,
                "% of an epoch": 100 * times * save / epoch,
            }
        )


if __name__ == "__main__":
    main()
