"""Random changes of colour, as torchvision's `ColorJitter` draws them and its functional operations compute them.

Departure: the order is fixed, brightness, contrast, saturation, hue, where torchvision draws one for each call.
"""

from torch import Tensor, nn

from plcnn.data.augmentations import augmentations
from plcnn.data.batchwise import colour
from plcnn.data.randomness import Draws
from plcnn.errors import wrong_value


@augmentations.register
class ColorJitter(nn.Module):
    """Change brightness, contrast, saturation and hue of each picture at random, in this order.

    Args:
        brightness: widest departure of its factor from 1, at least 0; drawn from max(0, 1-b)..1+b.
        contrast: the same for contrast.
        saturation: the same for saturation; pictures without three channels keep theirs.
        hue: largest turn of the hues, either way, as a part of the circle, 0..0.5; as for saturation.

    Raises:
        UserError: if an argument lies outside its range.
    """

    def __init__(
        self, brightness: float = 0.2, contrast: float = 0.2, saturation: float = 0.2, hue: float = 0.0
    ) -> None:
        super().__init__()
        for key, value in (("brightness", brightness), ("contrast", contrast), ("saturation", saturation)):
            if not 0 <= value < float("inf"):
                raise wrong_value(key, value, "at least 0, as 0.2 for factors 0.8..1.2", 0.2)
        if not 0 <= hue <= 0.5:
            raise wrong_value("hue", hue, "a part of the circle, 0 to 0.5", 0.1)
        self.departures, self.hue = (brightness, contrast, saturation), hue

    def forward(self, images: Tensor, draws: Draws) -> Tensor:
        """Change each picture by its own factors; images and result (batch, channels, height, width), float."""
        numbers = draws.uniforms(4).to(images.dtype).view(-1, 4, 1, 1, 1)
        changes = (colour.adjust_brightness, colour.adjust_contrast, colour.adjust_saturation)
        for place, (change, departure) in enumerate(zip(changes, self.departures, strict=True)):
            if departure:
                least = max(0.0, 1 - departure)
                images = change(images, least + (1 + departure - least) * numbers[:, place])
        return colour.adjust_hue(images, self.hue * (2 * numbers[:, 3] - 1)) if self.hue else images
