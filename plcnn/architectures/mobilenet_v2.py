"""MobileNetV2: inverted residuals of depthwise convolutions, with linear bottlenecks.

Sandler, Howard, Zhu, Zhmoginov, Chen, MobileNetV2: Inverted Residuals and Linear Bottlenecks, 2018,
https://arxiv.org/abs/1801.04381. Built from torchvision's layers; a test compares with timm's mobilenetv2_100.

Departures from the paper:
- Strides for small pictures: the stem and the stage of 24 channels keep the size, so that 32x32 ends as 4x4.
- He initialisation (normal, fan-out), the linear layer normal with deviation 0.01, as in torchvision.
"""

from torch import nn
from torchvision.models import MobileNetV2

from plcnn.architectures import register
from plcnn.errors import wrong_value

# Expansion, channels, blocks and first stride of each stage: the paper's table 2 but for the second stride.
STAGES = [[1, 16, 1, 1], [6, 24, 2, 1], [6, 32, 3, 2], [6, 64, 4, 2], [6, 96, 3, 1], [6, 160, 3, 2], [6, 320, 1, 1]]


@register
def mobilenet_v2(num_classes: int, in_channels: int = 3, width: float = 1.0, dropout: float = 0.2) -> MobileNetV2:
    """MobileNetV2 for small pictures: 2.2 million parameters at 10 classes, 3.5 million at 1000.

    Args:
        num_classes: number of logits.
        in_channels: channels of a picture.
        width: factor on every layer's channels, above 0; the published models have 0.35 to 1.4.
        dropout: share of the last features set to zero in training, from 0 to 1.

    Raises:
        UserError: a width that is not above 0.
    """
    if not width > 0:
        raise wrong_value("width", width, "a number above 0", 1.0)
    network = MobileNetV2(num_classes, width_mult=width, inverted_residual_setting=STAGES, dropout=dropout)
    stem = nn.Conv2d(in_channels, network.features[0][0].out_channels, kernel_size=3, padding=1, bias=False)
    nn.init.kaiming_normal_(stem.weight, mode="fan_out")
    network.features[0][0] = stem
    return network
