"""STL-10: photographs of ten classes, 96x96 pixels, few of them labelled (https://cs.stanford.edu/~acoates/stl10/).

Coates, Lee and Ng, "An Analysis of Single-Layer Networks in Unsupervised Feature Learning", 2011. The 100,000 pictures
without labels are not unpacked.
"""

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from plcnn.data.facts import Facts
from plcnn.data.published.checksums import Checksum
from plcnn.data.published.official import OfficialFile
from plcnn.data.published.official_files import OfArchivedFiles
from plcnn.data.published.unpack import Files
from plcnn.data.sources import sources
from plcnn.errors import UserError

_PICTURE_BYTES = 3 * 96 * 96


@sources.register
class STL10(OfArchivedFiles):
    """Colour pictures of animals and vehicles, 500 for training and 800 for testing of each of ten classes.

    Args:
        root: folder that holds stl10_binary or stl10_binary.tar.gz, or one of these two itself; where neither stands,
            the archive of 2.6 GB is downloaded to it.
        verify: whether to refuse files whose checksums are not the official ones.
    """

    archive = OfficialFile(
        "stl10_binary.tar.gz",
        2640397119,
        Checksum("MD5", "91f7769df0f17e558f3565bffb0c7dfb"),
        ("http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz",),
    )
    folder = "stl10_binary"
    md5: ClassVar = {
        "train_X.bin": "918c2871b30a85fa023e0c44e0bee87f",
        "train_y.bin": "5a34089d4802c674881badbb80307741",
        "test_X.bin": "7f263ba9f9e0b06b93213547f721ac82",
        "test_y.bin": "36f9794fa4beb8a2c72628de14fa638e",
    }
    contents = Files(
        {**dict.fromkeys(md5, 250_000_000), "unlabeled_X.bin": 3_000_000_000}
        | dict.fromkeys(("class_names.txt", "fold_indices.txt"), 1_000_000),
        optional=("class_names.txt", "fold_indices.txt"),
        left_out=("unlabeled_X.bin",),
    )
    facts = Facts(5_000, 8_000, "https://cs.stanford.edu/~acoates/stl10/", folder=folder, files=(archive,))

    classes = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")
    image_shape = (3, 96, 96)

    def __init__(self, root: str = "data", verify: bool = True) -> None:
        super().__init__(root, verify)

    def train(self) -> tuple[Tensor, Tensor]:
        """Read the labelled training pictures, in the official order.

        Returns:
            Pictures (5000, 3, 96, 96), uint8, and labels (5000,), int64.

        Raises:
            UserError: if a file is missing, not the official one, or not of the form that it should have.
        """
        return self._read("train")

    def test(self) -> tuple[Tensor, Tensor]:
        """Read the test pictures, in the form of `train`.

        Raises:
            UserError: as `train` does.
        """
        return self._read("test")

    def _read(self, part: str) -> tuple[Tensor, Tensor]:
        names = (f"{part}_X.bin", f"{part}_y.bin")
        pixels, numbers = (np.frombuffer(data, np.uint8) for data in self._files.read(names))
        count, rest = divmod(len(pixels), _PICTURE_BYTES)
        paths = [self._home.folder / name for name in names]
        if rest or not count:
            raise UserError(f"{paths[0]} has {len(pixels)} bytes; a picture has {_PICTURE_BYTES}.")
        if len(numbers) != count:
            raise UserError(f"{paths[1]} holds {len(numbers)} labels for {count} pictures.")
        if not 1 <= numbers.min() <= numbers.max() <= 10:
            raise UserError(f"{paths[1]} holds labels from {numbers.min()} to {numbers.max()}, not 1 to 10.")
        upright = pixels.reshape(count, 3, 96, 96).transpose(0, 1, 3, 2)  # the files hold column after column
        return torch.from_numpy(np.ascontiguousarray(upright)), torch.from_numpy(numbers.astype(np.int64) - 1)
