"""Reads data sets of labelled pictures into one form: pixels, labels and the names of the classes, split into train, valid and test.

`read_images` decodes a whole data set, `read_test_pictures` lists its test split and decodes the one picture that is asked for. Both
know a data set by what lies in its folder:

- CIFAR-10 and CIFAR-100 (Krizhevsky, 2009) as they are distributed, the binary version and the one for Python, which is read without
  unpickling it (`adastride.training.python_batches`): the folder, the folder around it, or the .tar.gz itself.
- An .npz with the array `classes` and, for train and test, `_jpeg` (all files, one after another), `_offsets` (picture i is bytes
  offsets[i] to offsets[i + 1]) and `_labels`; or a folder with one .npz in it.
- Anything else: a folder of pictures for each class, all of them inside folders train, valid and test, or split here by a hash of
  their paths (8 : 1 : 1).

CIFAR and the .npz have no valid split: it is the last tenth of train, of CIFAR the last 5000 pictures.
"""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice, pairwise
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np

from adastride import images
from adastride.clips import DataError
from adastride.image_files import IMAGE_ENDINGS, IMAGE_FORMATS
from adastride.images import Picture
from adastride.training.archive import as_data_error
from adastride.training.datasets import class_folders
from adastride.training.python_batches import BatchError, read_batch
from adastride.wording import one_line

SPLITS = ("train", "valid", "test")
MAX_BYTES = 8_000_000_000  # of pixels, all of which are in memory; also of an .npz
MAX_ARCHIVE_BYTES = 400_000_000  # unpacked: each version of CIFAR has less than 190 MB
_SIDE = 32  # of CIFAR's pictures
_PIXELS = 3 * _SIDE * _SIDE
_VALID_SHARE = 10  # one picture in so many, where a data set has no valid split
_LOOKED_AT = 5000  # files and folders by which a folder is told from one of sounds

Labels = Literal["fine", "coarse"]


@dataclass(frozen=True)
class LabelledImages:
    """One split. images: (n, 3, size, size) uint8: red, green, blue. labels: (n,) int64, from 0 to the number of classes - 1."""

    images: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class ImageData:
    """A data set of pictures. classes: their names, in the order of the labels. splits: train, valid and, where there is one, test."""

    name: str
    classes: tuple[str, ...]
    splits: Mapping[str, LabelledImages]

    @property
    def size(self) -> int:
        """Height and width of every picture, in pixels."""
        return int(self.splits["train"].images.shape[-1])


@dataclass(frozen=True)
class _Split:
    """One split before its pictures are decoded.

    labels: (n,) int64. picture: decodes one by its number from `first` on. called: what it is called in messages.
    """

    labels: np.ndarray
    picture: Callable[[int], Picture]
    called: Callable[[int], str]
    first: int = 0

    def part(self, begin: int, end: int) -> _Split:
        return replace(self, labels=self.labels[begin:end], first=self.first + begin)


@dataclass(frozen=True)
class _Found:
    """A data set before its pictures are decoded. where: its file or folder, for messages."""

    where: Path
    classes: tuple[str, ...]
    splits: dict[str, _Split]


@dataclass(frozen=True)
class TestPictures:
    """A test split whose pictures are decoded one at a time. by_class: for each class with pictures in it their numbers, in order."""

    __test__ = False  # pytest takes a name like this for tests

    by_class: Mapping[str, tuple[int, ...]]
    _picture: Callable[[int], Picture]

    def picture(self, number: int) -> Picture:
        """Decodes a picture by its number in `by_class`. Raises DataError for one that can't be read."""
        return self._picture(number)


def read_images(path: str | Path, size: int | None = None, labels: Labels = "fine") -> ImageData:
    """Reads a whole data set of pictures into memory; the module says which.

    size: height and width that pictures are fitted to (`adastride.images.fit`), in pixels; None leaves them as they are, which works
    where all are squares of one size. labels: which of CIFAR-100's two, 100 classes or 20. Raises DataError, one sentence, for what is
    none of these data sets, lacks a file, has fewer than two classes, a label without a class, no pictures to train on or to validate
    with, a picture that can't be read, or more pixels than MAX_BYTES.
    """
    path = Path(path)
    if size is not None and size < 1:
        raise DataError(f"{path} has pictures that can't be fitted to {size} pixels: name a size of at least 1.")
    found = _found(path, labels, SPLITS)
    splits = _checked(found)
    exactly = size is None
    if size is None:
        size = min(splits["train"].picture(splits["train"].first).pixels.shape[:2])
    needed = 3 * size * size * sum(len(split.labels) for split in splits.values())
    if needed > MAX_BYTES:
        raise DataError(
            f"{found.where} would take {needed / 1e9:.1f} GB of memory at {size} × {size} pixels, more than the "
            f"{MAX_BYTES / 1e9:.0f} GB allowed: choose a smaller size."
        )
    decoded = {name: _decoded(splits[name], size, exactly, found.where) for name in SPLITS if name in splits}
    return ImageData(path.resolve().name.removesuffix(".gz").removesuffix(".tar").removesuffix(".npz"), found.classes, decoded)


