"""The whitened, residual-free network of the CIFAR-10 speed records: 1,972,792 parameters at 10 classes.

Keller Jordan, 94% on CIFAR-10 in 3.29 Seconds on a Single GPU, 2024, https://arxiv.org/abs/2404.00498; as in its
author's later programs airbench94_muon.py, airbench95.py and airbench96.py, the last one of which has a third
convolution in each group and a shortcut over the last two, https://github.com/KellerJordan/cifar10-airbench.

A frozen 2x2 convolution whitens the picture's patches; three groups of two convolutions, the first one followed by a
max-pool, and a linear layer without bias follow. A test computes the logits again with torch.nn.functional alone.

Departures from the program:
- The bias of the whitening convolution trains throughout, there for the first three epochs only.
- Weights are float32 (autocast does the rest), there half precision outside the batch norms.
- Frozen filters that saw no pictures are an orthogonal matrix's rows and their negatives.
- Pictures of 49 pixels and more leave more than one position before the linear layer, which then reads them all.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from plcnn.architectures import register
from plcnn.errors import wrong_value
from plcnn.whitening import WhiteningConv2d, identity_convolution, scaleless_norm

PATCH_SIZE = 2


@register
class Airbench(nn.Module):
    """The network of the CIFAR-10 speed records, for pictures of 25 pixels or more.

    Its whitening filters and the batch norms' scales, 1,440 of the 1,972,792 parameters, are frozen.

    Args:
        num_classes: number of classes.
        in_channels: channels of a picture.
        image_size: height and width of a picture in pixels.
        widths: channels of each group's convolutions, each 1 or more.
        convolutions: of a group, 2 or 3; of three, the last two have a shortcut.
        norm_momentum: weight of the newest batch in the batch norms' running statistics, above 0, at most 1.
        logit_factor: multiplies the logits of a last layer with PyTorch's initial weights; none: initial weights of
            standard deviation 1, and logits divided by the number of features.

    Raises:
        UserError: a width below 1, or a picture too small for the poolings.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        image_size: int = 32,
        widths: tuple[int, int, int] = (64, 256, 256),
        convolutions: Literal[2, 3] = 2,
        norm_momentum: float = 0.4,
        logit_factor: float | None = None,
    ) -> None:
        super().__init__()
        if len(widths) != 3 or min(widths) < 1:
            raise wrong_value("widths", list(widths), "three numbers, each 1 or more", [64, 256, 256])
        if not 0 < norm_momentum <= 1:
            raise wrong_value("norm_momentum", norm_momentum, "a number above 0, at most 1", 0.4)
        # The whitening takes one pixel, three poolings halve, the last one takes a third.
        side = (image_size - 1) // 2**3 // 3
        if side < 1:
            raise wrong_value("image_size", image_size, "25 pixels or more, or the poolings leave nothing", 32)
        self.whiten = WhiteningConv2d(in_channels, in_channels * PATCH_SIZE**2, PATCH_SIZE)
        channels = (self.whiten.out_channels, *widths)
        self.groups = nn.Sequential(
            *(Group(channels[i], width, convolutions, norm_momentum) for i, width in enumerate(widths))
        )
        self.head = nn.Linear(widths[-1] * side**2, num_classes, bias=False)
        self.logit_factor = 1 / self.head.in_features if logit_factor is None else logit_factor
        if logit_factor is None:
            with torch.no_grad():
                self.head.weight /= self.head.weight.std()

    def init_from_images(self, images: Tensor) -> None:
        """Set the frozen filters so that they whiten the patches of these pictures.

        Args:
            images: some thousand training pictures as the network gets them, (n, in_channels, height, width).
        """
        self.whiten.init_from_images(images)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (batch, in_channels, image_size, image_size) to logits (batch, num_classes)."""
        x = self.groups(F.gelu(self.whiten(x)))
        x = F.max_pool2d(x, 3).flatten(1)
        logits: Tensor = self.head(x) * self.logit_factor
        return logits


class Group(nn.Module):
    """Convolutions of which the first halves the picture.

    Args:
        in_channels: channels of the input.
        width: channels of each convolution.
        convolutions: 2 or 3; of three, the last two have a shortcut.
        norm_momentum: weight of the newest batch in the running statistics.
    """

    def __init__(self, in_channels: int, width: int, convolutions: int, norm_momentum: float) -> None:
        super().__init__()
        self.conv1, self.pool = identity_convolution(in_channels, width), nn.MaxPool2d(2)
        self.norm1 = scaleless_norm(width, norm_momentum)
        self.conv2, self.norm2 = identity_convolution(width, width), scaleless_norm(width, norm_momentum)
        self.shortcut = convolutions == 3
        if self.shortcut:
            self.conv3, self.norm3 = identity_convolution(width, width), scaleless_norm(width, norm_momentum)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, in_channels, side, side) to (batch, width, side // 2, side // 2)."""
        x = F.gelu(self.norm1(self.pool(self.conv1(x))))
        y = F.gelu(self.norm2(self.conv2(x)))
        return F.gelu(x + self.norm3(self.conv3(y))) if self.shortcut else y


@register
def airbench95(num_classes: int, in_channels: int = 3, image_size: int = 32) -> nn.Module:
    """The wider network that reaches 95 % on CIFAR-10 after 15 epochs."""
    return Airbench(num_classes, in_channels, image_size, (128, 384, 384), logit_factor=1 / 9)


@register
def airbench96(num_classes: int, in_channels: int = 3, image_size: int = 32) -> nn.Module:
    """The wider and deeper network that reaches 96 % on CIFAR-10 after 31 epochs."""
    return Airbench(num_classes, in_channels, image_size, (128, 512, 512), 3, 0.1, 1 / 9)
