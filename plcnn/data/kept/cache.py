"""The fitted pictures of a set in one file, which processes map into memory; read once, by one process of a machine.

There is a folder for each set, named by a key: SHA-256 over the pictures' names, sizes and times of change, their
shape, and what decodes them. In it lie `pictures.bin`, uint8 (pictures, channels, height, width), where they are kept,
and `survey.npz`. All sets together take no more than a limit: those used least recently make room for a new one. A
folder appears whole or not at all, and one that was cut or overwritten is made anew.
"""

import hashlib
import json
import math
import os
import shutil
import warnings
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from plcnn.data.kept.cache_folder import GB, RECORD, allocated, cache_folder, make_room, sample
from plcnn.data.kept.fingerprints import fingerprint
from plcnn.data.kept.near_hashes import hasher_version
from plcnn.data.kept.stores import Fitted, Unfitted
from plcnn.data.kept.survey import Survey, survey
from plcnn.data.reading.decoding import decoder_version
from plcnn.data.reading.in_memory import opened
from plcnn.data.reading.pictures import Resize
from plcnn.data.sole_writer import sole_writer
from plcnn.errors import UserError
from plcnn.files import reason, sync
from plcnn.terminal import in_bytes, warn

PIXELS, SURVEY = "pictures.bin", "survey.npz"

_FORMAT = 3
_LEFT_FREE = GB
"""Bytes of the disk that stay free."""

_FAULTY_LOOKED_AT = 100


class Prepared(NamedTuple):
    """Pictures of one shape.

    Attributes:
        images: uint8 (pictures, channels, height, width), mapped from a file and not to be written to; or a store that
            reads them whenever they are needed.
        survey: what was found when all of them were read.
        words: where they lie, or why they are not kept.
    """

    images: Tensor | Fitted
    survey: Survey
    words: str


def prepared(
    pictures: Unfitted,
    image_shape: tuple[int, int, int],
    resize: Resize,
    cache_dir: str | Path | None,
    cache_gb: float,
) -> Prepared:
    """Bring pictures to one shape, or find that it was done before.

    Several processes may ask for the same at once: one reads the pictures, and the others wait for it.

    Args:
        pictures: of any kinds and sizes. What cannot be read is told by the survey; its place holds zeros.
        image_shape: channels, height and width to bring them to.
        resize: how.
        cache_dir: folder of the prepared sets; in the user's cache if left out.
        cache_gb: the most that all prepared sets may take, in 10^9 bytes. The pictures of a larger set are not kept,
            nor where the disk has no room for them.

    Raises:
        UserError: if a process that reads died.
    """
    mark = fingerprint(pictures)
    if mark is None:
        return _streamed(pictures, image_shape, resize, "their source does not tell whether they have changed")
    versions = f"{decoder_version()} {hasher_version()}"
    how = f"{_FORMAT} {image_shape} {resize} {versions} {len(pictures)} {mark}"
    folder = cache_folder(cache_dir) / hashlib.sha256(how.encode()).hexdigest()[:32]
    size = len(pictures) * math.prod(image_shape)
    seen = None
    try:
        refused = _why_not_kept(size, folder, cache_gb)
        if found := _found(folder, pictures, image_shape, resize, refused):
            return found
        with sole_writer(folder) as part:
            if found := _found(folder, pictures, image_shape, resize, refused):  # another process was faster
                return found
            part.mkdir()
            if not refused:
                make_room(folder.parent, cache_gb * GB - size)
                refused = allocated(part / PIXELS, size)
            into = None if refused else np.memmap(part / PIXELS, np.uint8, "r+", shape=(len(pictures), *image_shape))
            seen = survey(pictures, image_shape, resize, into)
            _complete(part, pictures, image_shape, resize, seen, into)
            shutil.rmtree(folder, ignore_errors=True)
            part.rename(folder)
        made = _found(folder, pictures, image_shape, resize, refused)
    except UserError as error:
        if not isinstance(error.__cause__, OSError):
            raise
        made, refused = None, f"{folder.parent} cannot be written: {reason(error.__cause__)}"
        warn(f"pictures are not kept: {refused}.")
    return made or _streamed(pictures, image_shape, resize, refused, seen)


def _streamed(
    pictures: Unfitted, image_shape: tuple[int, int, int], resize: Resize, why: str, seen: Survey | None = None
) -> Prepared:
    seen = seen or survey(pictures, image_shape, resize)
    return Prepared(Fitted(pictures, image_shape, resize), seen, _not_kept(why))


def _not_kept(why: str) -> str:
    return f"read anew each epoch: {why}"


def _why_not_kept(size: int, folder: Path, cache_gb: float) -> str:
    """Why the pictures are not kept; empty if they are."""
    if not size:
        return "there are none"
    if not cache_gb:
        return "--data.cache_gb 0"
    if size > cache_gb * GB:
        return f"they would take {in_bytes(size)}, more than --data.cache_gb {cache_gb:g}"
    if (folder / PIXELS).exists():
        return ""
    there = next(place for place in folder.parents if place.exists())
    free = shutil.disk_usage(there).free
    if size + _LEFT_FREE > free:
        return f"they would take {in_bytes(size)}, and the disk of {there} has {in_bytes(free)} free"
    return ""


def _found(
    folder: Path, pictures: Unfitted, image_shape: tuple[int, int, int], resize: Resize, refused: str
) -> Prepared | None:
    """What was prepared before, unless it is damaged or lacks the pictures."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        seen = Survey.load(folder / SURVEY)
        if _readable_by_now(pictures, list(seen.faults)):
            return None
        if refused:
            return Prepared(Fitted(pictures, image_shape, resize), seen, _not_kept(refused))
        if record["sample"] is None or record["sample"] != sample(folder / PIXELS):
            return None
        images = _mapped(folder / PIXELS, (len(pictures), *image_shape))
    except Exception:  # whatever a damaged file makes of it
        return None
    with suppress(OSError):
        os.utime(folder)  # the time of its last use
    return Prepared(images, seen, f"{in_bytes(images.nbytes)} prepared in {folder}")


def _readable_by_now(pictures: Unfitted, faulty: list[int]) -> bool:
    """Whether one of the first faulty pictures opens: a right to read it may have been granted."""
    for index in faulty[:_FAULTY_LOOKED_AT]:
        with suppress(Exception):  # of a damaged file, Pillow may raise anything
            opened(pictures.picture(index))
            return True
    return False


def _mapped(file: Path, shape: tuple[int, ...]) -> Tensor:
    values = np.memmap(file, np.uint8, "r", shape=shape)
    with warnings.catch_warnings(action="ignore"):  # nobody may write to it, PyTorch warns
        return torch.from_numpy(values)


def _complete(
    part: Path,
    pictures: Unfitted,
    image_shape: tuple[int, int, int],
    resize: Resize,
    seen: Survey,
    into: np.memmap | None,
) -> None:
    """Put beside the pixels what was found, and have the disk write all of it."""
    if into is not None:
        into.flush()
    seen.save(part / SURVEY)
    record = {
        "pictures": len(pictures),
        "first": pictures.name(0) if len(pictures) else None,
        "shape": image_shape,
        "resize": resize,
        "decoder": decoder_version(),
        "sample": None if into is None else sample(part / PIXELS),
    }
    (part / RECORD).write_text(json.dumps(record, indent=2) + "\n")
    for file in part.iterdir():
        sync(file)
