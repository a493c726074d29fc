"""`transcribe` on the command line: what it prints and writes, and that bad input ends in one sentence and exit code 2."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from praatio import textgrid

from adastride import checkpoints, cli
from adastride.models import Classifier, ClassifierConfig, Recogniser, RecogniserConfig


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recogniser whose head says a word for each frequency it hears, a classifier, and clips."""
    path = tmp_path_factory.mktemp("transcribe")
    torch.manual_seed(3)
    network = Recogniser(RecogniserConfig("words", ("one", "two", "three"), width=16, blocks=1, heads=2)).eval()
    torch.nn.init.normal_(network.head.weight, std=2.0)
    checkpoints.save_checkpoint(network, path / "reader.safetensors", {})
    checkpoints.save_checkpoint(Classifier(ClassifierConfig(("a", "b"), width=8)), path / "sorter.safetensors", {})
    generator = np.random.default_rng(0)
    for name, seconds in (("first", 1.0), ("second", 0.5)):
        soundfile.write(path / f"{name}.wav", 0.2 * generator.standard_normal(int(16_000 * seconds)) * np.sin(np.arange(int(16_000 * seconds)) / 1500), 16_000)
    (path / "broken.wav").write_bytes(b"RIFF no sound")
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = cli.main(["transcribe", *map(str, arguments)])
    seen = capsys.readouterr()
    return code, seen.out, seen.err


def test_json_is_one_line_for_each_clip(capsys, folder: Path):
    code, out, err = run(capsys, folder / "first.wav", folder / "second.wav", "--checkpoint", folder / "reader.safetensors", "--json")
    first, second = map(json.loads, out.splitlines())
    assert (code, err) == (0, "")
    assert list(first) == ["text", "segments", "checkpoint", "seconds"]
    assert (first["checkpoint"], first["seconds"], second["seconds"]) == ("reader", 1.0, 0.5)
    assert first["text"].split() == [segment["text"] for segment in first["segments"]]
    assert all(0 <= each["start"] <= each["end"] <= 1 and 0 < each["probability"] <= 1 for each in first["segments"])


def test_beams_add_readings_the_best_first(capsys, folder: Path):
    _, out, _ = run(capsys, folder / "first.wav", "--checkpoint", folder / "reader.safetensors", "--json", "--beams", 20)
    readings = json.loads(out)["readings"]
    assert len(readings) == 2
    assert readings[0]["log_probability"] >= readings[1]["log_probability"]
    _, out, _ = run(capsys, folder / "first.wav", "--checkpoint", folder / "reader.safetensors", "--beams", 20)
    assert "reading 2, log-probability" in out


def test_files_for_praat_and_for_players(capsys, folder: Path, tmp_path: Path):
    grid, subtitles = tmp_path / "a.TextGrid", tmp_path / "a.srt"
    code, out, _ = run(capsys, folder / "first.wav", "--checkpoint", folder / "reader.safetensors", "--textgrid", grid, "--srt", subtitles)
    assert code == 0
    assert out.startswith("first.wav: ")
    assert f"wrote {grid}" in out
    words = [entry.label for entry in textgrid.openTextgrid(str(grid), includeEmptyIntervals=False).getTier("words").entries]
    assert words
    assert subtitles.read_text(encoding="utf-8").startswith("1\n00:00:0")


@pytest.mark.parametrize(("arguments", "says"), [
    (["first.wav", "--checkpoint", "sorter.safetensors"], "sorter is a classifier and writes no text: choose"),
    (["first.wav", "second.wav", "--checkpoint", "reader.safetensors", "--srt", "out.srt"], "--srt takes one clip at a time, and here are 2"),
    (["broken.wav", "--checkpoint", "reader.safetensors"], "broken.wav can't be decoded"),
    (["nowhere.wav"], "there is no file"),
    (["first.wav", "--checkpoint", "reader.safetensors", "--beams", "99"], "expected a whole number from 1 to 50, got '99'"),
    (["first.wav", "--checkpoint", "reader.safetensors", "--textgrid", "first.wav"], "CLIP and --textgrid are the same file"),
])
def test_bad_input_is_one_sentence(capsys, folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str):
    monkeypatch.chdir(folder)
    code, out, err = run(capsys, *arguments)
    assert (code, out, len(err.splitlines())) == (2, "", 1), err
    assert says in err


def test_one_bad_clip_of_several_does_not_stop_the_others(capsys, folder: Path):
    code, out, err = run(capsys, folder / "broken.wav", folder / "second.wav", "--checkpoint", folder / "reader.safetensors", "--json")
    assert code == 2
    assert json.loads(out)["seconds"] == 0.5
    assert "broken.wav can't be decoded" in err
    assert "1 of 2 clips could not be read" in err
