"""Pictures of one's own: a folder with a folder for each class, split into train, val and test or not."""

import logging
from collections.abc import Collection, Iterable, Iterator
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from plcnn.data.class_names import Classes, complaints_about, composed, listed
from plcnn.data.complaints import Complaint
from plcnn.data.own.roles import NAMES, role_of
from plcnn.data.own.root import own_root
from plcnn.data.own.source import OwnSource
from plcnn.data.reading.picture_files import PictureFiles, class_folders
from plcnn.data.reading.pictures import in_folder, is_called_a_picture, is_hidden
from plcnn.data.sources import PictureSet, sources
from plcnn.errors import UserError
from plcnn.files import reason
from plcnn.terminal import printable

_WANTED = "the folder that holds a folder of pictures for each class"

_log = logging.getLogger(__name__)


class _Listed(NamedTuple):
    """The pictures of one part.

    Attributes:
        folder: its folder.
        classes: the names of the class folders.
        files: the pictures.
        labels: their classes' places, int64 (files,).
        closed: why folders could not be looked into.
    """

    folder: Path
    classes: tuple[str, ...]
    files: list[Path]
    labels: Tensor
    closed: list[OSError]


@sources.register
class Folder(OwnSource):
    """Your own pictures: a folder with a folder for each class, or such folders for train, val and test.

    A class is called like its folder; classes are sorted by name, numbers in the names by value. Pictures may lie in
    further folders below. Left out is what is hidden and what has no suffix of a picture.

    Args:
        root: the folder. Among its folders, `train` may also be called `training`; `val`: `valid`, `validation` or
            `dev`; `test`: `testing`.
    """

    def __init__(self, root: str = "data") -> None:
        self._typed = root

    @cached_property
    def _root(self) -> Path:
        return own_root(self._typed, _WANTED, "folder")

    @cached_property
    def _parts(self) -> dict[str, _Listed]:
        """What the folder holds, by part: read when it is first needed, for `predict` needs none of it."""
        return {role: _list(folder) for role, folder in _part_folders(self._root).items()}

    @cached_property
    def _classes(self) -> Classes:
        """The names of train's class folders, sorted; after them, for `plcnn check`, those of other parts alone."""
        train = self._parts["train"]
        ours = tuple(dict.fromkeys(train.classes))
        complaints = complaints_about(ours, printable(train.folder)) if ours else []
        for role, part in self._parts.items():
            complaints += [*_complaints(part), *_disagreement(self._root, role, ours, part.classes)]
        names = tuple(dict.fromkeys((*ours, *chain(*(part.classes for part in self._parts.values())))))
        return Classes(names, {name: place for place, name in enumerate(names)}, complaints)

    @property
    def _roles(self) -> Collection[str]:
        return self._parts

    def _set(self, role: str) -> PictureSet:
        part = self._parts[role]
        places = torch.tensor([self._classes.places[name] for name in part.classes], dtype=torch.int64)
        return PictureSet(PictureFiles(part.files, self._root), places[part.labels])


def _part_folders(root: Path) -> dict[str, Path]:
    """The folders of the parts that there are, "train" among them: the folder itself where it is not split."""
    folders = _folders(root)
    named: dict[str, Path] = {}
    for folder in folders:
        role = role_of(folder.name)
        if role and named.setdefault(role, folder) != folder:
            raise UserError(f"{printable(root)} has both {named[role].name}/ and {folder.name}/; leave one of them.", 2)
    if not named:
        return {"train": root}
    others = [folder for folder in folders if not role_of(folder.name) and in_folder(folder)]
    if not others and "train" in named:
        return named
    parts, classes = _slashed(named.values()), _slashed(others)
    if not others:
        raise UserError(f"{printable(root)} has {parts}, but no train/ ({' or '.join(NAMES['train'])}).", exit_code=2)
    if list(named) == ["train"] and not any(in_folder(folder) for folder in _folders(named["train"])):
        return {"train": root}  # a class of trains
    raise UserError(
        f"{printable(root)} has {parts} beside {classes}: parts of a data set, or classes? Move {classes} away or"
        f" into train/, or rename {parts}.",
        exit_code=2,
    )


def _folders(root: Path) -> list[Path]:
    try:
        return sorted(path for path in root.iterdir() if path.is_dir() and not is_hidden(Path(path.name)))
    except OSError as error:
        raise UserError(f"cannot read {printable(root)}: {error.strerror}.") from error


def _slashed(folders: Iterable[Path]) -> str:
    return listed(f"{folder.name}/" for folder in folders)


def _list(root: Path) -> _Listed:
    """The pictures in a folder's class folders.

    Raises:
        UserError: if they seem to lie a folder deeper.
    """
    shown = printable(root)
    found = _folders(root)
    if len(found) == 1 and (deeper := [folder for folder in _folders(found[0]) if in_folder(folder)]):
        raise UserError(
            f"{shown} has one folder alone, which holds {_slashed(deeper)}. Did you mean"
            f" --data.root {printable(found[0])}?",
            exit_code=2,
        )
    closed: list[OSError] = []
    names, files, labels = class_folders(root, closed.append)
    if loose := sorted(path.name for path in root.iterdir() if is_called_a_picture(path.name)):
        _log.warning("%s: left out, for they lie in no class folder: %s", shown, listed(loose))
    return _Listed(root, tuple(composed(name) for name in names), files, labels, closed)


def _complaints(part: _Listed) -> Iterator[Complaint]:
    """What is wrong with the class folders of one part."""
    shown, classes = printable(part.folder), part.classes
    if not classes:
        advice = "Make one for each class, with its pictures in it."
        yield Complaint("no_class_folders", 1, f"{shown} has no folders.", advice)
    if twice := [name for name in dict.fromkeys(classes) if classes.count(name) > 1]:
        sentence = f"{shown} has several folders that are called {listed(twice)}."
        yield Complaint("folders_of_one_name", len(twice), sentence, "Bring them together.", tuple(twice))
    closed = {composed(Path(str(error.filename)).relative_to(part.folder).parts[0]) for error in part.closed}
    if closed:
        named = listed(f"{error.filename}/ ({reason(error)})" for error in part.closed)
        sentence = f"{shown} has folders that cannot be looked into: {named}."
        yield Complaint("closed_folders", len(part.closed), sentence, "Allow reading them.", tuple(sorted(closed)))
    counts = part.labels.bincount(minlength=len(classes)).tolist()
    if empty := tuple(name for name, count in zip(classes, counts, strict=True) if not count and name not in closed):
        sentence = f"{shown}: no pictures in {listed(f'{name}/' for name in empty)}."
        advice = f"Put some there, or take the folder{'s' * (len(empty) > 1)} away."
        yield Complaint("empty_classes", len(empty), sentence, advice, empty)


def _disagreement(root: Path, role: str, ours: tuple[str, ...], theirs: tuple[str, ...]) -> Iterator[Complaint]:
    missing = [name for name in ours if name not in theirs]
    more = [name for name in theirs if name not in ours]
    if theirs and (missing or more):
        odd = [f"lacks {listed(missing)}"] * bool(missing) + [f"has also {listed(more)}"] * bool(more)
        sentence = f"{printable(root)}: the {role} folder's classes are not train's: it {', and '.join(odd)}."
        advice = "Give all parts the same class folders."
        yield Complaint("classes_of_parts", len(missing + more), sentence, advice, (*missing, *more))
