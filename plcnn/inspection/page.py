"""The page of `plcnn check`: what the pictures are, what was found, and the pictures that it is about."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from plcnn.figures.dataset import MOST_NAMED, class_counts, picture_sizes, size_cells
from plcnn.inspection.facts import Facts
from plcnn.inspection.finding import Finding
from plcnn.inspection.subject import ADJECTIVES, Subject
from plcnn.inspection.thumbnails import Thumbnails
from plcnn.inspection.words import result, scaling_flags
from plcnn.report.page import MOST_STOPS, Drawn, Stop, drawn, page

PAGE = "check.html"

MOST_GROUPS = 36
"""Pairs, groups or pictures of a finding that are shown."""

FEW_GROUPS = 4
"""So many are shown at once below a warning, more when the page is asked for them."""

MOST_OF_A_GROUP = 4
"""Copies of one picture that are shown."""

MOST_NAMES = 200
"""Pictures that cannot be read, and classes, that are listed by name."""

MOST_EXAMPLES = 400
"""Examples of all classes together; at least one of each while there are fewer classes."""

MOST_OF_A_CLASS = 8


def content(subject: Subject, facts: Facts, findings: list[Finding], told: Mapping[str, Any]) -> str:
    """The page.

    Args:
        subject: the pictures.
        facts: what they are.
        findings: what was found, the worst first.
        told: what the template says besides: `data`, how the pictures are called, and `files`, what lies beside it.
    """
    thumbnails = Thumbnails(subject)
    present = [part for part in range(len(ADJECTIVES)) if facts.counts[part].any()]
    values = {
        **told,
        "result": re.sub(r"(?<=\d) ", "\u00a0", result(findings)),  # no line ends between a number and its word
        "facts": facts,
        "number_of_pictures": facts.number_of_pictures(),
        "scaling": scaling_flags(facts) if facts.scaling else None,
        "findings": [_finding(subject, finding, thumbnails, not place) for place, finding in enumerate(findings)],
        "figures": _figures(subject, facts, present),
        "parts": [ADJECTIVES[part] for part in present],
        "classes": _classes(facts, present),
        "more_classes": max(0, len(facts.classes) - MOST_NAMES),
        "examples": _examples(subject, thumbnails),
    }
    return page("check.html", values)


def _finding(subject: Subject, finding: Finding, thumbnails: Thumbnails, is_first: bool) -> dict[str, Any]:
    listed = bool(finding.reasons)
    shown = finding.groups[: MOST_NAMES if listed else MOST_GROUPS]
    return {
        "severity": finding.severity,
        "sentence": finding.sentence,
        "advice": re.split(r"(--[\w.]*\w)", finding.advice),  # every second part is an option
        "unread": [
            {"name": subject.name(row), "reason": reason}
            for (row,), reason in zip(shown, finding.reasons, strict=False)
        ],
        "groups": [] if listed else [_group(subject, group[:MOST_OF_A_GROUP], thumbnails) for group in shown],
        "opened": is_first or (finding.severity == "warning" and len(shown) <= FEW_GROUPS),
        "alone": all(len(group) == 1 for group in shown),
        "more": max(0, finding.count - len(shown)) if shown else 0,
    }


def _group(subject: Subject, group: list[int], thumbnails: Thumbnails) -> list[dict[str, Any]]:
    return [
        {
            "source": thumbnails.of(row),
            "name": subject.name(row),
            "class": subject.class_name(subject.labels[row]),
            "part": ADJECTIVES[subject.parts[row]],
            "size": " × ".join(str(side) for side in subject.survey.sizes[row][::-1]),
        }
        for row in group
    ]


def _figures(subject: Subject, facts: Facts, present: list[int]) -> list[Drawn]:
    figures = []
    if present:
        counts = {ADJECTIVES[part]: facts.counts[part].tolist() for part in present}
        stops = []
        if len(facts.classes) <= MOST_NAMED:
            for label, name in enumerate(facts.classes):
                numbers = [f"{numbers[label]:,} {part}" for part, numbers in counts.items()]
                total = sum(numbers[label] for numbers in counts.values())
                stops.append(Stop(total / 2, label, "\n".join([name, *numbers])))
        figures.append(drawn(class_counts(counts, facts.classes), "pictures of each class", stops))
    cells = size_cells(subject.survey.sizes[subject.readable])
    if len(cells) > 1:
        stops = [
            Stop(c.width, c.height, f"about {c.width:.0f} × {c.height:.0f}\n{c.pictures:,} pictures")
            for c in sorted(cells, key=lambda cell: -cell.pictures)[:MOST_STOPS]
        ]
        note = f"A dot's area grows with its pictures; they are brought to {facts.shape[2]} × {facts.shape[1]} pixels."
        figures.append(drawn(picture_sizes(cells, facts.shape[1:]), "sizes of pictures", stops, note))
    return figures


def _classes(facts: Facts, present: list[int]) -> list[dict[str, Any]]:
    """The classes with their pictures; where there are very many, the largest."""
    order = np.arange(len(facts.classes))
    if len(order) > MOST_NAMES:
        order = np.argsort(-facts.counts.sum(0), kind="stable")[:MOST_NAMES]
    most = facts.counts[present].max(1, initial=1)
    return [
        {
            "name": facts.classes[label],
            "counts": [
                (int(facts.counts[part, label]), facts.counts[part, label] / max(1, top))
                for part, top in zip(present, most, strict=True)
            ],
        }
        for label in order.tolist()
    ]


def _examples(subject: Subject, thumbnails: Thumbnails) -> list[dict[str, Any]]:
    """Some training pictures of each class, evenly spread over the order in which they are."""
    each = max(1, min(MOST_OF_A_CLASS, MOST_EXAMPLES // max(1, len(subject.classes))))
    rows = np.flatnonzero(subject.readable & (subject.parts == 0))
    rows = rows[np.argsort(subject.labels[rows], kind="stable")]
    ends = np.searchsorted(subject.labels[rows], np.arange(len(subject.classes) + 1)).tolist()
    found = []
    for label in range(min(len(subject.classes), MOST_EXAMPLES)):
        own = rows[ends[label] : ends[label + 1]]
        some = own[np.arange(min(each, len(own))) * len(own) // max(1, min(each, len(own)))]
        found.append({"name": subject.class_name(label), "pictures": _group(subject, some.tolist(), thumbnails)})
    return [one for one in found if one["pictures"]]
