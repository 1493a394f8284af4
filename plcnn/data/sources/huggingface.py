"""Data sets of the Hugging Face hub, or local ones that its library reads (https://huggingface.co/docs/datasets).

That library runs no code that comes with a data set. What it has fetched lies in its own cache, which serves without a
network, too.
"""

import logging
from collections.abc import Collection, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from plcnn.data.class_names import Classes, class_places, composed, listed
from plcnn.data.own.roles import role_of
from plcnn.data.own.root import own_root
from plcnn.data.own.source import OwnSource
from plcnn.data.sources import PictureSet, sources
from plcnn.errors import UserError, first_line
from plcnn.suggestions import did_you_mean
from plcnn.terminal import printable

LABELS = ("label", "labels", "class", "target", "category", "fine_label")
"""Names of the column of classes where several could be it, the likeliest first."""

SAVED = ("dataset_dict.json", "state.json")
"""Files in a folder that `save_to_disk` wrote."""

_OF_LABELS = ("string", "large_string", "int", "uint", "bool")
"""How the types of columns begin that may hold labels."""

_log = logging.getLogger(__name__)


class Rows:
    """Pictures in a column of a data set, as the files they were: an `Unfitted` store.

    Args:
        rows: the data set, of which this column is read alone.
        column: its name; values are not decoded.
        split: what the data set is called, for the names of pictures.

    Attributes:
        fingerprint: the library's, another one where the data set has changed; none where it has none.
    """

    def __init__(self, rows: Any, column: str, split: str) -> None:
        self.rows, self.column, self.split = rows.select_columns([column]), column, split
        self.fingerprint: str | None = getattr(self.rows, "_fingerprint", None)

    def __len__(self) -> int:
        return len(self.rows)

    def picture(self, index: int) -> bytes | Path:
        """A picture's content, or its file."""
        value = self.rows[index][self.column]
        if isinstance(value, dict):
            value = Path(value["path"]) if value.get("bytes") is None and value.get("path") else value.get("bytes")
        if value is None:
            raise ValueError("it is missing")
        found: bytes | Path = value
        return found

    def name(self, index: int) -> str:
        """The picture's split and number."""
        return f"{self.split}[{index}]"


