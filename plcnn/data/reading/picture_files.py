"""Pictures that lie as files: a store that reads nothing by itself, and the list of a folder with a folder a class."""

from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from plcnn.data.class_names import composed, in_order
from plcnn.data.reading.pictures import in_folder, is_called_a_picture, is_hidden

_MOST_LOOKED_AT = 1000  # entries of a folder that is only guessed to hold pictures


class PictureFiles:
    """Files of pictures of any size, read when they are asked for: an `Unfitted` store.

    Args:
        paths: the files.
        root: folder whose part of the paths is left out of the names.
    """

    def __init__(self, paths: Iterable[Path], root: Path) -> None:
        self.root = root
        below = (path.relative_to(root) if path.is_relative_to(root) else path for path in paths)
        self._names = [path.as_posix() for path in below]

    def __len__(self) -> int:
        return len(self._names)

    def picture(self, index: int) -> Path:
        """The file of one picture."""
        return self.root / self._names[index]

    def name(self, index: int) -> str:
        """What a picture is called: its path below the root, with `/` and composed accents on every system."""
        return composed(self._names[index])

    def names(self) -> list[str]:
        """What all pictures are called."""
        return [composed(name) for name in self._names]


def class_folders(
    root: Path, on_error: Callable[[OSError], object] | None = None
) -> tuple[tuple[str, ...], list[Path], Tensor]:
    """List the pictures of a folder that holds a folder a class.

    Args:
        root: the folder. Its folders are the classes, sorted by name as `in_order` does, empty ones too; pictures may
            lie deeper in them. What is hidden is left out, and so are files beside the folders.
        on_error: what is told of folders that cannot be looked into; they are passed over.

    Returns:
        The names of the classes; the files, class by class, sorted by path within each; their labels, int64 (files,).
    """
    found = {path.name: path for path in root.iterdir() if path.is_dir() and not is_hidden(Path(path.name))}
    classes = tuple(in_order(found))
    listed = [in_folder(found[name], on_error) for name in classes]
    labels = [torch.full((len(below),), label) for label, below in enumerate(listed)]
    files = [file for below in listed for file in below]
    return classes, files, torch.cat(labels or [torch.empty(0, dtype=torch.int64)])


def holds_class_folders(root: Path) -> bool:
    """Whether a folder looks like one with a folder a class: two of its folders, or of `train`'s, have a picture."""
    folders = [path for path in _folders(root) if any(is_called_a_picture(file.name) for file in _entries(path))]
    return len(folders) > 1 or any(path.name == "train" and holds_class_folders(path) for path in _folders(root))


def _folders(path: Path) -> list[Path]:
    return [one for one in _entries(path) if one.is_dir() and not is_hidden(Path(one.name))]


def _entries(path: Path) -> list[Path]:
    try:
        return list(islice(path.iterdir(), _MOST_LOOKED_AT))
    except OSError:  # it may not be looked at
        return []
