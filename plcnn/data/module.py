"""The data module: a source of pictures, split, batched and augmented for the trainer."""

from functools import cached_property, partial
from typing import Any, Literal

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from plcnn.data.augmentations import Augment, Augmentation, augmentations
from plcnn.data.batchwise.mixing import Mix, Mixing
from plcnn.data.complaints import refuse
from plcnn.data.keep import Keep, Place, place_of
from plcnn.data.kept.cache import Prepared
from plcnn.data.kept.stores import Pictures
from plcnn.data.kept.survey import Survey
from plcnn.data.loader import Batch, BatchLoader
from plcnn.data.opening import Shaping, open_parts
from plcnn.data.parts.partition import Parted, Partition, names_of, parts_of
from plcnn.data.parts.sampling import Sampling
from plcnn.data.parts.split import Split, SplitChoice
from plcnn.data.parts.split_file import pictures_told
from plcnn.data.reading.meant import STANDARD_INPUT
from plcnn.data.reading.picture_batches import PictureBatch, PictureBatches, read_standard_input
from plcnn.data.reading.pictures import Resize
from plcnn.data.sources import PictureSet, PictureSource, Source, sources
from plcnn.errors import UserError, wrong_value
from plcnn.hashes import tensor_hash

Check = Literal["warn", "stop", "off"]

HELD_OUT = ("val", "test")

LARGEST_PICTURE = 4096
"""Pixels along a side; more is taken for a slip."""


