"""What a command starts from: a run that goes on, a checkpoint, or nothing."""

import mimetypes
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plcnn import checkpoint as checkpoints
from plcnn.architectures import architectures
from plcnn.arguments import read_yaml
from plcnn.checkpoint_content import DATA_RECORDS, check_data_names
from plcnn.classifier import Classifier
from plcnn.errors import UserError
from plcnn.optim import optimizers
from plcnn.paths import expanded
from plcnn.terminal import printable

FROM_CHECKPOINT = ("validate", "test", "predict", "export")
"""Commands that take model and data from a checkpoint: `plcnn COMMAND RUN`."""

FROM_DATA = ("classes", "image_shape", "resize")
"""What the model is told by the data, and is no option of its own."""

WITHOUT_DATA = ("predict", "export")
"""Commands that take these from the checkpoint, for the data trained on may be elsewhere by now."""


@dataclass
class Origin:
    """Where a command starts.

    Attributes:
        command: its name.
        run: the run folder that `fit` goes on with.
        checkpoint: the file that is read.
        content: what is in it.
    """

    command: str
    run: Path | None = None
    checkpoint: Path | None = None
    content: dict[str, Any] = field(default_factory=dict)

    def find(self, values: dict[str, list[str]], alone: Sequence[str] = ()) -> list[str]:
        """Find the checkpoint: of the run that goes on, of a flag, a config, or of the run in which a config lies.

        Args:
            values: what was typed for each flag.
            alone: what was typed without one: the run or checkpoint comes first, where none is named otherwise.

        Returns:
            What is left of `alone`.

        Raises:
            UserError: if there is none and the command needs one, or it cannot be read.
        """
        if self.run:
            self.checkpoint, self.content = checkpoints.newest(self.run) or (None, {})
            return list(alone)
        path = next(reversed(values.get("ckpt_path", [])), None) or self._from_configs(values.get("config", []))
        if not path and self.command in FROM_CHECKPOINT:
            if not alone:
                raise UserError(f"{self.command} needs a run folder or a checkpoint: plcnn {self.command} RUN", 2)
            path, *alone = alone
            _refuse_other_kinds(self.command, path)
        if path:
            self.checkpoint = checkpoints.find(path, "last" if self.command == "fit" else "best")
            self.content = checkpoints.read(self.checkpoint)
        return list(alone)

    def _from_configs(self, configs: list[str]) -> str | Path | None:
        for config in reversed(configs):
            folder = expanded(config).parent
            if self.command in FROM_CHECKPOINT and (folder / checkpoints.FOLDER).is_dir():
                return folder
            if path := read_yaml(config).get("ckpt_path"):
                return str(path)
        return None

    def epochs(self) -> int:
        """How many epochs the checkpoint's run has recorded; 0 without a checkpoint."""
        return len(self.content.get("callbacks", {}).get("History", {}).get("rows", []))

    def steps(self) -> int:
        """How many steps its run had taken; -1 without a checkpoint."""
        return int(self.content.get("global_step", -1))

    def defaults(self) -> dict[str, Any]:
        """The checkpoint's settings by option, the layer below configs and flags; none without a checkpoint.

        Raises:
            UserError: if a name in them is none of this program's.
        """
        if not self.checkpoint:
            return {}
        check_data_names(self.content, self.checkpoint)
        model, data = checkpoints.model_arguments(self.content), self.content.get("datamodule_hyper_parameters", {})
        return {f"model.{k}": v for k, v in model.items() if k not in FROM_DATA} | {
            f"data.{k}": v for k, v in data.items() if k not in DATA_RECORDS
        }

    def held(self, key: str, _: Any = None) -> Any:
        """What the checkpoint says that the data told its model: one of `FROM_DATA`; nothing where none was read."""
        return self.content.get("hyper_parameters", {}).get(key, {"resize": "stretch"}.get(key))

    def keep_start(self, classifier: Classifier) -> None:
        """Have a classifier's checkpoints say what the training had started from, as the checkpoint does."""
        if self.checkpoint:
            classifier.hparams.update(started_from=self.content["hyper_parameters"].get("started_from"))

    def split_from(self) -> dict[str, Any] | None:
        """What tells the training pictures that its run was split from; None without a checkpoint."""
        found: dict[str, Any] | None = self.content.get("datamodule_hyper_parameters", {}).get("split_from")
        return found

    def refuse_others(self, model: Any) -> None:
        """Network and kind of optimizer are the checkpoint's; others are refused, never ignored.

        Args:
            model: the settings of the model, with choices in any form.

        Raises:
            UserError: if a flag or config names another.
        """
        held = self.content["hyper_parameters"]
        network, asked = architectures.choose(held["arch"]), architectures.choose(_plain(model["arch"]))
        if asked != network:
            raise UserError(
                f"--model.arch: {self.checkpoint} holds {network!r}, but {asked!r} was asked for. "
                "Leave --model.arch out.",
                exit_code=2,
            )
        if self.command == "fit" and "optimizer" in held:
            own, other = (optimizers.choose(_plain(one)).name for one in (held["optimizer"], model["optimizer"]))
            if own != other:
                raise UserError(
                    f"--model.optimizer: {self.checkpoint} goes on with {own}, whose state it holds, not with {other}. "
                    f"For a new run from its weights: --model.weights {self.checkpoint}",
                    exit_code=2,
                )

    def refuse_weights(self, typed: Sequence[str]) -> None:
        """Weights to start from are for a new training; others than those that the run began with are refused.

        Args:
            typed: what was given to --model.weights.

        Raises:
            UserError: if they are not the run's.
        """
        folder = checkpoints.run_folder(self.checkpoint) if self.checkpoint else None
        begun = (read_yaml(str(folder / "config.yaml")).get("model") or {}).get("weights") if folder else None
        own = (begun, self.content["hyper_parameters"].get("started_from"))
        others = [value for value in typed if value not in own]
        if others:
            new = ", or begin a new run with it" if self.command == "fit" else ""
            raise UserError(
                f"--model.weights {printable(others[-1])} is what a training starts from; {self.command} takes the "
                f"weights in {self.checkpoint}. Leave it out{new}.",
                exit_code=2,
            )

    def refuse_other_data(self, classifier: Classifier) -> None:
        """Refuse data with other classes or pictures than the checkpoint was trained on.

        Args:
            classifier: as built for the data.

        Raises:
            UserError: if they differ.
        """
        if not self.checkpoint:
            return
        held = self.content["hyper_parameters"]
        for what, trained, given in (
            ("classes", list(held["classes"]), classifier.classes),
            ("picture shape", list(held["image_shape"]), list(classifier.image_shape)),
        ):
            if trained != given:
                trained_on, read = (", ".join(map(str, values)) for values in (trained, given))
                raise UserError(f"{self.checkpoint} was trained on the {what} {trained_on}; the data has {read}.")


def _refuse_other_kinds(command: str, path: str) -> None:
    """Refuse a config or a picture where the run is meant to stand."""
    kind = mimetypes.guess_type(path)[0] or ""
    if path.endswith((".yaml", ".yml")):
        raise UserError(f"{printable(path)} is a config: plcnn {command} --config {printable(path)}", exit_code=2)
    if kind.startswith("image/") and not expanded(path).is_dir():
        pictures = " PICTURE ..." if command == "predict" else ""
        raise UserError(
            f"{printable(path)} is a picture; the run comes first: plcnn {command} RUN{pictures}", exit_code=2
        )


def _plain(choice: Any) -> Any:
    return choice.as_dict() if hasattr(choice, "as_dict") else choice
