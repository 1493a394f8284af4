"""Trackers that Lightning knows get a run's metrics, settings and pictures, each on its own axes; nothing is sent."""

import csv
import json
import re
import sqlite3
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import create_autospec

import pytest
from lightning.pytorch.loggers import MLFlowLogger
from support import TINY, Forked, Outcome

from plcnn.messages import in_words
from plcnn.tracking.choice import MLFLOW_STORE, give_mlflow_a_store, why_not_built
from plcnn.tracking.loggers import log_settings

Fork = Callable[..., Forked]
RUN = Path("tb_logs/run/version_0")
TWO_EPOCHS = [
    *(*TINY, "--trainer.max_epochs", "2", "--trainer.log_every_n_steps", "2", "--test_after", "true"),
    *("--tensorboard.figures_every_n_epochs", "5"),
]
DRAWN = {f"{stage}/{name}" for stage in ("val", "test") for name in ("confusion matrix", "calibration", "mistakes")}
PICTURES = {"training pictures", "curves", *DRAWN}
BY_EPOCH = {"train/loss", "train/acc", "val/loss", "val/acc", "lr", "best/val_acc", "speed/pictures_per_second"}


def run(fork: Fork, *arguments: object) -> None:
    outcome = fork("fit", *TWO_EPOCHS, *arguments).wait()
    assert outcome.code == 0, outcome.err


def test_wandb_draws_each_metric_against_epoch_or_step(spawn: Callable[..., "subprocess.Popen[str]"]) -> None:
    pytest.importorskip("wandb")
    settings = ["--trainer.logger", "WandbLogger", "--trainer.logger.offline", "true"]
    process = spawn("fit", *TWO_EPOCHS, *settings, WANDB_SILENT="true")  # wandb writes the last at the process's end
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert "tensorboard --logdir" not in out and (RUN / "checkpoints" / "last.ckpt").is_file()
    (path,) = Path("wandb").glob("offline-run-*/run-*.wandb")
    axes: dict[str, str] = {}
    rows, config = [], {}
    for record in wandb_records(path):
        kind = record.WhichOneof("record_type")
        if kind == "metric":
            axes[record.metric.name] = record.metric.step_metric
        elif kind == "history":
            rows.append({"/".join(item.nested_key) or item.key: item.value_json for item in record.history.item})
        elif kind == "config":
            config |= {
                item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.config.update
            }
    assert all(axes[tag] == "epoch" for tag in BY_EPOCH | PICTURES)
    assert [int(row["_step"]) for row in rows] == list(range(len(rows)))  # none is dropped as one of the past
    by_epoch = [row for row in rows if "val/acc" in row]
    assert [(row["epoch"], row["trainer/global_step"]) for row in by_epoch] == [("1", "3"), ("2", "6")]
    assert all(set(row) >= BY_EPOCH for row in by_epoch)
    assert [row["trainer/global_step"] for row in rows if "step/train_loss" in row] == ["2", "4", "6"]
    assert {key.rpartition("/")[0] for row in rows for key in row if key.endswith("/path")} == PICTURES
    assert config["arch"] == "linear" and config["optimizer.lr"] == 0.001
    assert config["run_folder"].endswith(str(RUN))


