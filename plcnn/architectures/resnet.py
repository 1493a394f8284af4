"""ResNet of the ImageNet kind, with a stem for small pictures: four stages, 64 to 512 channels wide.

He, Zhang, Ren, Sun, Deep Residual Learning for Image Recognition, 2015, https://arxiv.org/abs/1512.03385, section 4.1.
Built on torchvision's; a test compares with timm's.

Departures from the paper:
- The stem is a 3x3 convolution that keeps the size, without max-pool, so that 32x32 ends as 4x4.
- ResNet-50 halves the picture in a block's 3x3 convolution, not in the 1x1 before it, as in the authors' later code.

The initialisation is torchvision's: convolutions normal with variance 2 / fan-out, the linear layer PyTorch's default.
"""

from torch import nn
from torchvision.models import ResNet
from torchvision.models.resnet import BasicBlock, Bottleneck

from plcnn.architectures import register


def _with_small_stem(network: ResNet, in_channels: int) -> ResNet:
    """Put a 3x3 convolution that keeps the size in place of a new ResNet's stem."""
    network.conv1 = nn.Conv2d(in_channels, 64, kernel_size=3, padding=1, bias=False)
    nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out", nonlinearity="relu")
    network.maxpool = nn.Identity()
    return network


@register
def resnet18(num_classes: int, in_channels: int = 3) -> ResNet:
    """ResNet-18 for small pictures: 11.2 million parameters at 10 classes, 11.7 million at 1000.

    Args:
        num_classes: number of logits.
        in_channels: channels of a picture.
    """
    return _with_small_stem(ResNet(BasicBlock, [2, 2, 2, 2], num_classes), in_channels)


@register
def resnet34(num_classes: int, in_channels: int = 3) -> ResNet:
    """ResNet-34 for small pictures: 21.3 million parameters at 10 classes, 21.8 million at 1000.

    Args:
        num_classes: number of logits.
        in_channels: channels of a picture.
    """
    return _with_small_stem(ResNet(BasicBlock, [3, 4, 6, 3], num_classes), in_channels)


@register
def resnet50(num_classes: int, in_channels: int = 3) -> ResNet:
    """ResNet-50 for small pictures: 23.5 million parameters at 10 classes, 25.5 million at 1000.

    Args:
        num_classes: number of logits.
        in_channels: channels of a picture.
    """
    return _with_small_stem(ResNet(Bottleneck, [3, 4, 6, 3], num_classes), in_channels)
