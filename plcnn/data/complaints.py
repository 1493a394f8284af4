"""What keeps pictures from being trained on, as data: `fit` refuses them for it, `plcnn check` lists it."""

from collections.abc import Sequence
from dataclasses import dataclass

from plcnn.errors import UserError


@dataclass(frozen=True)
class Complaint:
    """One reason not to train on pictures that can be looked at all the same.

    Attributes:
        kind: its name for programs, `empty_classes`.
        count: of what it is about.
        sentence: what is wrong, and where.
        advice: what to do about it.
        classes: the names of the classes that it is about.
    """

    kind: str
    count: int
    sentence: str
    advice: str
    classes: tuple[str, ...] = ()


def refuse(complaints: Sequence[Complaint]) -> None:
    """Refuse pictures for all that is wrong with them at once, if anything is.

    Raises:
        UserError: with a line for each complaint.
    """
    if complaints:
        raise UserError("\n".join(f"{one.sentence} {one.advice}" for one in complaints))
