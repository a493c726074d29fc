"""The columns of a file of errors by speaker, which the grid writes beside its results and the Results page reads.

It has lines for each run whose answers are texts, and for answers that need no network (`BASELINES`), on the same clips.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from adastride.tables import lines_text, read_lines

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


def baseline_run(task: str, fold: str | None, baseline: str) -> str:
    """The name under which the lines of a baseline stand.

    >>> baseline_run("phonemes", None, "empty")
    'phonemes-baseline-empty'
    """
    return f"{task}{'' if fold is None else f'={fold}'}-baseline-{baseline}"


def read_counts(path: str | Path) -> list[SpeakerCount]:
    """The lines of a file; none where there is none. Raises ValueError, one sentence, for any other file."""

    def valid(line: SpeakerCount) -> bool:
        return min(line.clips - 1, line.errors, line.units) >= 0

    return read_lines(path, SpeakerCount, valid, "errors by speaker", "python -m adastride grid")


def counts_text(counts: Iterable[SpeakerCount]) -> str:
    """The lines as a file.

    >>> print(counts_text([SpeakerCount("a", "speech", "test-other", "367", "", 10, 3, 120, "words")]), end="")
    run,source,part,speaker,clip,clips,errors,units,unit
    a,speech,test-other,367,,10,3,120,words
    """
    return lines_text(SpeakerCount, counts)
