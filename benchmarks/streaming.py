"""What do pictures in files cost? Pictures a second, decoded anew each epoch or prepared once; and memory.

    python benchmarks/streaming.py
    python benchmarks/streaming.py --root photos --image_size 224 --pictures 2000
    python benchmarks/streaming.py --kind small --image_size 32 --pictures 20000

Takes turns: decoding and resizing alone, in as many processes as read for the training, which hand nothing on; the
training loader's two epochs with the pictures streamed by worker processes; its first epoch where the pictures are
prepared on the way, as a first `plcnn fit` does, and two from the prepared file; and two from an array in memory. No
network. `of decoding` near 1 means that handing the pictures on costs nothing.

The memory is the largest of this process and its children together (proportional set size, which counts shared pages
once), and that of them which is not the mapped file's: it is flat from the first to the second epoch where nothing
piles up. Without `--root`, pictures are made: photos (500 × 376, JPEG) or small ones (32 × 32).
"""

import os
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from common import Report, median_ratio, parser, quiet, turn_by_turn

KINDS = {"photo": (500, 376), "small": (32, 32)}


class Epoch(NamedTuple):
    """What an epoch took.

    Attributes:
        rate: pictures a second.
        mib: the most memory of all processes together, without files that are mapped.
    """

    rate: float
    mib: float


def written(folder: Path, kind: str, count: int) -> Path:
    """A folder with JPEGs of the embedded data set's pictures."""
    from PIL import Image

    from plcnn.data.sources.shapes import Shapes

    images, _ = Shapes(train_size=10, test_size=min(count, 2000)).test()
    (place := folder / "pictures").mkdir()
    for number in range(count):
        picture = Image.fromarray(images[number % len(images)].permute(1, 2, 0).numpy())
        picture.resize(KINDS[kind], Image.Resampling.BICUBIC).save(place / f"{number:06d}.jpg", quality=90)
    return place


def memory() -> float:
    """MiB of this process and its children that no file stands behind; shared pages count once."""
    total, numbers = 0, [str(os.getpid())]
    for number in numbers:
        with suppress(OSError):  # it has ended meanwhile
            for task in Path(f"/proc/{number}/task").iterdir():
                numbers += (task / "children").read_text().split()
            lines = Path(f"/proc/{number}/smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith(("Pss_Anon", "Pss_Shmem")))
    return total / 1024


@contextmanager
def watched() -> Iterator[list[float]]:
    """Look at the memory all the while; the list ends up with the largest value."""
    most, ended = [0.0], threading.Event()

    def watch() -> None:
        while True:
            most[0] = max(most[0], memory() if Path("/proc/self/smaps_rollup").exists() else 0)
            if ended.wait(0.2):
                return

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield most
    finally:
        ended.set()
        watcher.join()


def epochs(count: int, *passes: Callable[[], Any]) -> list[Epoch]:
    """Measure passes over the pictures, one after the other."""
    measured = []
    for one in passes:
        with watched() as most:
            started = time.perf_counter()
            one()
            seconds = time.perf_counter() - started
        measured.append(Epoch(count / seconds, most[0]))
    return measured


def decode(store: Any, start: int) -> None:
    import torch

    store.read(torch.arange(start, min(start + 64, len(store))))


def main(arguments: list[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument("--root", type=Path, help="folder of pictures (default: some are made)")
    options.add_argument("--kind", choices=KINDS, default="photo", help="of those that are made (default: photo)")
    options.add_argument("--pictures", type=int, default=2000, help="at most (default: 2000)")
    options.add_argument("--image_size", type=int, default=224, help="that they are brought to (default: 224)")
    options.add_argument("--batch_size", type=int, default=64)
    options.add_argument("--workers", type=int, help="that read (default: a core each)")
    given = options.parse_args(arguments)

    import torch

    from plcnn.compute import usable_cores
    from plcnn.data.kept.cache import prepared
    from plcnn.data.kept.stores import Fitted, Part
    from plcnn.data.loader import BatchLoader
    from plcnn.data.reading.picture_files import PictureFiles
    from plcnn.data.reading.pictures import in_folder
    from plcnn.data.workers import Workers

    workers = given.workers or usable_cores()
    report = Report(given, workers=workers)
    with quiet(), tempfile.TemporaryDirectory() as folder:
        root = given.root or written(Path(folder), given.kind, given.pictures)
        files = PictureFiles(in_folder(root)[: given.pictures], root)
        shape, count = (3, given.image_size, given.image_size), len(files)
        store, labels = Fitted(files, shape), torch.zeros(len(files), dtype=torch.int64)

        def decoding() -> list[Epoch]:
            with Workers(partial(decode, store), workers) as crew:
                return epochs(count, lambda: list(crew.results(range(0, count, 64))))

        def loading(images: Any, place: Any) -> list[Epoch]:
            loader = BatchLoader(images, labels, given.batch_size, train=True, place=place, workers=workers)

            def read() -> None:
                for _ in loader:
                    pass

            return epochs(count, read, read)

        def preparing() -> list[Epoch]:
            kept = Path(folder) / "kept"
            shutil.rmtree(kept, ignore_errors=True)
            made: list[Any] = []
            first = epochs(count, lambda: made.append(prepared(files, shape, "stretch", kept, 1000).images))
            return first + loading(made[0], "device")

        array: list[Any] = []

        def from_array() -> list[Epoch]:
            if not array:
                array.append(store.read(torch.arange(count)))
            return loading(array[0], "device")

        sides = {
            "decoding alone": decoding,
            "streamed": lambda: loading(Part(store), "workers"),
            "prepared": preparing,
            "array": from_array,
        }
        turns = turn_by_turn(sides, given.repeats)
    names = {
        "decoding alone": ["decoding alone"],
        "streamed": ["streamed, epoch 1", "streamed, epoch 2"],
        "prepared": ["preparing", "prepared, epoch 1", "prepared, epoch 2"],
        "array": ["array, epoch 1", "array, epoch 2"],
    }
    alone = [turn[0].rate for turn in turns["decoding alone"]]
    for side, parts in names.items():
        for number, name in enumerate(parts):
            measured = [turn[number] for turn in turns[side]]
            rates = [epoch.rate for epoch in measured]
            report.add(
                **{
                    "pictures": name,
                    "pictures/s": statistics.median(rates),
                    "of decoding": median_ratio(rates, alone),
                    "MiB": max(epoch.mib for epoch in measured),
                }
            )


if __name__ == "__main__":
    main()
