"""The fourteen operations of RandAugment and TrivialAugment, one for each picture of a batch.

Every picture has its own operation, and picking out those that share one would need their number, for which a GPU has
to be waited for. So every picture goes through everything: the geometric operations are one affine map; brightness,
colour, contrast and sharpness are one blend with what they lead away from; each of the rest is selected where it is
meant.
"""

import torch
from torch import Tensor

from plcnn.data.batchwise import colour
from plcnn.data.batchwise.affine import affine
from plcnn.data.memory_format import in_format_of

NAMES = (
    *("identity", "shear_x", "shear_y", "translate_x", "translate_y", "rotate", "brightness", "color", "contrast"),
    *("sharpness", "posterize", "solarize", "autocontrast", "equalize"),
)
"""The operations; a picture's is given by its place among them."""

SIGNED = range(NAMES.index("shear_x"), NAMES.index("sharpness") + 1)
"""Places of the operations that go in two directions."""


class Operations:
    """The operations with their strengths.

    Args:
        table: each operation's strengths from the weakest to the strongest, by its name, all of one length; those that
            are not named have none. As torchvision gives them: a shear in pixels a pixel, a move in pixels (cut to
            whole ones), an angle in degrees, a blend's distance from 1, bits, a threshold of 0..1.
    """

    def __init__(self, table: dict[str, Tensor]) -> None:
        length = len(next(iter(table.values())))
        self._table = torch.stack([table.get(name, torch.zeros(length)).float() for name in NAMES])

    def __call__(self, images: Tensor, operation: Tensor, strength: Tensor, negative: Tensor) -> Tensor:
        """Apply one operation to each picture.

        Args:
            images: (batch, channels, height, width), float from 0 to 1.
            operation: int64 (batch,), places among `NAMES`.
            strength: int64 (batch,), places in the table.
            negative: bool (batch,), the direction of those that have two.

        Returns:
            (batch, channels, height, width), in the dtype of `images`.
        """
        if self._table.device != images.device:  # once: to wait for every batch's copy would be slow
            self._table = self._table.to(images.device)
        amount = self._table[operation, strength]
        signed = (operation >= SIGNED.start) & (operation < SIGNED.stop)
        amount = torch.where(signed & negative, -amount, amount)

        places = torch.arange(len(NAMES), device=images.device)
        told = dict(zip(NAMES, (operation.unsqueeze(1) == places).unbind(1), strict=True))
        of = {name: torch.where(told[name], amount, 0) for name in NAMES[: SIGNED.stop]}
        shear = torch.stack([of["shear_x"], of["shear_y"]], 1)
        move = torch.stack([of["translate_x"], of["translate_y"]], 1).trunc()
        given, images = images, affine(images, shear, move, of["rotate"])

        told = {name: mask.view(-1, 1, 1, 1) for name, mask in told.items()}
        amount = amount.view(-1, 1, 1, 1).to(images.dtype)

        grey = colour.grey(images)
        away = torch.where(told["color"], grey if images.shape[1] == 3 else images, 0)
        away = torch.where(told["contrast"], grey.mean((1, 2, 3), keepdim=True), away)
        away = torch.where(told["sharpness"], colour.blurred(images), away)
        blends = told["brightness"] | told["color"] | told["contrast"] | told["sharpness"]
        changed = torch.where(blends, colour.blend(images, away, 1 + amount), images)

        changed = torch.where(told["posterize"], colour.posterize(images, amount), changed)
        changed = torch.where(told["solarize"], colour.solarize(images, amount), changed)
        changed = torch.where(told["autocontrast"], colour.autocontrast(images), changed)
        return in_format_of(given, torch.where(told["equalize"], colour.equalize(images), changed))
