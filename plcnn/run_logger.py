"""TensorBoard's logger for a run folder, on event files that a full disk does not break."""

from pathlib import Path

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import TensorBoardLogger
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.writer import FileWriter

from plcnn.event_files import EventWriter
from plcnn.files import failing_softly


class RunLogger(TensorBoardLogger):
    """Logs into a run folder.

    Args:
        folder: `<root>/<name>/version_N`.
    """

    def __init__(self, folder: Path) -> None:
        root, name, version = folder.parent.parent, folder.parent.name, folder.name
        super().__init__(str(root), name=name, version=version, default_hp_metric=False)

    @property
    @rank_zero_experiment
    def experiment(self) -> SummaryWriter:
        """The writer, made at its first use; other ranks than zero get one that does nothing."""
        if self._experiment is None:
            self._experiment = _Writer(log_dir=self.log_dir)
        return self._experiment

    def save(self) -> None:
        """Write hparams.yaml, and what waits to be written."""
        with failing_softly("hparams.yaml"):
            super().save()


class _Writer(SummaryWriter):
    """A SummaryWriter over `EventWriter`."""

    file_writer: FileWriter | None  # type: ignore[assignment]
    all_writers: dict[str, FileWriter] | None  # type: ignore[assignment]

    def _get_file_writer(self) -> FileWriter:
        if self.file_writer is None:
            self.file_writer = _FileWriter(self.log_dir)
            self.all_writers = {self.log_dir: self.file_writer}
        return self.file_writer


class _FileWriter(FileWriter):
    def __init__(self, log_dir: str) -> None:
        self.event_writer = EventWriter(Path(log_dir))
