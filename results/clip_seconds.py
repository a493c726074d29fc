"""Writes how long the clips of data sets are into clip_seconds.csv, for which the Length page works out what padding costs.

    python -m results.clip_seconds DATA_ROOT [SOURCE ...] [--out FILE]

DATA_ROOT holds a folder for each data set. SOURCE is the name of one; speakers, fsdd, esc10 and commands where none is given. Of a data
set of more than 1 100 clips so many are drawn at random, the same every time. Lengths are read from the sound files, not from a manifest.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

import soundfile

from adastride.clip_seconds import FILE, MOST_CLIPS, ClipSeconds, seconds_text
from adastride.clips import DataError
from adastride.files import write_atomically
from adastride.training.datasets import Row, Source

OUT = Path(__file__).resolve().parent / FILE
SOURCES = ("speakers", "fsdd", "esc10", "commands")


def clip_seconds(folder: Path) -> list[ClipSeconds]:
    """How long the clips of a data set are, in their order. Raises DataError for a folder or a sound file that can't be read."""
    rows = Source(folder, label="speaker" if folder.name == "speakers" else "label").rows()
    if len(rows) > MOST_CLIPS:
        chosen = sorted(random.Random(0).sample(range(len(rows)), MOST_CLIPS))
        rows = [rows[place] for place in chosen]
    return [ClipSeconds(folder.name, row.split, round(_seconds(folder, row), 3)) for row in rows]


def _seconds(folder: Path, row: Row) -> float:
    if row.seconds is not None:
        return row.seconds
    path = folder / row.path
    try:
        return float(soundfile.info(path).duration)
    except (OSError, soundfile.SoundFileError) as error:
        raise DataError(f"{path} can't be read as a sound file ({error}): name a folder whose sounds are there.") from None


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m results.clip_seconds", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data_root", type=Path)
    parser.add_argument("sources", nargs="*", default=SOURCES)
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args(arguments)
    try:
        lines = [line for source in args.sources for line in clip_seconds(args.data_root / source)]
    except DataError as error:
        raise SystemExit(str(error)) from None
    write_atomically(args.out, seconds_text(lines).encode())
    for source in args.sources:
        seconds = sorted(line.seconds for line in lines if line.source == source)
        print(f"{source}: {len(seconds):,} clips, {seconds[0]:g} to {seconds[-1]:g} s, median {seconds[len(seconds) // 2]:g} s")


if __name__ == "__main__":
    main()
