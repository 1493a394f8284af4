"""The data sets by name, from tiny archives in the official layouts: found, fetched, unpacked, read and refused."""

import gzip
import sys
from pathlib import Path
from typing import Any

import made_sets
import numpy as np
import pytest
from made_sets import SETS, Made, make_official
from PIL import Image
from torch import Tensor

from plcnn.data.parts.partition import as_set
from plcnn.data.sources import cifar, cinic10, emnist, imagenette, mnist, sources, stl10, svhn, tiny_imagenet
from plcnn.errors import UserError

LOOSE = ("mnist", "fashion_mnist", "svhn")  # not in one archive
TREES = ("cinic10", "imagenette", "tiny_imagenet")


@pytest.fixture(autouse=True)
def _no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for all that this machine has to write."""
    monkeypatch.setattr("os.sync", lambda: None)


@pytest.fixture(params=SETS)
def made(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Made:
    found = SETS[request.param]()
    make_official(found, monkeypatch)
    return found


def named(name: str, monkeypatch: pytest.MonkeyPatch, url: str = "nowhere:") -> Made:
    found = SETS[name]()
    make_official(found, monkeypatch, url)
    return found


def lay(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def values(images: Any, index: int) -> np.ndarray:
    if isinstance(images, Tensor):
        return images[index].numpy()
    return np.asarray(Image.open(images.picture(index))).transpose(2, 0, 1)


def assert_read(source: Any, made: Made) -> None:
    """The pictures, the labels, their order and their form."""
    for part in ("train", "test", *(["validation"] if "validation" in made.parts else [])):
        read, (pixels, labels) = as_set(getattr(source, part)()), made.parts[part]
        assert read.labels.dtype.is_signed and read.labels.tolist() == labels
        assert len(read.images) == len(labels)
        if isinstance(read.images, Tensor):
            assert read.images.is_contiguous() and read.images.shape[1:] == source.image_shape
        for index in range(len(labels)):
            assert np.array_equal(values(read.images, index), pixels[index])
    if made.names:
        images = as_set(source.test()).images
        assert [images.name(index) for index in range(len(images))] == made.names


def test_every_set_is_made_here() -> None:
    with_files = {name for name in sources.names() if getattr(sources[name].builder, "archive", None)}
    assert with_files - {"cifar10"} <= set(SETS) and set(SETS) <= set(sources.names())


def test_hand_placed_files_serve_without_a_network(made: Made, tmp_path: Path) -> None:
    lay(tmp_path, made.files)
    source = made.source(str(tmp_path))
    source.prepare()
    assert not source.verified
    assert_read(source, made)
    assert source.verified
    again = made.source(str(tmp_path / made.folder))
    again.prepare()
    assert_read(again, made)
    assert again.verified
    above = {str(path) for path in tmp_path.iterdir() if not path.name.endswith(".lock")}
    expected = {path.split("/")[0] for path in (made.folder, *made.files)}
    assert above == {str(tmp_path / name) for name in expected}


@pytest.mark.parametrize("name", [name for name in SETS if name not in LOOSE])
def test_the_root_may_be_the_archive_or_hold_it(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = named(name, monkeypatch)
    ((path, data),) = made.files.items()
    for place in ("named", "held"):
        folder = lay(tmp_path / place, {Path(path).name: data})
        source = made.source(str(folder / Path(path).name if place == "named" else folder))
        source.prepare()
        assert_read(source, made)
        assert not (folder / made.folder / "unlabeled_X.bin").exists()


def test_an_unpacked_folder_needs_nothing_else(made: Made, tmp_path: Path) -> None:
    folder = lay(tmp_path / "mine" / made.folder, made.unpacked)
    renamed = lay(tmp_path / "other", made.unpacked)
    for root in (tmp_path / "mine", folder, renamed):
        source = made.source(str(root))
        source.prepare()
        assert_read(source, made)
    assert {path.name for path in tmp_path.rglob("*.lock")} == set()


def test_what_is_missing_is_downloaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: Any, answers: Any
) -> None:
    for name in ("mnist", "emnist", "cinic10"):
        made = named(name, monkeypatch, server.url)
        server.requests.clear()
        server.answers = [answers.body(data) for data in made.files.values()]
        source = made.source(str(tmp_path / name))
        source.prepare()
        source.prepare()
        assert_read(source, made)
        assert source.verified
        assert server.requests == [f"/file/{Path(path).name}" for path in made.files]
        assert all((tmp_path / name / path).is_file() for path in made.files)


def test_a_failed_download_says_where_each_file_belongs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: Any, answers: Any
) -> None:
    for name in ("fashion_mnist", "emnist", "svhn", "tiny_imagenet"):
        made = named(name, monkeypatch, server.url)
        server.answers = [answers.status(404)]
        with pytest.raises(UserError) as caught:
            made.source(str(tmp_path / name)).prepare()
        path, data = next(iter(made.files.items()))
        for part in (str(tmp_path / name / path), f"{len(data)} bytes", made_sets.md5_of(data).digits, "HTTP 404"):
            assert part in str(caught.value)


def test_other_files_are_refused_or_told(made: Made, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A byte more after the end of a file is another file, of the same content."""
    path, data = next(iter(made.files.items()))
    lay(tmp_path, made.files | {path: data + (b"" if path.endswith(".mat") else b"\0")})
    if path.endswith(".mat"):
        (tmp_path / path).write_bytes(made.files["SVHN/extra_32x32.mat"])
    with pytest.raises(
        UserError, match="(?s)is not the official (archive|file): .*--data.verify false reads it anyway"
    ):
        source = made.source(str(tmp_path))
        source.prepare()
        source.train()
    if path.endswith((".mat", "images-idx3-ubyte.gz")):
        return
    source = made.source(str(tmp_path), verify=False)
    source.prepare()
    assert_read(source, made)
    members = hasattr(made.source, "md5")  # they have checksums of their own
    assert source.verified == members
    assert [*caplog.messages] == [] if members else len(caplog.messages) == 1


