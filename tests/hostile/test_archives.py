"""Archives and data files that are damaged or hostile: one clear error, nothing runs, nothing outside the folder."""

import gzip
import io
import os
import pickle
import tarfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile.damage import CODE, Calls, cuts, flips

from plcnn.data.published import safe_pickle
from plcnn.data.sources.cifar import CIFAR10
from plcnn.errors import UserError

EXAMPLES = int(os.environ.get("PLCNN_EXAMPLES", "60"))
FOLDER, ARCHIVE, MD5, META_FILE = CIFAR10.folder, CIFAR10.archive.name, CIFAR10.md5, CIFAR10.meta_file
PIXELS = np.random.default_rng(0).integers(256, size=(2, 3072), dtype=np.uint8)
BATCH = pickle.dumps({"data": PIXELS, "labels": [3, 9]}, 4)
FILES = {name: BATCH for name in MD5 if name != META_FILE} | {
    META_FILE: pickle.dumps({"label_names": list(CIFAR10.classes)}, 2)
}


def member(name: str, data: bytes = b"", **changes: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in changes.items():
        setattr(info, key, value)
    return info, data


def pack(*others: tuple[tarfile.TarInfo, bytes], first: bool = False, form: int = tarfile.PAX_FORMAT) -> bytes:
    """A whole archive, uncompressed, with other members before or after its own."""
    own = [member(FOLDER, type=tarfile.DIRTYPE), *(member(f"{FOLDER}/{name}", data) for name, data in FILES.items())]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for info, data in (*others, *own) if first else (*own, *others):
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture
def prepare(tmp_path: Path) -> Callable[[bytes], None]:
    """Unpack an archive in a folder of its own, and see that nothing was written but `cifar-10-batches-py`, whole."""
    root = tmp_path / "above" / "root"
    root.mkdir(parents=True)

    def run(archive: bytes) -> None:
        (root / ARCHIVE).write_bytes(archive)
        folder = root / FOLDER
        try:
            CIFAR10(str(root), verify=False).prepare()
            assert {path.name: path.read_bytes() for path in folder.iterdir()} == FILES
        except UserError as error:
            assert str(root / ARCHIVE) in str(error) and len(str(error).splitlines()) == 1
            assert not folder.exists()
            raise
        finally:
            assert {path.name for path in root.iterdir()} - {f".{FOLDER}.lock", FOLDER} == {ARCHIVE}
            assert sorted(path.name for path in tmp_path.rglob("*") if path.parent not in (root, folder)) == [
                "above",
                "root",
            ]
            assert not Path("/tmp/plcnn_attacked").exists()
            for path in sorted(folder.iterdir()) if folder.exists() else ():
                path.unlink()
            if folder.exists():
                folder.rmdir()

    return run


LINK = {"linkname": "/tmp/plcnn_attacked"}
HOSTILE: dict[str, list[tuple[tarfile.TarInfo, bytes]]] = {
    "an absolute name": [member("/tmp/plcnn_attacked", b"a")],
    "a name above": [member("../plcnn_attacked", b"a")],
    "a name above from within": [member(f"{FOLDER}/../../plcnn_attacked", b"a")],
    "a name that is itself again": [member(f"{FOLDER}/./test_batch", BATCH)],
    "two slashes": [member(f"{FOLDER}//test_batch", BATCH)],
    "backslashes": [member(f"{FOLDER}\\..\\plcnn_attacked", b"a")],
    "a symbolic link": [member(f"{FOLDER}/readme.html", type=tarfile.SYMTYPE, **LINK)],
    "a hard link": [member(f"{FOLDER}/readme.html", type=tarfile.LNKTYPE, **LINK)],
    "a hard link within": [member(f"{FOLDER}/readme.html", type=tarfile.LNKTYPE, linkname=f"{FOLDER}/test_batch")],
    "a file through a link": [
        member(f"{FOLDER}/readme.html", type=tarfile.SYMTYPE, linkname="/tmp"),
        member(f"{FOLDER}/readme.html/plcnn_attacked", b"a"),
    ],
    "a link for the folder": [member(FOLDER, type=tarfile.SYMTYPE, linkname="/tmp")],
    "a character device": [member(f"{FOLDER}/readme.html", type=tarfile.CHRTYPE, devmajor=1, devminor=5)],
    "a block device": [member(f"{FOLDER}/readme.html", type=tarfile.BLKTYPE, devmajor=8)],
    "a pipe": [member(f"{FOLDER}/readme.html", type=tarfile.FIFOTYPE)],
    "a folder for a file": [member(f"{FOLDER}/readme.html", type=tarfile.DIRTYPE)],
    "an unknown kind": [member(f"{FOLDER}/other", type=b"Z")],
    "a file twice": [member(f"{FOLDER}/test_batch", BATCH)],
    "another case": [member(f"{FOLDER}/TEST_BATCH", BATCH)],
    "another folder": [member("cifar-100-python/test_batch", BATCH)],
    "a folder of another case": [member(FOLDER.upper(), type=tarfile.DIRTYPE)],
    "no folder": [member("test_batch", BATCH)],
    "a deep folder": [member(f"{FOLDER}/a/test_batch", BATCH)],
    "a long name": [member(f"{FOLDER}/{'a' * 5000}", b"a")],
    "an empty name": [member("", b"a")],
    "a line in a name": [member(f"{FOLDER}/a\nb\x1b[1m", b"a")],
    "a name that is no text": [member(f"{FOLDER}/\udcff", b"a")],
    "a new name in a header": [member(f"{FOLDER}/readme.html", b"a", pax_headers={"path": "../plcnn_attacked"})],
    "a new target in a header": [
        member(f"{FOLDER}/readme.html", type=tarfile.SYMTYPE, linkname="a", pax_headers={"linkpath": "/tmp"})
    ],
    "holes": [
        member(
            f"{FOLDER}/readme.html",
            b"a",
            pax_headers={"GNU.sparse.major": "0", "GNU.sparse.map": "0,1", "GNU.sparse.size": "99"},
        )
    ],
    "endless holes": [
        member(f"{FOLDER}/readme.html", b"a", pax_headers={"GNU.sparse.map": "0,1", "GNU.sparse.size": str(2**60)})
    ],
    "a size in a header": [member(f"{FOLDER}/readme.html", b"a", pax_headers={"size": str(2**60)})],
}


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_member_is_refused_and_nothing_is_written(
    prepare: Callable[[bytes], None], kind: str, first: bool
) -> None:
    if kind == "a file twice" and first:
        pytest.skip("the same archive")
    with pytest.raises(UserError):
        prepare(gzip.compress(pack(*HOSTILE[kind], first=first), 1))


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_whole_archives_are_read_in_every_form(prepare: Callable[[bytes], None], form: int) -> None:
    whole = pack(form=form)
    prepare(gzip.compress(whole))
    half = len(whole) // 2
    prepare(gzip.compress(whole[:half]) + gzip.compress(whole[half:]))  # gzip's files may be joined
    prepare(gzip.compress(whole) + bytes(1000))  # and padded with zeros


def test_what_follows_an_archive_is_noticed(prepare: Callable[[bytes], None]) -> None:
    whole = gzip.compress(pack())
    for more in (b"garbage", b"\x1f\x8b", whole[:30], b"\x00garbage"):
        with pytest.raises(UserError):
            prepare(whole + more)


def test_archives_that_are_cut_or_damaged(prepare: Callable[[bytes], None]) -> None:
    """Every cut, and every bit of the compressed data, matters."""
    whole = gzip.compress(pack(), mtime=0)
    for data in (*cuts(whole, EXAMPLES), *flips(whole[10:], 2 * EXAMPLES)):
        with pytest.raises(UserError):
            prepare(data if data[:2] == b"\x1f\x8b" else whole[:10] + data)
    plain = pack()
    for data in cuts(plain[: plain.rindex(b"\1") + 1], EXAMPLES):
        with pytest.raises(UserError):
            prepare(gzip.compress(data, 1))


def test_headers_that_are_damaged_write_nothing_outside(prepare: Callable[[bytes], None]) -> None:
    plain = pack()
    for head in flips(plain[:1536], EXAMPLES):  # the folder's header, and the first file's
        try:
            prepare(gzip.compress(head + plain[1536:], 1))
        except UserError as error:
            assert ARCHIVE in str(error)
        except AssertionError:  # a changed file of the right name: what its checksum is for
            assert head[512:1536] != plain[512:1536]


def test_archives_that_swell_take_neither_time_nor_memory(
    prepare: Callable[[bytes], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = dict.fromkeys(CIFAR10.contents.largest_bytes, 1_000_000)
    monkeypatch.setattr(CIFAR10, "contents", CIFAR10.contents._replace(largest_bytes=limits))
    bombs = [
        gzip.compress(bytes(200_000_000), 1),
        gzip.compress(pack() + bytes(200_000_000), 1),
        gzip.compress(pack(member("a" * 50_000_000, b"")), 1),
        gzip.compress(pack(member(f"{FOLDER}/readme.html", bytes(100_000_000))), 1),
    ]
    for bomb in bombs:
        tracemalloc.start()
        started = time.monotonic()
        try:
            with pytest.raises(UserError):
                prepare(bomb)
            assert time.monotonic() - started < 10
            assert tracemalloc.get_traced_memory()[1] < 100_000_000
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("number", range(len(CODE)))
def test_code_in_a_data_file_does_not_run(tmp_path: Path, number: int) -> None:
    (tmp_path / "evil.py").write_text("import os; os.mkdir('attacked')")
    path = Path("data_batch_1")
    for data in (CODE[number], b"\x80\x02](" + CODE[number].removeprefix(b"\x80\x04").removeprefix(b"\x80\x02")):
        with pytest.raises(UserError, match="data_batch_1"):
            safe_pickle.loads(data, path)
        assert not Path("attacked").exists()


def test_calls_of_any_protocol_do_not_run() -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        for call in (Calls(os.mkdir, "attacked"), Calls(eval, "__import__('os').mkdir('attacked')")):
            for content in (call, {"data": call}, [call], {"data": PIXELS, "labels": [call]}):
                with pytest.raises(UserError):
                    safe_pickle.loads(pickle.dumps(content, protocol), Path("a"))
                assert not Path("attacked").exists()


def test_data_files_that_are_cut_or_damaged_are_errors_or_data() -> None:
    path = Path("data_batch_1")
    small = pickle.dumps({"data": PIXELS[:, :40], "labels": [3, 9]}, 2)
    for data in cuts(small, len(small)):
        with pytest.raises(UserError):
            safe_pickle.loads(data, path)
    for data in (*flips(small, 10 * EXAMPLES), *(CODE[0] + data for data in flips(small, EXAMPLES))):
        try:
            safe_pickle.loads(data, path)
        except UserError as error:
            assert str(path) in str(error) and len(str(error)) < 2000
    assert not Path("attacked").exists()
