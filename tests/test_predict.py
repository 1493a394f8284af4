"""`plcnn predict`: pictures of all kinds in, a table, CSV or JSON out, as the network gives its answers."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from support import TINY, Forked, Outcome

import plcnn as product
from plcnn.data.sources.shapes import Shapes
from plcnn.inference import predict_logits
from plcnn.keywords import as_arguments
from plcnn.terminal import printable

Command = Callable[..., Outcome]
IMAGES = Shapes(train_size=200, test_size=90, image_size=8).test()[0]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder, read-only for all tests."""
    root = tmp_path_factory.mktemp("runs")
    options = {"trainer": {"default_root_dir": root, "max_epochs": 2, "logger": False}}
    from plcnn.in_process import run_command

    run_command(["fit", *TINY, *as_arguments(options)])
    return root / "run" / "version_0"


def pictures(*names: str) -> list[str]:
    """Write the first test pictures under these names."""
    for name, image in zip(names, IMAGES, strict=False):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(name, "PNG")
    return list(names)


def shares(run: Path, count: int, **settings: Any) -> torch.Tensor:
    """The calibrated probabilities of the first test pictures, computed without a command."""
    classifier = product.load(run)
    return (predict_logits(classifier, IMAGES[:count], **settings).double() / classifier.temperature).softmax(1)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_run_comes_first_however_it_is_named(plcnn: Command, run: Path) -> None:
    names = pictures("a.png", "b.png")
    checkpoint = next((run / "checkpoints").glob("best-*"))
    expected = plcnn("predict", "--ckpt_path", run, "--data.pictures", f"[{', '.join(names)}]")
    assert expected.code == 0 and len(expected.out.splitlines()) == 2
    for typed in (
        [run, *names],
        [checkpoint, *names],
        ["--data.batch_size", "5", run, "a.png", "--top_k", "1", "b.png"],
        ["--ckpt_path", run, *names],
        ["--config", run / "config.yaml", *names],
        [run, "--data.pictures=a.png", "b.png"],
        [run, "a.png", "--", "b.png"],
    ):
        assert plcnn("predict", *typed) == expected, typed
    Path("-x.png").write_bytes(Path("a.png").read_bytes())
    assert "-x.png" in plcnn("predict", run, "--", "-x.png").out
    measured = [plcnn("validate", *typed).out.splitlines()[0] for typed in ([run], ["--ckpt_path", run])]
    assert measured[0] == measured[1] and measured[0].startswith("val  loss ")


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["predict"], "predict needs a run folder or a checkpoint: plcnn predict RUN"),
        (["predict", "RUN"], "predict needs pictures: plcnn predict RUN FILE_OR_FOLDER ..."),
        (["predict", "RUN_", "a.png"], "no such file or run folder. Did you mean "),
        (["predict", "a.png", "RUN"], "a.png is a picture; the run comes first: plcnn predict RUN PICTURE ..."),
        (["test", "RUN/config.yaml"], "config.yaml is a config: plcnn test --config "),
        (["test", "RUN", "more"], "'more' is not understood: test takes one run folder"),
        (["validate", "--ckpt_path", "RUN", "more"], "'more' is not understood: validate takes one"),
        (["fit", "RUN"], "is not understood: options begin with --"),
        (["predict", "RUN", "a.png", "--top_k", "0"], "--top_k: got 0; allowed: 1 or more"),
        (["predict", "RUN", "a.png", "--threshold", "1.5"], "--threshold: got 1.5; allowed: a probability"),
        (["predict", "RUN", "a.png", "--batch_size", "0"], "--batch_size: got 0; allowed: at least 1"),
        (["predict", "RUN", "a.png", "--format", "yaml"], "--format: expected table, csv or json, got 'yaml'"),
        (["predict", "RUN", "a.png", "--tta", "flop"], "--tta: expected"),
        (["predict", "RUN", "a.png", "--fromat", "csv"], "there is no option --fromat. Did you mean --format"),
        (["predict", "RUN", "a.png", "--output", "a.png"], "--output a.png: exists already"),
        (["predict", "RUN", "a.png", "--output", "no/where.csv"], "--output no/where.csv: No such file"),
        (["test", "RUN", "--top_k", "2"], "there is no option --top_k"),
    ],
)
def test_mistakes_are_told_in_a_line(plcnn: Command, run: Path, typed: list[str], words: str) -> None:
    pictures("a.png")
    before = sorted(Path().iterdir())
    outcome = plcnn(*(text.replace("RUN", str(run)) for text in typed))
    assert outcome.code == 2 and words in outcome.err and outcome.out == ""
    assert len(outcome.err.splitlines()) == 1 and sorted(Path().iterdir()) == before


