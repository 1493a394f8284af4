"""The command `plcnn datasets`: a list that answers at once; a page for one source of pictures."""

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from plcnn.arguments import load_plugins
from plcnn.command_parser import CommandParser
from plcnn.datasets.catalogue import present, rows
from plcnn.errors import UserError
from plcnn.named import choose, matches, own_flags
from plcnn.paths import expanded

EPILOG = """examples:
  plcnn datasets                       all data sets, and what reads pictures of your own
  plcnn datasets '*mnist'              those whose name fits
  plcnn datasets cifar100              one: what it holds, where its files go, its arguments, an example
  plcnn datasets emnist --data.source.split letters
  plcnn datasets my_set --plugins my_sets.py
"""
_LEAST_ROOM = 20  # characters for what a source is
COLUMNS = ("name", "classes", "training", "test", "size", "channels", "download", "here")


def run(arguments: list[str]) -> None:
    """Run the command.

    Args:
        arguments: the command line, `datasets` first.

    Raises:
        UserError: if an option, a name or an argument is unknown.
    """
    flags, rest = own_flags(arguments[1:], "data.source")
    options = _parser().parse_args(rest)
    load_plugins(rest)
    found = rows()
    if options.name in [row["name"] for row in found]:
        _one(options, flags)
        return
    if flags:
        raise UserError(_unknown(options.name) if options.name else f"{flags[0]} needs a name: plcnn datasets NAME.", 2)
    _list(found, options)


def _parser() -> CommandParser:
    parser = CommandParser("datasets", "Lists the sources of pictures; explains one.", EPILOG)
    parser.add_argument("name", nargs="?", default="", help="a name, or a pattern for names")
    parser.add_argument("--data.root", dest="root", default="data", help="folder of the data sets (default data)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--plugins", action="append", help="a Python file whose registered names are listed, too")
    return parser


def _unknown(name: str) -> str:
    from plcnn.data.sources import sources

    return sources.unknown(name)


def _list(found: list[dict[str, Any]], options: argparse.Namespace) -> None:
    chosen = [row for row in found if matches(options.name, row["name"])]
    if not chosen:
        raise UserError(_unknown(options.name), exit_code=2)
    root = expanded(options.root)
    listed = [row | {"present": present(row, root)} for row in chosen]
    if options.json:
        print(json.dumps({"root": options.root, "datasets": listed}, indent=2))
        return
    table = [COLUMNS, *(_cells(row) for row in listed)]
    widths = [max(len(line[column]) for line in table) for column in range(len(COLUMNS))]
    room = shutil.get_terminal_size().columns - sum(widths) - 2 * len(widths) if sys.stdout.isatty() else None
    for cells, what in zip(table, ["what it is", *(row["summary"] for row in listed)], strict=True):
        name, *others = (f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
        print("  ".join([name.strip().ljust(widths[0]), *others, _cut(what, room)]).rstrip())
    plural = "s" if len(listed) > 1 else ""
    print(
        f"\n{len(listed)} source{plural} of pictures. `plcnn datasets NAME` explains one; here means in {options.root}."
    )
    if any("classes" not in row for row in listed):
        print("Those without numbers read pictures of your own.")


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    if "classes" not in row:
        return (row["name"], *("-" for _ in COLUMNS[1:]))
    from plcnn.terminal import in_bytes

    channels, height, width = row["image_shape"]
    size = "differs" if row["sizes_differ"] else f"{height} × {width}"
    download = in_bytes(row["download_bytes"]) if row["download_bytes"] else "none"
    there = row["present"]
    here = in_bytes(there["bytes"]) if there else "no" if row["folder"] else "yes"
    return (
        row["name"],
        *(f"{row[key]:,}" for key in ("classes", "training", "test")),
        *(size, str(channels), download, here),
    )


def _cut(text: str, room: int | None) -> str:
    """What fits of a text; nothing where that would be but a word."""
    if room is None or len(text) <= room:
        return text
    return f"{text[: room - 1]}…" if room >= _LEAST_ROOM else ""


def _one(options: argparse.Namespace, flags: list[str]) -> None:
    from plcnn.data.sources import sources
    from plcnn.datasets.page import as_text, describe

    choice = choose("datasets", sources, "data.source", options.name, flags)
    about = describe(choice, str(Path(expanded(options.root))))
    print(json.dumps(about, indent=2) if options.json else as_text(about))
