"""Every registered architecture, trained for one short epoch on the embedded pictures: does it learn, and how fast?

    python benchmarks/architectures.py
    python benchmarks/architectures.py 'resnet*' --pictures 2000 --json architectures.json

Prints a row a name: the mean loss of the first and of the last quarter of the steps, and pictures a second over all
steps but the first two. Adam, fp32 unless `--precision` says otherwise. Run it with nothing else running.
"""

import statistics
import time
from fnmatch import fnmatchcase
from typing import Any

import lightning.pytorch as pl
from common import Report, image_data, parser, quiet

import plcnn
from plcnn.classifier import Classifier

WARM_UP = 2


class Recorder(pl.Callback):
    """Notes each step's loss and when it ended."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.times: list[float] = []

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.losses.append(float(outputs["loss"]))  # waits for the device
        self.times.append(time.perf_counter())


def train(name: str, pictures: int, batch_size: int, lr: float, precision: Any, accelerator: str) -> dict[str, Any]:
    pl.seed_everything(0, verbose=False)
    data = image_data(None, pictures, batch_size=batch_size, val_fraction=0.0)
    recorder = Recorder()
    trainer = pl.Trainer(
        accelerator=accelerator,
        devices=1,
        precision=precision,
        max_epochs=1,
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[recorder],
    )
    adam = {"class_path": "adam", "init_args": {"lr": lr}}
    trainer.fit(Classifier(data.classes, data.image_shape, name, optimizer=adam), datamodule=data)  # type: ignore[arg-type]
    quarter = max(1, len(recorder.losses) // 4)
    seconds = recorder.times[-1] - recorder.times[WARM_UP - 1]
    return {
        "name": name,
        "first loss": statistics.mean(recorder.losses[:quarter]),
        "last loss": statistics.mean(recorder.losses[-quarter:]),
        "pictures/s": batch_size * (len(recorder.times) - WARM_UP) / seconds,
    }


def main(arguments: list[str] | None = None) -> None:
    options = parser(__doc__, repeats=None)
    options.add_argument("pattern", nargs="?", default="*", help="of the names to train")
    options.add_argument("--pictures", type=int, default=640)
    options.add_argument("--batch_size", type=int, default=32)
    options.add_argument("--lr", type=float, default=1e-3)
    options.add_argument("--precision", default="32-true")
    given = options.parse_args(arguments)
    report = Report(given)
    for name in plcnn.names():
        if fnmatchcase(name, given.pattern):
            with quiet():
                row = train(name, given.pictures, given.batch_size, given.lr, given.precision, given.accelerator)
            report.add(**row)


if __name__ == "__main__":
    main()
