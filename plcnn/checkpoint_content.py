"""What a checkpoint says of itself, looked at before anything is built from it or looked up in it.

Whoever made the file chose every word in it: names are compared with registered ones and never imported.
"""

import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import torch
from torch import Tensor

from plcnn import plugins
from plcnn.calibration import COLDEST, HOTTEST, UNFITTED
from plcnn.choice import Choice
from plcnn.errors import UserError

FORMAT = 1
"""The form of the checkpoints that this version writes, counted up when older versions could not read them."""

STAMP = "plcnn"
"""Key of a checkpoint's stamp: its format, and the version of plcnn that wrote it."""

TEMPERATURE = "temperature"
"""Key of the temperature of a checkpoint's probabilities."""

CONTAINERS: dict[str, type] = {"callbacks": dict, "loops": dict, "optimizer_states": list, "lr_schedulers": list}
"""Where Lightning keeps the state of a training, and as what."""

RECORDS = ("plugins", "started_from")
"""Hyper-parameters that are kept for the record and are no arguments."""

DATA_RECORDS = ("verified", "split_from")
"""Those of the data."""


def stamp() -> dict[str, Any]:
    """The stamp of a checkpoint that is being written."""
    from importlib.metadata import version

    return {"format": FORMAT, "version": version("plcnn")}


def check(content: Any, path: Path) -> None:
    """Refuse a checkpoint that is none of plcnn's, is newer, or holds something of another type than it must.

    Args:
        content: what the safe loader gave.
        path: the file, for messages.

    Raises:
        UserError: with what is wrong.
    """
    if not isinstance(content, dict):
        raise UserError(f"{path} is no checkpoint of plcnn: it does not say which architecture it holds.")
    _check_stamp(content.get(STAMP, {"format": FORMAT}), path)
    hparams = content.get("hyper_parameters")
    if not isinstance(hparams, dict) or not {"classes", "image_shape", "arch"} <= hparams.keys():
        raise UserError(f"{path} is no checkpoint of plcnn: it does not say which architecture it holds.")
    from plcnn.classifier import Classifier
    from plcnn.data.module import ImageData

    if not _fits(hparams.get("plugins", []), list[str]):
        raise _broken(path, "hyper_parameters", "plugins")
    _check_arguments(hparams, Classifier, "hyper_parameters", path, RECORDS)
    _check_names(hparams, path)
    data = content.get("datamodule_hyper_parameters", {})
    _check_arguments(data, ImageData, "datamodule_hyper_parameters", path, DATA_RECORDS)
    if not _is_split_from(data.get("split_from")):
        raise _broken(path, "datamodule_hyper_parameters", "split_from")
    for key in ("source", "augment"):
        if not all(one["class_path"].isidentifier() for one in _as_list(data.get(key, []))):
            raise _broken(path, "datamodule_hyper_parameters", key)  # it would be imported
    if not hparams["classes"] or min(hparams["image_shape"]) < 1:
        raise _broken(path, "hyper_parameters", "classes" if hparams["image_shape"] else "image_shape")
    _check_weights(content.get("state_dict"), path)
    for key, kind in CONTAINERS.items():
        if not isinstance(content.get(key, kind()), kind) or not all(
            isinstance(one, dict) for one in _values(content.get(key, kind()))
        ):
            raise _broken(path, key)
    if not _is_progress(content.get("loops", {})):
        raise _broken(path, "loops")
    rows = content.get("callbacks", {}).get("History", {}).get("rows", [])
    if not isinstance(rows, list) or not all(map(_is_row, rows)):
        raise _broken(path, "callbacks", "History")
    temperature = content.get(TEMPERATURE, UNFITTED)
    if type(temperature) is not float or not COLDEST <= temperature <= HOTTEST:
        raise _broken(path, TEMPERATURE)
    for key in ("epoch", "global_step"):
        if type(content.get(key, 0)) is not int or content.get(key, 0) < 0:
            raise _broken(path, key)


def _is_split_from(told: Any) -> bool:
    """Whether it may be what `split_file.pictures_told` gave, or nothing, as of older versions."""
    return told is None or (
        isinstance(told, dict) and type(told.get("pictures")) is int and isinstance(told.get("held_out", {}), dict)
    )


def check_data_names(content: dict[str, Any], path: Path) -> None:
    """Refuse a checkpoint whose source or augmentation is not registered; who only wants the network needs neither.

    Args:
        content: a checkpoint that passed `check`.
        path: the file, for messages.

    Raises:
        UserError: with the name.
    """
    from plcnn.data.augmentations import augmentations
    from plcnn.data.sources import sources

    data = content.get("datamodule_hyper_parameters", {})
    for key, registry in (("source", sources), ("augment", augmentations)):
        for one in _as_list(data.get(key, [])):
            if one["class_path"] not in registry:
                raise UserError(f"{path}: {registry.unknown(one['class_path'][:80])}", exit_code=2)


