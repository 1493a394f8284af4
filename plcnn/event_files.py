"""TensorBoard's event files, cut back to where a resumed run goes on, so that no step is drawn twice."""

from pathlib import Path

from plcnn.callbacks.tensorboard import BY_STEP


def cut_back(folder: Path, epoch: int, step: int) -> int:
    """Take the scalars that lie beyond a checkpoint out of a run's event files.

    Args:
        folder: the run folder.
        epoch: the last epoch that stays, for tags drawn against the epoch.
        step: the last optimizer step that stays, for tags drawn against the step.

    Returns:
        How many events were taken out. A file from which none is taken is left as it is.
    """
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.record_writer import RecordWriter

    removed = 0
    for path in sorted(folder.glob("events.out.tfevents.*")):
        records = list(RawEventFileLoader(str(path)).Load())
        kept = [record for record in records if not _is_beyond(Event.FromString(record), epoch, step)]
        if len(kept) < len(records):
            removed += len(records) - len(kept)
            aside = path.with_name(f"writing.{path.name}.tmp")
            with aside.open("wb") as file:
                writer = RecordWriter(file)
                for record in kept:
                    writer.write(record)
            aside.replace(path)
    return removed


def _is_beyond(event: object, epoch: int, step: int) -> bool:
    values = event.summary.value  # type: ignore[attr-defined]
    return any(
        value.HasField("simple_value") and event.step > (step if value.tag.startswith(BY_STEP) else epoch)  # type: ignore[attr-defined]
        for value in values
    )
