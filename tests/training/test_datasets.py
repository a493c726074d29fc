"""Every layout of a data set, on small made-up trees like the real ones."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from adastride.clips import DataError
from adastride.training.datasets import COMMAND_WORDS, Row, Source


def sound(path: Path, seconds: float = 0.05, level: float = 0.1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.full(int(16_000 * seconds), level), 16_000)


def splits(rows: list[Row]) -> dict[str, list[str]]:
    return {split: sorted(row.path for row in rows if row.split == split) for split in ("train", "valid", "test")}


def refuses(source: Source, says: str) -> None:
    with pytest.raises(DataError, match=says) as caught:
        source.rows()
    text = str(caught.value)
    assert text.endswith(".")
    assert "\n" not in text


# --- manifests


@pytest.fixture
def spoken(tmp_path: Path) -> Path:
    """Three speakers, four clips each: two to train on, one valid, one test."""
    rows = [("path", "label", "speaker", "split")]
    for speaker in ("ann", "bob", "cid"):
        for number, split in enumerate(("train", "train", "valid", "test")):
            sound(tmp_path / f"{speaker}{number}.wav", level=0.01 * (number + 1))
            rows.append((f"{speaker}{number}.wav", str(number % 2), speaker, split))
    with (tmp_path / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return tmp_path


def test_a_manifest_keeps_its_own_split(spoken: Path):
    rows = Source(spoken).rows()
    assert splits(rows)["valid"] == ["ann2.wav", "bob2.wav", "cid2.wav"]
    assert Counter(row.split for row in rows) == {"train": 6, "valid": 3, "test": 3}
    assert Source(spoken).groups() == ["ann", "bob", "cid"]


def test_a_speaker_is_held_out_whole(spoken: Path):
    rows = Source(spoken, held_out="bob").rows()
    assert splits(rows)["test"] == [f"bob{n}.wav" for n in range(4)]
    assert splits(rows)["valid"] == ["ann2.wav", "cid2.wav"]
    assert len(splits(rows)["train"]) == 6, "the test clips of the others are trained on"


def test_a_speaker_nobody_knows_cannot_be_held_out(spoken: Path):
    refuses(Source(spoken, held_out="dee"), "no speaker, session or fold 'dee' to hold out: choose ann, bob, cid")


def test_decoded_clips_are_kept_until_a_file_changes(spoken: Path, tmp_path: Path):
    cache = tmp_path / "cache"
    fresh, kept = (Source(spoken).clips("train", cache=cache) for _ in range(2))
    plain = Source(spoken).clips("train")
    for one, other, third in zip(fresh, kept, plain, strict=True):
        assert (one.label, one.path, one.group) == (other.label, other.path, other.group) == (third.label, third.path, third.group)
        np.testing.assert_array_equal(one.samples, other.samples)
        np.testing.assert_array_equal(one.samples, third.samples)
    assert len(list(cache.iterdir())) == 1
    sound(spoken / "ann0.wav", seconds=0.1)
    assert Source(spoken).clips("train", cache=cache)[0].samples.size == 1600
    assert Source(spoken).clips("train", sample_rate=8000, cache=cache)[0].samples.size == 800


def test_a_damaged_cache_is_made_again(spoken: Path, tmp_path: Path):
    Source(spoken).clips("test", cache=tmp_path / "cache")
    (file,) = (tmp_path / "cache").iterdir()
    file.write_bytes(b"rubbish")
    assert len(Source(spoken).clips("test", cache=tmp_path / "cache")) == 3
    assert file.stat().st_size > 1000


def test_one_unreadable_clip_of_many_is_named(spoken: Path, tmp_path: Path):
    (spoken / "cid1.wav").write_bytes(b"RIFF")
    with pytest.raises(DataError, match=r"names cid1\.wav, but cid1\.wav can't be decoded"):
        Source(spoken).clips("train")
    with pytest.raises(DataError, match=r"cid1\.wav"):
        Source(spoken).clips("train", cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


# --- Speech Commands


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """Every word four times, of which one is valid and one test; ten other words as often; background noise of 30 s."""
    lists = {"validation_list.txt": [], "testing_list.txt": []}
    for word in [*COMMAND_WORDS, *(f"other{n}" for n in range(10))]:
        for number in range(4):
            name = f"{word}/{number:08x}_nohash_0.wav"
            sound(tmp_path / name)
            if number >= 2:
                lists["validation_list.txt" if number == 2 else "testing_list.txt"].append(name)
    for name, lines in lists.items():
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    sound(tmp_path / "_background_noise_" / "pink.wav", seconds=30.5)
    (tmp_path / "_background_noise_" / "README.md").write_text("about the noises")
    return tmp_path


def test_speech_commands_with_35_classes_takes_every_word(commands: Path):
    rows = Source(commands, classes=35).rows()
    assert len({row.label for row in rows}) == 20
    assert Counter(row.split for row in rows) == {"train": 40, "valid": 20, "test": 20}
    assert {row.group for row in rows} == {f"{n:08x}" for n in range(4)}


def test_speech_commands_with_12_classes(commands: Path):
    rows = Source(commands).rows()
    assert {row.label for row in rows} == {*COMMAND_WORDS, "unknown", "silence"}
    counts = Counter((row.split, row.label) for row in rows)
    assert counts["train", "yes"] == 2
    assert 0 < sum(count for (_, label), count in counts.items() if label == "unknown") < 20, "thinned out to about as many as one word has"
    assert sum(count for (_, label), count in counts.items() if label == "silence") == 30, "whole seconds of the noise"
    assert counts["train", "silence"] > counts["test", "silence"]
    assert rows == Source(commands).rows(), "the same every time"


def test_silence_is_cut_into_seconds(commands: Path):
    clips = [clip for clip in Source(commands).clips("train") if clip.label == "silence"]
    assert {clip.samples.size for clip in clips} == {16_000}


def test_a_list_that_names_a_missing_clip(commands: Path):
    with (commands / "testing_list.txt").open("a") as file:
        file.write("yes/missing_nohash_0.wav\n")
    refuses(Source(commands), r"testing_list\.txt names yes/missing_nohash_0\.wav, which is not there")


def test_other_numbers_of_classes_are_refused(commands: Path):
    refuses(Source(commands, classes=20), "12 or 35 classes, not 20")


# --- IEMOCAP

EVALUATION = """% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]

