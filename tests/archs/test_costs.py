"""Multiply-adds against formulas and against those that torchvision publishes."""

import pytest
import torch
import torchvision
from torch import nn

from plcnn.archs.costs import multiply_adds


def test_convolutions_and_matrices_count_and_nothing_else() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8 * 16, 5)
    )
    assert multiply_adds(network, (3, 8, 8)) == 8 * 8 * 8 * 3 * 3 * 3 + 8 * 16 * 5
    assert network.training


def test_attention_counts_with_its_products() -> None:
    tokens, width = 16, 32

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.TransformerEncoderLayer(width, 4, 64, batch_first=True, norm_first=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(x.reshape(len(x), tokens, width))

    projections = 4 * tokens * width * width
    perceptron = 2 * tokens * width * 64
    assert multiply_adds(Attention(), (2, 16, 16)) == projections + perceptron + 2 * tokens * tokens * width


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "densenet121", "vit_b_32"])
def test_counts_equal_torchvisions(name: str) -> None:
    published = torchvision.models.get_model_weights(name).DEFAULT.meta["_ops"]  # in units of 10^9, three digits
    with torch.device("meta"):
        network = torchvision.models.get_model(name)
    assert multiply_adds(network, (3, 224, 224)) / 1e9 == pytest.approx(published, abs=6e-4)
