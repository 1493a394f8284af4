"""split.json: which pictures a run trained on, validated with and held out for testing; made by a run, or by hand."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from plcnn.data.class_names import composed
from plcnn.errors import UserError
from plcnn.files import written_aside
from plcnn.hashes import tensor_hash
from plcnn.paths import expanded
from plcnn.suggestions import did_you_mean
from plcnn.terminal import printable

FILE = "split.json"
PARTS = ("train", "val", "test")


def write_split(
    folder: Path, source: str, rows: dict[str, Tensor], told: dict[str, Any], names: Sequence[str] | None
) -> None:
    """Write a run folder's split.json.

    Args:
        folder: the run folder.
        source: the source's name, for the record.
        rows: of each part that is made of the source's training pictures, their numbers. They are written as names
            where there are some, so that the file holds when pictures are added.
        told: what `pictures_told` tells of all training pictures.
        names: of all of them, where they have names.

    Raises:
        OSError: if the disk does not take it.
    """
    content: dict[str, Any] = {"source": source, **told}
    for part in PARTS:
        if part in rows:
            listed = rows[part].tolist()
            content[part] = listed if names is None else [names[row] for row in listed]
    with written_aside(folder / FILE) as aside:
        aside.write_text(json.dumps(content) + "\n")


def pictures_told(labels: Tensor, names: Sequence[str] | None) -> dict[str, Any]:
    """What tells a source's training pictures from others: their number, and hashes of labels and names."""
    return {"pictures": len(labels), "labels_sha256": tensor_hash(labels), "names_sha256": names_hash(names)}


def names_hash(names: Sequence[str] | None) -> str | None:
    """SHA-256 of names, each ended by a zero byte; None for none."""
    if names is None:
        return None
    digest = hashlib.sha256()
    for name in names:
        digest.update(name.encode("utf-8", "surrogateescape") + b"\0")
    return digest.hexdigest()


def read_split(path: str, labels: Tensor, names: Sequence[str] | None) -> dict[str, Tensor]:
    """Read a split, of a run or written by hand: lists of numbers (from 0) or of names, for "train", "val" and "test".

    Args:
        path: the file, or the run folder that it lies in.
        labels: int64, of the source's training pictures.
        names: of these, where they have names.

    Returns:
        int64 rows for "train" and "val", and "test" where the file has it, ascending.

    Raises:
        UserError: if it cannot be read, was made for other pictures, or a picture is unknown or in it twice.
    """
    key = f"--data.split_file {printable(path)}"
    file = expanded(path)
    file = file / FILE if file.is_dir() else file
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{key}: {error.strerror}.", exit_code=2) from error
    except ValueError as error:
        raise UserError(f"{key}: no JSON: {error}.", exit_code=2) from error
    if not isinstance(content, dict) or not isinstance(content.get("train"), list):
        raise UserError(f'{key}: expected {{"train": [...], "val": [...]}}, numbers or names of pictures.', exit_code=2)
    listed_by_name = all(isinstance(picture, str) for part in PARTS for picture in content.get(part) or ())
    for what, found in pictures_told(labels, names).items() if not listed_by_name else ():
        if content.get(what) not in (None, found):
            raise UserError(
                f'{key}: was made for other pictures: its "{what}" is {printable(content[what])}, the source\'s is '
                f'{found}. Make a new split, or take the key "{what}" out of the file to use it all the same.',
                exit_code=2,
            )
    numbers = {composed(name): number for number, name in enumerate(names or ())}
    taken: dict[int, str] = {}
    rows = {}
    for part in PARTS:
        listed = content.get(part, [])
        if not isinstance(listed, list):
            raise UserError(f"{key}: {part} must be a list of numbers or names of pictures.", exit_code=2)
        found_rows = [_row(key, part, picture, numbers, len(labels)) for picture in listed]
        for row in found_rows:
            if row in taken:
                raise UserError(f"{key}: picture {row} (from 0) is in {taken[row]} and in {part}.", exit_code=2)
            taken[row] = part
        if listed or part != "test":
            rows[part] = torch.tensor(sorted(found_rows), dtype=torch.int64)
    if not len(rows["train"]):
        raise UserError(f"{key}: train holds no pictures.", exit_code=2)
    return rows


def _row(key: str, part: str, picture: Any, numbers: dict[str, int], count: int) -> int:
    """A picture's number, of its number or name."""
    if type(picture) is int and 0 <= picture < count:
        return picture
    if isinstance(picture, str) and composed(picture) in numbers:
        return numbers[composed(picture)]
    if isinstance(picture, str):
        raise UserError(
            f"{key}: {part}: there is no picture {printable(picture)}. {did_you_mean(picture, numbers, '')}".rstrip(),
            exit_code=2,
        )
    raise UserError(f"{key}: {part}: expected numbers from 0 to {count - 1} or names, got {picture!r}.", exit_code=2)
