"""Writes what the network says of pictures as it says it, to the terminal or into a file."""

import sys
from contextlib import ExitStack, suppress
from typing import Any, TextIO

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from plcnn.answers import CSV, JSON, Answer, Format, Table, Writer
from plcnn.calibration import probabilities
from plcnn.classifier import Classifier
from plcnn.data.reading.picture_batches import PictureBatch, PictureBatches
from plcnn.errors import UserError
from plcnn.files import reason, written_aside
from plcnn.paths import expanded
from plcnn.predictions import check, name_classes
from plcnn.run import short, unused
from plcnn.terminal import encodable, printable, remark, warn

LONGEST_STEM = 200
"""Of the name of a file with saliency; file systems take 255 bytes."""


class Answers(Callback):
    """Names the classes of every batch of `predict` on rank zero.

    Args:
        format: "table", "csv" or "json".
        output: the file to write, which appears whole or not at all; the standard output if left out.
        top_k: how many classes to name for each picture.
        threshold: below this probability, 0 to 1, the label is "unsure".
        saliency: the folder for pictures with what the network looked at.

    Raises:
        UserError: if the file exists, or an argument is out of its range.
    """

    def __init__(
        self,
        format: Format,
        output: str | None,
        top_k: int,
        threshold: float,
        saliency: str | None,
    ) -> None:
        check(top_k, threshold)
        self.format, self.top_k, self.threshold = format, top_k, threshold
        self.output = expanded(output) if output is not None else None
        self.saliency = expanded(saliency) if saliency is not None else None
        if self.output is not None and self.output.exists():
            raise UserError(f"--output {output}: exists already; name another file.", exit_code=2)
        self._open = ExitStack()
        self._file: TextIO = sys.stdout
        self._writer: Writer | None = None
        self._drawings = 0

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open what is written to."""
        if not trainer.is_global_zero:
            return
        assert isinstance(pl_module, Classifier)
        if self.threshold and not pl_module.calibrated:
            warn("the probabilities are not calibrated: the training had no validation pictures. Mind --threshold.")
        if self.saliency:
            try:
                self.saliency.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise UserError(f"--saliency {self.saliency}: {reason(error)}.", exit_code=2) from error
        if self.output:
            try:
                aside = self._open.enter_context(written_aside(self.output))
                self._file = self._open.enter_context(aside.open("w", encoding="utf-8", newline=""))
            except OSError as error:
                raise UserError(f"--output {self.output}: {reason(error)}.", exit_code=2) from error
        self._writer = self._new_writer(trainer.datamodule.predicted, pl_module)
        self._write(self._writer.begin())

    def _new_writer(self, predicted: PictureBatches, classifier: Classifier) -> Writer:
        if self.format == "json":
            return JSON()
        if self.format == "csv":
            to_terminal = self.output is None and sys.stdout.isatty()
            return CSV(min(self.top_k, len(classifier.classes)), self.saliency is not None, to_terminal)
        return Table([meant.name for meant in predicted.pictures], classifier.classes)

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: PictureBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Write what the network says of a batch."""
        if self._writer is None:
            return
        assert isinstance(pl_module, Classifier)
        shares = probabilities(outputs.float().cpu(), pl_module.temperature)
        named = name_classes(shares, pl_module.classes, self.top_k, self.threshold)
        files = self._drawn(pl_module, batch) if self.saliency else [None] * len(named)
        rows = zip(batch.pictures, named, files, strict=True)
        self._write(self._writer.rows(Answer(meant.name, prediction, file) for meant, prediction, file in rows))

    def _drawn(self, classifier: Classifier, batch: PictureBatch) -> list[str | None]:
        """The files of a batch's pictures with what the network looked at."""
        from plcnn.saliency import overlay, saliency  # needs an optional package

        assert self.saliency
        with torch.inference_mode(False):
            images: Tensor = batch.images.clone()
            heats = saliency(classifier, images)
        files: list[str | None] = []
        for meant, image, heat in zip(batch.pictures, images.cpu(), heats, strict=True):
            path = unused(self.saliency / f"{_stem(meant.stem)}.png")
            try:
                with written_aside(path) as aside:
                    overlay(image, heat).save(aside, "PNG")
            except OSError as error:
                raise UserError(
                    f"--saliency {self.saliency}: {path.name} cannot be written: {reason(error)}."
                ) from error
            files.append(str(path))
            self._drawings += 1
        return files

    def _write(self, text: str) -> None:
        """Write whole lines, at once; what the encoding does not know as escapes."""
        try:
            self._file.write(encodable(text, self._file))
            self._file.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self._not_written(error) from error

    def _not_written(self, error: OSError) -> UserError:
        return UserError(f"{self.output or 'The standard output'} cannot be written: {reason(error)}.")

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close what was written to."""
        if self._writer is None:
            return
        self._write(self._writer.end())
        try:
            self._open.close()
        except OSError as error:
            raise self._not_written(error) from error
        if self.saliency:
            remark(f"drew {self._drawings:,} pictures in {printable(short(self.saliency.absolute()))}")

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Leave no file; what was written to the standard output ends as it should."""
        if self._writer is not None and not self.output:
            with suppress(UserError, BrokenPipeError):
                self._write(self._writer.end())
        self._open.__exit__(type(exception), exception, exception.__traceback__)


def _stem(stem: str) -> str:
    return stem.encode()[:LONGEST_STEM].decode(errors="ignore")
