"""Tables of texts, from CSV, TSV and Parquet files."""

import csv
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from plcnn.errors import UserError
from plcnn.files import reason
from plcnn.terminal import printable

PARQUET = ".parquet"
SUFFIXES = (".csv", ".tsv", PARQUET)


class Table(NamedTuple):
    """Some columns of a table.

    Attributes:
        columns: for each column, its values as texts; an empty one is missing.
        rows: what each row is called: the line of a CSV file that it ends on, from 1, or a number of Parquet's, from 0.
    """

    columns: dict[str, list[str]]
    rows: Sequence[int]


def column_names(path: Path) -> list[str]:
    """The names of a table's columns.

    Raises:
        UserError: if the file cannot be read or is no table, or two columns have one name.
    """
    names = _parquet(path).schema_arrow.names if _is_parquet(path) else _csv_names(path)
    names = [name.strip() for name in names]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise UserError(f"{printable(path)} has several columns that are called {printable(twice[0]) or 'nothing'!r}.")
    return names


def read_columns(path: Path, names: Sequence[str]) -> Table:
    """Read columns of a table.

    Args:
        path: the file.
        names: of the columns, as `column_names` gives them.

    Raises:
        UserError: if the file cannot be read, or rows have too many or too few values.
    """
    return _read_parquet(path, names) if _is_parquet(path) else _read_csv(path, names)


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() == PARQUET


def _csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """All rows that are not blank, the header first, each with the line it ends on."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            rows = csv.reader(file, delimiter=_delimiter(path, first), strict=True)
            yield from ((rows.line_num, row) for row in rows if any(value.strip() for value in row))
    except OSError as error:
        raise UserError(f"cannot read {printable(path)}: {reason(error)}.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{printable(path)} is no text in UTF-8; save it anew as CSV in UTF-8.") from error
    except csv.Error as error:
        raise UserError(f"{printable(path)} is no table of CSV: {error}.") from error


def _delimiter(path: Path, first: str) -> str:
    """What parts the values: a tab in TSV files; in CSV files a comma, or what spreadsheets of some languages write."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    return max(",;\t", key=first.count)


def _csv_names(path: Path) -> list[str]:
    for _, header in _csv_rows(path):
        return header
    raise UserError(f"{printable(path)} is empty; expected a table whose first row names its columns.")


def _read_csv(path: Path, names: Sequence[str]) -> Table:
    (_, header), *rows = _csv_rows(path)
    if odd := [line for line, row in rows if len(row) != len(header)]:
        raise UserError(
            f"{printable(path)}: {len(odd):,} rows do not have {len(header)} values, as the first has: line"
            f" {', '.join(map(str, odd[:3]))}{' ...' if len(odd) > 3 else ''}."
        )
    places = {name.strip(): place for place, name in enumerate(header)}
    return Table({name: [row[places[name]].strip() for _, row in rows] for name in names}, [line for line, _ in rows])


def _parquet(path: Path) -> Any:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise UserError(f"{printable(path)} needs an optional package: pip install 'plcnn[parquet]'") from error
    try:
        return parquet.ParquetFile(path)
    except (OSError, ArrowException) as error:
        raise UserError(f"{printable(path)} is no Parquet file, or a broken one: {printable(error)}.") from error


def _read_parquet(path: Path, names: Sequence[str]) -> Table:
    from pyarrow import ArrowException

    file = _parquet(path)
    original = {name.strip(): name for name in file.schema_arrow.names}
    try:
        table = file.read([original[name] for name in names])
        columns = {name: [_text(value) for value in table[original[name]].to_pylist()] for name in names}
    except (OSError, ArrowException) as error:
        raise UserError(f"{printable(path)} is a broken Parquet file: {printable(error)}.") from error
    except TypeError as error:
        raise UserError(f"{printable(path)} holds {error}; expected names of files and classes.") from error
    return Table(columns, range(table.num_rows))


def _text(value: Any) -> str:
    """A value as text: whole floats as whole numbers, since columns of integers with gaps become floats."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bytes | dict | list):
        raise TypeError("pictures themselves" if isinstance(value, bytes | dict) else "lists")
    return str(int(value) if isinstance(value, float) and value.is_integer() else value).strip()
