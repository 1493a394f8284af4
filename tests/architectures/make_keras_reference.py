"""Write keras_cnn_reference.json: what Keras computes with the seed's network, for test_keras_cnn.py to compare with.

Run with Keras 3.15.1 on TensorFlow 2.21.0 (CPU), NumPy 2.4.6 and Python 3.11, in an environment of its own:

    pip install keras==3.15.1 tensorflow-cpu==2.21.0
    python tests/architectures/make_keras_reference.py

Weights, pictures and labels come from a formula (`uniform`), so the file holds results only. Keras is imported where it
is used: the test takes the formulas from this file and needs no Keras.

Keras computes in float64 here. In its float32 the logits, the loss and the statistics are the same to 1e-5 of the
largest, the gradients only to 2e-2: they jump when rounding takes a value across a ReLU's zero, or makes another of a
max-pool's inputs the greatest.
"""

import json
import math
import os
from pathlib import Path

import numpy as np

BATCH = 16
SAMPLES = 16


def uniform(stream: int, *shape: int) -> np.ndarray:
    """Fill an array with numbers in [0, 1) that look random and are the same everywhere.

    A 32-bit integer hash of the position: exact, and with no pattern that would make a matrix of low rank.

    Args:
        stream: arrays of different streams are unrelated.
        shape: of the array; it is filled in C order.
    """
    index = np.arange(math.prod(shape), dtype=np.uint64) + np.uint64(stream << 24)
    mask = np.uint64(0xFFFFFFFF)
    for factor, shift in ((0x9E3779B1, 15), (0x85EBCA77, 13), (0xC2B2AE3D, 16)):
        index = index * np.uint64(factor) & mask
        index ^= index >> np.uint64(shift)
    return (index.astype(np.float64) / 2**32).reshape(shape).astype(np.float32)


def pictures(count: int) -> np.ndarray:
    """Return pictures in 0..1, (count, 32, 32, 3): coarse tiles, which make them differ in deep layers, and noise."""
    tiles = uniform(1000, count, 4, 4, 3).repeat(8, axis=1).repeat(8, axis=2)
    return (tiles + uniform(1001, count, 32, 32, 3)) / 2


def labels(count: int) -> np.ndarray:
    """Return one class in 0..9 for each picture, (count,)."""
    return np.arange(count) * 3 % 10


def weight(stream: int, kind: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return one variable of the network, in a range that keeps activations near 1.

    Args:
        stream: the variable's place in Keras's `model.weights`.
        kind: Keras's name of the variable: kernel, bias, gamma, beta, moving_mean or moving_variance.
        shape: Keras's shape: (height, width, in, out) for a convolution, (in, out) for a dense layer.
    """
    reach = math.sqrt(6 / math.prod(shape[:-1])) if kind == "kernel" else 0.2
    low = {"gamma": 0.8, "moving_mean": 0.4, "moving_variance": 0.8}.get(kind, -reach)
    return (low + 2 * reach * uniform(stream, *shape)).astype(np.float32)


def sampled(values: np.ndarray) -> list[float]:
    """Return up to SAMPLES values spread evenly over an array's C order."""
    flat = values.reshape(-1)
    return [float(value) for value in flat[np.linspace(0, flat.size - 1, min(SAMPLES, flat.size)).astype(int)]]


def build(head_norm: bool):
    """Build the network in Keras, with every dropout at 0, and give it the formula's weights."""
    from keras import Sequential, layers

    model = Sequential([layers.Input((32, 32, 3))])
    for width in (32, 64, 128):
        for _ in range(2):
            model.add(layers.Conv2D(width, 3, padding="same", activation="relu"))
            model.add(layers.BatchNormalization())
        model.add(layers.MaxPooling2D(2))
        model.add(layers.Dropout(0.0))
    model.add(layers.Flatten())
    model.add(layers.Dense(128, activation="relu"))
    if head_norm:
        model.add(layers.BatchNormalization())
    model.add(layers.Dropout(0.0))
    model.add(layers.Dense(10))
    for stream, variable in enumerate(model.weights):
        variable.assign(weight(stream, variable.name, tuple(variable.shape)))
    return model


def record(head_norm: bool) -> dict[str, object]:
    """Run inference and one training step, and return the numbers to compare."""
    import keras
    import tensorflow as tf

    model = build(head_norm)
    result: dict[str, object] = {
        "trainable": sum(math.prod(variable.shape) for variable in model.trainable_weights),
        "statistics": sum(math.prod(variable.shape) for variable in model.non_trainable_weights),
        "variables": [[variable.name, list(variable.shape)] for variable in model.weights],
        "logits": model(pictures(BATCH), training=False).numpy().tolist(),
    }
    with tf.GradientTape() as tape:
        logits = model(pictures(BATCH), training=True)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels(BATCH), logits)
    gradients = tape.gradient(loss, model.trainable_weights)
    keras.optimizers.Adam().apply_gradients(zip(gradients, model.trainable_weights, strict=True))
    result["loss"] = float(loss)
    result["gradients"] = [sampled(gradient.numpy()) for gradient in gradients]
    result["gradient_norms"] = [float(np.linalg.norm(gradient.numpy().astype(np.float64))) for gradient in gradients]
    result["updated_statistics"] = [variable.numpy().tolist() for variable in model.non_trainable_weights]
    result["updated_weights"] = [sampled(variable.numpy()) for variable in model.trainable_weights]
    return result


def main() -> None:
    os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0")
    import keras
    import tensorflow as tf

    keras.config.set_floatx("float64")
    reference = {
        "versions": {"keras": keras.__version__, "tensorflow": tf.__version__, "numpy": np.__version__},
        "head_norm": record(head_norm=True),
        "no_head_norm": record(head_norm=False),
    }
    Path(__file__).with_name("keras_cnn_reference.json").write_text(json.dumps(reference) + "\n")


if __name__ == "__main__":
    main()
