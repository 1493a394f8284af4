"""The members of a .tar, .tar.gz or .zip, one after another, whoever made it: none is larger than it says."""

import gzip
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO, NamedTuple

BYTES_A_MEMBER = 1 << 12
"""Of a tar file that are no content: headers, and what fills up blocks."""

_PADDING_BYTES = 1 << 20  # for headers with long names, and what may follow the end


class Refused(Exception):
    """What an archive holds that it should not, or lacks."""


DAMAGED = (
    *(Refused, tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, ValueError),
    *(NotImplementedError, RuntimeError),  # zip files of other kinds, and encrypted ones
)
"""What reading a damaged or hostile archive raises."""


class Member(NamedTuple):
    """A file or folder in an archive.

    Attributes:
        name: its path, as it is written there.
        is_folder: whether it is one.
        is_file: whether it is a plain file: no link, device or file with holes.
        size: in bytes.
        content: a file's content; read it before the next member is asked for.
    """

    name: str
    is_folder: bool
    is_file: bool
    size: int
    content: IO[bytes] | None


def members_of(archive: Path, most_bytes: int, most_members: int) -> Iterator[Member]:
    """Yield what an archive holds, in its order.

    Args:
        archive: the file; what it begins with tells its format.
        most_bytes: that all members together may have.
        most_members: that it may have.

    Raises:
        Refused: if it has more.
        Exception: one of `DAMAGED`, if it is damaged.
    """
    with archive.open("rb") as file:
        begin = file.read(4)
        file.seek(0)
        if begin[:2] == b"PK":
            found = _zip_members(file)
        else:
            stream = gzip.GzipFile(fileobj=file) if begin[:2] == b"\x1f\x8b" else file
            found = _tar_members(stream, most_bytes + most_members * BYTES_A_MEMBER)
        total = 0
        for number, member in enumerate(found, 1):
            total += member.size
            if number > most_members or total > most_bytes:
                raise Refused("it unpacks to far more than it should")
            yield member


def _tar_members(stream: BinaryIO | gzip.GzipFile, most_bytes: int) -> Iterator[Member]:
    capped = _Capped(stream, most_bytes + _PADDING_BYTES)
    with tarfile.open(fileobj=capped, mode="r|") as tar:  # type: ignore[call-overload]
        for info in tar:
            plain = info.isreg() and not info.issparse()
            yield Member(info.name, info.isdir(), plain, info.size, tar.extractfile(info) if plain else None)
            tar.members = []  # or it would keep all of them
    while capped.read(1 << 20):  # gzip compares its checksum at the end
        pass


def _zip_members(file: BinaryIO) -> Iterator[Member]:
    with zipfile.ZipFile(file) as whole:
        for info in whole.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            plain = not info.is_dir() and kind in (0, stat.S_IFREG)
            with whole.open(info) as content:  # it ends after the size that is written there, and compares a checksum
                yield Member(info.filename.rstrip("/"), info.is_dir(), plain, info.file_size, content)


class _Capped:
    """A stream that ends in an error after so many bytes, for tiny archives that swell."""

    def __init__(self, stream: BinaryIO | gzip.GzipFile, most_bytes: int) -> None:
        self._stream = stream
        self._left = most_bytes

    def read(self, count: int) -> bytes:
        data = self._stream.read(count)
        self._left -= len(data)
        if self._left < 0:
            raise Refused("it unpacks to far more than it should")
        return data
