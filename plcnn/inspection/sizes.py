"""How large the pictures are, against the size that they are brought to."""

from collections.abc import Iterator

import numpy as np

from plcnn.inspection.finding import Finding, counted, each_alone, listed
from plcnn.inspection.subject import Subject

ENLARGED = 2
"""How many times a picture is enlarged from which on it is remarked on."""

UNUSUAL = 8
"""How many times as long or short a picture's sides are as is usual (the median), from which on it is remarked on."""

DISTORTED = 2
"""How far a picture's aspect is from the wanted one, from which on it is remarked on where it is stretched."""


def sizes(subject: Subject) -> list[Finding]:
    """Pictures that are much enlarged, of unusual size, or much distorted."""
    return list(_findings(subject)) if subject.readable.any() else []


def _findings(subject: Subject) -> Iterator[Finding]:
    rows = np.flatnonzero(subject.readable)
    height, width = subject.survey.sizes[rows].T.astype(np.float64)
    _, wanted_height, wanted_width = subject.image_shape
    wanted = f"{wanted_width} × {wanted_height}"

    small = rows[np.minimum(height / wanted_height, width / wanted_width) < 1 / ENLARGED]
    if len(small):
        sentence = _sentence(
            subject, small, f"much smaller than {wanted} pixels and enlarged more than {ENLARGED} times"
        )
        advice = "Enlarging adds no detail. Find larger ones, or set a smaller --data.image_size."
        yield Finding("enlarged", "note", len(small), sentence, advice, each_alone(small))

    side = np.sqrt(height * width)
    usual = float(np.median(side))
    unusual = rows[(side > UNUSUAL * usual) | (side < usual / UNUSUAL)]
    if len(unusual):
        sentence = _sentence(subject, unusual, f"more than {UNUSUAL} times as large or as small as is usual here")
        advice = "Look whether they belong here: thumbnails, icons and scans lie about in folders."
        yield Finding("unusual_size", "note", len(unusual), sentence, advice, each_alone(unusual))

    aspect = (width / height) / (wanted_width / wanted_height)
    stretched = rows[np.maximum(aspect, 1 / aspect) > DISTORTED]
    if len(stretched) and subject.resize == "stretch":
        sentence = _sentence(subject, stretched, f"stretched more than {DISTORTED} times in one direction")
        advice = "--data.resize crop or pad keeps their aspect."
        yield Finding("distorted", "note", len(stretched), sentence, advice, each_alone(stretched))


def _sentence(subject: Subject, rows: np.ndarray, what: str) -> str:
    named = (f"{subject.name(row)} ({_size(subject, row)})" for row in rows.tolist())
    return f"{counted(len(rows), 'picture is', 'pictures are')} {what}: {listed(named, len(rows))}."


def _size(subject: Subject, row: int) -> str:
    height, width = subject.survey.sizes[row].tolist()
    return f"{width} × {height}"
