"""Data sets of pictures in one colour each, for a server's folder of data."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def colour(number: int) -> tuple[int, int, int]:
    """That of test picture `number`, so that pictures differ."""
    return 20 + 7 * number % 200, 60 + 31 * number % 190, 230 - 5 * number % 220


def png(number: int, size: int = 32) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (size, size), colour(number)).save(file, "PNG")
    return file.getvalue()


def write_npz(folder: Path, classes: tuple[str, ...] = CLASSES, count: int = 40) -> Path:
    """Writes small.npz, whose test pictures' classes take turns, into a folder that is made, and returns the folder."""
    folder.mkdir(parents=True)
    files = [png(number) for number in range(count)]
    arrays: dict[str, np.ndarray] = {"classes": np.array(classes)}
    for split in ("train", "test"):
        arrays[f"{split}_jpeg"] = np.frombuffer(b"".join(files), np.uint8)
        arrays[f"{split}_offsets"] = np.cumsum([0, *map(len, files)])
        arrays[f"{split}_labels"] = np.arange(count, dtype=np.uint8) % len(classes)
    np.savez_compressed(folder / "small.npz", **arrays)  # type: ignore[arg-type]
    return folder


def write_folders(folder: Path, classes: tuple[str, ...] = ("cat", "zebra"), count: int = 2) -> Path:
    """Writes a folder for each class into folders train and test, and returns the folder that they are in."""
    for split in ("train", "test"):
        for place, label in enumerate(classes):
            inside = folder / split / label
            inside.mkdir(parents=True)
            for number in range(count):
                (inside / f"{number}.png").write_bytes(png(100 * place + number, 48))
    return folder
