"""DenseNet-BC for CIFAR: every layer reads all earlier outputs of its block; bottlenecks and compression.

Huang, Liu, van der Maaten, Weinberger, Densely Connected Convolutional Networks, 2017,
https://arxiv.org/abs/1608.06993. A test compares with pytorchcv's.

The initialisation is the authors': convolutions normal with variance 2 / fan-out, biases 0.
"""

import torch
from torch import Tensor, nn

from plcnn.architectures import register
from plcnn.architectures.cifar_resnet import classifier
from plcnn.dropout import Dropout
from plcnn.errors import wrong_value
from plcnn.ranges import check_rate


class DenseLayer(nn.Module):
    """A 1x1 and a 3x3 convolution, whose `growth` new channels join the input.

    Args:
        in_channels: channels of the input.
        growth: new channels; the 1x1 convolution gives four times as many.
        dropout: share of each convolution's outputs set to zero in training, in [0, 1).
    """

    def __init__(self, in_channels: int, growth: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_convolution(in_channels, 4 * growth, 1, dropout), *_convolution(4 * growth, growth, 3, dropout)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, in_channels, height, width) to (batch, in_channels + growth, height, width)."""
        return torch.cat([x, self.layers(x)], dim=1)


def _convolution(inputs: int, outputs: int, kernel_size: int, dropout: float) -> list[nn.Module]:
    """The layers of a pre-activated convolution that keeps the size."""
    return [
        nn.BatchNorm2d(inputs),
        nn.ReLU(inplace=True),
        nn.Conv2d(inputs, outputs, kernel_size, padding=kernel_size // 2, bias=False),
        Dropout(dropout),
    ]


@register
def densenet_bc(
    num_classes: int,
    in_channels: int = 3,
    depth: int = 100,
    growth: int = 12,
    compression: float = 0.5,
    dropout: float = 0.0,
) -> nn.Sequential:
    """DenseNet-BC: 0.8 million parameters by default; 15.3 million with depth 250, growth 24.

    Args:
        num_classes: number of logits.
        in_channels: channels of a picture.
        depth: layers with weights: 10, 16, 22, ..., 6 n + 4 with n dense layers a block.
        growth: channels that a dense layer adds, 1 or more.
        compression: share of a block's channels that the transition to the next one keeps, above 0, at most 1.
        dropout: share of the outputs of each convolution after the first set to zero in training, in [0, 1).

    Raises:
        UserError: a value outside these ranges.
    """
    if depth < 10 or depth % 6 != 4:
        raise wrong_value("depth", depth, "6 n + 4 with n of 1 or more: 10, 16, ..., 40, ..., 100 ...", 100)
    if growth < 1:
        raise wrong_value("growth", growth, "1 or more", 12)
    if not 0 < compression <= 1:
        raise wrong_value("compression", compression, "a number above 0, at most 1", 0.5)
    check_rate("dropout", dropout, 0.2)
    channels = 2 * growth
    stem = nn.Conv2d(in_channels, channels, kernel_size=3, padding=1, bias=False)
    stages: list[nn.Module] = []
    for block in range(3):
        if block:
            kept = max(1, int(compression * channels))
            stages += [*_convolution(channels, kept, 1, dropout), nn.AvgPool2d(2)]
            channels = kept
        for _ in range((depth - 4) // 6):
            stages.append(DenseLayer(channels, growth, dropout))
            channels += growth
    stages += [nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]
    return classifier(stem, nn.Sequential(*stages), channels, num_classes)
