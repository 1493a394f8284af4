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
