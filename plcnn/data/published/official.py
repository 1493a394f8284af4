"""A file as its makers publish it: where it is had, and whether a file on this machine is the same."""

from pathlib import Path
from typing import NamedTuple

from plcnn.data.published.checksums import Checksum
from plcnn.data.published.download import download
from plcnn.errors import UserError


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
