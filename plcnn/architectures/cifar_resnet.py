"""ResNet for CIFAR: three stages of two-convolution residual blocks, 16, 32 and 64 channels wide.

He, Zhang, Ren, Sun, Deep Residual Learning for Image Recognition, 2015, https://arxiv.org/abs/1512.03385, section 4.2.
Shortcuts are the paper's option A, which has no parameters. Built from torchvision's block; a test compares with
pytorchcv's.

The initialisation is that of the authors' later code: convolutions normal with variance 2 / fan-out, biases 0.
"""

from collections import OrderedDict

import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock
from torchvision.ops import Conv2dNormActivation

from plcnn.architectures import register


class Subsampling(nn.Module):
    """Option A's shortcut into a stage: every second pixel, and channels of zeros after those of the input.

    Args:
        new_channels: how many channels of zeros.
    """

    def __init__(self, new_channels: int) -> None:
        super().__init__()
        self.new_channels = new_channels

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels, height, width) to (batch, channels + new_channels, half the height, half the width)."""
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.new_channels))


def classifier(stem: nn.Module, stages: nn.Module, features: int, num_classes: int) -> nn.Sequential:
    """Join stem and stages, average over the picture, append a linear layer, and initialise.

    Args:
        stem: from (batch, in_channels, height, width) to what the stages take.
        stages: to (batch, features, any height, any width).
        features: channels after the stages.
        num_classes: number of logits.
    """
    network = nn.Sequential(
        OrderedDict[str, nn.Module](
            stem=stem,
            stages=stages,
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            head=nn.Linear(features, num_classes),
        )
    )
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)
    return network


def _cifar_resnet(depth: int, num_classes: int, in_channels: int) -> nn.Sequential:
    """Build the network of `depth` = 6 n + 2 layers with weights, n blocks a stage."""
    blocks = []
    inputs = 16
    for width in (16, 32, 64):
        for _ in range((depth - 2) // 6):
            if inputs == width:
                blocks.append(BasicBlock(width, width))
            else:
                blocks.append(BasicBlock(inputs, width, stride=2, downsample=Subsampling(width - inputs)))
            inputs = width
    return classifier(Conv2dNormActivation(in_channels, 16), nn.Sequential(*blocks), inputs, num_classes)


@register
def resnet20(num_classes: int, in_channels: int = 3) -> nn.Sequential:
    """ResNet-20 for CIFAR: 0.27 million parameters.

    Args:
        num_classes: number of logits.
        in_channels: channels of a picture.
    """
    return _cifar_resnet(20, num_classes, in_channels)


@register
def resnet32(num_classes: int, in_channels: int = 3) -> nn.Sequential:
    """ResNet-32 for CIFAR: 0.46 million parameters.

    Args:
        num_classes: number of logits.
        in_channels: channels of a picture.
    """
    return _cifar_resnet(32, num_classes, in_channels)


@register
def resnet44(num_classes: int, in_channels: int = 3) -> nn.Sequential:
    """ResNet-44 for CIFAR: 0.66 million parameters.

    Args:
        num_classes: number of logits.
        in_channels: channels of a picture.
    """
    return _cifar_resnet(44, num_classes, in_channels)


@register
def resnet56(num_classes: int, in_channels: int = 3) -> nn.Sequential:
    """ResNet-56 for CIFAR: 0.85 million parameters.

    Args:
        num_classes: number of logits.
        in_channels: channels of a picture.
    """
    return _cifar_resnet(56, num_classes, in_channels)


@register
def resnet110(num_classes: int, in_channels: int = 3) -> nn.Sequential:
    """ResNet-110 for CIFAR: 1.7 million parameters.

    Args:
        num_classes: number of logits.
        in_channels: channels of a picture.
    """
    return _cifar_resnet(110, num_classes, in_channels)
