"""What kinds of pictures there are, as far as training does not see them as they are."""

from collections.abc import Iterator

import numpy as np

from plcnn.inspection.finding import Finding, counted, each_alone, listed
from plcnn.inspection.subject import Subject

GREY = ("1", "L", "LA", "La", "I", "F")
"""Pillow's modes of grey pictures, beside those that begin with `I;16`."""


def kinds(subject: Subject) -> list[Finding]:
    """Pictures of which something is lost or guessed when they are read, and grey ones among those in colour."""
    return list(_findings(subject))


def _findings(subject: Subject) -> Iterator[Finding]:
    survey, readable = subject.survey, subject.readable
    modes = np.array(survey.modes, dtype=str)
    deep = np.char.startswith(modes, "I;16") | np.isin(modes, ("I", "F"))
    grey = deep | np.isin(modes, GREY)
    some_grey = subject.image_shape[0] >= 3 and bool((readable & ~grey).any())
    for kind, which, what, advice in (
        ("deep", deep, "more than 8 bits a value, of which 8 are kept", _DEEP),
        ("cmyk", modes == "CMYK", "the colours of print (CMYK), turned into RGB without their profile", _CMYK),
        ("transparent", survey.transparent, "transparent parts, laid on white", _TRANSPARENT),
        ("moving", survey.moving, "several frames, of which the first is taken", _MOVING),
        ("grey_in_colour", grey & some_grey, "no colours, unlike the others", _GREY),
        ("plain", subject.plain, "a single colour and nothing else", _PLAIN),
    ):
        rows = np.flatnonzero(which & readable)
        if len(rows):
            named = listed((subject.name(row) for row in rows.tolist()), len(rows))
            sentence = f"{counted(len(rows), 'picture has', 'pictures have')} {what}: {named}."
            yield Finding(kind, "note", len(rows), sentence, advice, each_alone(rows))


_DEEP = "Where the finer steps matter, spread them over 0 to 255 before training."
_CMYK = "Where exact colours matter, turn them into RGB by their profile before training."
_TRANSPARENT = "Where another ground suits them better, lay them on it before training."
_MOVING = "Where other frames matter, save them as pictures of their own."
_GREY = "Look whether they are of a few classes: colour alone would then tell those. --data.channels 1 makes all grey."
_PLAIN = "Look whether something went wrong with them."
