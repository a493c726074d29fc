"""Labelled clips from a zip file that somebody has sent: read from memory, bounded in every way, nothing written.

The zip holds sound files and says what they are as a data set on disk does: by a manifest.csv (path, label, and split where there
is one), or by a folder for each class. What a zip claims about its sizes is not believed: bytes are counted while they are unpacked.
"""

from __future__ import annotations

import csv
import io
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import PurePosixPath

from adastride import audio
from adastride.clips import Clip, DataError

MAX_BYTES = 120_000_000
MAX_ENTRIES = 20_000  # of everything, what is left out included
MAX_SOUNDS = 2000
MAX_UNPACKED_BYTES = 400_000_000
MAX_SECONDS = 1800.0  # of all clips together: 115 MB at 16 kHz
MAX_CLIP_SECONDS = 60.0
_SOUNDS = {".wav", ".flac", ".ogg", ".mp3"}
_MANIFEST = "manifest.csv"
_BLOCK = 1 << 20


def read_zip(data: bytes, name: str, sample_rate: int = 16_000, progress: Callable[[float], None] = lambda share: None) -> list[Clip]:
    """Decodes the labelled clips of a zip file.

    With a manifest.csv that has a column split, clips of its test split are taken where it has any. Without a manifest the folder a
    sound lies in is its label. Hidden files and what is neither sound nor manifest are left out. name: the file's, for messages.
    progress is told the share that is decoded, from 0 to 1. Raises DataError, one sentence, for a file that is no zip, has a password,
    paths that climb out, links, sounds without labels or that can't be decoded, and for more than the limits of this module.
    """
    if len(data) > MAX_BYTES:
        raise DataError(f"{name} has {len(data) / 1e6:.0f} MB, more than the {MAX_BYTES / 1e6:.0f} MB allowed: use `python -m adastride sweep` instead.")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _Reader(archive, name).clips(sample_rate, progress)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeError) as error:
        raise DataError(f"{name} can't be read as a zip file ({error or 'it breaks off'}): make it again.") from None


class _Reader:
    """An open zip, and how much of it has been unpacked."""

    def __init__(self, archive: zipfile.ZipFile, name: str):
        self.archive, self.name, self.unpacked = archive, name, 0
        entries = archive.infolist()
        if len(entries) > MAX_ENTRIES:
            raise DataError(f"{name} has {len(entries):,} entries, more than the {MAX_ENTRIES:,} allowed: zip fewer clips.")
        self.entries = {path: entry for entry in entries if (path := self._path(entry)) is not None}
        if sum(entry.file_size for entry in self.entries.values()) > MAX_UNPACKED_BYTES:
            raise self._too_much()

    def _path(self, entry: zipfile.ZipInfo) -> str | None:
        """The path of a sound or manifest; None for what is left out."""
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in entry.filename:
            raise DataError(f"{self.name} holds the path {entry.filename[:60]!r}, which climbs out of the zip: zip the folder itself, without links.")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise DataError(f"{self.name} holds {entry.filename[:60]!r}, which is a link: zip the files themselves.")
        if entry.is_dir() or any(part.startswith((".", "_")) for part in path.parts):
            return None
        return path.as_posix() if path.suffix.lower() in _SOUNDS or path.name == _MANIFEST else None

    def _too_much(self) -> DataError:
        return DataError(f"{self.name} unpacks to more than the {MAX_UNPACKED_BYTES / 1e6:.0f} MB allowed: zip fewer or shorter clips.")

    def _read(self, path: str) -> bytes:
        entry = self.entries[path]
        if entry.flag_bits & 1:
            raise DataError(f"{self.name} has a password: zip the clips without one.")
        blocks = []
        with self.archive.open(entry) as file:
            while block := file.read(_BLOCK):
                self.unpacked += len(block)
                if self.unpacked > MAX_UNPACKED_BYTES:
                    raise self._too_much()
                blocks.append(block)
        return b"".join(blocks)

    def clips(self, sample_rate: int, progress: Callable[[float], None]) -> list[Clip]:
        labels = self._labels()
        if len(labels) > MAX_SOUNDS:
            raise DataError(f"{self.name} holds {len(labels):,} clips, more than the {MAX_SOUNDS:,} allowed: use `python -m adastride sweep` instead.")
        clips, seconds = [], 0.0
        for number, (path, label) in enumerate(labels.items(), 1):
            try:
                sound = audio.decode(self._read(path), sample_rate, path, MAX_CLIP_SECONDS)
            except audio.AudioError as error:
                raise DataError(f"{self.name}: {error}") from None
            seconds += sound.seconds
            if seconds > MAX_SECONDS:
                raise DataError(f"{self.name} holds more than {MAX_SECONDS / 60:.0f} minutes of sound: use `python -m adastride sweep` instead.")
            clips.append(Clip(sound.samples, label, path))
            progress(number / len(labels))
        return clips

    def _labels(self) -> dict[str, str]:
        """Label of every clip by its path."""
        manifests = sorted((path for path in self.entries if PurePosixPath(path).name == _MANIFEST), key=lambda path: path.count("/"))
        if manifests:
            return self._manifest(manifests[0])
        sounds = list(self.entries)
        if not sounds:
            raise DataError(f"{self.name} holds no WAV, FLAC, OGG or MP3 file: zip a folder for each class with sounds in it.")
        loose = next((path for path in sounds if "/" not in path), None)
        if loose is not None:
            raise DataError(f"{self.name} does not say what {loose} is: put sounds into a folder for each class, or add a manifest.csv (path, label).")
        return {path: PurePosixPath(path).parts[-2] for path in sounds}

    def _manifest(self, manifest: str) -> dict[str, str]:
        try:
            reader = csv.DictReader(io.StringIO(self._read(manifest).decode("utf-8-sig")))
            rows = list(reader)
        except (UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{self.name} has a manifest.csv that can't be read ({error}): save it as UTF-8.") from None
        lacking = {"path", "label"} - set(reader.fieldnames or ())
        if lacking:
            raise DataError(f"the manifest.csv of {self.name} lacks the column {' and '.join(sorted(lacking))}: its first line must name path and label.")
        test = [row for row in rows if row.get("split") == "test"] or rows
        labels = {}
        for row in test:
            path = (PurePosixPath(manifest).parent / (row["path"] or "")).as_posix()
            if path not in self.entries or not row["label"]:
                raise DataError(f"the manifest.csv of {self.name} names {row['path'] or 'nothing'!r}, which has no sound in the zip or no label.")
            labels[path] = row["label"]
        if not labels:
            raise DataError(f"the manifest.csv of {self.name} names no clip: give each one a line.")
        return labels
