"""The columns of a file of errors by speaker, which the grid writes beside its results and the Results page reads.

It has lines for each run whose answers are texts, and for answers that need no network (`BASELINES`), on the same clips.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from adastride.tables import csv_text, own_text

FILE = "speakers.csv"
# What can be answered without listening, by the word that stands for it in a run's name.
BASELINES = {"empty": "Always empty", "frequent": "The most frequent unit alone"}


@dataclass(frozen=True)
class SpeakerCount:
    """Errors of a run in the test clips of one speaker and one part of the data.

    source: the folder's name. part: `Clip.part`. speaker, clip: clips that are of one speaker are counted together under its name;
    a clip of several or of somebody unknown has a line of its own, with "" for a speaker and its path as clip, and "" is the clip of
    the others. errors: insertions, deletions and substitutions. units: how many words, characters or phonemes were said. unit: which of
    them.
    """

    run: str
    source: str
    part: str
    speaker: str
    clip: str
    clips: int
    errors: int
    units: int
    unit: str

    @property
    def cluster(self) -> tuple[str, str, str]:
        """What is sampled as one: lines of the same speaker in several parts of a folder have the same."""
        return self.source, self.speaker, self.clip


COLUMNS = tuple(column.name for column in fields(SpeakerCount))
_NUMBERS = ("clips", "errors", "units")


def baseline_run(task: str, fold: str | None, baseline: str) -> str:
    """The name under which the lines of a baseline stand.

    >>> baseline_run("phonemes", None, "empty")
    'phonemes-baseline-empty'
    """
    return f"{task}{'' if fold is None else f'={fold}'}-baseline-{baseline}"


def read_counts(path: str | Path) -> list[SpeakerCount]:
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
        wrong = "is no file of errors by speaker of this version"
        raise ValueError(f"{path} {wrong}: move it away and run python -m adastride grid again.") from None


def _count(row: dict[str, str]) -> SpeakerCount:
    if None in row or None in row.values():  # another number of cells
        raise ValueError
    cells: dict[str, Any] = {name: int(cell) if name in _NUMBERS else own_text(cell) for name, cell in row.items()}
    count = SpeakerCount(**cells)
    if min(count.clips - 1, count.errors, count.units) < 0:
        raise ValueError
    return count


def counts_text(counts: Iterable[SpeakerCount]) -> str:
    """The lines as a file.

    >>> print(counts_text([SpeakerCount("a", "speech", "test-other", "367", "", 10, 3, 120, "words")]), end="")
    run,source,part,speaker,clip,clips,errors,units,unit
    a,speech,test-other,367,,10,3,120,words
    """
    return csv_text([COLUMNS, *map(astuple, counts)])