def wandb_records(path: Path) -> Iterator[Any]:
    """The records of an offline run: a LevelDB log, blocks of 32 KiB that hold records, or parts of such."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, place, parts = path.read_bytes(), 7, b""
    while place + 7 <= len(data):
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        _, length, kind = struct.unpack("<IHB", data[place : place + 7])
        parts += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):
            yield Record.FromString(parts)
            parts = b""


def test_mlflow_keeps_metrics_settings_and_pictures_in_a_local_store(fork: Fork) -> None:
    pytest.importorskip("mlflow")
    run(fork, "--trainer.logger", "MLFlowLogger")
    store = sqlite3.connect("mlflow.db")
    steps: dict[str, list[int]] = {}
    for key, step in store.execute("select key, step from metrics order by step"):
        steps.setdefault(key, []).append(step)
    assert all(steps[tag] == [1, 2] for tag in BY_EPOCH)
    assert steps["step/train_loss"] == [2, 4, 6] and len(steps["test/acc"]) == 1
    settings = dict(store.execute("select key, value from params"))
    store.close()
    assert settings["arch"] == "linear" and settings["data.batch_size"] == "64"
    # their names' marks are not the same in every version
    kept = {
        re.split(r"\Wstep\W", path.name)[0].replace("~", "/").replace("#", "/")
        for path in Path("mlruns").rglob("*.png")
    }
    assert kept == PICTURES
    assert "sqlite:///mlflow.db" in (RUN / "config.yaml").read_text()


def test_csv_rows_have_the_epoch_and_its_step(fork: Fork) -> None:
    run(fork, "--trainer.logger", "CSVLogger", "--trainer.logger.save_dir", "csv")
    (path,) = Path("csv").rglob("metrics.csv")
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["epoch"], row["step"]) for row in rows if row["val/acc"]] == [("1", "3"), ("2", "6")]
    assert [row["step"] for row in rows if row["step/train_loss"]] == ["2", "4", "6"]
    assert "optimizer.lr: 0.001" in (path.parent / "hparams.yaml").read_text()
    assert not list(Path().rglob("*tfevents*"))


def test_several_loggers_get_the_same(fork: Fork) -> None:
    loggers = ["CSVLogger", "TensorBoardLogger"]
    chosen = ", ".join(f"{{class_path: {name}, init_args: {{save_dir: {name}}}}}" for name in loggers)
    run(fork, "--trainer.logger", f"[{chosen}]")
    assert list(Path("CSVLogger").rglob("metrics.csv")) and list(Path("TensorBoardLogger").rglob("*tfevents*"))


def test_mlflow_is_not_asked_to_change_settings_that_it_has() -> None:
    logger = create_autospec(MLFlowLogger, instance=True)
    logger.experiment.get_run.return_value.data.params = {"seed": "0", "trainer.max_epochs": "2"}
    trainer: Any = SimpleNamespace(loggers=[logger], is_global_zero=True)
    log_settings(trainer, {"seed": 0, "trainer.max_epochs": 4, "arch": "linear"})
    logger.log_hyperparams.assert_called_once_with({"arch": "linear"})


@pytest.mark.parametrize("place", [None, "http://tracker:5000"])
@pytest.mark.parametrize("variable", [None, "http://elsewhere:5000"])
def test_mlflow_gets_a_store_where_none_was_named(
    place: str | None, variable: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    if variable:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", variable)
    chosen = {"class_path": "lightning.pytorch.loggers.MLFlowLogger", "init_args": {"tracking_uri": place}}
    give_mlflow_a_store([chosen])
    assert chosen["init_args"]["tracking_uri"] == (place or (None if variable else MLFLOW_STORE))  # type: ignore[index]
    for other in (None, True, False, [], [True]):
        give_mlflow_a_store(other)


def test_a_logger_whose_package_is_missing_is_one_line(
    plcnn: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    from lightning_utilities.core.imports import RequirementCache

    missing = RequirementCache("no_such_package_at_all>=1")
    monkeypatch.setattr("lightning.pytorch.loggers.wandb._WANDB_AVAILABLE", missing)
    for given in ("WandbLogger", "[WandbLogger]"):
        outcome = plcnn("fit", *TINY, "--trainer.logger", given)
        assert outcome.code == 2 and len(outcome.err.splitlines()) == 1
        assert "--trainer.logger WandbLogger" in outcome.err
        assert "pip install no_such_package_at_all" in outcome.err
    assert not Path("tb_logs").exists()


def test_a_logger_that_refuses_its_arguments_says_why(plcnn: Callable[..., Outcome]) -> None:
    pytest.importorskip("wandb")
    both = ["--trainer.logger.offline", "true", "--trainer.logger.log_model", "true"]
    outcome = plcnn("fit", *TINY, "--trainer.logger", "WandbLogger", *both)
    assert outcome.code == 2 and len(outcome.err.splitlines()) == 1
    assert "--trainer.logger WandbLogger: Providing log_model=True and offline=True" in outcome.err


def test_other_errors_are_not_about_loggers() -> None:
    assert why_not_built(ValueError("Errors:\n  - class_path 'a.B' is wrong")) is None


@pytest.mark.parametrize(
    ("typed", "said"),
    [("CSVLoger", "Did you mean CSVLogger"), ("wandblogger", "Did you mean WandbLogger"), ("Xyz", "MLFlowLogger")],
)
def test_a_misspelt_logger_gets_near_names(plcnn: Callable[..., Outcome], typed: str, said: str) -> None:
    outcome = plcnn("fit", *TINY, "--trainer.logger", typed)
    assert outcome.code == 2 and said in outcome.err and typed in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_a_logger_that_lightning_knows_but_cannot_import_is_no_misspelling() -> None:
    message = 'Parser key "trainer.logger":\n  Import path LitLogger not found'
    assert "a package that is not installed" in in_words(message, [], {})
