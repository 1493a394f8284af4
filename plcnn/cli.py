"""The commands that need a trainer: LightningCLI over Classifier, ImageData and Trainer."""

import json
import logging
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
import yaml
from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import TensorBoardLogger

from plcnn import checkpoint as checkpoints
from plcnn import plugins
from plcnn.callbacks.checkpoints import Checkpoints
from plcnn.callbacks.console import Ending, EpochLine, Opening
from plcnn.callbacks.curves import Curves
from plcnn.callbacks.early_stopping import EarlyStopping
from plcnn.callbacks.finite import FiniteLoss
from plcnn.callbacks.history import History
from plcnn.callbacks.interruption import Interruption
from plcnn.callbacks.tensorboard import TensorBoard
from plcnn.classifier import LOGGED, Classifier
from plcnn.data.module import ImageData
from plcnn.errors import UserError
from plcnn.event_files import cut_back
from plcnn.parser import CHOICES, Parser, in_layers
from plcnn.registry import did_you_mean
from plcnn.run import new_run_folder, run_folder
from plcnn.trainer import Trainer

CALLBACKS: dict[str, type[Callback]] = {
    "early_stopping": EarlyStopping,
    "checkpoints": Checkpoints,
    "epoch_line": EpochLine,
    "curves": Curves,
    "tensorboard": TensorBoard,
    "opening": Opening,
}
"""The callbacks that have a key of their own; adding others to `trainer.callbacks` leaves them in place."""

TRAINER_DEFAULTS = {
    "default_root_dir": "tb_logs",
    "enable_model_summary": False,
    "num_sanity_val_steps": 0,
    "max_epochs": 50,
}

FROM_CHECKPOINT = ("validate", "test", "predict")
"""Commands that take model and data from a checkpoint."""


