"""CIFAR-10 and CIFAR-100: 60,000 colour pictures each, of 32x32 pixels (https://www.cs.toronto.edu/~kriz/cifar.html).

Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009. The files are those of the "python version",
told by their checksums.
"""

from typing import Any, ClassVar, Literal, TypeGuard, get_args

import numpy as np
import torch
from torch import Tensor

from plcnn.data.class_names import listed
from plcnn.data.facts import Facts
from plcnn.data.published import safe_pickle
from plcnn.data.published.checksums import Checksum
from plcnn.data.published.official import OfficialFile
from plcnn.data.published.official_files import OfArchivedFiles
from plcnn.data.published.unpack import Files
from plcnn.data.sources import sources
from plcnn.errors import UserError, wrong_value

PAGE = "https://www.cs.toronto.edu/~kriz/cifar.html"
_MOST_NAMED = 20  # classes that fit into a message


class _Cifar(OfArchivedFiles):
    """What the two have in common; each names its files and the keys in them.

    Args:
        root: folder that holds the data set's own folder or archive, or will; or one of these two itself.
        verify: whether to refuse files whose checksums are not the official ones.
    """

    title: ClassVar[str]
    train_files: ClassVar[tuple[str, ...]]
    test_files: ClassVar[tuple[str, ...]]
    meta_file: ClassVar[str]

    classes: tuple[str, ...]
    image_shape = (3, 32, 32)
    in_random_order = True

    def __init__(self, root: str, verify: bool, labels_key: str, classes_key: str) -> None:
        super().__init__(root, verify)
        self._labels_key, self._classes_key = labels_key, classes_key

    def train(self) -> tuple[Tensor, Tensor]:
        """Read the training pictures, in the official order.

        Returns:
            Pictures (50000, 3, 32, 32), uint8, and labels (50000,), int64.

        Raises:
            UserError: if a file is missing, not the official one, or not of the form that it should have.
        """
        return self._read(self.train_files)

    def test(self) -> tuple[Tensor, Tensor]:
        """Read the test pictures, in the form of `train`.

        Raises:
            UserError: as `train` does.
        """
        return self._read(self.test_files)

    def _read(self, names: tuple[str, ...]) -> tuple[Tensor, Tensor]:
        names = (self.meta_file, *names)
        contents = zip(names, self._files.read(names), strict=True)
        meta, *batches = (self._content(data, name) for name, data in contents)
        if meta.get(self._classes_key) != list(self.classes):
            path, classes = self._home.folder / self.meta_file, listed(self.classes, _MOST_NAMED)
            raise UserError(f"{path} does not list {self.title}'s classes: {classes}.")
        for name, batch in zip(names[1:], batches, strict=True):
            self._check_form(batch, name)
        pixels = np.concatenate([batch["data"] for batch in batches])
        labels = [label for batch in batches for label in batch[self._labels_key]]
        return torch.from_numpy(np.ascontiguousarray(pixels)).view(-1, *self.image_shape), torch.tensor(labels)

    def _content(self, data: bytes, name: str) -> dict[str, Any]:
        path = self._home.folder / name
        content = safe_pickle.loads(data, path)
        if not isinstance(content, dict):
            raise UserError(f"{path} holds a {type(content).__name__} instead of {self.title}'s dictionary.")
        return content

    def _check_form(self, batch: dict[str, Any], name: str) -> None:
        """Refuse a batch that is not n rows of 3072 pixels (red, green, blue planes) with n labels."""
        pixels, labels = batch.get("data"), batch.get(self._labels_key)
        what = f"{self._home.folder / name} is no {self.title} batch:"
        if not _are_pixels(pixels):
            form = f"{pixels.dtype} {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
            raise UserError(f"{what} its data are {form} instead of uint8 (pictures, 3072).")
        if not isinstance(labels, list) or len(labels) != len(pixels):
            form = f"{len(labels)} labels" if isinstance(labels, list) else f"labels of type {type(labels).__name__}"
            raise UserError(f"{what} {form} for {len(pixels)} pictures.")
        last = len(self.classes) - 1
        for place, label in enumerate(labels):
            if type(label) is not int or not 0 <= label <= last:
                raise UserError(f"{what} label {place} (from 0) is no integer from 0 to {last}.")


