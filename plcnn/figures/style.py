"""The look that all figures share, and the two forms in which they are written: PNG, and SVG for a page.

Each colour of a figure has a name, so that a page can give it another value in the dark: `as_svg` writes
`var(--ink)` for `INK`.
"""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO, StringIO
from typing import TYPE_CHECKING, Any

from plcnn.terminal import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#1d1d1b"
MUTED = "#6f6e69"
GRID = "#dddcd6"
SERIES = ("#2a78d6", "#eb6834", "#1baf7a", "#4a3aa7", "#eda100", "#e87ba4", "#008300", "#e34948")
"""Colours of what is told apart, in their order."""

NAMES = {INK: "ink", MUTED: "muted", GRID: "grid", **{colour: f"series-{i}" for i, colour in enumerate(SERIES, 1)}}
"""The name of each colour in a page."""

WIDTH = 4.6
"""Of a figure, in inches: its letters of 9 points are as large on a phone."""

_LONGEST = 16
_PARAMETERS: Any = {
    "font.size": 9,
    "axes.titlesize": 10,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": GRID,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "legend.frameon": False,
    "text.parse_math": False,  # a class may be named $
    "svg.fonttype": "none",
}


@contextmanager
def look() -> Iterator[None]:
    """The settings under which a figure is made and written."""
    import matplotlib

    with matplotlib.rc_context(_PARAMETERS), warnings.catch_warnings():
        # names may have letters that Matplotlib's font lacks; a page shows them all the same
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        warnings.filterwarnings("ignore", "Matplotlib currently does not support")
        yield


def panel(height: float, width: float = WIDTH) -> "tuple[Figure, Axes]":
    """A figure of one panel; call it within `look`.

    Args:
        height: in inches.
        width: in inches.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def label(name: str, longest: int = _LONGEST) -> str:
    """A name as it stands in a figure: on one line, and cut where it is long.

    Args:
        name: of a class or a run.
        longest: the most characters.
    """
    name = printable(name)
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def as_png(figure: "Figure", dpi: int = 150) -> bytes:
    """A figure as a PNG, on white."""
    buffer = BytesIO()
    with look():
        figure.savefig(buffer, format="png", dpi=dpi, facecolor="white")
    return buffer.getvalue()


def as_svg(figure: "Figure", title: str) -> str:
    """A figure as SVG to stand in a page: without a size of its own, its colours named, its letters the page's.

    Args:
        figure: any.
        title: what it shows, for who cannot see it.
    """
    from html import escape

    buffer = StringIO()
    with look():
        import matplotlib

        matplotlib.rcParams["svg.hashsalt"] = title  # the same figure is the same text
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<style [^>]*>.*?</style>|<!--.*?-->", "", text, flags=re.S)
    text = re.sub(r'<g id="[^"]*"', "<g", text)  # nothing refers to them, and several figures stand in a page
    text = re.sub(r"font-family: [^;\"]*;? ?", "", text)
    for colour, name in NAMES.items():
        text = text.replace(colour, f"var(--{name})")
    opening = text[: text.index(">")]
    sized = re.sub(r' (?:width|height|version|xmlns)="[^"]*"', "", opening)
    return text.replace(opening, f'{sized} role="img" aria-label="{escape(title)}"', 1)
