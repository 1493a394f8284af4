"""Lightning's Trainer with the commands that need no training."""

import itertools
import traceback
from pathlib import Path
from typing import Any, Literal

import lightning.pytorch as pl
from lightning.fabric.plugins.precision.precision import _PRECISION_INPUT
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.trainer.states import TrainerFn

from plcnn.answers import Format
from plcnn.classifier import Classifier
from plcnn.compute import bf16_is_fast, device_type
from plcnn.data.module import ImageData
from plcnn.errors import UserError, first_line, wrong_value
from plcnn.export.artifact import Format as ExportFormat
from plcnn.export.artifact import Precision as ExportPrecision
from plcnn.idle_hooks import skip_idle_hooks
from plcnn.paths import expanded
from plcnn.views import Views


class Trainer(pl.Trainer):
    """Lightning's Trainer; its methods are the commands of `plcnn`.

    Args:
        precision: Lightning's, or "auto": bf16-mixed where the device computes bfloat16 faster than float32 (GPUs from
            NVIDIA's Ampere on, CPUs with AMX), else 32-true.

    Attributes:
        starts_afresh: whether the training starts from no checkpoint; Lightning's own `ckpt_path` is set late.
    """

    starts_afresh = True

    def __init__(self, *, precision: _PRECISION_INPUT | Literal["auto"] | None = None, **kwargs: Any) -> None:
        if precision == "auto":
            precision = "bf16-mixed" if bf16_is_fast(device_type(kwargs.get("accelerator", "auto"))) else "32-true"
        if kwargs.get("strategy") == "fsdp":
            from plcnn.sharded import Sharded  # takes a while

            kwargs["strategy"] = Sharded()
        super().__init__(precision=precision, **kwargs)

    def fit(
        self,
        model: pl.LightningModule,
        train_dataloaders: Any = None,
        val_dataloaders: Any = None,
        datamodule: pl.LightningDataModule | None = None,
        ckpt_path: str | Path | None = None,
        weights_only: bool | None = None,
    ) -> None:
        """Train a network.

        Args:
            model: the network with its loss, optimizer and schedule.
            train_dataloaders: not used by the command line.
            val_dataloaders: not used by the command line.
            datamodule: where the pictures come from.
            ckpt_path: a checkpoint file to start from, in a run of its own; with a run folder, the same as --resume.
            weights_only: whether the checkpoint is read by PyTorch's safe loader.
        """
        self.starts_afresh = ckpt_path is None
        skip_idle_hooks(self, model)
        super().fit(model, train_dataloaders, val_dataloaders, datamodule, ckpt_path, weights_only)

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command; what Lightning does not accept, in settings or in a checkpoint, is the user's to mend.

        Raises:
            UserError: if Lightning refused a setting, or a checkpoint's content does not fit this run.
        """
        try:
            return super()._run(*args, **kwargs)
        except UserError:
            raise
        except KeyboardInterrupt as error:
            if self.state.fn == TrainerFn.FITTING:
                raise
            raise UserError("interrupted", 130) from error  # Lightning would end with 1
        except Exception as error:
            in_optimizer = self.ckpt_path and any("/torch/optim/" in file for file in _last_files(error, "/torch/"))
            in_loops = self.ckpt_path and isinstance(error, TypeError) and _last_files(error, "/lightning/")
            restoring = self._checkpoint_connector._loaded_checkpoint or in_optimizer or in_loops
            if restoring and not isinstance(error, OSError):
                raise UserError(
                    f"{self.ckpt_path}: what it holds does not fit this run: {type(error).__name__}: "
                    f"{first_line(error)[:200]}"
                ) from error
            if isinstance(error, MisconfigurationException) or (
                isinstance(error, ValueError) and _last_files(error, "/lightning/")
            ):
                raise UserError(f"--trainer: {' '.join(str(error).split())[:300]}", exit_code=2) from error
            raise

    def predict(  # type: ignore[override]
        self,
        model: Classifier,
        dataloaders: Any = None,
        datamodule: ImageData | None = None,
        return_predictions: bool | None = None,
        ckpt_path: str | Path | None = None,
        weights_only: bool | None = None,
        format: Format = "table",
        output: str | None = None,
        top_k: int = 1,
        threshold: float = 0.0,
        saliency: str | None = None,
        tta: Views | None = None,
        batch_size: int | None = None,
    ) -> None:
        """Name the classes of pictures: files, folders, patterns, NumPy files, or - for the standard input.

        Args:
            model: the network.
            dataloaders: not used by the command line.
            datamodule: where the pictures come from.
            return_predictions: not used by the command line.
            ckpt_path: a run folder (its best checkpoint is taken) or a checkpoint file, the same as RUN.
            weights_only: whether the checkpoint is read by PyTorch's safe loader.
            format: how the answers are written.
            output: the file to write them to; an existing file is left alone.
            top_k: how many classes to name for each picture.
            threshold: below this probability, 0 to 1, a picture's label is "unsure".
            saliency: a folder for pictures that show what the network looked at.
            tta: test-time augmentation; as --model.tta if left out.
            batch_size: pictures at once; as --data.batch_size if left out.

        Raises:
            UserError: if an argument is out of its range; or, once the others are answered, naming the pictures that
                could not be read.
        """
        from plcnn.callbacks.answers import Answers

        assert datamodule is not None
        if batch_size is not None and batch_size < 1:
            raise wrong_value("--batch_size", batch_size, "at least 1 picture", 64)
        model.tta, datamodule.batch_size = tta or model.tta, batch_size or datamodule.batch_size
        answers = Answers(format, output, top_k, threshold, saliency)
        self.callbacks.append(answers)  # type: ignore[attr-defined]
        try:
            super().predict(model, None, datamodule, False, ckpt_path, weights_only)
        finally:
            self.callbacks.remove(answers)  # type: ignore[attr-defined]
        if self.is_global_zero and datamodule.predicted:
            datamodule.predicted.raise_faults()

    def export(
        self,
        model: Classifier,
        datamodule: ImageData,
        ckpt_path: str | Path | None = None,
        format: ExportFormat = "onnx",
        precision: ExportPrecision = "fp32",
        output: str | None = None,
        check: Literal["test", "none"] = "test",
        max_loss: float | None = None,
        calibration_pictures: int = 512,
        speed: bool = True,
    ) -> None:
        """Write a trained network in a format of other programs, with a card, once it answers as its checkpoint does.

        Args:
            model: built for the checkpoint.
            datamodule: where the pictures for the check come from.
            ckpt_path: a run folder (its best checkpoint is taken) or a checkpoint file, the same as RUN.
            format: "onnx", "pt2" (torch.export), or "safetensors": weights alone.
            precision: of weights and computation: fp32; fp16; bf16 (pt2 alone); int8 (onnx alone).
            output: the file to write; an existing file is left alone. RUN/export/ARCHITECTURE-PRECISION.FORMAT if left
                out, with a number where that exists.
            check: "test": compare with the checkpoint on the whole test set, and refuse what is worse; "none": do not,
                and say so on the card.
            max_loss: points of accuracy that the export may lose; as the precision allows if left out.
            calibration_pictures: how many training pictures set the ranges of int8.
            speed: whether to measure the speed against the checkpoint's.

        Raises:
            UserError: as `plcnn.export.command.export` does.
        """
        from plcnn.export.command import Settings, export

        assert ckpt_path is not None
        settings = Settings(format, precision, output, check, max_loss, calibration_pictures, speed)
        export(model, datamodule, Path(ckpt_path), settings)

    def show(
        self,
        model: Classifier,
        datamodule: ImageData,
        output: str = "pictures.png",
        grid: int = 4,
        split: bool = False,
    ) -> None:
        """Draw a grid of training pictures, plain and as augmentation changes them.

        Args:
            model: not used; the commands share their arguments.
            datamodule: where the pictures come from.
            output: the PNG to write; an existing file is left alone.
            grid: pictures along each side of the grid.
            split: print the numbers of the validation pictures among the source's training pictures instead.

        Raises:
            UserError: if the file exists or cannot be written, or the grid has no picture.
        """
        from plcnn.show import draw_pictures

        datamodule.prepare_data()
        if split:
            print(*datamodule.parted("val").rows.tolist(), sep="\n")
            return
        path = expanded(output)
        if path.exists():
            raise UserError(f"--output {path}: exists already; name another file.", exit_code=2)
        if grid < 1:
            raise UserError(f"--grid must be at least 1, got {grid}.", exit_code=2)
        datamodule.setup("fit")
        draw_pictures(datamodule, path, grid)
        print(f"drew {path}: {grid} × {grid} training pictures of {datamodule.source_choice.name}, plain and augmented")


def _last_files(error: Exception, package: str) -> list[str]:
    """The files in which an error was raised: its last calls, as far as they are a package's, by part of its path."""
    files = [frame.filename.replace("\\", "/") for frame in traceback.extract_tb(error.__traceback__)]
    return list(itertools.takewhile(lambda file: package in file, reversed(files)))
