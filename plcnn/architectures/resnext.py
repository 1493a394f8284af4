"""ResNeXt for CIFAR: residual bottlenecks whose 3x3 convolution works in groups.

Xie, Girshick, Dollar, Tu, He, Aggregated Residual Transformations for Deep Neural Networks, 2017,
https://arxiv.org/abs/1611.05431. Built from torchvision's block; a test compares with pytorchcv's.

The initialisation is the authors': convolutions normal with variance 2 / fan-out, biases 0.
"""

from torch import nn
from torchvision.models.resnet import Bottleneck
from torchvision.ops import Conv2dNormActivation

from plcnn.architectures import register
from plcnn.architectures.cifar_resnet import classifier
from plcnn.errors import wrong_value


@register
def resnext29(num_classes: int, in_channels: int = 3, cardinality: int = 8, width: int = 64) -> nn.Sequential:
    """ResNeXt-29: 34.4 million parameters by default, as 8x64d.

    Args:
        num_classes: number of logits.
        in_channels: channels of a picture.
        cardinality: groups of each 3x3 convolution, 1 or more.
        width: channels of a group in the first stage, 1 or more; the second stage has twice, the third four times
            as many.

    Raises:
        UserError: a value below 1.
    """
    for key, value, example in (("cardinality", cardinality, 8), ("width", width, 64)):
        if value < 1:
            raise wrong_value(key, value, "1 or more", example)
    blocks = []
    inputs = 64
    for planes in (64, 128, 256):
        outputs = planes * Bottleneck.expansion
        for block in range(3):
            stride = 2 if planes > 64 and not block else 1
            projection = None
            if inputs != outputs:
                projection = Conv2dNormActivation(inputs, outputs, 1, stride, activation_layer=None)
            blocks.append(Bottleneck(inputs, planes, stride, projection, groups=cardinality, base_width=width))
            inputs = outputs
    return classifier(Conv2dNormActivation(in_channels, 64), nn.Sequential(*blocks), inputs, num_classes)
