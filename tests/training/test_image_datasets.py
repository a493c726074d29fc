"""Every layout of a data set of pictures, on small made-up ones, byte for byte like the real ones where these are binary."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import pickle
import random
import struct
import tarfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adastride.clips import DataError
from adastride.training import image_datasets
from adastride.training.image_datasets import ImageData, looks_like_pictures, read_images, read_test_pictures
from adastride.training.python_batches import BatchError, read_batch

TEN = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
BATCH = 20  # pictures in a batch here; 10 000 in CIFAR-10


def pixels(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 3072), dtype=np.uint8)


def refused(path: Path, says: str, **options: object) -> str:
    with pytest.raises(DataError, match=says) as caught:
        read_images(path, **options)
    text = str(caught.value)
    one_sentence(text.replace(str(path), "it"))
    assert text.startswith(str(path))
    return text


def one_sentence(text: str) -> None:
    assert text.endswith(".")
    assert ". " not in text
    assert "\n" not in text


# --- CIFAR as Python 2 and NumPy pickled it


class Pickler:
    """Writes what cPickle of Python 2 wrote with protocol 2: everything but small numbers gets a number in the memo, from 1 on."""

    def __init__(self):
        self.data, self.memo = io.BytesIO(), 0

    def put(self) -> bytes:
        self.memo += 1
        return b"q" + bytes([self.memo]) if self.memo < 256 else b"r" + struct.pack("<I", self.memo)

    def text(self, text: str) -> bytes:
        data = text.encode("latin-1")
        return (b"U" + bytes([len(data)]) if len(data) < 256 else b"T" + struct.pack("<I", len(data))) + data + self.put()

    def number(self, value: int) -> bytes:
        if 0 <= value < 256:
            return b"K" + bytes([value])
        return b"M" + struct.pack("<H", value) if 0 <= value < 65536 else b"J" + struct.pack("<i", value)

    def value(self, value: object) -> bytes:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, int):
            return self.number(value)
        if isinstance(value, list):
            return b"]" + self.put() + (b"(" + b"".join(map(self.value, value)) + b"e" if value else b"")
        if isinstance(value, dict):
            head = b"}" + self.put()
            return head + b"(" + b"".join(self.value(key) + self.value(each) for key, each in value.items()) + b"u"
        rows, columns = value.shape
        made = b"cnumpy.core.multiarray\n_reconstruct\n" + self.put() + b"cnumpy\nndarray\n" + self.put()
        made += b"K\x00\x85U\x01b\x87R" + self.put()
        shape = b"(K\x01" + self.number(rows) + self.number(columns) + b"\x86"
        kind = b"cnumpy\ndtype\n" + self.put() + b"U\x02u1K\x00K\x01\x87R" + self.put()
        kind += b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        return made + shape + kind + b"\x89T" + struct.pack("<I", value.size) + value.tobytes() + b"tb"


def pickled(value: object) -> bytes:
    return b"\x80\x02" + Pickler().value(value) + b"."


META = pickled({"num_cases_per_batch": 10000, "label_names": list(TEN), "num_vis": 3072})


def test_the_pickler_writes_what_is_distributed():
    """The checksum of CIFAR-10's own batches.meta."""
    assert hashlib.md5(META).hexdigest() == "5ff9c542aee3614f3951f8cda6e48888"


def test_a_batch_is_what_unpickling_it_gives():
    batch = {
        "batch_label": "training batch 1 of 5", "labels": [3, 1, 2], "data": pixels(3, 0),
        "filenames": [f"{name}.png" for name in "abc"], "n": [70_000, 300, -1, []],
    }
    whole = pickle.loads(pickled(batch), encoding="latin-1")  # here we have written it
    read = read_batch(pickled(batch))
    np.testing.assert_array_equal(whole.pop("data"), batch["data"])
    np.testing.assert_array_equal(read.pop("data"), batch.pop("data"))
    assert read == whole == batch


