"""Data sets of a few files, each of which has a checksum: read, and told whether they are the official ones."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar

from plcnn.data.published.checksums import Checksum
from plcnn.data.published.home import Home
from plcnn.data.published.official import OfficialFile
from plcnn.data.published.unpack import Files
from plcnn.errors import UserError

_log = logging.getLogger(__name__)


class OfficialFiles:
    """Reads the files of a data set, and remembers whether they are the official ones.

    Args:
        home: where they lie.
        checksums: of the official files, by name.
        verify: whether to refuse others.
    """

    def __init__(self, home: Home, checksums: Mapping[str, Checksum], verify: bool) -> None:
        self._home, self._checksums, self._verify = home, checksums, verify
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
            _log.warning("%s: not the official files, by their checksums: %s", self._home.folder, ", ".join(others))

    def _read(self, name: str) -> bytes:
        path = self._home.folder / name
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UserError(
                f"cannot read {path}: {error.strerror}. --data.root names the folder that holds {self._home.holds}."
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


class OfArchivedFiles(OfFiles):
    """What sources share whose files come in one archive.

    Args:
        root: folder that holds the data set's own folder or archive, or will; or one of these two itself.
        verify: whether to refuse files whose checksums are not the official ones.
    """

    archive: ClassVar[OfficialFile]
    folder: ClassVar[str]
    md5: ClassVar[dict[str, str]]
    contents: ClassVar[Files]

    def __init__(self, root: str, verify: bool) -> None:
        self._verify, self._home = verify, Home(root, self.folder, self.md5, self.archive.name)
        checksums = {name: Checksum("MD5", digits) for name, digits in self.md5.items()}
        self._files = OfficialFiles(self._home, checksums, verify)

    def prepare(self) -> None:
        """Unpack or download the data unless they stand there already.

        Raises:
            UserError: if a file is missing, cannot be had or written, or is not the official one.
        """
        self._home.unpack(self.archive, self.contents, self._verify)
        self._home.refuse_missing(self.md5)
