"""The columns of a file of what recognisers understand of sounds: `python -m results.intelligibility` writes it, and it is read for pages.

It has a line for each clip, each sound that was made of it, and each listener.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from adastride.tables import csv_text, own_text

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
_NUMBERS = ("errors", "units")


def read_heard(path: str | Path) -> list[Heard]:
    """The lines of a file; none where there is none. Raises ValueError, one sentence, for any other file."""
    path = Path(path)
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, strict=True)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise ValueError
            return [_heard(row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error, ValueError, TypeError):
        wrong = "is no file of what recognisers understand of this version"
        raise ValueError(f"{path} {wrong}: move it away and run python -m results.intelligibility again.") from None


def _heard(row: dict[str, str]) -> Heard:
    if None in row or None in row.values():  # another number of cells
        raise ValueError
    cells: dict[str, Any] = {name: int(cell) if name in _NUMBERS else own_text(cell) for name, cell in row.items()}
    heard = Heard(**cells)
    if min(heard.errors, heard.units) < 0:
        raise ValueError
    return heard


def heard_text(lines: Iterable[Heard]) -> str:
    """The lines as a file.

    >>> print(heard_text([Heard("mel", "", "pocketsphinx", "5.1.1", "voice", "lj", "audio/1.ogg", 3, 12, "words")]), end="")
    sound,sound_weights,listener,listener_weights,source,speaker,clip,errors,units,unit
    mel,,pocketsphinx,5.1.1,voice,lj,audio/1.ogg,3,12,words
    """
    return csv_text([COLUMNS, *map(astuple, lines)])