@sources.register(name="huggingface")
class HuggingFace(OwnSource):
    """A data set of the Hugging Face hub, or a local one that its library reads.

    Local ones are what `save_to_disk` wrote, and folders of Parquet, CSV or picture files, say. Columns are found by
    their types. Code that comes with a data set is never run. What was downloaded lies in the library's cache (HF_HOME)
    and is taken from there without a network.

    Args:
        root: the local folder, where `dataset` is left out.
        dataset: the name on the hub: OWNER/NAME.
        config: which of its configurations, where there are several.
        revision: which version of it: a branch, tag or commit.
        train: the split to train on; by default train or training.
        validation: the split to validate with; by default validation, valid, val or dev, if there is one.
        test: the split to test on; by default test or testing, if there is one.
        image: the column of pictures.
        label: the column of classes.
    """

    def __init__(
        self,
        root: str = "data",
        dataset: str | None = None,
        config: str | None = None,
        revision: str | None = None,
        train: str | None = None,
        validation: str | None = None,
        test: str | None = None,
        image: str | None = None,
        label: str | None = None,
    ) -> None:
        self._root, self._dataset, self._config, self._revision = root, dataset, config, revision
        self._asked = {"train": train, "val": validation, "test": test}
        self._image_asked, self._label_asked = image, label

    @property
    def _shown(self) -> str:
        return printable(self._dataset or self._root)

    @cached_property
    def _splits(self) -> dict[str, tuple[str, Any]]:
        """For each part, the name of its split and the split, opened; fetched when it is first needed."""
        found = self._open()
        found = found if isinstance(found, dict) else {"train": found}
        named: dict[str, tuple[str, Any]] = {}
        for role, asked in self._asked.items():
            option = "validation" if role == "val" else role
            if asked is not None and asked not in found:
                hint = did_you_mean(asked, found)
                raise UserError(f"--data.source.{option} {asked}: {self._shown} has no such split. {hint}", exit_code=2)
            name = asked or next((name for name in found if role_of(name) == role), None)
            if name is not None:
                named[role] = name, found[name]
        if "train" not in named:
            raise UserError(
                f"{self._shown} has the splits {listed(found)}: which is to train on? --data.source.train SPLIT", 2
            )
        return named

    def _open(self) -> Any:
        try:
            import datasets
        except ImportError as error:
            raise UserError("the source needs an optional package: pip install 'plcnn[huggingface]'", 2) from error
        wanted = "a local data set, or --data.source.dataset OWNER/NAME for one of the hub"
        path = None if self._dataset else own_root(self._root, wanted, "folder")
        try:
            if path and any((path / name).is_file() for name in SAVED):
                return datasets.load_from_disk(str(path))
            return datasets.load_dataset(self._dataset or str(path), self._config, revision=self._revision)
        except Exception as error:  # of any kind: of the network, the hub, and each format's reader
            raise UserError(f"{self._shown} cannot be had: {printable(first_line(error))}") from error

    @cached_property
    def _image(self) -> str:
        """The column of pictures."""
        features = self._splits["train"][1].features
        return self._column("image", self._image_asked, [name for name, kind in features.items() if _is_image(kind)])

    @cached_property
    def _label(self) -> str:
        """The column of classes."""
        features = self._splits["train"][1].features
        told = [name for name, kind in features.items() if type(kind).__name__ == "ClassLabel"]
        others = [name for name, kind in features.items() if str(getattr(kind, "dtype", "")).startswith(_OF_LABELS)]
        likely = [name for name in LABELS if name in told] or told or [name for name in LABELS if name in others]
        return self._column("label", self._label_asked, likely[:1] if likely and likely[0] in LABELS else likely)

    def _column(self, key: str, asked: str | None, likely: Sequence[str]) -> str:
        there = self._splits["train"][1].column_names
        if asked is not None and asked not in there:
            hint = did_you_mean(asked, there)
            raise UserError(f"--data.source.{key} {asked}: {self._shown} has no such column. {hint}", exit_code=2)
        if asked is None and len(likely) != 1:
            of = listed(likely or there)
            raise UserError(f"{self._shown}: which column has the {key}s, {of}? --data.source.{key} COLUMN", 2)
        return asked or likely[0]

    @cached_property
    def _labels(self) -> dict[str, list[str]]:
        """The labels of each part as texts; without a part of which no label is known, as of some test sets."""
        found = {}
        for role, (name, rows) in self._splits.items():
            values = rows.select_columns([self._label])[:][self._label]
            names = getattr(rows.features[self._label], "names", None)
            missing = sum(value is None or (names is not None and value < 0) for value in values)
            if missing == len(values) and role != "train":
                _log.warning("%s: the split %s has no labels and is left out", self._shown, name)
                continue
            if missing:
                raise UserError(f"{self._shown}: {missing:,} of {len(values):,} rows of {name} have no {self._label}.")
            found[role] = [composed(str(names[value] if names else value).strip()) for value in values]
        return found

    @cached_property
    def _classes(self) -> Classes:
        """The classes, and the place of each label among them."""
        names = getattr(self._splits["train"][1].features[self._label], "names", None)
        named = names and [composed(name.strip()) for name in names]
        others = chain(*(labels for role, labels in self._labels.items() if role != "train"))
        return class_places(self._labels["train"], others, named, self._shown, f"its column {self._label}")

    @property
    def _roles(self) -> Collection[str]:
        return self._labels

    def _set(self, role: str) -> PictureSet:
        labels = torch.tensor([self._classes.places[label] for label in self._labels[role]], dtype=torch.int64)
        return PictureSet(self._rows(role), labels)

    def _rows(self, role: str) -> Rows:
        import datasets

        name, rows = self._splits[role]
        if isinstance(rows.features[self._image], datasets.Image):
            rows = rows.cast_column(self._image, datasets.Image(decode=False))
        return Rows(rows, self._image, name)


def _is_image(kind: Any) -> bool:
    """Whether a column's type is that of pictures: as such, as bytes, or as bytes beside a path."""
    if isinstance(kind, dict):
        return "bytes" in kind
    return type(kind).__name__ == "Image" or getattr(kind, "dtype", "") in ("binary", "large_binary")
