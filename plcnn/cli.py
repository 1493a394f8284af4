"""The commands that need a trainer: LightningCLI over Classifier, ImageData and Trainer."""

import contextlib
import logging
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from jsonargparse import Namespace
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI
from lightning.pytorch.plugins.io import CheckpointIO

from plcnn import checkpoint as checkpoints
from plcnn import plugins, results
from plcnn.accompaniment import CALLBACKS, accompany
from plcnn.arguments import asks_for_help, in_layers, load_plugins, refuse_empty, typed, without_option
from plcnn.callbacks.manifest import Manifest, OnStart
from plcnn.callbacks.outputs import outputs_of
from plcnn.callbacks.save_config import SaveConfig
from plcnn.checkpoint_io import SyncedCheckpointIO
from plcnn.checks import (
    check_accelerator,
    check_epochs_are_left,
    check_monitor,
    check_seed,
    check_something_is_trained,
    check_test_after,
    check_trainer,
    validates,
)
from plcnn.classifier import Classifier
from plcnn.data.module import ImageData
from plcnn.endings import ended_in_words, is_rank_zero
from plcnn.errors import UserError, first_line
from plcnn.event_files import cut_back
from plcnn.files import remove_left_aside
from plcnn.origin import FROM_CHECKPOINT, FROM_DATA, WITHOUT_DATA, Origin
from plcnn.parser import CHOICES, Parser
from plcnn.processes import await_all, meet_anew, refuse_what_is_no_file
from plcnn.resume import NEWEST, given, named_run
from plcnn.run import new_run_folder, newest_config, newest_run, run_folder
from plcnn.run_lock import hold
from plcnn.run_logger import RunLogger
from plcnn.step_profiler import StepProfiler
from plcnn.terminal import printable
from plcnn.tracking.choice import give_mlflow_a_store, why_not_built
from plcnn.trainer import Trainer

TRAINER_DEFAULTS = {
    "default_root_dir": "tb_logs",
    "enable_model_summary": False,
    "num_sanity_val_steps": 0,
    "max_epochs": 50,
}


