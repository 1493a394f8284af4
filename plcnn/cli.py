"""The commands that need a trainer: LightningCLI over Classifier, ImageData and Trainer."""

import contextlib
import json
import logging
import sys
import warnings
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI
from lightning.pytorch.plugins.io import CheckpointIO
from lightning.pytorch.utilities.exceptions import SIGTERMException

from plcnn import checkpoint as checkpoints
from plcnn import plugins
from plcnn.architectures import architectures
from plcnn.arguments import asks_for_help, in_layers, load_plugins, read_yaml, typed
from plcnn.callbacks.checkpoints import Checkpoints
from plcnn.callbacks.console import Ending, EpochLine, Opening
from plcnn.callbacks.curves import Curves
from plcnn.callbacks.early_stopping import EarlyStopping
from plcnn.callbacks.ema import EMA
from plcnn.callbacks.finite import FiniteLoss
from plcnn.callbacks.health import Health
from plcnn.callbacks.history import History
from plcnn.callbacks.interruption import Interrupted, Interruption, requeue
from plcnn.callbacks.lookahead import Lookahead
from plcnn.callbacks.manifest import Manifest, OnStart
from plcnn.callbacks.progress_bar import ProgressBar
from plcnn.callbacks.save_config import SaveConfig
from plcnn.callbacks.step_seeds import StepSeeds
from plcnn.callbacks.tensorboard import TensorBoard
from plcnn.callbacks.watchdog import Watchdog
from plcnn.callbacks.within_epoch import WithinEpoch
from plcnn.checkpoint_content import check_data_names
from plcnn.checkpoint_io import SyncedCheckpointIO
from plcnn.checks import (
    check_accelerator,
    check_epochs_are_left,
    check_monitor,
    check_seed,
    check_something_is_trained,
    check_trainer,
)
from plcnn.classifier import Classifier
from plcnn.data.module import ImageData
from plcnn.errors import UserError, first_line
from plcnn.event_files import cut_back
from plcnn.parser import CHOICES, Parser
from plcnn.processes import await_all, meet_anew
from plcnn.resume import NEWEST, given, named_run
from plcnn.run import new_run_folder, newest_config, newest_run, run_folder, unused
from plcnn.run_logger import RunLogger
from plcnn.step_profiler import StepProfiler
from plcnn.terminal import printable
from plcnn.trainer import Trainer

