"""Checksums that files are told by, as their makers or those who copied them published them."""

import hashlib
from pathlib import Path
from typing import Any, Literal, NamedTuple

Algorithm = Literal["SHA-256", "MD5"]


class Checksum(NamedTuple):
    """What a file's checksum should be.

    MD5 tells damaged files and other versions; it does not keep out who makes a file for its checksum, so all that
    is read from a file is looked at as if it came from anybody.

    Attributes:
        algorithm: how it is computed.
        digits: lower-case hexadecimal digits.
    """

    algorithm: Algorithm
    digits: str

    def digest(self) -> Any:
        """A fresh hash object of `hashlib` for the algorithm."""
        return hashlib.sha256() if self.algorithm == "SHA-256" else hashlib.md5(usedforsecurity=False)

    def found(self, content: bytes | Path) -> str:
        """The digits of a file or its content.

        Raises:
            OSError: if the file cannot be read.
        """
        if isinstance(content, Path):
            with content.open("rb") as file:
                return str(hashlib.file_digest(file, self.digest).hexdigest())
        digest = self.digest()
        digest.update(content)
        return str(digest.hexdigest())

    def __str__(self) -> str:
        return f"{self.algorithm} {self.digits}"
