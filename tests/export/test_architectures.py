"""Every architecture as ONNX and .pt2: a handful here, all of them with PLCNN_EXPORT=all (some minutes)."""

import os

import pytest
import torch

import plcnn
from plcnn.classifier import Classifier
from plcnn.export.artifact import Artifact
from plcnn.export.make import make
from plcnn.export.module import Exported

SOME = ("keras_cnn", "cct")
NAMES = plcnn.names() if os.environ.get("PLCNN_EXPORT") == "all" else list(SOME)


@pytest.mark.parametrize("name", NAMES)
def test_it_can_be_exported(name: str) -> None:
    torch.manual_seed(0)
    classifier = Classifier([str(label) for label in range(10)], (3, 32, 32), name).eval()
    for format in ("pt2", "onnx"):
        made = make(classifier, format, "fp32", "{}")
        assert isinstance(made, Artifact)
        for batch, height, width in ((1, 32, 32), (5, 32, 32), (2, 41, 20)):
            images = torch.randint(0, 256, (batch, 3, height, width), dtype=torch.uint8)
            with torch.inference_mode():
                shares, logits = Exported(classifier)(images)
            found_shares, found = made.run(images)
            scale = max(1.0, float(logits.abs().max()))
            assert (found - logits).abs().max() <= 1e-4 * scale, (format, batch)
            assert (found_shares - shares).abs().max() <= 1e-3, (format, batch)
