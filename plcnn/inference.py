"""A trained classifier at work on pictures in memory, in batches."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from plcnn.calibration import probabilities
from plcnn.views import Views

if TYPE_CHECKING:
    from plcnn.classifier import Classifier


@torch.inference_mode()
def predict_logits(classifier: "Classifier", images: Tensor, tta: Views | None = None, batch_size: int = 256) -> Tensor:
    """Logits of pictures that have the network's size, computed on the device of the classifier.

    Args:
        classifier: it is put into evaluation mode meanwhile.
        images: (pictures, channels, height, width), uint8 from 0 to 255 or float from 0 to 1, on any device.
        tta: test-time augmentation; the classifier's own if left out.
        batch_size: pictures at once.

    Returns:
        float32 (pictures, classes), on the CPU.
    """
    was_training = classifier.training
    classifier.eval()
    try:
        batches = (batch.to(classifier.device) for batch in images.split(batch_size))
        logits = [classifier.view_logits(batch, tta).float().cpu() for batch in batches if len(batch)]
    finally:
        classifier.train(was_training)
    return torch.cat(logits) if logits else torch.zeros(0, len(classifier.classes))


def predict_probabilities(
    classifier: "Classifier", images: Tensor, tta: Views | None = None, batch_size: int = 256
) -> Tensor:
    """Calibrated probabilities of pictures, float32 (pictures, classes); arguments as for `predict_logits`."""
    return probabilities(predict_logits(classifier, images, tta, batch_size), classifier.temperature)