class ImageData(LightningDataModule):
    """Pictures for training, validation, test and prediction.

    Args:
        source: where the pictures come from, by name.
        root: folder that holds, or will hold, downloaded data sets.
        verify: refuse files whose checksums are not the official ones.
        image_size: height and width in pixels to bring every picture to; by default what the source has or proposes.
        channels: to bring every picture to: 1 is grey, 3 RGB; by default what the source has or proposes.
        resize: how pictures of another shape are brought to it: "stretch" does not keep the aspect, "crop" takes the
            largest part about the middle, "pad" adds black.
        augment: how training pictures are changed, by name; or a list, applied in order.
        mix: how the pictures of a training batch are mixed with each other, labels alike.
        mix_alpha: of the Beta(alpha, alpha) distribution of the shares that are mixed, above 0.
        batch_size: pictures a step, on each device.
        sampling: whether an epoch shows each picture once, or as many drawn so that all classes are equally likely.
        val_fraction: share of the training pictures held out for validation.
        val_count: how many of them, instead of a share.
        test_fraction: share held out for testing before that, from a source without test pictures.
        split: which are held out: the first, a random draw, or the same share of each class; "auto" takes the source's
            own validation pictures, else the first where their order is random, else the same share of each class.
        groups: a regular expression on the pictures' names: those with the same match stay in one part.
        split_file: a saved split, such as a run's split.json, or the run folder.
        folds: part the training pictures into so many instead, and hold one part out; 0 for none.
        fold: which part is held out, from 0.
        split_seed: draws the split when it is random or stratified.
        keep: where pictures lie during training: on the device, in the host's memory, or with worker processes; "auto"
            takes the device where they fill at most half of its free memory. Batches are the same.
        workers: worker processes for each set of pictures that lies with workers.
        cache_gb: the most that pictures may take, in 10^9 bytes, that were read once and are kept in their shape for
            all later epochs and runs; a larger set is read anew each epoch by the workers, and 0 keeps none.
        cache_dir: folder of those pictures; by default plcnn/pictures in the user's cache.
        skip_unreadable: leave out pictures that cannot be read, instead of ending with a list of them.
        check: whether `fit` warns of what is wrong with pictures of one's own, stops, or does not look: copies in
            training and validation, one picture in two classes, classes with few pictures.
        pictures: for `predict`: files, folders, patterns, NumPy files, or - for the standard input.
        seed: of the order of the pictures and of the augmentation.

    Attributes:
        split_from: what tells the training pictures that a run was split from; None for a new run.

    Raises:
        UserError: if a name or an argument is unknown or out of range.
    """

    def __init__(
        self,
        source: Source = "cifar10",  # type: ignore[assignment]
        root: str = "data",
        verify: bool = True,
        image_size: int | None = None,
        channels: int | None = None,
        resize: Resize = "stretch",
        augment: Augmentation | list[Augmentation] = "none",  # type: ignore[assignment]
        mix: Mix = "none",
        mix_alpha: float = 1.0,
        batch_size: int = 64,
        sampling: Sampling = "each_once",
        val_fraction: float = 0.1,
        val_count: int | None = None,
        test_fraction: float = 0.1,
        split: SplitChoice = "auto",
        groups: str | None = None,
        split_file: str | None = None,
        folds: int = 0,
        fold: int = 0,
        split_seed: int = 0,
        keep: Keep = "auto",
        workers: int = 2,
        cache_gb: float = 20.0,
        cache_dir: str | None = None,
        skip_unreadable: bool = False,
        check: Check = "warn",
        pictures: str | list[str] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise UserError(f"--data.batch_size must be at least 1, got {batch_size}.", exit_code=2)
        if workers < 1:
            raise wrong_value("--data.workers", workers, "at least 1 process", 2)
        if not 0 <= cache_gb < float("inf"):
            raise wrong_value("--data.cache_gb", cache_gb, "0 or more", 20)
        if not 0 < mix_alpha < float("inf"):
            raise wrong_value("--data.mix_alpha", mix_alpha, "above 0", 1.0)
        if image_size is not None and not 1 <= image_size <= LARGEST_PICTURE:
            raise wrong_value("--data.image_size", image_size, f"from 1 to {LARGEST_PICTURE} pixels", 64)
        if channels is not None and channels < 1:
            raise wrong_value("--data.channels", channels, "at least 1", 3)
        self.source_choice, self._given = sources.choose(source), {"root": root, "verify": verify}
        self.image_size, self.channels, self.resize = image_size, channels, resize
        chosen = [augmentations.choose(one) for one in (augment if isinstance(augment, list) else [augment])]
        self.augments: list[Augment] = [choice.build() for choice in chosen]
        self.mix, self.mix_alpha, self.keep, self.workers = mix, mix_alpha, keep, workers
        self.batch_size, self.sampling = batch_size, sampling
        self.cache_gb, self.cache_dir = cache_gb, cache_dir
        self.skip_unreadable, self.check = skip_unreadable, check
        self.partition = Partition(
            val=Split(split, val_fraction, val_count, split_seed, folds, fold),
            test=Split(split, test_fraction, None, split_seed, key="--data.test_fraction"),
            own_validation=split == "auto" and not folds,
            groups=groups,
            file=split_file,
        )
        self.picture_paths = [pictures] if isinstance(pictures, str) else pictures or []
        self.seed = seed
        self.save_hyperparameters(
            {
                "source": self.source_choice.as_dict(),
                "root": root,
                "verify": verify,
                "image_size": image_size,
                "channels": channels,
                "resize": resize,
                "augment": [c.as_dict() for c in chosen] if isinstance(augment, list) else chosen[0].as_dict(),
                "mix": mix,
                "mix_alpha": mix_alpha,
                "batch_size": batch_size,
                "sampling": sampling,
                "val_fraction": val_fraction,
                "val_count": val_count,
                "test_fraction": test_fraction,
                "split": split,
                "groups": groups,
                "split_file": split_file,
                "folds": folds,
                "fold": fold,
                "split_seed": split_seed,
                "keep": keep,
                "workers": workers,
                "cache_gb": cache_gb,
                "cache_dir": cache_dir,
                "skip_unreadable": skip_unreadable,
                "check": check,
            },
            logger=False,
        )
        self.sets: dict[str, tuple[Pictures, Tensor]] = {}
        self.predicted: PictureBatches | None = None
        self.parts: dict[str, Parted] = {}
        self.split_from: dict[str, Any] | None = None
        self._told: tuple[PictureSet, dict[str, Any]] | None = None  # the training pictures, hashed once
        self.preparations: list[Prepared] = []
        self.surveyed: dict[str, tuple[Survey, Tensor]] = {}
        self._on_device: dict[str, Tensor] = {}

    @cached_property
    def source(self) -> PictureSource:
        """The source, built when it is first asked for: `predict` does without the pictures that were trained on."""
        source: PictureSource = self.source_choice.build(**self._given)
        return source

    @property
    def classes(self) -> list[str]:
        """The class names, in the order of the labels.

        Raises:
            UserError: naming all that the source has to complain of.
        """
        refuse(getattr(self.source, "complaints", ()))
        return list(self.source.classes)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width that every picture is brought to."""
        channels, height, width = self.source.image_shape
        return self.channels or channels, self.image_size or height, self.image_size or width

    @property
    def shaping(self) -> Shaping:
        """How pictures are brought to their shape, and where they are kept."""
        return Shaping(self.image_shape, self.resize, self.cache_dir, self.cache_gb, self.skip_unreadable)

    def keep_shape(self) -> dict[str, int]:
        """Settle the shape that a source proposed, for pictures may be added before the run is tested or goes on.

        Returns:
            The settings that say so; none where the source has one shape.
        """
        if not getattr(self.source, "proposes_shape", False):
            return {}
        self.channels, self.image_size, _ = self.image_shape
        kept = {"image_size": self.image_size, "channels": self.channels}
        self.hparams.update(kept)
        return kept

    @property
    def validates(self) -> bool:
        """Whether pictures are held out for validation."""
        return self.partition.validates

    def prepare_data(self) -> None:
        """Fetch what is missing, once a machine; pictures to predict need nothing fetched.

        Raises:
            UserError: if the pictures cannot be had, or the source has to complain of them.
        """
        if not self.picture_paths:
            self.source.prepare()
            self.classes  # noqa: B018 - where it complains, it is refused

    def setup(self, stage: str) -> None:
        """Read the pictures that `stage` needs, or open their store: those for testing at "test" alone.

        Raises:
            UserError: if they cannot be read, or a run's pictures are no longer those that it was split from.
        """
        if stage in ("fit", "validate") and "val" not in self.sets:
            self._settle_split("val", stage)
            self._open("train", "val")
            if stage == "fit" and self.check != "off" and not hasattr(self.source, "facts"):
                self._look()
        if stage == "test" and "test" not in self.sets:
            self._settle_split("test", stage)
            self._open("test")
        if stage != "predict":
            self.hparams["verified"] = self.source.verified
        elif self.predicted is None:
            if not self.picture_paths:
                raise UserError("predict needs pictures: plcnn predict RUN FILE_OR_FOLDER ...", exit_code=2)
            classifier: Any = self.trainer.lightning_module  # type: ignore[union-attr]
            self.predicted = PictureBatches(
                self.picture_paths,
                classifier.image_shape,
                self.batch_size,
                self.workers,
                read_standard_input(self.trainer) if STANDARD_INPUT in self.picture_paths else None,
                classifier.resize,
            )

    def parted(self, name: str) -> Parted:
        """The pictures of a part, not opened yet: "train", "val" or "test".

        Raises:
            UserError: if the settings do not fit the source's pictures, or there are none for testing.
        """
        if name not in self.parts:
            self.parts |= parts_of(self.source, self.partition, name)
        return self.parts[name]

    def _settle_split(self, name: str, stage: str) -> None:
        """Note which pictures are split; refuse others than a run had, for some it trained on would be held out."""
        self.parted(name)
        if "train" not in self.parts:
            return  # the source has pictures of its own for this
        whole = self.parts["train"].whole
        if self._told is None or self._told[0] is not whole:
            self._told = whole, pictures_told(whole.labels, names_of(whole))
        told = self._told[1]
        held_out = {part: tensor_hash(self.parts[part].rows) for part in HELD_OUT if self._is_drawn(part, whole)}
        before, self.hparams["split_from"] = self.split_from, {**told, "held_out": held_out}
        if not before or self.partition.file or not (self._is_drawn(name, whole) or stage == "fit"):
            return
        if any(before.get(key) != value for key, value in told.items()):
            raise UserError(
                f"The training pictures are not those that the run was split from ({before['pictures']:,} then, "
                f"{told['pictures']:,} now, or other names or classes): a new split would mix what it trained on with "
                "what is held out.\nBring them back, or keep to the run's own split: --data.split_file RUN"
            )
        then = before.get("held_out", held_out)  # older versions did not tell
        if held_out != then if stage == "fit" else held_out[name] != then.get(name):
            raise UserError(
                "The settings of the split are not the run's: pictures that it trained on would be held out.\n"
                "Leave them as they were, or keep to the run's own split: --data.split_file RUN"
            )

    def _is_drawn(self, part: str, whole: PictureSet) -> bool:
        """Whether a part is made of some of the training pictures."""
        return part in self.parts and self.parts[part].whole is whole and len(self.parts[part].rows) > 0

    def _open(self, *names: str) -> None:
        """Read pictures, or open their store."""
        opened = open_parts({name: self.parted(name) for name in names}, self.shaping)
        self.sets |= opened.sets
        self.parts |= opened.parts
        self.surveyed |= opened.surveyed
        self.preparations += opened.preparations

    def _look(self) -> None:
        """Say what is wrong with the training and validation pictures, as far as they had to be read."""
        from plcnn.inspection.before_training import look_before_training

        look_before_training(self, is_first=self.trainer is None or self.trainer.is_global_zero)

    @property
    def evaluated(self) -> tuple[Pictures, Tensor]:
        """The pictures that were last read to be measured, and each one's number among the source's, int64."""
        name = "test" if "test" in self.sets else "val"
        return self.sets[name][0], self.parts[name].rows

    @property
    def evaluated_names(self) -> list[str] | None:
        """What the pictures of `evaluated` are called; None where they have numbers alone."""
        return self.parts["test" if "test" in self.sets else "val"].names()

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
        held = self._on_device.get(name)
        there = held if held is not None and held.device == device else images
        place = place or place_of(self.keep, there, device)
        if place == "device":
            whole = there if isinstance(there, Tensor) else there[:]
            images = self._on_device[name] = whole.to(device)
        return BatchLoader(images, labels.to(device), self.batch_size, place=place, workers=self.workers, **settings)

    def train_dataloader(self, place: Place | None = None) -> BatchLoader:
        """Shuffled, augmented batches; they continue in the middle of an epoch where the trainer does."""
        position = partial(_position, self.trainer) if self.trainer is not None else lambda: (0, 0)
        mixing = Mixing(self.mix, self.mix_alpha, len(self.classes), self.seed) if self.mix != "none" else None
        settings = {"augments": self.augments, "mixing": mixing, "seed": self.seed, "position": position}
        return self.loader("train", place, train=True, sampling=self.sampling, **settings)

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