def not_finite(tensors: Mapping[str, Tensor]) -> str | None:
    """The name of the first tensor that holds a value that is no number or infinite."""
    looks = {name: t.isfinite().all() for name, t in tensors.items() if t.is_floating_point() or t.is_complex()}
    devices = {look.device for look in looks.values()}
    # one look at all of them: each would wait for its device
    if all(bool(torch.stack([look for look in looks.values() if look.device == d]).all()) for d in devices):
        return None
    return next(name for name, look in looks.items() if not look)


def _check_stamp(found: Any, path: Path) -> None:
    if not isinstance(found, dict) or type(found.get("format")) is not int or found["format"] < 1:
        raise _broken(path, STAMP)
    if found["format"] > FORMAT:
        writer = str(found.get("version", "a newer version"))[:40]
        raise UserError(
            f"{path} was written by plcnn {writer} in format {found['format']}; this plcnn reads formats up to "
            f"{FORMAT}. Install plcnn {writer} or newer."
        )


def _check_arguments(found: Any, builder: Any, where: str, path: Path, records: tuple[str, ...]) -> None:
    if not isinstance(found, dict):
        raise _broken(path, where)
    hints = typing.get_type_hints(builder.__init__)
    for key, value in found.items():
        if key not in records and (key not in hints or key in ("return", "pictures") or not _fits(value, hints[key])):
            raise _broken(path, where, key)


def _check_names(hparams: dict[str, Any], path: Path) -> None:
    """Refuse a model whose parts are not registered, naming the plugin files that it was trained with."""
    from plcnn.classifier import Classifier

    hints = typing.get_type_hints(Classifier.__init__)
    for key in ("arch", "optimizer", "schedule"):
        if key in hparams and (name := hparams[key]["class_path"]) not in hints[key].registry:
            needed = plugins.option(hparams.get("plugins", []))
            hint = f" Add what it was trained with:{needed}" if needed else ""
            raise UserError(f"{path}: {hints[key].registry.unknown(name[:80])}{hint}", exit_code=2)


def _check_weights(weights: Any, path: Path) -> None:
    if not isinstance(weights, dict) or not all(
        isinstance(key, str) and isinstance(tensor, Tensor) and tensor.layout == torch.strided and not tensor.is_meta
        for key, tensor in weights.items()
    ):
        raise _broken(path, "state_dict")
    if any(t.numel() * t.element_size() > t.untyped_storage().nbytes() for t in weights.values()):
        raise _broken(path, "state_dict")  # numbers that share their memory swell when they are copied
    if name := not_finite(weights):
        raise UserError(
            f"{path}: {name} holds values that are infinite or no numbers: the training had diverged. Take a "
            "checkpoint of an earlier epoch."
        )


def _fits(value: Any, hint: Any) -> bool:
    """Whether plain data is of an argument's type."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(value, part) for part in parts)
    if origin is Literal:
        return any(value == part and type(value) is type(part) for part in parts)
    if origin is tuple:
        return isinstance(value, tuple | list) and len(value) == len(parts) and all(map(_fits, value, parts))
    if origin in (list, Sequence):
        return isinstance(value, tuple | list) and all(_fits(one, parts[0]) for one in value)
    if isinstance(hint, type) and issubclass(hint, Choice):
        return (
            isinstance(value, dict)
            and value.keys() == {"class_path", "init_args"}
            and isinstance(value["class_path"], str)
            and isinstance(value["init_args"], dict)
            and all(isinstance(key, str) for key in value["init_args"])
        )
    if hint is float:
        return type(value) in (int, float)
    return type(value) is hint or (value is None and hint is type(None))


def _is_progress(state: Any, key: str = "") -> bool:
    """Whether nested keys lead to counts, as in Lightning's records of how far its loops are."""
    if key in ("ready", "started", "processed", "completed"):
        return type(state) is int and state >= 0
    if key in ("total", "current", "state_dict") or key.endswith("progress") or isinstance(state, dict):
        return isinstance(state, dict) and all(isinstance(k, str) and _is_progress(v, k) for k, v in state.items())
    if isinstance(state, list | tuple):
        return all(map(_is_progress, state))
    return state is None or type(state) in (int, float, bool)


def _is_row(row: Any) -> bool:
    """Whether this is an epoch's record."""
    return (
        isinstance(row, dict)
        and {"epoch", "step"} <= row.keys()
        and all(isinstance(key, str) and type(value) in (int, float) for key, value in row.items())
    )


def _values(state: Any) -> list[Any]:
    return list(state.values()) if isinstance(state, dict) else list(state)


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _broken(path: Path, *keys: str) -> UserError:
    where = ".".join(str(key)[:60] for key in keys)
    return UserError(f"{path} is no whole checkpoint of plcnn: {where} in it is missing or not of its kind.")
