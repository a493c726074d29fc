"""Zips that somebody has sent, made to do harm or damaged on the way: whatever they hold, one sentence comes, and little memory goes.

What a good zip gives, and what people get wrong in one, is in tests/sweep/test_sweep.py.
"""

from __future__ import annotations

import random
import tracemalloc
import unicodedata
import zipfile

import pytest

from adastride.clips import Clip, DataError
from adastride.training import archive
from adastride.training.archive import read_zip
from tests.zips import sound, zipped


def refused(data: bytes, name: str = "a.zip") -> str:
    """The sentence a zip is refused with, at a peak of memory that has nothing to do with what it would unpack to."""
    tracemalloc.start()
    try:
        with pytest.raises(DataError) as caught:
            read_zip(data, name)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 30_000_000
    return one_sentence(str(caught.value))


def one_sentence(text: str) -> str:
    assert text.endswith(".")
    assert not [letter for letter in text if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") or letter in "\u202a\u202b\u202d\u202e\u2066\u2067"]
    assert "Traceback" not in text
    assert len(text) < 500
    return text


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=["bzip2", "lzma"])
def test_methods_that_unpack_all_at_once_are_refused(method: int):
    """100 MB of zeros are 20 kB at the most; a single read of one byte made all of them."""
    data = zipped({"low/a.wav": bytes(100_000_000)}, method)
    assert len(data) < 20_000
    assert "packed in an unusual way" in refused(data)


def test_stored_and_deflated_entries_are_read():
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        (clip,) = read_zip(zipped({"low/a.wav": sound()}, method), "a.zip")
        assert isinstance(clip, Clip)
        assert clip.label == "low"


def test_entries_are_counted_before_any_is_read(monkeypatch: pytest.MonkeyPatch):
    """Two million names in a directory would be two gigabytes of objects."""
    data = zipped({f"low/{number}.txt": "" for number in range(50)})
    monkeypatch.setattr(archive, "MAX_ENTRIES", 49)
    monkeypatch.setattr(archive.zipfile, "ZipFile", lambda *_: pytest.fail("its directory was read"))
    assert "has 50 entries" in refused(data)


def test_a_manifest_has_a_size_of_its_own():
    assert "manifest.csv of more than 5 MB" in refused(zipped({"low/a.wav": sound(), "manifest.csv": bytes(100_000_000)}))


@pytest.mark.parametrize(
    "manifest", ["path,label\n" + "a,b\n" * 30_000, "path,label" + ",x" * 1_000_000 + "\n" + "a\n" * 10_000, "path,label\n" + "," * 2_000_000],
    ids=["lines", "columns", "cells"],
)
def test_a_manifest_of_many_lines_or_columns_takes_little_memory(manifest: str):
    data = zipped({"low/a.wav": sound(), "manifest.csv": manifest})
    tracemalloc.start()
    with pytest.raises(DataError) as caught:
        read_zip(data, "a.zip")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200_000_000
    one_sentence(str(caught.value))


@pytest.mark.parametrize("row", ["a.wav", "", "a.wav,", ",low", '"a\nb.wav",low', "a.wav,low,test,more", "\0,low", "\u202ea.wav,low", "x" * 100_000 + ",low"])
def test_odd_lines_of_a_manifest(row: str):
    try:
        read_zip(zipped({"a.wav": sound(), "manifest.csv": f"path,label\n{row}\n"}), "a.zip")
    except DataError as error:
        one_sentence(str(error))


@pytest.mark.parametrize("name", ["low/a\n.wav", "a\u202eb.wav", "low/a\x1b[31m.wav", "a.wav", "../\n.wav", "x" * 3000 + ".wav"])
@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_odd_names_do_not_leave_the_sentence(name: str, method: int):
    refused(zipped({name: b"no sound"}, method), "b\n\u202e.zip")


def test_mutated_zips_give_clips_or_one_sentence():
    """A byte, a few bytes or a stretch changed, cut or doubled, in every part of a zip; zipfile raises a dozen kinds of errors for them."""
    wholes = [
        zipped({"low/a.wav": sound(), "high/b.wav": sound()}), zipped({"low/a.wav": sound(), "high/b.wav": sound()}, zipfile.ZIP_STORED),
        zipped({"a.wav": sound(), "b.wav": sound(), "manifest.csv": "path,label\na.wav,low\nb.wav,high\n"}, zipfile.ZIP_STORED),
        zipped({"low/a.wav": sound()}, zipfile.ZIP_LZMA), zipped({"low/a.wav": sound()}, zipfile.ZIP_BZIP2),
    ]
    draw, said = random.Random(0), set()
    for number in range(1500):
        data = bytearray(draw.choice(wholes))
        directory = data.find(b"PK\x01\x02")
        for _ in range(draw.choice((1, 1, 2, 5))):
            first = draw.choice((0, directory, directory, len(data) - 22))
            place = draw.randrange(first, min(len(data), first + 120)) if draw.random() < 0.8 else draw.randrange(len(data))
            data[place] = draw.choice((0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256)))
        if number % 10 == 0:
            del data[draw.randrange(len(data)) :]
        try:
            read_zip(bytes(data), "a.zip")
        except DataError as error:
            said.add(one_sentence(str(error))[:40])
    assert len(said) > 10
