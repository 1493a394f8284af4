"""Pictures in batches: the same by worker processes and by none, and a bad one never takes others down."""

import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from plcnn.data.reading.picture_batches import PictureBatches
from plcnn.data.reading.pictures import read_picture
from plcnn.errors import UserError

IMAGES = np.random.default_rng(0).integers(256, size=(7, 6, 6, 3), dtype=np.uint8)


def write(folder: str = "mine") -> None:
    Path(folder).mkdir()
    for number, image in enumerate(IMAGES):
        Image.fromarray(image).save(f"{folder}/{number}.png")


@pytest.mark.parametrize("workers", [0, 2])
def test_bad_pictures_are_passed_over_and_named(workers: int) -> None:
    write()
    for number in (0, 2, 3):  # the second batch has no good one
        Path(f"mine/{number}.png").write_bytes(b"")
    np.save("more.npy", IMAGES)
    batches = PictureBatches(["mine", "nowhere.png", "more.npy"], (3, 6, 6), 2, workers)
    for _ in range(2):  # and again, nothing is named twice
        read = list(batches)
        assert all(len(batch.images) for batch in read)
        names = [meant.name for batch in read for meant in batch.pictures]
        assert names == [*(f"mine/{n}.png" for n in (1, 4, 5, 6)), *(f"more.npy[{n}]" for n in range(7))]
        expected = torch.from_numpy(np.concatenate([IMAGES[[1, 4, 5, 6]], IMAGES])).permute(0, 3, 1, 2)
        assert torch.equal(torch.cat([batch.images for batch in read]), expected)
        with pytest.raises(UserError) as caught:
            batches.raise_faults()
        words = [f"mine/{n}.png (no picture)" for n in (0, 2, 3)]
        missing = "nowhere.png (no such file or folder)"
        assert str(caught.value) == f"4 of 15 pictures cannot be read: {'; '.join([missing, *words])}"


def test_nothing_but_mistakes_ends_at_once() -> None:
    Path("empty").mkdir()
    with pytest.raises(UserError, match=r"2 of 2 pictures .*empty \(a folder without pictures\); none.png"):
        PictureBatches(["empty", "none.png"], (3, 6, 6), 2, 0)


def test_only_a_few_batches_are_in_memory_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    write()
    read: list[object] = []
    monkeypatch.setattr("plcnn.data.reading.picture_batches.image_of", lambda p, *to: read.append(p) or IMAGES[0])
    iterator = iter(PictureBatches(["mine"], (3, 6, 6), 2, 0))
    next(iterator)
    assert len(read) == 2


def test_threads_may_read_at_once_and_leave_warnings_and_the_error_stream_alone(
    capfd: pytest.CaptureFixture[str],
) -> None:
    Image.fromarray(IMAGES[0]).save("a.tif", compression="tiff_lzw")
    data = Path("a.tif").read_bytes()
    Path("cut.tif").write_bytes(data[: len(data) // 2])
    filters = list(warnings.filters)

    def read() -> None:
        for _ in range(40):
            for name in ("a.tif", "cut.tif"):
                try:
                    read_picture(Path(name), (3, 6, 6))
                except Exception:
                    continue

    threads = [threading.Thread(target=read) for _ in range(4)]
    before, interval = sys.getswitchinterval(), 1e-5
    sys.setswitchinterval(interval)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(before)
    assert warnings.filters == filters
    print("still there", file=sys.stderr, flush=True)
    assert capfd.readouterr().err == "still there\n"
