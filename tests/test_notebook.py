"""The notebook runs from its first cell to its last, and is kept without outputs."""

from pathlib import Path

import nbclient
import nbformat
import pytest

NOTEBOOK = Path(__file__).parents[1] / "examples" / "plcnn.ipynb"


def test_it_is_kept_without_outputs() -> None:
    cells = nbformat.read(NOTEBOOK, 4).cells
    assert sum(cell.cell_type == "code" for cell in cells) > 5
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


def test_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(Path(name).absolute()))
    notebook = nbformat.read(NOTEBOOK, 4)
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": "."}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    printed = "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stdout")
    assert not [output for output in outputs if output.output_type == "stream" and output.name == "stderr"]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 3
    assert printed.count("epoch 2/2") == 2 and "\r" not in printed  # no progress bars
    assert "accuracy 0.9" in printed and "\ncircle [('circle', 0." in printed
    assert "'quick_cnn'" in outputs[-1].data["text/plain"] and "'tiny_net'" in outputs[-1].data["text/plain"]
    assert Path("tb_logs/own/version_0/checkpoints/last.ckpt").is_file()