def test_formats_say_the_same_after_the_temperature(plcnn: Command, run: Path) -> None:
    names = pictures(*(f"{number}.png" for number in range(6)))
    expected, classes = shares(run, 6), product.load(run).classes
    options = [run, *names, "--top_k", "3", "--data.batch_size", "4"]
    best, labels = expected.topk(3)
    read = json.loads(plcnn("predict", *options, "--format", "json").out)
    assert [answer["picture"] for answer in read] == names
    for answer, top, probabilities in zip(read, labels.tolist(), best.tolist(), strict=True):
        assert [one["label"] for one in answer["top"]] == [classes[label] for label in top]
        assert [one["probability"] for one in answer["top"]] == pytest.approx(probabilities, abs=1e-6)
        assert (answer["label"], answer["probability"]) == tuple(answer["top"][0].values())
    table = [line.split() for line in plcnn("predict", *options).out.splitlines()]
    found = rows(plcnn("predict", *options, "--format", "csv").out)
    assert list(found[0]) == ["picture", "label", *(f"{w}_{n}" for n in (1, 2, 3) for w in ("class", "probability"))]
    for answer, line, row in zip(read, table, found, strict=True):
        pairs = [(one["label"], one["probability"]) for one in answer["top"]]
        assert line == [answer["picture"], *(text for label, p in pairs for text in (label, f"{p:.4f}"))]
        assert list(row.values()) == [line[0], line[1], *(t for label, p in pairs for t in (label, f"{p:.6f}"))]
    assert product.load(run).temperature != 1


def test_more_classes_than_there_are(plcnn: Command, run: Path) -> None:
    names = pictures("a.png", "b.png")
    found = rows(plcnn("predict", run, *names, "--top_k", "99", "--format", "csv").out)
    assert len(found) == 2 and len(found[0]) == 2 + 2 * 10 and None not in found[0]


def test_a_threshold_makes_unsure(plcnn: Command, run: Path) -> None:
    names = pictures(*(f"{number}.png" for number in range(9)))
    best = shares(run, 9).max(1)
    threshold = float(best.values.sort().values[3:5].mean())
    found = rows(plcnn("predict", run, *names, "--threshold", f"{threshold}", "--format", "csv").out)
    classes = product.load(run).classes
    named = [classes[label] for label in best.indices]
    assert [row["class_1"] for row in found] == named
    sure = best.values > threshold
    assert [row["label"] for row in found] == [n if s else "unsure" for n, s in zip(named, sure, strict=True)]
    assert sum(sure) == 5


def test_test_time_augmentation_by_a_short_name(plcnn: Command, run: Path) -> None:
    names = pictures(*(f"{number}.png" for number in range(3)))
    outcomes = [plcnn("predict", run, *names, flag, "flip", "--format", "csv") for flag in ("--tta", "--model.tta")]
    assert outcomes[0] == outcomes[1] and outcomes[0].code == 0
    expected = shares(run, 3, tta="flip").max(1).values.tolist()
    assert [float(row["probability_1"]) for row in rows(outcomes[0].out)] == pytest.approx(expected, abs=2e-6)


