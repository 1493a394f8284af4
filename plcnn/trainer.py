"""Lightning's Trainer with the commands that need no training."""

from pathlib import Path

import lightning.pytorch as pl

from plcnn.classifier import Classifier
from plcnn.data.module import ImageData
from plcnn.errors import UserError


class Trainer(pl.Trainer):
    """Lightning's Trainer; its methods are the commands of `plcnn`."""

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
