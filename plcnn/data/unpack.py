"""Unpack a .tar.gz that should hold one folder of known files, and nothing else, whoever made it."""

import gzip
import os
import shutil
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from plcnn.data.sole_writer import sole_writer
from plcnn.errors import UserError

_PADDING_BYTES = 1 << 20  # for the archive's own headers, more than a few files need


def unpack(archive: Path, folder: Path, largest_bytes: Mapping[str, int], optional: str) -> None:
    """Unpack an archive's one folder to `folder`, whole or not at all, unless something stands there already.

    Args:
        archive: a gzip-compressed tar file whose members are `folder.name` and files in it.
        folder: where the complete folder appears; processes that want the same folder take turns.
        largest_bytes: the names of the files, each with the most bytes it may have.
        optional: the one name that may be absent.

    Raises:
        UserError: if the archive is damaged or lacks a file, or holds a link, another name or a longer file; or if
            the folder cannot be written.
    """
    with sole_writer(folder) as part:
        if folder.exists():  # another process was faster
            return
        part.mkdir()
        try:
            with gzip.open(archive) as stream:
                capped = _Capped(stream, sum(largest_bytes.values()) + _PADDING_BYTES)
                with tarfile.open(fileobj=capped, mode="r|") as members:  # type: ignore[call-overload]
                    for member in members:
                        _extract(members, member, part, folder.name, largest_bytes)
                while capped.read(1 << 20):  # gzip compares its checksum at the end
                    pass
            if missing := [name for name in largest_bytes if name != optional and not (part / name).exists()]:
                raise _Refused(f"it lacks {', '.join(missing)}")
        except (_Refused, tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, ValueError) as error:
            raise UserError(f"{archive} is no whole {folder.name} archive: {error}. Delete or replace it.") from error
        part.rename(folder)


class _Refused(Exception):
    """What an archive holds that it should not, or lacks."""


class _Capped:
    """A stream that ends in an error after so many bytes, for tiny archives that swell."""

    def __init__(self, stream: BinaryIO | gzip.GzipFile, most_bytes: int) -> None:
        self._stream = stream
        self._left = most_bytes

    def read(self, count: int) -> bytes:
        data = self._stream.read(count)
        self._left -= len(data)
        if self._left < 0:
            raise _Refused("it unpacks to far more than it should")
        return data


def _extract(
    members: tarfile.TarFile, member: tarfile.TarInfo, part: Path, folder_name: str, largest_bytes: Mapping[str, int]
) -> None:
    if member.isdir() and member.name == folder_name:
        return
    parent, _, name = member.name.rpartition("/")
    if parent != folder_name or name not in largest_bytes:
        raise _Refused(f"it holds {member.name!r}, which does not belong there")
    if not member.isreg() or member.issparse():
        raise _Refused(f"{member.name} in it is no plain file")
    if member.size > largest_bytes[name]:
        raise _Refused(f"{member.name} in it has {member.size} bytes, at most {largest_bytes[name]} are right")
    source = members.extractfile(member)
    if source is None or (part / name).exists():
        raise _Refused(f"{member.name} is in it twice")
    with source, open(part / name, "xb") as target:
        shutil.copyfileobj(source, target)
        target.flush()
        os.fsync(target.fileno())
