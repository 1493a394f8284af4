"""Training and testing from Python: the same as the command, in a process that is left as it was."""

import csv
import logging
import os
import random
import signal
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support import TINY, Outcome

import plcnn as product
from plcnn.errors import UserError
from plcnn.keywords import as_arguments

Command = Callable[..., Outcome]
SHAPES: dict[str, Any] = {
    "data": {"source": "shapes", "source.train_size": 200, "source.test_size": 90, "source.image_size": 8},
    "model": {"arch": "linear"},
    "trainer": {"accelerator": "cpu", "max_epochs": 2},
}


def test_keywords_are_options() -> None:
    assert as_arguments(
        {
            "seed_everything": 3,
            "name": "-x",
            "trainer": {"max_epochs": 2, "precision": None, "callbacks": {"class_path": "a.B", "init_args": {"c": 1}}},
            "model.arch.widths": [64, 128],
            "data": {"source": {"root": Path("here")}, "verify": False},
        }
    ) == [
        "--seed_everything=3",
        "--name=-x",
        "--trainer.max_epochs=2",
        "--trainer.precision=null",
        '--trainer.callbacks={"class_path": "a.B", "init_args": {"c": 1}}',
        "--model.arch.widths=[64, 128]",
        "--data.source.root=here",
        "--data.verify=false",
    ]


def test_fit_and_test_are_the_commands(plcnn: Command) -> None:
    run = product.fit(**SHAPES, name="python")
    assert plcnn("fit", *TINY, "--trainer.max_epochs", "2", "--name", "typed").code == 0
    typed = Path("tb_logs/typed/version_0")
    assert run.folder == Path("tb_logs/python/version_0").absolute()
    weights, others = (product.load(folder).state_dict() for folder in (run.folder, typed))
    assert all(torch.equal(weights[key], others[key]) for key in others)
    assert torch.equal(run.classifier.net(torch.ones(1, 3, 8, 8)), product.load(typed).net(torch.ones(1, 3, 8, 8)))
    with (typed / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["val/acc"] for row in run.history] == [float(row["val/acc"]) for row in rows] and len(rows) == 2
    outcome = plcnn("test", typed)
    for given in (run, str(run.folder)):
        result = product.test(given)
        assert f"loss {result.figures['loss']:.4f}  acc {result.figures['acc']:.4f}" in outcome.out, outcome.err
    assert result.path == run.folder / "test_2.json" and result.outputs and len(result.outputs.labels) == 90


def test_configs_come_first_and_keywords_beat_them() -> None:
    Path("mine.yaml").write_text("name: mine\ntrainer:\n  max_epochs: 5\n")
    run = product.fit("mine.yaml", **{**SHAPES, "trainer": {"accelerator": "cpu"}, "trainer.max_epochs": 1})
    assert run.folder.parent.name == "mine" and len(run.history) == 1
    again = product.fit(resume=run.folder, **{"trainer.max_epochs": 2})
    assert again.folder == run.folder and len(again.history) == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": {"arhc": "linear"}}, "there is no option --model.arhc. Did you mean --model.arch "),
        ({"model.arch": "liner"}, "Did you mean linear"),
        ({"trainer.max_epochs": "many"}, "--trainer.max_epochs: expected a whole number"),
        ({"resume": "nowhere"}, "--resume nowhere"),
        ({"name": "a/b"}, "--name 'a/b'"),
    ],
)
def test_mistakes_are_errors_and_no_exits(
    options: dict[str, Any], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError) as caught:
        product.fit(**options)
    assert words in str(caught.value) and caught.value.exit_code == 2
    assert capfd.readouterr() == ("", "")


def test_mistakes_in_files_are_errors() -> None:
    with pytest.raises(UserError, match="No such file"):
        product.fit("nowhere.yaml")
    with pytest.raises(UserError, match="no such file or run folder"):
        product.test("nowhere")


def test_a_checkpoint_without_a_run_folder_keeps_no_result() -> None:
    run = product.fit(**SHAPES)
    Path("moved.ckpt").write_bytes((run.folder / "checkpoints/last.ckpt").read_bytes())
    with pytest.raises(UserError, match="moved.ckpt lies in no run folder"):
        product.test("moved.ckpt")


def test_the_process_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PL_GLOBAL_SEED", raising=False)

    def state() -> tuple[Any, ...]:
        return (
            signal.getsignal(signal.SIGINT),
            signal.getsignal(signal.SIGTERM),
            [logging.getLogger(name).level for name in (None, "lightning.pytorch", "lightning.fabric")],
            list(warnings.filters),
            {name: value for name, value in os.environ.items() if name.startswith(("PL_", "PLCNN"))},
            torch.get_rng_state().tolist(),
            random.getstate(),
            np.random.get_state()[1].tolist(),  # type: ignore[union-attr] # noqa: NPY002
            torch.is_grad_enabled(),
        )

    product.fit(**SHAPES)  # what is imported stays
    before = state()
    product.test(product.fit(**SHAPES, seed_everything=5))
    assert state() == before
    with pytest.raises(UserError):
        product.fit(**{**SHAPES, "seed_everything": 7, "model.optimizer.lr": 1e38})
    assert state() == before


@pytest.mark.usefixtures("registers")
def test_ctrl_c_in_a_notebook_is_an_error_that_says_how_to_go_on() -> None:
    class Interrupting(torch.nn.Module):
        """Presses Ctrl-C as it is called in training."""

        def __init__(self, num_classes: int) -> None:
            super().__init__()
            self.logits = torch.nn.Linear(192, num_classes)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.training:
                os.kill(os.getpid(), signal.SIGINT)
            return self.logits(x.flatten(1))

    product.register(Interrupting)
    with pytest.raises(UserError, match=r"interrupted by SIGINT. To go on: plcnn fit --resume tb_logs") as caught:
        product.fit(**{**SHAPES, "model": {"arch": "interrupting"}})
    assert caught.value.exit_code == 130
