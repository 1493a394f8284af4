"""What sources of one's own pictures share: parts that may be there or not, a shape that is proposed."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from functools import cached_property

from plcnn.data.class_names import Classes
from plcnn.data.complaints import Complaint, refuse
from plcnn.data.own.proposal import proposed_shape
from plcnn.data.sources import PictureSet


class OwnSource(ABC):
    """A source that looks at nothing before it is asked, for `predict` needs none of it."""

    verified = False
    proposes_shape = True

    @property
    @abstractmethod
    def _classes(self) -> Classes:
        """The classes, and what is wrong with them."""

    @property
    @abstractmethod
    def _roles(self) -> Collection[str]:
        """The parts that there are: "train", and "val" and "test" or not."""

    @abstractmethod
    def _set(self, role: str) -> PictureSet:
        """The pictures of a part that there is, not read yet where they lie in files."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the labels."""
        return self._classes.names

    @property
    def complaints(self) -> Sequence[Complaint]:
        """What keeps the pictures from being trained on, though they can be looked at."""
        return self._classes.complaints

    @cached_property
    def image_shape(self) -> tuple[int, int, int]:
        """What `proposed_shape` proposes for the training pictures."""
        return proposed_shape(self._set("train").images)  # type: ignore[arg-type]

    @property
    def has_validation(self) -> bool:
        """Whether there are pictures for validation."""
        return "val" in self._roles

    @property
    def has_test(self) -> bool:
        """Whether there are pictures for testing."""
        return "test" in self._roles

    def prepare(self) -> None:
        """Look at what is there.

        Raises:
            UserError: if nothing can be looked at, naming why; what else is wrong is in `complaints`.
        """
        if not self.classes:
            refuse(self.complaints)
        self.image_shape  # noqa: B018

    def train(self) -> PictureSet:
        """The training pictures."""
        return self._set("train")

    def validation(self) -> PictureSet:
        """The pictures for validation, which must be there."""
        return self._set("val")

    def test(self) -> PictureSet:
        """The pictures for testing, which must be there."""
        return self._set("test")
