"""ShuffleNetV2: half of the channels pass through depthwise convolutions, then the channels are shuffled.

Ma, Zhang, Zheng, Sun, ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design, 2018,
https://arxiv.org/abs/1807.11164. Built from torchvision's layers; a test compares with pytorchcv's shufflenetv2_w1.

Departures from the paper:
- For small pictures the stem keeps the size and there is no max-pool, so that 32x32 ends as 4x4.
- PyTorch's default initialisation, as in torchvision.
"""

from torch import nn
from torchvision.models import ShuffleNetV2

from plcnn.architectures import register
from plcnn.errors import wrong_value

# Channels of the stem, of the three stages and of the last convolution: the paper's table 5.
CHANNELS = {
    0.5: [24, 48, 96, 192, 1024],
    1.0: [24, 116, 232, 464, 1024],
    1.5: [24, 176, 352, 704, 1024],
    2.0: [24, 244, 488, 976, 2048],
}


@register
def shufflenet_v2(num_classes: int, in_channels: int = 3, width: float = 1.0) -> ShuffleNetV2:
    """ShuffleNetV2 for small pictures: 1.3 million parameters at 10 classes, 2.3 million at 1000.

    Args:
        num_classes: number of logits.
        in_channels: channels of a picture.
        width: the model's size: 0.5, 1.0, 1.5 or 2.0.

    Raises:
        UserError: another width.
    """
    if width not in CHANNELS:
        raise wrong_value("width", width, " or ".join(map(str, CHANNELS)), 1.0)
    network = ShuffleNetV2([4, 8, 4], CHANNELS[width], num_classes)
    network.conv1[0] = nn.Conv2d(in_channels, CHANNELS[width][0], kernel_size=3, padding=1, bias=False)
    network.maxpool = nn.Identity()
    return network
