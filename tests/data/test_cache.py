"""Prepared sets: read once, found again, made anew when a picture or the file changed, within a limit, or not kept."""

import errno
import math
import multiprocessing
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from plcnn.data.kept import cache, survey
from plcnn.data.kept import cache_folder as folder_of_sets
from plcnn.data.kept.cache import PIXELS, Prepared, prepared
from plcnn.data.kept.cache_folder import GB, cache_folder, sample
from plcnn.data.kept.fingerprints import fingerprint
from plcnn.data.kept.stores import Chosen, Fitted, Held, Part, Several, take
from plcnn.data.loader import BatchLoader
from plcnn.data.reading.picture_files import PictureFiles
from plcnn.errors import UserError
from plcnn.terminal import in_bytes

SHAPE = (3, 8, 6)
COUNT = 40
SIZE = in_bytes(COUNT * math.prod(SHAPE))
FORK = multiprocessing.get_context("fork")


class Store(PictureFiles):
    """Files; each one that is opened is written down, by whichever process."""

    def __init__(self, count: int = COUNT, seconds: float = 0, root: Path = Path("set")) -> None:
        super().__init__([Path("set", f"{number:03d}.png") for number in range(count)], root)
        self.seconds = seconds

    def picture(self, index: int) -> Path:
        if fingerprinting():
            return super().picture(index)
        with open("opened", "a") as file:
            file.write(f"{index}\n")
        time.sleep(self.seconds)
        return super().picture(index)


def fingerprinting() -> bool:
    import sys

    frame = sys._getframe(2)
    return frame.f_globals["__name__"] == fingerprint.__module__


def times_opened() -> Counter[int]:
    return Counter(map(int, Path("opened").read_text().split())) if Path("opened").exists() else Counter()


