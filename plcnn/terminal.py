"""Lines on the terminal, above the progress bars where there are any."""

import sys
from typing import TextIO

from tqdm import tqdm


def say(text: str) -> None:
    """Print a line, at once."""
    _write(text, sys.stdout)


def warn(text: str) -> None:
    """Print a warning to the standard error stream, at once."""
    _write(f"warning: {text}", sys.stderr)


def remark(text: str) -> None:
    """Print a line to the standard error stream, at once: what is for people alone."""
    _write(text, sys.stderr)


def _write(text: str, stream: TextIO) -> None:
    tqdm.write(encodable(text, stream), file=stream)
    stream.flush()


def encodable(text: str, stream: TextIO) -> str:
    """A text with escapes for what the stream's encoding does not know."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def printable(text: object) -> str:
    """A text on one line, with what a terminal would obey or could not show as escapes."""
    text = str(text)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def in_bytes(count: int) -> str:
    """A number of bytes as it is read: 169.0 MB."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"
