"""The files of a report, each whole or not at all."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from plcnn.errors import UserError
from plcnn.files import reason, written_aside
from plcnn.outputs import Outputs
from plcnn.predictions import name_classes

TOP = 3
"""Classes that are named for each picture."""


def write(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Write a report's files, the page last.

    Args:
        folder: made where it is missing; other files in it are left alone.
        files: their content by their names, in the order in which they are written.

    Raises:
        UserError: if the disk does not take them.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            with written_aside(folder / name) as aside:
                # names of files may hold bytes that are no text
                aside.write_bytes(content.encode(errors="backslashreplace") if isinstance(content, str) else content)
    except OSError as error:
        raise UserError(f"The report cannot be written to {folder}: {reason(error)}.") from error


def predictions_csv(outputs: Outputs, pictures: Sequence[str | int], shares: Tensor, classes: Sequence[str]) -> str:
    """A line for each picture: its name, or number among the source's, its class, and what the network says of it.

    Args:
        outputs: of the set.
        pictures: their names or numbers; what of a name is no UTF-8 is written as an escape.
        shares: their probabilities, (pictures, classes).
        classes: names.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    top = range(1, min(TOP, len(classes)) + 1)
    writer.writerow(["picture", "truth", "right", *(f"{word}_{n}" for n in top for word in ("class", "probability"))])
    named = name_classes(shares, classes, TOP)
    for picture, label, right, said in zip(
        pictures, outputs.labels.tolist(), outputs.right.tolist(), named, strict=True
    ):
        cells = [cell for name, share in said.top for cell in (name, f"{share:.6f}")]
        called = str(picture).encode("utf-8", "backslashreplace").decode()
        writer.writerow([called, classes[label], int(right), *cells])
    return text.getvalue()


def as_json(values: Any) -> str:
    """Values as JSON; what is no finite number is null."""
    return json.dumps(_plain(values), indent=1, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | None) else str(value)
