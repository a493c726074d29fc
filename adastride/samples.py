"""The clips that come with the project (samples/make_samples.py makes them)."""

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
    """A bundled clip. label: the answer that a network for digits should give, None for a clip without a digit."""

    name: str
    path: Path
    title: str
    description: str
    label: str | None


@functools.cache
def samples() -> dict[str, Sample]:
    """The bundled clips by name. The app opens with the first one."""
    entries = json.loads((FOLDER / "catalogue.json").read_text(encoding="utf-8"))
    return {e["name"]: Sample(e["name"], FOLDER / e["file"], e["title"], e["description"], e["label"]) for e in entries}
