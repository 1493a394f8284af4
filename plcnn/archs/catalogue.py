"""The list of architectures with what each costs, answered from a table where one was measured before.

Measuring builds every network, which takes seconds and PyTorch. What was measured is kept with a digest of the
architectures' source files: `measured.json` comes with the package; other input sizes, and changed files, are measured
once and kept in the user's cache folder. Installed packages and plugin files are measured anew every time.

Write `measured.json` with `python -m plcnn.archs.catalogue`.
"""

import sys
from collections.abc import Iterable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, NamedTuple

from plcnn import kept_table, plugins
from plcnn.errors import UserError
from plcnn.named import source

PACKAGE = "plcnn.architectures"
SHIPPED = Path(__file__).with_name("measured.json")


class Input(NamedTuple):
    """What the data gives a network: its input's size and the number of classes."""

    in_channels: int = 3
    image_size: int = 32
    num_classes: int = 10

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        return self.in_channels, self.image_size, self.image_size

    def __str__(self) -> str:
        return f"{' × '.join(map(str, self.image_shape))}, {self.num_classes:,} classes"


def names() -> list[str]:
    """Every registered name, sorted."""
    known = _stored(Input())
    if known is not None and not _has_others():
        return [row["name"] for row in known]
    from plcnn.architectures import architectures

    return architectures.names()


def rows(given: Input) -> list[dict[str, Any]]:
    """Every registered architecture, sorted by name.

    Args:
        given: what the networks are built for.

    Returns:
        A dict a name: name, family, parameters, multiply_adds, source, summary. Where it cannot be built, numbers are
        None and `problem` is the reason in words. A wrapper of a library also has `models`, how many it can build.
    """
    known = _stored(given)
    if known is not None and not _has_others():
        return known
    from plcnn.architectures import architectures

    if known is None and sys.stderr.isatty():
        print(f"measuring every architecture at {given}, once ...", file=sys.stderr)
    by_name = {row["name"]: row for row in known or ()}
    found = [by_name.get(name) or measure(name, given) for name in architectures.names()]
    if known is None:
        _store(given, [row for row in found if row["source"] == "plcnn"])
    return found


def measure(name: str, given: Input) -> dict[str, Any]:
    """One row of the list, by building the network."""
    from plcnn.architectures import architectures
    from plcnn.archs.costs import multiply_adds
    from plcnn.layers import counts

    choice = architectures[name]
    row: dict[str, Any] = {"name": name, "family": family(choice.builder), "parameters": None, "multiply_adds": None}
    row |= {"source": source(choice.builder), "summary": (choice.__doc__ or "").strip().split("\n\n")[0].split("\n")[0]}
    try:
        row |= {"models": len(choice.models())} if choice.models else {}
        network = architectures.build(name, **given._asdict())
        row["parameters"], _ = counts(network)
        row["multiply_adds"] = multiply_adds(network, given.image_shape)
    except UserError as error:
        row["problem"] = str(error)
    except Exception as error:  # whatever a stranger's network raises on such a picture
        row["problem"] = f"fails on pictures of {given}: {type(error).__name__}: {error}"
    return row


def family(builder: Any) -> str:
    """The family of an architecture: the stem of its file's name."""
    file = getattr(sys.modules.get(builder.__module__), "__file__", None)
    return Path(file).stem if file else str(builder.__module__)


def _has_others() -> bool:
    """Whether plugin files or installed packages may add to the package's own architectures."""
    return bool(plugins.loaded() or entry_points(group=PACKAGE))


def _digest() -> str:
    return kept_table.digest(Path(__file__).parents[1] / "architectures")


def _cache_file(given: Input) -> Path:
    return kept_table.cache_file(f"archs-{'-'.join(map(str, given))}")


def _stored(given: Input) -> list[dict[str, Any]] | None:
    """The package's own rows as they were measured from these very source files, or None."""
    return kept_table.stored((SHIPPED, _cache_file(given)), _digest(), given)


def _store(given: Input, measured: Iterable[dict[str, Any]], path: Path | None = None) -> None:
    kept_table.store(path or _cache_file(given), _digest(), given, measured)


if __name__ == "__main__":
    SHIPPED.unlink(missing_ok=True)
    _store(Input(), [row for row in rows(Input()) if row["source"] == "plcnn"], SHIPPED)
