"""The device that a network answers on."""

import torch

from plcnn.compute import device_type
from plcnn.errors import UserError


def device(name: str) -> torch.device:
    """Find a device.

    Args:
        name: "auto" for a GPU where there is one, or PyTorch's name of a device.

    Raises:
        UserError: if there is no such device.
    """
    try:
        found = torch.device(device_type(name) if name == "auto" else name)
        torch.zeros(1, device=found)
    except Exception as error:  # PyTorch raises many kinds
        raise UserError(f"--device {name}: there is none here. Allowed: auto, cpu, cuda, cuda:N, mps.", 2) from error
    return found
