"""The clips and pictures that come with the project (samples/make_samples.py and samples/make_pictures.py make them)."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path

from adastride.files import bundled

FOLDER = bundled("samples")
SPOKEN_DIGITS = FOLDER / "spoken-digits.zip"  # labelled clips (samples/make_spoken_digits.py)


@dataclass(frozen=True)
class Sample:
    """A bundled clip or picture. label: the answer that a network for digits, or for CIFAR-10, should give; None where there is none."""

    name: str
    path: Path
    title: str
    description: str
    label: str | None


@functools.cache
def samples() -> dict[str, Sample]:
    """The bundled clips by name. The app opens with the first one."""
    return _read(FOLDER)


@functools.cache
def drawings() -> dict[str, Sample]:
    """The bundled pictures by name, all of them drawn. The Images page opens with the first one."""
    return _read(FOLDER / "pictures")


def _read(folder: Path) -> dict[str, Sample]:
    entries = json.loads((folder / "catalogue.json").read_text(encoding="utf-8"))
    return {e["name"]: Sample(e["name"], folder / e["file"], e["title"], e["description"], e["label"]) for e in entries}
