"""Errors by speaker: what the grid counts and keeps, for new runs and for those that ran before, and what needs no network."""

from __future__ import annotations

import csv
import sys
import types
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from adastride.clips import Clip, DataError
from adastride.models import Recogniser, RecogniserConfig
from adastride.speaker_counts import BASELINES, SpeakerCount, baseline_run, counts_text, read_counts
from adastride.text import compare
from adastride.training import grid, loop
from adastride.training.datasets import Source
from adastride.training.evaluate import evaluate
from adastride.training.grid import Options, append_counts, append_row, execute, read_grid, run_grid
from adastride.training.speakers import by_speaker, count_baselines, count_errors, frequent_answer

HERTZ = {"one": 300.0, "two": 900.0, "three": 2500.0}
GRID = """
[tasks.tones]
kind = "recogniser"
network = {units = "words", blocks = 1, heads = 2, kernel_size = 7}
preset = "reading"
data = ["tones"]
settings = {epochs = 1, patience = 1, batch_size = 4, share = SHARE}

[[blocks]]
tasks = ["tones"]
methods = ["strided-conv", "adastride"]
seeds = [0]
width = 16
"""


@pytest.fixture(autouse=True)
def _plain_main(monkeypatch: pytest.MonkeyPatch):
    """A new process begins by importing the main module, and a test of a page may have put that page in its place."""
    monkeypatch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))


