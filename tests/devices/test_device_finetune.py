"""Layers that thaw while ranks train together: as one process with all their pictures in its batch."""

from pathlib import Path

import pytest
from ranks import Fork, all_well, start
from support import TINY
from test_device_steps import CONVOLUTIONS, SGD, distance, weights

RUN = Path("run/version_0")


@pytest.mark.parametrize("policy", ["gradual", "head"])
def test_two_ranks_fine_tune_as_one_with_twice_the_batch(fork: Fork, tmp_path: Path, policy: str) -> None:
    (tmp_path / "without_norm.py").write_text(CONVOLUTIONS)
    same = ["fit", *TINY, "--plugins", tmp_path / "without_norm.py", "--model.arch", "without_norm", *SGD]
    same += ["--finetune.policy", policy, "--finetune.rate_decay", "0.7", "--trainer.max_epochs", "2"]
    same += ["--trainer.gradient_clip_val", "1", "--curves.enabled", "false", "--tensorboard.graph", "false"]
    (one,) = start(fork, 1, *same, "--data.batch_size", 20, folder=tmp_path / "one")
    two = start(fork, 2, *same, "--data.batch_size", 10, folder=tmp_path / "two")
    outcomes = all_well([one, *two])
    # 10 × 128 + 10 in the head, 8 × 8 × 9 + 8 in the layer before it
    assert [outcome.out.count("thawed     down to 2: 1,874 of 2,098") for outcome in outcomes[:2]] == (
        [1, 1] if policy == "gradual" else [0, 0]
    )
    alone, shared = weights(tmp_path / "one"), weights(tmp_path / "two")
    assert distance(alone, shared) < 1e-6
