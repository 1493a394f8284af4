"""The whitened, residual-free network of the CIFAR-10 speed records: 1,972,792 parameters at 10 classes.

Keller Jordan, 94% on CIFAR-10 in 3.29 Seconds on a Single GPU, 2024, https://arxiv.org/abs/2404.00498; as in its
author's later program airbench94_muon.py, https://github.com/KellerJordan/cifar10-airbench.

A frozen 2x2 convolution whitens the picture's patches; three groups of two convolutions, the first one followed by a
max-pool, and a linear layer without bias follow. A test computes the logits again with torch.nn.functional alone.

Departures from the program:
- The bias of the whitening convolution trains throughout, there for the first three epochs only.
- Weights are float32 (autocast does the rest), there half precision outside the batch norms.
- Frozen filters that saw no pictures are an orthogonal matrix's rows and their negatives.
- Pictures of 49 pixels and more leave more than one position before the linear layer, which then reads them all.
"""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from plcnn.architectures import register
from plcnn.errors import wrong_value

PATCH_SIZE = 2
WHITENING_EPS = 5e-4


@register
class Airbench(nn.Module):
    """The network of the CIFAR-10 speed records, for pictures of 25 pixels or more.

    Its whitening filters and the batch norms' scales, 1,440 of the 1,972,792 parameters, are frozen.

    Args:
        num_classes: number of classes.
        in_channels: channels of a picture.
        image_size: height and width of a picture in pixels.
        widths: channels of each group's two convolutions, each 1 or more.

    Raises:
        UserError: a width below 1, or a picture too small for the poolings.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        image_size: int = 32,
        widths: tuple[int, int, int] = (64, 256, 256),
    ) -> None:
        super().__init__()
        if len(widths) != 3 or min(widths) < 1:
            raise wrong_value("widths", list(widths), "three numbers, each 1 or more", [64, 256, 256])
        # The whitening takes one pixel, three poolings halve, the last one takes a third.
        side = (image_size - 1) // 2**3 // 3
        if side < 1:
            raise wrong_value("image_size", image_size, "25 pixels or more, or the poolings leave nothing", 32)
        patch_values = in_channels * PATCH_SIZE**2
        self.whiten = nn.Conv2d(in_channels, 2 * patch_values, PATCH_SIZE)
        self.whiten.weight.requires_grad_(False)
        self._set_filters(nn.init.orthogonal_(torch.empty(patch_values, patch_values)))
        channels = (2 * patch_values, *widths)
        self.groups = nn.Sequential(*(group(channels[i], width) for i, width in enumerate(widths)))
        self.head = nn.Linear(widths[-1] * side**2, num_classes, bias=False)
        with torch.no_grad():
            self.head.weight /= self.head.weight.std()

    def _set_filters(self, rows: Tensor) -> None:
        """Take the rows (patch values, patch values) and their negatives as the whitening filters."""
        with torch.no_grad():
            self.whiten.weight.copy_(torch.cat([rows, -rows]).view_as(self.whiten.weight))

    def init_from_images(self, images: Tensor) -> None:
        """Set the frozen filters so that they whiten the patches of these pictures.

        Args:
            images: some thousand training pictures as the network gets them, (n, in_channels, height, width).
        """
        patches = F.unfold(images.float(), PATCH_SIZE)
        count = patches.shape[0] * patches.shape[2]
        covariance = torch.einsum("nip,njp->ij", patches, patches) / count
        eigenvalues, eigenvectors = torch.linalg.eigh(covariance)
        self._set_filters((eigenvectors / (eigenvalues + WHITENING_EPS).sqrt()).T)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (batch, in_channels, image_size, image_size) to logits (batch, num_classes)."""
        x = self.groups(F.gelu(self.whiten(x)))
        x = F.max_pool2d(x, 3).flatten(1)
        logits: Tensor = self.head(x) / self.head.in_features
        return logits


def group(in_channels: int, width: int) -> nn.Module:
    """Two convolutions that halve the picture: (batch, in_channels, side, side) to (batch, width, side // 2, ...)."""
    return nn.Sequential(
        OrderedDict(
            conv1=convolution(in_channels, width),
            pool=nn.MaxPool2d(2),
            norm1=norm(width),
            gelu1=nn.GELU(),
            conv2=convolution(width, width),
            norm2=norm(width),
            gelu2=nn.GELU(),
        )
    )


def convolution(in_channels: int, width: int) -> nn.Conv2d:
    """A 3x3 convolution whose first filters hand each input channel on unchanged."""
    layer = nn.Conv2d(in_channels, width, kernel_size=3, padding=1, bias=False)
    nn.init.dirac_(layer.weight.detach()[:in_channels])
    return layer


def norm(width: int) -> nn.BatchNorm2d:
    """Batch norm with a frozen scale of 1; 0.4 is the weight of the newest batch in its running statistics."""
    layer = nn.BatchNorm2d(width, eps=1e-12, momentum=0.4)
    layer.weight.requires_grad_(False)
    return layer
