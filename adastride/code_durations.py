"""The columns of a file of how long codes last, which the grid writes beside its results and the Results page reads.

It has lines for each run whose answers are codes, on the test clips of its line of the results.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from adastride.tables import lines_text, read_lines

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


def read_durations(path: str | Path) -> list[DurationCount]:
    """The lines of a file; none where there is none. Raises ValueError, one sentence, for any other file."""

    def valid(line: DurationCount) -> bool:
        return min(line.codes, line.frames, line.count) >= 1

    return read_lines(path, DurationCount, valid, "how long codes last", "python -m adastride grid")


def durations_text(counts: Iterable[DurationCount]) -> str:
    """The lines as a file.

    >>> print(durations_text([DurationCount("a", 512, 8, 120)]), end="")
    run,codes,frames,count
    a,512,8,120
    """
    return lines_text(DurationCount, counts)
