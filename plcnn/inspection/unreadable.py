"""Pictures that cannot be read."""

from collections.abc import Mapping, Sequence

import numpy as np

from plcnn.data.kept.stores import Unfitted
from plcnn.errors import UserError
from plcnn.inspection.finding import Finding, counted, each_alone, listed
from plcnn.inspection.subject import Subject

MOST_NAMED = 20
"""Pictures that the error names."""

_ADVICE = "Mend or delete them, or leave them out: --data.skip_unreadable true."


def unreadable(subject: Subject) -> list[Finding]:
    """Pictures that cannot be read, each with the reason."""
    faults = subject.survey.faults
    if not faults:
        return []
    groups = each_alone(np.array(sorted(faults)))
    reasons = [faults[row] for (row,) in groups]
    sentence = _sentence([(subject.pictures, faults)], 3)
    return [Finding("unreadable", "error", len(faults), sentence, _ADVICE, groups, reasons)]


def refusal(faulty: Sequence[tuple[Unfitted, Mapping[int, str]]]) -> UserError:
    """The error for pictures that cannot be read: all of them, or the first `MOST_NAMED`, each with the reason.

    Args:
        faulty: sets, each with why some of its pictures, by their places there, cannot be read; at least one.
    """
    return UserError(f"{_sentence(faulty, MOST_NAMED)}\n{_ADVICE}")


def _sentence(faulty: Sequence[tuple[Unfitted, Mapping[int, str]]], most: int) -> str:
    count = sum(len(faults) for _, faults in faulty)
    named = (f"{pictures.name(row)} ({faults[row]})" for pictures, faults in faulty for row in sorted(faults))
    return f"{counted(count, 'picture')} cannot be read: {listed(named, count, most)}."
