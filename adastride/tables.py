"""CSV files as spreadsheets open them: a text in a cell stays a text, whoever wrote it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

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
