"""The page on reliability: it has every row, and every test that it names exists."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROW = re.compile(r"^\| (\d+) \| .* \| (.*) \|$", re.MULTILINE)


def names_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_every_row_names_tests_that_exist() -> None:
    rows = ROW.findall((ROOT / "docs" / "reliability.md").read_text())
    assert [int(number) for number, _ in rows] == list(range(1, 38))
    for number, named in rows:
        file = None
        names = re.findall(r"`([^`]+)`", named)
        assert names, number
        for name in names:
            path, _, test = name.rpartition("::")
            file = ROOT / path if path else file
            assert file is not None and test in names_in(file), f"row {number}: {name}"
