"""Makes a folder of digits spoken by espeak-ng, to be mixed into the training of the digits model.

The recordings of the Free Spoken Digit Dataset are six people at 8 kHz; synthetic voices add accents, pitches, speeds
and the band above 4 kHz. Voices of the test split take part in no other split.

Usage: python samples/make_spoken_digits.py build/spoken-digits        (needs the program espeak-ng)
       python samples/make_spoken_digits.py samples/spoken-digits.zip  (the labelled clips that come with the app)
"""

from __future__ import annotations

import csv
import io
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import soundfile
import torch
import torchaudio

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
    (folder / "manifest.csv").write_text(manifest(rows), encoding="utf-8", newline="")
    print(f"{len(rows)} clips in {folder}")


def manifest(rows: list[dict]) -> str:
    """A manifest.csv of clips."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, ["path", "label", "speaker", "split"])
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def bundle(target: Path) -> None:
    """Writes the zip that comes with the app: every digit in eight voices of the test split, each in noise 40 dB below it and with
    silence around it, at 16 kHz."""
    chance, noise, rows = random.Random(1), np.random.default_rng(1), []
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for accent in ACCENTS[:4]:
            for variant in VARIANTS["test"]:
                for digit, word in enumerate(WORDS):
                    spoken, rate = speak(word, f"{accent}+{variant}", chance.randint(110, 200), chance.randint(25, 75))
                    spoken = torchaudio.functional.resample(torch.from_numpy(spoken), rate, 16_000).numpy()
                    clip = np.pad(spoken * (0.7 / np.abs(spoken).max()), [int(16_000 * chance.uniform(0.05, 0.25)) for _ in range(2)])
                    clip += noise.standard_normal(clip.size, dtype=np.float32) * 0.01 * float(np.sqrt(np.mean(spoken**2)))
                    buffer, path = io.BytesIO(), f"{digit}_{accent}_{variant}.ogg"
                    soundfile.write(buffer, clip, 16_000, format="OGG", subtype="VORBIS")
                    archive.writestr(zipfile.ZipInfo(path), buffer.getvalue())
                    rows.append({"path": path, "label": digit, "speaker": f"{accent}+{variant}", "split": "test"})
        archive.writestr(zipfile.ZipInfo("manifest.csv"), manifest(rows))
    print(f"{len(rows)} clips, {target.stat().st_size / 1e3:.0f} kB in {target}")


if __name__ == "__main__":
    place = Path(sys.argv[1])
    bundle(place) if place.suffix == ".zip" else main(place)
