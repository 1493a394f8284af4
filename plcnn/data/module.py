"""The data module: a source of pictures, split, batched and augmented for the trainer."""

from functools import partial
from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from plcnn.data.augment import Augmentation, augmentations
from plcnn.data.loader import BatchLoader
from plcnn.data.pictures import read_pictures
from plcnn.data.sources import PictureSource, Source, sources
from plcnn.data.split import SplitKind, split_indices
from plcnn.errors import UserError


class ImageData(LightningDataModule):
    """Pictures for training, validation, test and prediction.

    Args:
        source: where the pictures come from, by name.
        root: folder that holds, or will hold, downloaded data sets.
        verify: refuse files whose checksums are not the official ones.
        augment: how training pictures are changed, by name.
        batch_size: pictures a step, on each device.
        val_fraction: share of the training pictures held out for validation.
        split: which are held out: the first, a random draw, or the same share of each class.
        split_seed: draws the split when it is random or stratified.
        pictures: files and folders for `predict`.
        seed: of the order of the pictures and of the augmentation.

    Raises:
        UserError: if a name or an argument is unknown or out of range.
    """

    def __init__(
        self,
        source: Source = "cifar10",  # type: ignore[assignment]
        root: str = "data",
        verify: bool = True,
        augment: Augmentation = "none",  # type: ignore[assignment]
        batch_size: int = 64,
        val_fraction: float = 0.1,
        split: SplitKind = "first",
        split_seed: int = 0,
        pictures: str | list[str] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise UserError(f"--data.batch_size must be at least 1, got {batch_size}.", exit_code=2)
        self.source_choice, self.augment_choice = sources.choose(source), augmentations.choose(augment)
        self.source: PictureSource = self.source_choice.build(root=root, verify=verify)
        self.augment = self.augment_choice.build()
        self.batch_size, self.val_fraction, self.split, self.split_seed = batch_size, val_fraction, split, split_seed
        self.picture_paths = [pictures] if isinstance(pictures, str) else pictures or []
        self.seed = seed
        self.save_hyperparameters(
            {
                "source": self.source_choice.as_dict(),
                "root": root,
                "verify": verify,
                "augment": self.augment_choice.as_dict(),
                "batch_size": batch_size,
                "val_fraction": val_fraction,
                "split": split,
                "split_seed": split_seed,
            },
            logger=False,
        )
        self.sets: dict[str, tuple[Tensor, Tensor]] = {}

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
        """Read the pictures that `stage` needs into memory: those for testing at "test" alone."""
        if stage in ("fit", "validate") and "val" not in self.sets:
            images, labels = self.source.train()
            train, val = self.split_indices(labels)
            self.sets["train"] = images[train], labels[train]
            self.sets["val"] = images[val], labels[val]
        if stage == "test" and "test" not in self.sets:
            self.sets["test"] = self.source.test()
        self.hparams["verified"] = self.source.verified
        if stage == "predict" and "predict" not in self.sets:
            if not self.picture_paths:
                raise UserError("predict needs pictures: --data.pictures FILE_OR_FOLDER.", exit_code=2)
            images, self.picture_files = read_pictures(self.picture_paths, self.image_shape)
            self.sets["predict"] = images, torch.full((len(images),), -1)

    def split_indices(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Indices of the training and of the validation pictures among the source's training pictures, int64."""
        return split_indices(labels, self.split, self.val_fraction, self.split_seed)

    def counts(self) -> dict[str, int]:
        """How many pictures each set read so far holds."""
        return {name: len(labels) for name, (_, labels) in self.sets.items()}

    def loader(self, name: str, **settings: Any) -> BatchLoader:
        """Batches of one of the sets, on the device that trains and shared out over the ranks.

        Raises:
            UserError: if there are fewer pictures than devices.
        """
        images, labels = self.sets[name]
        if self.trainer is not None:
            device = self.trainer.strategy.root_device
            images, labels = images.to(device), labels.to(device)
            settings = {"rank": self.trainer.global_rank, "world_size": self.trainer.world_size} | settings
            if len(labels) < settings["world_size"]:
                raise UserError(
                    f"The {name} set has {len(labels)} pictures for {settings['world_size']} devices; use fewer."
                )
        return BatchLoader(images, labels, self.batch_size, **settings)

    def train_dataloader(self) -> BatchLoader:
        """Shuffled, augmented batches; they continue in the middle of an epoch where the trainer does."""
        position = partial(_position, self.trainer) if self.trainer is not None else lambda: (0, 0)
        return self.loader("train", train=True, augment=self.augment, seed=self.seed, position=position)

    def val_dataloader(self) -> BatchLoader:
        """The validation pictures in order, unchanged."""
        return self.loader("val")

    def test_dataloader(self) -> BatchLoader:
        """The test pictures in order, unchanged."""
        return self.loader("test")

    def predict_dataloader(self) -> BatchLoader:
        """The pictures to predict, in the order of `picture_files`, all of them on every rank."""
        return self.loader("predict", rank=0, world_size=1)


def _position(trainer: Any) -> tuple[int, int]:
    return trainer.current_epoch, trainer.fit_loop.epoch_loop.batch_progress.current.ready
