"""EfficientNet-B0: inverted residuals with squeeze and excitation, found by an architecture search.

Tan, Le, EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, 2019,
https://arxiv.org/abs/1905.11946. Built from torchvision's layers; a test compares with timm's efficientnet_b0.

Departures from the paper:
- Strides for small pictures: the stem and the stage of 24 channels keep the size, so that 32x32 ends as 4x4.
- Batch norm has PyTorch's epsilon 1e-5 and momentum 0.1 in place of 1e-3 and 0.01, as in torchvision.

The initialisation is the source code's: normal with variance 2 / fan-out, the linear layer uniform.
"""

from torch import nn
from torchvision.models import EfficientNet
from torchvision.models.efficientnet import MBConvConfig

from plcnn.architectures import register
from plcnn.ranges import check_rate


@register
def efficientnet_b0(
    num_classes: int, in_channels: int = 3, dropout: float = 0.2, drop_path: float = 0.2
) -> EfficientNet:
    """EfficientNet-B0 for small pictures: 4.0 million parameters at 10 classes, 5.3 million at 1000.

    Args:
        num_classes: number of logits.
        in_channels: channels of a picture.
        dropout: share of the last features set to zero in training, from 0 to 1.
        drop_path: how often a picture skips the last residual block in training, in [0, 1); rises linearly from 0 at
            the first block (stochastic depth).

    Raises:
        UserError: a drop_path outside its range.
    """
    check_rate("drop_path", drop_path, 0.2)
    # Expansion, kernel, first stride, channels in and out, blocks: the paper's table 1 but for the second stride.
    stages = [
        MBConvConfig(1, 3, 1, 32, 16, 1),
        MBConvConfig(6, 3, 1, 16, 24, 2),
        MBConvConfig(6, 5, 2, 24, 40, 2),
        MBConvConfig(6, 3, 2, 40, 80, 3),
        MBConvConfig(6, 5, 1, 80, 112, 3),
        MBConvConfig(6, 5, 2, 112, 192, 4),
        MBConvConfig(6, 3, 1, 192, 320, 1),
    ]
    network = EfficientNet(stages, dropout, drop_path, num_classes)
    stem = nn.Conv2d(in_channels, 32, kernel_size=3, padding=1, bias=False)
    nn.init.kaiming_normal_(stem.weight, mode="fan_out")
    network.features[0][0] = stem
    return network
