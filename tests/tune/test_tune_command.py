"""`plcnn tune`: a picture, its numbers and what to type; nothing else is left behind."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from support import TINY, Outcome

from plcnn.cli import run
from plcnn.command_parser import CommandParser
from plcnn.data.sources.shapes import Shapes
from plcnn.tune.learning_rate import range_test
from plcnn.tune.trial import Trial

Command = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def _no_test_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    def test(_: Shapes) -> None:
        raise AssertionError("the test pictures were read")

    monkeypatch.setattr(Shapes, "test", test)


def left_behind() -> set[str]:
    return {str(path) for path in Path().rglob("*") if path.is_file()}


def test_a_learning_rate_with_its_picture(plcnn: Command) -> None:
    flags = [*TINY, "--model.schedule", "cosine", "--model.optimizer", "sgdw", "--ema.enabled", "true"]
    outcome = plcnn("tune", "lr", *flags, "--trainer.max_epochs", "1", "--steps", "60", "--low", "1e-4")
    assert outcome.code == 0, outcome.err
    assert left_behind() == {"tune_lr.png", "tune_lr.json"}
    found = json.loads(Path("tune_lr.json").read_text())
    assert f"suggested  {found['flags'][0]}\n" in outcome.out
    assert found["flags"] == [f"--model.optimizer.lr {found['suggestion']:.3g}"]
    rates = found["rates"]
    assert rates[0] == pytest.approx(1e-4) and rates == sorted(rates) and found["suggestion"] in rates
    assert len(rates) == len(found["losses"]) == len(found["smooth"]) <= 60
    assert found["losses"][0] == pytest.approx(2.3, abs=0.2)  # ln 10, before anything is learned
    with Image.open("tune_lr.png") as image:
        image.verify()
    plcnn("tune", "lr", *TINY, "--steps", "20")
    assert Path("tune_lr_2.png").is_file()


def test_what_fit_would_freeze_is_frozen(tmp_path: Path) -> None:
    stepped: dict[str, bool] = {}

    def find(trial: Trial) -> None:
        range_test(trial, 20, 1e-3, 1e-2)
        stepped.update((name, parameter.requires_grad) for name, parameter in trial.model.net.named_parameters())

    options = [*TINY, "--model.arch", "resnet20", "--data.source.train_size", "60", "--finetune.policy", "head"]
    run(
        ["fit", *options],
        command_class=lambda *given: Trial(*given, folder=tmp_path, steps=20, find=find, parser=CommandParser("x", "")),
    )
    trained = [name for name, is_trained in stepped.items() if is_trained]
    assert len(stepped) > 20 and len(trained) == 2  # weight and bias of the last layer


def test_a_rate_is_not_suggested_where_nothing_is_learned(plcnn: Command) -> None:
    outcome = plcnn("tune", "lr", *TINY, "--steps", "20", "--low", "1e-12", "--high", "1e-11", "--output", "x.png")
    assert outcome.code == 1 and "No learning rate is suggested" in outcome.err
    assert left_behind() == {"x.png", "x.json"}


def test_a_batch_size_with_its_picture(plcnn: Command) -> None:
    outcome = plcnn("tune", "batch_size", *TINY, "--first", "32", "--largest", "64", "--steps", "3")
    assert outcome.code == 0, outcome.err
    assert left_behind() == {"tune_batch_size.png", "tune_batch_size.json"}
    found = json.loads(Path("tune_batch_size.json").read_text())
    assert [size["pictures"] for size in found["sizes"]] == [32, 64]
    assert all(size["speed"] > 0 and size["memory"] > 2**20 for size in found["sizes"])
    assert found["ended"] == "the next would be above the largest size, 64"
    assert f"suggested  --data.batch_size {found['suggestion']}\n" in outcome.out
    more = plcnn("tune", "batch_size", *TINY, "--first", "128", "--steps", "3")
    assert "the next would be more than the 180 training pictures" in more.out


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["lrr"], "got 'lrr'. Did you mean lr?"),
        (["lr", "--stepz", "3"], "Did you mean --steps"),
        (["lr", "--model.optimzer", "sgd"], "Did you mean --model.optimizer"),
        (["lr", "--low", "1", "--high", "0.1"], "both above 0, and the second greater"),
        (["lr", "--output", "x.jpg"], "name a file.png"),
        (["batch_size", "--first", "64", "--largest", "32"], "greater than --largest"),
        (["lr", "--data.source", "shapes", "--model.optimizer.lr", "0"], "above 0"),
    ],
)
def test_what_is_wrong_is_told(plcnn: Command, typed: list[str], said: str) -> None:
    outcome = plcnn("tune", *typed)
    assert outcome.code == 2 and said in outcome.err and not left_behind()
