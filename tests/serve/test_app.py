"""The HTTP API: its answers are those of `predict`, and what is wrong is answered 4xx in words."""

import base64
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient
from PIL import Image
from support import Outcome

from plcnn.api import load
from plcnn.classifier import Classifier
from plcnn.serve import app as module
from plcnn.serve.app import application
from plcnn.serve.batches import BusyError

LIMIT_MB = 0.25


@pytest.fixture(scope="module")
def classifier(served_run: Path) -> Classifier:
    return load(served_run)


@pytest.fixture
def client(classifier: Classifier) -> Iterator[TestClient]:
    with TestClient(application(classifier, LIMIT_MB, "127.0.0.1"), base_url="http://127.0.0.1:8000") as opened:
        yield opened


def png(seed: int = 0, size: tuple[int, int] = (8, 8)) -> bytes:
    values = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    return buffer.getvalue()


def files(*contents: bytes) -> list[tuple[str, tuple[str, bytes]]]:
    return [("files", (f"{number}.png", content)) for number, content in enumerate(contents)]


def test_answers_are_those_of_predict(client: TestClient, plcnn: Callable[..., Outcome], served_run: Path) -> None:
    contents = [png(0), png(1), png(2, (30, 20))]
    for number, content in enumerate(contents):
        Path(f"{number}.png").write_bytes(content)
    outcome = plcnn("predict", served_run, "0.png", "1.png", "2.png", "--top_k", "3", "--format", "json")
    expected = json.loads(outcome.out)
    answer = client.post("/predict?top_k=3", files=files(*contents))
    assert answer.status_code == 200
    found = answer.json()["predictions"]
    assert len(found) == len(expected) == 3
    for here, there in zip(found, expected, strict=True):
        assert here["name"] == there["picture"] and here["label"] == there["label"] and here["saliency"] is None
        assert [one["label"] for one in here["top"]] == [one["label"] for one in there["top"]]
        assert [one["probability"] for one in here["top"]] == pytest.approx([o["probability"] for o in there["top"]])
    for kind in ("image/png", "image/x-unknown; x=y", "application/octet-stream"):
        (bare,) = client.post("/predict?top_k=3", content=contents[0], headers={"content-type": kind}).json()[
            "predictions"
        ]
        assert bare["name"] == "" and bare["label"] == found[0]["label"]
        assert bare["probability"] == pytest.approx(found[0]["probability"])


def test_below_the_threshold_the_answer_is_unsure(client: TestClient) -> None:
    (sure,) = client.post("/predict", files=files(png())).json()["predictions"]
    share = sure["probability"]
    for threshold, label in ((share - 0.001, sure["top"][0]["label"]), (share + 0.001, "unsure")):
        (found,) = client.post(f"/predict?threshold={threshold}", files=files(png())).json()["predictions"]
        assert found["label"] == label and found["top"] == sure["top"]


def test_saliency_is_a_picture_of_the_picture(client: TestClient) -> None:
    found = client.post("/predict?saliency=true", files=files(png(), png(1))).json()["predictions"]
    for one in found:
        kind, _, content = one["saliency"].partition(",")
        picture = Image.open(io.BytesIO(base64.b64decode(content)))
        assert kind == "data:image/png;base64" and picture.format == "PNG" and picture.mode == "RGB"
        assert picture.width == picture.height


def test_health_says_what_is_served(client: TestClient, classifier: Classifier) -> None:
    found = client.get("/health").json()
    assert found["status"] == "ok" and found["architecture"] == "keras_cnn" and found["image_shape"] == [3, 8, 8]
    assert found["classes"] == classifier.classes


TIFF_HEADER = b"II*\x00\x08\x00\x00\x00"


