"""The columns of a file of how right networks are at other lengths, resolutions and strides, which the grid writes beside its results.

It has lines for each run of a task that asks for them, on the test clips of its line of the results. Pages read it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from adastride.tables import lines_text, read_lines

FILE = "lengths.csv"


@dataclass(frozen=True)
class LengthPoint:
    """How often a run is right about clips of one length, at one resolution and stride.

    seconds: of what was cut out of each clip, 0 for whole clips; shorter clips are as they are. resolution: the frame shift over the
    network's own (ElasticAST's C). stride: of the layer in front of the patches, 0 for as trained. accuracy: the share of clips,
    a clip counting as the share of its parts that are right; low, high: its 95 % interval by bootstrap over clips. clips: how many.
    tokens, multiply_adds: that a transformer works on for a part, the mean over parts, and those of its blocks in millions; 0 for a network
    without tokens.
    """

    run: str
    seconds: float
    resolution: float
    stride: float
    accuracy: float
    low: float
    high: float
    clips: int
    tokens: float = 0.0
    multiply_adds: float = 0.0


def read_points(path: str | Path) -> list[LengthPoint]:
    """The lines of a file; none where there is none. Raises ValueError, one sentence, for any other file."""

    def valid(line: LengthPoint) -> bool:
        shares = 0 <= line.low <= line.accuracy <= line.high <= 1
        return shares and min(line.seconds, line.stride, line.tokens, line.multiply_adds) >= 0 and line.resolution > 0 and line.clips >= 1

    return read_lines(path, LengthPoint, valid, "how right networks are at other lengths", "python -m adastride grid")


def points_text(points: Iterable[LengthPoint]) -> str:
    """The lines as a file.

    >>> print(points_text([LengthPoint("a", 2.0, 1.0, 0.0, 0.9, 0.85, 0.94, 156, 96.0, 12.5)]), end="")
    run,seconds,resolution,stride,accuracy,low,high,clips,tokens,multiply_adds
    a,2.0,1.0,0.0,0.9,0.85,0.94,156,96.0,12.5
    """
    return lines_text(LengthPoint, points)
