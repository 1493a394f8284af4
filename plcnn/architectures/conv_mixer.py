"""ConvMixer: patches, then depthwise and pointwise convolutions at one size and width throughout.

Trockman, Kolter, Patches Are All You Need?, 2022, https://arxiv.org/abs/2201.09792. A test compares with timm's
ConvMixer. No departures; the initialisation is PyTorch's default, as in the source code.
"""

from collections import OrderedDict

from torch import Tensor, nn

from plcnn.architectures import register
from plcnn.errors import wrong_value
from plcnn.ranges import check_patch_size


class Residual(nn.Module):
    """Layers one after another, with their input added to their output."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.branch = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels, height, width) to the same shape."""
        mixed: Tensor = x + self.branch(x)
        return mixed


def _activated(convolution: nn.Conv2d) -> list[nn.Module]:
    return [convolution, nn.GELU(), nn.BatchNorm2d(convolution.out_channels)]


@register
def conv_mixer(
    num_classes: int,
    in_channels: int = 3,
    image_size: int = 32,
    width: int = 256,
    depth: int = 8,
    kernel_size: int = 9,
    patch_size: int = 1,
) -> nn.Sequential:
    """ConvMixer-256/8, the paper's network for CIFAR-10 with 0.7 million parameters, or one of another size.

    Args:
        num_classes: number of logits.
        in_channels: channels of a picture.
        image_size: height and width of a picture in pixels.
        width: channels of every layer, 1 or more.
        depth: blocks, 0 or more.
        kernel_size: height and width of the depthwise kernels in patches, an odd number.
        patch_size: height and width of a patch in pixels, a divisor of the picture's; 2 is a quarter of the work of 1.

    Raises:
        UserError: an even kernel_size, or a patch_size that does not divide the picture.
    """
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise wrong_value("kernel_size", kernel_size, "an odd number, so that pictures keep their size", 9)
    check_patch_size(patch_size, image_size)
    blocks = (
        nn.Sequential(
            Residual(*_activated(nn.Conv2d(width, width, kernel_size, padding=kernel_size // 2, groups=width))),
            *_activated(nn.Conv2d(width, width, kernel_size=1)),
        )
        for _ in range(depth)
    )
    return nn.Sequential(
        OrderedDict[str, nn.Module](
            stem=nn.Sequential(*_activated(nn.Conv2d(in_channels, width, patch_size, stride=patch_size))),
            blocks=nn.Sequential(*blocks),
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            head=nn.Linear(width, num_classes),
        )
    )
