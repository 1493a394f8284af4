"""Every registered architecture, trained for one short epoch on the embedded pictures: does it learn, and how fast?

    python benchmarks/architectures.py
    python benchmarks/architectures.py 'resnet*' --pictures 2000 --json architectures.json

Prints a row a name: the mean loss of the first and of the last quarter of the steps, and pictures a second over all
steps but the first two. Adam, fp32 unless `--precision` says otherwise. Run it with nothing else
running.
"""

import argparse
import json
import logging
import platform
import statistics
import time
import warnings
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch

import plcnn
from plcnn.classifier import Classifier
from plcnn.data.module import ImageData

WARM_UP = 2


class Recorder(pl.Callback):
    """Notes each step's loss and when it ended."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.times: list[float] = []

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.losses.append(float(outputs["loss"]))  # waits for the device
        self.times.append(time.perf_counter())


def train(name: str, pictures: int, batch_size: int, lr: float, precision: str, accelerator: str) -> dict[str, Any]:
    pl.seed_everything(0, verbose=False)
    source = {"class_path": "shapes", "init_args": {"train_size": pictures, "test_size": 100}}
    data = ImageData(source=source, batch_size=batch_size, val_fraction=0.0)
    data.prepare_data()
    data.setup("fit")
    recorder = Recorder()
    trainer = pl.Trainer(
        accelerator=accelerator,
        devices=1,
        precision=precision,  # type: ignore[arg-type]
        max_epochs=1,
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[recorder],
    )
    adam = {"class_path": "adam", "init_args": {"lr": lr}}
    trainer.fit(Classifier(data.classes, data.image_shape, name, optimizer=adam), datamodule=data)
    quarter = max(1, len(recorder.losses) // 4)
    seconds = recorder.times[-1] - recorder.times[WARM_UP - 1]
    return {
        "name": name,
        "first_loss": statistics.mean(recorder.losses[:quarter]),
        "last_loss": statistics.mean(recorder.losses[-quarter:]),
        "pictures_per_second": batch_size * (len(recorder.times) - WARM_UP) / seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Train every architecture for one short epoch.")
    parser.add_argument("pattern", nargs="?", default="*", help="of the names to train")
    parser.add_argument("--pictures", type=int, default=640)
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--precision", default="32-true")
    parser.add_argument("--accelerator", default="auto")
    parser.add_argument("--json", type=Path, help="file to write the rows to")
    options = parser.parse_args()
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    settings = (options.pictures, options.batch_size, options.lr, options.precision, options.accelerator)
    print(
        f"Python {platform.python_version()}, torch {torch.__version__}, {torch.get_num_threads()} threads; "
        f"{options.pictures} pictures in batches of {options.batch_size}, Adam at {options.lr:g}, {options.precision}"
    )
    print(f"{'name':<20} {'first loss':>10} {'last loss':>10} {'pictures/s':>11}")
    rows = []
    for name in (name for name in plcnn.names() if fnmatchcase(name, options.pattern)):
        row = train(name, *settings)
        print(
            f"{name:<20} {row['first_loss']:>10.4f} {row['last_loss']:>10.4f} {row['pictures_per_second']:>11,.1f}",
            flush=True,
        )
        rows.append(row)
    if options.json:
        options.json.write_text(json.dumps({"settings": vars(options) | {"json": None}, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
