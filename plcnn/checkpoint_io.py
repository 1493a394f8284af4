"""How a checkpoint's bytes get to the disk: straight to its file, synced.

Lightning's own way (2.6) makes a copy in memory and another in the system's temporary folder, which a killed process
leaves there.
"""

import os
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO


class SyncedCheckpointIO(TorchCheckpointIO):
    """Writes checkpoints with `torch.save` and waits until the disk has them."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a checkpoint.

        Args:
            checkpoint: tensors and plain data.
            path: the file, overwritten.
            storage_options: not used.

        Raises:
            OSError: if the disk is full, say; the file is then not whole.
        """
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            try:
                torch.save(checkpoint, file)
            except RuntimeError as error:  # what PyTorch makes of a short write
                if isinstance(error.__context__, OSError):
                    raise error.__context__ from None
                raise
            file.flush()
            os.fsync(file.fileno())
