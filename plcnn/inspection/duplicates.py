"""One picture several times: copies pixel by pixel, and pictures that look alike across two parts."""

from itertools import combinations

import numpy as np

from plcnn.inspection.finding import MOST_LISTED, MOST_OF_A_GROUP, Finding, counted, listed
from plcnn.inspection.subject import ADJECTIVES, PARTS, Subject

TOO_MANY = 0.2
"""Share of the pictures from which on looking like another says little: so it is with drawings and digits."""

_LEAK = "What is measured on such pictures is too good: delete one of each, or keep both in one part (--data.groups)."


def duplicates(subject: Subject) -> list[Finding]:
    """Copies across parts, pictures that look alike across parts, and copies within a part."""
    parts = subject.present()
    across = list(combinations(parts, 2))
    found = [
        *(_copies_across(subject, one, other) for one, other in across),
        *(_alike_across(subject, one, other) for one, other in across),
        *(_copies_within(subject, part) for part in parts),
    ]
    return [finding for finding in found if finding]


def _copies_across(subject: Subject, one: int, other: int) -> Finding | None:
    first = subject.first
    here, there = np.flatnonzero(subject.parts == one), np.flatnonzero(subject.parts == other)
    copies = there[np.isin(first[there], first[here])]
    if not len(copies):
        return None
    example = _FirstOf(first, here)
    pairs = [[example(first[row]), row] for row in copies[:MOST_LISTED].tolist()]
    sentence = counted(
        len(copies),
        f"{ADJECTIVES[other]} picture is a copy of a {ADJECTIVES[one]} picture",
        f"{ADJECTIVES[other]} pictures are copies of {ADJECTIVES[one]} pictures",
    )
    kind = f"copies_across_{PARTS[one]}_and_{PARTS[other]}"
    named = named_groups(subject, pairs, len(copies))
    return Finding(kind, "warning", len(copies), f"{sentence}: {named}.", _LEAK, pairs)


def _alike_across(subject: Subject, one: int, other: int) -> Finding | None:
    """Pictures that look like one of another part, of which none there is a copy."""
    first, parts, pairs = subject.first, subject.parts, subject.alike.rows
    held = np.zeros((len(PARTS), len(first)), bool)  # which pictures each part has, by the first of their copies
    held[parts, first] = True
    both_ways = np.concatenate([pairs, pairs[:, ::-1]])
    like, looked_at = both_ways.T
    like, looked_at = both_ways[held[one][like] & held[other][looked_at] & ~held[one][looked_at]].T
    kinds, places = np.unique(looked_at, return_index=True)
    rows = np.flatnonzero((parts == other) & np.isin(first, kinds))
    if not len(rows):
        return None
    example = _FirstOf(first, np.flatnonzero(parts == one))
    partners = like[places[np.searchsorted(kinds, first[rows[:MOST_LISTED]])]]
    groups = [[example(partner), row] for partner, row in zip(partners, rows[:MOST_LISTED].tolist(), strict=True)]
    sentence = counted(
        len(rows),
        f"{ADJECTIVES[other]} picture looks like a {ADJECTIVES[one]} picture",
        f"{ADJECTIVES[other]} pictures look like {ADJECTIVES[one]} pictures",
    )
    kind = f"alike_across_{PARTS[one]}_and_{PARTS[other]}"
    named = named_groups(subject, groups, len(rows), " ≈ ")
    if telling(subject):
        return Finding(kind, "warning", len(rows), f"{sentence}: {named}.", f"Look at the pairs. {_LEAK}", groups)
    advice = "So many look alike that it may be their nature, as of drawings and digits. Look at some pairs."
    return Finding(kind, "note", len(rows), f"{sentence}: {named}.", advice, groups)


def _copies_within(subject: Subject, part: int) -> Finding | None:
    rows = np.flatnonzero((subject.parts == part) & subject.readable)
    _, kind, times = np.unique(subject.first[rows], return_inverse=True, return_counts=True)
    extra = len(rows) - len(times)
    if not extra:
        return None
    order, ends = np.argsort(kind, kind="stable"), np.cumsum(times)
    several = np.flatnonzero(times > 1)
    groups = [
        rows[order[ends[one] - times[one] : ends[one]]][:MOST_OF_A_GROUP].tolist() for one in several[:MOST_LISTED]
    ]
    sentence = counted(
        extra,
        f"{ADJECTIVES[part]} picture is a copy of another",
        f"{ADJECTIVES[part]} pictures are copies of others there",
    )
    named = named_groups(subject, groups, len(several))
    advice = "A copy counts twice, in training and in what is measured. Delete those that are not meant."
    return Finding(f"copies_in_{PARTS[part]}", "note", extra, f"{sentence}: {named}.", advice, groups)


def telling(subject: Subject) -> bool:
    """Whether pictures that look alike are few enough to be of one origin."""
    kinds = len(np.unique(subject.first[subject.readable]))
    return subject.alike.complete and len(np.unique(subject.alike.rows)) <= max(TOO_MANY * kinds, 20)


def named_groups(subject: Subject, groups: list[list[int]], count: int, sign: str = " = ") -> str:
    """The first groups of pictures by their names: `a.png = b.png and 3 more`."""
    return listed((sign.join(subject.name(row) for row in group[:2]) for group in groups), count, 2)


class _FirstOf:
    """Finds the first picture among some rows that is a copy of a picture.

    Args:
        first: of each picture, the first of its copies.
        rows: those among which to find one.
    """

    def __init__(self, first: np.ndarray, rows: np.ndarray) -> None:
        kinds, places = np.unique(first[rows], return_index=True)
        self._kinds, self._examples = kinds, rows[places]

    def __call__(self, kind: int) -> int:
        return int(self._examples[np.searchsorted(self._kinds, kind)])
