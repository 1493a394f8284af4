"""The data module: a source of pictures, split, batched and augmented for the trainer."""

from functools import partial
from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from plcnn.data.augmentations import Augment, Augmentation, augmentations
from plcnn.data.keep import Keep, Place, place_of
from plcnn.data.loader import Batch, BatchLoader
from plcnn.data.meant import STANDARD_INPUT
from plcnn.data.mixing import Mix, Mixing
from plcnn.data.picture_batches import PictureBatch, PictureBatches, read_standard_input
from plcnn.data.sources import PictureSource, Source, sources
from plcnn.data.split import SplitKind, check_fraction, split_indices
from plcnn.data.stores import Part, Pictures, take
from plcnn.errors import UserError, wrong_value


class ImageData(LightningDataModule):
    """Pictures for training, validation, test and prediction.

    Args:
        source: where the pictures come from, by name.
        root: folder that holds, or will hold, downloaded data sets.
        verify: refuse files whose checksums are not the official ones.
        augment: how training pictures are changed, by name; or a list, applied in order.
        mix: how the pictures of a training batch are mixed with each other, labels alike.
        mix_alpha: of the Beta(alpha, alpha) distribution of the shares that are mixed, above 0.
        batch_size: pictures a step, on each device.
        val_fraction: share of the training pictures held out for validation.
        split: which are held out: the first, a random draw, or the same share of each class.
        split_seed: draws the split when it is random or stratified.
        keep: where pictures lie during training: on the device, in the host's memory, or with worker processes; "auto"
            takes the device where they fill at most half of its free memory. Batches are the same.
        workers: worker processes for each set of pictures that lies with workers.
        pictures: for `predict`: files, folders, patterns, NumPy files, or - for the standard input.
        seed: of the order of the pictures and of the augmentation.

    Raises:
        UserError: if a name or an argument is unknown or out of range.
    """

    def __init__(
        self,
        source: Source = "cifar10",  # type: ignore[assignment]
        root: str = "data",
        verify: bool = True,
        augment: Augmentation | list[Augmentation] = "none",  # type: ignore[assignment]
        mix: Mix = "none",
        mix_alpha: float = 1.0,
        batch_size: int = 64,
        val_fraction: float = 0.1,
        split: SplitKind = "first",
        split_seed: int = 0,
        keep: Keep = "auto",
        workers: int = 2,
        pictures: str | list[str] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise UserError(f"--data.batch_size must be at least 1, got {batch_size}.", exit_code=2)
        check_fraction(val_fraction)
        if workers < 1:
            raise wrong_value("--data.workers", workers, "at least 1 process", 2)
        if not 0 < mix_alpha < float("inf"):
            raise wrong_value("--data.mix_alpha", mix_alpha, "above 0", 1.0)
        self.source_choice = sources.choose(source)
        self.source: PictureSource = self.source_choice.build(root=root, verify=verify)
        chosen = [augmentations.choose(one) for one in (augment if isinstance(augment, list) else [augment])]
        self.augments: list[Augment] = [choice.build() for choice in chosen]
        self.mix, self.mix_alpha, self.keep, self.workers = mix, mix_alpha, keep, workers
        self.batch_size, self.val_fraction, self.split, self.split_seed = batch_size, val_fraction, split, split_seed
        self.picture_paths = [pictures] if isinstance(pictures, str) else pictures or []
        self.seed = seed
        self.save_hyperparameters(
            {
                "source": self.source_choice.as_dict(),
                "root": root,
                "verify": verify,
                "augment": [c.as_dict() for c in chosen] if isinstance(augment, list) else chosen[0].as_dict(),
                "mix": mix,
                "mix_alpha": mix_alpha,
                "batch_size": batch_size,
                "val_fraction": val_fraction,
                "split": split,
                "split_seed": split_seed,
                "keep": keep,
                "workers": workers,
            },
            logger=False,
        )
        self.sets: dict[str, tuple[Pictures, Tensor]] = {}
        self.predicted: PictureBatches | None = None
        self.split_rows: dict[str, Tensor] = {}
        self._on_device: dict[str, Tensor] = {}

    @property
    def classes(self) -> list[str]:
        """The class names, in the order of the labels."""
        return list(self.source.classes)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of a picture."""
        return self.source.image_shape

    def prepare_data(self) -> None:
        """Fetch what is missing, once a machine; pictures to predict need nothing fetched."""
        if not self.picture_paths:
            self.source.prepare()

    def setup(self, stage: str) -> None:
        """Read the pictures that `stage` needs, or open their store: those for testing at "test" alone."""
        if stage in ("fit", "validate") and "val" not in self.sets:
            images, labels = self.source.train()
            train, val = self.split_indices(labels)
            self.split_rows = {"train": train, "val": val}
            self.sets["train"] = take(images, train), labels[train]
            self.sets["val"] = take(images, val), labels[val]
        if stage == "test" and "test" not in self.sets:
            images, labels = self.source.test()
            self.sets["test"] = images if isinstance(images, Tensor) else Part(images), labels
        self.hparams["verified"] = self.source.verified
        if stage == "predict" and self.predicted is None:
            if not self.picture_paths:
                raise UserError("predict needs pictures: plcnn predict RUN FILE_OR_FOLDER ...", exit_code=2)
            self.predicted = PictureBatches(
                self.picture_paths,
                self.image_shape,
                self.batch_size,
                self.workers,
                read_standard_input(self.trainer) if STANDARD_INPUT in self.picture_paths else None,
            )

    def split_indices(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Indices of the training and of the validation pictures among the source's training pictures, int64."""
        return split_indices(labels, self.split, self.val_fraction, self.split_seed)

    @property
    def evaluated(self) -> tuple[Pictures, Tensor]:
        """The pictures that were last read to be measured, and each one's number among the source's, int64."""
        if "test" in self.sets:
            images, labels = self.sets["test"]
            return images, torch.arange(len(labels))
        return self.sets["val"][0], self.split_rows["val"]

    def counts(self) -> dict[str, int]:
        """How many pictures each set read so far holds."""
        return {name: len(labels) for name, (_, labels) in self.sets.items()}

    def loader(self, name: str, place: Place | None = None, **settings: Any) -> BatchLoader:
        """Batches of one of the sets, on the device that trains and shared out over the ranks.

        Args:
            name: "train", "val" or "test".
            place: where its pictures lie; as `keep` says if left out.
            settings: the loader's others.

        Raises:
            UserError: if there are fewer pictures than devices, or they are to lie on a device that has no room.
        """
        images, labels = self.sets[name]
        device = labels.device
        if self.trainer is not None:
            device = self.trainer.strategy.root_device
            settings = {"rank": self.trainer.global_rank, "world_size": self.trainer.world_size} | settings
            if len(labels) < settings["world_size"]:
                raise UserError(
                    f"The {name} set has {len(labels)} pictures for {settings['world_size']} devices; use fewer."
                )
        if name in self._on_device and self._on_device[name].device == device:
            images = self._on_device[name]
        place = place or place_of(self.keep, images, device)
        if place == "device" and isinstance(images, Tensor):
            images = self._on_device[name] = images.to(device)
        return BatchLoader(images, labels.to(device), self.batch_size, place=place, workers=self.workers, **settings)

    def train_dataloader(self, place: Place | None = None) -> BatchLoader:
        """Shuffled, augmented batches; they continue in the middle of an epoch where the trainer does."""
        position = partial(_position, self.trainer) if self.trainer is not None else lambda: (0, 0)
        mixing = Mixing(self.mix, self.mix_alpha, len(self.classes), self.seed) if self.mix != "none" else None
        settings = {"augments": self.augments, "mixing": mixing, "seed": self.seed, "position": position}
        return self.loader("train", place, train=True, **settings)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Leave the loader's batches where they are, on the device, without a search through them for tensors."""
        if batch.images.device == device:
            return batch
        if isinstance(batch, PictureBatch):
            return batch._replace(images=batch.images.to(device))
        moved: Batch = super().transfer_batch_to_device(batch, device, dataloader_idx)
        return moved

    def val_dataloader(self) -> BatchLoader:
        """The validation pictures in order, unchanged."""
        return self.loader("val")

    def test_dataloader(self) -> BatchLoader:
        """The test pictures in order, unchanged."""
        return self.loader("test")

    def predict_dataloader(self) -> PictureBatches:
        """The pictures to predict, in order, all of them on every rank."""
        assert self.predicted is not None
        return self.predicted


def _position(trainer: Any) -> tuple[int, int]:
    return trainer.current_epoch, trainer.fit_loop.epoch_loop.batch_progress.current.ready
