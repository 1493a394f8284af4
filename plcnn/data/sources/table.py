"""Pictures of one's own: a table of files and classes, as CSV, TSV or Parquet."""

import os
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import torch

from plcnn.data.class_names import Classes, class_places, composed, listed
from plcnn.data.complaints import Complaint, refuse
from plcnn.data.own.roles import NAMES, role_of
from plcnn.data.own.root import own_root
from plcnn.data.own.source import OwnSource
from plcnn.data.reading.picture_files import PictureFiles
from plcnn.data.reading.tables import SUFFIXES, column_names, read_columns
from plcnn.data.sources import PictureSet, sources
from plcnn.errors import UserError
from plcnn.paths import expanded
from plcnn.suggestions import did_you_mean
from plcnn.terminal import printable

COLUMNS = {
    "path": ("path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path", "picture"),
    "label": ("label", "class", "target", "class_name", "category"),
    "split": ("split", "set", "subset"),
    "group": ("group",),
}
"""The names under which each column is found by itself, the first one there is; capitals do not matter."""

REQUIRED = ("path", "label")

MOST_SHOWN = 3
"""Rows or files of each fault that a message names."""


class _Row(NamedTuple):
    """A picture: its file as the table has it, class, part and group."""

    path: str
    label: str
    role: str
    group: str


_ANOTHER = "--data.source.folder names another"


@sources.register(name="table")
class TableOfPictures(OwnSource):
    """Your own pictures in a table: a row for each, with its file and its class.

    Classes are sorted by name, numbers in the names by value; labels that are whole numbers are names, too: "0", "1".
    Where there is a column for it, each row says whether its picture is for train, val (valid, validation) or test.

    Args:
        root: the table: a file ending in .csv, .tsv or .parquet.
        path: the column of the files; by default path, file, filename, image or the like.
        label: the column of the classes; by default label, class, target or the like.
        split: the column that says which part a picture belongs to; by default split, set or subset, if there is one.
        group: the column of what stays together when a set is split; by default group, if there is one.
        folder: where the files are found; by default the table's own folder.
        class_names: the classes in order; labels that are whole numbers are then their places, from 0.
    """

    def __init__(
        self,
        root: str = "data",
        path: str | None = None,
        label: str | None = None,
        split: str | None = None,
        group: str | None = None,
        folder: str | None = None,
        class_names: list[str] | None = None,
    ) -> None:
        self._typed, self._folder_typed, self._class_names = root, folder, class_names
        self._asked = {"path": path, "label": label, "split": split, "group": group}

    @cached_property
    def _file(self) -> Path:
        file = own_root(self._typed, "a table, as .csv, .tsv or .parquet", "file")
        if file.suffix.lower() not in SUFFIXES:
            raise UserError(f"--data.root {printable(file)} is no table: expected {', '.join(SUFFIXES)}.", exit_code=2)
        return file

    @cached_property
    def _folder(self) -> Path:
        folder = self._file.parent if self._folder_typed is None else expanded(self._folder_typed)
        if not folder.is_dir():
            raise UserError(f"--data.source.folder {printable(folder)}: there is no such folder.", exit_code=2)
        return folder

    @cached_property
    def _checked(self) -> tuple[dict[str, list[_Row]], list[Complaint]]:
        """The pictures by part, and what is wrong with the others: read when they are first needed, for `predict`."""
        columns = _found(self._file, self._asked)
        table = read_columns(self._file, list(columns.values()))
        values = {key: table.columns[name] for key, name in columns.items()}
        rows, complaints = _checked(self._file, values, table.rows, self._folder)
        if not rows["train"]:
            refuse(complaints)
            raise UserError(f"{printable(self._file)} has no pictures to train on ({' or '.join(NAMES['train'])}).")
        return rows, complaints

    @property
    def _rows(self) -> dict[str, list[_Row]]:
        return self._checked[0]

    @cached_property
    def _classes(self) -> Classes:
        """The classes, and the place of each label of the table among them."""
        trained, *others = ((row.label for row in self._rows[role]) for role in NAMES)
        named, shown = self._class_names, printable(self._file)
        return class_places(trained, chain(*others), named, shown, "--data.source.class_names")

    @property
    def complaints(self) -> list[Complaint]:
        """Rows that cannot be used, and what is wrong with the classes of the others."""
        return [*self._checked[1], *self._classes.complaints]

    @property
    def _roles(self) -> list[str]:
        return [role for role, rows in self._rows.items() if rows]

    def _set(self, role: str) -> PictureSet:
        rows = self._rows[role]
        labels = torch.tensor([self._classes.places[row.label] for row in rows], dtype=torch.int64)
        groups = [row.group for row in rows] if any(row.group for row in rows) else None
        return PictureSet(self._files(role), labels, None, groups)

    def _files(self, role: str) -> PictureFiles:
        return PictureFiles([self._folder / row.path for row in self._rows[role]], self._folder)


