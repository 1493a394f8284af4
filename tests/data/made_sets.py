"""Tiny archives in the layouts of the official ones, and what should be read from them; made official for a test."""

import gzip
import hashlib
import importlib
import io
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from plcnn.data.published.checksums import Checksum
from plcnn.data.published.official import OfficialFile
from plcnn.data.sources import cifar, cinic10, emnist, imagenette, mnist, stl10, svhn, tiny_imagenet

Part = tuple[np.ndarray, list[int]]
"""Pictures (pictures, channels, height, width) and labels; of JPEG files, what Pillow reads."""


class Made(NamedTuple):
    """A made-up data set.

    Attributes:
        source: its class.
        files: the content of what is downloaded, by the path below the root where it is put.
        folder: path of its own folder below the root.
        unpacked: the content of the files in that folder that are needed, by path.
        parts: what should be read, by method.
        names: what the test pictures are called; empty where they have numbers.
    """

    source: Any
    files: dict[str, bytes]
    folder: str
    unpacked: dict[str, bytes]
    parts: dict[str, Part]
    names: list[str]


def numbers(seed: str, *shape: int, most: int = 256) -> np.ndarray:
    """Random bytes that differ from seed to seed."""
    return np.random.default_rng(list(seed.encode())).integers(most, size=shape, dtype=np.uint8)