def test_damaged_archives_leave_nothing(made: Made, tmp_path: Path) -> None:
    path, data = next(iter(made.files.items()))
    for damaged in (b"", b"<html>", data[: len(data) // 2], data[:-30]):
        lay(tmp_path, made.files | {path: damaged})
        with pytest.raises(UserError, match=Path(path).name.replace(".", r"\.")):
            source = made.source(str(tmp_path), verify=False)
            source.prepare()
            source.train()
        if "raw/" not in path and ".mat" not in path:
            assert not (tmp_path / made.folder).exists()


@pytest.mark.parametrize("name", TREES)
def test_folders_that_are_not_whole(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: Any) -> None:
    made = named(name, monkeypatch)
    folder = lay(tmp_path / made.folder, made.unpacked)
    source = made.source(str(tmp_path))
    source.train()
    source.test()
    assert not source.verified
    (message,) = caplog.messages
    assert message.startswith(f"{folder}: not known to be the official files: plcnn did not unpack them")
    train = sorted(path for path in made.unpacked if path.startswith("train/"))
    (folder / train[0]).unlink()
    with pytest.raises(UserError, match=rf"train holds {len(train) - 1:,} pictures instead of {len(train):,}"):
        made.source(str(tmp_path)).train()
    assert len(as_set(made.source(str(tmp_path), verify=False).train()).labels) == len(train) - 1
    for path in folder.glob(f"train/{train[-1].split('/')[1]}/**/*.*"):
        path.unlink()
    for path in sorted(folder.glob(f"train/{train[-1].split('/')[1]}/**"), reverse=True):
        path.rmdir()
    with pytest.raises(UserError, match="train has not the classes that it should have: it lacks"):
        made.source(str(tmp_path), verify=False).train()
    with pytest.raises(UserError, match="cannot read .*nowhere.*--data.root names the folder that holds"):
        made.source(str(tmp_path / "nowhere")).train()


def test_annotations_of_another_form(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = named("tiny_imagenet", monkeypatch)
    folder = lay(tmp_path / made.folder, made.unpacked)
    first = made.unpacked["val/val_annotations.txt"]
    for line in (
        b"val_9.JPEG\tn00000000\t0\n",
        b"val_9.JPEG n01443537\n",
        b"../a\tn01443537\n",
        b"a/../b\tn01443537\n",
        b"\xff\n",
    ):
        (folder / "val/val_annotations.txt").write_bytes(first + line)
        with pytest.raises(UserError, match="val_annotations.txt, line 4: expected a picture's name"):
            made.source(str(tmp_path), verify=False).test()
    (folder / "val/val_annotations.txt").write_bytes(first + first)
    with pytest.raises(UserError, match="holds 6 pictures instead of 3"):
        made.source(str(tmp_path)).test()


def test_coarse_labels_and_splits_and_sizes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    coarse = made_sets.cifar100("coarse")
    make_official(coarse, monkeypatch)
    lay(tmp_path / coarse.folder, coarse.unpacked)
    source = cifar.CIFAR100(str(tmp_path), labels="coarse")
    assert_read(source, coarse)
    assert len(source.classes) == 20
    for split in emnist.SPLITS:
        letters = made_sets.letters(split)
        make_official(letters, monkeypatch)
        lay(tmp_path, letters.files)
        source = emnist.EMNIST(str(tmp_path), split=split)
        source.prepare()
        assert_read(source, letters)
    for built, words in (
        (lambda: cifar.CIFAR100(labels="medium"), "labels: got medium; allowed: fine or coarse"),
        (lambda: emnist.EMNIST(split="digit"), "split: got digit; allowed: balanced, byclass"),
        (lambda: imagenette.Imagenette(size="64px"), "size: got 64px; allowed: 160px, 320px, full"),
    ):
        with pytest.raises(UserError, match=words):
            built()


def test_extra_house_numbers_come_last(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = named("svhn", monkeypatch)
    lay(tmp_path, made.files)
    images, labels = svhn.SVHN(str(tmp_path), extra=True).train()
    assert np.array_equal(images[6:].numpy(), made.parts["extra"][0]) and len(labels) == 12


def test_files_that_were_unpacked_by_torchvision(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: Any) -> None:
    made = named("mnist", monkeypatch)
    raw = {name.removesuffix(".gz"): gzip.decompress(data) for name, data in made.unpacked.items()}
    lay(tmp_path / made.folder, raw)
    source = mnist.MNIST(str(tmp_path))
    source.prepare()
    assert_read(source, made)
    assert source.verified and not caplog.messages
    (tmp_path / made.folder / "t10k-images-idx3-ubyte").write_bytes(made_sets.idx(np.zeros((5, 28, 28), np.uint8)))
    with pytest.raises(UserError, match="t10k-images-idx3-ubyte is not the official file"):
        source.test()
    letters = named("emnist", monkeypatch)
    raw = {name.removesuffix(".gz"): gzip.decompress(data) for name, data in letters.unpacked.items()}
    lay(tmp_path / letters.folder, raw)
    source = emnist.EMNIST(str(tmp_path))
    source.prepare()
    assert_read(source, letters)
    assert not source.verified and len(caplog.messages) == 1


BAD_IDX = {
    "no header": (b"ab", "unpack_from"),
    "floats": (b"\0\0\x0d\x03" + bytes(12), "begins with 00000d03, not with 00000803"),
    "labels": (made_sets.idx(np.zeros(5, np.uint8)), "begins with 00000801"),
    "short": (made_sets.idx(np.zeros((5, 28, 28), np.uint8))[:-1], "has 3919 bytes after its header, which says 3920"),
    "long": (made_sets.idx(np.zeros((5, 28, 28), np.uint8)) + b"\0", "has 3921 bytes"),
    "endless": (b"\0\0\x08\x03" + b"\xff" * 12, "which says 79228162458924105385300197375"),
    "wide": (made_sets.idx(np.zeros((5, 28, 29), np.uint8)), r"holds an array of \(5, 28, 29\)"),
    "empty": (made_sets.idx(np.zeros((0, 28, 28), np.uint8)), r"holds an array of \(0, 28, 28\)"),
    "fewer": (made_sets.idx(np.zeros((4, 28, 28), np.uint8)), "holds 5 labels for 4 pictures"),
}


@pytest.mark.parametrize("kind", BAD_IDX)
def test_idx_files_of_another_form(kind: str, tmp_path: Path) -> None:
    data, words = BAD_IDX[kind]
    made = SETS["mnist"]()
    lay(tmp_path, made.files | {"MNIST/raw/train-images-idx3-ubyte.gz": gzip.compress(data)})
    with pytest.raises(UserError, match=words) as caught:
        mnist.MNIST(str(tmp_path), verify=False).train()
    assert "MNIST/raw/train-" in str(caught.value)


def test_labels_out_of_range(tmp_path: Path) -> None:
    made = SETS["mnist"]()
    labels = gzip.compress(made_sets.idx(np.array([0, 1, 10, 2, 3], np.uint8)))
    lay(tmp_path, made.files | {"MNIST/raw/train-labels-idx1-ubyte.gz": labels})
    with pytest.raises(UserError, match="holds labels from 0 to 10, not 0 to 9"):
        mnist.MNIST(str(tmp_path), verify=False).train()
    binary = SETS["stl10"]()
    folder = lay(tmp_path / binary.folder, binary.unpacked)
    for name, content, words in (
        ("train_y.bin", bytes([1, 0, 10]), "labels from 0 to 10, not 1 to 10"),
        ("train_y.bin", bytes([1, 2]), "holds 2 labels for 3 pictures"),
        ("train_X.bin", bytes(100), "has 100 bytes; a picture has 27648"),
    ):
        (folder / name).write_bytes(content)
        with pytest.raises(UserError, match=words):
            stl10.STL10(str(tmp_path), verify=False).train()


def test_matlab_files_of_another_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    savemat = pytest.importorskip("scipy.io").savemat
    pixels, digits = np.zeros((32, 32, 3, 2), np.uint8), np.array([[1], [2]], np.uint8)
    for content, words in (
        ({"y": digits}, r"X is object \(\) instead of uint8"),
        ({"X": pixels.astype(float), "y": digits}, r"X is float64 \(32, 32, 3, 2\)"),
        ({"X": pixels, "y": digits[:1]}, r"y is uint8 \(1, 1\) instead of 2 whole numbers"),
        ({"X": pixels, "y": digits * 10}, "y goes from 10 to 20 instead of 1 to 10"),
    ):
        lay(tmp_path / "SVHN", {"train_32x32.mat": b""})
        savemat(tmp_path / "SVHN" / "train_32x32.mat", content)
        with pytest.raises(UserError, match=words):
            svhn.SVHN(str(tmp_path), verify=False).train()
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(UserError, match=r"pip install 'plcnn\[svhn\]'"):
        svhn.SVHN(str(tmp_path)).prepare()


def test_addresses_and_checksums_are_torchvisions() -> None:
    theirs = pytest.importorskip("torchvision.datasets")
    for ours, one in ((mnist.MNIST, theirs.MNIST), (mnist.FashionMNIST, theirs.FashionMNIST)):
        assert [(file.name, file.checksum.digits) for file in ours.files] == one.resources
        assert all(file.urls == tuple(mirror + file.name for mirror in one.mirrors) for file in ours.files)
        assert set(ours.unpacked_md5) == {file.name.removesuffix(".gz") for file in ours.files}
    assert mnist.FashionMNIST.classes == tuple(theirs.FashionMNIST.classes)
    assert (emnist.EMNIST.archive.urls, emnist.EMNIST.archive.checksum.digits) == (
        (theirs.EMNIST.url,),
        theirs.EMNIST.md5,
    )
    for split, (classes, *_) in emnist.SPLITS.items():
        assert [*classes] == [name for name in theirs.EMNIST.classes_split_dict[split] if name != "N/A"]
    for file in (svhn.SVHN.train_file, svhn.SVHN.test_file, svhn.SVHN.extra_file):
        assert [*file.urls, file.name, file.checksum.digits] == theirs.SVHN.split_list[file.name.split("_")[0]]
    for ours, one in ((cifar.CIFAR100, theirs.CIFAR100), (stl10.STL10, theirs.STL10)):
        assert ours.archive[0::2] == (one.filename, ("MD5", one.tgz_md5)) and ours.archive.urls == (one.url,)
        listed = dict([*one.train_list, *one.test_list])
        assert ours.md5.items() <= (listed | {"meta": getattr(one, "meta", {}).get("md5")}).items()
    for size, (url, md5) in theirs.Imagenette._ARCHIVES.items():
        archive, _ = imagenette.ARCHIVES[size]
        assert (archive.urls, archive.checksum.digits) == ((url,), md5)
    assert {wnid: names[0] for wnid, names in theirs.Imagenette._WNID_TO_CLASS.items()} == imagenette.CLASSES


def test_numbers_of_classes_and_their_names() -> None:
    assert len(set(cifar.FINE)) == 100 and len(set(cifar.COARSE)) == 20 and sorted(cifar.FINE) == [*cifar.FINE]
    wnids = list(tiny_imagenet.CLASSES)
    assert len(wnids) == len(set(tiny_imagenet.CLASSES.values())) == 200 and sorted(wnids) == wnids
    timm = pytest.importorskip("timm.data")
    words = timm.ImageNetInfo("imagenet22k")
    for wnid, name in tiny_imagenet.CLASSES.items():
        assert words.label_name_to_description(wnid, detailed=False).split(", ")[0] == name
    assert cinic10.CINIC10.classes == cifar.CIFAR10.classes
