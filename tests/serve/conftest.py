"""A run of 8 × 8 pictures that all tests of serving share."""

from pathlib import Path

import pytest
from support import TINY

from plcnn.__main__ import main

SMALL = ["--model.arch", "keras_cnn", "--model.arch.widths", "[4]", "--model.arch.dropouts", "[0]"]


@pytest.fixture(scope="session")
def served_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("served")
    main(["fit", *TINY, *SMALL, "--trainer.max_epochs", "1", "--trainer.default_root_dir", str(root)])
    return root / "run" / "version_0"