@pytest.mark.parametrize("data", [
    b"\x80\x02cos\nsystem\nU\x0ctouch marked\x85R.", b"cos\nsystem\n(S'touch marked'\ntR.",
    b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x0ctouch marked\x85R.", b"\x80\x02(U\x0ctouch markedios\nsystem\n.",
    b"\x80\x02cbuiltins\neval\nU\x0b__import__(1\x85R.", b"\x80\x02ccopy_reg\n_reconstructor\n(t\x81.",
    b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncos\nsystem\n\x85R.", b"\x80\x02cnumpy\ndtype\nU\x01O\x85R.",
    b"\x80\x02P1\n.", b"\x80\x02K\x01Q.",
])
def test_what_would_run_is_refused_and_not_run(data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "system", None)
    with pytest.raises(BatchError) as caught:
        read_batch(data)
    one_sentence(f"{caught.value}.")
    assert not list(tmp_path.iterdir())


def test_a_hostile_batch_is_a_sentence_that_names_it(tmp_path: Path):
    cifar10_python(tmp_path)
    (tmp_path / "data_batch_3").write_bytes(b"\x80\x02cos\nsystem\nU\x0ctouch marked\x85R.")
    assert "data_batch_3 names os.system" in refused(tmp_path, "none of CIFAR's numbers and texts")


def test_mutated_batches_are_refused_or_plain():
    whole = pickled({"labels": [1, 2, 3], "data": np.zeros((2, 200), np.uint8), "names": ["a", "b"]})
    seen = refused = 0
    for number in range(3000):
        draw, data = random.Random(number), bytearray(whole)
        for _ in range(draw.choice((1, 2, 4))):
            place = draw.choice((draw.randrange(len(data)), draw.randrange(min(len(data), 250))))
            if draw.random() < 0.7:
                data[place] = draw.choice((*b"().]}qhKUTRbtu0123\x85\x86\x87\x89\x8a", draw.randrange(256)))
            else:
                del data[place : place + draw.choice((1, 5))]
        try:
            batch = read_batch(bytes(data))
        except BatchError as error:
            one_sentence(f"{error}.")
            refused += 1
        else:
            assert all(isinstance(name, str) for name in batch)
            assert all(each.dtype == np.uint8 for each in batch.values() if isinstance(each, np.ndarray))
            seen += 1
    assert min(seen, refused) > 300


def test_a_batch_of_too_many_values(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("adastride.training.python_batches.MAX_INSTRUCTIONS", 100)
    with pytest.raises(BatchError, match="more than 100 values"):
        read_batch(b"\x80\x02" + 200 * b"K\x01" + b".")


# --- CIFAR's versions


def cifar10_binary(folder: Path) -> None:
    for number, name in enumerate([*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin"]):
        labels = (np.arange(BATCH, dtype=np.uint8) + number) % 10
        (folder / name).write_bytes(np.concatenate([labels[:, None], pixels(BATCH, number)], 1).tobytes())
    (folder / "batches.meta.txt").write_text("\n".join(TEN) + "\n\n", encoding="utf-8")
    (folder / "readme.html").write_text("read me", encoding="utf-8")


def cifar10_python(folder: Path) -> None:
    for number, name in enumerate([*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]):
        labels = [(n + number) % 10 for n in range(BATCH)]
        names = [f"{n}.png" for n in range(BATCH)]
        (folder / name).write_bytes(pickled({"batch_label": name, "labels": labels, "data": pixels(BATCH, number), "filenames": names}))
    (folder / "batches.meta").write_bytes(META)


def cifar100_binary(folder: Path) -> None:
    for number, (name, count) in enumerate({"train.bin": 200, "test.bin": 40}.items()):
        fine = np.arange(count, dtype=np.uint8) % 100
        (folder / name).write_bytes(np.concatenate([fine[:, None] // 5, fine[:, None], pixels(count, number)], 1).tobytes())
    (folder / "fine_label_names.txt").write_text("\n".join(f"fine {n}" for n in range(100)), encoding="utf-8")
    (folder / "coarse_label_names.txt").write_text("\n".join(f"coarse {n}" for n in range(20)), encoding="utf-8")


def cifar100_python(folder: Path) -> None:
    for number, (name, count) in enumerate({"train": 200, "test": 40}.items()):
        fine = [n % 100 for n in range(count)]
        (folder / name).write_bytes(pickled({"data": pixels(count, number), "coarse_labels": [n // 5 for n in fine], "fine_labels": fine}))
    names = {"fine_label_names": [f"fine {n}" for n in range(100)], "coarse_label_names": [f"coarse {n}" for n in range(20)]}
    (folder / "meta").write_bytes(pickled(names))


def same(one: ImageData, other: ImageData) -> None:
    assert one.classes == other.classes
    assert list(one.splits) == list(other.splits)
    for split, part in one.splits.items():
        np.testing.assert_array_equal(part.images, other.splits[split].images)
        np.testing.assert_array_equal(part.labels, other.splits[split].labels)


def made(folder: Path, write: Callable[[Path], None]) -> Path:
    folder.mkdir(parents=True)
    write(folder)
    return folder


@pytest.mark.parametrize("write", [cifar10_binary, cifar10_python])
def test_cifar_10(tmp_path: Path, write: Callable[[Path], None]):
    data = read_images(made(tmp_path / "cifar", write))
    assert (data.name, data.classes, data.size) == ("cifar", TEN, 32)
    assert {split: part.images.shape[0] for split, part in data.splits.items()} == {"train": 90, "valid": 10, "test": 20}
    assert data.splits["train"].images.shape[1:] == (3, 32, 32)
    assert data.splits["train"].images.dtype == np.uint8
    assert data.splits["train"].labels.dtype == np.int64
    np.testing.assert_array_equal(data.splits["train"].images[25], pixels(BATCH, 1)[5].reshape(3, 32, 32))
    np.testing.assert_array_equal(data.splits["valid"].images[-1], pixels(BATCH, 4)[-1].reshape(3, 32, 32))
    assert data.splits["valid"].labels.tolist() == [(n + 4) % 10 for n in range(10, 20)]
    assert data.splits["test"].labels.tolist() == [(n + 5) % 10 for n in range(20)]


def test_both_versions_are_one_data_set(tmp_path: Path):
    same(*(read_images(made(tmp_path / write.__name__, write)) for write in (cifar10_binary, cifar10_python)))
    for labels in ("fine", "coarse"):
        one, other = (
            read_images(made(tmp_path / labels / write.__name__, write), labels=labels) for write in (cifar100_binary, cifar100_python)
        )
        same(one, other)
        assert (len(one.classes), one.classes[1]) == (100, "fine 1") if labels == "fine" else (20, "coarse 1")
        assert one.splits["test"].labels[17] == (17 if labels == "fine" else 3)


@pytest.mark.parametrize(("name", "write"), [
    ("cifar-10-batches-bin", cifar10_binary), ("cifar-10-batches-py", cifar10_python),
    ("cifar-100-binary", cifar100_binary), ("cifar-100-python", cifar100_python),
])
def test_the_archive_and_the_folder_around_it(tmp_path: Path, name: str, write: Callable[[Path], None]):
    folder = made(tmp_path / "around" / name, write)
    archive = tmp_path / "cifar.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(folder, folder.name)
    whole = read_images(folder)
    same(whole, read_images(folder.parent))
    before = sorted(tmp_path.rglob("*"))
    same(whole, read_images(archive))
    assert read_images(archive).name == "cifar"
    assert sorted(tmp_path.rglob("*")) == before, "nothing is unpacked to disk"


def test_two_data_sets_in_one_folder(tmp_path: Path):
    made(tmp_path / "cifar-10-batches-bin", cifar10_binary)
    made(tmp_path / "cifar-100-binary", cifar100_binary)
    refused(tmp_path, "holds cifar-10-batches-bin and cifar-100-binary: name one")


def test_cifar_that_is_not_whole(tmp_path: Path):
    folder = made(tmp_path / "a", cifar10_binary)
    refused(folder, "one kind of labels", labels="coarse")
    data = (folder / "data_batch_3.bin").read_bytes()
    (folder / "data_batch_3.bin").write_bytes(data[:-1])
    assert "data_batch_3.bin has 61,459 bytes" in refused(folder, "no multiple of the 3,073 of a picture")
    (folder / "data_batch_3.bin").write_bytes(data[:3073] + b"\x0a" + data[3074:])
    refused(folder, "picture 41 of train is of class 10, where 10 classes are counted from 0")
    (folder / "data_batch_3.bin").unlink()
    refused(folder, r"lacks data_batch_3\.bin")
    (folder / "batches.meta.txt").unlink()
    refused(folder, r"lacks batches\.meta\.txt")


def test_batches_for_python_that_are_wrong(tmp_path: Path):
    folder = made(tmp_path / "a", cifar10_python)
    refused(folder, "one kind of labels", labels="coarse")
    for batch, says in (
        ({"labels": [1], "data": pixels(2, 0)}, "no label for each"), ({"labels": ["1", "2"], "data": pixels(2, 0)}, "no label for each"),
        ({"data": pixels(2, 0)}, "no label for each"), ({"labels": [1, 2], "data": pixels(2, 0)[:, 1:]}, "no pictures of 3,072 bytes"),
        ({"labels": [1, 2], "data": "text"}, "no pictures of 3,072 bytes"), ([1], "holds no dictionary"),
        ({"labels": [1, 11], "data": pixels(2, 0)}, "is of class 11"),
    ):
        (folder / "data_batch_1").write_bytes(pickled(batch))
        refused(folder, says)
    (folder / "data_batch_1").write_bytes(pickled({"labels": [1, 2], "data": pixels(2, 0)})[:-100])
    refused(folder, "data_batch_1 is damaged")
    (folder / "batches.meta").write_bytes(pickled({"label_names": [1, 2]}))
    refused(folder, "no names of classes")


def test_archives_that_are_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(b"no archive")
    refused(archive, r"can't be read as a \.tar\.gz")
    with tarfile.open(archive, "w:gz") as file:
        file.addfile(tarfile.TarInfo("other.txt"))
    refused(archive, "holds no batches of CIFAR")
    with tarfile.open(archive, "w:gz") as file:
        link = tarfile.TarInfo("cifar/train")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        file.addfile(link)
        sparse = tarfile.TarInfo("cifar/test")
        sparse.pax_headers = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.map": "0,0", "GNU.sparse.size": str(1 << 50)}
        file.addfile(sparse)
    refused(archive, "holds no batches of CIFAR")
    folder = made(tmp_path / "cifar", cifar10_binary)
    with tarfile.open(archive, "w:gz") as file:
        file.add(folder, "cifar")
    whole = archive.read_bytes()
    archive.write_bytes(whole[: len(whole) // 2])
    refused(archive, r"can't be read as a \.tar\.gz")
    archive.write_bytes(gzip.compress(gzip.decompress(whole) + bytes(1_000_000)))
    assert len(read_images(archive).splits["train"].labels) == 90
    monkeypatch.setattr(image_datasets, "MAX_ARCHIVE_BYTES", 200_000)
    refused(archive, "unpacks to more than the 0 MB allowed")


# --- .npz


def painted(number: int, size: int = 8, kind: str = "JPEG", width: int | None = None) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width or size, size), (number, 200 - number, 40)).save(file, kind)
    return file.getvalue()


def packed(folder: Path, count: int = 20, **other: np.ndarray | None) -> Path:
    arrays: dict[str, np.ndarray | None] = {"classes": np.array(["low", "high"])}
    for split, begin, end in (("train", 0, count), ("test", count, count + 6)):
        files = [painted(number) for number in range(begin, end)]
        arrays[f"{split}_jpeg"] = np.frombuffer(b"".join(files), np.uint8)
        arrays[f"{split}_offsets"] = np.cumsum([0, *map(len, files)])
        arrays[f"{split}_labels"] = np.arange(begin, end, dtype=np.uint8) % 2
    path = folder / "small.npz"
    np.savez_compressed(path, **{name: value for name, value in {**arrays, **other}.items() if value is not None})
    return path


def test_an_npz(tmp_path: Path):
    path = packed(tmp_path)
    data = read_images(path)
    assert (data.name, data.classes, data.size) == ("small", ("low", "high"), 8)
    assert {split: len(part.labels) for split, part in data.splits.items()} == {"train": 18, "valid": 2, "test": 6}
    assert data.splits["valid"].images.shape == (2, 3, 8, 8)
    assert np.abs(data.splits["valid"].images[:, :2].mean((2, 3)) - [(18, 182), (19, 181)]).max() < 3
    assert data.splits["test"].labels.tolist() == [0, 1] * 3
    same(data, read_images(tmp_path))
    assert read_images(path, size=5).splits["train"].images.shape == (18, 3, 5, 5)


def test_an_npz_that_is_wrong(tmp_path: Path):
    labels, offsets = np.arange(20) % 2, np.load(packed(tmp_path))["train_offsets"]
    for other, says in (
        ({"classes": None}, "lacks the array classes"), ({"train_offsets": None}, "lacks the array train_offsets"),
        ({"test_labels": None}, "lacks the array test_labels"),
        ({"classes": np.array([{}], object)}, r"can't be read as an \.npz .*allow_pickle"),
        ({"classes": np.arange(2)}, "no names in its array classes"), ({"classes": np.array(["low", "low"])}, "one name"),
        ({"train_labels": labels + 1}, "picture 1 of train is of class 2"),
        ({"train_labels": labels - 1}, "picture 0 of train is of class -1"),
        ({"train_labels": labels[1:]}, "don't go together"), ({"train_labels": labels / 2}, "don't go together"),
        ({"train_labels": 0 * labels}, "pictures of low alone"), ({"train_jpeg": np.zeros((20, 5), np.uint8)}, "one row of bytes"),
        ({"train_offsets": offsets + 1}, "don't rise from 0 to the"), ({"train_offsets": offsets - 1}, "don't rise"),
        ({"train_offsets": offsets[::-1]}, "don't rise"), ({"train_offsets": np.minimum(offsets + 3, offsets[-1])}, "picture 0 of train"),
        ({"train_offsets": offsets[:1], "train_labels": labels[:0]}, "no pictures to train on"),
        ({"train_offsets": offsets[:6], "train_labels": labels[:5]}, "too few"),
    ):
        refused(packed(tmp_path, **other), says)
    (tmp_path / "small.npz").write_bytes(b"PK\x03\x04 no zip")
    refused(tmp_path / "small.npz", r"can't be read as an \.npz")
    np.save(tmp_path / "one.npy", labels)
    (tmp_path / "small.npz").write_bytes((tmp_path / "one.npy").read_bytes())
    refused(tmp_path / "small.npz", r"can't be read as an \.npz")


# --- folders


def folders(root: Path, count: int = 30, under: str = "", classes: tuple[str, ...] = ("cat", "dog"), **options: int) -> Path:
    for label in classes:
        for number in range(count):
            path = root / under / label / f"{number}{('.png', '.JPG', '.webp', '.jpeg')[number % 4]}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(painted(2 * number, kind=("PNG", "JPEG", "WEBP", "JPEG")[number % 4], **options))
    return root


def test_a_folder_for_each_class(tmp_path: Path):
    folders(tmp_path, 100)
    (tmp_path / "meta").write_text("no file of CIFAR's", encoding="utf-8")
    (tmp_path / "cat" / "notes.txt").write_text("no picture", encoding="utf-8")
    (tmp_path / "cat" / "._0.png").write_bytes(b"of another system")
    data = read_images(tmp_path)
    assert (data.classes, data.size) == (("cat", "dog"), 8)
    shares = Counter({split: len(part.labels) for split, part in data.splits.items()})
    assert shares.total() == 200
    assert shares["train"] == pytest.approx(160, abs=20)
    assert min(shares["valid"], shares["test"]) > 8
    same(data, read_images(tmp_path))
    for label in (0, 1):
        reds = np.concatenate([part.images[part.labels == label, 0].mean((1, 2)) for part in data.splits.values()])
        assert np.abs(np.sort(reds) - np.arange(0, 200, 2)).max() < 4, "every picture is in one split"


def test_folders_for_splits(tmp_path: Path):
    for split, count in (("train", 12), ("val", 4), ("test", 3)):
        folders(tmp_path, count, split)
    data = read_images(tmp_path)
    assert {split: Counter(part.labels.tolist()) for split, part in data.splits.items()} == {
        "train": {0: 12, 1: 12}, "valid": {0: 4, 1: 4}, "test": {0: 3, 1: 3},
    }
    folders(tmp_path, 1, "test", ("emu",))
    refused(tmp_path, r"has test/emu/0\.png, but no picture of emu to train on")


def test_a_split_for_validation_is_made_of_the_training_pictures(tmp_path: Path):
    folders(tmp_path, 40, "train")
    data = read_images(tmp_path)
    assert set(data.splits) == {"train", "valid"}
    assert sum(len(part.labels) for part in data.splits.values()) == 80
    few = folders(tmp_path / "few", 1, "train")
    refused(few, "no picture for validation")


def test_pictures_of_several_sizes_need_a_size(tmp_path: Path):
    folders(tmp_path, 20)
    folders(tmp_path, 20, classes=("emu",), width=12)
    refused(tmp_path, r"pictures of several sizes .*emu/.* has 12 × 8 pixels\): name a size")
    assert read_images(tmp_path, size=6).splits["train"].images.shape[1:] == (3, 6, 6)
    refused(tmp_path, "name a size of at least 1", size=0)
    wide = folders(tmp_path / "wide", 20, width=12)
    refused(wide, "no squares")


def test_folders_that_are_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    refused(tmp_path / "none", "can't be read .No such file")
    refused(tmp_path, "has no pictures in it")
    (tmp_path / "a.txt").touch()
    refused(tmp_path / "a.txt", "is no data set of pictures")
    folders(tmp_path, 30, classes=("cat",))
    refused(tmp_path, "pictures of cat alone")
    folders(tmp_path)
    (tmp_path / "dog" / "11.jpeg").write_bytes(painted(1)[:-30])
    refused(tmp_path, r"has the picture dog/11\.jpeg, but 11\.jpeg breaks off")
    monkeypatch.setattr(image_datasets, "MAX_BYTES", 1000)
    refused(tmp_path, "more than the 0 GB allowed: choose a smaller size", size=100)
    testing = folders(tmp_path / "testing only", 3, "train")
    for path in (testing / "train").rglob("*.*"):
        path.unlink()
    folders(testing, 3, "test")
    refused(testing, "no pictures to train on")


# --- one picture of the test split at a time


def test_the_test_split_is_listed_and_its_pictures_are_decoded_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    layouts = {"npz": packed(made_folder(tmp_path / "npz")).parent, "folders": folders(tmp_path / "folders", 60)}
    layouts |= {write.__name__: made(tmp_path / write.__name__, write) for write in (cifar10_binary, cifar10_python, cifar100_python)}
    for name, folder in layouts.items():
        whole = read_images(folder)
        decoded, decode = [], image_datasets.images.decode
        monkeypatch.setattr(image_datasets.images, "decode", lambda *a, decode=decode, decoded=decoded, **b: decoded.append(1) or decode(*a, **b))
        listed = read_test_pictures(folder)
        assert not decoded, "listing decodes nothing"
        test = whole.splits["test"]
        assert sorted(number for numbers in listed.by_class.values() for number in numbers) == list(range(len(test.labels)))
        for label, numbers in listed.by_class.items():
            number = numbers[-1]
            assert whole.classes[test.labels[number]] == label
            picture = listed.picture(number)
            assert np.array_equal(picture.pixels.transpose(2, 0, 1), test.images[number]), name
            assert len(picture.sha256) == 64
        assert len(decoded) in (0, len(listed.by_class))
        monkeypatch.undo()


def test_of_the_training_pictures_nothing_is_read(tmp_path: Path):
    broken = packed(tmp_path, train_jpeg=None, train_offsets=None)
    assert {label: len(numbers) for label, numbers in read_test_pictures(broken.parent).by_class.items()} == {"low": 3, "high": 3}
    cifar = made(tmp_path / "cifar", cifar10_binary)
    (cifar / "data_batch_3.bin").write_bytes(b"cut off")
    assert set(read_test_pictures(cifar).by_class) <= set(TEN)


def test_test_pictures_that_can_t_be_had_are_refused(tmp_path: Path):
    for folder, says in (
        (packed(made_folder(tmp_path / "a"), test_jpeg=None).parent, "has no pictures to test with"),
        (packed(made_folder(tmp_path / "b"), test_labels=np.full(6, 7)).parent, "picture 0 of test is of class 7"),
        (folders(tmp_path / "c", 20, "train"), "has no pictures to test with"), (tmp_path / "none", "can't be read"),
    ):
        with pytest.raises(DataError, match=says) as caught:
            read_test_pictures(folder)
        one_sentence(str(caught.value).replace(str(tmp_path), "it"))
    damaged = packed(made_folder(tmp_path / "d"), test_jpeg=np.zeros(len(np.load(packed(tmp_path))["test_jpeg"]), np.uint8)).parent
    with pytest.raises(DataError, match="picture 0 of test"):
        read_test_pictures(damaged).picture(0)


def test_a_folder_of_pictures_is_known_by_its_looks(tmp_path: Path):
    for folder in (packed(made_folder(tmp_path / "npz")).parent, folders(tmp_path / "deep", 2, "train"), made(tmp_path / "cifar", cifar100_python)):
        assert looks_like_pictures(folder)
        assert looks_like_pictures(folder) == looks_like_pictures(str(folder))
    sounds = made_folder(tmp_path / "sounds")
    (sounds / "cover.png").write_bytes(painted(1))
    (sounds / "manifest.csv").write_text("path,label\n", encoding="utf-8")
    (made_folder(tmp_path / "words") / "yes.wav").touch()
    assert not any(map(looks_like_pictures, (sounds, tmp_path / "words", tmp_path / "nowhere", sounds / "cover.png")))


def made_folder(folder: Path) -> Path:
    folder.mkdir()
    return folder
