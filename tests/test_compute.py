"""Settings of the process: threads, the allocator, which devices are quick at bfloat16."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from plcnn import compute
from plcnn.trainer import Trainer


@pytest.mark.parametrize(
    ("content", "cores"),
    [("150000 100000\n", 2), ("50000 100000\n", 1), ("max 100000\n", 8), (None, 8), ("800000 50000", 8)],
)
def test_cores_are_limited_by_the_control_group(
    content: str | None, cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cpu.max"
    if content is not None:
        file.write_text(content)
    monkeypatch.setattr(compute, "CPU_QUOTA", file)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert compute.usable_cores() == cores


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is glibc's")
def test_freed_memory_is_kept_for_the_next_step() -> None:
    program = """
import resource, torch
from plcnn.compute import keep_freed_memory
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(8_000_000)  # 32 MB: 7,800 pages
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
plain = faults()
assert keep_freed_memory()
faults()
print(plain, faults())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    plain, kept = map(int, done.stdout.split())
    assert kept < plain / 10


def test_precision_auto_asks_what_the_device_is_quick_at(monkeypatch: pytest.MonkeyPatch) -> None:
    for fast, precision in ((True, "bf16-mixed"), (False, "32-true")):
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda fast=fast: fast)
        trainer = Trainer(accelerator="cpu", precision="auto", logger=False, enable_progress_bar=False)
        assert trainer.precision == precision
    assert Trainer(accelerator="cpu", logger=False, enable_progress_bar=False).precision == "32-true"
