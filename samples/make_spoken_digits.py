"""Makes a folder of digits spoken by espeak-ng, to be mixed into the training of the digits model.

The recordings of the Free Spoken Digit Dataset are six people at 8 kHz; synthetic voices add accents, pitches, speeds
and the band above 4 kHz. Voices of the test split take part in no other split.

Usage: python samples/make_spoken_digits.py build/spoken-digits   (needs the program espeak-ng)
"""

from __future__ import annotations

import csv
import io
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ACCENTS = ("en", "en-us", "en-gb-scotland", "en-gb-x-rp", "en-029", "en-gb-x-gbclan")
VARIANTS = {
    "train": ("m1", "m2", "m3", "m5", "m6", "m8", "f1", "f3", "f4", "whisper", "Andrea", "Denis"),
    "valid": ("m7", "f5"),
    "test": ("m4", "f2"),
}


def speak(text: str, voice: str, words_per_minute: int = 150, pitch: int = 50) -> tuple[np.ndarray, int]:
    """What espeak-ng says: mono float32 samples (n,), trimmed of silence at both ends, and their rate in Hz."""
    command = ["espeak-ng", "-v", voice, "-s", str(words_per_minute), "-p", str(pitch), "--stdout", text]
    wav = subprocess.run(command, check=True, capture_output=True).stdout
    samples, rate = soundfile.read(io.BytesIO(wav), dtype="float32")
    loud = np.flatnonzero(np.abs(samples) > 0.01 * np.abs(samples).max())
    return samples[loud[0] : loud[-1] + 1], rate


def main(folder: Path) -> None:
    (folder / "audio").mkdir(parents=True, exist_ok=True)
    chance = random.Random(0)
    rows = []
    for split, variants in VARIANTS.items():
        for variant in variants:
            for accent in ACCENTS:
                for digit, word in enumerate(WORDS):
                    samples, rate = speak(word, f"{accent}+{variant}", chance.randint(100, 210), chance.randint(20, 80))
                    path = f"audio/{digit}_{accent}_{variant}.flac"
                    soundfile.write(folder / path, samples * (0.7 / np.abs(samples).max()), rate)
                    rows.append({"path": path, "label": digit, "speaker": f"{accent}+{variant}", "split": split})
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["path", "label", "speaker", "split"])
        writer.writeheader()
        writer.writerows(rows)
    print(f"{len(rows)} clips in {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
