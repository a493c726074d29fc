"""The folders of connected words that recognisers train on, made of made-up recordings and voices: a tone for each split."""

from __future__ import annotations

import csv
import hashlib
import importlib
import sys
import tomllib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from adastride.subjects import SUBJECTS
from adastride.text import Vocabulary, learned_tokens

ROOT = Path(__file__).resolve().parents[1]
HERTZ = {"train": 300.0, "valid": 900.0, "test": 2500.0}
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
COMMANDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
OTHERS = ("bed", "silence")
VOCABULARIES = {"make_digit_strings": DIGITS, "make_word_strings": (*DIGITS, *COMMANDS)}
Rows = list[dict[str, str]]


def tone(split: str, word: str, rate: int) -> np.ndarray:
    """A word as a tone of its split, as long as its letters."""
    return (0.3 * np.sin(2 * np.pi * HERTZ[split] * np.arange(int(0.04 * len(word) * rate)) / rate)).astype(np.float32)


def write_data(folder: Path, rate: int, rows: Rows) -> None:
    folder.mkdir()
    for row in rows:
        soundfile.write(folder / row["path"], tone(row["split"], row["word"], rate), rate)
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def fsdd() -> Rows:
    """Two people in every split, who say every digit."""
    return [
        {"path": f"{split}-{person}-{digit}.wav", "label": str(digit), "word": word, "speaker": person, "split": split}
        for split in HERTZ for person in ("ann", "bob") for digit, word in enumerate(DIGITS)
    ]