def read_test_pictures(folder: str | Path) -> TestPictures:
    """Lists the test split of a data set of pictures; the module says which. Nothing is decoded, and nothing of other splits is read.

    Raises DataError, one sentence, for a folder that is none of these data sets, lacks a file or a test split, or has a label without a
    class. CIFAR-100 has its 100 classes.
    """
    found = _found(Path(folder), "fine", ("test",))
    _check_labels(found)
    test = found.splits.get("test")
    if test is None or not len(test.labels):
        raise DataError(f"{found.where} has no pictures to test with: add some, or name another folder.")
    numbers = {name: tuple(np.flatnonzero(test.labels == label).tolist()) for label, name in enumerate(found.classes)}
    return TestPictures({name: own for name, own in numbers.items() if own}, test.picture)


def looks_like_pictures(folder: str | Path) -> bool:
    """Whether a folder may be a data set of pictures, by the names of some of its files; False for one that can't be read."""
    folder = Path(folder)
    try:
        if (folder / "manifest.csv").exists():  # sounds
            return False
        if _version(_files(folder)) is not None or any(each.suffix == ".npz" or each.name in _CIFAR_FOLDERS for each in folder.iterdir()):
            return True
        return any(path.suffix.lower() in IMAGE_ENDINGS for path in islice(folder.rglob("*"), _LOOKED_AT))
    except OSError:
        return False


def _check_labels(found: _Found) -> None:
    """Raises DataError where a class or a label means nothing."""
    where, classes = found.where, found.classes
    if len(set(classes)) != len(classes):
        raise DataError(f"{where} gives two classes one name: give each of them its own.")
    for split in found.splits.values():
        wrong = np.flatnonzero((split.labels < 0) | (split.labels >= len(classes)))
        if wrong.size:
            said = f"{where} says that {split.called(int(wrong[0]))} is of class {split.labels[wrong[0]]}"
            raise DataError(f"{said}, where {len(classes)} classes are counted from 0: download or make it again.")


def _checked(found: _Found) -> dict[str, _Split]:
    """The splits of a data set that can be learned, with a valid one among them."""
    _check_labels(found)
    where, classes, splits = found.where, found.classes, dict(found.splits)
    train = splits["train"]
    if not len(train.labels):
        raise DataError(f"{where} has no pictures to train on: add some, or name another folder.")
    if len(np.unique(train.labels)) < 2:
        only = one_line(classes[int(train.labels[0])], 60)
        raise DataError(f"{where} has pictures of {only} alone to train on: add a second class, for there is nothing to tell apart.")
    if "valid" not in splits:
        count = len(train.labels)
        if count < _VALID_SHARE:
            raise DataError(f"{where} has {count} pictures to train on, too few to set some apart for validation: add some.")
        begin = count - count // _VALID_SHARE
        splits["train"], splits["valid"] = train.part(0, begin), train.part(begin, count)
    return splits


def _decoded(split: _Split, size: int, exactly: bool, where: Path) -> LabelledImages:
    """Decodes and fits a split. exactly: whether every picture must have that size already."""
    pixels = np.empty((len(split.labels), 3, size, size), np.uint8)
    for place, number in enumerate(range(split.first, split.first + len(split.labels))):
        picture = split.picture(number).pixels
        height, width = picture.shape[:2]
        if (height, width) != (size, size):
            if exactly:
                raise DataError(
                    f"{where} has pictures of several sizes or that are no squares ({one_line(split.called(number))} has "
                    f"{width} × {height} pixels): name a size to fit them to."
                )
            picture = images.fit(picture, size).pixels
        pixels[place] = picture.transpose(2, 0, 1)
    return LabelledImages(pixels, split.labels)