def _found(file: Path, asked: dict[str, str | None]) -> dict[str, str]:
    """The name of each column that is to be read, by what it is for.

    Raises:
        UserError: if one that was asked for or that is needed is not there.
    """
    there = column_names(file)
    columns: dict[str, str] = {}
    for key, typed in asked.items():
        if typed is not None and typed not in there:
            hint = did_you_mean(typed, there)
            raise UserError(f"--data.source.{key} {typed}: {printable(file)} has no such column. {hint}", exit_code=2)
        by_name = {name.lower(): name for name in reversed(there)}
        name = typed or next((by_name[usual] for usual in COLUMNS[key] if usual in by_name), None)
        if name:
            columns[key] = name
        elif key in REQUIRED:
            raise UserError(
                f"{printable(file)}: which column has the {key}? It has {listed(there)}: --data.source.{key} COLUMN",
                exit_code=2,
            )
    return columns


def _checked(
    file: Path, values: dict[str, list[str]], numbers: Sequence[int], folder: Path
) -> tuple[dict[str, list[_Row]], list[Complaint]]:
    """The rows by part, each picture once; and the complaint of those that cannot be used.

    It names all kinds of faults, with the first of each.
    """
    faults: dict[str, list[str]] = defaultdict(list)
    rows: dict[str, tuple[_Row, int]] = {}
    for place, number in enumerate(numbers):
        row = {key: column[place] for key, column in values.items()}
        if missing := [key for key, value in row.items() if not value]:
            faults[f"without a {' and a '.join(missing)}"].append(f"row {number}")
            continue
        role = role_of(row.get("split", "train"))
        path = os.path.normpath(row["path"])
        path = os.path.relpath(path, folder) if os.path.isabs(path) else path
        if role is None:
            faults["for another part than train, val or test"].append(f"row {number}: {row['split']}")
        elif path.split(os.sep)[0] == os.pardir:
            faults[f"outside {folder}/ ({_ANOTHER})"].append(f"row {number}: {path}")
        elif not os.path.exists(folder / path):
            faults[f"whose files are not in {folder}/ ({_ANOTHER})"].append(f"row {number}: {path}")
        else:
            new = _Row(path, composed(row["label"]), role, row.get("group", ""))
            known, before = rows.setdefault(path, (new, number))
            if known != new:
                faults["that say something else of a file than a row before"].append(f"rows {before}, {number}: {path}")
    complaints = []
    if faults:
        count = sum(map(len, faults.values()))
        each = [f"{len(of):,} {kind}: {listed(of, MOST_SHOWN)}" for kind, of in faults.items()]
        sentence = f"{file}: {count:,} of {len(numbers):,} rows cannot be used. {'; '.join(each)}."
        complaints = [Complaint("unusable_rows", count, printable(sentence), "Mend them, or take them out.")]
    return {role: [row for row, _ in rows.values() if row.role == role] for role in NAMES}, complaints
