"""What the network says of pictures, as text: a table for people, CSV and JSON for programs."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Literal, NamedTuple, Protocol

from rich.cells import cell_len

from plcnn.predictions import UNSURE, Prediction
from plcnn.terminal import printable

Format = Literal["table", "csv", "json"]

WIDEST = 60
"""Of the column of names; longer ones stand out."""

MOST_MEASURED = 1000
"""How many names decide how wide their column is."""


class Answer(NamedTuple):
    """What the network says of one picture.

    Attributes:
        picture: its name.
        prediction: the classes.
        saliency: the file of the picture with what the network looked at; none if it was not asked for.
    """

    picture: str
    prediction: Prediction
    saliency: str | None = None


class Writer(Protocol):
    """Makes text of answers, in whole lines: `begin`, `rows` for every batch, `end`."""

    def begin(self) -> str:
        """What stands before the answers."""

    def rows(self, answers: Iterable[Answer]) -> str:
        """Some answers, a line each."""

    def end(self) -> str:
        """What stands after them."""


class Table:
    """Aligned columns: picture, label, probability, and further classes.

    Args:
        names: of the pictures.
        classes: of the network.
    """

    def __init__(self, names: Sequence[str], classes: Sequence[str]) -> None:
        lengths = [cell_len(printable(name)) for name in names[:MOST_MEASURED]]
        self._name = min(max(lengths, default=0), WIDEST)
        self._label = min(max(cell_len(printable(label)) for label in (*classes, UNSURE)), WIDEST)

    def begin(self) -> str:
        """Nothing."""
        return ""

    def rows(self, answers: Iterable[Answer]) -> str:
        """Some answers, a line each."""
        return "".join(f"{self._row(answer)}\n" for answer in answers)

    def _row(self, answer: Answer) -> str:
        prediction = answer.prediction
        pairs = [(prediction.label, prediction.probability), *prediction.top[1:]]
        columns = [_padded(answer.picture, self._name)]
        columns += [f"{_padded(label, self._label)}  {share:.4f}" for label, share in pairs]
        return "  ".join(columns)

    def end(self) -> str:
        """Nothing."""
        return ""


class CSV:
    """Comma-separated values: picture, label, and `class_1`, `probability_1` and so on; saliency where it is drawn.

    Args:
        top_k: how many classes are named for each picture.
        saliency: whether there is a last column for it.
        to_terminal: whether names are made fit for a terminal.
    """

    def __init__(self, top_k: int, saliency: bool, to_terminal: bool) -> None:
        self._numbers, self._saliency = range(1, top_k + 1), saliency
        self._shown = printable if to_terminal else str

    def begin(self) -> str:
        """The names of the columns."""
        pairs = chain.from_iterable((f"class_{number}", f"probability_{number}") for number in self._numbers)
        return _lines([["picture", "label", *pairs, *(["saliency"] if self._saliency else [])]])

    def rows(self, answers: Iterable[Answer]) -> str:
        """Some answers, a line each."""
        return _lines(
            [
                *(self._shown(text) for text in (answer.picture, answer.prediction.label)),
                *chain.from_iterable((self._shown(label), f"{share:.6f}") for label, share in answer.prediction.top),
                *([self._shown(answer.saliency)] if self._saliency else []),
            ]
            for answer in answers
        )

    def end(self) -> str:
        """Nothing."""
        return ""


class JSON:
    """A list of objects, one a line."""

    def __init__(self) -> None:
        self._before = "\n"

    def begin(self) -> str:
        """The opening bracket."""
        return "["

    def rows(self, answers: Iterable[Answer]) -> str:
        """Some answers, a line each."""
        text = ""
        for picture, prediction, saliency in answers:
            extra = {} if saliency is None else {"saliency": saliency}
            text += self._before + json.dumps({"picture": picture, **prediction.as_dict(), **extra})
            self._before = ",\n"
        return text

    def end(self) -> str:
        """The closing bracket."""
        return "\n]\n"


def _lines(rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _padded(text: str, width: int) -> str:
    text = printable(text)
    return text + " " * (width - cell_len(text))
