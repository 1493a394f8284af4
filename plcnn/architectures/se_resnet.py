"""SE-ResNet: a ResNet in which each block weighs its channels by what the whole picture shows.

Hu, Shen, Albanie, Sun, Wu, Squeeze-and-Excitation Networks, 2018, https://arxiv.org/abs/1709.01507.
Built from torchvision's layers; a test compares with timm's seresnet18.

Departures from the paper:
- The stem for small pictures of `resnet18`.

The initialisation is He's throughout, as in the paper: convolutions normal with variance 2 / fan-out; biases of the
excitation 0, the linear layer PyTorch's default.
"""

from collections import OrderedDict

from torch import nn
from torchvision.models import ResNet
from torchvision.models.resnet import BasicBlock
from torchvision.ops import SqueezeExcitation

from plcnn.architectures import register
from plcnn.architectures.resnet import resnet18
from plcnn.errors import wrong_value


@register
def se_resnet18(num_classes: int, in_channels: int = 3, reduction: int = 16) -> ResNet:
    """SE-ResNet-18 for small pictures: 11.3 million parameters at 10 classes, 11.8 million at 1000.

    Args:
        num_classes: number of logits.
        in_channels: channels of a picture.
        reduction: by how much fewer the squeezed channels are, 1 to 64.

    Raises:
        UserError: a reduction outside its range.
    """
    if not 1 <= reduction <= 64:
        raise wrong_value("reduction", reduction, "1 to 64, the channels of the first stage", 16)
    network = resnet18(num_classes, in_channels)
    for block in network.modules():
        if isinstance(block, BasicBlock):
            width = block.bn2.num_features
            excitation = SqueezeExcitation(width, width // reduction)
            for conv in (excitation.fc1, excitation.fc2):
                nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(conv.bias)
            block.bn2 = nn.Sequential(OrderedDict([("norm", block.bn2), ("excitation", excitation)]))
    return network