class CLI(LightningCLI):
    """One command: parse, build, run.

    Args:
        arguments: the command line without the program's name; the first is the command.
    """

    def __init__(self, arguments: list[str]) -> None:
        self.arguments = arguments
        self.command = arguments[0]
        self.checkpoint: Path | None = None
        super().__init__(
            Classifier,
            ImageData,
            save_config_callback=None,
            trainer_class=Trainer,
            trainer_defaults=TRAINER_DEFAULTS,
            seed_everything_default=0,
            parser_class=Parser,
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
        )

    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override]
        """The command being run: building the others' parsers would take seconds."""
        skip = {"model", "train_dataloaders", "val_dataloaders", "dataloaders", "datamodule"}
        return {self.command: skip | {"weights_only", "verbose", "return_predictions"}}

    def add_default_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the options that belong to no class."""
        parser.add_argument("--seed_everything", type=int, default=0, help="Seed of all randomness.")
        parser.add_argument("--name", type=str, default="run", help="The run's name: runs go to ROOT/NAME/version_N.")
        parser.add_argument(
            "--plugins", type=str | list[str], default=[], help="Python files whose registered names can be used."
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the callbacks' keys, and hand on what one part knows to the other."""
        for key, callback in CALLBACKS.items():
            parser.add_lightning_class_args(callback, key)
        parser.link_arguments("seed_everything", "data.seed")
        parser.link_arguments("data.classes", "model.classes", apply_on="instantiate")
        parser.link_arguments("data.image_shape", "model.image_shape", apply_on="instantiate")

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parse, with the checkpoint's settings as the layer below configs and flags."""
        arguments = in_layers(self.arguments[1:])
        typed = _typed(arguments)
        if self.command != "show":
            self._find_checkpoint(typed)
        if self.checkpoint:
            self._set_checkpoint_defaults()
            folder = checkpoints.run_folder(self.checkpoint)
            if self.command == "fit" and folder:
                arguments = ["--config", str(folder / "config.yaml"), *arguments]
        self.config = parser.parse_args([self.command, *arguments])
        self.config[self.command]["plugins"] = plugins.loaded()
        if self.checkpoint:
            self.config[self.command]["ckpt_path"] = str(self.checkpoint)
            self._refuse_another_model()

    def _parse_ckpt_path(self) -> None:
        """Do not let the checkpoint's settings beat the command line's, as LightningCLI would."""

    def _find_checkpoint(self, typed: dict[str, list[str]]) -> None:
        given = (typed.get("ckpt_path") or [""])[-1]
        if not given and self.command in FROM_CHECKPOINT:
            runs = [Path(c).parent for c in typed.get("config", []) if (Path(c).parent / checkpoints.FOLDER).is_dir()]
            if not runs:
                raise UserError(f"{self.command} needs --ckpt_path: a run folder or a checkpoint file.", exit_code=2)
            given = str(runs[-1])
        if given:
            self.checkpoint = checkpoints.find(given, "last" if self.command == "fit" else "best")
            self.content = checkpoints.read(self.checkpoint)
            self._check_plugins()

    def _check_plugins(self) -> None:
        from plcnn.architectures import architectures

        name = self.content["hyper_parameters"]["arch"]["class_path"]
        if name not in architectures:
            needed = self.content["hyper_parameters"].get("plugins", [])
            hint = f" It was trained with --plugins {' '.join(needed)}." if needed else ""
            raise UserError(f"{self.checkpoint}: {architectures.unknown(name)}{hint}", exit_code=2)

    def _set_checkpoint_defaults(self) -> None:
        model = {
            k: v for k, v in self.content["hyper_parameters"].items() if k not in ("classes", "image_shape", "plugins")
        }
        data = {k: v for k, v in self.content["datamodule_hyper_parameters"].items() if k != "verified"}
        defaults = {f"model.{k}": v for k, v in model.items()} | {f"data.{k}": v for k, v in data.items()}
        self._subcommand_parsers[self.command].set_defaults(defaults)

    def _refuse_another_model(self) -> None:
        """The network is the checkpoint's; a flag or config that names another is refused, never ignored."""
        from plcnn.architectures import architectures

        asked = architectures.choose(_plain(self.config[self.command]["model"]["arch"]))
        held = architectures.choose(self.content["hyper_parameters"]["arch"])
        if asked != held:
            raise UserError(
                f"--model.arch: {self.checkpoint} holds {held!r}, but {asked!r} was asked for. Leave --model.arch out.",
                exit_code=2,
            )

    def before_instantiate_classes(self) -> None:
        """Check what can be checked before anything heavy is built."""
        config = self.config[self.command]
        _check_accelerator(config["trainer"])
        if self.command == "fit":
            for key in ("early_stopping", "checkpoints"):
                _check_monitor(
                    key, config[key]["monitor"], config["data"]["val_fraction"], config[key].get("enabled", True)
                )

    def instantiate_classes(self) -> None:
        """Build data, model and trainer."""
        super().instantiate_classes()
        if self.checkpoint:
            held = self.content["hyper_parameters"]
            if held["classes"] != self.model.classes:
                raise UserError(
                    f"{self.checkpoint} was trained on the classes {', '.join(held['classes'])}; "
                    f"the data's are {', '.join(self.model.classes)}."
                )

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        """Build the trainer around a run folder."""
        config = self._get(self.config_init, "trainer")
        folder = self._run_folder(config["default_root_dir"])
        if config["logger"] in (None, True):
            config["logger"] = self._logger(folder)
        config["default_root_dir"] = str(folder or config["default_root_dir"])
        if not self.datamodule.val_fraction:
            config["limit_val_batches"] = 0
        if config["enable_progress_bar"] is None:
            config["enable_progress_bar"] = sys.stdout.isatty()
        return super().instantiate_trainer(**kwargs)

    def _run_folder(self, root: str) -> Path | None:
        """The folder this command writes to: a new one for `fit`, the checkpoint's own run for what continues it."""
        own = checkpoints.run_folder(self.checkpoint) if self.checkpoint else None
        if self.command == "fit" and own and self.checkpoint and self.checkpoint.name != "last.ckpt":
            own = None
        if self.command == "fit" and own and _is_rank_zero():
            rows = self.content["callbacks"].get("History", {}).get("rows", [])
            cut_back(own, len(rows), self.content["global_step"])
        if own or self.command != "fit" or self._get(self.config, "trainer")["fast_dev_run"]:
            return own
        return new_run_folder(root, self._get(self.config, "name")) if _is_rank_zero() else None

    def _logger(self, folder: Path | None) -> TensorBoardLogger | bool:
        if folder is None and _is_rank_zero():
            return False
        folder = folder or Path("tb_logs/run/version_0")  # another rank's logger writes nothing
        root, name, version = folder.parent.parent, folder.parent.name, folder.name
        return TensorBoardLogger(str(root), name=name, version=version, default_hp_metric=False)

    def _instantiate_trainer(self, config: dict[str, Any], callbacks: list[Callback]) -> pl.Trainer:
        ours: list[Callback] = [FiniteLoss(), History(), Interruption(), *callbacks, Ending()]
        if self.command == "fit":
            ours.append(SaveConfig(self._parser(self.command), self.config[self.command]))
        if not config["enable_checkpointing"] and config["enable_checkpointing"] is not None:
            ours = [c for c in ours if not isinstance(c, Checkpoint)]
        return super()._instantiate_trainer(config, [c for c in ours if getattr(c, "enabled", True)])

    def _prepare_subcommand_kwargs(self, subcommand: str) -> dict[str, Any]:
        kwargs = super()._prepare_subcommand_kwargs(subcommand)
        return kwargs if subcommand == "show" else {**kwargs, "weights_only": True}

    def validate(self, **kwargs: Any) -> None:
        """Measure a checkpoint on the validation pictures."""
        self._measure("validate", "val", kwargs)

    def test(self, **kwargs: Any) -> None:
        """Measure a checkpoint on the test pictures."""
        self._measure("test", "test", kwargs)

    def _measure(self, command: str, stage: str, kwargs: dict[str, Any]) -> None:
        getattr(self.trainer, command)(verbose=False, **kwargs)
        metrics = {name: float(value) for name, value in self.trainer.callback_metrics.items()}
        folder = run_folder(self.trainer)
        if not self.trainer.is_global_zero:
            return
        count = self.datamodule.counts()[stage]
        loss, accuracy = metrics[f"{stage}/loss"], metrics[f"{stage}/acc"]
        right = round(accuracy * count)
        print(f"{stage}  loss {loss:.4f}  acc {accuracy:.4f}  ({right:,} of {count:,} pictures)  {self.checkpoint}")
        if self.checkpoint and checkpoints.run_folder(self.checkpoint):
            result = {"checkpoint": self.checkpoint.name, "pictures": count, "loss": loss, "acc": accuracy}
            (folder / f"{command}.json").write_text(json.dumps(result, indent=2) + "\n")

    def predict(self, **kwargs: Any) -> None:
        """Print the most probable class of each picture."""
        batches: Any = self.trainer.predict(return_predictions=True, **kwargs)
        probabilities = torch.cat(batches)
        best = probabilities.max(1)
        width = max(len(str(file)) for file in self.datamodule.picture_files)
        for file, share, label in zip(self.datamodule.picture_files, best.values, best.indices, strict=True):
            print(f"{file!s:<{width}}  {self.model.classes[int(label)]}  {float(share):.4f}")


