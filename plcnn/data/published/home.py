"""Where a data set lies below the folder that --data.root names, and how it gets there."""

import os
from collections.abc import Collection, Iterable
from pathlib import Path

from plcnn.data.published.official import OfficialFile
from plcnn.data.published.unpack import Files, Tree, came_from, unpack
from plcnn.data.reading.picture_files import holds_class_folders
from plcnn.errors import UserError
from plcnn.paths import expanded
from plcnn.suggestions import near


class Home:
    """The folder of one data set.

    Args:
        root: as typed: the folder that holds the data set's own one or its archive, or will; or one of these two.
        folder: path of the data set's own folder below the root, such as `cifar-10-batches-py` or `MNIST/raw`.
        marks: files or folders, any of which shows that a folder is the data set's own, whatever it is called.
        archive: path of the archive below the root that the folder comes in; empty if it does not. An archive of that
            name in the root itself serves, too.

    Attributes:
        folder: the data set's own folder, whether it exists or not.
        archive: the archive's path, likewise.
    """

    def __init__(self, root: str, folder: str, marks: Collection[str], archive: str = "") -> None:
        path = expanded(root)
        self._root = path
        name = Path(archive).name
        self._is_archive = bool(archive) and path.name == name
        home = _above(path, Path(archive if self._is_archive else folder).parts)
        home = path.parent if self._is_archive and home == path else home
        self.folder = path if any(os.path.exists(path / mark) for mark in marks) else home / folder
        self.archive = path if self._is_archive else home / archive
        if name and os.path.isfile(path / name):
            self.archive = path / name
        self.holds = f"{folder} or {name}" if archive else folder
        self._held = [one for one in (folder, archive) if one]

    def unpack(self, official: OfficialFile, contents: Files | Tree, verify: bool) -> None:
        """Unpack or download the archive, unless the folder stands there already.

        Args:
            official: the archive as it is published.
            contents: what it may hold.
            verify: whether to refuse another that lies there.

        Raises:
            UserError: if it cannot be had, is damaged or not the official one, or the folder cannot be written.
        """
        self._refuse_other_file()
        if os.path.exists(self.folder):  # Path.exists raises where it may not look
            return
        if not os.path.exists(self.archive):
            self._refuse_misspelt_root()
            official.fetch(self.archive.parent)
        elif verify:
            official.check(self.archive)
        # the files of a tree have no checksums, so the archive's is kept
        marked = isinstance(contents, Tree) and (verify or official.matches(self.archive))
        unpack(self.archive, self.folder, contents, str(official.checksum) if marked else "")

    def is_unpacked_from(self, official: OfficialFile) -> bool:
        """Whether the folder was unpacked here from the official archive."""
        return came_from(self.folder, str(official.checksum))

    def fetch(self, files: Iterable[OfficialFile]) -> None:
        """Download files to the folder, unless they stand there already.

        Raises:
            UserError: if one cannot be had or written.
        """
        self._refuse_other_file()
        for file in files:
            if not os.path.exists(self.folder / file.name):
                self._refuse_misspelt_root()
                file.fetch(self.folder)

    def refuse_missing(self, names: Iterable[str]) -> None:
        """Refuse a folder that lacks some of its files.

        Raises:
            UserError: naming them.
        """
        if missing := [name for name in names if not os.path.isfile(self.folder / name)]:
            raise UserError(
                f"{self.folder} lacks {', '.join(missing)}. Put them there, or delete the folder to have it"
                " unpacked or downloaded anew."
            )

    def _refuse_other_file(self) -> None:
        if os.path.isfile(self._root) and not self._is_archive:
            raise UserError(f"--data.root {self._root} is a file. Name the folder that holds {self.holds}, or will.")

    def _refuse_misspelt_root(self) -> None:
        """Refuse a folder of one's own pictures, and to make one whose name is nearly that of the data's."""
        above = self._root.parent
        if os.path.isdir(self._root) and holds_class_folders(self._root):
            raise UserError(
                f"--data.root {self._root} holds folders of pictures, but not {self.holds}. To train on these "
                "pictures, add --data.source folder.",
                exit_code=2,
            )
        if os.path.exists(self._root) or not os.path.isdir(above):
            return
        nearby = near(self._root.name, os.listdir(above))
        held = [name for name in nearby if any(os.path.exists(above / name / one) for one in self._held)]
        if held:
            raise UserError(
                f"--data.root {self._root}: there is no such folder. Did you mean {above / held[0]}?", exit_code=2
            )


def _above(path: Path, parts: tuple[str, ...]) -> Path:
    """The root of a path that names the data set's own folder, or one on the way to it; else the path itself."""
    for depth in range(len(parts), 0, -1):
        if path.parts[-depth:] == parts[:depth]:
            return path.parents[depth - 1]
    return path
