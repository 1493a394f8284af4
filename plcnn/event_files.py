"""TensorBoard's event files: written without a thread, and cut back to where a resumed run goes on.

TensorBoard's own writer gives up for good at the first error of the disk, with a traceback from its thread.
"""

import io
import time
from collections.abc import Callable
from pathlib import Path

from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.summary.writer.record_writer import RecordWriter

from plcnn.errors import UserError
from plcnn.files import failing_softly, written_aside

BY_STEP = "step/"
"""Prefix of the tags that are drawn against the optimizer step; all others are drawn against the epoch."""

SECONDS_BETWEEN_WRITES = 10.0

VERSION = "brain.Event:2"
"""What TensorBoard wants to read first in a file."""


class EventWriter:
    """Writes one event file, made with its first event; what a full disk does not take is kept until there is room.

    It has the methods of tensorboard's EventFileWriter.

    Args:
        folder: where the file is made; its name sorts after those made before, as TensorBoard needs it.
    """

    def __init__(self, folder: Path) -> None:
        seconds, nanoseconds = divmod(time.time_ns(), 10**9)
        self.path = folder / f"events.out.tfevents.{seconds:010d}.{nanoseconds:09d}"
        self._waiting: list[bytes] = []
        self._written_bytes = 0
        self._written_at = 0.0

    def get_logdir(self) -> str:
        """The folder."""
        return str(self.path.parent)

    def add_event(self, event: Event) -> None:
        """Take an event; it is on the disk after `flush`, or some seconds later."""
        self._waiting.append(event.SerializeToString())
        if time.monotonic() - self._written_at > SECONDS_BETWEEN_WRITES:
            self.flush()

    def flush(self) -> None:
        """Write what has not been written."""
        self._written_at = time.monotonic()
        if not self._waiting:
            return
        header = [] if self._written_bytes else [Event(wall_time=time.time(), file_version=VERSION).SerializeToString()]
        data = _as_records([*header, *self._waiting])
        with failing_softly("TensorBoard's event file"):
            with self.path.open("ab") as file:
                self._written_bytes = min(self._written_bytes, file.tell())
                file.truncate(self._written_bytes)  # a record may have been written in part
                file.write(data)
            self._written_bytes += len(data)
            self._waiting.clear()

    def close(self) -> None:
        """Write what has not been written."""
        self.flush()

    def reopen(self) -> None:
        """Nothing: the file is open only while it is written."""


def cut_back(folder: Path, epoch: int, step: int) -> int:
    """Take what lies beyond a checkpoint, and half-written records, out of a run's event files.

    Args:
        folder: the run folder.
        epoch: the last epoch that stays, for tags drawn against the epoch.
        step: the last optimizer step that stays, for tags drawn against the step; below 0, nothing stays at all.

    Returns:
        How many events were taken out. A file that is whole and loses none is left as it is.

    Raises:
        UserError: if a file cannot be read or written.
    """
    return _thin_out(folder, lambda event: step < 0 or _is_beyond(event, epoch, step), "cut back to the checkpoint")


def forget_settings(folder: Path) -> None:
    """Take a run's settings out of its event files, for those with which it goes on: TensorBoard shows the first.

    Raises:
        UserError: if a file cannot be read or written.
    """
    _thin_out(folder, lambda e: any(v.tag.startswith("_hparams_/") for v in e.summary.value), "given new settings")


def _thin_out(folder: Path, unwanted: Callable[[Event], bool], what: str) -> int:
    removed = 0
    for path in sorted(folder.glob("events.out.tfevents.*")):
        try:
            if path.suffix == ".tmp":  # of a run that was killed as it wrote here; TensorBoard would read it, too
                path.unlink()
                continue
            records = list(RawEventFileLoader(str(path)).Load())
            kept = [record for record in records if not unwanted(Event.FromString(record))]
            data = _as_records(kept)
            removed += len(records) - len(kept)
            if not kept:
                path.unlink()
            elif len(data) != path.stat().st_size:
                with written_aside(path) as aside:
                    aside.write_bytes(data)
        except OSError as error:
            raise UserError(f"{path} cannot be {what}: {error.strerror}.") from error
    return removed


def _as_records(events: list[bytes]) -> bytes:
    buffer = io.BytesIO()
    writer = RecordWriter(buffer)
    for event in events:
        writer.write(event)
    return buffer.getvalue()


def _is_beyond(event: Event, epoch: int, step: int) -> bool:
    return any(event.step > (step if value.tag.startswith(BY_STEP) else epoch) for value in event.summary.value)
