"""What TensorBoard gets: points for every epoch, figures, settings with results, no step twice after a resume."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from support import TINY, Outcome
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams import api_pb2
from tensorboard.plugins.hparams.backend_context import Context
from tensorboard.plugins.hparams.get_experiment import Handler as Experiment
from tensorboard.plugins.hparams.list_session_groups import Handler as SessionGroups

from plcnn.event_files import cut_back

Command = Callable[..., Outcome]
RUN = Path("tb_logs/run/version_0")
FIGURES = ("--tensorboard.figures_every_n_epochs",)
BY_EPOCH = ("train/loss", "train/acc", "val/loss", "val/acc", "lr", "best/val_acc")


def events(folder: Path = RUN) -> EventAccumulator:
    accumulator = EventAccumulator(str(folder), dict.fromkeys(("scalars", "images", "histograms", "tensors"), 0))
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


def test_a_fresh_run_shows_training_pictures_and_the_graph(plcnn: Command) -> None:
    fit(plcnn, "--trainer.max_epochs", "1")
    assert events().Images("training pictures")[0].step == 0 and events().Tags()["graph"]


def test_figures_are_drawn_now_and_then_at_the_end_and_for_the_test(plcnn: Command) -> None:
    fit(plcnn, "--trainer.max_epochs", "5", *FIGURES, "2", "--checkpoints.monitor", "null")
    for tag in ("val/confusion matrix", "val/calibration", "val/mistakes"):
        assert [picture.step for picture in events().Images(tag)] == [2, 4, 5], tag
    assert [picture.step for picture in events().Images("curves")] == [5]
    assert len(curves("val")) == 10 and all(steps == [2, 4, 5] for steps in curves("val").values())
    assert plcnn("test", "--ckpt_path", RUN, *FIGURES, "2").code == 0
    assert [picture.step for picture in events().Images("test/mistakes")] == [5]
    assert len(curves("test")) == 10 and len(curves("val")) == 10


def test_figures_count_validations_and_can_be_left_out(plcnn: Command) -> None:
    fit(plcnn, "--trainer.max_epochs", "6", *FIGURES, "2", "--trainer.check_val_every_n_epoch", "2")
    assert [picture.step for picture in events().Images("val/mistakes")] == [4, 6]
    fit(plcnn, "--trainer.max_epochs", "2", *FIGURES, "0", "--tensorboard.pictures", "0", "--test_after", "true")
    assert events(RUN.with_name("version_1")).Tags()["images"] == []
    assert curves("test", RUN.with_name("version_1")) == {}


def test_without_validation_only_the_test_is_drawn(plcnn: Command) -> None:
    without = ["--data.val_fraction", "0", "--early_stopping.enabled", "false", "--checkpoints.monitor", "null"]
    more = ["--tensorboard.embedding", "9", "--tensorboard.histograms", "true", "--test_after", "true"]
    fit(plcnn, "--trainer.max_epochs", "1", *FIGURES, "1", *without, *more)
    drawn = events().Tags()["images"]
    assert "test/mistakes" in drawn and not [tag for tag in drawn if tag.startswith("val/")]
    assert not (RUN / "projector_config.pbtxt").exists()


@pytest.mark.parametrize("setting", [("--trainer.fast_dev_run", "2"), ("--trainer.logger", "false")])
def test_nothing_is_logged_where_there_is_no_logger(plcnn: Command, setting: tuple[str, str]) -> None:
    more = ["--tensorboard.embedding", "9", "--tensorboard.histograms", "true", *FIGURES, "1"]
    fit(plcnn, *setting, "--trainer.max_epochs", "1", *more)
    assert not list(Path().rglob("*tfevents*")) and not list(Path().rglob("projector*"))


def test_histograms_hold_weights_and_the_gradient_of_the_last_step(plcnn: Command) -> None:
    """One step of plain SGD an epoch moves the sum of the weights by the rate times the sum of the gradients."""
    sgd = ["--model.optimizer", "sgd", "--model.optimizer.momentum", "0", "--model.optimizer.nesterov", "false"]
    sgd += ["--model.optimizer.weight_decay", "0"]
    rate = ["--model.optimizer.lr", "0.5", "--data.batch_size", "180", "--trainer.max_epochs", "3"]
    fit(plcnn, *sgd, *rate, "--tensorboard.histograms", "true", "--checkpoints.monitor", "null")
    for name in ("dense.weight", "dense.bias"):
        weights, gradients = (events().Histograms(f"{kind}/{name}") for kind in ("weights", "gradients"))
        assert [point.step for point in weights] == [point.step for point in gradients] == [1, 2, 3]
        sums = [point.histogram_value.sum for point in weights]
        for epoch in (1, 2):
            moved = -0.5 * gradients[epoch].histogram_value.sum
            assert sums[epoch] - sums[epoch - 1] == pytest.approx(moved, abs=1e-4)
    kept = torch.load(RUN / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]["net.dense.weight"]
    last = events().Histograms("weights/dense.weight")[-1].histogram_value
    assert (last.num, last.min, last.max) == (kept.numel(), float(kept.min()), float(kept.max()))


@pytest.mark.parametrize("key", ["pictures", "embedding", "figures_every_n_epochs"])
def test_a_number_below_nothing_is_one_line(plcnn: Command, key: str) -> None:
    outcome = plcnn("fit", *TINY, f"--tensorboard.{key}", "-1")
    assert outcome.code == 2 and f"--tensorboard.{key}" in outcome.err and len(outcome.err.splitlines()) == 1


def test_hparams_compares_all_runs(plcnn: Command) -> None:
    fit(plcnn, "--trainer.max_epochs", "1", "--name", "adam", "--model.optimizer.lr", "0.02", *FIGURES, "0")
    sgd = ["--model.optimizer", "sgd", "--model.optimizer.momentum", "0.5", "--model.optimizer.lr", "0.1"]
    fit(plcnn, "--trainer.max_epochs", "2", "--name", "sgd", *sgd, *FIGURES, "0", "--test_after", "true")
    assert plcnn("fit", "--resume", "tb_logs/adam/version_0", "--trainer.max_epochs", "3").code == 0
    tested = plcnn("test", "--ckpt_path", "tb_logs/adam/version_0")
    settings, runs = hparams()
    # TensorBoard shows the first settings and metrics that it names
    assert {"optimizer", "optimizer.lr", "optimizer.momentum", "trainer.max_epochs"} <= set(settings)
    adam, sgd_run = runs["adam/version_0"], runs["sgd/version_0"]
    assert (adam["optimizer.lr"], sgd_run["optimizer.lr"], sgd_run["optimizer.momentum"]) == (0.02, 0.1, 0.5)
    assert (adam["trainer.max_epochs"], sgd_run["trainer.max_epochs"]) == (3, 2)
    assert adam["data.source"] == "shapes" and adam["data.verified"] == "True" and adam["data.batch_size"] == 64
    assert f"acc {adam['best/test_acc']:.4f}" in tested.out
    for name, run in runs.items():
        best = max(point.value for point in events(Path("tb_logs") / name).Scalars("val/acc"))
        assert run["best/val_acc"] == best and list(run)[-2:] == ["best/test_acc", "best/val_acc"]


def curves(stage: str, folder: Path = RUN) -> dict[str, list[int]]:
    """The epochs of each precision-recall curve."""
    found = events(folder)
    tags = [tag for tag in found.Tags()["tensors"] if tag.startswith(f"{stage} precision-recall/")]
    return {tag: [point.step for point in found.Tensors(tag)] for tag in tags}


def hparams() -> tuple[list[str], dict[str, dict[str, object]]]:
    """What the tab HPARAMS names as settings, and each run's settings and first two metrics."""
    multiplexer = EventMultiplexer().AddRunsFromDirectory("tb_logs")
    multiplexer.Reload()
    backend = Context(TBContext(data_provider=MultiplexerDataProvider(multiplexer, "tb_logs"), logdir="tb_logs"))
    asked = (RequestContext(), backend, "")
    statuses = [api_pb2.STATUS_UNKNOWN, api_pb2.STATUS_SUCCESS, api_pb2.STATUS_RUNNING, api_pb2.STATUS_FAILURE]
    request = api_pb2.ListSessionGroupsRequest(allowed_statuses=statuses, slice_size=100)
    experiment = Experiment(*asked, api_pb2.GetExperimentRequest()).run()
    runs: dict[str, dict[str, object]] = {}
    for group in SessionGroups(*asked, request).run().session_groups:
        runs[group.name] = {key: _plain(value) for key, value in group.hparams.items()}
        runs[group.name] |= {metric.name.tag: metric.value for metric in list(group.metric_values)[:2]}
    return [info.name for info in experiment.hparam_infos], runs


