"""Arrows between the packages point one way, as in the table below; the imports are read, nothing is run.

A room of the house is a package or a module of adastride, `adastride.audio` or `adastride.inspection`; the pages, the command
line and app.py stand above all of them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# A floor may use every floor below it, and no room on its own floor.
FLOORS = (
    ("app", "pages", "cli", "__main__"),
    ("ui",),
    ("comparison", "sweep", "results", "lesson", "length"),
    ("inspection",),
    ("tasks", "checkpoints"),
    ("models",),
    ("downsampling",),
    ("alignment",),
    ("audio", "clip_parts", "clip_seconds", "clips", "code_durations", "length_points", "device", "files", "image_runs", "images", "intelligibility",
     "intervals", "letters", "ranges", "run_columns", "samples", "speaker_counts", "spectrogram_runs", "subjects", "text", "vocoder"),
    ("formats", "image_files", "media", "memory", "tables", "wording"),
)
# `training` stands beside what looks at networks: it uses tasks and everything below. Pages, the command line and `ui`, where
# labelled clips are chosen, use it, and nobody else.
TRAINING = "training"
# Arrows on one floor that are meant.
NEIGHBOURS = {("__main__", "cli"), ("app", "pages"), ("checkpoints", "tasks"), ("clip_parts", "audio"), ("length", "results"),
              ("samples", "files"), ("spectrogram_runs", "image_runs"), ("vocoder", "audio")}


@dataclass(frozen=True)
class Import:
    """One import: the file and line it stands on, and the whole name of what it imports."""

    file: str
    line: int
    name: str


def imports(root: Path) -> Iterator[Import]:
    """Every import of adastride, the pages and app.py, those inside of functions and for types alone included."""
    for path in sorted([*(root / "adastride").rglob("*.py"), *(root / "pages").glob("*.py"), *root.glob("app.py")]):
        file = path.relative_to(root).as_posix()
        package = path.relative_to(root).parent.parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (Import(file, node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                above = package[: len(package) - node.level + 1] if node.level else ()
                module = ".".join([*above, *filter(None, [node.module])])
                yield from (Import(file, node.lineno, f"{module}.{alias.name}") for alias in node.names)


def room_of(file: str) -> str:
    """The room a file is in: "inspection" for adastride/inspection/raster.py, "pages" for a page, "" for adastride/__init__.py."""
    parts = Path(file).with_suffix("").parts
    room = parts[1] if parts[0] == "adastride" else parts[0]
    return "" if room == "__init__" else room


def floor(room: str) -> int:
    """How far down a room lies; ValueError for one that FLOORS does not list."""
    for number, rooms in enumerate(FLOORS):
        if room in rooms:
            return number
    raise ValueError(room)


def allowed(source: str, target: str) -> bool:
    """Whether a room may use another."""
    if source == target or (source, target) in NEIGHBOURS:
        return True
    if target == TRAINING:
        return floor(source) <= floor("ui")
    if source == TRAINING:
        return floor(target) >= floor("tasks")
    return floor(source) < floor(target)


def wrong_arrows(root: Path) -> dict[tuple[str, str], str]:
    """A sentence for each file and room it must not use, with the line of the first import."""
    sentences: dict[tuple[str, str], str] = {}
    known = {room for rooms in FLOORS for room in rooms} | {TRAINING}
    for one in imports(root):
        source, where = room_of(one.file), f"{one.file}, line {one.line}"
        parts = one.name.split(".")
        if parts[0] == "streamlit" and source not in ("ui", "pages", "app"):
            sentences.setdefault((one.file, "streamlit"), f"{where} imports streamlit, which only app.py, pages and adastride.ui may do.")
        if parts[0] != "adastride" or len(parts) == 1:
            continue
        target = parts[1]
        if not (root / "adastride" / target).is_dir() and not (root / "adastride" / f"{target}.py").is_file():
            continue  # a name of adastride/__init__.py
        for room in (source, target):
            if room not in known:
                name = room or "adastride/__init__.py"
                sentences.setdefault((one.file, room), f"{where}: FLOORS in tests/test_architecture.py does not say where {name} stands.")
        if {source, target} <= known and not allowed(source, target):
            sentences.setdefault((one.file, target), f"{where} imports {one.name}: {source} must not use {target}, which stands above or beside it.")
    return sentences


def test_arrows_point_one_way():
    wrong = wrong_arrows(ROOT)
    assert not wrong, "\n" + "\n".join(wrong.values())


def test_every_room_is_read():
    """The reader finds what is there: a folder it does not look into would pass unseen."""
    rooms = {room_of(one.file) for one in imports(ROOT)}
    assert {room for floor in FLOORS[:-2] for room in floor} | {TRAINING} <= rooms
    assert sum(one.name.startswith("adastride.") for one in imports(ROOT)) > 200


def made_up(root: Path, **files: str) -> dict[tuple[str, str], str]:
    """The wrong arrows of a small house. files: their text by a path with two underscores for a slash."""
    for room in ("inspection", "models", "ui", "sweep", "results", "training", "tasks"):
        (root / "adastride" / room).mkdir(parents=True, exist_ok=True)
        (root / "adastride" / room / "__init__.py").touch()
    (root / "adastride" / "audio.py").touch()
    for name, text in files.items():
        path = root / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return wrong_arrows(root)


def test_a_right_arrow_passes(tmp_path: Path):
    assert made_up(
        tmp_path,
        adastride__inspection__tracing="from adastride import audio\nfrom adastride.models.classifier import Classifier\nfrom . import raster\n",
        adastride__ui__viewer="import streamlit as st\nimport adastride.inspection\nfrom adastride import training\n",
        pages__explore="import streamlit\nfrom adastride.ui import viewer\n",
        adastride__training__loop="from adastride import __version__\nfrom adastride.tasks import KINDS\n", adastride__cli="from adastride import training\n",
    ) == {}


def test_a_wrong_arrow_is_a_sentence_with_file_and_line(tmp_path: Path):
    wrong = made_up(tmp_path, adastride__models__classifier="import torch\n\nfrom adastride.inspection.tracing import trace\n")
    assert wrong == {("adastride/models/classifier.py", "inspection"): (
        "adastride/models/classifier.py, line 3 imports adastride.inspection.tracing.trace: models must not use inspection, which stands above or beside it."
    )}


def test_other_wrong_arrows(tmp_path: Path):
    wrong = made_up(
        tmp_path,
        adastride__audio="def late():\n    import adastride.models\n",  # inside of a function
        adastride__sweep__core="from ..results import wilson\n",  # relative, and a neighbour
        adastride__inspection__picker="from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from adastride import training\n",  # for types alone
        adastride__training__loop="from adastride.inspection import trace\n",
        adastride__results__core="import streamlit.testing\n",
        adastride__cellar__core="from adastride import audio\n",  # a room that nobody has placed
    )
    assert set(wrong) == {
        ("adastride/audio.py", "models"), ("adastride/sweep/core.py", "results"), ("adastride/inspection/picker.py", "training"),
        ("adastride/training/loop.py", "inspection"), ("adastride/results/core.py", "streamlit"), ("adastride/cellar/core.py", "cellar"),
    }
    assert "line 3" in wrong["adastride/inspection/picker.py", "training"]
