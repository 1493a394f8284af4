"""The list of sources with what is known of each before it is there, answered from a table where one is kept.

Write `known.json`, the table that comes with the package, with `python -m plcnn.datasets.catalogue`.
"""

import inspect
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from plcnn import kept_table, plugins
from plcnn.choice import Choice
from plcnn.errors import UserError
from plcnn.named import source

PACKAGE = "plcnn.data.sources"
SHIPPED = Path(__file__).with_name("known.json")


def rows() -> list[dict[str, Any]]:
    """Every registered source, sorted by name, each in the form of `row`."""
    cached = kept_table.cache_file("datasets")
    known = kept_table.stored((SHIPPED, cached), _digest(), ())
    if known is not None and not (plugins.loaded() or entry_points(group=PACKAGE)):
        return known
    found = _made()
    if known is None:
        _store(cached, found)
    return found


def _made() -> list[dict[str, Any]]:
    from plcnn.data.sources import sources

    return [row(sources[name]) for name in sources.names()]


def _digest() -> str:
    return kept_table.digest(Path(__file__).parents[1] / "data" / "sources")


def _store(path: Path, found: list[dict[str, Any]]) -> None:
    kept_table.store(path, _digest(), (), [one for one in found if one["source"] == "plcnn"])


def row(chosen: "type[Choice] | Choice", root: str = "data") -> dict[str, Any]:
    """What is known of one source.

    Args:
        chosen: the source, with arguments or with its defaults.
        root: where its pictures lie, for those that ask there.

    Returns:
        Plain data: name, summary, source; the rest is empty for sources without `facts`: classes, training,
        validation, test, image_shape, sizes_differ, folder, files (name, size, checksum, urls), download_bytes, page,
        needs.

    Raises:
        UserError: if it has arguments that do not fit it.
    """
    builder = chosen.builder
    summary = (inspect.getdoc(builder) or "").split("\n\n")[0].replace("\n", " ")
    about: dict[str, Any] = {"name": chosen.name, "summary": summary, "source": source(builder)}
    built = _built(chosen, root)
    facts = getattr(built, "facts", None)
    if facts is None:
        return about
    files = [file._asdict() | {"checksum": str(file.checksum), "urls": list(file.urls)} for file in facts.files]
    about |= {"classes": len(built.classes), "image_shape": list(built.image_shape)}
    return about | dict(facts._asdict()) | {"files": files, "download_bytes": facts.download_bytes}


def _built(chosen: "type[Choice] | Choice", root: str) -> Any:
    """The source, or None where it cannot be built before its pictures or its arguments are there."""
    try:
        choice = chosen() if isinstance(chosen, type) else chosen
        return choice.build(root=root, verify=True)
    except UserError:
        if isinstance(chosen, type) or chosen == type(chosen)():
            return None
        raise


def present(one: dict[str, Any], root: Path) -> dict[str, Any] | None:
    """Where a source's files lie below a root, and their bytes; None if nothing does.

    Args:
        one: its row.
        root: the folder that --data.root names.
    """
    if not one.get("folder"):
        return None
    folder = root / one["folder"]
    names = [file["name"] for file in one["files"]]
    for place in (folder, *(above / name for above in (root, folder.parent) for name in names)):
        if place.exists() and (size := _bytes(place)):
            return {"path": str(place), "bytes": size, "unpacked": place == folder}
    return None


def _bytes(path: Path) -> int:
    """The bytes of a file, or of all files in a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


if __name__ == "__main__":
    _store(SHIPPED, _made())
