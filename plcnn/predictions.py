"""What a network says of pictures: classes with probabilities, or that it is unsure."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import Tensor

from plcnn.errors import wrong_value

UNSURE = "unsure"
"""The label of a picture whose most probable class is below the threshold."""


class Prediction(NamedTuple):
    """What a network says of one picture.

    Attributes:
        label: the most probable class, or `UNSURE`.
        probability: of the most probable class, 0 to 1.
        top: the most probable classes with their probabilities, the first one first.
    """

    label: str
    probability: float
    top: list[tuple[str, float]]

    def as_dict(self) -> dict[str, Any]:
        """The prediction as plain data."""
        top = [{"label": label, "probability": probability} for label, probability in self.top]
        return {"label": self.label, "probability": self.probability, "top": top}


def name_classes(
    probabilities: Tensor, classes: Sequence[str], top_k: int = 3, threshold: float = 0.0
) -> list[Prediction]:
    """Put names to probabilities.

    Args:
        probabilities: (pictures, classes).
        classes: their names.
        top_k: how many classes to name for each picture; all of them where there are fewer.
        threshold: below this probability, 0 to 1, the label is `UNSURE`.

    Raises:
        UserError: if an argument is out of its range.
    """
    check(top_k, threshold)
    best = probabilities.topk(min(top_k, len(classes)), 1)
    found = []
    for shares, labels in zip(best.values.tolist(), best.indices.tolist(), strict=True):
        top = [(classes[label], share) for label, share in zip(labels, shares, strict=True)]
        label, share = top[0]
        found.append(Prediction(label if share >= threshold else UNSURE, share, top))
    return found


def check(top_k: int, threshold: float) -> None:
    """Refuse arguments that `name_classes` would refuse.

    Raises:
        UserError: if an argument is out of its range.
    """
    if top_k < 1:
        raise wrong_value("--top_k", top_k, "1 or more classes", 3)
    if not 0 <= threshold <= 1:
        raise wrong_value("--threshold", threshold, "a probability from 0 to 1", 0.5)
