"""Reads data sets from disk: this project's manifests, Speech Commands, IEMOCAP, and folders that are named for their class.

`Source` names a folder and reads it, whichever of these layouts it has:

- `manifest.csv` with the column path, relative to the folder, and those of label, text (what is said) and split (train, valid, test)
  that there are: a classifier learns labels, a recogniser texts, a codec neither. Without splits, a hash of the path splits. A column
  speaker, session or fold names the group that can be held out.
- LibriSpeech (Panayotov et al., 2015): trees of .flac with .trans.txt beside them, in folders train-*, dev-* and test-*.
- Speech Commands (Warden, 2018): a folder for each word, `validation_list.txt`, `testing_list.txt`, `_background_noise_`.
- IEMOCAP (Busso et al., 2008): `Session*/sentences/wav/*/*.wav`, labels in `Session*/dialog/EmoEvaluation/*.txt`. Four
  classes, with excitement counted as happiness, as the AdaStride paper and most others do.
- anything else: a folder for each class, all of them inside folders train, valid and test, or split here by a hash.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from safetensors import SafetensorError
from safetensors.numpy import load, save

from adastride import audio
from adastride.checkpoints import write_atomically
from adastride.clips import Clip, DataError
from adastride.formats import ENDINGS

DATA_ROOT_VARIABLE = "ADASTRIDE_DATA"
GROUP_COLUMNS = ("speaker", "session", "fold")
COMMAND_WORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
COMMAND_CLASSES = (12, 35)
EMOTIONS = {"ang": "anger", "hap": "happiness", "exc": "happiness", "neu": "neutral", "sad": "sadness"}
_BACKGROUND = "_background_noise_"
_SPLIT_FOLDERS = {"train": "train", "training": "train", "valid": "valid", "validation": "valid", "val": "valid", "dev": "valid", "test": "test",
                  "testing": "test"}
_HELD_OUT_SESSION = "5"


@dataclass(frozen=True)
class Row:
    """One clip of a data set: where it lies and what it is.

    path is relative to the data set. label: "" where there is none. group: speaker, session or fold; "" where none is known. start,
    seconds: the part of the file that is the clip; where seconds is None, it is all of the file. text: what is said, "" where nothing
    is. part: the corpus, or the part of one, that it was taken from, which a manifest calls its source.
    """

    path: str
    label: str
    split: str
    group: str = ""
    start: float = 0.0
    seconds: float | None = None
    text: str = ""
    part: str = ""


@dataclass(frozen=True)
class Source:
    """A folder of clips.

    held_out: a group (speaker, session or fold) whose clips are the test split. Where it is None, the data set's own split is used;
    of IEMOCAP, which has none, session 5 is held out. classes: how many classes of Speech Commands are told apart, 12 or 35. label: the
    column of a manifest that says what is to be told apart.
    """

    folder: str | Path
    held_out: str | None = None
    classes: int = 12
    label: str = "label"

    @property
    def name(self) -> str:
        return Path(self.folder).resolve().name + (f" without {self.held_out}" if self.held_out is not None else "")

    def rows(self) -> list[Row]:
        """Every clip of every split. Raises DataError for a folder of no known layout or one that can't be read."""
        folder = Path(self.folder)
        try:
            if (folder / "manifest.csv").is_file():
                rows = _manifest(folder, self.label)
            elif (folder / "validation_list.txt").is_file() and (folder / "testing_list.txt").is_file():
                rows = _speech_commands(folder, self.classes)
            elif any(folder.glob("*/*/*/*.trans.txt")):
                rows = _librispeech(folder)
            elif any(folder.glob("Session*/dialog/EmoEvaluation")):
                return _iemocap(folder, self.held_out or _HELD_OUT_SESSION)
            else:
                rows = _folders(folder)
        except OSError as error:
            raise DataError(f"{error.filename or folder} can't be read ({error.strerror or error}).") from None
        return rows if self.held_out is None else _hold_out(rows, self.held_out, folder)

    def groups(self) -> list[str]:
        """The groups that can be held out, sorted."""
        return sorted({row.group for row in self.rows()} - {""})

    def clips(self, split: str, sample_rate: int = 16_000, cache: Path | None = None) -> list[Clip]:
        """Decodes every clip of one split.

        cache: a folder in which decoded clips are kept for the next time. Raises DataError for a split without clips, and for
        the first clip that is missing or can't be used.
        """
        rows = [row for row in self.rows() if row.split == split]
        if not rows:
            where = Path(self.folder) / "manifest.csv"
            lacks = f"{where if where.is_file() else self.folder} has no row whose split is {split!r}"
            raise DataError(f"{lacks}: name the split of each clip in a column split." if where.is_file() else f"{lacks}.")
        if cache is None:
            return [self._decode(row, sample_rate) for row in rows]
        return self._cached(rows, sample_rate, cache)

    def _decode(self, row: Row, sample_rate: int) -> Clip:
        folder = Path(self.folder)
        try:
            samples = audio.read(folder / row.path, sample_rate).samples
        except audio.AudioError as error:
            manifest = folder / "manifest.csv"
            raise DataError(f"{manifest if manifest.is_file() else folder} names {row.path}, but {error}") from None
        if row.seconds is not None:
            begin = round(row.start * sample_rate)
            samples = samples[begin : begin + round(row.seconds * sample_rate)]
        return Clip(samples, row.label, row.path, row.group, row.text, row.part)

    def _cached(self, rows: Sequence[Row], sample_rate: int, cache: Path) -> list[Clip]:
        """The clips of the rows, from a file in the cache that is made anew when a name, size or time of any of them changes."""
        key = hashlib.sha256(str(sample_rate).encode())
        for row in rows:
            path = Path(self.folder) / row.path
            status = path.stat() if path.exists() else None
            key.update(json.dumps([str(path.resolve()), row.start, row.seconds, status and [status.st_size, status.st_mtime_ns]]).encode())
        file = cache / f"{key.hexdigest()[:20]}.safetensors"
        try:
            tensors = load(file.read_bytes())
            sounds = np.split(tensors["samples"], tensors["ends"][:-1])
        except (OSError, SafetensorError, KeyError):
            clips = [self._decode(row, sample_rate) for row in rows]
            samples = np.concatenate([clip.samples for clip in clips])
            write_atomically(file, save({"samples": samples, "ends": np.cumsum([clip.samples.size for clip in clips])}))
            return clips
        return [Clip(samples, row.label, row.path, row.group, row.text, row.part) for samples, row in zip(sounds, rows, strict=True)]


