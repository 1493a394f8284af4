"""EMNIST: up to 814,255 grey pictures of handwritten letters and digits, of 28x28 pixels, in the idx format.

Cohen, Afshar, Tapson and van Schaik, arXiv:1702.05373. Its official files hold the pictures with rows and columns
exchanged, and here they stand upright. The folder is that which torchvision makes, so its copies serve, too.
"""

import string
from typing import Literal

from torch import Tensor

from plcnn.data.facts import Facts
from plcnn.data.published.archived_tree import ArchivedTree, OfTree
from plcnn.data.published.checksums import Checksum
from plcnn.data.published.home import Home
from plcnn.data.published.idx import compressed, standing, to_tensors
from plcnn.data.published.official import OfficialFile
from plcnn.data.published.unpack import Tree
from plcnn.data.sources import sources
from plcnn.errors import wrong_value

Split = Literal["balanced", "byclass", "bymerge", "letters", "digits", "mnist"]

_MERGED = (*string.digits, *string.ascii_uppercase, *"abdefghnqrt")  # other small letters look like their capitals
SPLITS: dict[str, tuple[tuple[str, ...], int, int]] = {
    "balanced": (_MERGED, 112_800, 18_800),
    "byclass": ((*string.digits, *string.ascii_uppercase, *string.ascii_lowercase), 697_932, 116_323),
    "bymerge": (_MERGED, 697_932, 116_323),
    "letters": (tuple(string.ascii_lowercase), 124_800, 20_800),
    "digits": (tuple(string.digits), 240_000, 40_000),
    "mnist": (tuple(string.digits), 60_000, 10_000),
}
"""Of each split: the classes, and how many training and test pictures there are."""


@sources.register
class EMNIST(OfTree):
    """Grey pictures of handwritten letters and digits, in one of the official splits.

    Args:
        root: folder that holds EMNIST/raw or gzip.zip, or one of these two itself; where neither stands, the archive is
            downloaded to EMNIST/gzip.zip.
        verify: whether to refuse an archive whose checksum is not the official one.
        split: "byclass" tells capitals from small letters, 62 classes; "bymerge" only where they look different, 47;
            "balanced" is that with as many pictures of each; "letters" are 26 classes; "digits" and "mnist" are 10.

    Raises:
        UserError: there is no such split.
    """

    archive = OfficialFile(
        "gzip.zip",
        561753746,
        Checksum("MD5", "58c8d27c78d21e728a6bc7b3cc06412e"),
        ("https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip",),
    )
    contents = Tree(("emnist-*-idx?-ubyte.gz",), most_files=100, most_bytes=1_500_000_000, top="gzip")
    folder = "EMNIST/raw"

    image_shape = (1, 28, 28)

    def __init__(self, root: str = "data", verify: bool = True, split: Split = "balanced") -> None:
        if split not in SPLITS:
            raise wrong_value("split", split, ", ".join(SPLITS), next(iter(SPLITS)))
        self.classes, training, test = SPLITS[split]
        page = "https://www.nist.gov/itl/products-and-services/emnist-dataset"
        self.facts = Facts(training, test, page, folder=self.folder, files=(self.archive,))
        self._split = split
        names = (*self._names("train"), *self._names("test"))
        marks = [*names, *(compressed(name) for name in names)]
        home = Home(root, self.folder, marks, f"EMNIST/{self.archive.name}")
        self._tree = ArchivedTree(home, self.archive, self.contents, verify)

    def prepare(self) -> None:
        """Unpack or download the data unless they stand there already.

        Raises:
            UserError: as for any archive, or if a file is missing.
        """
        super().prepare()
        names = (*self._names("train"), *self._names("test"))
        self._tree.home.refuse_missing(standing(self._tree.folder, name) for name in names)

    def train(self) -> tuple[Tensor, Tensor]:
        """Read the training pictures, in the official order.

        Returns:
            Pictures (pictures, 1, 28, 28), uint8, upright, and labels (pictures,), int64.

        Raises:
            UserError: if a file is missing or not of the form that it should have.
        """
        return self._read("train")

    def test(self) -> tuple[Tensor, Tensor]:
        """Read the test pictures, in the form of `train`.

        Raises:
            UserError: if a file is missing or not of the form that it should have.
        """
        return self._read("test")

    def _names(self, part: str) -> tuple[str, str]:
        return tuple(f"emnist-{self._split}-{part}-{kind}-ubyte" for kind in ("images-idx3", "labels-idx1"))  # type: ignore[return-value]

    def _read(self, part: str) -> tuple[Tensor, Tensor]:
        names = [standing(self._tree.folder, name) for name in self._names(part)]
        lowest = 1 if self._split == "letters" else 0
        contents = self._tree.read(names)
        images, labels = to_tensors(contents, self._tree.folder, names, lowest, lowest + len(self.classes) - 1)
        return images.transpose(2, 3).contiguous(), labels