def _found(path: Path, labels: Labels, wanted: Collection[str]) -> _Found:
    """Finds out which data set a path names. wanted: the splits of which files are read; of folders for each class all are listed."""
    try:
        return _of_known_layout(path, labels, wanted)
    except OSError as error:
        raise DataError(f"{error.filename or path} can't be read ({error.strerror or error}).") from None


def _of_known_layout(path: Path, labels: Labels, wanted: Collection[str]) -> _Found:
    if path.is_file():
        if path.suffix == ".npz":
            found = _npz(path, wanted)
        elif path.name.endswith((".tar.gz", ".tgz")):
            return _cifar(_archived(path), path, labels, wanted)
        else:
            raise DataError(f"{path} is no data set of pictures: name a folder, CIFAR's .tar.gz, or an .npz.")
    else:
        inside = list(path.iterdir())
        folders = [folder for folder in (path, *sorted(inside)) if folder.is_dir() and (folder == path or folder.name in _CIFAR_FOLDERS)]
        cifars = [folder for folder in folders if _version(_files(folder)) is not None]
        if cifars and cifars[0] != path and len(cifars) > 1:
            raise DataError(f"{path} holds {' and '.join(folder.name for folder in cifars)}: name one of them.")
        if cifars:
            return _cifar(_files(cifars[0]), cifars[0], labels, wanted)
        stored = [each for each in inside if each.suffix == ".npz"]
        found = _npz(stored[0], wanted) if len(stored) == 1 else _class_folders(path, wanted)
    if labels != "fine":
        raise DataError(f"{path} has one kind of labels: coarse ones are in CIFAR-100 alone.")
    return found


# ------------------------------------------------------------------ CIFAR

_Files = Mapping[str, Callable[[], bytes]]  # what a file holds, by its name


@dataclass(frozen=True)
class _Version:
    """How a version of CIFAR is stored.

    names: by kind of labels, the file in which the classes' names are, and what they are called there, "" in a file of lines. labels:
    by kind of labels, which byte of a record it is, or what labels are called in a batch. python: whether batches are pickled.
    """

    train: tuple[str, ...]
    test: str
    names: Mapping[str, tuple[str, str]]
    labels: Mapping[str, int | str]
    python: bool

    @property
    def files(self) -> tuple[str, ...]:
        return (*dict.fromkeys(file for file, _ in self.names.values()), *self.train, self.test)