CALLBACKS: dict[str, type[Callback]] = {
    "early_stopping": EarlyStopping,
    "lookahead": Lookahead,
    "ema": EMA,
    "checkpoints": Checkpoints,
    "epoch_line": EpochLine,
    "health": Health,
    "curves": Curves,
    "tensorboard": TensorBoard,
    "opening": Opening,
    "watchdog": Watchdog,
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
        run: the run folder that `fit` goes on with; its newest config is among the arguments already.
        typed: the arguments as they were typed, for the record.
        on_start: called with the run folder and its manifest's new entry, before the first step.
    """

    def __init__(
        self,
        arguments: list[str],
        run: Path | None = None,
        typed: list[str] | None = None,
        on_start: OnStart | None = None,
    ) -> None:
        self.manifest = Manifest(typed or arguments, on_start)
        self.arguments = arguments
        self.command = arguments[0]
        self.run = run
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
        parser.add_argument(
            "--resume",
            type=str | None,
            default=None,
            help="For fit: the run folder to go on with; 'auto' takes the newest run of the --name, or starts one.",
        )
        parser.add_argument(
            "--profile", type=bool, default=False, help="For fit: print at the end where a step's time went."
        )
        parser.add_argument(
            "--test_after",
            type=bool,
            default=False,
            help="For fit: test the run once, as it ends.",
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
        arguments = in_layers(self.arguments[1:], CHOICES)
        if self.command != "show" and not asks_for_help(arguments):
            if self.command == "fit" and given(arguments, "resume") == NEWEST and not self.run:
                arguments = self._with_newest_run(parser, arguments)
            self._find_checkpoint(typed(arguments))
        if self.checkpoint:
            self._set_checkpoint_defaults()
            folder = checkpoints.run_folder(self.checkpoint)
            if self.command == "fit" and folder and not self.run:
                arguments = ["--config", str(newest_config(folder)), *arguments]
        self.config = parser.parse_args([self.command, *arguments])
        self.config[self.command]["plugins"] = plugins.loaded()
        check_seed(self.config[self.command]["seed_everything"])
        if self.command == "fit":
            self.config["fit"]["resume"] = None
        if self.run:
            self.config["fit"]["ckpt_path"] = None
        if self.checkpoint:
            self.config[self.command]["model"]["weights"] = None  # the checkpoint's take their place
            self._refuse_another_model()

    def _with_newest_run(self, parser: LightningArgumentParser, arguments: list[str]) -> list[str]:
        """Find the newest run of the name that was asked for, and put its settings below the arguments."""
        config = parser.parse_args([self.command, *arguments])[self.command]
        folder = newest_run(config["trainer"]["default_root_dir"], config["name"])
        settings = newest_config(folder) if folder else None
        if settings is None:
            return arguments
        self.run = folder
        return ["--config", str(settings), *arguments]

    def _parse_ckpt_path(self) -> None:
        """Do not let the checkpoint's settings beat the command line's, as LightningCLI would."""

    def _find_checkpoint(self, values: dict[str, list[str]]) -> None:
        """Find the checkpoint: of the run that goes on, of a flag, a config, or of the run in which a config lies."""
        if self.run:
            found = checkpoints.newest(self.run)
            if found:
                self.checkpoint, self.content = found
                self._check_plugins()
            return
        path = next(iter(values.get("ckpt_path", [])[::-1]), None) or self._from_configs(values.get("config", []))
        if path:
            self.checkpoint = checkpoints.find(path, "last" if self.command == "fit" else "best")
            self.content = checkpoints.read(self.checkpoint)
            self._check_plugins()
        elif self.command in FROM_CHECKPOINT:
            raise UserError(f"{self.command} needs --ckpt_path: a run folder or a checkpoint file.", exit_code=2)

    def _from_configs(self, configs: list[str]) -> str | Path | None:
        for config in reversed(configs):
            folder = Path(config).expanduser().parent
            if self.command in FROM_CHECKPOINT and (folder / checkpoints.FOLDER).is_dir():
                return folder
            if path := read_yaml(config).get("ckpt_path"):
                return str(path)
        return None

    def _check_plugins(self) -> None:
        name = self.content["hyper_parameters"]["arch"]["class_path"]
        if name not in architectures:
            needed = plugins.option(self.content["hyper_parameters"].get("plugins", []))
            hint = f" Add what it was trained with:{needed}" if needed else ""
            raise UserError(f"{self.checkpoint}: {architectures.unknown(name)}{hint}", exit_code=2)

    def _set_checkpoint_defaults(self) -> None:
        model = {
            k: v for k, v in checkpoints.model_arguments(self.content).items() if k not in ("classes", "image_shape")
        }
        data = {k: v for k, v in self.content.get("datamodule_hyper_parameters", {}).items() if k != "verified"}
        defaults = {f"model.{k}": v for k, v in model.items()} | {f"data.{k}": v for k, v in data.items()}
        check_data_names(self.content, Path(str(self.checkpoint)))
        try:
            self._subcommand_parsers[self.command].set_defaults(defaults)
        except (ValueError, TypeError, KeyError) as error:
            raise UserError(f"{self.checkpoint}: its settings are not understood: {first_line(error)}") from error

    def _refuse_another_model(self) -> None:
        """The network is the checkpoint's; a flag or config that names another is refused, never ignored."""
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
        check_trainer(config["trainer"])
        check_accelerator(config["trainer"])
        if self.command == "fit":
            check_something_is_trained(config["trainer"])
            if not self.run:
                check_epochs_are_left(config["trainer"], self._epochs_done(), self.checkpoint)
            for key in ("early_stopping", "checkpoints"):
                check_monitor(
                    key, config[key]["monitor"], config["data"]["val_fraction"], config[key].get("enabled", True)
                )

    def _epochs_done(self) -> int:
        """How many epochs the checkpoint's run has recorded; 0 without a checkpoint."""
        callbacks = self.content.get("callbacks", {}) if self.checkpoint else {}
        return len(callbacks.get("History", {}).get("rows", []))

    def instantiate_classes(self) -> None:
        """Build data, model and trainer."""
        super().instantiate_classes()
        if self.checkpoint:
            held = self.content["hyper_parameters"]
            for what, trained, given in (
                ("classes", list(held["classes"]), self.model.classes),
                ("picture shape", list(held["image_shape"]), list(self.model.image_shape)),
            ):
                if trained != given:
                    trained_on, read = (", ".join(map(str, values)) for values in (trained, given))
                    raise UserError(f"{self.checkpoint} was trained on the {what} {trained_on}; the data has {read}.")

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        """Build the trainer around a run folder."""
        config = self._get(self.config_init, "trainer")
        folder = self._run_folder(config["default_root_dir"])
        if self.run and _is_rank_zero() and not config["fast_dev_run"]:
            cut_back(self.run, self._epochs_done(), self.content["global_step"] if self.checkpoint else -1)
        if config["logger"] in (None, True):
            config["logger"] = self._logger(folder) if self.command in ("fit", "test") else False
        config["default_root_dir"] = str(folder or config["default_root_dir"])
        if not self.datamodule.val_fraction:
            config["limit_val_batches"] = 0
        if self._get(self.config, "profile"):
            config["profiler"] = StepProfiler()
        if not any(isinstance(plugin, CheckpointIO) for plugin in _as_list(config["plugins"])):
            config["plugins"] = [*_as_list(config["plugins"]), SyncedCheckpointIO()]
        if config["enable_progress_bar"] is None:
            config["enable_progress_bar"] = sys.stdout.isatty()
        try:
            return super().instantiate_trainer(**kwargs)
        except (ValueError, TypeError, RuntimeError, ImportError, MisconfigurationException) as error:
            if folder:
                with contextlib.suppress(OSError):
                    folder.rmdir()  # possible for an empty folder alone: the new one
                    folder.parent.rmdir()
            raise UserError(f"--trainer: {' '.join(str(error).split())}", exit_code=2) from error

    def _run_folder(self, root: str) -> Path | None:
        """The folder this command writes to: a new one for `fit`, the checkpoint's own run for what continues it."""
        if self.command != "fit":
            return checkpoints.run_folder(self.checkpoint) if self.checkpoint else None
        if self.run or self._get(self.config, "trainer")["fast_dev_run"]:
            return self.run
        return new_run_folder(root, self._get(self.config, "name")) if _is_rank_zero() else None

    def _logger(self, folder: Path | None) -> RunLogger | bool:
        if folder is None and _is_rank_zero():
            return False
        return RunLogger(folder or Path("tb_logs/run/version_0"))  # another rank's logger writes nothing

    def _instantiate_trainer(self, config: dict[str, Any], callbacks: list[Callback]) -> pl.Trainer:
        first = [c for c in callbacks if isinstance(c, Watchdog)]  # notes where a rank is before ranks wait for others
        ours: list[Callback] = [*first, FiniteLoss(), WithinEpoch(), History(), StepSeeds(), self.manifest]
        ours.append(Interruption())
        ours += [*(c for c in callbacks if c not in first), Ending()]
        if self.command == "fit":
            ours.insert(0, SaveConfig(self._parser(self.command), self.config[self.command]))
        given = config["callbacks"] or []
        if config["enable_progress_bar"] and not any(isinstance(c, pl.callbacks.ProgressBar) for c in given):
            ours.append(ProgressBar())
        if not config["enable_checkpointing"] and config["enable_checkpointing"] is not None:
            ours = [c for c in ours if not isinstance(c, Checkpoint)]
        return super()._instantiate_trainer(config, [c for c in ours if getattr(c, "enabled", True)])

    def _prepare_subcommand_kwargs(self, subcommand: str) -> dict[str, Any]:
        kwargs = super()._prepare_subcommand_kwargs(subcommand)
        if self.checkpoint:
            kwargs["ckpt_path"] = str(self.checkpoint)
        return kwargs if subcommand == "show" else {**kwargs, "weights_only": True}

    def validate(self, **kwargs: Any) -> None:
        """Measure a checkpoint on the validation pictures."""
        self._measure("validate", "val", kwargs)

    def test(self, **kwargs: Any) -> None:
        """Measure a checkpoint on the test pictures."""
        self._measure("test", "test", kwargs)

    def after_fit(self) -> None:
        """Test the run that has just ended, where that was asked for and has not been done."""
        if self._get(self.config, "test_after") and not self.trainer.fast_dev_run:  # type: ignore[attr-defined]
            self.checkpoint = checkpoints.find(run_folder(self.trainer))
            if self.run and any(self.checkpoint.name in path.read_text() for path in self.run.glob("test*.json")):
                return
            self.test(model=self.model, datamodule=self.datamodule, ckpt_path=self.checkpoint, weights_only=True)

    def _measure(self, command: str, stage: str, kwargs: dict[str, Any]) -> None:
        getattr(self.trainer, command)(verbose=False, **kwargs)
        metrics = {name: float(value) for name, value in self.trainer.callback_metrics.items()}
        folder = run_folder(self.trainer)
        if not self.trainer.is_global_zero:
            return
        if f"{stage}/pictures" not in metrics:
            raise UserError(f"{command} found no pictures: --data.val_fraction is {self.datamodule.val_fraction}.")
        loss, accuracy, count = (metrics[f"{stage}/{name}"] for name in ("loss", "acc", "pictures"))
        right = round(accuracy * count)
        print(f"{stage}  loss {loss:.4f}  acc {accuracy:.4f}  ({right:,} of {count:,.0f} pictures)  {self.checkpoint}")
        if self.checkpoint and checkpoints.run_folder(self.checkpoint):
            result = {"checkpoint": self.checkpoint.name, "pictures": int(count), "loss": loss, "acc": accuracy}
            unused(folder / f"{command}.json").write_text(json.dumps(result, indent=2) + "\n")

    def predict(self, **kwargs: Any) -> None:
        """Print the most probable class of each picture; every rank has predicted all."""
        batches: Any = self.trainer.predict(return_predictions=True, **kwargs)
        probabilities = torch.cat(batches)
        if not self.trainer.is_global_zero:
            return
        best = probabilities.max(1)
        files = [printable(file) for file in self.datamodule.picture_files]
        width = max(map(len, files))
        for file, share, label in zip(files, best.values, best.indices, strict=True):
            print(f"{file:<{width}}  {self.model.classes[int(label)]}  {float(share):.4f}")


def _is_rank_zero() -> bool:
    return getattr(rank_zero_only, "rank", 0) == 0


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _plain(choice: Any) -> Any:
    return choice.as_dict() if hasattr(choice, "as_dict") else choice


def run(arguments: list[str], on_start: OnStart | None = None) -> None:
    """Run one of LightningCLI's commands.

    Args:
        arguments: the command line without the program's name; the first is the command.
        on_start: for `fit`: called with the run folder and its manifest's new entry, before the first step.
    """
    typed = arguments
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("lightning.pytorch.profilers").setLevel(logging.INFO)  # a profile is printed by its logger
    # Every epoch is logged, however few its batches.
    warnings.filterwarnings("ignore", ".*is smaller than the logging interval.*")
    # Lightning 2.6 calls what PyTorch 2.14 deprecates.
    warnings.filterwarnings("ignore", r".*isinstance\(treespec, LeafSpec\).*")
    warnings.filterwarnings("ignore", r".*functional\.all_gather is deprecated.*")
    folder = named_run(arguments[0], arguments[1:])
    if folder:
        arguments = [arguments[0], "--config", str(newest_config(folder)), *arguments[1:]]
    load_plugins(arguments[1:])
    meet_anew()
    try:
        await_all(CLI(arguments, folder, typed, on_start).trainer)
    except Interrupted as interruption:
        if not _is_rank_zero():
            sys.exit(interruption.exit_code)
        if interruption.requeue:
            requeue()
        raise UserError(str(interruption), interruption.exit_code) from interruption
    except SIGTERMException as interruption:
        raise UserError("interrupted by SIGTERM", 143) from interruption
    except RuntimeError as error:
        if "by peer" not in str(error):  # gloo's words for a process that is no more
            raise
        raise UserError("another process of this run has ended; what it wrote says why") from error
    finally:
        # Left to the interpreter's exit, gloo's threads abort it now and then.
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
