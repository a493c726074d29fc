"""Zip files of sounds, for the tests of whatever reads them."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import soundfile


def sound(seconds: float = 0.1) -> bytes:
    """A WAV file of noise at 8 kHz."""
    buffer = io.BytesIO()
    soundfile.write(buffer, 0.1 * np.random.default_rng(0).standard_normal(int(8000 * seconds)), 8000, format="WAV")
    return buffer.getvalue()


def zipped(files: dict[str, bytes | str], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip with these files in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for path, data in files.items():
            file.writestr(path, data)
    return buffer.getvalue()
