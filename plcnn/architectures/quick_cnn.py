"""A small network that learns much from few multiplications, for minutes on a laptop's CPU.

From the CIFAR-10 speed records (Jordan, 2024, https://arxiv.org/abs/2404.00498) it has the frozen whitening
convolution, identity filters, batch norms without scale, and the maximum over the last places. Where those whiten 2x2
patches at every pixel, it takes 4x4 patches with a stride of 2, mixes their components by a 1x1 convolution, and
spends its layers on small feature maps: at 32 pixels 15x15, 7x7 and 3x3. Its form was chosen by validation accuracy
after a given time of training on two CPU cores.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from plcnn.architectures import register
from plcnn.errors import wrong_value
from plcnn.whitening import WhiteningConv2d, identity_convolution, scaleless_norm


@register
class QuickCNN(nn.Module):
    """Whitened 4x4 patches, a 1x1 convolution, and stages of 3x3 convolutions with a max-pool between two of them.

    Args:
        num_classes: number of classes.
        in_channels: channels of a picture.
        image_size: height and width of a picture in pixels.
        components: how many of a patch's principal components to keep, 1 or more, each with both signs; all where a
            patch has fewer values.
        mixed: channels that the 1x1 convolution makes of them.
        widths: channels of each stage's convolutions.
        norm_momentum: weight of the newest batch in the batch norms' running statistics, above 0, at most 1.

    Raises:
        UserError: a value outside these ranges, or a picture too small for the stages.
    """

    patch_size = 4
    stride = 2

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        image_size: int = 32,
        components: int = 24,
        mixed: int = 32,
        widths: tuple[tuple[int, ...], ...] = ((32,), (64, 64), (128, 128)),
        norm_momentum: float = 0.4,
    ) -> None:
        super().__init__()
        if not widths or not all(widths) or min(map(min, widths)) < 1:
            raise wrong_value("widths", widths, "a list of numbers, each 1 or more, for each stage", [[32], [64, 96]])
        for key, value, example in (("components", components, 24), ("mixed", mixed, 32)):
            if value < 1:
                raise wrong_value(key, value, "1 or more", example)
        if not 0 < norm_momentum <= 1:
            raise wrong_value("norm_momentum", norm_momentum, "a number above 0, at most 1", 0.4)
        smallest = self.patch_size + self.stride * (2 ** (len(widths) - 1) - 1)
        if image_size < smallest:
            raise wrong_value("image_size", image_size, f"{smallest} pixels or more for {len(widths)} stages", smallest)
        components = min(components, in_channels * self.patch_size**2)
        self.whiten = WhiteningConv2d(in_channels, components, self.patch_size, self.stride, bias=False)
        layers: list[nn.Module] = [
            nn.ReLU(inplace=True),
            identity_convolution(2 * components, mixed, kernel_size=1),
            scaleless_norm(mixed, norm_momentum),
            nn.ReLU(inplace=True),
        ]
        channels = mixed
        for number, stage in enumerate(widths):
            for place, width in enumerate(stage):
                layers.append(identity_convolution(channels, width))
                if place == len(stage) - 1 and number < len(widths) - 1:
                    layers.append(nn.MaxPool2d(2))
                layers += [scaleless_norm(width, norm_momentum), nn.ReLU(inplace=True)]
                channels = width
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(channels, num_classes, bias=False)
        nn.init.normal_(self.head.weight)

    def init_from_images(self, images: Tensor) -> None:
        """Set the frozen filters so that they whiten the patches of these pictures.

        Args:
            images: some thousand training pictures as the network gets them, (n, in_channels, height, width).
        """
        self.whiten.init_from_images(images)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (batch, in_channels, image_size, image_size) to logits (batch, num_classes)."""
        x = F.adaptive_max_pool2d(self.layers(self.whiten(x)), 1).flatten(1)
        logits: Tensor = self.head(x) / self.head.in_features
        return logits
