"""Archives of many files, .tar, .tar.gz and .zip, that are damaged or hostile: nothing is written but what belongs."""

import gzip
import io
import os
import shutil
import stat
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hostile.damage import cuts, flips

from plcnn.data.published.unpack import MARK, Tree, unpack
from plcnn.errors import UserError

EXAMPLES = int(os.environ.get("PLCNN_EXAMPLES", "40"))
TREE = Tree(("train/*/*.png", "val/list.txt"), most_files=20, most_bytes=1_000_000)
FILES = {"train/cat/a.png": b"a" * 1000, "train/dog/b.png": b"b" * 10, "val/list.txt": b"c"}
FORMATS = ("tar", "tar.gz", "zip")
Unpack = Callable[..., None]
Member = tuple[str, bytes, int]
"""Name, content, and the kind of file as `stat` has it."""


def pack(form: str, members: list[Member], top: str = "set/") -> bytes:
    """An archive with folders, files and links, as it is written."""
    buffer = io.BytesIO()
    if form == "zip":
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as whole:
            for name, data, kind in members:
                info = zipfile.ZipInfo(top + name + "/" * (kind == stat.S_IFDIR))
                info.external_attr, info.compress_type = kind << 16, zipfile.ZIP_DEFLATED
                whole.writestr(info, data)
        return buffer.getvalue()
    kinds = {stat.S_IFDIR: tarfile.DIRTYPE, stat.S_IFLNK: tarfile.SYMTYPE, stat.S_IFIFO: tarfile.FIFOTYPE}
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data, kind in members:
            info = tarfile.TarInfo(top + name)
            info.type = kinds.get(kind, tarfile.REGTYPE)
            info.size, info.linkname = (0, data.decode()) if kind == stat.S_IFLNK else (len(data), "")
            tar.addfile(info, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), 1) if form == "tar.gz" else buffer.getvalue()


def files(content: dict[str, bytes]) -> list[Member]:
    return [(name, data, stat.S_IFREG) for name, data in content.items()]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Unpack:
    """Unpack, and see that nothing was written but the whole folder, or nothing at all."""
    root = tmp_path / "above" / "root"
    root.mkdir(parents=True)
    monkeypatch.setattr("os.sync", lambda: None)

    def unpack_it(archive: bytes, expected: dict[str, bytes] | None = FILES, **more: Any) -> None:
        (root / "archive").write_bytes(archive)
        folder = root / "set"
        try:
            unpack(root / "archive", folder, TREE, **more)
            found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if not path.is_dir()}
            content = {name: path.read_bytes() for name, path in found.items() if name != MARK}
            assert content == expected or expected is None
        except UserError as error:
            assert str(root / "archive") in str(error) and len(str(error).splitlines()) == 1
            assert not folder.exists()
            raise
        finally:
            assert {path.name for path in root.iterdir()} - {".set.lock", "set"} == {"archive"}
            assert [path.name for path in tmp_path.iterdir()] == ["above"]
            assert not Path("/tmp/plcnn_attacked").exists()
            shutil.rmtree(folder, ignore_errors=True)

    return unpack_it


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("top", ["set/", "", "./"])
def test_whole_archives_are_unpacked_and_the_rest_left_out(run: Unpack, form: str, top: str) -> None:
    more = {"README": b"x", "train/cat/a.jpg": b"x", "train/cat/deep/a.png": b"x", "train/cat/.a.png": b"x"}
    members = [("train", b"", stat.S_IFDIR), *files(FILES | more)]
    run(pack(form, members, top))


