"""Pictures of one's own: NumPy arrays, in a .npz file or a folder of .npy files."""

import math
from collections.abc import Collection, Iterable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from plcnn.data.class_names import Classes, class_places, composed, listed
from plcnn.data.kept.array_store import ArrayStore, Channels, are_last
from plcnn.data.own.roles import role_of
from plcnn.data.own.root import own_root
from plcnn.data.own.source import OwnSource
from plcnn.data.reading.array_files import MOST_BYTES, ArrayFile, open_archive, open_array
from plcnn.data.reading.pictures import why_unreadable
from plcnn.data.sources import PictureSet, sources
from plcnn.errors import UserError
from plcnn.terminal import printable

IMAGES, LABELS, CLASSES = ("images", "x"), ("labels", "y"), ("class_names", "classes")
"""What arrays are called, for a part with its name before or behind; capitals do not matter."""

_EXPECTED = "images and labels, or x and y, with train, val or test before or behind: train_images, x_test"


@sources.register(name="numpy")
class Arrays(OwnSource):
    """Your own pictures as NumPy arrays: a .npz file, or a folder of .npy files.

    Pictures are uint8, or floats from 0 to 1: (pictures, height, width), or with any number of channels, last or first.
    Labels are whole numbers or texts. Sorted, those of the training pictures are the classes, unless there is an array
    class_names: then labels are its texts, or places in it. Arrays are called images and labels, or x and y, with
    train, val or test before or behind it, as in train_images or x_test.

    Args:
        root: the .npz file, or the folder.
        channels: where the channels stand, if the shape does not tell.
    """

    proposes_shape = False

    def __init__(self, root: str = "data", channels: Channels = "auto") -> None:
        self._typed, self._channels = root, channels

    @cached_property
    def _path(self) -> Path:
        wanted = "a .npz file, or a folder of .npy files"
        path = own_root(self._typed, wanted, "")
        if not path.is_dir() and path.suffix.lower() != ".npz":
            raise UserError(f"--data.root {printable(path)} is neither: name {wanted}.", exit_code=2)
        return path

    @cached_property
    def _arrays(self) -> dict[str, ArrayFile]:
        """The arrays that there are, by name in small letters; not read yet."""
        try:
            if not self._path.is_dir():
                return {name.lower(): array for name, array in open_archive(self._path).items()}
            files = sorted(file for file in self._path.iterdir() if file.suffix.lower() == ".npy")
            return {file.stem.lower(): open_array(file) for file in files}
        except Exception as error:  # of a damaged file, NumPy may raise anything
            raise self._broken(error) from error

    @cached_property
    def _names(self) -> dict[str, tuple[str, str]]:
        """For each part, what its arrays of pictures and of labels are called."""
        images, labels = _by_role(self._arrays, IMAGES), _by_role(self._arrays, LABELS)
        if "train" not in images or images.keys() != labels.keys():
            there = listed(self._arrays) or "no arrays"
            raise UserError(f"{printable(self._path)} holds {there}; expected {_EXPECTED}.")
        return {role: (images[role], labels[role]) for role in images}

    @cached_property
    def _labels(self) -> dict[str, np.ndarray]:
        """The labels of each part as texts, (pictures,)."""
        found = {}
        for role, (images, labels) in self._names.items():
            values, count = self._read(labels), self._arrays[images].shape[:1]
            values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
            if values.dtype.kind not in "iuUS" or values.shape != count:
                raise UserError(
                    f"{printable(self._path)}: {labels} are {values.dtype} {values.shape}; expected a whole number or"
                    f" text for each of the {count[0] if count else 0:,} {images}."
                )
            texts = np.char.decode(values) if values.dtype.kind == "S" else values.astype(str)
            found[role] = np.array([composed(text.strip()) for text in texts.tolist()])
        return found

    @cached_property
    def _classes(self) -> Classes:
        """The classes, and the place of each label among them."""
        key = next((key for key in CLASSES if key in self._arrays), None)
        named = None if key is None else [composed(name) for name in self._read(key).astype(str).reshape(-1).tolist()]
        every = {role: np.unique(labels).tolist() for role, labels in self._labels.items()}
        others = [label for role, labels in every.items() if role != "train" for label in labels]
        return class_places(every["train"], others, named, printable(self._path), f"its array {key}")

    @cached_property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the training pictures."""
        return self._store("train").shape

    @property
    def _roles(self) -> Collection[str]:
        return self._names

    def _set(self, role: str) -> PictureSet:
        labels, inverse = np.unique(self._labels[role], return_inverse=True)
        places = torch.tensor([self._classes.places[label] for label in labels.tolist()])
        store = self._store(role)
        images = store if len(store) * math.prod(store.shape) > MOST_BYTES else store.in_memory()
        return PictureSet(images, places[torch.from_numpy(inverse)])

    def _store(self, role: str) -> ArrayStore:
        name = self._names[role][0]
        array, shown = self._arrays[name], f"{printable(self._path)}: {name}"
        try:
            last = are_last(array.shape, self._channels)
        except ValueError as error:
            raise UserError(f"{shown}: {error}.") from error
        if last is None:
            raise UserError(
                f"{shown} has the shape {array.shape}: are channels first or last? --data.source.channels last, say",
                exit_code=2,
            )
        return ArrayStore(array, last, shown)

    def _read(self, name: str) -> np.ndarray:
        try:
            return self._arrays[name].read()
        except Exception as error:  # of a damaged file, NumPy may raise anything
            raise self._broken(error) from error

    def _broken(self, error: Exception) -> UserError:
        return UserError(f"{printable(self._path)} cannot be read: {printable(why_unreadable(error))}.")


def _by_role(names: Iterable[str], kinds: Sequence[str]) -> dict[str, str]:
    """Of the names of arrays that are of a kind, the one for each part; those for training may say so or not."""
    found = {}
    for name in names:
        before, _, behind = name.partition("_")
        if name in kinds:
            found["train"] = name
        elif ((role := role_of(before)) and behind in kinds) or ((role := role_of(behind)) and before in kinds):
            found[role] = name
    return found