@pytest.fixture(autouse=True)
def _set(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder of pictures, and one process that reads them."""
    Path("set").mkdir()
    random = np.random.default_rng(0)
    for number in range(COUNT):
        values = random.integers(256, size=(*random.integers(5, 20, size=2), 3), dtype=np.uint8)
        Image.fromarray(values).save(f"set/{number:03d}.png")
    monkeypatch.setattr(survey, "usable_cores", lambda: 1)
    monkeypatch.setattr(cache, "_LEFT_FREE", 0)
    yield


def prepare(store: Any = None, gb: float = 1, **settings: Any) -> Prepared:
    store = Store() if store is None else store
    return prepared(store, settings.get("shape", SHAPE), settings.get("resize", "stretch"), "kept", gb)


def expected() -> torch.Tensor:
    return Fitted(PictureFiles([Path(f"set/{n:03d}.png") for n in range(COUNT)], Path("set")), SHAPE).read(
        torch.arange(COUNT)
    )


def folders() -> list[Path]:
    return [path for path in Path("kept").iterdir() if path.is_dir()]


def test_pictures_are_read_once() -> None:
    first, second = prepare(), prepare()
    assert set(times_opened().values()) == {1} and len(times_opened()) == COUNT
    for made in (first, second):
        assert isinstance(made.images, torch.Tensor) and torch.equal(made.images, expected())
        assert len(made.survey.sums) == COUNT and str(folders()[0]) in made.words
    assert [path.name for path in Path("kept").iterdir() if ".part" in path.name] == []


def test_batches_are_the_same_from_file_memory_and_stream() -> None:
    labels = torch.arange(COUNT)
    rows = torch.tensor([*range(0, COUNT, 3), *range(1, COUNT, 3)]).sort().values
    batches = []
    kept, streamed = prepare().images, prepare(gb=0).images
    assert isinstance(streamed, Fitted)
    for images, place, workers in (
        (expected()[rows], "device", 0),
        (take(kept, rows), "device", 0),
        (Part(Held(kept), rows), "host", 0),
        (Part(streamed, rows), "host", 0),
        (Part(streamed, rows), "workers", 2),
    ):
        loader = BatchLoader(images, labels[rows], 4, train=True, seed=3, place=place, workers=workers)  # type: ignore[arg-type]
        batches.append([(batch.images, batch.labels) for epoch in range(2) for batch in loader])
    for other in batches[1:]:
        assert all(torch.equal(a, c) and torch.equal(b, d) for (a, b), (c, d) in zip(batches[0], other, strict=True))


def changed() -> None:
    Image.new("RGB", (9, 9)).save("set/003.png")


def touched() -> None:
    os.utime("set/003.png", ns=(1, 1))


@pytest.mark.parametrize(
    "other",
    [
        lambda: changed(),
        lambda: touched(),
        lambda: {"store": Store(COUNT - 1)},
        lambda: {"store": Store(root=Path())},
        lambda: {"store": Chosen(Store(), [*range(1, COUNT), 0])},
        lambda: {"shape": (3, 6, 8)},
        lambda: {"shape": (1, 8, 6)},
        lambda: {"resize": "crop"},
    ],
    ids=["changed", "touched", "removed", "names", "order", "size", "channels", "resize"],
)
def test_another_set_has_another_key(other: Callable[[], dict[str, Any] | None]) -> None:
    prepare()
    prepare(**(other() or {}))
    assert len(folders()) == 2 and min(times_opened().values()) >= 1 and sum(times_opened().values()) >= 2 * COUNT - 1


def test_another_decoder_has_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    prepare()
    monkeypatch.setattr(cache, "decoder_version", lambda: "other")
    prepare()
    assert len(folders()) == 2


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 1)


def zeroed(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


def emptied(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize("name", [PIXELS, "survey.npz", "record.json"])
@pytest.mark.parametrize("damage", [cut, zeroed, emptied, Path.unlink])
def test_a_damaged_file_is_made_anew(name: str, damage: Callable[[Path], None]) -> None:
    prepare()
    if name == "record.json" and damage is cut:
        pytest.skip("its last byte is a line feed")
    damage(folders()[0] / name)
    again = prepare()
    assert isinstance(again.images, torch.Tensor) and torch.equal(again.images, expected())
    assert set(times_opened().values()) == {2} and len(folders()) == 1
    prepare()
    assert set(times_opened().values()) == {2}


def test_a_large_file_is_sampled_over_its_whole_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_of_sets, "_BLOCK", 64)
    monkeypatch.setattr(folder_of_sets, "_MOST_BLOCKS", 8)
    file = Path("file")
    content = bytes(range(256)) * 40
    file.write_bytes(content)
    written = sample(file)
    for place in (0, 10239, 10239 - 63, 5120):
        file.write_bytes(content[:place] + b"x" + content[place + 1 :])
        assert sample(file) != written, place
    file.write_bytes(content + b"x")
    assert sample(file) != written


def test_a_killed_writer_leaves_nothing_that_counts() -> None:
    process = FORK.Process(target=prepare, args=(Store(seconds=0.2),))
    process.start()
    while not times_opened():
        time.sleep(0.01)
    process.kill()
    process.join()
    assert list(Path("kept").glob(".*.part"))
    made = prepare()
    assert isinstance(made.images, torch.Tensor) and torch.equal(made.images, expected())
    assert not list(Path("kept").glob(".*.part"))


def test_what_a_killed_writer_of_another_set_left_is_removed() -> None:
    process = FORK.Process(target=prepare, args=(Store(seconds=0.2),))
    process.start()
    while not times_opened():
        time.sleep(0.01)
    prepare(shape=(3, 4, 4))
    assert len(list(Path("kept").glob(".*.part"))) == 1  # it is still at work
    process.kill()
    process.join()
    prepare(shape=(3, 5, 5))
    assert not list(Path("kept").glob(".*.part"))


def test_two_processes_read_once() -> None:
    processes = [FORK.Process(target=prepare, args=(Store(seconds=0.005),)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0] and set(times_opened().values()) == {1}


def test_the_least_recently_used_make_room(capfd: pytest.CaptureFixture[str]) -> None:
    size = COUNT * 48
    with_survey = None
    for number, height in enumerate((8, 16, 24)):
        prepare(shape=(3, height, 6))
        folder = max(folders(), key=lambda path: path.stat().st_mtime_ns)
        os.utime(folder, (number + 1, number + 1))
        with_survey = with_survey or sum(file.stat().st_size for file in folder.iterdir()) - size * 3
    first = {path.name for path in folders()}
    prepare(shape=(3, 8, 6))  # used again: the second one is now the oldest
    assert capfd.readouterr().err == ""
    small = sum(file.stat().st_size for folder in folders() for file in folder.iterdir())
    prepare(shape=(3, 4, 6), gb=small / GB)
    gone = first - {path.name for path in folders()}
    assert len(gone) == 1 and len(folders()) == 3
    assert "were removed from kept to make room" in capfd.readouterr().err
    prepare(shape=(3, 8, 6))
    assert len(folders()) == 3  # it was kept


@pytest.mark.parametrize(
    ("gb", "words"), [(0, "--data.cache_gb 0"), (1e-6, f"{SIZE}, more than --data.cache_gb 1e-06")]
)
def test_a_set_beyond_the_limit_is_streamed_and_surveyed_once(gb: float, words: str) -> None:
    for _ in range(2):
        made = prepare(gb=gb)
        assert isinstance(made.images, Fitted) and words in made.words and made.survey.sums.all()
    assert set(times_opened().values()) == {1}
    assert not list(Path("kept").rglob(PIXELS))
    assert isinstance(prepare().images, torch.Tensor)
    assert isinstance(prepare(gb=gb).images, Fitted)
    assert set(times_opened().values()) == {2}


def test_no_room_on_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(".")._replace(free=1000)
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda place: usage)
    made = prepare()
    assert isinstance(made.images, Fitted) and "the disk of . has 1.0 kB free" in made.words


def test_a_disk_that_fills_up_costs_the_kept_pictures_alone(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(folder_of_sets.os, "posix_fallocate", full)
    made = prepare()
    assert isinstance(made.images, Fitted) and made.words == "read anew each epoch: No space left on device"
    assert capfd.readouterr().err.startswith(f"warning: pictures are not kept: {SIZE} in kept: No space left on device")
    assert made.survey.sums.all()


def test_a_folder_that_cannot_be_written(capfd: pytest.CaptureFixture[str]) -> None:
    Path("kept").write_text("a file")
    made = prepare()
    assert isinstance(made.images, Fitted) and "kept cannot be written" in made.words
    assert set(times_opened().values()) == {1} and torch.equal(made.images.read(torch.arange(COUNT)), expected())
    assert capfd.readouterr().err.startswith("warning: pictures are not kept: kept cannot be written: ")


def test_a_disk_that_is_full_at_the_end_costs_no_second_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(survey.Survey, "save", full)
    made = prepare()
    assert isinstance(made.images, Fitted) and "cannot be written: No space left on device" in made.words
    assert set(times_opened().values()) == {1} and made.survey.sums.all() and not folders()


def test_a_fault_is_looked_at_again() -> None:
    content = Path("set/003.png").read_bytes()
    stat = Path("set/003.png").stat()
    Path("set/003.png").write_bytes(bytes(len(content)))
    os.utime("set/003.png", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert list(prepare().survey.faults) == [3] and list(prepare().survey.faults) == [3]
    assert times_opened()[4] == 1
    Path("set/003.png").write_bytes(content)
    os.utime("set/003.png", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    made = prepare()
    assert made.survey.faults == {} and torch.equal(made.images, expected())  # type: ignore[arg-type]


def test_what_has_no_picture_or_tells_no_change_is_not_kept() -> None:
    assert isinstance(prepare(Store(0)).images, Fitted)

    class Custom:
        shape = (3, 4, 4)

        def __len__(self) -> int:
            return 5

        def read(self, indices: torch.Tensor) -> torch.Tensor:
            return torch.zeros(len(indices), *self.shape, dtype=torch.uint8)

    made = prepare(Several(Custom()))
    assert "does not tell whether they have changed" in made.words and len(made.survey.sums) == 5
    assert fingerprint(Chosen(Several(Custom()), [1])) is None
    custom = Custom()
    custom.fingerprint = "one"  # type: ignore[attr-defined]
    assert isinstance(prepare(Several(custom)).images, torch.Tensor)


def test_pictures_in_memory_count_by_content() -> None:
    values = torch.arange(4 * 3 * 4 * 4, dtype=torch.uint8).reshape(4, 3, 4, 4)
    one = fingerprint(Several(values))
    assert one == fingerprint(Several(values.clone())) != fingerprint(Several(values.flip(0)))
    assert fingerprint(Chosen(Several(values), [1, 2])) != fingerprint(Chosen(Several(values), [2, 1]))
    assert prepare(Several(values)).survey.faults == {}


def test_the_folder_is_in_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/plcnn/pictures")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert cache_folder() == Path("/home/me/.cache/plcnn/pictures") and cache_folder("~/x") == Path("/home/me/x")


def test_a_dead_reader_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def dead(*_: object) -> None:
        raise UserError("died")

    monkeypatch.setattr(cache, "survey", dead)
    with pytest.raises(UserError, match="died"):
        prepare()
    assert not folders()