def test_arrays_and_the_standard_input(plcnn: Command, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = pictures("a.png", "b.png")
    np.save("both.npy", IMAGES[:2].permute(0, 2, 3, 1).numpy())
    expected = [line.split()[1:] for line in plcnn("predict", run, *names).out.splitlines()]
    assert [line.split() for line in plcnn("predict", run, "both.npy").out.splitlines()] == [
        [f"both.npy[{number}]", *rest] for number, rest in enumerate(expected)
    ]
    for content, found in (
        (b"a.png\nb.png\n", names),
        (Path("a.png").read_bytes(), ["-"]),
        (Path("both.npy").read_bytes(), ["-[0]", "-[1]"]),
    ):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        outcome = plcnn("predict", run, "-")
        assert [line.split() for line in outcome.out.splitlines()] == [
            [name, *rest] for name, rest in zip(found, expected, strict=False)
        ]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    outcome = plcnn("predict", run, "-")
    assert outcome.code == 1 and "- (the standard input is empty)" in outcome.err


HOSTILE = ["new\nline.png", "\x1b[31mred.png", os.fsdecode(b"\xff\xfe.png"), '=cmd|"x".png', "a,b;c.png", "日本.png"]


def test_names_of_every_kind(plcnn: Command, run: Path) -> None:
    pictures(*HOSTILE)
    outcomes = {kind: plcnn("predict", run, ".", "--format", kind) for kind in ("table", "csv", "json")}
    assert not any(outcome.code or outcome.err for outcome in outcomes.values())
    lines = outcomes["table"].out.splitlines()
    assert len(lines) == len(HOSTILE) and "\x1b" not in outcomes["table"].out
    assert {line.rsplit(maxsplit=2)[0].strip() for line in lines} == {printable(name) for name in HOSTILE}
    starts = {line.replace("日本", "日本__").rindex("  0.") for line in lines}  # the two letters are two columns wide
    assert len(starts) == 1
    undecodable = {name: name.encode(errors="backslashreplace").decode() for name in HOSTILE}
    assert {row["picture"] for row in rows(outcomes["csv"].out)} == set(undecodable.values())
    assert {answer["picture"] for answer in json.loads(outcomes["json"].out)} == set(HOSTILE)


@pytest.mark.parametrize("kind", ["table", "csv", "json"])
def test_good_pictures_are_answered_before_bad_ones_are_named(plcnn: Command, run: Path, kind: str) -> None:
    pictures("mine/a.png", "mine/b.png")
    Path("mine/bad.png").touch()
    Path("empty").mkdir()
    whole = plcnn("predict", run, "mine/a.png", "mine/b.png", "--format", kind)
    outcome = plcnn("predict", run, "mine", "empty", "mine/x", "--format", kind)
    assert outcome.code == 1 and outcome.out.split() == whole.out.split()
    assert outcome.err == (
        "error: 3 of 5 pictures cannot be read: empty (a folder without pictures); mine/x (no such file or folder); "
        "mine/bad.png (no picture)\n"
    )
    outcome = plcnn("predict", run, "mine", "--format", kind, "--output", "answers")
    assert outcome.code == 1 and outcome.out == "" and Path("answers").read_text().split() == whole.out.split()
    only = plcnn("predict", run, "mine/bad.png", "--format", kind)
    assert only.code == 1 and only.err.startswith("error: 1 of 1 pictures") and "mine" not in only.out


def test_a_file_appears_whole_or_not_at_all(plcnn: Command, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = pictures("a.png", "b.png", "c.png")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("plcnn.files.sync", full)
        outcome = plcnn("predict", run, *names, "--output", "answers.csv", "--format", "csv")
    assert outcome.code == 1 and outcome.err == "error: answers.csv cannot be written: No space left on device.\n"
    assert sorted(path.name for path in Path().iterdir()) == names
    assert plcnn("predict", run, *names, "--output", "answers.csv", "--format", "csv") == Outcome(0, "", "")
    before = Path("answers.csv").read_bytes()
    assert len(rows(before.decode())) == 3
    assert plcnn("predict", run, *names, "--output", "answers.csv").code == 2
    assert Path("answers.csv").read_bytes() == before


def test_answers_are_written_as_they_come_and_a_closed_pipe_is_no_fault(run: Path) -> None:
    pictures("a.png")
    np.save("many.npy", np.repeat(IMAGES[:1].permute(0, 2, 3, 1).numpy(), 40_000, 0))
    with subprocess.Popen(
        [sys.executable, "-m", "plcnn", "predict", str(run), "a.png", "many.npy"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout and process.stderr
        first = process.stdout.readline()
        assert first.startswith("a.png")
        process.stdout.close()
        assert process.wait(60) == 1 and process.stderr.read() == ""


def test_ctrl_c_leaves_whole_lines(fork: Callable[..., Forked], run: Path) -> None:
    np.save("many.npy", np.repeat(IMAGES[:1].permute(0, 2, 3, 1).numpy(), 100_000, 0))
    for kind in ("csv", "json"):
        process = fork("predict", run, "many.npy", "--format", kind)
        while process.folder.joinpath("out").read_text().count("\n") < 5:
            time.sleep(0.01)
        process.kill(signal.SIGINT)
        code, out, err = process.wait()
        assert code == 130 and err.strip() == "error: interrupted"
        read = json.loads(out) if kind == "json" else rows(out)
        assert 4 <= len(read) < 100_000 and all(len(row) == len(read[0]) for row in read)
    process = fork("predict", run, "many.npy", "--output", "answers")
    time.sleep(1)
    process.kill(signal.SIGINT)
    assert process.wait().code == 130 and not list(Path().glob("answers*"))


def test_a_threshold_on_probabilities_that_are_not_calibrated_is_warned_of(plcnn: Command, run: Path) -> None:
    content = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    del content["temperature"]
    torch.save(content, "uncalibrated.ckpt")
    pictures("a.png")
    warning = (
        "warning: the probabilities are not calibrated: the training had no validation pictures. Mind --threshold.\n"
    )
    assert plcnn("predict", "uncalibrated.ckpt", "a.png", "--threshold", "0.5").err == warning
    assert (
        plcnn("predict", "uncalibrated.ckpt", "a.png").err
        == plcnn("predict", run, "a.png", "--threshold", "1").err
        == ""
    )


def test_saliency_draws_a_picture_for_each(plcnn: Command, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = pictures("a.png", "other/a.png", "b.png")
    asked: list[torch.Tensor] = []

    def saliency(classifier: Any, images: torch.Tensor) -> torch.Tensor:
        torch.ones(1, requires_grad=True).mul(2).backward()  # as it will want to
        assert classifier.image_shape == (3, 8, 8)
        asked.append(images)
        return images[:, 0] / 255

    stand_in = types.ModuleType("plcnn.saliency")
    stand_in.__dict__.update(saliency=saliency, overlay=lambda image, heat: Image.fromarray(np.uint8(heat * 255)))
    monkeypatch.setitem(sys.modules, "plcnn.saliency", stand_in)
    Path("heat").mkdir()
    Path("heat/b.png").write_text("mine")
    typed = ["predict", run, *names, "--saliency", "heat"]
    read = json.loads(plcnn(*typed, "--format", "json", "--batch_size", "2").out)
    files = [answer["saliency"] for answer in read]
    assert files == ["heat/a.png", "heat/a_2.png", "heat/b_2.png"] and Path("heat/b.png").read_text() == "mine"
    assert torch.equal(torch.cat(asked), IMAGES[:3])
    for file, image in zip(files, IMAGES, strict=False):
        assert np.array_equal(np.asarray(Image.open(file)), image[0])
    outcome = plcnn(*typed, "--format", "csv")
    assert rows(outcome.out)[0]["saliency"] == "heat/a_3.png" and outcome.err == "drew 3 pictures in heat\n"
    outcome = plcnn("predict", run, "a.png", "--saliency", "a.png")
    assert outcome.code == 2 and outcome.err == "error: --saliency a.png: File exists.\n"
