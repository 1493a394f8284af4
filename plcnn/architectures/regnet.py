"""RegNet: stages of residual bottlenecks with group convolutions, whose widths rise by a linear rule.

Radosavovic, Kosaraju, Girshick, He, Dollar, Designing Network Design Spaces, 2020, https://arxiv.org/abs/2003.13678.
RegNetY adds squeeze and excitation to RegNetX. Built from torchvision's layers; a test compares with timm's.

Departures from the paper:
- Strides for small pictures: the stem and the first stage keep the size, so that 32x32 ends as 4x4. The first stage of
  RegNetX-400MF, as wide as the stem, then has no projection: 1,088 parameters fewer.

The initialisation is the source code's: normal with variance 2 / fan-out, the linear layer with deviation 0.01.
"""

from collections.abc import Callable

from torch import nn
from torchvision.models import RegNet
from torchvision.models.regnet import BlockParams
from torchvision.ops import Conv2dNormActivation

from plcnn.architectures import register


def _regnet(
    num_classes: int,
    in_channels: int,
    depths: list[int],
    widths: list[int],
    group_width: int,
    squeeze_excitation: bool = False,
) -> RegNet:
    """Build a RegNet from its stages' blocks and channels; `group_width` channels a group.

    The paper's numbers stand here in full, since torchvision's rule for them gives RegNetX-400MF other widths.
    """

    def stem(
        width_in: int, width_out: int, norm_layer: Callable[..., nn.Module], activation_layer: Callable[..., nn.Module]
    ) -> nn.Module:
        convolution: nn.Module = Conv2dNormActivation(
            in_channels, width_out, kernel_size=3, norm_layer=norm_layer, activation_layer=activation_layer
        )
        return convolution

    stages = BlockParams(
        depths=depths,
        widths=widths,
        group_widths=[group_width] * 4,
        bottleneck_multipliers=[1.0] * 4,
        strides=[1, 2, 2, 2],
        se_ratio=0.25 if squeeze_excitation else None,
    )
    return RegNet(stages, num_classes, stem_type=stem)


@register
def regnet_x_200mf(num_classes: int, in_channels: int = 3) -> RegNet:
    """RegNetX-200MF for small pictures: 2.3 million parameters at 10 classes, 2.7 million at 1000.

    Args:
        num_classes: number of logits.
        in_channels: channels of a picture.
    """
    return _regnet(num_classes, in_channels, [1, 1, 4, 7], [24, 56, 152, 368], group_width=8)


@register
def regnet_x_400mf(num_classes: int, in_channels: int = 3) -> RegNet:
    """RegNetX-400MF for small pictures: 4.8 million parameters at 10 classes, 5.2 million at 1000.

    Args:
        num_classes: number of logits.
        in_channels: channels of a picture.
    """
    return _regnet(num_classes, in_channels, [1, 2, 7, 12], [32, 64, 160, 384], group_width=16)


@register
def regnet_y_200mf(num_classes: int, in_channels: int = 3) -> RegNet:
    """RegNetY-200MF for small pictures: 2.8 million parameters at 10 classes, 3.2 million at 1000.

    Args:
        num_classes: number of logits.
        in_channels: channels of a picture.
    """
    return _regnet(num_classes, in_channels, [1, 1, 4, 7], [24, 56, 152, 368], group_width=8, squeeze_excitation=True)


@register
def regnet_y_400mf(num_classes: int, in_channels: int = 3) -> RegNet:
    """RegNetY-400MF for small pictures: 3.9 million parameters at 10 classes, 4.3 million at 1000.

    Args:
        num_classes: number of logits.
        in_channels: channels of a picture.
    """
    return _regnet(num_classes, in_channels, [1, 3, 6, 6], [48, 104, 208, 440], group_width=8, squeeze_excitation=True)