@pytest.mark.parametrize(
    ("request_", "status", "words"),
    [
        pytest.param({"files": files(b"no picture")}, 422, "Cannot be read: 0.png (no picture)", id="no picture"),
        pytest.param({"files": files(png(), b"")}, 422, "1.png (it is empty)", id="empty"),
        pytest.param({"files": files(png()[:60], TIFF_HEADER)}, 422, "1.png (", id="all bad ones are named"),
        pytest.param({"data": {"a": "b"}, "files": []}, 415, "Send a form", id="another kind of form"),
        pytest.param(
            {"content": b"{}", "headers": {"content-type": "application/json"}}, 415, "not application/json", id="json"
        ),
        pytest.param({"content": png()}, 415, "not nothing", id="no kind"),
        pytest.param({"content": b"", "headers": {"content-type": "image/png"}}, 422, "it is empty", id="no body"),
        pytest.param(
            {"content": b"--x\r\nrubbish", "headers": {"content-type": "multipart/form-data; boundary=y"}},
            400,
            "",
            id="broken form",
        ),
        pytest.param(
            {"content": b"", "headers": {"content-type": "multipart/form-data"}}, 400, "boundary", id="no boundary"
        ),
        pytest.param({"files": files(*[png()] * 65)}, 400, "Too many files", id="too many"),
        pytest.param(
            {"params": {"top_k": 0}, "files": files(png())}, 422, "top_k: Input should be greater", id="top_k"
        ),
        pytest.param(
            {"params": {"threshold": 1.5}, "files": files(png())},
            422,
            "threshold: Input should be less",
            id="threshold",
        ),
        pytest.param(
            {"params": {"threshold": "x"}, "files": files(png())},
            422,
            "threshold: Input should be a valid number",
            id="no number",
        ),
        pytest.param({"files": files(bytes(400_000))}, 413, "up to 0.25 MB", id="too large"),
    ],
)
def test_what_is_wrong_is_answered_in_words(client: TestClient, request_: Any, status: int, words: str) -> None:
    answer = client.post("/predict", **request_)
    assert (answer.status_code, words in answer.json()["detail"]) == (status, True), answer.text
    assert client.post("/predict", files=files(png())).status_code == 200


def test_a_name_that_a_terminal_would_obey_is_escaped(client: TestClient) -> None:
    answer = client.post("/predict", files=[("files", ("a\x1b[31m.png", b"x"))])
    assert answer.status_code == 422 and "\x1b" not in answer.json()["detail"]


def test_a_picture_bomb_is_refused(client: TestClient) -> None:
    buffer = io.BytesIO()
    Image.new("1", (30_000, 20_000)).save(buffer, "PNG", compress_level=9)
    assert len(buffer.getvalue()) < LIMIT_MB * 2**20
    answer = client.post("/predict", files=files(buffer.getvalue()))
    assert answer.status_code == 422 and "too large" in answer.text


def test_a_body_without_a_length_is_cut_off_before_it_has_come(client: TestClient) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(64):
            sent += 2**16
            yield bytes(2**16)

    for kind in ("image/png", "multipart/form-data; boundary=x"):
        answer = client.post("/predict", content=endless(), headers={"content-type": kind})
        assert answer.status_code in (413, 400), answer.text


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8000", 200),
        ("127.0.0.1", 200),
        ("[::1]:8000", 200),
        ("192.168.0.7:8000", 200),
        ("evil.example", 421),
        ("localhost.evil.example:8000", 421),
        ("", 421),
    ],
)
def test_requests_under_foreign_names_are_refused(client: TestClient, host: str, status: int) -> None:
    assert client.get("/health", headers={"host": host}).status_code == status


def test_every_answer_keeps_the_page_to_itself(client: TestClient) -> None:
    for path in ("/", "/page/page.js", "/health", "/docs", "/nowhere"):
        headers = client.get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert ("unsafe-inline" in headers["content-security-policy"]) == (path == "/docs")
        assert headers["x-content-type-options"] == "nosniff" and "access-control-allow-origin" not in headers


def test_the_api_page_describes_every_way_to_send_pictures(client: TestClient) -> None:
    assert "http" not in client.get("/docs").text.replace("http://127.0.0.1:8000", "").replace("https://", "!")
    schema = client.get("/openapi.json").json()
    asked = schema["paths"]["/predict"]["post"]
    assert {"multipart/form-data", "image/*"} <= set(asked["requestBody"]["content"])
    assert {"413", "415", "422", "503"} <= set(asked["responses"])


def test_a_full_queue_says_when_to_try_again(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: object) -> torch.Tensor:
        raise BusyError

    monkeypatch.setattr(module.Batches, "answer", full)
    answer = client.post("/predict", files=files(png()))
    assert answer.status_code == 503 and answer.headers["retry-after"] == "1"


def test_an_architecture_without_saliency_says_so(plcnn: Callable[..., Outcome]) -> None:
    from support import TINY

    assert plcnn("fit", *TINY, "--trainer.max_epochs", "1").code == 0
    app = application(load("tb_logs/run/version_0"), LIMIT_MB, "127.0.0.1")
    with TestClient(app, base_url="http://127.0.0.1") as opened:
        answer = opened.post("/predict?saliency=true", files=files(png()))
        assert answer.status_code == 501 and "'linear' has no map" in answer.json()["detail"]
        assert opened.post("/predict", files=files(png())).status_code == 200
