"""Lightning's Trainer with the commands that need no training."""

from pathlib import Path
from typing import Any, Literal

import lightning.pytorch as pl
import torch
from lightning.fabric.plugins.precision.precision import _PRECISION_INPUT

from plcnn.classifier import Classifier
from plcnn.compute import bf16_is_fast
from plcnn.data.module import ImageData
from plcnn.errors import UserError
from plcnn.idle_hooks import skip_idle_hooks


class Trainer(pl.Trainer):
    """Lightning's Trainer; its methods are the commands of `plcnn`.

    Args:
        precision: Lightning's, or "auto": bf16-mixed where the device computes bfloat16 faster than float32 (GPUs from
            NVIDIA's Ampere on, CPUs with AMX), else 32-true.
    """

    def __init__(self, *, precision: _PRECISION_INPUT | Literal["auto"] | None = None, **kwargs: Any) -> None:
        if precision == "auto":
            precision = "bf16-mixed" if bf16_is_fast(_device_type(kwargs.get("accelerator", "auto"))) else "32-true"
        super().__init__(precision=precision, **kwargs)

    def fit(self, model: pl.LightningModule, *args: Any, **kwargs: Any) -> None:
        """Train, without the step hooks that nothing defines."""
        skip_idle_hooks(self, model)
        super().fit(model, *args, **kwargs)

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
            _, labels = datamodule.source.train()
            print(*datamodule.split_indices(labels)[1].tolist(), sep="\n")
            return
        path = Path(output).expanduser()
        if path.exists():
            raise UserError(f"--output {path}: exists already; name another file.", exit_code=2)
        if grid < 1:
            raise UserError(f"--grid must be at least 1, got {grid}.", exit_code=2)
        datamodule.setup("fit")
        draw_pictures(datamodule, path, grid)
        print(f"drew {path}: {grid} × {grid} training pictures of {datamodule.source_choice.name}, plain and augmented")


def _device_type(accelerator: Any) -> str:
    """The device that Lightning takes for an accelerator: "cuda", "mps", "cpu" or another's name."""
    if accelerator in ("auto", "gpu"):
        return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    return str(accelerator)