def _are_pixels(data: object) -> TypeGuard[np.ndarray]:
    return isinstance(data, np.ndarray) and data.dtype == np.uint8 and data.shape[1:] == (3072,) and len(data) > 0


@sources.register
class CIFAR10(_Cifar):
    """Colour pictures of animals and vehicles, 6,000 of each of ten classes.

    Args:
        root: folder that holds cifar-10-batches-py or cifar-10-python.tar.gz, or one of these two itself; where
            neither stands, the archive is downloaded to it.
        verify: whether to refuse files whose checksums are not the official ones.
    """

    title = "CIFAR-10"
    archive = OfficialFile(
        "cifar-10-python.tar.gz",
        170498071,
        Checksum("SHA-256", "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"),
        ("https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",),
    )
    folder = "cifar-10-batches-py"
    train_files = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5")
    test_files = ("test_batch",)
    meta_file = "batches.meta"
    md5: ClassVar = {
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
        "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
    }
    contents = Files(dict.fromkeys((*md5, "readme.html"), 40_000_000), optional=("readme.html",))  # a batch: 31 million
    facts = Facts(50_000, 10_000, PAGE, folder=folder, files=(archive,))

    classes = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

    def __init__(self, root: str = "data", verify: bool = True) -> None:
        super().__init__(root, verify, "labels", "label_names")


FINE = (
    *("apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle", "bowl", "boy"),
    *("bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle", "chair", "chimpanzee", "clock"),
    *("cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur", "dolphin", "elephant", "flatfish"),
    *("forest", "fox", "girl", "hamster", "house", "kangaroo", "keyboard", "lamp", "lawn_mower", "leopard", "lion"),
    *("lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain", "mouse", "mushroom", "oak_tree", "orange"),
    *("orchid", "otter", "palm_tree", "pear", "pickup_truck", "pine_tree", "plain", "plate", "poppy", "porcupine"),
    *("possum", "rabbit", "raccoon", "ray", "road", "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk"),
    *("skyscraper", "snail", "snake", "spider", "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank"),
    *("telephone", "television", "tiger", "tractor", "train", "trout", "tulip", "turtle", "wardrobe", "whale"),
    *("willow_tree", "wolf", "woman", "worm"),
)
COARSE = (
    *("aquatic_mammals", "fish", "flowers", "food_containers", "fruit_and_vegetables", "household_electrical_devices"),
    *("household_furniture", "insects", "large_carnivores", "large_man-made_outdoor_things"),
    *("large_natural_outdoor_scenes", "large_omnivores_and_herbivores", "medium_mammals", "non-insect_invertebrates"),
    *("people", "reptiles", "small_mammals", "trees", "vehicles_1", "vehicles_2"),
)

Labels = Literal["fine", "coarse"]


@sources.register
class CIFAR100(_Cifar):
    """Colour pictures of animals, plants and things, 600 of each of 100 classes, which form 20 groups.

    Args:
        root: folder that holds cifar-100-python or cifar-100-python.tar.gz, or one of these two itself; where neither
            stands, the archive is downloaded to it.
        verify: whether to refuse files whose checksums are not the official ones.
        labels: "fine" for the 100 classes, "coarse" for the 20 groups.

    Raises:
        UserError: labels is neither.
    """

    title = "CIFAR-100"
    archive = OfficialFile(
        "cifar-100-python.tar.gz",
        169001437,
        Checksum("MD5", "eb9058c3a382ffc7106e4002c42a8d85"),
        ("https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",),
    )
    folder = "cifar-100-python"
    train_files = ("train",)
    test_files = ("test",)
    meta_file = "meta"
    md5: ClassVar = {
        "train": "16019d7e3df5f24257cddd939b257f8d",
        "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
        "meta": "7973b15100ade9c7d40fb424638fde48",
    }
    # the training pictures have 155 million bytes; the makers' editor left a file
    contents = Files(dict.fromkeys((*md5, "file.txt~"), 200_000_000), optional=("file.txt~",))
    facts = Facts(50_000, 10_000, PAGE, folder=folder, files=(archive,))

    def __init__(self, root: str = "data", verify: bool = True, labels: Labels = "fine") -> None:
        if labels not in get_args(Labels):
            raise wrong_value("labels", labels, "fine or coarse", "fine")
        self.classes = FINE if labels == "fine" else COARSE
        super().__init__(root, verify, f"{labels}_labels", f"{labels}_label_names")
