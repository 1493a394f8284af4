"""`plcnn export`: files that answer as `predict` does, their cards, and what is refused."""

import contextlib
import io
import json
import re
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from support import Outcome

import plcnn as product
from plcnn.classifier import Classifier
from plcnn.data.module import ImageData
from plcnn.data.sources.shapes import Shapes
from plcnn.errors import UserError
from plcnn.export import command, parity, speed
from plcnn.inference import predict_probabilities

Command = Callable[..., Outcome]
IMAGES, LABELS = Shapes(train_size=200, test_size=90, image_size=8).test()
QUICK = ("--speed", "false")


def snippet(card: Path) -> str:
    """What the code on a card prints."""
    code = re.findall(r"```python\n(.*?)```", card.read_text(), re.DOTALL)
    assert len(code) == 1
    out = io.StringIO()
    with contextlib.chdir(card.parent), contextlib.redirect_stdout(out):
        exec(code[0], {})
    return out.getvalue()


def answer(trained: Path, picture: Path) -> tuple[str, float]:
    prediction = product.load(trained).predict(picture)[0]
    return prediction.label, prediction.probability


@pytest.mark.parametrize(("format", "precision", "tolerance"), [("onnx", "fp32", 1e-5), ("pt2", "bf16", 0.05)])
def test_an_export_answers_as_its_checkpoint(
    plcnn: Command, trained: Path, format: str, precision: str, tolerance: float
) -> None:
    path = Path(f"made/net.{format}")
    limit = ("--max_loss", "20") if precision == "bf16" else ()
    outcome = plcnn("export", trained, "--format", format, "--precision", precision, "--output", path, *QUICK, *limit)
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[0] == f"exporting  linear to {format}, {precision}"
    assert lines[1].startswith("checked    90 test pictures: ")
    assert lines[2].startswith(f"exported   {path}, ") and len(lines) == 3
    assert sorted(file.name for file in path.parent.iterdir()) == [path.name, f"{path.name}.md"]
    shutil.copy(path, "alone")  # whatever it needs is inside
    if format == "onnx":
        session = onnxruntime.InferenceSession("alone")
        shares = torch.from_numpy(session.run(["probabilities"], {"images": IMAGES.numpy()})[0])
        contract = json.loads(session.get_modelmeta().custom_metadata_map["plcnn"])
    else:
        extra = {"plcnn.json": ""}
        shares = torch.export.load(path, extra_files=extra).module()(IMAGES)[0]
        contract = json.loads(extra["plcnn.json"])
    assert (shares - predict_probabilities(product.load(trained), IMAGES)).abs().max() < tolerance
    assert contract["classes"] == product.load(trained).classes and contract["precision"] == precision
    large = IMAGES[0].permute(1, 2, 0).numpy().repeat(3, 0).repeat(2, 1)
    Image.fromarray(large).save(path.parent / "picture.png")
    label, share = answer(trained, path.parent / "picture.png")
    printed = snippet(path.with_name(f"{path.name}.md")).split()
    assert printed[0] == label and float(printed[1]) == pytest.approx(share, abs=max(tolerance, 0.02))


def test_the_card_tells_a_test_of_the_same_pictures(plcnn: Command, trained: Path) -> None:
    run = Path("tb_logs/run/version_0")
    shutil.copytree(trained, run, ignore=shutil.ignore_patterns("test.*", "export"))
    assert plcnn("test", run, "--report", "false", "--data.source.test_size", "60").code == 0
    other = plcnn("export", run, "--format", "pt2", *QUICK)
    assert other.code == 0 and "by `plcnn test`" not in next(run.glob("export/*.md")).read_text()
    assert plcnn("test", run, "--report", "false").code == 0
    assert plcnn("export", run, "--format", "pt2", "--output", "same.pt2", *QUICK).code == 0
    assert (
        "by `plcnn test`: accuracy" in Path("same.pt2.md").read_text()
        and "on 90 pictures" in Path("same.pt2.md").read_text()
    )


def test_weights_alone_start_a_training_bit_for_bit(plcnn: Command, trained: Path) -> None:
    outcome = plcnn("export", "--ckpt_path", trained, "--format", "safetensors", "--output", "net.safetensors")
    assert outcome.code == 0 and "checked    the weights are the checkpoint's, bit for bit" in outcome.out
    classifier = product.load(trained)
    found, own = load_file("net.safetensors"), classifier.net.state_dict()
    assert found.keys() == own.keys() and all(torch.equal(found[name], own[name]) for name in own)
    again = Classifier(
        classifier.classes, classifier.image_shape, classifier.arch, weights="net.safetensors"
    ).net.state_dict()
    assert all(torch.equal(again[name], own[name]) for name in own)
    Image.fromarray(IMAGES[0].permute(1, 2, 0).numpy()).save("picture.png")
    logits = classifier(IMAGES[:1]).detach()  # a card of weights says nothing of test-time augmentation
    share = float((logits / classifier.temperature).softmax(1).max())
    assert float(snippet(Path("net.safetensors.md")).split()[1]) == pytest.approx(share, abs=1e-5)


def test_int8_is_smaller_and_told_by_what_it_was_calibrated(
    plcnn: Command, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed, "SECONDS_A_TURN", 0.001)
    arguments = ("--precision", "int8", "--max_loss", "10", "--output", "net.onnx", "--calibration_pictures", "64")
    outcome = plcnn("export", trained, *arguments, "--speed", "true")
    assert (outcome.code, outcome.err) == (0, "")
    assert [line.split(":")[0] for line in outcome.out.splitlines()[2:4]] == [
        "speed      batch 1",
        "speed      batch 256",
    ]
    graph = onnx.load("net.onnx").graph
    weights = [tensor for tensor in graph.initializer if tensor.data_type == onnx.TensorProto.INT8]
    assert any(len(tensor.raw_data) == 10 * 3 * 8 * 8 for tensor in weights)
    card = Path("net.onnx.md").read_text()
    assert "The ranges of int8 were set by 64 training pictures." in card and "| batch 256 |" in card


