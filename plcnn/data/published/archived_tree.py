"""A data set of many files that comes as one archive: only the archive has a checksum."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from plcnn.data.class_names import listed
from plcnn.data.published.home import Home
from plcnn.data.published.official import OfficialFile
from plcnn.data.published.unpack import Tree
from plcnn.data.reading.picture_files import PictureFiles, class_folders
from plcnn.data.sources import PictureSet
from plcnn.errors import UserError

_log = logging.getLogger(__name__)


class ArchivedTree:
    """The unpacked folder of such a data set.

    Args:
        home: where it is.
        archive: the official archive.
        contents: what the archive may hold.
        verify: whether to refuse another archive, or a folder with another number of pictures.
    """

    def __init__(self, home: Home, archive: OfficialFile, contents: Tree, verify: bool) -> None:
        self.home, self._archive, self._contents, self._verify = home, archive, contents, verify
        self._official: bool | None = None  # None until something is read

    @property
    def folder(self) -> Path:
        """The folder, whether it exists or not."""
        return self.home.folder

    @property
    def verified(self) -> bool:
        """Whether something was read, and plcnn unpacked the folder from the official archive."""
        return bool(self._official)

    def prepare(self) -> None:
        """Unpack or download the archive, unless the folder stands there already.

        Raises:
            UserError: if it cannot be had, is damaged or not the official one, or the folder cannot be written.
        """
        self.home.unpack(self._archive, self._contents, self._verify)

    def read(self, names: Iterable[str]) -> Iterator[bytes]:
        """Yield the contents of files in the folder.

        Raises:
            UserError: if one cannot be read.
        """
        self._see_whether_official()
        for name in names:
            try:
                yield (self.folder / name).read_bytes()
            except OSError as error:
                raise self._unreadable(self.folder / name, error) from error

    def pictures(self, part: str, class_names: Sequence[str], count: int) -> PictureSet:
        """List the pictures of a folder that holds a folder a class.

        Args:
            part: the folder below the data set's own.
            class_names: what the classes' folders are called, in the order of the labels.
            count: how many pictures there are.

        Raises:
            UserError: if the classes are others, or the number of pictures is another and was to be verified.
        """
        self._see_whether_official()
        folder = self.folder / part
        try:
            classes, paths, labels = class_folders(folder)
        except OSError as error:
            raise self._unreadable(folder, error) from error
        if list(classes) != list(class_names):
            missing = [name for name in class_names if name not in classes]
            others = [name for name in classes if name not in class_names]
            found = f"it lacks {listed(missing)}" if missing else f"it holds {listed(others)}, too"
            raise UserError(f"{folder} has not the classes that it should have: {found}.")
        self.check_count(folder, len(paths), count)
        return PictureSet(PictureFiles(paths, self.folder), labels)

    def check_count(self, folder: Path, found: int, count: int) -> None:
        """Refuse a folder with another number of pictures, if it is to be verified.

        Raises:
            UserError: naming the folder.
        """
        if found != count and (self._verify or not found):
            raise UserError(
                f"{folder} holds {found:,} pictures instead of {count:,}. Delete {self.folder} to have it unpacked or"
                " downloaded anew; --data.verify false reads it anyway."
            )

    def _see_whether_official(self) -> None:
        if self._official is None:
            self._official = self.home.is_unpacked_from(self._archive)
            if not self._official:
                _log.warning(
                    "%s: not known to be the official files: plcnn did not unpack them from the official archive",
                    self.folder,
                )

    def _unreadable(self, path: Path, error: OSError) -> UserError:
        return UserError(
            f"cannot read {path}: {error.strerror}. --data.root names the folder that holds {self.home.holds}."
        )


class OfTree:
    """What sources of such data sets share; they set `_tree` when they are built."""

    _tree: ArchivedTree

    @property
    def verified(self) -> bool:
        """Whether pictures were listed that plcnn unpacked from the official archive."""
        return self._tree.verified

    def prepare(self) -> None:
        """Unpack or download the data unless they stand there already.

        Raises:
            UserError: if the archive cannot be had, is damaged or not the official one, or no room is left.
        """
        self._tree.prepare()
