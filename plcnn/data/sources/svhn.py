"""SVHN: house numbers from street pictures, cut to one digit each, 32x32 pixels, format 2 of the data set.

Netzer, Wang, Coates, Bissacco, Wu and Ng, "Reading Digits in Natural Images with Unsupervised Feature Learning", 2011
(http://ufldl.stanford.edu/housenumbers/). Digits beside the middle one are left in the pictures. The files are of
MATLAB's format, which needs SciPy.
"""

import io
from typing import Any

import numpy as np
import torch
from torch import Tensor

from plcnn.data.facts import Facts
from plcnn.data.published.checksums import Checksum
from plcnn.data.published.home import Home
from plcnn.data.published.official import OfficialFile
from plcnn.data.published.official_files import OfficialFiles, OfFiles
from plcnn.data.sources import sources
from plcnn.errors import UserError, first_line

PAGE = "http://ufldl.stanford.edu/housenumbers/"


def _file(name: str, size: int, md5: str) -> OfficialFile:
    return OfficialFile(name, size, Checksum("MD5", md5), (f"{PAGE}{name}",))


@sources.register
class SVHN(OfFiles):
    """Colour pictures of digits on houses; label i is digit i.

    Args:
        root: folder that holds SVHN, or will; or the folder of the .mat files itself.
        verify: whether to refuse files whose checksums are not the official ones.
        extra: whether to train on the 531,131 pictures of the easier extra part, too; 1.3 GB more.
    """

    folder = "SVHN"
    train_file = _file("train_32x32.mat", 182040794, "e26dedcc434d2e4c54c9b2d4a06d8373")
    test_file = _file("test_32x32.mat", 64275384, "eb5a983be6a315427106f1b164d9cef3")
    extra_file = _file("extra_32x32.mat", 1329278602, "a93ce644f1a588dc4d68dda5feec44a7")

    classes = tuple("0123456789")
    image_shape = (3, 32, 32)

    def __init__(self, root: str = "data", verify: bool = True, extra: bool = False) -> None:
        self._train_files = (self.train_file, self.extra_file) if extra else (self.train_file,)
        files = (*self._train_files, self.test_file)
        training = 73_257 + 531_131 * extra
        self.facts = Facts(training, 26_032, PAGE, folder=self.folder, files=files, needs="svhn")
        self._home = Home(root, self.folder, (self.train_file.name, self.test_file.name))
        checksums = {file.name: file.checksum for file in files}
        self._files = OfficialFiles(self._home, checksums, verify)

    def prepare(self) -> None:
        """Download the files that do not stand there.

        Raises:
            UserError: if one cannot be had or written, or SciPy is missing.
        """
        _scipy_io()  # missing is told before hundreds of megabytes are fetched
        self._home.fetch(self.facts.files)

    def train(self) -> tuple[Tensor, Tensor]:
        """Read the training pictures, in the official order, those of the extra part last.

        Returns:
            Pictures (pictures, 3, 32, 32), uint8, and labels (pictures,), int64.

        Raises:
            UserError: if a file is missing, not the official one, or not of the form that it should have.
        """
        return self._read(self._train_files)

    def test(self) -> tuple[Tensor, Tensor]:
        """Read the test pictures, in the form of `train`.

        Raises:
            UserError: as `train` does.
        """
        return self._read((self.test_file,))

    def _read(self, files: tuple[OfficialFile, ...]) -> tuple[Tensor, Tensor]:
        names = [file.name for file in files]
        parts = [self._arrays(data, name) for data, name in zip(self._files.read(names), names, strict=True)]
        if len(parts) == 1:
            return parts[0]  # cat would copy it
        images, labels = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
        return images, labels

    def _arrays(self, data: bytes, name: str) -> tuple[Tensor, Tensor]:
        """Pictures (n, 3, 32, 32) and labels (n,) of X (32, 32, 3, n) and y (n, 1) from 1 to 10, which is digit 0."""
        path = self._home.folder / name
        try:
            content = _scipy_io().loadmat(io.BytesIO(data), variable_names=("X", "y"))
        except UserError:
            raise
        except Exception as error:  # of a damaged file, SciPy may raise anything
            reason = first_line(error) or type(error).__name__
            raise UserError(f"{path} is no readable MATLAB file: {reason}. It may be cut off or damaged.") from error
        pixels, numbers = (np.asarray(content.get(key)) for key in ("X", "y"))
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[:3] != (32, 32, 3) or not pixels.shape[3]:
            raise UserError(f"{path}: X is {pixels.dtype} {pixels.shape} instead of uint8 (32, 32, 3, pictures).")
        if numbers.dtype.kind not in "ui" or numbers.size != pixels.shape[3]:
            raise UserError(f"{path}: y is {numbers.dtype} {numbers.shape} instead of {pixels.shape[3]} whole numbers.")
        if not 1 <= numbers.min() <= numbers.max() <= 10:
            raise UserError(f"{path}: y goes from {numbers.min()} to {numbers.max()} instead of 1 to 10.")
        images = np.ascontiguousarray(pixels.transpose(3, 2, 0, 1))
        return torch.from_numpy(images), torch.from_numpy(numbers.reshape(-1).astype(np.int64) % 10)


def _scipy_io() -> Any:
    try:
        import scipy.io
    except ImportError as error:
        raise UserError("svhn's files are MATLAB's, which SciPy reads: pip install 'plcnn[svhn]'.") from error
    return scipy.io
