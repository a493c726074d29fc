"""Clips from a zip file that somebody has sent: read from memory, bounded in every way, nothing written.

The zip holds sound files and says what they are as a data set on disk does: by a manifest.csv (path, and label, text and split where
there are any), or by a folder for each class. What a zip claims about its sizes is not believed: bytes are counted while they are
unpacked.
"""

from __future__ import annotations

import csv
import io
import stat
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath

from adastride import audio
from adastride.clips import Clip, DataError
from adastride.formats import ENDINGS, FORMATS
from adastride.wording import one_line

MAX_BYTES = 120_000_000
MAX_ENTRIES = 20_000  # of everything, what is left out included
MAX_SOUNDS = 2000
MAX_UNPACKED_BYTES = 400_000_000
MAX_MANIFEST_BYTES = 5_000_000
MAX_SECONDS = 1800.0  # of all clips together: 115 MB at 16 kHz
MAX_CLIP_SECONDS = 60.0
_MANIFEST = "manifest.csv"
_BLOCK = 1 << 20
_ENTRY = b"PK\x01\x02"  # what every entry of a zip's directory begins with
# Of the other methods, zipfile unpacks a whole block at once, however little is asked for: 4 kB can be 10 GB.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def read_zip(data: bytes, name: str, sample_rate: int = 16_000, progress: Callable[[float], None] = lambda share: None) -> list[Clip]:
    """Decodes the clips of a zip file.

    With a manifest.csv that has a column split, clips of its test split are taken where it has any. Without a manifest the folder a
    sound lies in is its label. Hidden files and what is neither sound nor manifest are left out. name: the file's, for messages.
    progress is told the share that is decoded, from 0 to 1. Raises DataError, one sentence, for a file that is no zip, has a password,
    is packed in an unusual way, has paths that climb out, links, sounds without labels or that can't be decoded, and for more than
    the limits of this module.
    """
    name = one_line(name)
    if len(data) > MAX_BYTES:
        raise DataError(f"{name} has {len(data) / 1e6:.0f} MB, more than the {MAX_BYTES / 1e6:.0f} MB allowed: use `python -m adastride sweep` instead.")
    entries = data.count(_ENTRY)  # before zipfile makes objects of them; the number at the end of a zip may be anything
    if entries > MAX_ENTRIES:
        raise DataError(f"{name} has {entries:,} entries, more than the {MAX_ENTRIES:,} allowed: zip fewer clips.")
    with as_data_error(name, "a zip file", "make it again"):
        archive = zipfile.ZipFile(io.BytesIO(data))
    with archive:
        return _Reader(archive, name).clips(sample_rate, progress)