def test_the_file_goes_into_the_run_folder_under_the_next_free_name(plcnn: Command, trained: Path) -> None:
    shutil.copytree(trained, "run")
    for expected in ("linear-fp32.pt2", "linear-fp32_2.pt2"):
        outcome = plcnn("export", "run", "--format", "pt2", "--check", "none", *QUICK)
        assert outcome.code == 0 and f"exported   run/export/{expected}" in outcome.out
        assert "unchecked  it was not compared with the checkpoint (--check none)" in outcome.out
        assert "**Unchecked**" in Path(f"run/export/{expected}.md").read_text()


def test_what_is_worse_is_refused_and_leaves_nothing(
    plcnn: Command, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(parity.LIMITS, "fp16", parity.Limits(0, 1.01, 0))
    outcome = plcnn("export", trained, "--format", "pt2", "--precision", "fp16", "--output", "made/net.pt2", *QUICK)
    assert outcome.code == 1 and outcome.err.startswith("error: export: the fp16 export was refused: ")
    assert "--max_loss POINTS allows more" in outcome.err and not Path("made").exists()


def test_a_broken_network_is_found_by_the_check(plcnn: Command, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plcnn.export.module.mean_logits", lambda net, images, tta: net(images.flip(1)))
    outcome = plcnn("export", trained, "--format", "pt2", "--output", "net.pt2", *QUICK)
    assert outcome.code == 1 and "a probability differs by" in outcome.err and not Path("net.pt2").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--precision", "bf16"),
            "--precision bf16: onnx is written in fp32 or fp16 or int8; bf16 goes with --format pt2",
        ),
        (("--format", "safetensors", "--precision", "int8"), "int8 goes with --format onnx."),
        (("--max_loss", "-1"), "--max_loss: got -1.0; allowed: points of accuracy, 0 to 100."),
        (("--calibration_pictures", "0"), "--calibration_pictures: got 0; allowed: 1 or more."),
        (("--output", "net.bin"), "--output net.bin: a file of --format onnx ends with .onnx."),
        (("--output", "there.onnx"), "there.onnx exists already; name another file."),
        (("--output", "card.onnx"), "card.onnx.md exists already; name another file."),
    ],
)
def test_what_cannot_be_is_told_at_once(
    plcnn: Command, trained: Path, arguments: tuple[str, ...], message: str
) -> None:
    for name in ("there.onnx", "card.onnx.md"):
        Path(name).write_text("mine")
    outcome = plcnn("export", trained, *arguments)
    assert outcome.code == 2 and message in outcome.err and outcome.err.count("\n") == 1
    assert Path("there.onnx").read_text() == Path("card.onnx.md").read_text() == "mine"


def test_a_run_is_needed_and_near_names_are_told(plcnn: Command, trained: Path) -> None:
    assert "export needs a run folder or a checkpoint: plcnn export RUN" in plcnn("export").err
    outcome = plcnn("export", trained.with_name("version_1"))
    assert outcome.code == 2 and "In " in outcome.err and "version_0" in outcome.err


def test_missing_data_says_what_to_do(plcnn: Command, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(self: ImageData) -> None:
        raise UserError("data: there is no archive.")

    monkeypatch.setattr(ImageData, "prepare_data", missing)
    outcome = plcnn("export", trained, "--output", "net.onnx")
    assert outcome.code == 1 and outcome.err.startswith("error: data: there is no archive.\n")
    assert "--data.root FOLDER" in outcome.err and "--check none" in outcome.err
    assert plcnn("export", trained, "--output", "net.onnx", "--check", "none", *QUICK).code == 0


def test_a_missing_package_is_named(plcnn: Command, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "find_spec", lambda name: None if name == "onnxscript" else find_spec(name))
    outcome = plcnn("export", trained)
    assert (outcome.code, outcome.err) == (1, "error: --format onnx needs onnxscript: pip install 'plcnn[export]'\n")


def test_ranges_of_int8_are_seen_on_pictures_from_all_over_the_set() -> None:
    images = torch.arange(10, dtype=torch.uint8).view(10, 1, 1, 1)
    assert command._spread(images, 4).flatten().tolist() == [0, 3, 6, 9]
    assert command._spread(images, 50).flatten().tolist() == list(range(10))


def test_grey_pictures_and_odd_class_names(tmp_path: Path) -> None:
    from plcnn.export.card import Facts, card
    from plcnn.export.contract import as_text, contract
    from plcnn.export.make import make

    torch.manual_seed(0)
    classifier = Classifier(["a|b", "<b>`x`", "two\nlines"], (1, 8, 8), "linear").eval()
    values = contract(classifier, "fp32")
    made = make(classifier, "pt2", "fp32", as_text(values))
    path = tmp_path / 'it\'s "one".pt2'
    path.write_bytes(made.content)  # type: ignore[union-attr]
    facts = Facts(path, "pt2", values, classifier, Path("last.ckpt"), {}, None, None, [], 0, 1)
    text = card(facts)
    assert r"a\|b, \<b\>\`x\`, two\\nlines" in text
    path.with_name("card.md").write_text(text)
    Image.fromarray(np.arange(60, dtype=np.uint8).reshape(6, 10)).save(tmp_path / "picture.png")
    prediction = classifier.predict(tmp_path / "picture.png")[0]
    printed = snippet(path.with_name("card.md")).rsplit(None, 1)
    assert printed[0] == prediction.label and float(printed[1]) == pytest.approx(prediction.probability, abs=1e-2)
