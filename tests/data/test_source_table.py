"""Pictures in a table: which columns and rows mean what, and one error for all that cannot be used."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from plcnn.data.complaints import refuse
from plcnn.data.module import ImageData
from plcnn.data.sources.table import TableOfPictures
from plcnn.errors import UserError

ROWS = [
    ("p/2.png", "dog", "train"),
    ("p/1.png", "cat", "train"),
    ("p/3.png", "cat", "valid"),
    ("p/4.png", "dog", "Test"),
]


@pytest.fixture(autouse=True)
def _pictures() -> None:
    Path("p").mkdir()
    for number in range(1, 5):
        Path(f"p/{number}.png").touch()


def table(rows: Sequence[Sequence[Any]], header: str = "file label split", name: str = "t.csv", **options: Any) -> str:
    with open(name, "w", newline="", encoding=options.pop("encoding", "utf-8")) as file:
        csv.writer(file, **options).writerows([header.split(), *rows])
    return name


def parquet(columns: dict[str, list[Any]], name: str = "t.parquet") -> str:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet as writer

    writer.write_table(pyarrow.table(columns), name)
    return name


def found(source: TableOfPictures, part: str = "train") -> list[tuple[str, str]]:
    """The name and the class of each picture."""
    pictures = getattr(source, part)()
    names = [pictures.images.name(index) for index in range(len(pictures.labels))]
    return [(name, source.classes[label]) for name, label in zip(names, pictures.labels.tolist(), strict=True)]


def refused(root: str, **arguments: Any) -> str:
    with pytest.raises(UserError) as caught:
        source = TableOfPictures(root, **arguments)
        source.prepare()
        refuse(source.complaints)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"header": "Filename CLASS Set"},
        {"header": "image_path target subset"},
        {"delimiter": ";"},
        {"name": "t.TSV", "delimiter": "\t"},
        {"encoding": "utf-8-sig", "quoting": csv.QUOTE_ALL},
    ],
)
def test_columns_are_found_by_themselves(options: dict[str, Any]) -> None:
    source = TableOfPictures(table(ROWS, **options))
    assert source.classes == ("cat", "dog")
    assert found(source) == [("p/2.png", "dog"), ("p/1.png", "cat")]  # in the table's order
    assert found(source, "validation") == [("p/3.png", "cat")] and source.has_validation
    assert found(source, "test") == [("p/4.png", "dog")] and source.has_test


def test_parquet_says_the_same() -> None:
    paths, labels, parts = (list(column) for column in zip(*ROWS, strict=True))
    source = TableOfPictures(parquet({"path": paths, "label": labels, "split": parts, "other": [[1]] * 4}))
    assert found(source) == [("p/2.png", "dog"), ("p/1.png", "cat")] and found(source, "test") == [("p/4.png", "dog")]
    # a column of numbers with a gap becomes one of floats
    numbers = parquet({"path": paths[:3], "label": [10.0, 9.0, 9.0]})
    assert found(TableOfPictures(numbers)) == [("p/2.png", "10"), ("p/1.png", "9"), ("p/3.png", "9")]
    assert TableOfPictures(numbers).classes == ("9", "10")
    gap = parquet({"path": paths, "label": [1.0, None, float("nan"), 2.0]})
    assert "2 of 4 rows cannot be used. 2 without a label: row 1, row 2." in refused(gap)
    assert "t.parquet holds pictures themselves; expected" in refused(parquet({"image": [b"x"], "label": ["a"]}))
    Path("t.parquet").write_bytes(b"PAR1 no table")
    assert "t.parquet is no Parquet file" in refused("t.parquet")


def test_columns_are_named() -> None:
    rows = [("p/1.png", "a", "cat", "x", "train"), ("p/2.png", "b", "dog", "y", "test")]
    name = table(rows, "where label species patient part")
    arguments = {"path": "where", "label": "species", "split": "part", "group": "patient"}
    source = TableOfPictures(name, **arguments, class_names=["dog", "cat"])
    assert source.classes == ("dog", "cat") and found(source) == [("p/1.png", "cat")]
    assert source.train().groups == ["x"] and source.test().groups == ["y"]
    assert "which column has the path? It has where, label, species, patient, part: --data.source.path" in refused(name)
    assert "--data.source.group paitent: t.csv has no such column. Did you mean patient?" in refused(
        name, path="where", group="paitent"
    )


def test_without_a_column_for_it_all_pictures_are_for_training() -> None:
    source = TableOfPictures(table([row[:2] for row in ROWS], "path class"))
    assert len(found(source)) == 4 and not source.has_validation and not source.has_test
    assert source.train().groups is None


def test_numbers_are_names_or_places() -> None:
    rows = [("p/1.png", 10), ("p/2.png", 2), ("p/3.png", 0)]
    assert TableOfPictures(table(rows, "path label")).classes == ("0", "2", "10")
    source = TableOfPictures(table([*rows[1:]], "path label"), class_names=["a", "b", "c"])
    assert found(source) == [("p/2.png", "c"), ("p/3.png", "a")] and source.classes == ("a", "b", "c")
    assert "these labels are not in --data.source.class_names: 10." in refused(
        table(rows, "path label"), class_names=["a", "b", "c"]
    )


def test_files_lie_beside_the_table_or_where_it_is_said() -> None:
    Path("tables").mkdir()
    absolute = str(Path("p/1.png").absolute())
    name = table([("p/2.png", "a"), (absolute, "b"), ("./p/../p/3.png", "b")], "path label", "tables/t.csv")
    assert "1 outside tables/ (--data.source.folder names another): row 3" in refused(name)
    source = TableOfPictures(name, folder=".")
    assert found(source) == [("p/2.png", "a"), ("p/1.png", "b"), ("p/3.png", "b")]
    assert source.train().images.picture(1) == Path("p/1.png")  # type: ignore[union-attr]
    assert "--data.source.folder nowhere: there is no such folder." in refused(name, folder="nowhere")


def test_a_picture_that_is_listed_twice_is_taken_once() -> None:
    assert len(found(TableOfPictures(table([*ROWS, ROWS[0], ("./p/2.png", "dog", "training")])))) == 2


def test_one_error_names_all_rows_that_cannot_be_used() -> None:
    bad = [
        ("p/1.png", "dog", "train"),  # row 6
        ("p/9.png", "cat", "train"),
        ("p/\x1b9.png", "cat", "train"),
        ("p/3.png", "", "train"),
        ("", "", "train"),
        ("p/4.png", "dog", "train"),  # row 11
        ("p/4.png", "dog", "never"),
        ("../secret.png", "cat", "train"),
        *[(f"p/{number}.png", "cat", "train") for number in range(100, 110)],
        ("nul\0.png", "cat", "train"),
    ]
    message = refused(table([*ROWS, *bad]))
    assert message.startswith("t.csv: 19 of 23 rows cannot be used. ")
    for words in (
        "2 that say something else of a file than a row before: rows 3, 6: p/1.png, rows 5, 11: p/4.png",
        "13 whose files are not in ./ (--data.source.folder names another): row 7: p/9.png, row 8: p/\\x1b9.png, ",
        "row 14: p/100.png and 10 more",
        "1 without a label: row 9",
        "1 without a path and a label: row 10",
        "1 for another part than train, val or test: row 12: never",
        "1 outside ./ (--data.source.folder names another): row 13: ../secret.png",
    ):
        assert words in message


def test_files_that_are_no_tables() -> None:
    Path("empty.csv").touch()
    Path("blank.csv").write_text(" \n\n")
    Path("latin.csv").write_bytes("path,label\np/1.png,Käse\n".encode("latin-1"))
    Path("quote.csv").write_text('path,label\n"p/1.png,a\n')
    Path("short.csv").write_text("path,label\np/1.png\np/2.png,a,b\n\np/3.png,a\n")
    Path("twice.csv").write_text("path,label,label\n")
    Path("test.csv").write_text("path,label,split\np/1.png,a,test\n")
    Path("one.csv").write_text("path,label\np/1.png,a\n")
    Path("other.csv").write_text("path,label,split\np/1.png,a,train\np/2.png,b,train\np/3.png,c,test\n")
    for name, words in {
        "empty.csv": "empty.csv is empty; expected a table",
        "blank.csv": "blank.csv is empty; expected a table",
        "latin.csv": "latin.csv is no text in UTF-8; save it anew",
        "quote.csv": "quote.csv is no table of CSV: unexpected end of data",
        "short.csv": "short.csv: 2 rows do not have 2 values, as the first has: line 2, 3.",
        "twice.csv": "twice.csv has several columns that are called 'label'",
        "test.csv": "test.csv has no pictures to train on",
        "one.csv": "one.csv has one class alone, a",
        "other.csv": "other.csv: these labels are on no training picture: c.",
        "tset.csv": "Did you mean test.csv or",
        "p": "--data.root p is a folder. Name a table, as .csv, .tsv or .parquet; folders: --data.source folder",
        "p/1.png": "--data.root p/1.png is no table: expected .csv, .tsv, .parquet.",
    }.items():
        assert words in refused(name)


def test_groups_stay_together() -> None:
    rows = []
    for number in range(24):
        Image.new("L", (8, 8), 10 * number).save(f"p/{number}.png")
        rows.append((f"p/{number}.png", number // 12, f"g{number // 3}"))
    choice = {"class_path": "table", "init_args": {"class_names": ["dark", "bright"]}}
    data = ImageData(source=choice, root=table(rows, "path label group"), val_fraction=0.25)  # type: ignore[arg-type]
    data.setup("fit")
    assert data.classes == ["dark", "bright"] and data.image_shape == (1, 8, 8)
    parts = {name: {int(row) // 3 for row in data.parts[name].rows} for name in ("train", "val")}
    assert len(parts["val"]) == 2 and not parts["train"] & parts["val"]
    for name, (images, labels) in data.sets.items():
        values = images[: len(labels)][:, 0, 0, 0]
        assert (values // 120).tolist() == labels.tolist()
        assert data.parts[name].names() == [f"p/{value // 10}.png" for value in values.tolist()]
