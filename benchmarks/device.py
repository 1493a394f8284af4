"""What benchmarks that run networks themselves share: the device, its peak, FLOPs, and training steps by hand."""

import contextlib
import re
import time
from collections.abc import Callable
from typing import Any

import torch
from common import fail
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

PRECISIONS = {"32-true": None, "bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}

PEAKS = {
    "B200": 2250e12,
    "GH200": 989e12,
    "H200": 989e12,
    "H200 NVL": 835e12,
    "H100": 989e12,
    "H100 NVL": 835e12,
    "H100 PCIe": 756e12,
    "A100": 312e12,
    "A30": 165e12,
    "A10G": 70e12,
    "A10": 125e12,
    "L40S": 362e12,
    "L4": 121e12,
    "V100": 125e12,
    "T4": 65e12,
    "RTX 4090": 165e12,
    "RTX 3090": 71e12,
}
"""Published FLOP/s of dense bf16 (or fp16) matrix products, summed in fp32, by words of the card's name."""


def choose(accelerator: str) -> torch.device:
    """The device that an `--accelerator` means."""
    if accelerator != "cpu" and torch.cuda.is_available():
        return torch.device("cuda")
    if accelerator != "cpu" and torch.backends.mps.is_available():
        return torch.device("mps")
    if accelerator not in ("cpu", "auto"):
        fail(f"--accelerator {accelerator}: there is none here; auto takes what there is.")
    return torch.device("cpu")


def synchronise(device: torch.device) -> None:
    """Wait until the device has done all it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def seconds(work: Callable[[], Any], device: torch.device) -> float:
    """How long some work takes until the device has done it."""
    synchronise(device)
    started = time.perf_counter()
    work()
    synchronise(device)
    return time.perf_counter() - started


def known(card: str) -> str | None:
    """The key in `PEAKS` of a card's name; none for a part of a card and for a laptop's, which share their names."""
    words = set(re.split(r"[ -]", card))
    names = [name for name in PEAKS if set(name.split()) <= words and not words & {"MIG", "Laptop"}]
    return max(names, key=len, default=None)


def peak(device: torch.device) -> tuple[float, str]:
    """The device's peak FLOP/s, and where the number is from: published, or measured with a big matrix product."""
    if device.type == "cuda":
        name = known(torch.cuda.get_device_name(device))
        if name:
            return PEAKS[name], f"published for {name}"
    half = device.type == "cuda"
    size, dtype = (8192, torch.bfloat16) if half else (1024, torch.float32)
    a, b = (torch.randn(size, size, dtype=dtype, device=device) for _ in range(2))
    best = min(seconds(lambda: a @ b, device) for _ in range(10))
    return 2 * size**3 / best, f"measured, {dtype} product of {size} × {size}"


class Steps:
    """A network with Adam, and its training and evaluation steps written by hand.

    Args:
        network: maps images to logits; it stands on the device.
        precision: one of `PRECISIONS`.
        device: where it runs.
        optimizer: Adam by default.
    """

    def __init__(
        self,
        network: nn.Module,
        precision: str,
        device: torch.device,
        optimizer: torch.optim.Optimizer | None = None,
    ) -> None:
        if precision not in PRECISIONS:
            fail(f"--precision {precision}: the loop by hand knows {', '.join(PRECISIONS)}.")
        self.network, self.device, self.dtype = network, device, PRECISIONS[precision]
        self.optimizer = optimizer or torch.optim.Adam(network.parameters())
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == "16-mixed")

    def _autocast(self) -> contextlib.AbstractContextManager[Any]:
        return torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype is not None)

    def train(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Take one step.

        Returns:
            The mean loss, and logits (batch, classes), both detached.
        """
        self.optimizer.zero_grad(set_to_none=True)
        with self._autocast():
            logits = self.network(images)
            loss = F.cross_entropy(logits, labels)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss.detach(), logits.detach()

    def evaluate(self, images: Tensor) -> Tensor:
        """Logits (batch, classes), without gradients; `network.eval()` comes before."""
        with torch.inference_mode(), self._autocast():
            logits: Tensor = self.network(images)
            return logits


def model_flops(network: nn.Module, images: Tensor, classes: int, *, training: bool) -> int:
    """Count the floating-point operations of a forward pass, and of a backward pass where it trains.

    Those of convolutions and matrix products, attention's included, count; a multiply-add is two. Nothing assumes that
    backward is twice forward: the gradient of the pictures is not computed, so it is less.

    Args:
        network: not compiled; its weights stay as they are, its batch-norm statistics do not.
        images: (batch, channels, height, width); two are enough, since the count grows with the batch.
        classes: number of logits.
        training: whether to count the backward pass, too.

    Returns:
        FLOPs of these images.
    """
    fast_path = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # fused attention would not be seen
    labels = torch.arange(len(images), device=images.device) % classes
    try:
        with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.set_grad_enabled(training):
            loss = F.cross_entropy(network.train(training)(images), labels)
            if training:
                loss.backward()
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)
        network.zero_grad(set_to_none=True)
    return int(counter.get_total_flops())
