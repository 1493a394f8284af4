"""Lines on the terminal, above the progress bars where there are any."""

import sys

from tqdm import tqdm


def say(text: str) -> None:
    """Print a line, at once."""
    tqdm.write(text)
    sys.stdout.flush()


def warn(text: str) -> None:
    """Print a warning to the standard error stream, at once."""
    tqdm.write(f"warning: {text}", file=sys.stderr)
    sys.stderr.flush()


def remark(text: str) -> None:
    """Print a line to the standard error stream, at once: what is for people alone."""
    tqdm.write(text, file=sys.stderr)
    sys.stderr.flush()


def printable(text: object) -> str:
    """A text on one line, with what a terminal would obey or could not show as escapes."""
    text = str(text)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
