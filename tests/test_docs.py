"""The page on architectures of one's own, followed to the letter: its files are written, its commands run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from support import CONFIGS

PAGE = Path(__file__).parents[1] / "docs" / "your-own-architecture.md"
BLOCK = re.compile(r"^```(python|yaml|bash)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_page_can_be_followed() -> None:
    shutil.copytree(CONFIGS, "configs")
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ran, output = 0, ""
    for language, text in BLOCK.findall(PAGE.read_text()):
        if language == "bash":
            command = subprocess.run(
                ["bash", "-ec", text], capture_output=True, text=True, env={**os.environ, "PATH": programs}, timeout=300
            )
            assert command.returncode == 0, text + command.stdout + command.stderr
            ran, output = ran + 1, output + command.stdout
        else:
            file = text.splitlines()[0].removeprefix("# ")
            with Path(file).open("a") as opened:
                opened.write(text)
    assert ran == 7
    for words in ("conv_pool(width=16, depth=2)", "epoch 3/3", "of 2,000 pictures", "conv_pool_dropout", "epoch 1/1"):
        assert words in output
    accuracies = [float(a) for a in re.findall(r"val_acc ([\d.]+)", output)]
    assert max(accuracies) > 0.2, "twice what chance would give"
