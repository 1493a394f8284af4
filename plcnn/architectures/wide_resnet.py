"""Wide ResNet: a pre-activation ResNet for CIFAR with few blocks and many channels.

Zagoruyko, Komodakis, Wide Residual Networks, 2016, https://arxiv.org/abs/1605.07146.
A test compares with pytorchcv's.

The initialisation is the authors': convolutions normal with variance 2 / fan-out, biases 0.
"""

from torch import nn

from plcnn.architectures import register
from plcnn.architectures.preact_resnet import preact_network
from plcnn.errors import wrong_value
from plcnn.ranges import check_rate


@register
def wide_resnet(
    num_classes: int, in_channels: int = 3, depth: int = 28, width: int = 10, dropout: float = 0.0
) -> nn.Sequential:
    """Wide ResNet: 36.5 million parameters by default.

    Args:
        num_classes: number of logits.
        in_channels: channels of a picture.
        depth: convolutions in sequence, shortcuts counted: 10, 16, 22, ..., 6 n + 4 with n blocks a stage.
        width: factor on the 16, 32 and 64 channels of the three stages, 1 or more.
        dropout: share of the inputs of each block's second convolution set to zero in training, in [0, 1).

    Raises:
        UserError: a value outside these ranges.
    """
    if depth < 10 or depth % 6 != 4:
        raise wrong_value("depth", depth, "6 n + 4 with n of 1 or more: 10, 16, 22, 28, 34, 40 ...", 28)
    if width < 1:
        raise wrong_value("width", width, "1 or more", 10)
    check_rate("dropout", dropout, 0.3)
    widths = (16 * width, 32 * width, 64 * width)
    return preact_network(16, widths, (depth - 4) // 6, num_classes, in_channels, dropout)


@register
def wide_resnet_16_8(num_classes: int, in_channels: int = 3) -> nn.Sequential:
    """WRN-16-8: 11.0 million parameters.

    Args:
        num_classes: number of logits.
        in_channels: channels of a picture.
    """
    network: nn.Sequential = wide_resnet(num_classes, in_channels, depth=16, width=8)
    return network


@register
def wide_resnet_28_10(num_classes: int, in_channels: int = 3) -> nn.Sequential:
    """WRN-28-10: 36.5 million parameters.

    Args:
        num_classes: number of logits.
        in_channels: channels of a picture.
    """
    network: nn.Sequential = wide_resnet(num_classes, in_channels, depth=28, width=10)
    return network


@register
def wide_resnet_40_4(num_classes: int, in_channels: int = 3) -> nn.Sequential:
    """WRN-40-4: 8.9 million parameters.

    Args:
        num_classes: number of logits.
        in_channels: channels of a picture.
    """
    network: nn.Sequential = wide_resnet(num_classes, in_channels, depth=40, width=4)
    return network
