"""Where pictures come from, by name: one source a file, registered when the file is imported."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from torch import Tensor

from plcnn.choice import Choice
from plcnn.data.kept.stores import PictureStore, Unfitted
from plcnn.registry import Registry


class PictureSet(NamedTuple):
    """Pictures with their labels.

    Attributes:
        images: uint8 (pictures, channels, height, width), all of the source's shape; or a store of such; or pictures
            of any kinds and sizes.
        labels: int64 (pictures,).
        names: what each picture is called; by default its number.
        groups: whom or what each picture shows, say; pictures of one group never part when a set is split.
    """

    images: Tensor | PictureStore | Unfitted
    labels: Tensor
    names: Sequence[str] | None = None
    groups: Sequence[str] | None = None


class PictureSource(Protocol):
    """What a source offers to the data module.

    Besides these it may have:
    - `validation() -> PictureSet`, validation pictures of its own, unless `has_validation` is False;
    - `in_random_order = True`: its first training pictures are as good as a random draw;
    - `has_test = False`: it has no test pictures, so some of the training pictures are held out for testing;
    - `complaints`, a list of `plcnn.data.complaints.Complaint`: why its pictures, though they can be looked at, are not
      to be trained on;
    - `proposes_shape = True`: its pictures may differ in shape, and it proposes one; a run keeps it.

    Attributes:
        classes: the class names; label `i` means `classes[i]`.
        image_shape: channels, height and width of every picture; or those it proposes where they differ.
        verified: whether what was read is known to be the original, by its checksums.
    """

    classes: tuple[str, ...]
    image_shape: tuple[int, int, int]
    verified: bool

    def prepare(self) -> None:
        """Fetch what is missing on this machine; safe to call again and from two processes at once."""

    def train(self) -> PictureSet | tuple[Tensor | PictureStore | Unfitted, Tensor]:
        """The training pictures and their labels, int64 (pictures,)."""

    def test(self) -> PictureSet | tuple[Tensor | PictureStore | Unfitted, Tensor]:
        """The test pictures and labels, in the form of `train`; read when `plcnn test` asks, never before."""


class Source(Choice):
    """A source of pictures by its registered name, with its arguments."""


sources = Registry(Source, given=("root", "verify"), package="plcnn.data.sources", listed_by="plcnn datasets")
