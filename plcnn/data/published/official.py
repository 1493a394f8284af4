"""Files as their makers publish them: where they are had, and whether a file on this machine is one of them."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from plcnn.data.published.checksums import Checksum
from plcnn.data.published.download import download
from plcnn.errors import UserError

_log = logging.getLogger(__name__)


class OfficialFile(NamedTuple):
    """One file that can be downloaded.

    Attributes:
        name: what it is called.
        size: in bytes.
        checksum: what it is told by.
        urls: its addresses, tried in order.
    """

    name: str
    size: int
    checksum: Checksum
    urls: tuple[str, ...]

    def fetch(self, folder: Path) -> None:
        """Download it to a folder, unless it stands there.

        Raises:
            UserError: if it cannot be had or written.
        """
        download(self.urls, folder / self.name, size=self.size, checksum=self.checksum)

    def matches(self, path: Path) -> bool:
        """Whether a file on this machine is this one.

        Raises:
            UserError: if it cannot be read.
        """
        return self._found(path) == self.checksum.digits

    def check(self, path: Path) -> None:
        """Refuse an archive that is not this one.

        Raises:
            UserError: if it is another, or cannot be read.
        """
        found = self._found(path)
        if found != self.checksum.digits:
            algorithm, expected = self.checksum
            raise UserError(
                f"{path} is not the official archive: {path.stat().st_size} bytes, {algorithm} {found};"
                f" expected {self.size} bytes, {expected}.\n"
                "Delete it to download it anew; --data.verify false reads it anyway."
            )

    def _found(self, path: Path) -> str:
        try:
            return self.checksum.found(path)
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror}.") from error


class OfficialFiles:
    """Reads the files of a data set, and remembers whether they are the official ones.

    Args:
        folder: where they lie.
        checksums: of the official files, by name.
        verify: whether to refuse others.
        home: what the root should hold, for messages.
    """

    def __init__(self, folder: Path, checksums: Mapping[str, Checksum], verify: bool, home: str) -> None:
        self._folder, self._checksums, self._verify, self._home = folder, checksums, verify, home
        self._official: dict[str, bool] = {}  # by name, of the files read so far

    @property
    def verified(self) -> bool:
        """Whether files were read and all of them have the official checksums."""
        return bool(self._official) and all(self._official.values())

    def read(self, names: Iterable[str]) -> Iterator[bytes]:
        """Yield the contents of files, and warn once of those that are not the official ones.

        Raises:
            UserError: if a file cannot be read, or is another and was to be verified.
        """
        known = set(self._official)
        for name in names:
            yield self._read(name)
        if others := [name for name, official in self._official.items() if not official and name not in known]:
            _log.warning("%s: not the official files, by their checksums: %s", self._folder, ", ".join(others))

    def _read(self, name: str) -> bytes:
        path = self._folder / name
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UserError(
                f"cannot read {path}: {error.strerror}. --data.root names the folder that holds {self._home}."
            ) from error
        algorithm, expected = self._checksums[name]
        found = self._checksums[name].found(data)
        self._official[name] = found == expected
        if self._verify and not self._official[name]:
            raise UserError(
                f"{path} is not the official file: {algorithm} {found}, expected {expected}. Replace it;"
                " --data.verify false reads it anyway."
            )
        return data


class OfFiles:
    """What sources share whose files all have a checksum; they set `_files` when they are built."""

    _files: OfficialFiles

    @property
    def verified(self) -> bool:
        """Whether files were read and all of them have the official checksums."""
        return self._files.verified
