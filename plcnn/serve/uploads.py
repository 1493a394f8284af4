"""Pictures out of a request's body: the files of a form, or one bare picture."""

import asyncio
import io
from typing import NamedTuple

import torch
from fastapi import HTTPException, Request
from starlette.datastructures import UploadFile
from torch import Tensor

from plcnn.data.reading.pictures import Resize, read_picture, why_unreadable
from plcnn.terminal import printable

MOST_FILES = 64
"""Pictures in one request."""

BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"files": {"type": "array", "items": {"type": "string", "format": "binary"}}},
                    "required": ["files"],
                }
            },
            "image/*": {"schema": {"type": "string", "format": "binary"}},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}
"""The forms of a body, in OpenAPI's words."""


class Upload(NamedTuple):
    """A picture that was sent.

    Attributes:
        name: of its file; empty for a bare picture.
        image: uint8 (channels, height, width).
    """

    name: str
    image: Tensor


async def uploads(request: Request, image_shape: tuple[int, int, int], resize: Resize) -> list[Upload]:
    """Read the pictures of a request; decoding does not hold up other requests.

    Args:
        request: a form with files, or a picture as its body.
        image_shape: channels, height and width to bring them to.
        resize: how.

    Raises:
        HTTPException: 415 for a body of another kind, 422 naming every file that is no picture or if there is none; 400
            for a broken form; what a body that is too large raises.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "multipart/form-data":
        async with request.form(max_files=MOST_FILES, max_fields=MOST_FILES) as form:
            files = [(f.filename or "", await f.read()) for _, f in form.multi_items() if isinstance(f, UploadFile)]
    elif kind.startswith("image/") or kind == "application/octet-stream":
        files = [("", await request.body())]
    else:
        raise HTTPException(415, f"Send a form (multipart/form-data) or a picture (image/*), not {kind or 'nothing'}.")
    if not files:
        raise HTTPException(422, "There is no file in the form.")
    read = await asyncio.gather(*(asyncio.to_thread(_read, content, image_shape, resize) for _, content in files))
    faults = [
        f"{printable(name) or 'the picture'} ({why})"
        for (name, _), why in zip(files, read, strict=True)
        if isinstance(why, str)
    ]
    if faults:
        raise HTTPException(422, f"Cannot be read: {'; '.join(faults)}.")
    return [Upload(name, image) for (name, _), image in zip(files, read, strict=True) if isinstance(image, Tensor)]


def _read(content: bytes, image_shape: tuple[int, int, int], resize: Resize) -> Tensor | str:
    """The picture, or why it cannot be read."""
    try:
        return torch.from_numpy(read_picture(io.BytesIO(content), image_shape, resize).copy())
    except Exception as error:  # of a damaged file, Pillow may raise anything
        return why_unreadable(error) if content else "it is empty"