class SaveConfig(Callback):
    """Saves the configuration into the run folder; a resumed run keeps its first and adds config_resumed_N.yaml.

    Args:
        parser: the parser of the command.
        config: what it parsed.
    """

    def __init__(self, parser: LightningArgumentParser, config: Any) -> None:
        self.parser, self.config = parser, config

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Write the file, on rank zero."""
        folder = run_folder(trainer)
        if not trainer.is_global_zero or trainer.fast_dev_run:
            return
        path, number = folder / "config.yaml", 0
        while path.exists():
            number += 1
            path = folder / f"config_resumed_{number}.yaml"
        path.write_text(self.parser.dump(self.config, skip_none=False))


def _is_rank_zero() -> bool:
    return getattr(rank_zero_only, "rank", 0) == 0


def _plain(choice: Any) -> Any:
    return choice.as_dict() if hasattr(choice, "as_dict") else choice


def _typed(arguments: list[str]) -> dict[str, list[str]]:
    """The values typed for each flag, before any parsing."""
    typed: dict[str, list[str]] = {}
    flag = ""
    for argument in arguments:
        if argument.startswith("-"):
            flag, _, value = argument.lstrip("-").partition("=")
            flag = "config" if flag == "c" else flag
            typed.setdefault(flag, []).extend([value] if value else [])
        else:
            typed.setdefault(flag, []).append(argument)
    return typed


def load_plugins(arguments: list[str]) -> None:
    """Import the plugin files that a command line and its configs name, before the parser is built.

    Raises:
        UserError: if a config or a plugin file cannot be read.
    """
    typed = _typed(arguments)
    paths: list[str] = []
    for config in typed.get("config", []):
        paths += _as_list(_read_yaml(config).get("plugins"))
    for given in typed.get("plugins", []):
        paths += _as_list(yaml.safe_load(given) if given.startswith("[") else given)
    plugins.load(paths)


def _as_list(value: Any) -> list[str]:
    return [] if value is None else [str(v) for v in value] if isinstance(value, list) else [str(value)]


def _read_yaml(path: str) -> dict[str, Any]:
    try:
        content = yaml.safe_load(Path(path).expanduser().read_text())
    except OSError as error:
        near = did_you_mean(Path(path).name, [p.name for p in Path(path).parent.glob("*.yaml")])
        raise UserError(f"--config {path}: {error.strerror}. {near}", exit_code=2) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"--config {path}: no valid YAML: {' '.join(str(error).split())[:200]}", exit_code=2) from error
    if not isinstance(content, dict):
        raise UserError(f"--config {path}: must hold keys and values, got {type(content).__name__}.", exit_code=2)
    for key in ("trainer", "model", "data", *CALLBACKS):
        if not isinstance(content.get(key, {}), dict):
            raise UserError(f"--config {path}: {key} must hold keys and values, got {content[key]!r}.", exit_code=2)
    return content


def _check_accelerator(trainer: Any) -> None:
    if trainer["accelerator"] not in ("gpu", "cuda") or torch.cuda.is_available() or _has_mps():
        return
    if torch.version.cuda is None and torch.version.hip is None:
        reason = f"this PyTorch ({torch.__version__}) is a CPU-only build; install one with CUDA"
    else:
        reason = f"PyTorch {torch.__version__} is built for a GPU but finds no device; see `nvidia-smi`"
    raise UserError(
        f"--trainer.accelerator {trainer['accelerator']}: {reason}, or go on with --trainer.accelerator auto.", 2
    )


def _has_mps() -> bool:
    return torch.backends.mps.is_available()


def _check_monitor(key: str, monitor: str | None, val_fraction: float, enabled: bool) -> None:
    """Refuse a metric that will not be measured, before the first epoch."""
    measured = [name for name in LOGGED if val_fraction or not name.startswith("val/")]
    if enabled and monitor is not None and monitor not in measured:
        raise UserError(
            f"--{key}.monitor: no metric {monitor!r} is measured. Measured: {', '.join(measured)}.", exit_code=2
        )


def run(arguments: list[str]) -> None:
    """Run one of LightningCLI's commands.

    Args:
        arguments: the command line without the program's name; the first is the command.
    """
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Every epoch is logged, however few its batches.
    warnings.filterwarnings("ignore", ".*is smaller than the logging interval.*")
    # Lightning 2.6 calls what PyTorch 2.14 deprecates.
    warnings.filterwarnings("ignore", r".*isinstance\(treespec, LeafSpec\).*")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    load_plugins(arguments[1:])
    for registry in CHOICES.values():
        registry.names()  # jsonargparse knows the names that exist when it parses
    CLI(arguments)