_VERSIONS = (
    _Version(tuple(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin", {"fine": ("batches.meta.txt", "")}, {"fine": 0}, False),
    _Version(
        ("train.bin",), "test.bin", {"fine": ("fine_label_names.txt", ""), "coarse": ("coarse_label_names.txt", "")},
        {"coarse": 0, "fine": 1}, False,
    ),
    _Version(
        tuple(f"data_batch_{n}" for n in range(1, 6)), "test_batch", {"fine": ("batches.meta", "label_names")}, {"fine": "labels"}, True,
    ),
    _Version(
        ("train",), "test", {"fine": ("meta", "fine_label_names"), "coarse": ("meta", "coarse_label_names")},
        {"fine": "fine_labels", "coarse": "coarse_labels"}, True,
    ),
)
_CIFAR_FILES = frozenset(name for version in _VERSIONS for name in version.files)
_CIFAR_FOLDERS = ("cifar-10-batches-bin", "cifar-100-binary", "cifar-10-batches-py", "cifar-100-python")


def _version(files: _Files) -> _Version | None:
    """The version that these files are of, even if some are missing; None for other files, one of which may well be called meta."""
    return next((version for version in _VERSIONS if sum(name in files for name in version.files) > 1), None)


def _files(folder: Path) -> _Files:
    return {each.name: each.read_bytes for each in folder.iterdir() if each.name in _CIFAR_FILES and each.is_file()}


class _Bounded:
    """A file of which no more than so many bytes can be read."""

    def __init__(self, file: gzip.GzipFile, most: int, error: DataError):
        self.file, self.left, self.error = file, most, error

    def read(self, size: int) -> bytes:
        data = self.file.read(size)
        self.left -= len(data)
        if self.left < 0:
            raise self.error
        return data


def _archived(path: Path) -> _Files:
    """CIFAR's files in a .tar.gz, read as it is unpacked; nothing is written, and other files, folders and links are passed over."""
    too_much = DataError(f"{path} unpacks to more than the {MAX_ARCHIVE_BYTES / 1e6:.0f} MB allowed: it is not CIFAR's archive.")
    found: dict[str, Callable[[], bytes]] = {}
    with as_data_error(path, "a .tar.gz", "download or make it again"), gzip.open(path) as unpacked:
        bounded: Any = _Bounded(unpacked, MAX_ARCHIVE_BYTES, too_much)  # a stream needs no more than `read`
        with tarfile.open(fileobj=bounded, mode="r|") as archive:
            for member in archive:
                name = PurePosixPath(member.name).name
                file = archive.extractfile(member) if name in _CIFAR_FILES and member.isfile() and not member.issparse() else None
                if file is not None:
                    found[name] = partial(bytes, file.read())
    return found


def _cifar(files: _Files, where: Path, labels: Labels, wanted: Collection[str]) -> _Found:
    version = _version(files)
    if version is None:
        raise DataError(f"{where} holds no batches of CIFAR-10 or CIFAR-100: name the archive or folder of one of them.")
    if labels not in version.labels:
        raise DataError(f"{where} has one kind of labels: coarse ones are in CIFAR-100 alone.")
    missing = next((name for name in version.files if name not in files), None)
    if missing is not None:
        raise DataError(f"{where} lacks {missing}: download and unpack the archive again.")
    file, key = version.names[labels]
    if version.python:
        names = _batch(files, file, where).get(key)
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise DataError(f"{where / file} has no names of classes: download and unpack the archive again.")
    else:
        names = [line.strip() for line in files[file]().decode("utf-8", "replace").splitlines() if line.strip()]
    read = _python if version.python else _binary
    splits = {}
    for split, batches in (("train", version.train), ("test", (version.test,))):
        if split not in wanted:
            continue
        pixels, answers = zip(*(read(files, batch, where, version.labels, labels) for batch in batches), strict=True)
        splits[split] = _stored(split, np.concatenate(pixels), np.concatenate(answers))
    return _Found(where, tuple(names), splits)


def _stored(split: str, pixels: np.ndarray, labels: np.ndarray) -> _Split:
    """A split of pixels (n, 3072): the red ones of a picture, then the green and the blue ones, row by row."""
    planes = pixels.reshape(-1, 3, _SIDE, _SIDE)

    def picture(number: int) -> Picture:
        pixels = np.ascontiguousarray(planes[number].transpose(1, 2, 0))
        pixels.setflags(write=False)
        return Picture(pixels, _SIDE, _SIDE, 1, images.key(pixels.tobytes()))

    return _Split(labels, picture, lambda number: f"picture {number} of {split}")


def _binary(files: _Files, file: str, where: Path, places: Mapping[str, int | str], labels: Labels) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (n, 3072) and labels (n,) of a file of records: a byte for each kind of labels, then the pixels."""
    data, record = files[file](), len(places) + _PIXELS
    if len(data) % record:
        said = f"{where / file} has {len(data):,} bytes, which is no multiple of the {record:,} of a picture"
        raise DataError(f"{said}: download and unpack the archive again.")
    records = np.frombuffer(data, np.uint8).reshape(-1, record)
    return records[:, len(places) :], records[:, int(places[labels])].astype(np.int64)


def _python(files: _Files, file: str, where: Path, keys: Mapping[str, int | str], labels: Labels) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (n, 3072) and labels (n,) of a batch for Python."""
    batch = _batch(files, file, where)
    pixels, answers = batch.get("data"), batch.get(str(keys[labels]))
    if not isinstance(pixels, np.ndarray) or pixels.ndim != 2 or pixels.shape[1] != _PIXELS:
        raise DataError(f"{where / file} has no pictures of {_PIXELS:,} bytes each: download and unpack the archive again.")
    numbers = answers if isinstance(answers, list) else []
    if len(numbers) != len(pixels) or not all(type(number) is int and 0 <= number < 1 << 31 for number in numbers):
        raise DataError(f"{where / file} has no label for each of its pictures: download and unpack the archive again.")
    return pixels, np.array(numbers, np.int64)


def _batch(files: _Files, file: str, where: Path) -> dict[str, Any]:
    data = files[file]()
    if len(data) > MAX_ARCHIVE_BYTES:
        raise DataError(f"{where / file} has more than the {MAX_ARCHIVE_BYTES / 1e6:.0f} MB allowed: it is none of CIFAR's files.")
    try:
        return read_batch(data)
    except BatchError as error:
        raise DataError(f"{where / file} {error}.") from None


# ------------------------------------------------------------------ files of pictures


def _npz(path: Path, wanted: Collection[str]) -> _Found:
    with as_data_error(path, "an .npz", "download or make it again"), np.load(path, allow_pickle=False) as stored:
        if sum(entry.file_size for entry in stored.zip.infolist()) > MAX_BYTES:
            raise DataError(f"{path} unpacks to more than the {MAX_BYTES / 1e9:.0f} GB allowed: make it of fewer pictures.")
        splits = [split for split in SPLITS if split in wanted and (split == "train" or f"{split}_jpeg" in stored.files)]
        needed = ["classes", *(f"{split}_{part}" for split in splits for part in ("jpeg", "offsets", "labels"))]
        missing = next((name for name in needed if name not in stored.files), None)
        if missing is not None:
            raise DataError(f"{path} lacks the array {missing}: it needs classes, and _jpeg, _offsets and _labels of train.")
        arrays = {name: stored[name] for name in needed}
    classes = arrays["classes"]
    if classes.ndim != 1 or classes.dtype.kind != "U":
        raise DataError(f"{path} has no names in its array classes: make it a list of texts.")
    return _Found(path, tuple(map(str, classes)), {split: _packed(path, split, arrays) for split in splits})


def _packed(path: Path, split: str, arrays: Mapping[str, np.ndarray]) -> _Split:
    """A split whose files lie one after another in one array."""
    data, offsets, labels = (arrays[f"{split}_{part}"] for part in ("jpeg", "offsets", "labels"))
    if data.ndim != 1 or data.dtype != np.uint8:
        raise DataError(f"{path} has an array {split}_jpeg that is not one row of bytes (uint8): make it again.")
    if any(each.ndim != 1 or each.dtype.kind not in "iu" for each in (offsets, labels)) or len(offsets) != len(labels) + 1:
        said = f"{path} has arrays {split}_offsets and {split}_labels that don't go together"
        raise DataError(f"{said}: they must be whole numbers, and there must be one more offset than labels.")
    bounds = [int(offset) for offset in offsets]
    if bounds[0] < 0 or bounds[-1] > len(data) or any(begin >= end for begin, end in pairwise(bounds)):
        raise DataError(f"{path} has {split}_offsets that don't rise from 0 to the {len(data):,} bytes there are: make it again.")

    def called(number: int) -> str:
        return f"picture {number} of {split}"

    def picture(number: int) -> Picture:
        try:
            return images.decode(data[bounds[number] : bounds[number + 1]].tobytes(), called(number))
        except images.ImageError as error:
            raise DataError(f"{path}: {error}") from None

    return _Split(labels.astype(np.int64), picture, called)


def _class_folders(folder: Path, wanted: Collection[str]) -> _Found:
    """Pictures in folders that are named for their class."""
    rows = class_folders(folder, IMAGE_ENDINGS)
    by_split = {split: [row for row in rows if row.split == split] for split in SPLITS}
    classes = sorted({row.label for row in by_split["train"]})
    if not rows:
        raise DataError(f"{folder} has no pictures in it: put {IMAGE_FORMATS} files into a folder for each class, or name another folder.")
    if not classes:
        raise DataError(f"{folder} has no pictures to train on: put some into its folder train, or name another folder.")
    numbers = {label: number for number, label in enumerate(classes)}
    other = next((row for row in rows if row.label not in numbers), None)
    if other is not None:
        said = f"{folder} has {one_line(other.path)}, but no picture of {one_line(other.label, 60)} to train on"
        raise DataError(f"{said}: add some, or take it out.")

    def split(name: str) -> _Split:
        paths = [row.path for row in by_split[name]]

        def picture(number: int) -> Picture:
            try:
                return images.read(folder / paths[number])
            except images.ImageError as error:
                raise DataError(f"{folder} has the picture {one_line(paths[number])}, but {error}") from None

        labels = np.array([numbers[row.label] for row in by_split[name]], np.int64)
        return _Split(labels, picture, paths.__getitem__)

    splits = {name: split(name) for name in SPLITS if name in wanted and by_split[name]}
    if "valid" in wanted and len(classes) > 1 and "valid" not in splits:  # a tenth of a sorted list would be of one class
        raise DataError(f"{folder} has no picture for validation: add pictures, or put some of each class into a folder valid.")
    return _Found(folder, tuple(classes), splits)
