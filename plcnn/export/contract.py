"""The contract that lies in every exported file: what goes in, what comes out, and what the classes are called."""

import json
from importlib.metadata import version
from typing import Any

from plcnn.classifier import Classifier

KINDS = {1: "grey", 2: "grey and opacity", 3: "RGB", 4: "RGB and opacity"}
"""What the channels are, by their number; of any other number, nobody knows."""


def contract(classifier: Classifier, precision: str) -> dict[str, Any]:
    """What a program needs to know to use an exported network, as plain data.

    Args:
        classifier: what is exported.
        precision: of its weights and computation.
    """
    channels, height, width = classifier.image_shape
    shape = ["batch", channels, "height", "width"]
    classes = ["batch", len(classifier.classes)]
    return {
        "plcnn": version("plcnn"),
        "architecture": classifier.arch.as_dict(),
        "classes": classifier.classes,
        "image_shape": [channels, height, width],
        "resize": classifier.resize,
        "input": {
            "name": "images",
            "type": "uint8",
            "shape": shape,
            "channels": KINDS.get(channels, f"{channels} channels"),
        },
        "outputs": [
            {"name": "probabilities", "type": "float32", "shape": classes},
            {"name": "logits", "type": "float32", "shape": classes},
        ],
        "mean": classifier.mean.flatten().tolist() if classifier.scaled else None,
        "std": classifier.std.flatten().tolist() if classifier.scaled else None,
        "tta": classifier.tta,
        "temperature": classifier.temperature,
        "precision": precision,
    }


def as_text(values: dict[str, Any]) -> str:
    """The contract as JSON."""
    return json.dumps(values)
