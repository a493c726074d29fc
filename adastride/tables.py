"""CSV files as spreadsheets open them: a text in a cell stays a text, whoever wrote it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import astuple, fields
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, get_type_hints

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Line = TypeVar("Line", bound="DataclassInstance")

# A spreadsheet takes a cell that begins with one of these for a formula, and a formula may fetch and send things. Some split a
# cell at a tab or a line first; letters of full width count as narrow ones.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    r"""Rows of cells as a CSV file; lines end with a line feed. Numbers stay numbers, also those that are written out already, and a
    text that a spreadsheet would run gets an apostrophe in front, which says there that it is a text.

    >>> csv_text([("label", "change"), ("=1+1", "+1.5"), ("-seven", -2)])
    "label,change\n'=1+1,+1.5\n'-seven,-2\n"
    """
    return "".join(_line(row) for row in rows)


def own_text(cell: str) -> str:
    """The text that `csv_text` has written as this cell.

    >>> own_text("'=1+1"), own_text("'tis")
    ('=1+1', "'tis")
    """
    return cell[1:] if cell.startswith("'") and _harmless(cell[1:]) == cell else cell


def lines_text(kind: type[Line], lines: Iterable[Line]) -> str:
    """Dataclasses of texts and numbers as a CSV file, whose columns are their fields."""
    return csv_text([tuple(column.name for column in fields(kind)), *map(astuple, lines)])


def read_lines(path: str | Path, kind: type[Line], valid: Callable[[Line], bool], holds: str, command: str) -> list[Line]:
    """The lines of a file that `lines_text` wrote; none where there is no file.

    valid: whether a line's numbers can be. holds: what the file holds, and command what writes it, for the sentence of the ValueError
    that any other file raises.
    """
    path = Path(path)
    if not path.exists():
        return []
    types = get_type_hints(kind)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, strict=True)
            rows = list(reader)
            # Another number of cells stands under the name None, or is None.
            if tuple(reader.fieldnames or ()) != tuple(types) or any(None in row or None in row.values() for row in rows):
                raise ValueError
            convert: dict[object, Callable[[str], object]] = {int: int, float: float}
            lines = [kind(**{name: convert.get(types[name], own_text)(cell) for name, cell in row.items()}) for row in rows]
            if not all(map(valid, lines)):
                raise ValueError
            return lines
    except (OSError, UnicodeDecodeError, csv.Error, ValueError):
        raise ValueError(f"{path} is no file of {holds} of this version: move it away and run {command} again.") from None


def _line(row: Iterable[object]) -> str:
    text = io.StringIO(newline="")
    # With these two letters at the end of a line, a cell that has one of them is quoted.
    csv.writer(text, lineterminator="\r\n").writerow([_harmless(cell) for cell in row])
    return text.getvalue().removesuffix("\r\n") + "\n"


def _harmless(cell: object) -> object:
    if not isinstance(cell, str) or not cell.startswith(_FORMULA):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell.strip()
