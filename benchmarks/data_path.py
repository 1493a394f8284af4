"""Does the data path keep up? Pictures a second of loader and augmentations alone, against the training that eats them.

    python benchmarks/data_path.py
    python benchmarks/data_path.py --root data --pictures 12800

Takes turns: plcnn's loader with each registered augmentation, on the device that trains; torchvision's v2 transforms
on one picture at a time in a DataLoader with worker processes, two pipelines; and keras_cnn's training steps on a
batch that stands still. `of training` above 1 means that the data comes faster than the network takes it; plcnn's runs
in the training's own threads, so 1 / (1 + 1 / it) is the share of an epoch that is left for the network.
"""

import statistics
from collections.abc import Callable
from typing import Any

from common import SHAPES, Report, add_root, image_data, median_ratio, parser, quiet, turn_by_turn

import plcnn


def names() -> list[str]:
    """The registered augmentations."""
    from plcnn.data.augmentations import augmentations

    return list(augmentations.names())


def plcnn_loader(data: Any, accelerator: str) -> Any:
    """The training loader as the trainer gets it, its pictures on the device."""
    import lightning.pytorch as pl

    data.trainer = pl.Trainer(
        accelerator=accelerator, devices=1, logger=False, enable_checkpointing=False, enable_progress_bar=False
    )
    return data.train_dataloader()


def torchvision_loader(images: Any, labels: Any, kind: str, batch_size: int, workers: int) -> Any:
    """A DataLoader whose workers change one picture at a time."""
    import torch
    from torchvision.transforms import v2

    shift_zoom = v2.RandomAffine(0, translate=(0.2, 0.2), scale=(0.8, 1.2), interpolation=v2.InterpolationMode.BILINEAR)
    move = shift_zoom if kind == "shift, zoom, flip" else v2.RandomCrop(images.shape[-1], padding=4)
    change = v2.Compose([move, v2.RandomHorizontalFlip(), v2.ToDtype(torch.float32, scale=True)])

    class Pictures(torch.utils.data.Dataset[Any]):
        def __len__(self) -> int:
            return len(images)

        def __getitem__(self, i: int) -> Any:
            return change(images[i]), labels[i]

    return torch.utils.data.DataLoader(
        Pictures(), batch_size, shuffle=True, num_workers=workers, persistent_workers=workers > 0
    )


def passes(loader: Any, most: int, device: Any) -> Callable[[], float]:
    """A function that reads the loader until so many pictures were read, and returns pictures a second."""
    from device import seconds

    def read() -> int:
        count = 0
        for batch in loader:
            count += len(batch[1])
            if count >= most:
                break
        return count

    def measure() -> float:
        counts: list[int] = []
        return 1 / (seconds(lambda: counts.append(read()), device) / counts[0])

    measure()
    return measure


def training(images: Any, labels: Any, precision: str, device: Any, most: int) -> Callable[[], float]:
    """A function that trains keras_cnn on one batch again and again, and returns pictures a second."""
    import torch
    from device import Steps, seconds

    network = plcnn.build("keras_cnn", num_classes=10).to(device).to(memory_format=torch.channels_last)
    steps = Steps(network, precision, device)
    images = (images.float() / 255).to(device, memory_format=torch.channels_last)
    labels, count = labels.to(device), max(1, most // len(images))

    def measure() -> float:
        return count * len(images) / seconds(lambda: [steps.train(images, labels) for _ in range(count)], device)

    measure()
    return measure


def main(arguments: list[str] | None = None) -> None:
    options = parser(__doc__)
    add_root(options)
    options.add_argument("--augments", nargs="+", help="names (default: all that are registered)")
    options.add_argument("--batch_size", type=int, default=64)
    options.add_argument("--pictures", type=int, default=SHAPES, help="a turn; of the embedded shapes, all there are")
    options.add_argument("--workers", type=int, default=2, help="of the DataLoader (default: 2)")
    options.add_argument("--precision", default="32-true", help="of the training (default: 32-true)")
    given = options.parse_args(arguments)

    import torch
    from device import choose

    device = choose(given.accelerator)
    report = Report(given, device=device)
    most = given.pictures * 9 // 10
    with quiet():
        plain = image_data(given.root, given.pictures, batch_size=given.batch_size)
        batches = list(plain.train_dataloader())
        images, labels = (torch.cat([batch[i] for batch in batches]).contiguous() for i in (0, 1))
        sides = {"keras_cnn's training": training(batches[0].images, batches[0].labels, given.precision, device, most)}
        for name in given.augments or names():
            data = image_data(given.root, given.pictures, batch_size=given.batch_size, augment=name)
            sides[f"plcnn {name}"] = passes(plcnn_loader(data, given.accelerator), most, device)
        for kind in ("shift, zoom, flip", "crop, flip"):
            loader = torchvision_loader(images, labels, kind, given.batch_size, given.workers)
            sides[f"DataLoader {kind}"] = passes(loader, most, device)
        turns = turn_by_turn(sides, given.repeats)
    first = next(iter(turns.values()))
    for name, rates in turns.items():
        report.add(
            **{"data path": name, "pictures/s": statistics.median(rates), "of training": median_ratio(rates, first)}
        )


if __name__ == "__main__":
    main()