def sound(text: str) -> np.ndarray:
    time = np.arange(4000) / 16_000
    return np.concatenate([0.3 * np.sin(2 * np.pi * HERTZ[word] * time) for word in text.split()]).astype(np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data set of two parts, with two speakers in the test split and a clip of several, and a grid of two runs."""
    texts = ["one two", "three", "two one", "one", "one three", "two"]
    rows = [(f"train-{n}.wav", text, "train", f"s{n % 3}", "a-clean") for n, text in enumerate(texts)]
    rows += [("valid-0.wav", "one two", "valid", "v", "a-clean"), ("valid-1.wav", "three", "valid", "v", "a-clean")]
    rows += [
        ("test-0.wav", "one two", "test", "ann", "a-clean"), ("test-1.wav", "three", "test", "ann", "b-other"),
        ("test-2.wav", "one", "test", "ann", "a-clean"),
        ("test-3.wav", "two three one", "test", "bob", "b-other"), ("test-4.wav", "one one", "test", "several", "b-other"),
        ("test-5.wav", "two", "test", "", "b-other"),
    ]
    (tmp_path / "tones").mkdir()
    for name, text, *_ in rows:
        soundfile.write(tmp_path / "tones" / name, sound(text), 16_000)
    with (tmp_path / "tones" / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "text", "split", "speaker", "source"), *rows])
    (tmp_path / "grid.toml").write_text(GRID.replace("SHARE", "1.0"), encoding="utf-8")
    (tmp_path / "runs").mkdir()
    return tmp_path


def options_of(folder: Path) -> Options:
    return Options(folder / "results.csv", folder / "runs")


def rates(folder: Path) -> dict[str, float]:
    """The error rate of each run, from the file of errors by speaker."""
    sums: dict[str, list[int]] = {}
    for count in read_counts(folder / "speakers.csv"):
        errors, units = sums.get(count.run, [0, 0])
        sums[count.run] = [errors + count.errors, units + count.units]
    return {run: errors / units for run, (errors, units) in sums.items()}


def test_a_manifests_source_is_the_part_of_its_clips(folder: Path):
    """Also where sounds come from the cache."""
    for _ in range(2):
        clips = Source(folder / "tones").clips("test", cache=folder / "cache")
        assert [clip.part for clip in clips] == ["a-clean", "b-other", "a-clean", *["b-other"] * 3]


def test_the_grid_keeps_errors_by_speaker_and_baselines(folder: Path):
    runs = read_grid(folder / "grid.toml", folder)
    assert run_grid(runs, options_of(folder), say=lambda _: None) == []
    counts = read_counts(folder / "speakers.csv")
    assert list(dict.fromkeys(count.run for count in counts)) == [
        runs[0].id, *(baseline_run("tones", None, name) for name in BASELINES), runs[1].id
    ]
    assert {(count.source, count.unit) for count in counts} == {("tones", "words")}
    own = [(count.part, count.speaker, count.clip, count.clips, count.units) for count in counts if count.run == runs[0].id]
    assert own == [
        ("a-clean", "ann", "", 2, 3), ("b-other", "ann", "", 1, 1), ("b-other", "bob", "", 1, 3), ("b-other", "", "test-4.wav", 1, 2),
        ("b-other", "", "test-5.wav", 1, 1),
    ]
    with (folder / "results.csv").open(newline="", encoding="utf-8") as file:
        measured = {row["run"]: float(row["metric:error_rate"]) for row in csv.DictReader(file)}
    assert {run: rates(folder)[run] for run in measured} == pytest.approx(measured, rel=1e-5)
    assert rates(folder)["tones-baseline-empty"] == 1


def test_runs_of_before_are_made_up_for_without_training(folder: Path):
    """Where their networks are still there; nothing is counted twice."""
    runs, options, lines = read_grid(folder / "grid.toml", folder), options_of(folder), []
    for run in runs:
        append_row(options.results, execute(run, options, lambda _: None))
    before = options.results.read_bytes()
    other = options.runs / f"{runs[1].id}.safetensors"
    other.rename(folder / "elsewhere")
    assert run_grid(runs, options, say=lines.append) == []
    assert lines == ["2 runs, 2 of them finished before (1 without errors by speaker, which are counted now), 1 at a time on CPU"]
    assert runs[0].id in rates(folder)
    assert runs[1].id not in rates(folder)
    text = options.speakers.read_bytes()
    assert run_grid(runs, options, say=lines.append) == []
    assert "without errors" not in lines[-1]
    assert options.speakers.read_bytes() == text
    assert options.results.read_bytes() == before
    assert not list(options.runs.glob("*.lock"))


def test_a_share_of_the_training_clips_is_what_a_line_says(folder: Path):
    """It said all of them."""
    (folder / "grid.toml").write_text(GRID.replace("SHARE", "0.5"), encoding="utf-8")
    run = read_grid(folder / "grid.toml", folder)[0]
    row = execute(run, options_of(folder), lambda _: None)
    used = [clip for clip in Source(folder / "tones").clips("train") if loop.in_share(clip.path, run.task.settings)]
    assert row["clips_train"] == len(used) < 6


def test_counts_are_those_of_an_evaluation():
    network = Recogniser(RecogniserConfig(units="words", tokens=tuple(HERTZ), width=16, blocks=1, heads=2, kernel_size=7)).eval()
    clips = [("x", Clip(sound(text), "", str(n), f"s{n % 2}", text)) for n, text in enumerate(["one two", "three one two", "two", "one"])]
    counts = count_errors("run", network, clips)
    assert [(count.speaker, count.clips, count.units) for count in counts] == [("s0", 2, 3), ("s1", 2, 4)]
    assert sum(count.errors for count in counts) / 7 == pytest.approx(evaluate(network, [clip for _, clip in clips]).value)


def test_the_same_name_in_two_folders_is_two_speakers():
    clips = [(source, Clip(np.zeros(1), "", "a.wav", "ann")) for source in "xyx"]
    assert [(count.source, count.errors) for count in by_speaker("r", clips, [1, 2, 4], [5, 5, 5], "words")] == [("x", 5), ("y", 2)]


@pytest.mark.parametrize("texts", [[["a", "b", "a", "c"], ["b", "a"], ["a"] * 3], [["a"], ["b", "c", "b"], ["a", "d", "e", "a", "a"]]])
def test_the_most_frequent_unit_makes_the_fewest_errors(texts: Sequence[Sequence[str]]):
    """By the distance itself, whatever the rate; with each rate the formula counts the same errors."""
    seconds = [0.5 * len(text) for text in texts]
    unit, rate = frequent_answer(texts, seconds)

    def errors(per_second: float) -> int:
        return sum(edits.errors for edits in compare(texts, [[unit] * round(per_second * time) for time in seconds]))

    assert unit == "a"
    assert errors(rate) == min(errors(per_second) for per_second in np.linspace(0, 4, 81))


def test_baselines_are_measured_with_the_texts_distance():
    network = Recogniser(RecogniserConfig(units="words", tokens=tuple(HERTZ), width=16, blocks=1, heads=2, kernel_size=7))
    train = [Clip(sound(text), "", "t", "s", text) for text in ("one one two", "one three one")]
    test = [("x", Clip(sound(text), "", "t", "s", text)) for text in ("two one three", "one one", "two")]
    counts = count_baselines({name: name for name in BASELINES}, network, train, test)
    # Two thirds of the words: of three words two are written, of two words one, of one word one.
    assert frequent_answer([text.text.split() for text in train], [0.75, 0.75]) == ("one", pytest.approx(2.0, abs=0.02))
    assert {count.run: (count.errors, count.units) for count in counts} == {"empty": (6, 6), "frequent": (2 + 1 + 1, 6)}


def test_clips_that_are_joined_have_no_baseline(folder: Path):
    text = GRID.replace("SHARE", "1.0").replace('preset = "reading"', 'preset = "strings"')
    (folder / "grid.toml").write_text(text, encoding="utf-8")
    run, options = read_grid(folder / "grid.toml", folder)[0], options_of(folder)
    execute(run, options, lambda _: None)
    assert {count.run for count in grid.speaker_counts(run, options)} == {run.id}


# --- the file


LINE = SpeakerCount("a", "speech", "=1+1", "367", "", 10, 3, 120, "words")


def test_lines_are_written_once_and_read_again(tmp_path: Path):
    path = tmp_path / "new" / "speakers.csv"
    append_counts(path, [LINE])
    append_counts(path, [LINE, SpeakerCount("b", "speech", "", "", "x.wav", 1, 0, 0, "words")])
    assert [count.run for count in read_counts(path)] == ["a", "b"]
    assert read_counts(path)[0] == LINE


@pytest.mark.parametrize(("old", "new"), [("run,", "runs,"), ("120", "many"), (",10,", ",0,"), (",words", "")])
def test_another_file_is_one_sentence(tmp_path: Path, old: str, new: str):
    path = tmp_path / "speakers.csv"
    path.write_text(counts_text([LINE]).replace(old, new), encoding="utf-8")
    with pytest.raises(DataError, match=r"speakers\.csv is no file of errors by speaker of this version: move it away"):
        append_counts(path, [LINE])
