"""CIFAR-10 from made-up files: what is found, fetched, unpacked, read and refused."""

import hashlib
import io
import json
import os
import pickle
import signal
import stat
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from plcnn.data.published.checksums import Checksum
from plcnn.data.sources.cifar import CIFAR10
from plcnn.errors import UserError

FOLDER, ARCHIVE, MD5, META_FILE = CIFAR10.folder, CIFAR10.archive.name, CIFAR10.md5, CIFAR10.meta_file
PICTURES = 4  # in each batch
OFFICIAL_MD5, OFFICIAL_URLS = dict(MD5), CIFAR10.archive.urls
PROCESS = """
import json, logging, os, sys, time
from plcnn.data.published import unpack
from plcnn.data.published.checksums import Checksum
from plcnn.data.sources.cifar import CIFAR10
logging.basicConfig(level=logging.INFO, format="%(message)s")
root, action, (url, size, checksum, md5) = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
CIFAR10.archive = CIFAR10.archive._replace(urls=(url,), size=size, checksum=Checksum(*checksum))
CIFAR10.md5.update(md5)
def hang(file):
    print("in the middle", file=sys.stderr, flush=True)
    time.sleep(60)
if action == "hang while unpacking":
    unpack.os.fsync = hang
CIFAR10(root).prepare()
"""


def pixels_of(name: str) -> np.ndarray:
    """Pixels, (PICTURES, 3072), that differ from file to file."""
    return np.random.default_rng(list(name.encode())).integers(256, size=(PICTURES, 3072), dtype=np.uint8)


def labels_of(name: str) -> list[int]:
    return [(sum(name.encode()) + place) % 10 for place in range(PICTURES)]


def batch(name: str, **changes) -> bytes:
    return pickle.dumps({"data": pixels_of(name), "labels": labels_of(name), "batch_label": name, **changes}, 4)


def official(monkeypatch, **changes) -> None:
    monkeypatch.setattr(CIFAR10, "archive", CIFAR10.archive._replace(**changes))


@pytest.fixture
def files(monkeypatch) -> dict[str, bytes]:
    """Made-up files of all names, made official."""
    made = {name: batch(name) for name in MD5 if name != META_FILE}
    made[META_FILE] = pickle.dumps({"label_names": list(CIFAR10.classes), "num_vis": 3072}, 2)
    for name, data in made.items():
        monkeypatch.setitem(MD5, name, hashlib.md5(data).hexdigest())
    return made


