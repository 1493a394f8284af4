"""A first convolution that whitens the patches of pictures, and identity filters to follow it.

Both as in the CIFAR-10 speed records (Jordan, 2024, https://arxiv.org/abs/2404.00498), whose patches are 2x2,
overlap, and keep all of their components.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPS = 5e-4


class WhiteningConv2d(nn.Conv2d):
    """A convolution whose frozen filters are the patches' principal components, each scaled to variance 1, and negated.

    Filters that saw no pictures are rows of an orthogonal matrix and their negatives.

    Args:
        in_channels: channels of a picture.
        components: how many components to keep, at most `in_channels * patch_size**2`; filters are twice as many.
        patch_size: height and width of a patch in pixels.
        stride: pixels from one patch to the next.
        bias: a bias that trains; without one, nothing has to be computed backward for this layer.
    """

    def __init__(self, in_channels: int, components: int, patch_size: int, stride: int = 1, bias: bool = True) -> None:
        super().__init__(in_channels, 2 * components, patch_size, stride, bias=bias)
        self.weight.requires_grad_(False)
        patch_values = in_channels * patch_size**2
        self._set_filters(nn.init.orthogonal_(torch.empty(patch_values, patch_values))[:components])

    def _set_filters(self, rows: Tensor) -> None:
        """Take the rows (components, patch values) and their negatives as the filters."""
        with torch.no_grad():
            self.weight.copy_(torch.cat([rows, -rows]).view_as(self.weight))

    def init_from_images(self, images: Tensor) -> None:
        """Set the filters so that they whiten the patches of these pictures.

        Args:
            images: some thousand training pictures as the network gets them, (n, in_channels, height, width).
        """
        patches = F.unfold(images.float(), self.kernel_size, stride=self.stride)
        covariance = torch.einsum("nip,njp->ij", patches, patches) / (patches.shape[0] * patches.shape[2])
        eigenvalues, eigenvectors = torch.linalg.eigh(covariance)  # ascending
        rows = (eigenvectors / (eigenvalues + EPS).sqrt()).T
        self._set_filters(rows.flip(0)[: self.out_channels // 2])


def identity_convolution(in_channels: int, width: int, kernel_size: int = 3) -> nn.Conv2d:
    """A convolution without bias that keeps the size, whose first filters hand each input channel on unchanged."""
    layer = nn.Conv2d(in_channels, width, kernel_size, padding=kernel_size // 2, bias=False)
    nn.init.dirac_(layer.weight.detach()[:in_channels])
    return layer


def scaleless_norm(width: int, momentum: float) -> nn.BatchNorm2d:
    """Batch norm with a frozen scale of 1; `momentum` is the weight of the newest batch in the running statistics."""
    layer = nn.BatchNorm2d(width, eps=1e-12, momentum=momentum)
    layer.weight.requires_grad_(False)
    return layer
