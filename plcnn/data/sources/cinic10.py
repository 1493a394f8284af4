"""CINIC-10: CIFAR-10 enlarged by pictures from ImageNet, brought to 32x32 pixels.

Darlow, Crowley, Antoniou and Storkey, "CINIC-10 is not ImageNet or CIFAR-10", arXiv:1810.03505. A third of the pictures
of each part are CIFAR-10's, from both of its parts: a network trained on CIFAR-10 is not tested fairly on these.
"""

from plcnn.data.facts import Facts
from plcnn.data.published.archived_tree import ArchivedTree, OfTree
from plcnn.data.published.checksums import Checksum
from plcnn.data.published.home import Home
from plcnn.data.published.official import OfficialFile
from plcnn.data.published.unpack import Tree
from plcnn.data.sources import PictureSet, sources
from plcnn.data.sources.cifar import CIFAR10

_EACH = 90_000  # pictures of each part, 9,000 a class


@sources.register
class CINIC10(OfTree):
    """Colour pictures of CIFAR-10's ten classes, 27,000 of each, with a validation part of their own.

    Args:
        root: folder that holds CINIC-10 or CINIC-10.tar.gz, or one of these two itself; where neither stands, the
            archive is downloaded to it.
        verify: whether to refuse an archive whose checksum is not the official one, or folders that are not whole.
    """

    archive = OfficialFile(
        "CINIC-10.tar.gz",
        687544992,
        Checksum("MD5", "6ee4d0c996905fe93221de577967a372"),
        (
            "https://datashare.ed.ac.uk/bitstream/handle/10283/3192/CINIC-10.tar.gz",
            "https://datashare.ed.ac.uk/server/api/core/bitstreams/e8e186cc-2688-48f1-aa5a-3fda1a43f8b6/content",
        ),
    )
    contents = Tree(("train/*/*.png", "valid/*/*.png", "test/*/*.png"), most_files=300_000, most_bytes=2_000_000_000)
    folder = "CINIC-10"
    facts = Facts(_EACH, _EACH, "https://arxiv.org/abs/1810.03505", _EACH, folder=folder, files=(archive,))

    classes = CIFAR10.classes
    image_shape = (3, 32, 32)

    def __init__(self, root: str = "data", verify: bool = True) -> None:
        home = Home(root, self.folder, ("valid/airplane",), self.archive.name)
        self._tree = ArchivedTree(home, self.archive, self.contents, verify)

    def train(self) -> PictureSet:
        """List the training pictures, class by class.

        Raises:
            UserError: if the folder is missing or not whole.
        """
        return self._tree.pictures("train", self.classes, _EACH)

    def validation(self) -> PictureSet:
        """List the validation pictures, class by class.

        Raises:
            UserError: if the folder is missing or not whole.
        """
        return self._tree.pictures("valid", self.classes, _EACH)

    def test(self) -> PictureSet:
        """List the test pictures, class by class.

        Raises:
            UserError: if the folder is missing or not whole.
        """
        return self._tree.pictures("test", self.classes, _EACH)
