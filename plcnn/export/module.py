"""The module that is exported: everything between a picture's pixels and its probabilities."""

import copy

import torch
from torch import Tensor, nn

from plcnn.calibration import probabilities
from plcnn.classifier import Classifier
from plcnn.export.resize import Resize
from plcnn.views import mean_logits


class Exported(nn.Module):
    """Resizes, scales, asks the network and calibrates; a copy of what a classifier does with pictures.

    Args:
        classifier: trained; it is left as it is. Its test-time augmentation is part of the module.
        dtype: of the network's weights and computation; scaling, softmax, input and output stay as they are.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, classifier: Classifier, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        _, height, width = classifier.image_shape
        self.resize = Resize(height, width, classifier.resize)
        self.net = copy.deepcopy(classifier.net).to("cpu", dtype).requires_grad_(False)
        self.register_buffer("mean", classifier.mean.detach().cpu().clone())
        self.register_buffer("std", classifier.std.detach().cpu().clone())
        self.scaled, self.tta, self.temperature = classifier.scaled, classifier.tta, classifier.temperature
        self.dtype = dtype
        self.eval()

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Classify pictures.

        Args:
            images: uint8 (batch, channels, any height, any width).

        Returns:
            Calibrated probabilities and logits, both float32 (batch, classes).
        """
        x = self.resize(images) / 255
        if self.scaled:
            x = (x - self.mean) / self.std
        logits = mean_logits(self.net, x.to(self.dtype), self.tta).float()
        return probabilities(logits, self.temperature), logits
