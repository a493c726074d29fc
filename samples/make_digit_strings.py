"""Makes a folder of spoken digits to train recognisers of connected digits on, with strings of them to choose by and to test.

The train split are single digits cut close, to be put together while training (the preset "strings"). The valid and test splits
are strings of 1 to 7 digits, made of recordings that the train split does not have:

- fsdd: recordings of the Free Spoken Digit Dataset's six people, who are in every split
- commands: people of Speech Commands, none of whom is in two splits
- voices: espeak-ng voices, none of which is in two splits
- uncut: what such a voice of the split says when it reads a whole string, with nothing cut

samples/make_word_strings.py makes the same of digits and commands with what is here.

Usage: python samples/make_digit_strings.py build/digit-strings [DATA_ROOT]        (needs the program espeak-ng)
"""

from __future__ import annotations

import csv
import os
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import soundfile
import torch
import torchaudio
from make_spoken_digits import ACCENTS, VARIANTS, WORDS, speak

from adastride.clips import SEVERAL
from adastride.training.data import place_in_silence

RATE = 16_000
STRINGS = {
    "valid": {"fsdd": 80, "commands": 50, "voices": 50, "uncut": 40},
    "test": {"fsdd": 150, "commands": 100, "voices": 100, "uncut": 100},
}
Word = tuple[str, str, np.ndarray]  # the word, its speaker, samples
Member = TypeVar("Member")


@dataclass(frozen=True)
class WordSet:
    """Which strings are made. title, script: what the folder's README.md says that they are and what made them. words: its vocabulary.

    evenly: whether every word that a source has is as frequent as any other in its strings, or every recording.
    """

    title: str
    script: str
    words: tuple[str, ...]
    evenly: bool


DIGITS = WordSet("Connected digits", "make_digit_strings.py", WORDS, evenly=False)


def words(split: str, data_root: Path, vocabulary: tuple[str, ...]) -> dict[str, list[Word]]:
    """The single words of a split that are in the vocabulary, by source."""
    chance = random.Random(split)
    found: dict[str, list[Word]] = {"fsdd": [], "commands": [], "voices": []}
    for name, column in (("fsdd", "label"), ("commands", "word")):
        for row in csv.DictReader((data_root / name / "manifest.csv").open(encoding="utf-8")):
            word = WORDS[int(row[column])] if row[column].isdecimal() else row[column]
            if row["split"] == split and word in vocabulary:
                spoken = _cut(*soundfile.read(data_root / name / row["path"], dtype="float32"))
                found[name].append((word, f"{name} {row['speaker']}", spoken))
    for variant in VARIANTS[split]:
        for accent in ACCENTS:
            for word in vocabulary:
                spoken = _cut(*speak(word, f"{accent}+{variant}", chance.randint(110, 210), chance.randint(20, 80)))
                found["voices"].append((word, f"{accent}+{variant}", spoken))
    return found


def _cut(samples: np.ndarray, rate: int) -> np.ndarray:
    """A recording at 16 kHz without the silence at its ends, its largest sample at 0.7."""
    samples = torchaudio.functional.resample(torch.from_numpy(samples), rate, RATE).numpy()
    energy = np.sqrt(np.convolve(samples**2, np.ones(320) / 320, "same"))
    loud = np.flatnonzero(energy > 0.04 * energy.max())
    samples = samples[max(0, loud[0] - 480) : loud[-1] + 960]
    return samples * np.float32(0.7 / np.abs(samples).max())


def string(found: list[Word], evenly: bool, generator: np.random.Generator) -> tuple[str, str, np.ndarray]:
    """A string of 1 to 7 words, with gaps of 0 to 1 s between them, of one speaker where that speaker said every word of the source."""
    count = int(generator.integers(1, 8))
    speaker = _one(found, generator)[1]
    own = [word for word in found if word[1] == speaker]
    own = own if {word[0] for word in own} == {word[0] for word in found} else found
    pools = [[word for word in own if word[0] == name] for name in sorted({word[0] for word in own})] if evenly else [own]
    chosen = [_one(_one(pools, generator), generator) for _ in range(count)]
    parts = [np.zeros(int(RATE * generator.uniform(0.05, 0.3)), np.float32)]
    for word in chosen:
        parts += [word[2] * np.float32(generator.uniform(0.6, 1.0)), np.zeros(int(RATE * generator.random() ** 2), np.float32)]
    return " ".join(word[0] for word in chosen), speaker if len(own) < len(found) else SEVERAL, _noisy(np.concatenate(parts), generator)


def uncut(split: str, vocabulary: tuple[str, ...], generator: np.random.Generator) -> tuple[str, str, np.ndarray]:
    """A string of 3 to 7 words that a voice of the split reads as a whole."""
    text = " ".join(_one(vocabulary, generator) for _ in range(int(generator.integers(3, 8))))
    voice = f"{_one(ACCENTS, generator)}+{_one(VARIANTS[split], generator)}"
    spoken = _cut(*speak(text, voice, int(generator.integers(110, 170)), int(generator.integers(25, 76))))
    return text, voice, _noisy(np.pad(spoken, (1600, 3200)), generator)


def _one(members: Sequence[Member], generator: np.random.Generator) -> Member:
    return members[int(generator.integers(len(members)))]


def _noisy(samples: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    return place_in_silence(samples, samples.size, 0, generator.uniform(15, 40), generator)


def make(folder: Path, data_root: Path, word_set: WordSet) -> None:
    """Writes manifest, README.md and audio. data_root: where the data sets fsdd and commands lie."""
    (folder / "audio").mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, object]] = []

    def write(name: str, samples: np.ndarray, text: str, speaker: str, source: str, split: str) -> None:
        soundfile.write(folder / "audio" / name, samples, RATE)
        rows.append({"path": f"audio/{name}", "text": text, "speaker": speaker, "source": source, "split": split})

    for source, members in words("train", data_root, word_set.words).items():
        for number, (word, speaker, samples) in enumerate(members):
            write(f"{source}-{number:04d}.flac", samples, word, speaker, source, "train")
    for split, counts in STRINGS.items():
        found, generator = words(split, data_root, word_set.words), np.random.default_rng(list(split.encode()))
        for source, count in counts.items():
            for number in range(count):
                if source == "uncut":
                    text, speaker, samples = uncut(split, word_set.words, generator)
                else:
                    text, speaker, samples = string(found[source], word_set.evenly, generator)
                write(f"{split}-{source}-{number:03d}.flac", samples, text, speaker, source, split)
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (folder / "README.md").write_text(
        f"# {word_set.title}\nMade by samples/{word_set.script} of the Free Spoken Digit Dataset, Speech Commands and espeak-ng voices. "
        "Licence: CC BY-SA 4.0 (Free Spoken Digit Dataset, Zohar Jackson and others) and CC BY 4.0 (Speech Commands, Pete Warden).\n",
        encoding="utf-8",
    )
    print(f"{len(rows)} clips in {folder}")


def main(word_set: WordSet, usage: str | None) -> None:
    """Makes the folder that the command line names, or ends with the usage."""
    if len(sys.argv) not in (2, 3):
        sys.exit(usage)
    make(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) == 3 else os.environ.get("ADASTRIDE_DATA") or "../shared/data"), word_set)


if __name__ == "__main__":
    main(DIGITS, __doc__)