def _plain(value: object) -> object:
    return getattr(value, value.WhichOneof("kind"))  # type: ignore[attr-defined]


@pytest.mark.parametrize("lost", [0, 2])
def test_a_resumed_run_has_every_step_once(plcnn: Command, lost: int) -> None:
    everything = ["--tensorboard.histograms", "true", *FIGURES, "1"]
    fit(plcnn, "--trainer.max_epochs", "3", "--trainer.log_every_n_steps", "1", *everything)
    if lost:  # as if it had been killed after two more epochs, before they were saved
        keep = (RUN / "checkpoints" / "last.ckpt").read_bytes()
        assert plcnn("fit", "--ckpt_path", RUN, "--trainer.max_epochs", "5").code == 0
        (RUN / "checkpoints" / "last.ckpt").write_bytes(keep)
    assert plcnn("fit", "--ckpt_path", RUN, "--trainer.max_epochs", "6").code == 0
    for tag in BY_EPOCH:
        assert sorted(steps(tag)) == list(range(1, 7)), tag
    assert sorted(steps("step/train_loss")) == list(range(1, 19))
    assert all(found == list(range(1, 7)) for found in curves("val").values()) and curves("val")
    for tag in ("val/mistakes", "val/calibration", "val/confusion matrix"):
        assert [picture.step for picture in events().Images(tag)] == list(range(1, 7)), tag
    assert [point.step for point in events().Histograms("gradients/dense.bias")] == list(range(1, 7))


def test_cutting_back_takes_out_what_lies_beyond_and_nothing_else(plcnn: Command) -> None:
    fit(plcnn, "--trainer.max_epochs", "3", "--trainer.log_every_n_steps", "1", *FIGURES, "1")
    assert cut_back(RUN, epoch=3, step=9) == 0
    assert cut_back(RUN, epoch=2, step=7) > 0
    assert steps("val/loss") == [1, 2] and steps("step/lr") == list(range(1, 8))
    assert [picture.step for picture in events().Images("val/mistakes")] == [1, 2]
    assert set(map(tuple, curves("val").values())) == {(1, 2)}
    assert events().Images("training pictures")
