"""VGG, a plain stack of 3x3 convolutions, with batch norm and a head for small pictures.

Simonyan, Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, 2014,
https://arxiv.org/abs/1409.1556. A test compares with timm's vgg*_bn.

Departures from the paper:
- A batch norm after every convolution. The convolutions keep their biases, as in the usual vgg*_bn models.
- The mean over the picture and one linear layer in place of three dense layers with dropout, which at 224x224 hold
  123.6 million parameters.
- The five poolings round up, so that pictures smaller than 32x32 pass. Where 32 divides the size, nothing changes.
- He initialisation (normal, fan-out), the linear layer normal with deviation 0.01, as in torchvision.
"""

from collections import OrderedDict

from torch import nn

from plcnn.architectures import register


def _vgg(convolutions: tuple[int, ...], num_classes: int, in_channels: int) -> nn.Sequential:
    """Build a VGG with so many convolutions in its stages of 64, 128, 256, 512 and 512 channels."""
    features: list[nn.Module] = []
    for width, depth in zip((64, 128, 256, 512, 512), convolutions, strict=True):
        for _ in range(depth):
            features += [
                nn.Conv2d(in_channels, width, kernel_size=3, padding=1),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
            in_channels = width
        features.append(nn.MaxPool2d(kernel_size=2, ceil_mode=True))
    network = nn.Sequential(
        OrderedDict[str, nn.Module](
            features=nn.Sequential(*features),
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            head=nn.Linear(in_channels, num_classes),
        )
    )
    for name, parameter in network.named_parameters():
        if parameter.ndim == 4:
            nn.init.kaiming_normal_(parameter, mode="fan_out", nonlinearity="relu")
        elif parameter.ndim == 2:
            nn.init.normal_(parameter, std=0.01)
        elif name.endswith("bias"):
            nn.init.zeros_(parameter)
    return network


@register
def vgg11(num_classes: int, in_channels: int = 3) -> nn.Sequential:
    """VGG-11, configuration A: 8 convolutions with batch norm, 9.2 million parameters.

    Args:
        num_classes: number of logits.
        in_channels: channels of a picture.
    """
    return _vgg((1, 1, 2, 2, 2), num_classes, in_channels)


@register
def vgg13(num_classes: int, in_channels: int = 3) -> nn.Sequential:
    """VGG-13, configuration B: 10 convolutions with batch norm, 9.4 million parameters.

    Args:
        num_classes: number of logits.
        in_channels: channels of a picture.
    """
    return _vgg((2, 2, 2, 2, 2), num_classes, in_channels)


@register
def vgg16(num_classes: int, in_channels: int = 3) -> nn.Sequential:
    """VGG-16, configuration D: 13 convolutions with batch norm, 14.7 million parameters.

    Args:
        num_classes: number of logits.
        in_channels: channels of a picture.
    """
    return _vgg((2, 2, 3, 3, 3), num_classes, in_channels)


@register
def vgg19(num_classes: int, in_channels: int = 3) -> nn.Sequential:
    """VGG-19, configuration E: 16 convolutions with batch norm, 20.0 million parameters.

    Args:
        num_classes: number of logits.
        in_channels: channels of a picture.
    """
    return _vgg((2, 2, 4, 4, 4), num_classes, in_channels)
