"""No augmentation."""

from torch import Tensor, nn

from plcnn.data.augmentations import augmentations
from plcnn.data.randomness import Draws


@augmentations.register(name="none")
class Unchanged(nn.Module):
    """Leave the pictures as they are."""

    takes_uint8 = True

    def __init__(self) -> None:
        super().__init__()

    def forward(self, images: Tensor, draws: Draws) -> Tensor:
        """Return `images` themselves."""
        return images
