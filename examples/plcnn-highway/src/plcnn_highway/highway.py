"""A convolutional highway network: gates that are learned decide how much of each layer's input passes unchanged.

Srivastava, Greff, Schmidhuber, Highway Networks, 2015, https://arxiv.org/abs/1505.00387.
"""

from torch import Tensor, nn

from plcnn import register


class HighwayLayer(nn.Module):
    """`gate * transform(x) + (1 - gate) * x`, with gates that start mostly closed."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.transform = nn.Conv2d(width, width, 3, padding=1)
        self.gate = nn.Conv2d(width, width, 3, padding=1)
        nn.init.constant_(self.gate.bias, -2.0)

    def forward(self, x: Tensor) -> Tensor:
        """Map features (batch, width, height, width) to features of the same shape."""
        gate = self.gate(x).sigmoid()
        return gate * self.transform(x).relu() + (1 - gate) * x


@register
def highway(num_classes: int, in_channels: int = 3, width: int = 32, depth: int = 6) -> nn.Module:
    """A stem of stride 2, highway layers, and the logits of their mean.

    Args:
        num_classes: number of classes.
        in_channels: channels of a picture.
        width: channels of every layer.
        depth: number of highway layers.
    """
    return nn.Sequential(
        nn.Conv2d(in_channels, width, 3, stride=2, padding=1),
        nn.ReLU(),
        *[HighwayLayer(width) for _ in range(depth)],
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(width, num_classes),
    )
