"""What there is to know of one source of pictures: what it holds, how it is had, and its arguments."""

import textwrap
from pathlib import Path
from typing import Any

from plcnn import named
from plcnn.choice import Choice
from plcnn.datasets.catalogue import present, row
from plcnn.terminal import in_bytes, printable

_MOST_NAMED = 12
_WIDTH = 100


def describe(choice: Choice, root: str) -> dict[str, Any]:
    """Describe a source with its arguments.

    Args:
        choice: the source.
        root: the folder that --data.root names.

    Returns:
        Plain data: a row of the catalogue, with where it comes from and its arguments; `class_names` where they are
        known beforehand; `present`, where its files lie.

    Raises:
        UserError: if an argument does not fit.
    """
    about = row(choice, root)
    about |= named.about(choice)
    if "classes" in about:
        about["class_names"] = list(choice.build(root=root, verify=True).classes)
    return about | {"root": root, "present": present(about, Path(root)), "example": example(choice, about)}


def example(choice: Choice, about: dict[str, Any]) -> str:
    """A command that trains on the source, with an argument set where it has some."""
    own = "" if "classes" in about else " --data.root my_pictures"
    return f"plcnn fit --config configs/base.yaml {named.typed_choice(choice, 'data.source')}{own}"


def as_text(about: dict[str, Any]) -> str:
    """The description as a page for the terminal."""
    facts = _facts(about) if "classes" in about else []
    lines = [
        f"{about['name']}: {about['summary']}",
        *([about["description"]] if about["description"] else []),
        "",
        *(line for key, text in facts for line in _wrapped(key, text)),
        *_wrapped("source", named.shown_origin(about)),
        f"{'example':<15}{about['example']}",
        "",
        *named.argument_lines(about["arguments"], "data.source"),
    ]
    if about["about_the_family"]:
        lines += ["", "about", *named.indented(about["about_the_family"])]
    return "\n".join(lines)


def _facts(about: dict[str, Any]) -> list[tuple[str, str]]:
    """What is known before the pictures are there: what it is about, and the text."""
    names = about["class_names"]
    more = f", and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    channels, height, width = about["image_shape"]
    size = f"{height} × {width}" + (", proposed: theirs differ" if about["sizes_differ"] else "")
    own = f"{about['validation']:,} of its own" if about["validation"] else "held out of the training pictures"
    facts = [
        ("classes", f"{len(names)}: {', '.join(map(printable, names[:_MOST_NAMED]))}{more}"),
        ("pictures", f"{about['training']:,} for training, {about['test']:,} for testing"),
        ("validation", own),
        ("size", f"{size}; {'1 channel (grey)' if channels == 1 else f'{channels} channels'}"),
    ]
    for file in about["files"]:
        facts.append(("download", f"{file['name']}, {in_bytes(file['size'])}, {file['checksum']}"))
        facts += [("", url) for url in file["urls"]]
    if about["folder"]:
        facts += [("here", _here(about)), ("by hand", _by_hand(about))]
    if about["needs"]:
        facts.append(("needs", f"pip install 'plcnn[{about['needs']}]'"))
    if about["page"]:
        facts.append(("page", about["page"]))
    return facts


def _here(about: dict[str, Any]) -> str:
    there = about["present"]
    if there:
        what = "there" if there["unpacked"] else "the archive is there, and unpacked when it is needed"
        return f"{what}: {printable(there['path'])}, {in_bytes(there['bytes'])}"
    return f"not in {printable(about['root'])}; it is downloaded when it is needed"


def _by_hand(about: dict[str, Any]) -> str:
    root, folder = printable(about["root"]), about["folder"]
    names = " and ".join(file["name"] for file in about["files"])
    if len(about["files"]) > 1:
        return f"put {names} into {root}/{folder}, or name their folder by --data.root"
    return f"put {names} into {root}, or the folder unpacked from it to {root}/{folder}; or name either by --data.root"


def _wrapped(key: str, text: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=f"{key:<15}",
        subsequent_indent=" " * 15,
        break_long_words=False,
        break_on_hyphens=False,
    )
