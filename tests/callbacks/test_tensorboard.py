"""What TensorBoard gets: points for every epoch, hyper-parameters with results, no step twice after a resume."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support import TINY, Outcome
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from plcnn.event_files import cut_back

Command = Callable[..., Outcome]
RUN = Path("tb_logs/run/version_0")
BY_EPOCH = ("train/loss", "train/acc", "val/loss", "val/acc", "lr", "best/val_acc")


def events(folder: Path = RUN) -> EventAccumulator:
    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    accumulator.Reload()
    return accumulator


def steps(tag: str, folder: Path = RUN) -> list[int]:
    return [point.step for point in events(folder).Scalars(tag)]


def fit(plcnn: Command, *arguments: str) -> None:
    outcome = plcnn("fit", *TINY, *arguments)
    assert outcome.code == 0, outcome.err


def test_three_batches_an_epoch_still_give_a_point_for_every_epoch(plcnn: Command) -> None:
    fit(plcnn, "--trainer.max_epochs", "4")
    for tag in BY_EPOCH:
        assert steps(tag) == [1, 2, 3, 4], tag
    assert steps("step/epoch_val_acc") == [3, 6, 9, 12]


def test_runs_of_different_batch_size_line_up_by_epoch(plcnn: Command) -> None:
    fit(plcnn, "--trainer.max_epochs", "2", "--data.batch_size", "10", "--trainer.log_every_n_steps", "6")
    fit(plcnn, "--trainer.max_epochs", "2", "--data.batch_size", "90", "--trainer.log_every_n_steps", "1")
    second = RUN.with_name("version_1")
    for tag in BY_EPOCH:
        assert steps(tag) == steps(tag, second) == [1, 2]
    assert steps("step/train_loss") == [6, 12, 18, 24, 30, 36] and steps("step/lr", second) == [1, 2, 3, 4]


def test_pictures_graph_and_hyper_parameters_with_results_are_there(plcnn: Command) -> None:
    fit(plcnn, "--trainer.max_epochs", "3", "--model.optimizer.lr", "0.02")
    tags = events().Tags()
    assert tags["images"] == ["training pictures"] and tags["graph"]
    test = plcnn("test", "--ckpt_path", RUN)
    scalars = events()
    accuracy = [point.value for point in scalars.Scalars("val/acc")]
    assert scalars.Scalars("best/val_acc")[-1].value == max(accuracy)
    (tested,) = scalars.Scalars("test/acc")
    assert f"acc {tested.value:.4f}" in test.out
    metadata = scalars.summary_metadata
    content = metadata["_hparams_/session_start_info"].plugin_data.content
    hparams = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
    assert hparams["arch"].string_value == "linear" and hparams["optimizer.lr"].number_value == 0.02
    assert hparams["data.source"].string_value == "shapes" and hparams["data.batch_size"].number_value == 64
    assert hparams["data.verified"].string_value == "True"
    experiment = plugin_data_pb2.HParamsPluginData.FromString(
        metadata["_hparams_/experiment"].plugin_data.content
    ).experiment
    assert {m.name.tag for m in experiment.metric_infos} == {"best/val_acc", "test/acc"}


@pytest.mark.parametrize("lost", [0, 2])
def test_a_resumed_run_has_every_step_once(plcnn: Command, lost: int) -> None:
    fit(plcnn, "--trainer.max_epochs", "3", "--trainer.log_every_n_steps", "1")
    if lost:  # as if it had been killed after two more epochs, before they were saved
        keep = (RUN / "checkpoints" / "last.ckpt").read_bytes()
        assert plcnn("fit", "--ckpt_path", RUN, "--trainer.max_epochs", "5").code == 0
        (RUN / "checkpoints" / "last.ckpt").write_bytes(keep)
    assert plcnn("fit", "--ckpt_path", RUN, "--trainer.max_epochs", "6").code == 0
    for tag in BY_EPOCH:
        assert sorted(steps(tag)) == list(range(1, 7)), tag
    assert sorted(steps("step/train_loss")) == list(range(1, 19))


def test_cutting_back_takes_out_what_lies_beyond_and_nothing_else(plcnn: Command) -> None:
    fit(plcnn, "--trainer.max_epochs", "3", "--trainer.log_every_n_steps", "1")
    assert cut_back(RUN, epoch=3, step=9) == 0
    assert cut_back(RUN, epoch=2, step=7) > 0
    assert steps("val/loss") == [1, 2] and steps("step/lr") == list(range(1, 8))
    assert events().Tags()["images"] == ["training pictures"]


def test_other_loggers_get_the_scalars(plcnn: Command) -> None:
    fit(plcnn, "--trainer.max_epochs", "2", "--trainer.logger", "CSVLogger", "--trainer.logger.save_dir", "csv")
    (path,) = Path("csv").rglob("metrics.csv")
    assert "val/acc" in path.read_text() and (RUN / "checkpoints" / "last.ckpt").is_file()
