"""Pre-activation ResNet: residual blocks that normalise before they convolve, and leave the shortcut alone.

He, Zhang, Ren, Sun, Identity Mappings in Deep Residual Networks, 2016, https://arxiv.org/abs/1603.05027.
A test compares with pytorchcv's preresnet18.

Departures from the paper:
- ResNet-18's stages, which the paper does not train; the stem is a 3x3 convolution that keeps the size, as in the
  paper's networks for CIFAR.

The initialisation is the authors': convolutions normal with variance 2 / fan-out, biases 0.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from plcnn.architectures import register
from plcnn.architectures.cifar_resnet import classifier
from plcnn.dropout import Dropout


class PreActBlock(nn.Module):
    """Batch norm, ReLU, 3x3 convolution, and again; a shortcut around both.

    Args:
        in_channels: channels of the input.
        width: channels of both convolutions.
        stride: of the first convolution and of the shortcut.
        dropout: share of the second convolution's inputs set to zero in training, in [0, 1).
    """

    def __init__(self, in_channels: int, width: int, stride: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, width, kernel_size=3, stride=stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.dropout = Dropout(dropout)
        self.conv2 = nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False)
        # A shortcut with a layer starts from the activated input, one without from the input itself.
        self.shortcut: nn.Module | None = None
        if stride != 1 or in_channels != width:
            self.shortcut = nn.Conv2d(in_channels, width, kernel_size=1, stride=stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, in_channels, height, width) to (batch, width, height / stride, width / stride), rounded up."""
        activated = F.relu(self.norm1(x), inplace=True)
        shortcut = x if self.shortcut is None else self.shortcut(activated)
        residual: Tensor = F.relu(self.norm2(self.conv1(activated)), inplace=True)
        residual = self.conv2(self.dropout(residual))
        return residual + shortcut


def preact_network(
    stem_width: int, widths: tuple[int, ...], blocks: int, num_classes: int, in_channels: int, dropout: float = 0.0
) -> nn.Sequential:
    """Build stages of pre-activation blocks, each but the first of which halves the picture.

    Args:
        stem_width: channels of the 3x3 convolution before the stages.
        widths: channels of each stage.
        blocks: blocks a stage.
        num_classes: number of logits.
        in_channels: channels of a picture.
        dropout: share of each second convolution's inputs set to zero in training, in [0, 1).
    """
    stages: list[nn.Module] = []
    inputs = stem_width
    for stage, width in enumerate(widths):
        for block in range(blocks):
            stages.append(PreActBlock(inputs, width, stride=2 if stage and not block else 1, dropout=dropout))
            inputs = width
    stages += [nn.BatchNorm2d(inputs), nn.ReLU(inplace=True)]
    stem = nn.Conv2d(in_channels, stem_width, kernel_size=3, padding=1, bias=False)
    return classifier(stem, nn.Sequential(*stages), inputs, num_classes)


@register
def preact_resnet18(num_classes: int, in_channels: int = 3) -> nn.Sequential:
    """Pre-activation ResNet-18 for small pictures: 11.2 million parameters at 10 classes, 11.7 million at 1000.

    Args:
        num_classes: number of logits.
        in_channels: channels of a picture.
    """
    network = preact_network(64, (64, 128, 256, 512), 2, num_classes, in_channels)
    # After the bare stem, the paper activates once for both ways (its appendix).
    network.get_submodule("stages.0").shortcut = nn.Identity()
    return network
