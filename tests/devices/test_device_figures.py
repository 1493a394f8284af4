"""Several processes draw on the first one alone, and none waits for another meanwhile."""

from pathlib import Path

from ranks import Fork, all_well, start
from support import TINY
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

RUN = Path("two/run/version_0")
EVERYTHING = [
    *("--tensorboard.figures_every_n_epochs", "1", "--tensorboard.histograms", "true", "--tensorboard.embedding", "9"),
    *("--trainer.max_epochs", "2", "--health.enabled", "false"),
]


def drawn(fork: Fork, *arguments: str) -> EventAccumulator:
    """What the event files of a run on two processes hold."""
    all_well(start(fork, 2, "fit", *TINY, *EVERYTHING, *arguments, folder=Path("two")))
    events = EventAccumulator(str(RUN))
    events.Reload()
    assert [picture.step for picture in events.Images("val/mistakes")] == [1, 2]
    return events


def test_two_processes_draw_what_they_found_together(fork: Fork) -> None:
    events = drawn(fork, "--test_after", "true")
    assert events.Images("test/mistakes") and events.Tags()["histograms"]
    assert len((RUN / "00002" / "validation" / "tensors.tsv").read_text().splitlines()) == 9
    tags = [tag for tag in events.Tags()["tensors"] if tag.startswith("test precision-recall/")]
    for tag in tags:  # at threshold 0, of which these are hits and false alarms, every picture is taken
        found = events.Tensors(tag)[0].tensor_proto.float_val
        assert found[0] + found[127] == 90
    assert len(tags) == 10


def test_of_sharded_weights_none_are_drawn(fork: Fork) -> None:
    events = drawn(fork, "--trainer.strategy", "fsdp")
    assert not events.Tags()["histograms"] and not (RUN / "projector_config.pbtxt").exists()
