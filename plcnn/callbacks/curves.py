"""curves.png in the run folder: the seed's two panels, accuracy and cross-entropy, redrawn after every epoch."""

from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer

from plcnn.callbacks.history import history_of
from plcnn.files import failing_softly, written_aside
from plcnn.run import run_folder


class Curves(Callback):
    """Draws the learning curves of training and validation.

    Args:
        enabled: whether to draw them.
    """

    def __init__(self, enabled: bool = True) -> None:
        self.enabled = enabled

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Learn where the picture is written."""
        if stage == "fit":
            self.path = run_folder(trainer) / "curves.png"

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the curves anew."""
        if self.enabled and trainer.is_global_zero and not trainer.fast_dev_run:
            draw(history_of(trainer).rows, self.path)


def draw(rows: list[dict[str, float]], path: Path) -> None:
    """Draw the curves of a history.

    Args:
        rows: one dict an epoch, as `History.rows` has them.
        path: the PNG to write; it appears whole or not at all.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    for axes, metric, title in zip(figure.subplots(1, 2), ("acc", "loss"), ("accuracy", "cross-entropy"), strict=True):
        for stage, label, colour in (("train", "training", "#1f77b4"), ("val", "validation", "#ff7f0e")):
            points = [(row["epoch"], row[f"{stage}/{metric}"]) for row in rows if f"{stage}/{metric}" in row]
            if points:
                epochs, values = zip(*points, strict=True)
                axes.plot(epochs, values, label=label, color=colour, marker="o", markersize=3)
        axes.set(title=title, xlabel="epoch", ylabel=title)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.set_xlim(0.5, max([row["epoch"] for row in rows], default=1) + 0.5)
        axes.grid(alpha=0.3)
        if axes.has_data():
            axes.legend()
    with failing_softly(path.name), written_aside(path) as aside:
        figure.savefig(aside, format="png", dpi=110)
