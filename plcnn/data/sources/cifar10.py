"""CIFAR-10: 60,000 colour pictures of 32x32 pixels in ten classes (https://www.cs.toronto.edu/~kriz/cifar.html).

Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009. The files are those of the "python version",
told by their checksums.
"""

import hashlib
import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from plcnn.data import safe_pickle
from plcnn.data.download import download
from plcnn.data.sources import sources
from plcnn.data.unpack import unpack
from plcnn.errors import UserError
from plcnn.paths import expanded
from plcnn.suggestions import near

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
ARCHIVE = "cifar-10-python.tar.gz"
ARCHIVE_BYTES = 170498071
ARCHIVE_SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"

FOLDER = "cifar-10-batches-py"
TRAIN_FILES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5")
TEST_FILES = ("test_batch",)
META_FILE = "batches.meta"
README = "readme.html"
MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
    META_FILE: "5ff9c542aee3614f3951f8cda6e48888",
}
LARGEST_BYTES = dict.fromkeys((*MD5, README), 40_000_000)  # a batch has 31 million

_log = logging.getLogger(__name__)


@sources.register
class CIFAR10:
    """The 50,000 training and 10,000 test pictures of CIFAR-10, in the official order.

    Args:
        root: folder that holds cifar-10-batches-py or cifar-10-python.tar.gz, or one of these two itself; where
            neither stands, the archive is downloaded to it.
        verify: whether to refuse files whose checksums are not the official ones.
    """

    classes = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    image_shape = (3, 32, 32)

    def __init__(self, root: str = "data", verify: bool = True) -> None:
        self._verify = verify
        self._official: dict[str, bool] = {}  # by name, of the files read so far
        path = expanded(root)
        home = path.parent if path.name in (FOLDER, ARCHIVE) else path
        self._archive = home / ARCHIVE
        self._folder = path if any(os.path.exists(path / name) for name in MD5) else home / FOLDER
        self._root = path

    @property
    def verified(self) -> bool:
        """Whether files were read and all of them have the official checksums."""
        return bool(self._official) and all(self._official.values())

    def prepare(self) -> None:
        """Unpack or download the data unless they stand there already.

        Raises:
            UserError: if a file is missing, cannot be had or written, or is not the official one.
        """
        if os.path.isfile(self._root) and self._root != self._archive:
            raise UserError(
                f"--data.root {self._root} is a file. Name the folder that holds {FOLDER} or {ARCHIVE}, or will."
            )
        if not os.path.exists(self._folder):  # Path.exists raises where it may not look
            if not os.path.exists(self._archive):
                self._refuse_misspelt_root()
                download(URL, self._archive, size=ARCHIVE_BYTES, sha256=ARCHIVE_SHA256)
            elif self._verify:
                _check_archive(self._archive)
            unpack(self._archive, self._folder, LARGEST_BYTES, optional=README)
        if missing := [name for name in MD5 if not os.path.isfile(self._folder / name)]:
            raise UserError(
                f"{self._folder} lacks {', '.join(missing)}. Put them there, or delete the folder to have it"
                " unpacked or downloaded anew."
            )

    def _refuse_misspelt_root(self) -> None:
        """Refuse to make a folder whose name is nearly that of one which holds the data."""
        above = self._root.parent
        if os.path.exists(self._root) or not os.path.isdir(above):
            return
        nearby = near(self._root.name, os.listdir(above))
        held = [name for name in nearby if any(os.path.exists(above / name / one) for one in (FOLDER, ARCHIVE))]
        if held:
            raise UserError(
                f"--data.root {self._root}: there is no such folder. Did you mean {above / held[0]}?", exit_code=2
            )

    def train(self) -> tuple[Tensor, Tensor]:
        """Read data_batch_1 to data_batch_5.

        Returns:
            Pictures (50000, 3, 32, 32), uint8, and labels (50000,), int64.

        Raises:
            UserError: if a file is missing, not the official one, or not of CIFAR-10's form.
        """
        return self._read(TRAIN_FILES)

    def test(self) -> tuple[Tensor, Tensor]:
        """Read test_batch.

        Returns:
            Pictures (10000, 3, 32, 32), uint8, and labels (10000,), int64.

        Raises:
            UserError: if a file is missing, not the official one, or not of CIFAR-10's form.
        """
        return self._read(TEST_FILES)

    def _read(self, names: tuple[str, ...]) -> tuple[Tensor, Tensor]:
        known = set(self._official)
        meta, *batches = (self._load(name) for name in (META_FILE, *names))
        if meta.get("label_names") != list(self.classes):
            raise UserError(f"{self._folder / META_FILE} does not list CIFAR-10's classes: {', '.join(self.classes)}.")
        for name, batch in zip(names, batches, strict=True):
            _check_form(batch, self._folder / name)
        if others := [name for name, official in self._official.items() if not official and name not in known]:
            _log.warning("%s: not the official files, by their checksums: %s", self._folder, ", ".join(others))
        pixels = np.concatenate([batch["data"] for batch in batches])
        labels = [label for batch in batches for label in batch["labels"]]
        return torch.from_numpy(np.ascontiguousarray(pixels)).view(-1, *self.image_shape), torch.tensor(labels)

    def _load(self, name: str) -> dict[str, Any]:
        """Read one file, compare its checksum and unpickle it."""
        path = self._folder / name
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UserError(
                f"cannot read {path}: {error.strerror}. --data.root names the folder that holds {FOLDER}."
            ) from error
        found = hashlib.md5(data, usedforsecurity=False).hexdigest()
        self._official[name] = found == MD5[name]
        if self._verify and not self._official[name]:
            raise UserError(
                f"{path} is not the official file: MD5 {found}, expected {MD5[name]}. Replace it;"
                " --data.verify false reads it anyway."
            )
        content = safe_pickle.loads(data, path)
        if not isinstance(content, dict):
            raise UserError(f"{path} holds a {type(content).__name__} instead of CIFAR-10's dictionary.")
        return content


def _check_archive(archive: Path) -> None:
    try:
        with open(archive, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        size = archive.stat().st_size
    except OSError as error:
        raise UserError(f"cannot read {archive}: {error.strerror}.") from error
    if found != ARCHIVE_SHA256:
        raise UserError(
            f"{archive} is not the official archive: {size} bytes, SHA-256 {found}; expected {ARCHIVE_BYTES} bytes,"
            f" {ARCHIVE_SHA256}.\nDelete it to download it anew; --data.verify false reads it anyway."
        )


def _check_form(batch: dict[str, Any], path: Path) -> None:
    """Refuse a batch that is not n rows of 3072 pixels (red, green, blue planes) with n labels from 0 to 9."""
    pixels, labels = batch.get("data"), batch.get("labels")
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[1:] != (3072,) or not len(pixels):
        form = f"{pixels.dtype} {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
        raise UserError(f"{path} is no CIFAR-10 batch: its data are {form} instead of uint8 (pictures, 3072).")
    if not isinstance(labels, list) or len(labels) != len(pixels):
        form = f"{len(labels)} labels" if isinstance(labels, list) else f"labels of type {type(labels).__name__}"
        raise UserError(f"{path} is no CIFAR-10 batch: {form} for {len(pixels)} pictures.")
    for place, label in enumerate(labels):
        if type(label) is not int or not 0 <= label < len(CIFAR10.classes):
            raise UserError(f"{path} is no CIFAR-10 batch: label {place} (from 0) is no integer from 0 to 9.")
