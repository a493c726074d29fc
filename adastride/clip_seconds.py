"""The columns of a file of how long the clips of data sets are: `python -m results.clip_seconds` writes it, and it is read for pages.

It has a line for each clip of a small data set, and for `MOST_CLIPS` of a larger one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from adastride.tables import lines_text, read_lines

FILE = "clip_seconds.csv"
MOST_CLIPS = 1100  # of a data set; of one with more, so many are drawn at random


@dataclass(frozen=True)
class ClipSeconds:
    """How long a clip is. source: the name of the data's folder. split: train, valid or test."""

    source: str
    split: str
    seconds: float


def read_seconds(path: str | Path) -> list[ClipSeconds]:
    """The lines of a file; none where there is none. Raises ValueError, one sentence, for any other file."""

    def valid(line: ClipSeconds) -> bool:
        return bool(line.source) and 0 < line.seconds <= 3600

    return read_lines(path, ClipSeconds, valid, "how long clips are", "python -m results.clip_seconds")


def seconds_text(lines: Iterable[ClipSeconds]) -> str:
    """The lines as a file.

    >>> print(seconds_text([ClipSeconds("speakers", "train", 5.855)]), end="")
    source,split,seconds
    speakers,train,5.855
    """
    return lines_text(ClipSeconds, lines)
