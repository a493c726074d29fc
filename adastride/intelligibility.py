"""The columns of a file of what recognisers understand of sounds: `python -m results.intelligibility` writes it, and it is read for pages.

It has a line for each clip, each sound that was made of it, and each listener.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

from adastride.tables import lines_text, read_lines

FILE = "intelligibility.csv"
# Sounds that no network has made, by the word that stands for them in the file.
BASELINES = {"original": "The recording", "mel": "Sound of its mel, by Griffin and Lim's method"}


@dataclass(frozen=True)
class Heard:
    """What a listener understood of one sound.

    sound: one of `BASELINES`, or the name of the codec that has made it. sound_weights: the beginning of the codec's fingerprint, "" for
    what no network has made. listener: "pocketsphinx", or the name of a recogniser. listener_weights: its version, or the beginning of its
    fingerprint. source: the name of the data's folder. speaker: who says the clip, "" for somebody unknown. clip: its path in the folder.
    errors: insertions, deletions and substitutions. units: how many words or phonemes are said. unit: which of them.
    """

    sound: str
    sound_weights: str
    listener: str
    listener_weights: str
    source: str
    speaker: str
    clip: str
    errors: int
    units: int
    unit: str


COLUMNS = tuple(column.name for column in fields(Heard))


def read_heard(path: str | Path) -> list[Heard]:
    """The lines of a file; none where there is none. Raises ValueError, one sentence, for any other file."""

    def valid(line: Heard) -> bool:
        return min(line.errors, line.units) >= 0

    return read_lines(path, Heard, valid, "what recognisers understand", "python -m results.intelligibility")


def heard_text(lines: Iterable[Heard]) -> str:
    """The lines as a file.

    >>> print(heard_text([Heard("mel", "", "pocketsphinx", "5.1.1", "voice", "lj", "audio/1.ogg", 3, 12, "words")]), end="")
    sound,sound_weights,listener,listener_weights,source,speaker,clip,errors,units,unit
    mel,,pocketsphinx,5.1.1,voice,lj,audio/1.ogg,3,12,words
    """
    return lines_text(Heard, lines)
