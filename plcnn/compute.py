"""Settings of the process that make training fast, made once where a training starts; none changes what is computed.

CPU: glibc gives large blocks back to the system as soon as they are freed, and asks for them again, page by page and
zeroed, at the next step: activations and gradients, at every step. Here it is told to keep them. And a container with
less than the machine's cores is given as many threads as it may use.

NVIDIA GPUs: TF32 for matrix products and convolutions of 32-bit floats (NVIDIA_TF32_OVERRIDE=0 switches it off), and
cuDNN tries its algorithms for each shape.
"""

import ctypes
import math
import os
import sys
from pathlib import Path
from typing import Any

import torch

CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
# of glibc's malloc.h
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_LARGEST_INT = 2**31 - 1


def prepare(device: torch.device) -> None:
    """Make the process's settings for training on a device; calling it again changes nothing."""
    if device.type == "cpu":
        keep_freed_memory()
        if "OMP_NUM_THREADS" not in os.environ:
            torch.set_num_threads(min(torch.get_num_threads(), usable_cores()))
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True


def keep_freed_memory() -> bool:
    """Tell glibc's malloc to keep freed blocks for the next step.

    Returns:
        Whether that was possible; it is not where the C library is another one.
    """
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "gnu_get_libc_version"):
        return False
    return bool(libc.mallopt(_M_MMAP_MAX, 0)) and bool(libc.mallopt(_M_TRIM_THRESHOLD, _LARGEST_INT))


def usable_cores() -> int:
    """How many cores this process may use: by its affinity and its control group's quota, at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(CPU_QUOTA)
    return max(1, math.ceil(min(cores, quota)))


def _quota(file: Path) -> float:
    """Cores that a control group (version 2) allows; infinite where it sets no limit."""
    try:
        allowed, period = file.read_text().split()
        return int(allowed) / int(period)
    except (OSError, ValueError):  # no such file, or "max"
        return math.inf


def bf16_is_fast(device_type: str) -> bool:
    """Whether a device computes bfloat16 faster than float32: GPUs from NVIDIA's Ampere on, and CPUs with AMX.

    AVX-512's bfloat16 is no faster: on a Xeon of 2023 without AMX, convolutions took twice the time of float32.
    """
    if device_type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(device_type == "cpu" and torch.cpu._is_amx_tile_supported())


def device_type(accelerator: Any) -> str:
    """The device that Lightning takes for an accelerator: "cuda", "mps", "cpu" or another's name."""
    if accelerator in ("auto", "gpu"):
        return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    return str(accelerator)
