"""Where pictures come from, by name: one source a file, registered when the file is imported."""

from typing import Protocol

from torch import Tensor

from plcnn.choice import Choice
from plcnn.registry import Registry


class PictureSource(Protocol):
    """What a source offers to the data module.

    Attributes:
        classes: the class names; label `i` means `classes[i]`.
        image_shape: channels, height and width of every picture.
        verified: whether what was read is known to be the original, by its checksums.
    """

    classes: tuple[str, ...]
    image_shape: tuple[int, int, int]
    verified: bool

    def prepare(self) -> None:
        """Fetch what is missing on this machine; safe to call again and from two processes at once."""

    def train(self) -> tuple[Tensor, Tensor]:
        """The training pictures, uint8 (pictures, channels, height, width), and labels, int64 (pictures,)."""

    def test(self) -> tuple[Tensor, Tensor]:
        """The test pictures and labels, in the form of `train`; read when `plcnn test` asks, never before."""


class Source(Choice):
    """A source of pictures by its registered name, with its arguments."""


sources = Registry(Source, given=("root", "verify"), package="plcnn.data.sources")
