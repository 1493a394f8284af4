"""The program that base.yaml reproduces, in Keras 3 on TensorFlow: the baseline of the other benchmarks.

    pip install tensorflow-cpu scipy
    python benchmarks/keras_program.py --root data
    python benchmarks/keras_program.py --root data --epochs 2 --limit_pictures 6400

Written anew from the recipe's facts: CIFAR-10 scaled to 0..1, the first tenth of the training pictures held out, three
stages of two convolutions, `ImageDataGenerator` with shift, zoom and flip, Adam, early stopping on the validation loss
with patience 5, the last weights kept, and the test pictures at the end. Its pictures' grid and its figure are left
out. Needs neither PyTorch nor plcnn. The last line is JSON: seconds of each epoch, validation included, and the test.
"""

import argparse
import json
import os
import pickle
import time
from pathlib import Path
from typing import Any

CLASSES = 10


def read(root: Path, names: list[str]) -> tuple[Any, Any]:
    """Pictures (pictures, 32, 32, 3), float32 from 0 to 1, and labels (pictures,)."""
    import numpy as np

    folder = root / "cifar-10-batches-py" if (root / "cifar-10-batches-py").is_dir() else root
    try:
        parts = [pickle.loads((folder / name).read_bytes(), encoding="bytes") for name in names]
    except OSError as error:
        raise SystemExit(f"error: --root {root}: {error}") from error
    pictures = np.concatenate([np.asarray(part[b"data"] if b"data" in part else part["data"]) for part in parts])
    labels = [label for part in parts for label in (part[b"labels"] if b"labels" in part else part["labels"])]
    return pictures.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1).astype("float32") / 255, np.asarray(labels)


def network() -> Any:
    """The compiled network, 552,874 parameters."""
    import keras
    from keras import layers

    model = keras.Sequential([layers.Input((32, 32, 3))])
    for width, rate in ((32, 0.2), (64, 0.3), (128, 0.4)):
        for _ in range(2):
            model.add(layers.Conv2D(width, 3, padding="same", activation="relu", kernel_initializer="he_uniform"))
            model.add(layers.BatchNormalization())
        model.add(layers.MaxPooling2D())
        model.add(layers.Dropout(rate))
    model.add(layers.Flatten())
    model.add(layers.Dense(128, activation="relu"))
    model.add(layers.BatchNormalization())
    model.add(layers.Dropout(0.5))
    model.add(layers.Dense(CLASSES, activation="softmax"))
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    return model


def clock(rows: list[dict[str, float]], epochs: int) -> Any:
    """A callback that times each epoch and prints its line."""
    import keras

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.started = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            row = {"seconds": time.perf_counter() - self.started, **{k: float(v) for k, v in logs.items()}}
            rows.append(row)
            numbers = "  ".join(f"{name} {row[name]:.4f}" for name in ("loss", "accuracy", "val_loss", "val_accuracy"))
            print(f"epoch {epoch + 1:>2}/{epochs}  {numbers}  {row['seconds']:.1f} s", flush=True)

    return Clock()


def main(arguments: list[str] | None = None) -> None:
    started = time.perf_counter()
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--root", type=Path, required=True, help="folder that holds cifar-10-batches-py")
    options.add_argument("--epochs", type=int, default=50, help="at most so many (default: 50)")
    options.add_argument("--limit_pictures", type=int, help="train on so many, validate and test on shares to match")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--json", type=Path, help="file to write the last line to")
    given = options.parse_args(arguments)

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import tensorflow as tf
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    keras.utils.set_random_seed(given.seed)
    images, labels = read(given.root, [f"data_batch_{i}" for i in range(1, 6)])
    test_images, test_labels = read(given.root, ["test_batch"])
    held_out = len(images) // 10
    most = len(images) - held_out
    count = min(given.limit_pictures or most, most)
    val_count, test_count = (max(1, size * count // most) for size in (held_out, len(test_images)))
    labels, test_labels = (keras.utils.to_categorical(y, CLASSES) for y in (labels, test_labels))
    generator = ImageDataGenerator(width_shift_range=0.2, height_shift_range=0.2, zoom_range=0.2, horizontal_flip=True)
    rows: list[dict[str, float]] = []
    model = network()
    model.fit(
        generator.flow(images[held_out : held_out + count], labels[held_out : held_out + count], batch_size=64),
        validation_data=(images[:val_count], labels[:val_count]),
        epochs=given.epochs,
        callbacks=[clock(rows, given.epochs), keras.callbacks.EarlyStopping("val_loss", patience=5)],
        verbose=0,
    )
    loss, accuracy = model.evaluate(test_images[:test_count], test_labels[:test_count], verbose=0)
    result = {
        "keras_epochs": rows,
        "pictures": count,
        "test_pictures": test_count,
        "test_loss": loss,
        "test_accuracy": accuracy,
        "seconds": time.perf_counter() - started,
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
    }
    print(json.dumps(result), flush=True)
    if given.json:
        given.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
