"""A run through the real command line: fit, stop early, resume, test, predict; and what it leaves behind."""

import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from support import CONFIGS, TINY, Outcome

import plcnn as product
from plcnn.data.sources.shapes import Shapes

Command = Callable[..., Outcome]
RUN = Path("tb_logs/run/version_0")


def fit(plcnn: Command, *arguments: str, epochs: int = 2) -> Outcome:
    outcome = plcnn("fit", *TINY, "--trainer.max_epochs", str(epochs), *arguments)
    assert outcome.code == 0, outcome.err
    return outcome


def rows(folder: Path = RUN) -> list[dict[str, str]]:
    with (folder / "history.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_run_folder_holds_everything_and_the_console_says_what_happened(plcnn: Command) -> None:
    outcome = fit(plcnn)
    names = {p.name for p in RUN.iterdir()}
    assert {"config.yaml", "history.csv", "curves.png", "checkpoints"} <= names
    assert any(name.startswith("events.out.tfevents") for name in names)
    best = [p.name for p in (RUN / "checkpoints").glob("best-*")]
    assert sorted(p.name for p in (RUN / "checkpoints").iterdir()) == [*best, "last.ckpt"]
    assert [row["epoch"] for row in rows()] == ["1", "2"]
    lines = outcome.out.splitlines()
    for number, row in enumerate(rows(), 1):
        (line,) = [text for text in lines if text.startswith(f"epoch {number}/2")]
        assert f"loss {float(row['train/loss']):.4f}  acc {float(row['train/acc']):.4f}" in line
        assert f"val_loss {float(row['val/loss']):.4f}  val_acc {float(row['val/acc']):.4f}" in line
        assert " s  " in line and "pictures/s" in line
    text = outcome.out
    for said in (
        "linear: 1,930 trainable parameters, 0 statistics",
        "shapes: 180 training and 20 validation pictures of 10 classes, 3 × 8 × 8",
        "batches of 64 (effective 64), 3 an epoch",
        "stopped    after epoch 2 (--trainer.max_epochs)",
        f"plcnn test {RUN}",
        "tensorboard --logdir tb_logs",
    ):
        assert said in text
    best_row = max(rows(), key=lambda row: float(row["val/acc"]))
    assert best == [f"best-epoch={int(best_row['epoch']):02d}-val_acc={float(best_row['val/acc']):.4f}.ckpt"]
    assert f"best       epoch {best_row['epoch']}: val/acc {float(best_row['val/acc']):.4f}" in text


def test_nothing_is_ever_overwritten(plcnn: Command) -> None:
    fit(plcnn)
    before = {p: p.read_bytes() for p in RUN.rglob("*") if p.is_file()}
    fit(plcnn, "--trainer.logger", "false")
    fit(plcnn)
    assert {p: p.read_bytes() for p in before} == before
    assert sorted(p.name for p in RUN.parent.iterdir()) == ["version_0", "version_1", "version_2"]
    assert not list(Path("tb_logs/run/version_1").glob("events*"))
    assert (Path("tb_logs/run/version_1") / "checkpoints" / "last.ckpt").is_file()


def test_the_checkpoint_alone_is_enough_to_test(
    plcnn: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit(plcnn, "--model.mean", "[0.4, 0.5, 0.6]", "--model.std", "[0.2, 0.2, 0.2]")
    by_folder = plcnn("test", "--ckpt_path", RUN)
    assert by_folder.code == 0, by_folder.err
    alone = tmp_path / "elsewhere" / "moved.ckpt"
    alone.parent.mkdir()
    next((RUN / "checkpoints").glob("best-*")).rename(alone)
    monkeypatch.chdir(alone.parent)
    by_file = plcnn("test", "--ckpt_path", "moved.ckpt")
    assert by_file.code == 0, by_file.err
    assert by_file.out.split("(")[0] == by_folder.out.split("(")[0]

    classifier = product.load(alone)
    images, labels = Shapes(train_size=200, test_size=90, image_size=8).test()
    with torch.no_grad():
        logits = classifier(images)
    right = int((logits.argmax(1) == labels).sum())
    loss = torch.nn.functional.cross_entropy(logits, labels)
    assert f"loss {float(loss):.4f}  acc {right / 90:.4f}  ({right} of 90 pictures)" in by_file.out
    assert json.loads((tmp_path / RUN / "test.json").read_text())["acc"] == pytest.approx(right / 90)
    assert classifier.classes == list(Shapes().classes)


def test_the_saved_config_serves_every_command(plcnn: Command) -> None:
    fit(plcnn)
    config = str(RUN / "config.yaml")
    picture = Path("picture.png")
    Image.new("RGB", (8, 8), "red").save(picture)
    for command in ("validate", "test", "predict"):
        outcome = plcnn(
            command, "--config", config, *(["--data.pictures", "[picture.png]"] if command == "predict" else [])
        )
        assert outcome.code == 0, outcome.err
    assert plcnn("fit", "--config", config).code == 0
    assert Path("tb_logs/run/version_1/config.yaml").read_text() == Path(config).read_text()
    assert "plcnn.names" not in Path(config).read_text()


def test_validation_repeats_what_fit_measured(plcnn: Command) -> None:
    fit(plcnn)
    best = max(rows(), key=lambda row: float(row["val/acc"]))
    outcome = plcnn("validate", "--ckpt_path", RUN)
    assert f"val  loss {float(best['val/loss']):.4f}  acc {float(best['val/acc']):.4f}" in outcome.out


def test_it_stops_early_and_says_so(plcnn: Command) -> None:
    outcome = fit(plcnn, "--model.optimizer.lr", "0", "--early_stopping.patience", "2", epochs=30)
    assert len(rows()) == 3  # the first epoch sets the mark, two do not beat it
    assert "stopped    early, after epoch 3: val/loss has not improved for 2 epochs" in outcome.out


def test_early_stopping_can_be_switched_off(plcnn: Command) -> None:
    fit(
        plcnn,
        "--model.optimizer.lr",
        "0",
        "--early_stopping.patience",
        "1",
        "--early_stopping.enabled",
        "false",
        epochs=4,
    )
    assert len(rows()) == 4


def test_adding_a_callback_keeps_the_others(plcnn: Command) -> None:
    outcome = fit(
        plcnn,
        *("--trainer.callbacks+=lightning.pytorch.callbacks.LearningRateMonitor", "--model.optimizer.lr", "0"),
        *("--early_stopping.patience", "1"),
        epochs=9,
    )
    assert "stopped    early" in outcome.out and list((RUN / "checkpoints").glob("best-*"))


def test_checkpoints_can_be_switched_off(plcnn: Command) -> None:
    fit(plcnn, "--trainer.enable_checkpointing", "false")
    assert not (RUN / "checkpoints").exists() and (RUN / "config.yaml").is_file()


def test_a_resumed_run_equals_the_uninterrupted_one(plcnn: Command) -> None:
    deep = ["--model.arch", "keras_cnn", "--model.arch.widths", "[4, 4]", "--model.arch.dropouts", "[0, 0]"]
    deep += ["--model.arch.head_dropout", "0", "--data.augment", "shift_zoom_flip"]
    fit(plcnn, *deep, "--name", "whole", "--early_stopping.patience", "9", epochs=5)
    fit(plcnn, *deep, "--name", "parts", "--early_stopping.patience", "9", epochs=2)
    parts = Path("tb_logs/parts/version_0")
    outcome = plcnn("fit", "--ckpt_path", parts, "--trainer.max_epochs", "5")
    assert outcome.code == 0, outcome.err
    assert [p.name for p in parts.parent.iterdir()] == ["version_0"]
    whole = Path("tb_logs/whole/version_0")
    columns = ("epoch", "step", "train/loss", "train/acc", "val/loss", "val/acc", "lr")
    assert [[row[c] for c in columns] for row in rows(parts)] == [[row[c] for c in columns] for row in rows(whole)]
    assert [p.name for p in (parts / "checkpoints").glob("best-*")] == [
        p.name for p in (whole / "checkpoints").glob("best-*")
    ]
    states = [torch.load(f / "checkpoints" / "last.ckpt", weights_only=True) for f in (parts, whole)]
    for key, value in states[0]["state_dict"].items():
        assert torch.equal(value, states[1]["state_dict"][key]), key
    for name in ("EarlyStopping", "Checkpoints"):
        ours, theirs = (next(v for k, v in s["callbacks"].items() if k.startswith(name)) for s in states)
        assert ours == theirs
    assert (parts / "config_2.yaml").is_file()
    assert yaml.safe_load((parts / "config.yaml").read_text())["trainer"]["max_epochs"] == 2


def test_resuming_from_an_older_checkpoint_leaves_its_run_alone(plcnn: Command) -> None:
    fit(plcnn)
    best = next((RUN / "checkpoints").glob("best-*"))
    before = {p: p.read_bytes() for p in RUN.rglob("*") if p.is_file()}
    assert plcnn("fit", "--ckpt_path", best, "--trainer.max_epochs", "3").code == 0
    assert {p: p.read_bytes() for p in RUN.rglob("*") if p.is_file()} == before
    assert len(rows(Path("tb_logs/run/version_1"))) == 3


def test_predict_names_the_classes_of_the_checkpoint(plcnn: Command) -> None:
    fit(plcnn)
    images, _ = Shapes(train_size=200, test_size=90, image_size=8).test()
    folder = Path("mine/zebra")
    folder.mkdir(parents=True)
    for number in range(5):
        Image.fromarray(images[number].permute(1, 2, 0).numpy()).save(folder / f"{number}.png")
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(folder / "grey.png")
    files = sorted(RUN.iterdir())
    outcome = plcnn("predict", "--ckpt_path", RUN, "--data.pictures", "[mine]")
    assert outcome.code == 0, outcome.err
    assert sorted(RUN.iterdir()) == files
    classifier = product.load(RUN)
    with torch.no_grad():
        shares, labels = (classifier(images[:5]) / classifier.temperature).softmax(1).max(1)
    printed = [line.split() for line in outcome.out.splitlines()]
    assert [Path(line[0]).name for line in printed] == ["0.png", "1.png", "2.png", "3.png", "4.png", "grey.png"]
    for line, share, label in zip(printed, shares, labels, strict=False):
        assert line[1:] == [classifier.classes[int(label)], f"{float(share):.4f}"]


def test_fit_never_reads_the_test_pictures(plcnn: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(self: Shapes) -> None:
        raise AssertionError("the test set was read")

    monkeypatch.setattr(Shapes, "test", forbidden)
    fit(plcnn)
    assert plcnn("validate", "--ckpt_path", RUN).code == 0
    with pytest.raises(AssertionError, match="the test set was read"):
        plcnn("test", "--ckpt_path", RUN)


@pytest.mark.parametrize("seed", ["0", "1"])
def test_a_seed_repeats_a_run(plcnn: Command, seed: str) -> None:
    for name in ("first", "second"):
        fit(plcnn, "--seed_everything", seed, "--data.augment", "shift_zoom_flip", "--name", name)
    weights = [
        torch.load(f"tb_logs/{name}/version_0/checkpoints/last.ckpt", weights_only=True)["state_dict"]
        for name in ("first", "second")
    ]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def test_pictures_are_drawn_plain_and_augmented(plcnn: Command) -> None:
    arguments = ("show", "--config", str(CONFIGS / "quickstart.yaml"), "--data.source.train_size", "100")
    outcome = plcnn(*arguments)
    assert outcome.code == 0, outcome.err
    with Image.open("pictures.png") as picture:
        assert picture.format == "PNG" and picture.width > picture.height
    assert "4 × 4 training pictures" in outcome.out
    again = plcnn(*arguments)
    assert again.code == 2 and "exists already" in again.err


def test_pictures_of_all_classes_are_drawn(plcnn: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr("matplotlib.axes.Axes.set_title", lambda self, title, **_: shown.append(title))
    for number, name in enumerate("abcd"):
        Path("mine", name).mkdir(parents=True)
        for shade in range(20):
            Image.new("RGB", (8, 8), (number, shade, 0)).save(f"mine/{name}/{shade}.png")
    assert plcnn("show", "--data.source", "folder", "--data.root", "mine").code == 0
    assert {shown.count(name) for name in "abcd"} == {8}  # four of each, plain and augmented


@pytest.mark.parametrize("config", sorted(CONFIGS.rglob("*.yaml")), ids=lambda path: path.name)
def test_every_config_is_accepted(plcnn: Command, config: Path) -> None:
    outcome = plcnn("fit", "--config", config, "--print_config")
    assert outcome.code == 0, outcome.err
    full = yaml.safe_load(outcome.out)
    own = yaml.safe_load(config.read_text())
    assert full["name"] == own["name"] == config.stem


def test_there_are_configs() -> None:
    assert {"base.yaml", "quickstart.yaml"} <= {path.name for path in CONFIGS.rglob("*.yaml")}


@pytest.mark.parametrize("extra", ["", "--trainer.limit_train_batches 2", "--trainer.accumulate_grad_batches 2"])
def test_a_schedule_learns_its_length_and_ends_where_it_promises(plcnn: Command, extra: str) -> None:
    cosine = ["--model.schedule", "cosine", "--model.schedule.final", "0.25", "--model.optimizer.lr", "0.01"]
    fit(plcnn, *cosine, *extra.split(), "--trainer.log_every_n_steps", "1", epochs=4)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(RUN))
    events.Reload()
    taken = {point.step: point.value for point in events.Scalars("step/lr")}
    assert (
        taken[1] == pytest.approx(0.01)
        and taken[max(taken)] == pytest.approx(0.0025)
        and float(rows()[-1]["lr"]) == pytest.approx(0.0025)
    )
    assert sorted(taken.values(), reverse=True) == list(dict(sorted(taken.items())).values())


def test_all_pictures_can_be_trained_on(plcnn: Command) -> None:
    without = ["--data.val_fraction", "0", "--early_stopping.enabled", "false", "--checkpoints.monitor", "train/loss"]
    outcome = fit(plcnn, *without, "--checkpoints.mode", "min")
    assert "200 training and 0 validation pictures" in outcome.out and "val_loss" not in outcome.out
    assert [p.name[:17] for p in (RUN / "checkpoints").glob("best-*")] == ["best-epoch=02-tra"]
    assert rows()[0]["val/acc"] == "" and (RUN / "curves.png").is_file()


def test_a_moved_checkpoint_goes_on_in_a_run_of_its_own(plcnn: Command) -> None:
    fit(plcnn)
    (RUN / "checkpoints" / "last.ckpt").rename("moved.ckpt")
    outcome = plcnn("fit", "--ckpt_path", "moved.ckpt", "--trainer.max_epochs", "3", "--name", "on")
    assert outcome.code == 0, outcome.err
    assert [row["epoch"] for row in rows(Path("tb_logs/on/version_0"))] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("stopping", "further", "epochs"),
    [
        ([], ["--trainer.max_epochs", "3"], 3),
        (["--model.optimizer.lr", "0", "--early_stopping.patience", "1"], ["--early_stopping.patience", "2"], 3),
        (["--trainer.max_steps", "4"], ["--trainer.max_steps", "6"], 2),
    ],
)
def test_a_finished_run_says_how_to_go_further(
    plcnn: Command, stopping: list[str], further: list[str], epochs: int
) -> None:
    epoch_limit = [] if "--trainer.max_epochs" not in further else ["--trainer.max_epochs", "2"]
    assert plcnn("fit", *TINY, "--trainer.max_epochs", "9", *stopping, *epoch_limit).code == 0
    before = {path: path.read_bytes() for path in RUN.rglob("*") if path.is_file() and path.name != "manifest.json"}
    outcome = plcnn("fit", "--resume", RUN)
    assert outcome.code == 0, outcome.err
    assert f"nothing was left to do; to go further, add {further[0]} with more than " in outcome.out
    assert {path: path.read_bytes() for path in before} == before
    assert {path.name for path in RUN.rglob("*")} - {path.name for path in before} <= {"checkpoints", "manifest.json"}
    assert plcnn("fit", "--resume", RUN, *further).code == 0
    assert [row["epoch"] for row in rows()][-1] == str(epochs)


def test_a_profile_is_printed(spawn: Callable[..., "subprocess.Popen[str]"]) -> None:
    process = spawn("fit", *TINY, "--trainer.max_epochs", "1", "--trainer.profiler", "simple")
    out, err = process.communicate(timeout=150)
    assert process.returncode == 0 and "run_training_epoch" in out + err


def test_a_run_can_be_tested_as_it_ends(plcnn: Command) -> None:
    outcome = plcnn("fit", *TINY, "--name", "tested", "--test_after", "true")
    assert outcome.code == 0, outcome.err
    run = Path("tb_logs/tested/version_0")
    (tested,) = run.glob("test*.json")
    later = plcnn("test", "--ckpt_path", str(run))
    assert later.code == 0, later.err
    assert outcome.out.splitlines()[-2] == later.out.splitlines()[-2]
    assert json.loads(tested.read_text()) == json.loads((run / "test_2.json").read_text())
    assert sorted(path.name for path in run.glob("config*.yaml")) == ["config.yaml"]


def test_a_training_can_end_before_its_first_validation(plcnn: Command) -> None:
    outcome = plcnn("fit", *TINY, "--trainer.max_steps", "1")
    assert outcome.code == 0, outcome.err
    assert "stopped    after 1 steps (--trainer.max_steps)" in outcome.out
