"""A text that changes when a picture of a set is changed, added, removed or moved; pictures in files stay closed."""

import hashlib
import os
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from plcnn.data.kept.stores import Chosen, Several, Unfitted
from plcnn.data.reading.in_memory import Picture


def fingerprint(pictures: Unfitted) -> str | None:
    """The fingerprint of a set.

    Files count by name, size and time of change, other pictures by their content; a store that has a text `fingerprint`
    of its own, by that.

    Returns:
        None for a store of pictures that have a shape already and no such text: they would all have to be read.
    """
    digest = hashlib.sha256()
    if isinstance(pictures, Chosen):
        indices = np.asarray(pictures.indices, np.int64)
        inner = getattr(pictures.pictures, "fingerprint", None)
        if inner is None and isinstance(pictures.pictures, Several):
            inner = fingerprint(pictures.pictures)
            if inner is None:
                return None
        if inner is not None:
            digest.update(f"{inner} ".encode() + indices.tobytes())
            return digest.hexdigest()
    if isinstance(pictures, Several):
        if not isinstance(pictures.images, Tensor):
            own: str | None = getattr(pictures.images, "fingerprint", None)
            return own
        digest.update(_state(pictures.images.cpu()))
        return digest.hexdigest()
    if (own := getattr(pictures, "fingerprint", None)) is not None:
        return str(own)
    for index in range(len(pictures)):
        digest.update(f"{pictures.name(index)}\0".encode(errors="surrogateescape"))
        digest.update(_state(pictures.picture(index)))
    return digest.hexdigest()


def _state(picture: Picture) -> bytes:
    if isinstance(picture, str | Path):
        try:
            found = os.stat(os.path.expanduser(picture))  # noqa: PTH111, PTH116 - several times as fast
        except OSError as error:
            return f"{error.errno}\n".encode()
        return f"{found.st_size} {found.st_mtime_ns}\n".encode()
    if isinstance(picture, Tensor):
        picture = picture.detach().cpu().float().numpy() if picture.is_floating_point() else picture.cpu().numpy()
    if isinstance(picture, Image.Image):
        picture = np.asarray(picture)
    if isinstance(picture, np.ndarray):
        described = f"{picture.dtype} {picture.shape} ".encode()
        return described + hashlib.sha256(np.ascontiguousarray(picture).data).digest()
    return hashlib.sha256(picture).digest()
