"""`--trainer.strategy fsdp` on two processes of a CPU: the same training, and checkpoints that one process reads."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from ranks import Fork, all_well, start
from runs import read, rows
from support import TINY, Outcome

from plcnn import load

RUN = Path("run/version_0")
NETWORK = [
    *("fit", *TINY, "--data.batch_size", "20", "--data.source.train_size", "100", "--trainer.max_epochs", "2"),
    # two convolutions large enough to be gathered by themselves
    *("--model.arch", "keras_cnn", "--model.arch.widths", "[32, 160]", "--model.arch.dropouts", "[0.1, 0.1]"),
    *("--data.augment", "shift_zoom_flip", "--model.optimizer"),
]


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_sharded_training_equals_replicated_and_its_checkpoint_is_whole(
    fork: Fork, plcnn: Callable[..., Outcome], optimizer: str
) -> None:
    sharded = start(fork, 2, *NETWORK, optimizer, "--trainer.strategy", "fsdp", folder=Path("sharded"))
    replicated = start(fork, 2, *NETWORK, optimizer, folder=Path("replicated"))
    outcomes = all_well([*sharded, *replicated])
    opening = re.compile(r"[\d,]+ trainable parameters")
    assert opening.findall(outcomes[0].out) == opening.findall(outcomes[2].out) != []
    one, other = (read(folder / RUN / "checkpoints" / "last.ckpt") for folder in (Path("sharded"), Path("replicated")))
    assert one["state_dict"].keys() == other["state_dict"].keys()
    for name, tensor in other["state_dict"].items():
        torch.testing.assert_close(one["state_dict"][name], tensor, rtol=1e-5, atol=1e-6, msg=name)
    for a, b in zip(rows(Path("sharded") / RUN), rows(Path("replicated") / RUN), strict=True):
        assert a["val/acc"] == b["val/acc"] and float(a["train/loss"]) == pytest.approx(
            float(b["train/loss"]), rel=1e-5
        )
    tested = plcnn("test", "--ckpt_path", Path("sharded") / RUN, "--trainer.accelerator", "cpu")
    assert tested.code == 0 and "of 90 pictures" in tested.out
    assert load(Path("sharded") / RUN)(torch.zeros(1, 3, 8, 8)).shape == (1, 10)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_sharded_run_goes_on_where_it_was_and_on_one_process(
    fork: Fork, plcnn: Callable[..., Outcome], optimizer: str
) -> None:
    sharded = [*NETWORK, optimizer, "--trainer.strategy", "fsdp"]
    all_well(start(fork, 2, *sharded, "--trainer.max_epochs", "3", folder=Path("whole")))
    all_well(start(fork, 2, *sharded, "--trainer.max_epochs", "2", folder=Path("parts")))
    run = Path("parts").absolute() / RUN
    all_well(start(fork, 2, "fit", "--resume", run, "--trainer.max_epochs", "3", folder=Path("parts")))
    one, other = (read(folder / RUN / "checkpoints" / "last.ckpt") for folder in (Path("whole"), Path("parts")))
    for name, tensor in one["state_dict"].items():
        torch.testing.assert_close(tensor, other["state_dict"][name], rtol=1e-5, atol=1e-6, msg=name)
    for a, b in zip(rows(Path("whole") / RUN), rows(Path("parts") / RUN), strict=True):
        assert a["val/acc"] == b["val/acc"] and float(a["train/loss"]) == pytest.approx(
            float(b["train/loss"]), rel=1e-5
        )
    alone = ["--trainer.devices", "1", "--trainer.strategy", "auto", "--trainer.max_epochs", "4"]
    outcome = plcnn("fit", "--resume", run, *alone)
    assert outcome.code == 0, outcome.err
    assert [row["epoch"] for row in rows(run)] == ["1", "2", "3", "4"]