def commands() -> Rows:
    """In every split one person who says all but six words, one who says those, and "go" thirty times."""
    rows: Rows = []
    for split in HERTZ:
        rest = [*DIGITS[:3], *COMMANDS[:3], *OTHERS, *["go"] * 30]
        said = [*((word, "most") for word in (*DIGITS[3:], *COMMANDS[3:])), *((word, "rest") for word in rest)]
        for number, (word, person) in enumerate(said):
            label = word if word in COMMANDS else "unknown"
            rows.append({"path": f"{split}-{number}.wav", "label": label, "word": word, "speaker": f"{split}-{person}", "split": split})
    return rows


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder that each script makes, called as the grid calls it."""
    root = tmp_path_factory.mktemp("strings")
    write_data(root / "fsdd", 8000, fsdd())
    write_data(root / "commands", 16_000, commands())
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "samples"))
        patch.setenv("ADASTRIDE_DATA", str(root))
        strings = importlib.import_module("make_digit_strings")
        split_of = {variant: split for split, variants in strings.VARIANTS.items() for variant in variants}
        patch.setattr(strings, "ACCENTS", strings.ACCENTS[:2])
        patch.setattr(strings, "speak", lambda text, voice, *_: (tone(split_of[voice.split("+")[1]], text, 16_000), 16_000))
        for name, word_set in (("make_digit_strings", "DIGITS"), ("make_word_strings", "DIGITS_AND_COMMANDS")):
            script = importlib.import_module(name)
            patch.setattr(sys, "argv", [name, str(root / name)])
            script.main(getattr(script, word_set), script.__doc__)
        patch.setattr(sys, "argv", [name])
        with pytest.raises(SystemExit, match=f"Usage: python samples/{name}.py"):
            script.main(getattr(script, word_set), script.__doc__)
    return {name: root / name for name in VOCABULARIES}


def rows_of(folder: Path) -> Rows:
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("name", "words"), VOCABULARIES.items())
def test_a_folder_has_single_words_to_train_and_strings_to_test(made: dict[str, Path], name: str, words: tuple[str, ...]):
    rows = rows_of(made[name])
    train = [row for row in rows if row["split"] == "train"]
    assert {row["text"] for row in train} == set(words)
    assert {row["text"] for row in train if row["source"] == "fsdd"} == set(DIGITS)
    assert Counter(row["source"] for row in train) == {
        "fsdd": 20, "voices": 2 * 12 * len(words), "commands": len(words) + 30 * ("go" in words),
    }
    assert Counter((row["split"], row["source"]) for row in rows if row["split"] != "train") == {
        ("valid", "fsdd"): 80, ("valid", "commands"): 50, ("valid", "voices"): 50, ("valid", "uncut"): 40,
        ("test", "fsdd"): 150, ("test", "commands"): 100, ("test", "voices"): 100, ("test", "uncut"): 100,
    }
    vocabulary = Vocabulary("words", learned_tokens("words", [row["text"] for row in train]))
    for row in rows:
        if row["split"] != "train":
            assert (3 if row["source"] == "uncut" else 1) <= len(vocabulary.encode(row["text"])) <= 7


def energies(path: Path) -> dict[str, float]:
    """The energy of every split's tone in a clip at 16 kHz, in frames of 20 ms, in which the tones are orthogonal."""
    samples, rate = soundfile.read(path)
    assert rate == 16_000
    waves = np.exp(2j * np.pi * np.outer(np.arange(320) / rate, list(HERTZ.values())))
    return dict(zip(HERTZ, np.square(np.abs(samples[: samples.size // 320 * 320].reshape(-1, 320) @ waves)).sum(0), strict=True))


@pytest.mark.parametrize("name", VOCABULARIES)
def test_no_recording_and_no_voice_is_in_two_splits(made: dict[str, Path], name: str):
    """Every recording and voice of a split is a tone of that split."""
    rows, speakers = rows_of(made[name]), {}
    for row in rows:
        energy = energies(made[name] / row["path"])
        assert energy[row["split"]] > 0.9 * sum(energy.values()), f"sounds of two splits: {row}"
        if row["source"] != "fsdd" and row["speaker"] != "several":
            assert speakers.setdefault(row["speaker"], row["split"]) == row["split"]
    assert set(speakers.values()) == set(HERTZ)


@pytest.mark.parametrize("name", VOCABULARIES)
def test_a_string_is_of_one_speaker_who_said_every_word_of_the_source(made: dict[str, Path], name: str):
    strings = [row for row in rows_of(made[name]) if row["split"] != "train"]
    assert {row["speaker"] for row in strings if row["source"] == "fsdd"} == {"fsdd ann", "fsdd bob"}
    assert "several" not in {row["speaker"] for row in strings if row["source"] == "voices"}
    assert {row["speaker"] for row in strings if row["source"] == "commands"} == {"several"}, "nobody said all of them"


def test_words_are_drawn_evenly_however_many_recordings_there_are(made: dict[str, Path]):
    """Of 49 recordings thirty-one are of "go"."""
    rows = [row for row in rows_of(made["make_word_strings"]) if row["split"] == "test"]
    for source in ("commands", "voices", "uncut"):
        counts = Counter(word for row in rows if row["source"] == source for word in row["text"].split())
        mean = counts.total() / 20
        assert len(counts) == 20
        assert 0.3 * mean < min(counts.values()) <= max(counts.values()) < 2.2 * mean, counts


def test_a_set_names_itself_and_its_script(made: dict[str, Path]):
    for name, title in (("make_digit_strings", "# Connected digits\n"), ("make_word_strings", "# Connected digits and commands\n")):
        text = (made[name] / "README.md").read_text(encoding="utf-8")
        assert text.startswith(title)
        assert f"samples/{name}.py" in text
        assert (ROOT / "samples" / f"{name}.py").is_file()


def test_the_digits_stay_what_shipped_networks_were_trained_on(made: dict[str, Path]):
    """The manifest that the script made of these recordings before it knew other words."""
    assert hashlib.sha256((made["make_digit_strings"] / "manifest.csv").read_bytes()).hexdigest()[:16] == "24211bdcf1e6808f"


def test_tasks_of_the_grid_have_their_script_and_name():
    grid = tomllib.loads((ROOT / "results" / "recognition.toml").read_text(encoding="utf-8"))
    scripts = {task: [extra["script"] for extra in entry.get("extra", ())] for task, entry in grid["tasks"].items()}
    assert scripts["words-string"] == ["../samples/make_word_strings.py"]
    assert all((ROOT / "results" / script).is_file() for some in scripts.values() for script in some)
    assert {"digits-string", "words-string", "phonemes"} <= {*SUBJECTS}
    assert grid["blocks"][-1] == {"tasks": ["words-string"], "methods": ["strided-conv", "adastride"], "seeds": [0], "width": 112}