@pytest.fixture
def archive(files, monkeypatch) -> bytes:
    """The made-up files as an archive, made official."""
    data = pack({f"{FOLDER}/{name}": data for name, data in files.items()} | {f"{FOLDER}/readme.html": b"hello"})
    official(monkeypatch, size=len(data), checksum=Checksum("SHA-256", hashlib.sha256(data).hexdigest()))
    return data


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Only a test that sets another address may download."""
    official(monkeypatch, urls=("nowhere:",))


def pack(members: dict[str, bytes], *others: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        folder = tarfile.TarInfo(FOLDER)
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for info in others:
            tar.addfile(info)
    return buffer.getvalue()


def lay(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def assert_read(source: CIFAR10) -> None:
    images, labels = source.train()
    names = [f"data_batch_{number}" for number in range(1, 6)]
    pixels = np.stack([pixels_of(name) for name in names]).reshape(-1, 3, 32, 32)
    assert torch.equal(images, torch.from_numpy(pixels))
    assert images.is_contiguous()
    assert (images.dtype, labels.dtype) == (torch.uint8, torch.int64)
    assert labels.tolist() == [label for name in names for label in labels_of(name)]
    images, labels = source.test()
    assert torch.equal(images, torch.from_numpy(pixels_of("test_batch").reshape(-1, 3, 32, 32)))
    assert labels.tolist() == labels_of("test_batch")


def left(root: Path) -> set[str]:
    return {path.name for path in root.iterdir() if not path.name.endswith(".lock")}


def test_the_checksums_are_torchvisions():
    theirs = pytest.importorskip("torchvision.datasets").CIFAR10
    listed = dict([*theirs.train_list, *theirs.test_list, [theirs.meta["filename"], theirs.meta["md5"]]])
    assert listed == OFFICIAL_MD5
    assert (theirs.url,) == OFFICIAL_URLS


def test_an_unpacked_folder_needs_nothing_else(tmp_path, files):
    folder = lay(tmp_path / FOLDER, files)
    for root in (tmp_path, folder):
        source = CIFAR10(str(root))
        source.prepare()
        assert_read(source)
        assert source.verified
    assert os.listdir(tmp_path) == [FOLDER]  # no lock either: the folder may be read-only


def test_the_folder_may_have_another_name_and_a_home(tmp_path, files, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    lay(tmp_path / "pictures", files)
    source = CIFAR10("~/pictures")
    source.prepare()
    assert_read(source)


def test_ranks_that_do_not_prepare_read_all_the_same(tmp_path, files):
    lay(tmp_path / FOLDER, files)
    assert_read(CIFAR10(str(tmp_path)))


@pytest.mark.parametrize("encoding", ["python 2", "fortran order"])
def test_batches_in_other_clothes(tmp_path, files, python2_batch, encoding):
    for name in set(files) - {META_FILE}:
        pixels, labels = pixels_of(name), labels_of(name)
        other = batch(name, data=np.asfortranarray(pixels))
        files[name] = python2_batch(pixels, labels) if encoding == "python 2" else other
    lay(tmp_path / FOLDER, files)
    assert_read(CIFAR10(str(tmp_path), verify=False))


def test_a_hand_placed_archive_is_unpacked(tmp_path, archive):
    (tmp_path / ARCHIVE).write_bytes(archive)
    for root in (tmp_path, tmp_path / ARCHIVE, tmp_path / FOLDER):
        source = CIFAR10(str(root))
        source.prepare()
        assert_read(source)
    assert left(tmp_path) == {FOLDER, ARCHIVE}
    (tmp_path / "plain").mkdir()
    assert (tmp_path / FOLDER).stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert stat.S_IMODE((tmp_path / FOLDER / "test_batch").stat().st_mode) & 0o400


def test_the_archive_is_downloaded_to_a_new_folder(tmp_path, archive, server, answers, monkeypatch):
    official(monkeypatch, urls=(server.url,))
    server.answers = [answers.status(503), answers.body(archive)]
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    source = CIFAR10(str(tmp_path / "new"))
    source.prepare()
    source.prepare()
    assert_read(source)
    assert len(server.requests) == 2


def test_a_root_that_is_nearly_the_name_of_one_with_the_data_is_not_made(tmp_path, files, no_network):
    lay(tmp_path / "data" / FOLDER, files)
    with pytest.raises(UserError, match=r"datta: there is no such folder\. Did you mean .*/data\?") as caught:
        CIFAR10(str(tmp_path / "datta")).prepare()
    assert caught.value.exit_code == 2 and left(tmp_path) == {"data"}


def test_a_failed_download_says_where_the_archive_belongs(tmp_path, archive, server, answers, monkeypatch):
    official(monkeypatch, urls=(server.url,))
    monkeypatch.chdir(tmp_path)
    server.answers = [answers.status(404)]
    with pytest.raises(UserError) as caught:
        CIFAR10().prepare()
    for part in (
        server.url,
        "HTTP 404",
        str(tmp_path / "data" / ARCHIVE),
        str(len(archive)),
        CIFAR10.archive.checksum.digits,
    ):
        assert part in str(caught.value)
    assert left(tmp_path / "data") == set()


def start(root: Path, action: str, url: str = "") -> "subprocess.Popen[str]":
    changes = json.dumps([url, CIFAR10.archive.size, CIFAR10.archive.checksum, MD5])
    arguments = [sys.executable, "-c", PROCESS, str(root), action, changes]
    return subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)


def test_killed_while_unpacking(tmp_path, archive):
    (tmp_path / ARCHIVE).write_bytes(archive)
    with start(tmp_path, "hang while unpacking") as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert line == "in the middle\n"
    assert not (tmp_path / FOLDER).exists()
    assert len(left(tmp_path)) == 2
    source = CIFAR10(str(tmp_path))
    source.prepare()
    assert_read(source)
    assert left(tmp_path) == {FOLDER, ARCHIVE}


def test_two_processes_on_one_empty_folder(tmp_path, archive, server, answers):
    server.answers = [answers.stall(archive)]
    with start(tmp_path, "prepare", server.url) as first, start(tmp_path, "prepare", server.url) as second:
        assert first.stderr is not None and second.stderr is not None
        lines = {first.stderr.readline().split()[0], second.stderr.readline().split()[0]}
        server.release.set()
        first.communicate()
        second.communicate()
    assert lines == {"downloading", "waiting"}
    assert (first.returncode, second.returncode) == (0, 0)
    assert len(server.requests) == 1
    assert_read(CIFAR10(str(tmp_path)))


def link(name: str, kind: bytes, target: str = "/etc/passwd") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    ("extra", "complaint"),
    [
        (tarfile.TarInfo("../escaped"), "'../escaped', which does not belong there"),
        (tarfile.TarInfo(f"{FOLDER}/../../escaped"), "which does not belong there"),
        (tarfile.TarInfo("/tmp/plcnn_escaped"), "'/tmp/plcnn_escaped', which does not belong there"),
        (tarfile.TarInfo(f"{FOLDER}/more"), "more', which does not belong there"),
        (tarfile.TarInfo(f"other/{META_FILE}"), "which does not belong there"),
        (tarfile.TarInfo(f"{FOLDER}/{META_FILE}"), "batches.meta is in it twice"),
        (link(f"{FOLDER}/readme.html", tarfile.SYMTYPE), "readme.html in it is no plain file"),
        (link(f"{FOLDER}/readme.html", tarfile.LNKTYPE), "readme.html in it is no plain file"),
        (link(f"{FOLDER}/readme.html", tarfile.FIFOTYPE), "readme.html in it is no plain file"),
        (link(FOLDER, tarfile.SYMTYPE), "which does not belong there"),
    ],
    ids=lambda value: value.name if isinstance(value, tarfile.TarInfo) else None,
)
def test_archives_that_reach_out_are_refused(tmp_path, files, extra, complaint):
    root = tmp_path / "root"
    root.mkdir()
    (root / ARCHIVE).write_bytes(pack({f"{FOLDER}/{name}": data for name, data in files.items()}, extra))
    with pytest.raises(UserError, match=complaint) as caught:
        CIFAR10(str(root), verify=False).prepare()
    assert str(root / ARCHIVE) in str(caught.value)
    assert (left(tmp_path), left(root)) == ({"root"}, {ARCHIVE})
    assert not Path("/tmp/plcnn_escaped").exists()


def test_archives_that_swell_are_refused(tmp_path, files, monkeypatch):
    limits = dict.fromkeys(CIFAR10.contents.largest_bytes, 50_000)
    monkeypatch.setattr(CIFAR10, "contents", CIFAR10.contents._replace(largest_bytes=limits))
    path = tmp_path / ARCHIVE
    path.write_bytes(pack({f"{FOLDER}/test_batch": bytes(50_001)}))
    with pytest.raises(UserError, match="test_batch in it has 50001 bytes, at most 50000 are right"):
        CIFAR10(str(tmp_path), verify=False).prepare()
    long_name = tarfile.TarInfo("a" * 3_000_000)  # kept in a header, which tarfile reads whole
    path.write_bytes(pack({}, long_name))
    with pytest.raises(UserError, match="unpacks to far more than it should"):
        CIFAR10(str(tmp_path), verify=False).prepare()
    assert left(tmp_path) == {ARCHIVE}


def test_archives_that_are_damaged_or_lack_files(tmp_path, archive, files):
    path = tmp_path / ARCHIVE
    flipped = bytearray(archive)
    flipped[-6] ^= 1  # in gzip's own checksum
    del files["test_batch"]
    lacking = pack({f"{FOLDER}/{name}": data for name, data in files.items()})
    for data in (b"", b"<html>", archive[: len(archive) // 2], archive[:-1], bytes(flipped), lacking):
        path.write_bytes(data)
        with pytest.raises(UserError, match=f"{path} is no whole {FOLDER} archive") as caught:
            CIFAR10(str(tmp_path), verify=False).prepare()
        assert left(tmp_path) == {ARCHIVE}
    assert "lacks test_batch" in str(caught.value)


def test_an_archive_with_another_checksum(tmp_path, archive):
    path = tmp_path / ARCHIVE
    path.write_bytes(archive + b"\0")
    with pytest.raises(UserError) as caught:
        CIFAR10(str(tmp_path)).prepare()
    found = hashlib.sha256(archive + b"\0").hexdigest()
    for part in (str(path), found, CIFAR10.archive.checksum.digits, f"{len(archive)} bytes", "--data.verify false"):
        assert part in str(caught.value)
    source = CIFAR10(str(tmp_path), verify=False)
    source.prepare()
    assert_read(source)


def test_an_incomplete_folder_names_what_is_missing(tmp_path, files):
    del files["data_batch_3"], files[META_FILE]
    lay(tmp_path / FOLDER, files)
    with pytest.raises(UserError, match=rf"{FOLDER} lacks data_batch_3, batches\.meta"):
        CIFAR10(str(tmp_path)).prepare()
    with pytest.raises(UserError, match=r"cannot read .*batches\.meta: No such file"):
        CIFAR10(str(tmp_path)).train()


@pytest.mark.parametrize("name", ["data_batch_4", "test_batch", META_FILE])
def test_another_checksum_is_refused_or_told_once(tmp_path, files, name, monkeypatch, caplog):
    lay(tmp_path / FOLDER, files)
    found, expected = MD5[name], "0" * 32
    monkeypatch.setitem(MD5, name, expected)
    with pytest.raises(UserError) as caught:
        source = CIFAR10(str(tmp_path))
        source.train()
        assert source.verified  # the test set was not read
        source.test()
    for part in (str(tmp_path / FOLDER / name), found, expected, "--data.verify false"):
        assert part in str(caught.value)

    source = CIFAR10(str(tmp_path), verify=False)
    assert not source.verified
    assert_read(source)
    assert_read(source)
    assert not source.verified
    (record,) = caplog.records
    assert record.getMessage() == f"{tmp_path / FOLDER}: not the official files, by their checksums: {name}"


def test_training_does_not_touch_the_test_set(tmp_path, files):
    folder = lay(tmp_path / FOLDER, files)
    (folder / "test_batch").write_bytes(b"")
    source = CIFAR10(str(tmp_path))
    source.prepare()
    source.train()
    assert source.verified


WRONG = {
    "a list": (pickle.dumps([1]), "holds a list"),
    "no data": (batch("a", data=None), "its data are NoneType"),
    "floats": (batch("a", data=np.zeros((PICTURES, 3072))), r"its data are float64 \(4, 3072\)"),
    "width": (batch("a", data=np.zeros((PICTURES, 3071), np.uint8)), r"uint8 \(4, 3071\)"),
    "four dimensions": (batch("a", data=np.zeros((PICTURES, 3, 32, 32), np.uint8)), r"\(4, 3, 32, 32\)"),
    "no pictures": (batch("a", data=np.zeros((0, 3072), np.uint8), labels=[]), r"\(0, 3072\)"),
    "no labels": (batch("a", labels=None), "labels of type NoneType"),
    "short": (batch("a", labels=[1] * 3), "3 labels for 4 pictures"),
    "large": (batch("a", labels=[1, 2, 10, 0]), r"label 2 \(from 0\) is no integer from 0 to 9"),
    "negative": (batch("a", labels=[-1, 0, 0, 0]), r"label 0 \(from 0\)"),
    "words": (batch("a", labels=["cat"] * 4), r"label 0 \(from 0\)"),
    "truth": (batch("a", labels=[0, 0, 0, True]), r"label 3 \(from 0\)"),
    "CIFAR-100": (pickle.dumps({"data": pixels_of("a"), "fine_labels": labels_of("a")}), "labels of type NoneType"),
    "cut": (batch("a")[:-10], "no readable pickle"),
    "code": (pickle.dumps({"data": os.system}), f"names {os.name}.system"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_another_form_is_refused_even_unverified(tmp_path, files, kind):
    files["data_batch_2"], complaint = WRONG[kind]
    folder = lay(tmp_path / FOLDER, files)
    with pytest.raises(UserError, match=complaint) as caught:
        CIFAR10(str(tmp_path), verify=False).train()
    assert str(folder / "data_batch_2") in str(caught.value)


def test_other_classes_are_refused(tmp_path, files):
    files[META_FILE] = pickle.dumps({"label_names": [*CIFAR10.classes[:-1], "lorry"]})
    lay(tmp_path / FOLDER, files)
    with pytest.raises(UserError, match=r"batches\.meta does not list CIFAR-10's classes: airplane, .*, truck"):
        CIFAR10(str(tmp_path), verify=False).train()


def test_a_root_that_is_some_file(tmp_path, server, monkeypatch):
    official(monkeypatch, urls=(server.url,))
    path = tmp_path / "picture.png"
    path.touch()
    with pytest.raises(UserError, match=f"--data.root {path} is a file"):
        CIFAR10(str(path)).prepare()
    with pytest.raises(UserError, match=f"cannot make .*Not a directory: '{path}"):
        CIFAR10(str(path / "folder")).prepare()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs folders that even root cannot write")
@pytest.mark.parametrize("root", ["/sys/kernel", "/proc/self"])
def test_a_folder_that_cannot_be_written(monkeypatch, server, root):
    official(monkeypatch, urls=(server.url,))
    with pytest.raises(UserError, match=f"cannot make {root}/{ARCHIVE}: .*--data.root"):
        CIFAR10(root).prepare()
    assert server.requests == []


def test_the_copy_on_this_machine():
    folder = os.environ.get("PLCNN_CIFAR10")
    if folder is None:
        pytest.skip("PLCNN_CIFAR10 names no folder of CIFAR-10's size")
    source = CIFAR10(folder, verify=False)
    source.prepare()
    for (images, labels), count in ((source.train(), 50_000), (source.test(), 10_000)):
        assert images.shape == (count, 3, 32, 32)
        assert labels.bincount().tolist() == [count // 10] * 10
