"""A run of a second that the tests of export share."""

import os
from pathlib import Path

import pytest
from support import TINY

from plcnn.__main__ import main


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tested run folder; tests write elsewhere, by --output."""
    folder, here = tmp_path_factory.mktemp("runs"), Path.cwd()
    os.chdir(folder)
    try:
        scaling = ["--model.mean", "[0.4, 0.5, 0.6]", "--model.std", "[0.2, 0.3, 0.4]", "--model.tta", "flip"]
        quick = ["--trainer.max_epochs", "3", "--trainer.logger", "false", "--trainer.enable_progress_bar", "false"]
        main(["fit", *TINY, *scaling, *quick, "--test_after", "true", "--report", "false"])
    finally:
        os.chdir(here)
    return folder / "tb_logs/run/version_0"