def idx(array: np.ndarray) -> bytes:
    """An array in the idx format."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def tar_gz(files: dict[str, bytes], top: str) -> bytes:
    """An archive of a folder, or without one."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:
        folder = tarfile.TarInfo(top or ".")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, data in files.items():
            info = tarfile.TarInfo(f"{top}/{name}" if top else f"./{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def zipped(files: dict[str, bytes], top: str) -> bytes:
    """A zip file of a folder."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as whole:
        whole.writestr(f"{top}/", b"")
        for name, data in files.items():
            whole.writestr(f"{top}/{name}", data)
    return buffer.getvalue()


def picture(seed: str, size: tuple[int, int], form: str) -> tuple[bytes, np.ndarray]:
    """A picture file, and its values (channels, height, width)."""
    buffer = io.BytesIO()
    Image.fromarray(numbers(seed, *size, 3)).save(buffer, form)
    return buffer.getvalue(), np.asarray(Image.open(buffer)).transpose(2, 0, 1)


@cache
def cifar100(labels: str = "fine") -> Made:
    classes = {"fine_label_names": list(cifar.FINE), "coarse_label_names": list(cifar.COARSE)}
    unpacked, parts = {"meta": pickle.dumps(classes, 2)}, {}
    for name in ("train", "test"):
        pixels = numbers(name, 4, 3072)
        content = {
            "data": pixels,
            "fine_labels": [99, 0, 7, 50],
            "coarse_labels": [19, 0, 3, 9],
            "filenames": ["a"] * 4,
        }
        unpacked[name] = pickle.dumps(content, 4)
        parts[name] = pixels.reshape(4, 3, 32, 32), content[f"{labels}_labels"]
    archive = tar_gz(unpacked | {"file.txt~": b"left"}, "cifar-100-python")
    return Made(cifar.CIFAR100, {"cifar-100-python.tar.gz": archive}, "cifar-100-python", unpacked, parts, [])


@cache
def _of_four(source: Any, folder: str) -> Made:
    files, parts = {}, {}
    for name, stem in (("train", "train"), ("test", "t10k")):
        pixels, labels = numbers(folder + name, 5, 28, 28), numbers(name, 5, most=10)
        files[f"{stem}-images-idx3-ubyte.gz"] = gzip.compress(idx(pixels))
        files[f"{stem}-labels-idx1-ubyte.gz"] = gzip.compress(idx(labels))
        parts[name] = pixels[:, None], labels.tolist()
    return Made(source, {f"{folder}/{name}": data for name, data in files.items()}, folder, files, parts, [])


@cache
def letters(split: str = "balanced") -> Made:
    unpacked, parts = {}, {}
    for kind, (classes, *_) in emnist.SPLITS.items():
        for name in ("train", "test"):
            upright, labels = numbers(kind + name, 5, 28, 28), numbers(kind + name, 5, most=len(classes))
            written = labels + 1 if kind == "letters" else labels
            unpacked[f"emnist-{kind}-{name}-images-idx3-ubyte.gz"] = gzip.compress(idx(upright.transpose(0, 2, 1)))
            unpacked[f"emnist-{kind}-{name}-labels-idx1-ubyte.gz"] = gzip.compress(idx(written))
            if kind == split:
                parts[name] = upright[:, None], labels.tolist()
    archive = zipped(unpacked | {"emnist-balanced-mapping.txt": b"0 48"}, "gzip")
    return Made(emnist.EMNIST, {"EMNIST/gzip.zip": archive}, "EMNIST/raw", unpacked, parts, [])


@cache
def house_numbers() -> Made:
    files, parts = {}, {}
    for name in ("train", "test", "extra"):
        pixels, labels = numbers(name, 6, 3, 32, 32), [0, 9, 1, 2, 0, 5]
        content = {"X": pixels.transpose(2, 3, 1, 0), "y": np.array([[label or 10] for label in labels], np.uint8)}
        buffer = io.BytesIO()
        pytest.importorskip("scipy.io").savemat(buffer, content, do_compression=True)
        files[f"{name}_32x32.mat"] = buffer.getvalue()
        parts[name] = pixels, labels
    return Made(svhn.SVHN, {f"SVHN/{name}": data for name, data in files.items()}, "SVHN", files, parts, [])


@cache
def stl() -> Made:
    unpacked, parts = {}, {}
    for name in ("train", "test"):
        pixels, labels = numbers(name, 3, 3, 96, 96), [0, 9, 4]
        unpacked[f"{name}_X.bin"] = pixels.transpose(0, 1, 3, 2).tobytes()
        unpacked[f"{name}_y.bin"] = bytes(label + 1 for label in labels)
        parts[name] = pixels, labels
    more = {"unlabeled_X.bin": bytes(1000), "class_names.txt": b"airplane\n", "fold_indices.txt": b"0 1 2\n"}
    archive = tar_gz(unpacked | more, "stl10_binary")
    return Made(stl10.STL10, {"stl10_binary.tar.gz": archive}, "stl10_binary", unpacked, parts, [])


@cache
def cinic(top: str = "") -> Made:
    unpacked, parts, names = {}, {}, {}
    for folder, part in (("train", "train"), ("valid", "validation"), ("test", "test")):
        found = {
            f"{folder}/{name}/n0{number}.png": picture(folder + name, (32, 32), "PNG")
            for name in cinic10.CINIC10.classes
            for number in (1, 0)
        }
        unpacked |= {name: data for name, (data, _) in found.items()}
        names[part] = sorted(found)
        parts[part] = np.stack([found[name][1] for name in names[part]]), sorted(2 * list(range(10)))
    archive = tar_gz(unpacked | {"README.md": b"hello", "train/.DS_Store": b"macOS"}, top)
    return Made(cinic10.CINIC10, {"CINIC-10.tar.gz": archive}, "CINIC-10", unpacked, parts, names["test"])


@cache
def nette() -> Made:
    unpacked, parts, names = {}, {}, []
    for folder, part, sizes in (("train", "train", (9, 8)), ("val", "test", (8, 9))):
        found = {f"{folder}/{wnid}/{wnid}_1.JPEG": picture(folder + wnid, sizes, "JPEG") for wnid in imagenette.CLASSES}
        unpacked |= {name: data for name, (data, _) in found.items()}
        names = sorted(found)
        parts[part] = np.stack([found[name][1] for name in names]), list(range(10))
    archive = tar_gz(unpacked | {"noisy_imagenette.csv": b"path"}, "imagenette2-160")
    return Made(imagenette.Imagenette, {"imagenette2-160.tgz": archive}, "imagenette2-160", unpacked, parts, names)


@cache
def tiny() -> Made:
    train = {f"train/{wnid}/images/{wnid}_0.JPEG": picture(wnid, (64, 64), "JPEG") for wnid in tiny_imagenet.CLASSES}
    order, labels = [2, 0, 1], [199, 0, 100]
    val = {f"val/images/val_{number}.JPEG": picture(f"val{number}", (64, 64), "JPEG") for number in order}
    wnids = list(tiny_imagenet.CLASSES)
    lines = [f"val_{n}.JPEG\t{wnids[label]}\t0\t0\t63\t63\n" for n, label in zip(order, labels, strict=True)]
    unpacked = {name: data for name, (data, _) in (train | val).items()}
    unpacked["val/val_annotations.txt"] = "".join(lines).encode()
    more = {
        "wnids.txt": b"",
        "words.txt": b"",
        "test/images/test_0.JPEG": b"",
        "train/n01443537/n01443537_boxes.txt": b"",
    }
    archive = zipped(unpacked | more, "tiny-imagenet-200")
    parts = {
        "train": (np.stack([values for _, values in train.values()]), list(range(200))),
        "test": (np.stack([values for _, values in val.values()]), labels),
    }
    made = tiny_imagenet.TinyImageNet, {"tiny-imagenet-200.zip": archive}, "tiny-imagenet-200"
    return Made(*made, unpacked, parts, list(val))


SETS: dict[str, Callable[[], Made]] = {
    "cifar100": cifar100,
    "mnist": lambda: _of_four(mnist.MNIST, "MNIST/raw"),
    "fashion_mnist": lambda: _of_four(mnist.FashionMNIST, "FashionMNIST/raw"),
    "emnist": letters,
    "svhn": house_numbers,
    "stl10": stl,
    "cinic10": cinic,
    "imagenette": nette,
    "tiny_imagenet": tiny,
}


def make_official(made: Made, monkeypatch: pytest.MonkeyPatch, url: str = "nowhere:") -> None:
    """Let a source take the made-up files for the official ones, with their numbers of pictures."""

    def official(file: OfficialFile) -> OfficialFile:
        (data,) = (content for path, content in made.files.items() if path.rsplit("/", 1)[-1] == file.name)
        return OfficialFile(file.name, len(data), md5_of(data), (f"{url}/{file.name}",))

    module, source = importlib.import_module(made.source.__module__), made.source
    for key in ("archive", "train_file", "test_file", "extra_file"):
        if hasattr(source, key):
            monkeypatch.setattr(source, key, official(getattr(source, key)))
    if hasattr(source, "files"):
        monkeypatch.setattr(source, "files", tuple(official(file) for file in source.files))
        raw = {name.removesuffix(".gz"): gzip.decompress(data) for name, data in made.unpacked.items()}
        monkeypatch.setattr(source, "unpacked_md5", {name: md5_of(data).digits for name, data in raw.items()})
    if hasattr(source, "md5"):
        monkeypatch.setattr(source, "md5", {name: md5_of(data).digits for name, data in made.unpacked.items()})
    if hasattr(module, "ARCHIVES"):
        file, pixels = module.ARCHIVES["160px"]
        monkeypatch.setitem(module.ARCHIVES, "160px", (official(file), pixels))
    for key, part in (("TRAINING", "train"), ("TEST", "test"), ("_EACH", "train")):
        if hasattr(module, key):
            monkeypatch.setattr(module, key, len(made.parts[part][1]))


def md5_of(data: bytes) -> Checksum:
    return Checksum("MD5", hashlib.md5(data).hexdigest())
