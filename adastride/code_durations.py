"""The columns of a file of how long codes last, which the grid writes beside its results and the Results page reads.

It has lines for each run whose answers are codes, on the test clips of its line of the results.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from adastride.tables import csv_text, own_text

FILE = "durations.csv"


@dataclass(frozen=True)
class DurationCount:
    """How often a run's codes last so long. Equal codes beside each other count as one.

    codes: how many the codebook has. frames: input frames of the network. count: how often.
    """

    run: str
    codes: int
    frames: int
    count: int


COLUMNS = tuple(column.name for column in fields(DurationCount))


def read_durations(path: str | Path) -> list[DurationCount]:
    """The lines of a file; none where there is none. Raises ValueError, one sentence, for any other file."""
    path = Path(path)
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, strict=True)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise ValueError
            return [_count(row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error, ValueError, TypeError):
        wrong = "is no file of how long codes last of this version"
        raise ValueError(f"{path} {wrong}: move it away and run python -m adastride grid again.") from None


def _count(row: dict[str, str]) -> DurationCount:
    if None in row or None in row.values():  # another number of cells
        raise ValueError
    count = DurationCount(own_text(row["run"]), *(int(row[name]) for name in COLUMNS[1:]))
    if min(count.codes, count.frames, count.count) < 1:
        raise ValueError
    return count


def durations_text(counts: Iterable[DurationCount]) -> str:
    """The lines as a file.

    >>> print(durations_text([DurationCount("a", 512, 8, 120)]), end="")
    run,codes,frames,count
    a,512,8,120
    """
    return csv_text([COLUMNS, *map(astuple, counts)])
