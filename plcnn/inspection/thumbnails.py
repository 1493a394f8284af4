"""Small pictures for the page, each read once, however often it is shown."""

import torch

from plcnn.data.reading.in_memory import image_of
from plcnn.inspection.subject import Subject

MOST = 1200
"""Pictures that a page shows; the page of a million pictures stays small."""

SIDE = 96
"""Pixels along the longer side."""


class Thumbnails:
    """Small pictures as addresses that hold them.

    Args:
        subject: whose pictures they are.
    """

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._made: dict[int, str | None] = {}

    def of(self, row: int) -> str | None:
        """The small picture of a row; None where it cannot be read, or `MOST` were made already."""
        if row not in self._made and len(self._made) < MOST:
            self._made[row] = self._make(row)
        return self._made.get(row)

    def _make(self, row: int) -> str | None:
        from plcnn.report.page import picture_data

        subject = self._subject
        if not subject.readable[row]:
            return None
        height, width = (max(1, int(side)) for side in subject.survey.sizes[row])
        scale = min(1.0, SIDE / max(height, width))
        shape = (subject.image_shape[0], max(1, round(height * scale)), max(1, round(width * scale)))
        try:
            image = image_of(subject.pictures.picture(row), shape)
        except Exception:  # of a file that has changed since, Pillow may raise anything
            return None
        return picture_data(torch.from_numpy(image.copy()))
