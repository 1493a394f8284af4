"""A network that asks for pictures before its training gets them: the training set's, scaled, once."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from support import TINY, Outcome

import plcnn as product

pytestmark = pytest.mark.usefixtures("registers")

NET = """
import torch
from torch import nn
from plcnn import register

@register
class Curious(nn.Module):
    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.logits = nn.Linear(3, num_classes)
        self.register_buffer("calls", torch.zeros(()))
        self.register_buffer("seen", torch.zeros(5))

    def init_from_images(self, images):
        self.calls += 1
        self.seen.copy_(torch.tensor([*images.shape, images.mean()]))

    def forward(self, x):
        return self.logits(x.mean((2, 3)))
"""


def test_pictures_come_once_scaled_and_from_the_training_set(plcnn: Callable[..., Outcome]) -> None:
    Path("curious.py").write_text(NET)
    chosen = ["--plugins", "curious.py", "--model.arch", "curious", "--trainer.max_epochs", "1"]
    scaled = ["--model.mean", "[0.25,0.25,0.25]", "--model.std", "[0.5,0.5,0.5]"]
    outcome = plcnn("fit", *TINY, *chosen, *scaled)
    assert outcome.code == 0, outcome.err
    run = Path("tb_logs/run/version_0")
    first = product.load(run).net
    assert first.calls == 1 and first.seen[:4].tolist() == [180, 3, 8, 8]
    from plcnn.data.module import ImageData

    source = {"class_path": "shapes", "init_args": {"train_size": 200, "test_size": 90, "image_size": 8}}
    data = ImageData(source=source)
    data.prepare_data()
    data.setup("fit")
    pixels = data.sets["train"][0].double().mean() / 255
    assert float(first.seen[4]) == pytest.approx(float(pixels - 0.25) / 0.5, abs=1e-5)
    resumed = ["--ckpt_path", run, "--plugins", "curious.py", "--trainer.max_epochs", "2"]
    assert plcnn("fit", *resumed).code == 0
    assert product.load(run).net.calls == 1
    start = ["--model.weights", run / "checkpoints/last.ckpt"]
    assert plcnn("fit", *TINY, *chosen, *start).code == 0
    assert product.load("tb_logs/run/version_1").net.calls == 1


def test_weights_are_those_that_were_first_drawn_but_for_what_it_sets(plcnn: Callable[..., Outcome]) -> None:
    """Two runs of one seed see the same pictures."""
    Path("curious.py").write_text(NET)
    chosen = ["--plugins", "curious.py", "--model.arch", "curious", "--trainer.max_epochs", "1"]
    for _ in range(2):
        assert plcnn("fit", *TINY, *chosen).code == 0
    first, second = (product.load(f"tb_logs/run/version_{i}").net.state_dict() for i in (0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)
