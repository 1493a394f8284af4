"""The Python API: architectures by name, runs, and trained classifiers from run folders and checkpoints."""

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import nn

from plcnn import checkpoint, results
from plcnn.architectures import architectures
from plcnn.classifier import Classifier
from plcnn.errors import UserError
from plcnn.keywords import as_arguments
from plcnn.results import Result
from plcnn.run import history

MOST_VALUES = 2**24
"""Of a picture of a checkpoint, with which its network is tried when it is loaded."""


def names() -> list[str]:
    """All registered architectures, sorted."""
    return architectures.names()


def build(name: str, num_classes: int = 10, in_channels: int = 3, image_size: int = 32, **arguments: Any) -> nn.Module:
    """Build a registered architecture.

    Args:
        name: the registered name.
        num_classes: number of classes.
        in_channels: channels of a picture.
        image_size: height and width of a picture, in pixels.
        arguments: the architecture's own arguments.

    Returns:
        A module that maps images (batch, in_channels, image_size, image_size) to logits (batch, num_classes).

    Raises:
        UserError: if the name or an argument is unknown.
    """
    choice = architectures.choose(name, **arguments)
    return choice.build(num_classes=num_classes, in_channels=in_channels, image_size=image_size)


def load(path: str | Path) -> Classifier:
    """Rebuild a trained classifier, ready for inference.

    Args:
        path: a run folder (its best checkpoint is taken) or a checkpoint file.

    Returns:
        The classifier in evaluation mode, on the CPU.

    Raises:
        UserError: if there is no checkpoint, it is refused or broken, or its architecture is not registered.
    """
    content = checkpoint.read(checkpoint.find(path))
    shape = content["hyper_parameters"]["image_shape"]
    if math.prod(shape) > MOST_VALUES:
        raise UserError(f"{path}: its pictures of {' × '.join(map(str, shape))} values are too large to be tried here.")
    classifier = Classifier(**checkpoint.model_arguments(content))
    classifier.load_state_dict(content["state_dict"])
    classifier.on_load_checkpoint(content)
    return classifier.eval()


@dataclass
class Run:
    """A run, as its folder holds it.

    Attributes:
        folder: the run folder.
    """

    folder: Path

    @property
    def history(self) -> list[dict[str, float]]:
        """A dictionary an epoch, of history.csv: epoch, step, metrics such as "val/acc", lr, seconds, pictures/s."""
        return history(self.folder)

    @cached_property
    def classifier(self) -> Classifier:
        """The best checkpoint's network, ready for inference."""
        return load(self.folder)


def fit(*configs: str | Path, **options: Any) -> Run:
    """Train a network, as `plcnn fit` does.

        run = plcnn.fit("configs/base.yaml", model={"arch": "resnet18"}, trainer={"max_epochs": 3})

    Args:
        configs: YAML files; later ones beat earlier ones.
        options: the command's options, which beat the configs; sections are dictionaries or dots in keys:
            `trainer={"max_epochs": 3}` and `**{"trainer.max_epochs": 3}` both are `--trainer.max_epochs 3`.

    Returns:
        The run.

    Raises:
        UserError: if an option, a config or the data is wrong, or the training diverged or was interrupted.
    """
    from plcnn.in_process import run_command
    from plcnn.run import run_folder

    arguments = [*(f"--config={config}" for config in configs), *as_arguments(options)]
    return Run(run_folder(run_command(["fit", *arguments]).trainer).absolute())


def test(run: Run | str | Path, **options: Any) -> Result:
    """Measure a run or checkpoint on the test pictures, as `plcnn test` does; the run folder keeps what was found.

        plcnn.test(run).figures["acc"]

    Args:
        run: a run, a run folder (its best checkpoint is taken), or a checkpoint file in one.
        options: the command's options, as for `fit`.

    Returns:
        The figures, the network's answers and some of the pictures.

    Raises:
        UserError: if there is no such run, or its data is not at hand.
    """
    from plcnn.in_process import run_command

    path = checkpoint.find(run.folder if isinstance(run, Run) else run)
    folder = checkpoint.run_folder(path)
    if folder is None:
        raise UserError(f"{path} lies in no run folder, where results are kept.")
    before = results.results_in(folder, "test")
    run_command(["test", f"--ckpt_path={path}", *as_arguments(options)])
    new = [found for found in results.results_in(folder, "test") if found not in before]
    if not new:
        raise UserError(f"{folder} did not take the result.")
    return results.read(new[-1])