@contextmanager
def as_data_error(name: object, kind: str, advice: str) -> Iterator[None]:
    """Around calls of zipfile, tarfile, gzip or NumPy, and of nothing else: they document few of the errors that damaged files make them
    raise (of offsets, sizes, dates, names, memory). Any of them becomes a DataError: NAME can't be read as KIND (why): ADVICE."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        said = one_line(error).rstrip(".") or "it breaks off"
        raise DataError(f"{name} can't be read as {kind} ({said}): {advice}.") from None


class _Reader:
    """An open zip, and how much of it has been unpacked."""

    def __init__(self, archive: zipfile.ZipFile, name: str):
        self.archive, self.name, self.unpacked = archive, name, 0
        self.entries = {path: entry for entry in archive.infolist() if (path := self._path(entry)) is not None}
        if sum(entry.file_size for entry in self.entries.values()) > MAX_UNPACKED_BYTES:
            raise self._too_much()

    def _path(self, entry: zipfile.ZipInfo) -> str | None:
        """The path of a sound or manifest; None for what is left out."""
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in entry.filename:
            raise DataError(
                f"{self.name} holds the path {one_line(entry.filename, 60)!r}, which climbs out of the zip: "
                "zip the folder itself, without links."
            )
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise DataError(f"{self.name} holds {one_line(entry.filename, 60)!r}, which is a link: zip the files themselves.")
        if entry.filename.endswith("/") or any(part.startswith((".", "_")) for part in path.parts):
            return None
        return path.as_posix() if path.suffix.lower() in ENDINGS or path.name == _MANIFEST else None

    def _too_much(self) -> DataError:
        return DataError(f"{self.name} unpacks to more than the {MAX_UNPACKED_BYTES / 1e6:.0f} MB allowed: zip fewer or shorter clips.")

    def _read(self, path: str, most: int = MAX_UNPACKED_BYTES) -> bytes:
        """An entry's bytes; one of more than `most` is cut off there."""
        entry = self.entries[path]
        if entry.flag_bits & 1:
            raise DataError(f"{self.name} has a password: zip the clips without one.")
        if entry.compress_type not in _METHODS:
            raise DataError(
                f"{self.name} holds {one_line(path, 60)}, which is packed in an unusual way: "
                "zip the clips with the usual method, deflate."
            )
        blocks: list[bytes] = []
        with as_data_error(self.name, "a zip file", "make it again"), self.archive.open(entry) as file:
            while (missing := most - sum(map(len, blocks))) > 0 and (block := file.read(min(_BLOCK, missing))):
                self.unpacked += len(block)
                if self.unpacked > MAX_UNPACKED_BYTES:
                    raise self._too_much()
                blocks.append(block)
        return b"".join(blocks)

    def clips(self, sample_rate: int, progress: Callable[[float], None]) -> list[Clip]:
        answers = self._answers()
        if len(answers) > MAX_SOUNDS:
            raise DataError(f"{self.name} holds {len(answers):,} clips, more than the {MAX_SOUNDS:,} allowed: use `python -m adastride sweep` instead.")
        clips, seconds = [], 0.0
        for number, (path, (label, text)) in enumerate(answers.items(), 1):
            try:
                sound = audio.decode(self._read(path), sample_rate, one_line(path), MAX_CLIP_SECONDS)
            except audio.AudioError as error:
                raise DataError(f"{self.name}: {error}") from None
            seconds += sound.seconds
            if seconds > MAX_SECONDS:
                raise DataError(f"{self.name} holds more than {MAX_SECONDS / 60:.0f} minutes of sound: use `python -m adastride sweep` instead.")
            clips.append(Clip(sound.samples, label, path, text=text))
            progress(number / len(answers))
        return clips

    def _answers(self) -> dict[str, tuple[str, str]]:
        """Label and text of every clip by its path."""
        manifests = sorted((path for path in self.entries if PurePosixPath(path).name == _MANIFEST), key=lambda path: path.count("/"))
        if manifests:
            return self._manifest(manifests[0])
        sounds = list(self.entries)
        if not sounds:
            raise DataError(f"{self.name} holds no {FORMATS} file: zip a folder for each class with sounds in it.")
        loose = next((path for path in sounds if "/" not in path), None)
        if loose is not None:
            said = f"{self.name} does not say what {one_line(loose, 60)} is"
            raise DataError(f"{said}: put sounds into a folder for each class, or add a manifest.csv (path, label).")
        return {path: (PurePosixPath(path).parts[-2], "") for path in sounds}

    def _manifest(self, manifest: str) -> dict[str, tuple[str, str]]:
        data = self._read(manifest, MAX_MANIFEST_BYTES + 1)
        if len(data) > MAX_MANIFEST_BYTES:
            raise DataError(
                f"{self.name} has a manifest.csv of more than {MAX_MANIFEST_BYTES / 1e6:.0f} MB: "
                "leave out columns other than path, label and text."
            )
        try:
            rows = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))
            columns = next(rows, [])
            if "path" not in columns:
                said = f"the manifest.csv of {self.name} lacks the column path"
                raise DataError(f"{said}: its first line must name path, and label, text and split where there are any.")
            places = [columns.index(column) if column in columns else None for column in ("path", "label", "split", "text")]
            found: list[list[str]] = []
            for row in filter(None, rows):
                if len(found) == MAX_ENTRIES:
                    raise DataError(f"the manifest.csv of {self.name} has more than the {MAX_ENTRIES:,} lines allowed: leave some out.")
                found.append([row[place] if place is not None and place < len(row) else "" for place in places])
        except (UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{self.name} has a manifest.csv that can't be read ({one_line(error)}): save it as UTF-8.") from None
        answers = {}
        for name, label, _, text in [row for row in found if row[2] == "test"] or found:
            path = (PurePosixPath(manifest).parent / name).as_posix()
            if path not in self.entries or ("label" in columns and not label):
                raise DataError(
                    f"the manifest.csv of {self.name} names {one_line(name, 60) or 'nothing'!r}, which has no sound in "
                    "the zip or no label."
                )
            answers[path] = label, text
        if not answers:
            raise DataError(f"the manifest.csv of {self.name} names no clip: give each one a line.")
        return answers