def default_data_root() -> Path:
    """The folder in which data sets lie: the one that the variable ADASTRIDE_DATA names, else ../shared/data."""
    return Path(os.environ.get(DATA_ROOT_VARIABLE) or Path("..") / "shared" / "data")


def as_source(data: str | Path | Source) -> Source:
    """The `Source` of a folder; a `Source` is returned as it is."""
    return data if isinstance(data, Source) else Source(data)


def load_split(data: str | Path | Source, split: str, sample_rate: int = 16_000) -> list[Clip]:
    """Decodes every clip of one split of a folder; see `Source.clips`."""
    return as_source(data).clips(split, sample_rate)


def _hold_out(rows: list[Row], group: str, folder: Path) -> list[Row]:
    """Splits anew with all clips of the group as the test split. The others' test clips become training clips."""
    groups = {row.group for row in rows}
    if group not in groups:
        raise DataError(f"{folder} has no speaker, session or fold {group!r} to hold out: choose {', '.join(sorted(groups - {''})) or 'another folder'}.")
    return [Row(**{**vars(row), "split": "test" if row.group == group else "valid" if row.split == "valid" else "train"}) for row in rows]


def _manifest(folder: Path, labels: str) -> list[Row]:
    """labels: the column of the labels."""
    manifest = folder / "manifest.csv"
    rows = []
    try:
        with manifest.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            names = reader.fieldnames or ()
            if "path" not in names:
                said = f"{manifest} lacks the column path"
                raise DataError(f"{said}: its first line must name path, and label, text and split where there are any.")
            if labels != "label" and labels not in names:
                raise DataError(f"{manifest} has no column {labels!r}: its first line names {', '.join(sorted(names))}.")
            needed = [name for name in ("path", labels, "split") if name in names]
            column = next((name for name in GROUP_COLUMNS if name in names), None)
            for row in reader:
                if not all(row[name] for name in needed):
                    named = " or ".join(filter(None, [", ".join(needed[:-1]), needed[-1]]))
                    raise DataError(f"{manifest} has a line without a {named}: line {reader.line_num}.")
                label, text, part = (row.get(name) or "" for name in (labels, "text", "source"))
                split = row["split"] if "split" in names else _hashed_split(row["path"])
                rows.append(Row(row["path"], label, split, (column and row[column]) or "", text=text, part=part))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{manifest} can't be read ({getattr(error, 'strerror', None) or error}): name a folder that holds a manifest.csv.") from None
    return rows


def _speech_commands(folder: Path, classes: int) -> list[Row]:
    """The clips of Speech Commands, with 12 classes as in the corpus's own recipe.

    Of these, the class unknown has as many clips of all other words as one word has, and the class silence is made of one-second
    pieces of the background noises.
    """
    if classes not in COMMAND_CLASSES:
        raise DataError(f"Speech Commands has {' or '.join(map(str, COMMAND_CLASSES))} classes, not {classes}.")
    lists = {"valid": "validation_list.txt", "test": "testing_list.txt"}
    listed = {line.strip(): split for split, name in lists.items() for line in (folder / name).read_text(encoding="utf-8").splitlines()}
    rows = []
    for path in sorted(folder.glob("*/*.wav")):
        word, name = path.parent.name, f"{path.parent.name}/{path.name}"
        if word.startswith("_"):
            continue
        label = word if classes == 35 or word in COMMAND_WORDS else "unknown"
        rows.append(Row(name, label, listed.pop(name, "train"), path.stem.split("_nohash_")[0]))
    if listed:
        name, split = next(iter(listed.items()))
        raise DataError(f"{folder / lists[split]} names {name}, which is not there: unpack the corpus again.")
    if classes == 35:
        return rows
    counts = Counter((row.split, row.label) for row in rows)
    kept = []
    for row in rows:
        words = [counts[row.split, word] for word in COMMAND_WORDS]
        if row.label != "unknown" or share_of(row.path) * counts[row.split, "unknown"] < max(1.0, sum(words) / len(words)):
            kept.append(row)
    for path in sorted((folder / _BACKGROUND).glob("*.wav")):
        try:
            seconds = int(soundfile.info(path).duration)
        except soundfile.LibsndfileError:
            raise DataError(f"{path} can't be decoded: unpack the corpus again.") from None
        name = f"{_BACKGROUND}/{path.name}"
        kept += [Row(name, "silence", _hashed_split(f"{name} {start}"), "", float(start), 1.0) for start in range(seconds)]
    return kept


