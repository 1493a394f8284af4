"""A linear classifier: the baseline that says how much of a data set needs no network at all."""

from torch import Tensor, nn

from plcnn.architectures import register


@register
class Linear(nn.Module):
    """Multinomial logistic regression on the pixels.

    Args:
        num_classes: number of classes.
        in_channels: channels of a picture.
        image_size: height and width of a picture, in pixels.
    """

    def __init__(self, num_classes: int, in_channels: int = 3, image_size: int = 32) -> None:
        super().__init__()
        self.dense = nn.Linear(in_channels * image_size * image_size, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (batch, in_channels, image_size, image_size) to logits (batch, num_classes)."""
        logits: Tensor = self.dense(x.flatten(1))
        return logits
