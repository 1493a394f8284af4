"""torch.compile, in place, and only where there is a compiler for the device."""

import warnings
from typing import Literal

import torch
from torch import nn

CompileMode = Literal["default", "reduce-overhead", "max-autotune"]


def compile_in_place(network: nn.Module, mode: bool | CompileMode, device: torch.device) -> None:
    """Have a network compiled at its first step, under the names its weights have; else say why it is not.

    Args:
        network: the network to compile.
        mode: whether to compile at all, or which of torch.compile's modes to take.
        device: where it will run.
    """
    if not mode:
        return
    if reason := why_not(device):
        warnings.warn(f"--model.compile: the network runs uncompiled, since {reason}", stacklevel=2)
        return
    network.compile(mode=None if mode is True else mode)


def why_not(device: torch.device) -> str:
    """Why nothing can be compiled for a device here, found by compiling one addition; empty where it can be."""
    try:
        torch.compile(_one_more)(torch.zeros(1, device=device))
    except Exception as error:
        lines = str(error).strip().splitlines() or [""]
        return f"torch.compile fails on {device.type}: {type(error).__name__}: {lines[0][:200]}"
    return ""


def _one_more(x: torch.Tensor) -> torch.Tensor:
    return x + 1
