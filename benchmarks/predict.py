"""Does `plcnn predict` keep the network busy? Pictures a second of it, of the network alone, and of reading alone.

    python benchmarks/predict.py
    python benchmarks/predict.py --pictures 5000 --photos 500

Takes turns, for files of the network's own size (PNG) and for photos (JPEG of 640 × 480): the network on pictures that
lie in memory, ready; reading the files alone, with as many worker processes; and the whole of `predict`, files in,
answers out, without Python's start. `of network` near 1 means that reading costs nothing; where it is the reading that
takes longer, `of reading` is near 1. On cores that both share, neither can be reached.
"""

import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import Report, median_ratio, parser, quiet, turn_by_turn


def written(folder: Path, kind: str, count: int) -> Path:
    """A folder with pictures of the embedded data set, as PNG of their own size or as photos."""
    from PIL import Image

    from plcnn.data.sources.shapes import Shapes

    images, _ = Shapes(train_size=10, test_size=min(count, 2000)).test()
    place = folder / kind
    place.mkdir()
    for number in range(count):
        picture = Image.fromarray(images[number % len(images)].permute(1, 2, 0).numpy())
        if kind == "photo":
            picture.resize((640, 480), Image.Resampling.BICUBIC).save(place / f"{number:05d}.jpg", quality=90)
        else:
            picture.save(place / f"{number:05d}.png")
    return place


def network(classifier: Any, images: Any, batch_size: int, device: Any) -> Callable[[], float]:
    """A function that computes logits of pictures in memory, and returns pictures a second."""
    from device import seconds

    from plcnn.inference import predict_logits

    return lambda: len(images) / seconds(lambda: predict_logits(classifier, images, None, batch_size), device)


def reading(place: Path, shape: tuple[int, int, int], batch_size: int, workers: int) -> Callable[[], float]:
    """A function that reads all files, and returns pictures a second."""
    from device import choose, seconds

    from plcnn.data.reading.picture_batches import PictureBatches

    batches = PictureBatches([str(place)], shape, batch_size, workers)
    return lambda: len(batches.pictures) / seconds(lambda: sum(1 for _ in batches), choose("cpu"))


def whole(classifier: Any, place: Path, batch_size: int, workers: int, accelerator: str) -> Callable[[], float]:
    """A function that predicts all files into a CSV file, and returns pictures a second."""
    from device import choose, seconds

    from plcnn.data.module import ImageData
    from plcnn.trainer import Trainer

    def predict() -> None:
        data = ImageData("shapes", pictures=str(place), batch_size=batch_size, workers=workers)
        trainer = Trainer(
            accelerator=accelerator, devices=1, logger=False, enable_progress_bar=False, enable_checkpointing=False
        )
        with tempfile.TemporaryDirectory() as folder:
            trainer.predict(classifier, datamodule=data, format="csv", output=f"{folder}/answers.csv")

    count = len(list(place.iterdir()))
    return lambda: count / seconds(predict, choose(accelerator))


def main(arguments: list[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument("--arch", default="keras_cnn", help="(default: keras_cnn)")
    options.add_argument("--pictures", type=int, default=5000, help="PNG files (default: 5000)")
    options.add_argument("--photos", type=int, default=500, help="JPEG files (default: 500)")
    options.add_argument("--batch_size", type=int, default=64)
    options.add_argument("--workers", type=int, default=2, help="that read (default: 2)")
    given = options.parse_args(arguments)

    from device import choose

    from plcnn.classifier import Classifier
    from plcnn.data.sources.shapes import Shapes

    device = choose(given.accelerator)
    report = Report(given, device=device)
    size, workers = given.batch_size, given.workers
    with quiet(), tempfile.TemporaryDirectory() as folder:
        source = Shapes(train_size=10, test_size=min(2000, given.pictures))
        classifier = Classifier(source.classes, source.image_shape, given.arch).to(device).eval()
        images = source.test()[0]
        for kind, count in (("PNG", given.pictures), ("photo", given.photos)):
            place = written(Path(folder), kind, count)
            sides = {
                "network": network(classifier, images[:count], size, device),
                "reading": reading(place, source.image_shape, size, workers),
                "predict": whole(classifier, place, size, workers, given.accelerator),
            }
            turn_by_turn(sides, 1)  # once in vain, so that all are warm
            turns = turn_by_turn(sides, given.repeats)
            for name, rates in turns.items():
                report.add(
                    **{
                        "pictures": f"{kind}: {name}",
                        "pictures/s": statistics.median(rates),
                        "of network": median_ratio(rates, turns["network"]),
                        "of reading": median_ratio(rates, turns["reading"]),
                    }
                )


if __name__ == "__main__":
    main()