def _librispeech(folder: Path) -> list[Row]:
    """The utterances of LibriSpeech's trees, PART/SPEAKER/CHAPTER/*.flac, whose texts stand in one file for each chapter."""
    rows = []
    for file in sorted(folder.glob("*/*/*/*.trans.txt")):
        part = file.relative_to(folder).parts[0]
        split = _SPLIT_FOLDERS.get(part.partition("-")[0])
        if split is None:
            raise DataError(f"{folder / part} is no part of LibriSpeech: its folders are named train-…, dev-… and test-….")
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, text = line.partition(" ")
            path = file.with_name(f"{name}.flac")
            if name and not path.is_file():
                raise DataError(f"{file} names {name}, of which there is no .flac: unpack the corpus again.")
            if name:
                rows.append(Row(path.relative_to(folder).as_posix(), "", split, file.parent.parent.name, text=text.lower(), part=part))
    return rows


def _iemocap(folder: Path, held_out: str) -> list[Row]:
    """The clips of IEMOCAP. The held-out session is the test split, the one before it (5 before 1) the valid split."""
    rows = []
    line = re.compile(r"^\[[^\]]*\]\s+(Ses\w+)\s+(\w+)\s", re.MULTILINE)
    for session in sorted(folder.glob("Session*")):
        group = session.name.removeprefix("Session")
        for file in sorted((session / "dialog" / "EmoEvaluation").glob("Ses*.txt")):
            for name, emotion in line.findall(file.read_text(encoding="utf-8", errors="replace")):
                if emotion in EMOTIONS:
                    path = f"{session.name}/sentences/wav/{name.rpartition('_')[0]}/{name}.wav"
                    rows.append(Row(path, EMOTIONS[emotion], "train", group))
    sessions = sorted({row.group for row in rows})
    if held_out not in sessions:
        raise DataError(f"{folder} has no session {held_out!r} to hold out: choose {', '.join(sessions) or 'another folder'}.")
    before = sessions[sessions.index(held_out) - 1]
    splits = {before: "valid", held_out: "test"}
    return [Row(**{**vars(row), "split": splits.get(row.group, "train")}) for row in rows]


def class_folders(folder: Path, endings: Collection[str]) -> list[Row]:
    """The files in folders that are named for their class, split by folders train, valid and test, or by a hash (8 : 1 : 1).

    endings: of the files that count, in small letters. Hidden files, and those whose name begins with an underscore, do not. Of
    training files without a folder for valid, a tenth becomes the valid split. [] where there are none.
    """
    rows = []
    inside = [child for child in sorted(folder.iterdir()) if child.is_dir()] if folder.is_dir() else []
    splits = {child.name: _SPLIT_FOLDERS[child.name] for child in inside if child.name in _SPLIT_FOLDERS}
    parents = [folder / name for name in splits] if "train" in splits.values() else [folder]
    for parent in parents:
        for path in sorted(parent.glob("*/**/*")):
            parts = path.relative_to(parent).parts
            if path.suffix.lower() not in endings or any(part.startswith((".", "_")) for part in parts):
                continue
            name = path.relative_to(folder).as_posix()
            split = splits[parent.name] if parent != folder else _hashed_split(name)
            rows.append(Row(name, parts[0], split))
    if "valid" not in {row.split for row in rows}:
        rows = [Row(**{**vars(row), "split": "valid"}) if row.split == "train" and share_of(row.path) < 0.1 else row for row in rows]
    return rows


def _folders(folder: Path) -> list[Row]:
    rows = class_folders(folder, ENDINGS)
    if not rows:
        raise DataError(
            f"{folder / 'manifest.csv'} can't be read (No such file or directory): name a folder that holds a manifest.csv, a folder for each class, "
            "Speech Commands or IEMOCAP."
        )
    return rows


def share_of(text: str) -> float:
    """A number from 0 to 1 that follows from a text alone, such as the path of a clip, to split by."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64


def _hashed_split(text: str) -> str:
    share = share_of(text)
    return "train" if share < 0.8 else "valid" if share < 0.9 else "test"