[6.2901 - 8.2357]\tSes0{n}F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]
C-E2:\tNeutral;\t()
[10.0100 - 11.3925]\tSes0{n}F_impro01_F001\texc\t[2.5000, 2.5000, 2.5000]
[14.8872 - 18.0175]\tSes0{n}F_impro01_M000\thap\t[2.5000, 2.5000, 2.5000]
[19.2900 - 20.7875]\tSes0{n}F_impro01_M001\txxx\t[2.5000, 3.0000, 2.5000]
[21.3257 - 24.7400]\tSes0{n}F_impro01_M002\tang\t[2.5000, 3.5000, 2.0000]
[25.0000 - 26.0000]\tSes0{n}F_impro01_M003\tsad\t[2.5000, 3.5000, 2.0000]
"""


@pytest.fixture
def iemocap(tmp_path: Path) -> Path:
    for n in range(1, 6):
        session = tmp_path / f"Session{n}"
        (session / "dialog" / "EmoEvaluation").mkdir(parents=True)
        (session / "dialog" / "EmoEvaluation" / f"Ses0{n}F_impro01.txt").write_text(EVALUATION.replace("{n}", str(n)))
        (session / "dialog" / "EmoEvaluation" / f"._Ses0{n}F_impro01.txt").write_bytes(b"\0\xff left by macOS")
        for name in ("F000", "F001", "M000", "M001", "M002", "M003"):
            sound(session / "sentences" / "wav" / f"Ses0{n}F_impro01" / f"Ses0{n}F_impro01_{name}.wav")
    return tmp_path


def test_iemocap_has_four_classes_and_excitement_is_happiness(iemocap: Path):
    rows = Source(iemocap).rows()
    assert Counter(row.label for row in rows) == {"neutral": 5, "happiness": 10, "anger": 5, "sadness": 5}
    assert all((iemocap / row.path).is_file() for row in rows)


@pytest.mark.parametrize(("held_out", "test", "valid"), [(None, "5", "4"), ("1", "1", "5"), ("3", "3", "2")])
def test_iemocap_leaves_a_session_out(iemocap: Path, held_out: str | None, test: str, valid: str):
    rows = Source(iemocap, held_out).rows()
    assert {row.group for row in rows if row.split == "test"} == {test}
    assert {row.group for row in rows if row.split == "valid"} == {valid}
    assert len({row.group for row in rows if row.split == "train"}) == 3
    assert len(Source(iemocap, held_out).clips("test")) == 5


def test_a_session_that_is_not_there(iemocap: Path):
    refuses(Source(iemocap, "9"), "no session '9' to hold out: choose 1, 2, 3, 4, 5")


# --- a folder for each class


def test_a_folder_for_each_class_is_split_by_name(tmp_path: Path):
    for label in ("cat", "dog"):
        for number in range(100):
            (tmp_path / label / "deep").mkdir(parents=True, exist_ok=True)
            (tmp_path / label / "deep" / f"{number}.flac").touch()
        (tmp_path / label / "notes.txt").touch()
        (tmp_path / label / ".hidden.wav").touch()
    (tmp_path / "_drafts").mkdir()
    (tmp_path / "_drafts" / "x.wav").touch()
    rows = Source(tmp_path).rows()
    assert Counter(row.label for row in rows) == {"cat": 100, "dog": 100}
    counts = Counter(row.split for row in rows)
    assert 140 <= counts["train"] <= 180
    assert min(counts["valid"], counts["test"]) >= 8
    before = {row.path: row.split for row in rows}
    (tmp_path / "cat" / "new.wav").touch()
    assert {row.path: row.split for row in Source(tmp_path).rows() if row.path != "cat/new.wav"} == before, "a new clip moves no other"


def test_folders_named_for_splits(tmp_path: Path):
    for split in ("train", "validation", "test"):
        for label in ("cat", "dog"):
            sound(tmp_path / split / label / "1.wav")
    rows = Source(tmp_path).rows()
    assert splits(rows)["valid"] == ["validation/cat/1.wav", "validation/dog/1.wav"]
    assert {row.label for row in rows} == {"cat", "dog"}
    assert len(Source(tmp_path).clips("test")) == 2


def test_without_a_valid_folder_a_tenth_of_train_is_valid(tmp_path: Path):
    for split in ("train", "test"):
        (tmp_path / split / "cat").mkdir(parents=True)
        for number in range(100):
            (tmp_path / split / "cat" / f"{number}.wav").touch()
    counts = Counter(row.split for row in Source(tmp_path).rows())
    assert counts["test"] == 100
    assert 3 <= counts["valid"] <= 20


def test_a_folder_without_sounds(tmp_path: Path):
    refuses(Source(tmp_path), r"manifest\.csv can't be read \(No such file")
    refuses(Source(tmp_path / "none"), r"manifest\.csv can't be read")
