"""The web application: the page, `POST /predict`, `GET /health`, and the OpenAPI page at /docs."""

import asyncio
import base64
import io
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import torch
from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from fastapi_offline import FastAPIOffline
from PIL import Image
from pydantic import BaseModel, Field
from starlette.middleware import Middleware

from plcnn.classifier import Classifier
from plcnn.errors import UserError
from plcnn.inference import predict_probabilities
from plcnn.predictions import name_classes
from plcnn.saliency import overlay, saliency
from plcnn.serve.batches import Batches, BusyError
from plcnn.serve.guards import API_PAGE, BodyLimit, OwnNames, PageHeaders
from plcnn.serve.uploads import BODY, uploads
from plcnn.terminal import printable

PAGE = Path(__file__).parent / "page"


class Named(BaseModel):
    """A class and its probability."""

    label: str
    probability: float = Field(ge=0, le=1)


class Answer(BaseModel):
    """What the network says of one picture."""

    name: str = Field(description="The file's name; empty for a bare picture.")
    label: str = Field(description="The most probable class, or `unsure` where it is below the threshold.")
    probability: float = Field(ge=0, le=1, description="Of the most probable class, calibrated.")
    top: list[Named] = Field(description="The most probable classes, the first one first.")
    saliency: str | None = Field(None, description="What the network looked at: a PNG as a data URI, where asked for.")


class Answers(BaseModel):
    """An answer for each picture, in their order."""

    predictions: list[Answer]


class Health(BaseModel):
    """What is served."""

    status: str
    architecture: str
    classes: list[str]
    image_shape: list[int] = Field(description="Channels, height and width that pictures are brought to.")
    versions: dict[str, str]


class Fault(BaseModel):
    """What was wrong, in a sentence."""

    detail: str


FAULTS = {
    400: "The form is broken.",
    413: "The request is too large.",
    415: "The body is neither a form nor a picture.",
    422: "A file is no picture, or an argument is out of its range.",
    501: "The architecture has no saliency, or the server lacks the library for it.",
    503: "Too many pictures are waiting; try again after Retry-After seconds.",
}


def application(classifier: Classifier, max_upload_mb: float, host: str) -> FastAPI:
    """Build the application.

    Args:
        classifier: in evaluation mode, on its device; nothing else may use it meanwhile.
        max_upload_mb: size of a request's body, in units of 2^20 bytes.
        host: where it listens; requests under foreign names are refused.
    """
    thread = ThreadPoolExecutor(1, "network")
    shares = Batches(lambda images: predict_probabilities(classifier, images), thread)
    heats = Batches(lambda images: saliency(classifier, images), thread)

    @asynccontextmanager
    async def at_work(_: FastAPI) -> AsyncIterator[None]:
        for batches in (shares, heats):
            batches.start()
        yield
        for batches in (shares, heats):
            await batches.stop()
        thread.shutdown(wait=False, cancel_futures=True)

    app = FastAPIOffline(
        docs_url=API_PAGE,
        redoc_url=None,
        static_url=f"{API_PAGE}/static",
        title=f"plcnn: {classifier.arch.name}",
        description="Names the classes of pictures.",
        version=version("plcnn"),
        lifespan=at_work,
        middleware=[
            Middleware(PageHeaders),
            Middleware(OwnNames, host=host),
            Middleware(BodyLimit, most=int(max_upload_mb * 2**20)),
        ],
    )

    @app.exception_handler(RequestValidationError)
    async def wrong_argument(_: Request, error: RequestValidationError) -> JSONResponse:
        faults = [f"{fault['loc'][-1]}: {fault['msg']}, got {fault['input']!r}" for fault in error.errors()]
        return JSONResponse({"detail": printable("; ".join(faults))}, 422)

    @app.get("/health", summary="What is served, and whether it is up")
    async def health() -> Health:
        return Health(
            status="ok",
            architecture=classifier.arch.name,
            classes=classifier.classes,
            image_shape=list(classifier.image_shape),
            versions={package: version(package) for package in ("plcnn", "torch")},
        )

    @app.post(
        "/predict",
        summary="Name the classes of pictures",
        openapi_extra=BODY,
        responses={code: {"model": Fault, "description": words} for code, words in FAULTS.items()},
    )
    async def predict(
        request: Request,
        top_k: Annotated[int, Query(ge=1, description="How many classes to name for each picture.")] = 5,
        threshold: Annotated[float, Query(ge=0, le=1, description="Below this, the label is `unsure`.")] = 0.0,
        with_saliency: Annotated[
            bool, Query(alias="saliency", description="Whether to show what the network looked at.")
        ] = False,
    ) -> Answers:
        sent = await uploads(request, classifier.image_shape, classifier.resize)
        images = [upload.image for upload in sent]
        try:
            rows = torch.stack(await asyncio.gather(*map(shares.answer, images)))
            maps = await asyncio.gather(*map(heats.answer, images)) if with_saliency else [None] * len(images)
        except BusyError:
            raise HTTPException(503, "Too many pictures are waiting.", {"Retry-After": "1"}) from None
        except UserError as error:
            raise HTTPException(501, str(error)) from error
        named = name_classes(rows, classifier.classes, top_k, threshold)
        return Answers(
            predictions=[
                Answer(name=name, saliency=None if heat is None else _png(overlay(image, heat)), **one.as_dict())
                for (name, image), one, heat in zip(sent, named, maps, strict=True)
            ]
        )

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(PAGE / "index.html")

    app.mount("/page", StaticFiles(directory=PAGE))
    return app


def _png(picture: Image.Image) -> str:
    """A picture as a data URI."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
