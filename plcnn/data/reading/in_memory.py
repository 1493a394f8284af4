"""Pictures of the kinds that Python programs have, brought to what a network takes: as of files, values of 8 bits."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from plcnn.data.reading.decoding import Decoded, decoded
from plcnn.data.reading.pictures import MODES, Resize, fitted, fitted_planes, least_sides, why_unreadable
from plcnn.errors import UserError
from plcnn.paths import expanded
from plcnn.terminal import printable

Picture = str | Path | bytes | Image.Image | np.ndarray | Tensor
"""A file's path or content; a PIL image; an array (height, width[, channels]); a tensor (channels, height, width).

Arrays and tensors hold uint8 from 0 to 255, or floats from 0 to 1.
"""


def to_images(
    pictures: Picture | Sequence[Picture], image_shape: tuple[int, int, int], resize: Resize = "stretch"
) -> Tensor:
    """Bring pictures to one tensor.

    Args:
        pictures: one or several; an array (pictures, height, width, channels) or a tensor (pictures, channels, height,
            width) holds several.
        image_shape: channels, height and width to bring them to, as `pictures.fitted` does.
        resize: how.

    Returns:
        uint8 (pictures, channels, height, width).

    Raises:
        UserError: naming the first picture that cannot be read.
    """
    if isinstance(pictures, Tensor) and pictures.ndim == 4 and _is_ready(pictures, image_shape):
        return pictures
    several = isinstance(pictures, Sequence) and not isinstance(pictures, str | bytes)
    several = several or (isinstance(pictures, np.ndarray | Tensor) and pictures.ndim == 4)
    given: Sequence[Picture] = pictures if several else [pictures]  # type: ignore[assignment, list-item]
    images = []
    for number, picture in enumerate(given):
        try:
            images.append(torch.from_numpy(image_of(picture, image_shape, resize).copy()))
        except Exception as error:  # of a damaged file, Pillow may raise anything
            name = printable(picture) if isinstance(picture, str | Path) else f"picture {number} (from 0)"
            raise UserError(f"{name} cannot be read: {why_unreadable(error)}.") from error
    return torch.stack(images) if images else torch.zeros((0, *image_shape), dtype=torch.uint8)


def _is_ready(images: Tensor, image_shape: tuple[int, int, int]) -> bool:
    return images.dtype == torch.uint8 and tuple(images.shape[1:]) == tuple(image_shape)


def image_of(picture: Picture, image_shape: tuple[int, int, int], resize: Resize = "stretch") -> np.ndarray:
    """Bring one picture to uint8 (channels, height, width), as `pictures.fitted` does.

    Raises:
        Exception: of any kind, where it is damaged or no picture; `why_unreadable` has words for it.
    """
    return fitted_of_any_kind(opened(picture, least_sides(image_shape)).picture, image_shape, resize)


def opened(picture: Picture, least: int = 0) -> Decoded:
    """Open one picture of any kind.

    Args:
        picture: the picture.
        least: pixels that a file's sides shall keep, as `decoding.decoded` takes it.

    Raises:
        Exception: of any kind, where it is damaged or no picture; `why_unreadable` has words for it.
    """
    if isinstance(picture, str | Path):
        return decoded(expanded(picture), least)
    if isinstance(picture, bytes):
        return decoded(io.BytesIO(picture), least)
    if isinstance(picture, Tensor):
        if picture.ndim != 3:
            raise ValueError(f"a tensor of shape {tuple(picture.shape)}; expected (channels, height, width)")
        picture = picture.detach().cpu().permute(1, 2, 0)
        picture = (picture.float() if picture.is_floating_point() else picture).numpy()  # NumPy has no bfloat16
    if isinstance(picture, np.ndarray):
        values = eight_bits(picture)
        if values.ndim not in (2, 3):
            raise _no_picture(values)
        channels = values.shape[2] if values.ndim == 3 else 1
        return Decoded(values, values.shape[0], values.shape[1], MODES.get(channels, f"{channels} channels"))
    if not isinstance(picture, Image.Image):
        raise ValueError(f"a {type(picture).__name__}; expected a file, a PIL image, an array or a tensor")
    return Decoded(picture, picture.height, picture.width, picture.mode, picture.format or "")


def fitted_of_any_kind(
    picture: Image.Image | np.ndarray, image_shape: tuple[int, int, int], resize: Resize = "stretch"
) -> np.ndarray:
    """Bring what was opened to uint8 (channels, height, width), as `pictures.fitted` does.

    Raises:
        ValueError: if it has another number of channels than the shape, and is not brought to it.
    """
    if isinstance(picture, np.ndarray):
        planes, channels = picture if picture.ndim == 3 else picture[..., None], image_shape[0]
        if planes.shape[2] == channels > 1 or channels not in MODES:
            return fitted_planes(planes, image_shape, resize)
        picture = as_pil(picture)
    return fitted(picture, image_shape, resize)


def as_pil(array: np.ndarray) -> Image.Image:
    """An array (height, width[, channels]), uint8, as a PIL image."""
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))):
        raise _no_picture(array)
    return Image.fromarray(np.ascontiguousarray(array))


def _no_picture(array: np.ndarray) -> ValueError:
    return ValueError(f"an array of shape {array.shape}; expected (height, width), with 1, 3 or 4 channels last")


def eight_bits(array: np.ndarray) -> np.ndarray:
    """Values from 0 to 255, of floats from 0 to 1 too.

    Raises:
        ValueError: if they are of another type or range.
    """
    if np.issubdtype(array.dtype, np.floating):
        if not (np.isfinite(array).all() and 0 <= array.min() <= array.max() <= 1):
            raise ValueError("floats must be from 0 to 1")
        array = np.round(array * 255).astype(np.uint8)
    if array.dtype != np.uint8:
        raise ValueError(f"values of type {array.dtype}; expected uint8 from 0 to 255, or floats from 0 to 1")
    return array
