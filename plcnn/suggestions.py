"""What was probably meant by a name that does not exist."""

import difflib
from collections.abc import Iterable


def near(word: str, known: Iterable[str]) -> list[str]:
    """The known names most like `word`, best first, at most three."""
    return difflib.get_close_matches(word, list(known), n=3, cutoff=0.6)


def did_you_mean(word: str, known: Iterable[str], otherwise: str | None = None) -> str:
    """A sentence that names near matches of `word`; without any, `otherwise`, or else all that is known."""
    known = sorted(known)
    matches = near(word, known)
    if matches:
        return f"Did you mean {' or '.join(matches)}?"
    if otherwise is not None:
        return otherwise
    return f"Known: {', '.join(known) or 'none'}."