HOSTILE: dict[str, tuple[Member, str]] = {
    "a name above": (("../../plcnn_attacked", b"a", stat.S_IFREG), "leads elsewhere"),
    "a name above from within": (("train/../../../b.png", b"a", stat.S_IFREG), "leads elsewhere"),
    "two points for a class": (("train/../b.png", b"a", stat.S_IFREG), "leads elsewhere"),
    "a backslash": (("train/cat/..\\..\\b.png", b"a", stat.S_IFREG), "leads elsewhere"),
    "two slashes": (("train//b.png", b"a", stat.S_IFREG), "leads elsewhere"),
    "a long name": ((f"train/cat/{'a' * 300}.png", b"a", stat.S_IFREG), "leads elsewhere"),
    "a link": (("train/cat/c.png", b"/tmp/plcnn_attacked", stat.S_IFLNK), "no plain file"),
    "a link for a folder": (("train/cow", b"/tmp", stat.S_IFLNK), "no plain file"),
    "a pipe": (("train/cat/c.png", b"", stat.S_IFIFO), "no plain file"),
    "a file twice": (("train/cat/a.png", b"other", stat.S_IFREG), "is in it twice"),
    "a large file": (("train/cat/c.png", bytes(1_000_000), stat.S_IFREG), "far more than it should"),
    "a large file that is left out": (("other", bytes(1_000_000), stat.S_IFREG), "far more than it should"),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_member_is_refused(run: Unpack, form: str, kind: str) -> None:
    member, words = HOSTILE[kind]
    for members in ([*files(FILES), member], [member, *files(FILES)]):
        with pytest.raises(UserError, match=words):
            run(pack(form, members))


@pytest.mark.parametrize("form", FORMATS)
def test_absolute_names_too_many_members_and_missing_ones(run: Unpack, form: str) -> None:
    with pytest.raises(UserError, match="leads elsewhere"):
        run(pack(form, [("/tmp/plcnn_attacked", b"a", stat.S_IFREG)], ""))
    with pytest.raises(UserError, match="far more than it should"):
        run(pack(form, [*files(FILES), *files({f"other/{number}": b"" for number in range(20)})]))
    with pytest.raises(UserError, match=r"it lacks val/list\.txt"):
        run(pack(form, files({"train/cat/a.png": b"a"})))


@pytest.mark.parametrize("form", FORMATS)
def test_archives_that_are_cut_or_damaged(run: Unpack, form: str) -> None:
    """Cut ones are refused. Of damaged ones that are not, for tar has no checksums, nothing lands elsewhere."""
    whole = pack(form, files(FILES))
    for data in cuts(whole[: whole.rindex(b"c" + bytes(511)) + 1] if form == "tar" else whole, EXAMPLES):
        with pytest.raises(UserError):
            run(data)
    for data in flips(whole, EXAMPLES):
        with suppress(UserError):
            run(data, None)


def test_bombs_take_no_memory(run: Unpack) -> None:
    lying = bytearray(pack("zip", files(FILES | {"train/cat/c.png": bytes(5_000_000)})))
    for place in range(len(lying) - 4):  # both places where the size stands say 10 bytes
        if lying[place : place + 4] == (5_000_000).to_bytes(4, "little"):
            lying[place : place + 4] = (10).to_bytes(4, "little")
    bombs = [gzip.compress(bytes(100_000_000), 1), bytes(lying)]
    bombs.append(pack("zip", files({"train/cat/a.png": bytes(50_000_000)})))
    for bomb in bombs:
        tracemalloc.start()
        try:
            with pytest.raises(UserError):
                run(bomb)
            assert tracemalloc.get_traced_memory()[1] < 30_000_000
        finally:
            tracemalloc.stop()


def test_encrypted_and_foreign_zip_files(run: Unpack) -> None:
    whole = bytearray(pack("zip", files(FILES)))
    encrypted, foreign = bytearray(whole), bytearray(whole)
    for start, flags, method in ((b"PK\3\4", 6, 8), (b"PK\1\2", 8, 10)):
        place = -1
        while (place := whole.find(start, place + 1)) >= 0:
            encrypted[place + flags] |= 1
            foreign[place + method] = 97
    with pytest.raises(UserError, match="encrypted"):
        run(bytes(encrypted))
    with pytest.raises(UserError, match="compression"):
        run(bytes(foreign))
