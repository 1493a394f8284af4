"""MNIST and Fashion-MNIST: 70,000 grey pictures each, of 28x28 pixels, in the idx format.

MNIST: LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document Recognition", 1998.
Fashion-MNIST: Xiao, Rasul and Vollgraf, arXiv:1708.07747. The folders are those that torchvision makes, so its copies
serve, too.
"""

import string
from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from plcnn.data.facts import Facts
from plcnn.data.published.checksums import Checksum
from plcnn.data.published.home import Home
from plcnn.data.published.idx import standing, to_tensors
from plcnn.data.published.official import OfficialFile
from plcnn.data.published.official_files import OfficialFiles, OfFiles
from plcnn.data.sources import sources

TRAIN_NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
TEST_NAMES = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


class _Four(OfFiles):
    """A data set of four files that are downloaded one by one, and read compressed or not."""

    folder: ClassVar[str]
    files: ClassVar[tuple[OfficialFile, ...]]
    unpacked_md5: ClassVar[dict[str, str]]

    classes: tuple[str, ...]
    image_shape = (1, 28, 28)

    def __init__(self, root: str, verify: bool) -> None:
        checksums = {file.name: file.checksum for file in self.files}
        checksums |= {name: Checksum("MD5", digits) for name, digits in self.unpacked_md5.items()}
        self._home = Home(root, self.folder, list(checksums))
        self._files = OfficialFiles(self._home, checksums, verify)

    def prepare(self) -> None:
        """Download the files that stand there neither compressed nor unpacked.

        Raises:
            UserError: if one cannot be had or written.
        """
        standing_there = [standing(self._home.folder, name) for name in self.unpacked_md5]
        self._home.fetch(file for file in self.files if file.name in standing_there)

    def train(self) -> tuple[Tensor, Tensor]:
        """Read the training pictures, in the official order.

        Returns:
            Pictures (60000, 1, 28, 28), uint8, and labels (60000,), int64.

        Raises:
            UserError: if a file is missing, not the official one, or not of the form that it should have.
        """
        return self._read(TRAIN_NAMES)

    def test(self) -> tuple[Tensor, Tensor]:
        """Read the test pictures, in the form of `train`.

        Raises:
            UserError: as `train` does.
        """
        return self._read(TEST_NAMES)

    def _read(self, wanted: tuple[str, str]) -> tuple[Tensor, Tensor]:
        folder = self._home.folder
        names = [standing(folder, name) for name in wanted]
        return to_tensors(self._files.read(names), folder, names, 0, len(self.classes) - 1)


def _files(sizes_and_md5: Mapping[str, tuple[int, str]], *folders: str) -> tuple[OfficialFile, ...]:
    """Files that lie in the same folders of the web."""
    return tuple(
        OfficialFile(name, size, Checksum("MD5", md5), tuple(folder + name for folder in folders))
        for name, (size, md5) in sizes_and_md5.items()
    )


@sources.register
class MNIST(_Four):
    """Grey pictures of handwritten digits, about 7,000 of each.

    Args:
        root: folder that holds MNIST/raw, or will; or the folder of the four files itself.
        verify: whether to refuse files whose checksums are not the official ones.
    """

    folder = "MNIST/raw"
    files = _files(
        {
            "train-images-idx3-ubyte.gz": (9912422, "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
            "train-labels-idx1-ubyte.gz": (28881, "d53e105ee54ea40749a09fcbcd1e9432"),
            "t10k-images-idx3-ubyte.gz": (1648877, "9fb629c4189551a2d022fa330f9573f3"),
            "t10k-labels-idx1-ubyte.gz": (4542, "ec29112dd5afa0611ce80d1b7f02629c"),
        },
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    )
    unpacked_md5: ClassVar = {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    }
    facts = Facts(60_000, 10_000, "http://yann.lecun.com/exdb/mnist/", folder=folder, files=files)

    classes = tuple(string.digits)

    def __init__(self, root: str = "data", verify: bool = True) -> None:
        super().__init__(root, verify)


@sources.register
class FashionMNIST(_Four):
    """Grey pictures of clothes, shoes and bags, 7,000 of each of ten classes.

    Args:
        root: folder that holds FashionMNIST/raw, or will; or the folder of the four files itself.
        verify: whether to refuse files whose checksums are not the official ones.
    """

    folder = "FashionMNIST/raw"
    files = _files(
        {
            "train-images-idx3-ubyte.gz": (26421880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
            "train-labels-idx1-ubyte.gz": (29515, "25c81989df183df01b3e8a0aad5dffbe"),
            "t10k-images-idx3-ubyte.gz": (4422102, "bef4ecab320f06d8554ea6380940ec79"),
            "t10k-labels-idx1-ubyte.gz": (5148, "bb300cfdad3c16e7a12a480ee83cd310"),
        },
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    )
    unpacked_md5: ClassVar = {
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    }
    facts = Facts(60_000, 10_000, "https://github.com/zalandoresearch/fashion-mnist", folder=folder, files=files)

    classes = (
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    )

    def __init__(self, root: str = "data", verify: bool = True) -> None:
        super().__init__(root, verify)
