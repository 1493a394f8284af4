"""Unpack an archive that should hold one data set, and write nothing but that, whoever made it.

Of each archive it is known beforehand which files it may hold, and how large they are. Names that lead elsewhere,
links, devices, files that come twice, and archives that swell are refused; then nothing is left.
"""

import os
import shutil
from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from plcnn.data.published.members import DAMAGED, Member, Refused, members_of
from plcnn.data.sole_writer import sole_writer
from plcnn.errors import UserError

MARK = ".unpacked-from"
"""A file in an unpacked folder that holds the checksum of the official archive that it came from."""

_LONGEST_NAME = 255  # bytes; what file systems take


class Files(NamedTuple):
    """A few files of known names in one folder, and nothing else.

    Attributes:
        largest_bytes: the names of the files, each with the most bytes it may have.
        optional: the names that may be absent.
        left_out: the names that may be there, and are not unpacked.
    """

    largest_bytes: Mapping[str, int]
    optional: Collection[str] = ()
    left_out: Collection[str] = ()

    @property
    def most_bytes(self) -> int:
        """That the archive may unpack to."""
        return sum(self.largest_bytes.values())

    @property
    def most_files(self) -> int:
        """That the archive may hold."""
        return 2 * len(self.largest_bytes)  # one that is there twice is told as such

    def place(self, member: Member, folder_name: str) -> str | None:
        """Where a member belongs in the folder; None if it is not unpacked.

        Raises:
            Refused: if it does not belong in the archive.
        """
        if member.is_folder and member.name == folder_name:
            return None
        parent, _, name = member.name.rpartition("/")
        if parent != folder_name or name not in self.largest_bytes:
            raise Refused(f"it holds {member.name!r}, which does not belong there")
        _check(member, self.largest_bytes[name])
        return None if name in self.left_out else name

    def lacking(self, part: Path) -> list[str]:
        """What is not there."""
        needed = [name for name in self.largest_bytes if name not in self.optional and name not in self.left_out]
        return [name for name in needed if not (part / name).exists()]


class Tree(NamedTuple):
    """Many files in folders, told by patterns; others are left out.

    Attributes:
        patterns: paths below the folder, in which `*` stands for any part of one name, such as `train/*/*.png`. A file
            of each must be there. The archive may hold the folder itself, or what is in it.
        most_files: that the archive may hold.
        most_bytes: that the archive may unpack to.
        top: what the folder is called in the archive; by default as where it is unpacked.
    """

    patterns: tuple[str, ...]
    most_files: int
    most_bytes: int
    top: str = ""

    def place(self, member: Member, folder_name: str) -> str | None:
        """Where a member belongs in the folder; None if it is not unpacked.

        Raises:
            Refused: if its name leads elsewhere, or it is neither a plain file nor a folder.
        """
        parts = member.name.removeprefix("./").split("/")
        if "\\" in member.name or any(part in ("", "..") or len(os.fsencode(part)) > _LONGEST_NAME for part in parts):
            raise Refused(f"it holds {member.name[:100]!r}, which leads elsewhere")
        if member.is_folder:
            return None
        _check(member, self.most_bytes)
        parts = parts[1:] if parts[0] == (self.top or folder_name) else parts
        fits = any(_fits(parts, pattern.split("/")) for pattern in self.patterns)
        return "/".join(parts) if fits and not any(part.startswith(".") for part in parts) else None

    def lacking(self, part: Path) -> list[str]:
        """The patterns of which there is no file."""
        return [pattern for pattern in self.patterns if next(part.glob(pattern), None) is None]


def unpack(archive: Path, folder: Path, contents: Files | Tree, mark: str = "") -> None:
    """Unpack an archive's files to `folder`, whole or not at all, unless something stands there already.

    Args:
        archive: a .tar, .tar.gz or .zip; its content tells which.
        folder: where the complete folder appears; processes that want the same folder take turns.
        contents: what it may hold, and of that what is unpacked.
        mark: what to write to the folder's `MARK`.

    Raises:
        UserError: if the archive is damaged or lacks a file, or holds what it should not; or if the folder cannot be
            written.
    """
    with sole_writer(folder) as part:
        if folder.exists():  # another process was faster
            return
        part.mkdir()
        try:
            found = members_of(archive, contents.most_bytes, contents.most_files)
            for member in tqdm(found, desc=f"unpacking {archive.name}", unit=" files", leave=False, disable=None):
                place = contents.place(member, folder.name)
                if place is not None:
                    _write(member, part / place, synced=isinstance(contents, Files))
            if missing := contents.lacking(part):
                raise Refused(f"it lacks {', '.join(missing)}")
        except DAMAGED as error:
            reason = str(error) or type(error).__name__
            raise UserError(f"{archive} is no whole {folder.name} archive: {reason}. Delete or replace it.") from error
        if mark:
            (part / MARK).write_text(f"{mark}\n", encoding="utf-8")
        if isinstance(contents, Tree) and hasattr(os, "sync"):
            os.sync()  # one by one, many files would take hours
        part.rename(folder)


def came_from(folder: Path, mark: str) -> bool:
    """Whether a folder has been unpacked here from the archive whose mark this is."""
    try:
        return (folder / MARK).read_text(encoding="utf-8").strip() == mark
    except (OSError, UnicodeDecodeError):
        return False


def _check(member: Member, most_bytes: int) -> None:
    if not member.is_file:
        raise Refused(f"{member.name} in it is no plain file")
    if member.size > most_bytes:
        raise Refused(f"{member.name} in it has {member.size} bytes, at most {most_bytes} are right")


def _fits(parts: list[str], patterns: list[str]) -> bool:
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))


def _write(member: Member, path: Path, synced: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if member.content is None or os.path.lexists(path):
        raise Refused(f"{member.name} is in it twice")
    with open(path, "xb") as target:
        shutil.copyfileobj(member.content, target)
        if synced:
            target.flush()
            os.fsync(target.fileno())
