"""A page in one file: its template filled, with figures as SVG, pictures as data, and no request to anywhere."""

import base64
import hashlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor

from plcnn.figures.pictures import displayable
from plcnn.figures.style import as_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEMPLATES = Path(__file__).parent / "templates"

MOST_STOPS = 4000
"""Places of a figure at which a page says numbers."""

_LARGE = 64
_LARGEST = 192


class Stop(NamedTuple):
    """A place of a figure, and what is said there.

    Attributes:
        x: in the units of the figure's axis.
        y: likewise; none for all along a vertical line.
        text: lines.
    """

    x: float
    y: float | None
    text: str


class Drawn(NamedTuple):
    """A figure as it stands in a page.

    Attributes:
        title: what it shows.
        svg: the figure.
        stops: left and top as shares of its width and height, top -1 for a vertical line, and the text.
        note: a sentence below it.
    """

    title: str
    svg: Any
    stops: list[tuple[float, float, str]]
    note: str


def drawn(figure: "Figure", title: str, stops: list[Stop], note: str = "") -> Drawn:
    """A figure for a page.

    Args:
        figure: of one panel.
        title: what it shows.
        stops: where it says numbers, `MOST_STOPS` at most.
        note: a sentence below it.
    """
    from markupsafe import Markup

    svg = as_svg(figure, title)  # lays the figure out, so that its points have their places
    to_pixels, box = figure.axes[0].transData.transform, figure.bbox
    placed = []
    for stop in stops:
        x, y = to_pixels((stop.x, stop.y or 0.0))
        top = -1.0 if stop.y is None else round(1 - float(y) / box.height, 4)
        placed.append((round(float(x) / box.width, 4), top, stop.text))
    return Drawn(title, Markup(svg), placed, note)


def picture_data(picture: Tensor) -> str:
    """A picture as an address that holds it: PNG as it is, or JPEG and smaller where it is large.

    Args:
        picture: uint8 (channels, height, width).
    """
    from PIL import Image

    image, buffer = Image.fromarray(displayable(picture)), BytesIO()
    kind = "png" if max(image.size) <= _LARGE else "jpeg"
    image.thumbnail((_LARGEST, _LARGEST))
    image.save(buffer, kind, quality=88)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def page(template: str, values: Mapping[str, Any]) -> str:
    """Fill a template.

    Args:
        template: its file.
        values: what it asks for; all text is escaped.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    script = (TEMPLATES / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "points": points}
    return environment.get_template(template).render(
        values,
        style=Markup((TEMPLATES / "page.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_hash=f"sha256-{digest}",
    )


def percent(share: float | None, digits: int = 1) -> str:
    """A share in percent; a dash for none."""
    return "–" if share is None else f"{100 * share:.{digits}f} %"


def points(difference: float) -> str:
    """A difference of two shares in percentage points, with its sign."""
    return f"{100 * difference:+.2f}".replace("-", "−")
