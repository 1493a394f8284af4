"""Picture files read into tensors of one size, for prediction."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from plcnn.errors import UserError


def read_pictures(paths: list[str], image_shape: tuple[int, int, int]) -> tuple[Tensor, list[Path]]:
    """Read picture files, and all picture files below folders.

    A picture of another size is resized (bilinear, antialiased) without keeping its aspect; transparency is laid on
    white; three channels are RGB, one channel is grey. A picture that has the size already keeps its pixels.

    Args:
        paths: files and folders.
        image_shape: channels (1 or 3), height and width to bring every picture to.

    Returns:
        uint8 (pictures, channels, height, width), and each picture's file.

    Raises:
        UserError: naming every file that is missing or cannot be read, or if there is none.
    """
    files = [file for path in paths for file in _files(Path(path).expanduser())]
    if not files:
        raise UserError(f"No pictures in {', '.join(paths)}.")
    images, bad = [], []
    for file in files:
        try:
            images.append(_read(file, image_shape))
        except (OSError, UnidentifiedImageError, ValueError, Image.DecompressionBombError) as error:
            bad.append(f"{file} ({_reason(error)})")
    if bad:
        raise UserError(f"{len(bad)} of {len(files)} pictures cannot be read: {'; '.join(bad)}")
    return torch.from_numpy(np.stack(images)), files


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "no picture"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    suffixes = Image.registered_extensions()
    return sorted(p for p in path.rglob("*") if p.suffix.lower() in suffixes and not p.name.startswith("."))


def _read(file: Path, image_shape: tuple[int, int, int]) -> np.ndarray:
    channels, height, width = image_shape
    with Image.open(file) as opened:
        picture = ImageOps.exif_transpose(opened)
        if picture.has_transparency_data:
            picture = picture.convert("RGBA")
            picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
        if picture.mode.startswith("I;16") or picture.mode in ("I", "F"):
            picture = Image.fromarray((np.asarray(picture, dtype=np.float32) / 257).clip(0, 255).astype(np.uint8))
        picture = picture.convert("L" if channels == 1 else "RGB")
        if picture.size != (width, height):
            picture = picture.resize((width, height), Image.Resampling.BILINEAR)
        return np.asarray(picture).reshape(height, width, channels).transpose(2, 0, 1)
