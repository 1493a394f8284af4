"""Where pictures lie while the network trains: on its device, in the host's memory, or with worker processes."""

import math
from typing import Literal

import torch
from torch import Tensor

from plcnn.data.kept.stores import Held, Part, Pictures
from plcnn.errors import UserError

Place = Literal["device", "host", "workers"]
Keep = Literal["auto", "device", "host", "workers"]


def place_of(keep: Keep, images: Pictures, device: torch.device) -> Place:
    """Decide where pictures lie.

    Args:
        keep: what was asked for. "auto" takes the device if the pictures fill at most half of its free memory, else the
            host; pictures that are read from a store go to workers.
        images: the pictures as the source gave them.
        device: the device that trains.

    Raises:
        UserError: if they are to lie on the device and cannot.
    """
    in_memory = isinstance(images, Tensor) or isinstance(images.store, Held)
    if not in_memory:
        if keep == "device":
            raise UserError(
                "--data.keep device: this source's pictures are read when a batch needs them. Use workers or host.",
                exit_code=2,
            )
        return "host" if keep == "host" else "workers"
    if keep in ("host", "workers"):
        return keep
    free = free_bytes(device) if isinstance(images, Part) or images.device != device else None
    size = images.nbytes if isinstance(images, Tensor) else len(images) * math.prod(images.shape)
    if keep == "device" and free is not None and size > free:
        raise UserError(
            f"--data.keep device: {len(images):,} pictures take {_gib(size)}, and {device} has {_gib(free)}"
            " free. Leave it at auto, or use host.",
            exit_code=2,
        )
    if isinstance(images, Part) and free is None:
        return "host"
    return "host" if keep == "auto" and free is not None and size > free / 2 else "device"


def free_bytes(device: torch.device) -> int | None:
    """A GPU's free memory; None where it is not known. On the CPU, pictures lie where they were read."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else None


def _gib(count: float) -> str:
    return f"{count / 2**30:.2f} GiB"