class CLI(LightningCLI):
    """One command: parse, build, run.

    Args:
        arguments: the command line without the program's name; the first is the command.
        run: the run folder that `fit` goes on with; its newest config is among the arguments already.
        typed: the arguments as they were typed, for the record.
        on_start: called with the run folder and its manifest's new entry, before the first step.
        alone: what was typed that belongs to no option: a run or checkpoint, and pictures.
    """

    def __init__(
        self,
        arguments: list[str],
        run: Path | None = None,
        typed: list[str] | None = None,
        on_start: OnStart | None = None,
        alone: Sequence[str] = (),
    ) -> None:
        self.alone = alone
        self.manifest = Manifest(typed or arguments, on_start)
        self.arguments = arguments
        self.command = arguments[0]
        self.origin = Origin(self.command, run)
        super().__init__(
            Classifier,
            ImageData,
            save_config_callback=None,
            trainer_class=Trainer,
            trainer_defaults=TRAINER_DEFAULTS,
            seed_everything_default=0,
            parser_class=Parser,
            parser_kwargs={self.command: {"usage": _usage(self.command)}},
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
        parser.add_argument(
            "--report",
            type=bool,
            default=True,
            help="For test and validate, and --test_after: write a page with the result into the run folder.",
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the callbacks' keys, and hand on what one part knows to the other."""
        for key, callback in CALLBACKS.items():
            parser.add_lightning_class_args(callback, key)
        parser.link_arguments("seed_everything", "data.seed")
        for key in FROM_DATA:
            if self.command in WITHOUT_DATA:
                parser.link_arguments("name", f"model.{key}", compute_fn=partial(self.origin.held, key))
            else:
                parser.link_arguments(f"data.{key}", f"model.{key}", apply_on="instantiate")

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parse, with the checkpoint's settings as the layer below configs and flags."""
        arguments, origin = in_layers(self.arguments[1:], CHOICES), self.origin
        if self.command != "show" and not asks_for_help(arguments):
            if self.command == "fit" and given(arguments, "resume") == NEWEST and not origin.run:
                arguments = self._with_newest_run(parser, arguments)
            self.alone = origin.find(typed(arguments), self.alone)
        if origin.checkpoint:
            self._set_defaults(origin.defaults())
            folder = checkpoints.run_folder(origin.checkpoint)
            if self.command == "fit" and folder and not origin.run:
                arguments = ["--config", str(newest_config(folder)), *arguments]
        for path in typed(arguments).get("config", []):
            refuse_empty(path, self._subcommand_parsers[self.command].flags())  # type: ignore[attr-defined]
        self.config = parser.parse_args([self.command, *arguments])
        config = self.config[self.command]
        config["plugins"] = plugins.loaded()
        check_seed(config["seed_everything"])
        if self.command == "fit":
            config["resume"] = None
        if origin.run:
            config["ckpt_path"] = None
        self._take_pictures(config)
        if origin.checkpoint:
            origin.refuse_weights(typed(arguments).get("model.weights", []))
            origin.refuse_others(config["model"])

    def _take_pictures(self, config: Any) -> None:
        """Take what was typed without an option for pictures, beside those of --data.pictures."""
        if self.alone and self.command != "predict":
            raise UserError(
                f"'{printable(self.alone[0])}' is not understood: {self.command} takes one run folder or checkpoint, "
                "and options begin with --.",
                exit_code=2,
            )
        if self.alone:
            config["data"]["pictures"] = [*_as_list(config["data"]["pictures"]), *self.alone]

    def _with_newest_run(self, parser: LightningArgumentParser, arguments: list[str]) -> list[str]:
        """Find the newest run of the name that was asked for, and put its settings below the arguments."""
        config = parser.parse_args([self.command, *arguments])[self.command]
        folder = newest_run(config["trainer"]["default_root_dir"], config["name"])
        settings = newest_config(folder) if folder else None
        if settings is None:
            return arguments
        self.origin.run = folder
        return ["--config", str(settings), *arguments]

    def _set_defaults(self, defaults: dict[str, Any]) -> None:
        try:
            self._subcommand_parsers[self.command].set_defaults(defaults)
        except (ValueError, TypeError, KeyError) as error:
            raise UserError(
                f"{self.origin.checkpoint}: its settings are not understood: {first_line(error)}"
            ) from error

    def _parse_ckpt_path(self) -> None:
        """Do not let the checkpoint's settings beat the command line's, as LightningCLI would."""

    def before_instantiate_classes(self) -> None:
        """Check what can be checked before anything heavy is built."""
        config = self.config[self.command]
        check_trainer(config["trainer"])
        check_accelerator(config["trainer"])
        give_mlflow_a_store(config["trainer"]["logger"])
        if self.command == "fit":
            check_something_is_trained(config["trainer"])
            check_test_after(config["test_after"], config["trainer"])
            if not self.origin.run:
                check_epochs_are_left(config["trainer"], self.origin.epochs(), self.origin.checkpoint)
            for key in ("early_stopping", "checkpoints"):
                check_monitor(key, config[key]["monitor"], validates(config["data"]), config[key].get("enabled", True))

    def instantiate_classes(self) -> None:
        """Build data, model and trainer."""
        model = self.config[self.command]["model"]
        began_with = model["weights"]
        if self.origin.checkpoint:
            model["weights"] = None  # the checkpoint's take their place
        try:
            super().instantiate_classes()
        except UserError:
            raise
        except (ValueError, ImportError) as error:
            if reason := why_not_built(error):
                raise UserError(reason, exit_code=2) from error
            raise
        model["weights"] = began_with  # the run's config keeps them for who runs it anew
        self.origin.keep_start(self.model)
        self.origin.refuse_other_data(self.model)
        self.datamodule.split_from = self.origin.split_from()
        if self.command == "fit":
            self.config[self.command]["data"].update(Namespace(self.datamodule.keep_shape()))

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        """Build the trainer around a run folder."""
        config = self._get(self.config_init, "trainer")
        folder = self._folder = self._run_folder(config["default_root_dir"])
        if self.origin.run and is_rank_zero() and not config["fast_dev_run"]:
            hold(self.origin.run)
            remove_left_aside(self.origin.run)
            cut_back(self.origin.run, self.origin.epochs(), self.origin.steps())
        most = config["max_epochs"]
        if self.origin.run and most and 0 < most < self.origin.epochs():
            config["max_epochs"] = self.origin.epochs()  # nothing is left to do; Lightning would call it a mistake
        if config["logger"] in (None, True):
            config["logger"] = self._logger(folder) if self.command in ("fit", "test") else False
        config["default_root_dir"] = str(folder or config["default_root_dir"])
        if not self.datamodule.validates:
            config["limit_val_batches"] = 0
        if self._get(self.config, "profile"):
            config["profiler"] = StepProfiler()
        if not any(isinstance(plugin, CheckpointIO) for plugin in _as_list(config["plugins"])):
            config["plugins"] = [*_as_list(config["plugins"]), SyncedCheckpointIO()]
        if config["enable_progress_bar"] is None:
            printed = self.command == "predict" and self._get(self.config, "output") is None
            config["enable_progress_bar"] = sys.stdout.isatty() and not printed
        try:
            trainer = super().instantiate_trainer(**kwargs)
            refuse_what_is_no_file(trainer)
            return trainer
        except (ValueError, TypeError, ArithmeticError, RuntimeError, ImportError, MisconfigurationException) as error:
            _remove_if_empty(folder)
            raise UserError(f"--trainer: {' '.join(str(error).split())}", exit_code=2) from error

    def _run_folder(self, root: str) -> Path | None:
        """The folder this command writes to: a new one for `fit`, the checkpoint's own run for what continues it."""
        if self.command != "fit":
            return checkpoints.run_folder(self.origin.checkpoint) if self.origin.checkpoint else None
        if self.origin.run or self._get(self.config, "trainer")["fast_dev_run"]:
            return self.origin.run
        return new_run_folder(root, self._get(self.config, "name")) if is_rank_zero() else None

    def _logger(self, folder: Path | None) -> RunLogger | bool:
        if folder is None and is_rank_zero():
            return False
        return RunLogger(folder or Path("tb_logs/run/version_0"))  # another rank's logger writes nothing

    def _instantiate_trainer(self, config: dict[str, Any], callbacks: list[Callback]) -> pl.Trainer:
        ours = accompany(callbacks, [self.manifest], config)
        if self.command == "fit":
            ours.insert(0, SaveConfig(self._parser(self.command), self.config[self.command]))
        return super()._instantiate_trainer(config, ours)

    def _prepare_subcommand_kwargs(self, subcommand: str) -> dict[str, Any]:
        kwargs = super()._prepare_subcommand_kwargs(subcommand)
        if self.origin.checkpoint:
            kwargs["ckpt_path"] = self.origin.checkpoint
        return kwargs if subcommand in ("show", "export") else {**kwargs, "weights_only": True}

    def _run_subcommand(self, subcommand: str) -> None:
        try:
            super()._run_subcommand(subcommand)
        except UserError:
            _remove_if_empty(self._folder)
            raise

    def validate(self, **kwargs: Any) -> None:
        """Measure a checkpoint on the validation pictures."""
        self._measure("validate", kwargs)

    def test(self, **kwargs: Any) -> None:
        """Measure a checkpoint on the test pictures."""
        self._measure("test", kwargs)

    def _measure(self, command: str, kwargs: dict[str, Any]) -> None:
        getattr(self.trainer, command)(verbose=False, **kwargs)
        if self.trainer.is_global_zero:
            metrics = {name: float(value) for name, value in self.trainer.callback_metrics.items()}
            results.report(command, metrics, kwargs["ckpt_path"])
            images, rows = self.datamodule.evaluated
            outputs, temperature = outputs_of(self.trainer), self.model.temperature
            names = self.datamodule.evaluated_names
            kept = results.keep(command, metrics, kwargs["ckpt_path"], outputs, images, rows, temperature, names)
            if kept and self._get(self.config, "report"):  # type: ignore[attr-defined]
                from plcnn.report.command import after

                after(kept)

    def after_fit(self) -> None:
        """Test the run that has just ended, where that was asked for and has not been done."""
        if self._get(self.config, "test_after") and not self.trainer.fast_dev_run:  # type: ignore[attr-defined]
            folder = run_folder(self.trainer)
            best = checkpoints.find(folder)
            if not (self.origin.run and results.has_been_tested(folder, best)):
                self.test(model=self.model, datamodule=self.datamodule, ckpt_path=best, weights_only=True)


def _remove_if_empty(folder: Path | None) -> None:
    """Take a new run folder away to which nothing has been written."""
    if folder:
        with contextlib.suppress(OSError):  # it is not empty, or its parent holds other runs
            folder.rmdir()
            folder.parent.rmdir()


def _usage(command: str) -> str:
    pictures = " [PICTURE ...]" if command == "predict" else ""
    return f"plcnn {command}{' RUN' if command in FROM_CHECKPOINT else ''}{pictures} [options]"


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _quiet_lightning() -> None:
    """Have Lightning say what plcnn does not say itself."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("lightning.pytorch.profilers").setLevel(logging.INFO)  # a profile is printed by its logger
    # Every epoch is logged, however few its batches.
    warnings.filterwarnings("ignore", ".*is smaller than the logging interval.*")
    # Lightning 2.6 calls what PyTorch 2.14 deprecates.
    warnings.filterwarnings("ignore", r".*isinstance\(treespec, LeafSpec\).*")
    warnings.filterwarnings("ignore", r".*functional\.all_gather is deprecated.*")


def run(arguments: list[str], on_start: OnStart | None = None, command_class: Callable[..., CLI] = CLI) -> CLI:
    """Run one of LightningCLI's commands.

    Args:
        arguments: the command line without the program's name; the first is the command.
        on_start: for `fit`: called with the run folder and its manifest's new entry, before the first step.
        command_class: what runs it: another one does something else with what `fit` would train.

    Returns:
        The command, with its trainer, model and data.

    Raises:
        UserError: if something is wrong that the user can mend, or the command was interrupted.
    """
    typed = arguments
    _quiet_lightning()
    alone: list[str] = []
    if arguments[0] in FROM_CHECKPOINT:
        options, alone = without_option(arguments[1:])
        arguments = [arguments[0], *options]
    folder = named_run(arguments[0], arguments[1:])
    if folder:
        arguments = [arguments[0], "--config", str(newest_config(folder)), *arguments[1:]]
    load_plugins(arguments[1:])
    meet_anew()
    with ended_in_words():
        command = command_class(arguments, folder, typed, on_start, alone)
        if hasattr(command, "trainer"):
            await_all(command.trainer)
        return command
