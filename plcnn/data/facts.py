"""What is known of a data set before it is there."""

from typing import NamedTuple

from plcnn.data.published.official import OfficialFile


class Facts(NamedTuple):
    """What `plcnn datasets` says of a source that has an attribute `facts`, of its class or of itself.

    Attributes:
        training: number of training pictures.
        test: number of test pictures.
        page: address of the data set's page or paper.
        validation: number of validation pictures of its own.
        sizes_differ: whether its pictures are of several sizes, and its `image_shape` is a proposal.
        folder: path of its own folder below `--data.root`.
        files: what is downloaded.
        needs: the extra of plcnn that it needs, such as `svhn`.
    """

    training: int
    test: int
    page: str = ""
    validation: int = 0
    sizes_differ: bool = False
    folder: str = ""
    files: tuple[OfficialFile, ...] = ()
    needs: str = ""

    @property
    def download_bytes(self) -> int:
        """Size of all that is downloaded."""
        return sum(file.size for file in self.files)
