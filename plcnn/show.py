"""The seed's grid of training pictures, plain and augmented side by side."""

from pathlib import Path
from typing import Any

import torch

from plcnn.data.augmentations import apply
from plcnn.data.kept.stores import read_rows
from plcnn.data.module import ImageData
from plcnn.data.randomness import Draws
from plcnn.errors import UserError
from plcnn.figures.pictures import displayable


def draw_pictures(data: ImageData, path: Path, side: int) -> None:
    """Draw training pictures, spread evenly over the set, with their classes.

    Args:
        data: a data module that is set up for "fit".
        path: the PNG to write.
        side: pictures along each side of a grid.

    Raises:
        UserError: if the file cannot be written.
    """
    from matplotlib.figure import Figure

    images, labels = data.sets["train"]
    rows = torch.linspace(0, len(labels) - 1, min(side * side, len(labels))).long()  # a folder's lie class by class
    plain, labels = read_rows(images, rows).float().div(255), labels[rows]
    augmented = apply(data.augments, plain, Draws(data.seed, 0, rows))
    figure = Figure(figsize=(2 * side * 1.15 + 0.6, side * 1.35 + 0.6), layout="constrained")
    parts: list[Any] = list(figure.subfigures(1, 2))  # type: ignore[arg-type]
    for part, pictures, title in zip(parts, (plain, augmented), ("plain", "augmented"), strict=True):
        part.suptitle(title)
        for axes, picture, label in zip(part.subplots(side, side, squeeze=False).flat, pictures, labels, strict=False):
            axes.imshow(displayable(picture.clamp(0, 1)), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            axes.set_title(data.classes[int(label)], fontsize=8)
        for axes in part.axes:
            axes.axis("off")
    try:
        figure.savefig(path, dpi=130)
    except (OSError, ValueError) as error:
        raise UserError(f"--output {path}: cannot be written: {error}") from error
