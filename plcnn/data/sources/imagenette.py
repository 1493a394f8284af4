"""Imagenette: ten classes of ImageNet that are told apart easily (https://github.com/fastai/imagenette).

Pictures of many sizes. Its makers' validation pictures have labels that everybody measures with, so they are the test
pictures here; validation pictures are held out of the training pictures.
"""

from typing import Literal

from plcnn.data.facts import Facts
from plcnn.data.published.archived_tree import ArchivedTree, OfTree
from plcnn.data.published.checksums import Checksum
from plcnn.data.published.home import Home
from plcnn.data.published.official import OfficialFile
from plcnn.data.published.unpack import Tree
from plcnn.data.sources import PictureSet, sources
from plcnn.errors import wrong_value

TRAINING, TEST = 9_469, 3_925
CLASSES = {
    "n01440764": "tench",
    "n02102040": "English springer",
    "n02979186": "cassette player",
    "n03000684": "chain saw",
    "n03028079": "church",
    "n03394916": "French horn",
    "n03417042": "garbage truck",
    "n03425413": "gas pump",
    "n03445777": "golf ball",
    "n03888257": "parachute",
}
"""The names of the classes' folders, and of the classes."""


def _archive(name: str, size: int, md5: str) -> OfficialFile:
    return OfficialFile(name, size, Checksum("MD5", md5), (f"https://s3.amazonaws.com/fast-ai-imageclas/{name}",))


Size = Literal["160px", "320px", "full"]

ARCHIVES: dict[str, tuple[OfficialFile, int]] = {
    "160px": (_archive("imagenette2-160.tgz", 99003388, "e793b78cc4c9e9a4ccc0c1155377a412"), 160),
    "320px": (_archive("imagenette2-320.tgz", 341663724, "3df6f0d01a2c9592104656642f5e78a3"), 320),
    "full": (_archive("imagenette2.tgz", 1557161267, "fe2fc210e6bb7c5664d602c3cd71e612"), 320),
}
"""Of each size: the archive, and the height and width that are proposed for the pictures."""


@sources.register
class Imagenette(OfTree):
    """Photographs of ten classes of things, about 1,340 of each, in one of three sizes.

    Args:
        root: folder that holds the size's folder (imagenette2-160, imagenette2-320 or imagenette2) or archive, or one
            of these two itself; where neither stands, the archive is downloaded to it.
        verify: whether to refuse an archive whose checksum is not the official one, or folders that are not whole.
        size: of the pictures' shorter side; "full" are the originals.

    Raises:
        UserError: there is no such size.
    """

    classes = tuple(CLASSES.values())

    def __init__(self, root: str = "data", verify: bool = True, size: Size = "160px") -> None:
        if size not in ARCHIVES:
            raise wrong_value("size", size, ", ".join(ARCHIVES), next(iter(ARCHIVES)))
        archive, pixels = ARCHIVES[size]
        folder = archive.name.removesuffix(".tgz")
        self.image_shape = (3, pixels, pixels)
        page = "https://github.com/fastai/imagenette"
        self.facts = Facts(TRAINING, TEST, page, sizes_differ=True, folder=folder, files=(archive,))
        home = Home(root, folder, ("train/n03888257",), archive.name)
        contents = Tree(("train/*/*.JPEG", "val/*/*.JPEG"), most_files=20_000, most_bytes=3_000_000_000)
        self._tree = ArchivedTree(home, archive, contents, verify)

    def train(self) -> PictureSet:
        """List the training pictures, class by class.

        Raises:
            UserError: if the folder is missing or not whole.
        """
        return self._tree.pictures("train", tuple(CLASSES), TRAINING)

    def test(self) -> PictureSet:
        """List what its makers call validation pictures, class by class.

        Raises:
            UserError: if the folder is missing or not whole.
        """
        return self._tree.pictures("val", tuple(CLASSES), TEST)
