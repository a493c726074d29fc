"""Networks of spectrograms: one learns two tasks at once, goes on where it was stopped, is measured, and stands in a grid's files."""

from __future__ import annotations

import csv
import json
import sys
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from adastride import checkpoints
from adastride.cli import main
from adastride.clips import DataError
from adastride.image_runs import read_image_epochs
from adastride.models.picture_network import Head
from adastride.models.spectrograms import SpectrogramClassifier, SpectrogramConfig
from adastride.spectrogram_runs import EPOCHS_FILE, FILE, SpectrogramRunLine, read_spectrogram_runs, spectrogram_runs_text
from adastride.training.picture_loop import finished_history
from adastride.training.spectrogram_grid import read_spectrogram_grid
from adastride.training.spectrograms import (
    SpectrogramTask,
    SpectrogramTraining,
    Windows,
    evaluate_spectrograms,
    read_spectrograms,
    train_spectrograms,
    windows_of,
)

SETTINGS = SpectrogramTraining(epochs=2, batch_size=16, steps=12)
MEL = SpectrogramConfig(("a",), (("a", "b"),)).mel
GRID = """
spectrograms = true
[tasks.pitch]
data = "pitch"
note = "tones"
[tasks.place]
data = "place"
[[blocks]]
tasks = ["pitch+place", "pitch"]
methods = ["diffstride", "adastride"]
cost_weights = [0.0, 1.0]
seeds = [0]
width = 2
settings = {epochs = 1, batch_size = 8, steps = 3}
"""


@pytest.fixture(autouse=True)
def nothing_else_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes of a grid run the main module again, which a test of a page may have left behind."""
    monkeypatch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two data sets: tones that are low or high, and noise that comes early or late, of half a second to two seconds."""
    root, generator = tmp_path_factory.mktemp("sounds"), np.random.default_rng(0)
    for task, labels in (("pitch", ("high", "low")), ("place", ("early", "late"))):
        rows = []
        for split, count in (("train", 16), ("valid", 8), ("test", 8)):
            for number in range(count):
                label, seconds = labels[number % 2], generator.uniform(0.5, 2.0) if task == "pitch" else 0.9
                samples = 0.003 * generator.standard_normal(int(16_000 * seconds))
                if task == "pitch":
                    samples += 0.3 * np.sin(2 * np.pi * (300 if label == "low" else 3000) * np.arange(samples.size) / 16_000)
                else:
                    begin = 0 if label == "early" else samples.size // 2
                    samples[begin : begin + samples.size // 2] += 0.2 * generator.standard_normal(samples.size // 2)
                path = root / task / f"{split}{number}.wav"
                path.parent.mkdir(exist_ok=True)
                soundfile.write(path, samples, 16_000)
                rows.append({"path": path.name, "label": label, "split": split})
        with (root / task / "manifest.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, ["path", "label", "split"])
            writer.writeheader()
            writer.writerows(rows)
    (root / "grid.toml").write_text(GRID, encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def data(folder: Path) -> list[SpectrogramTask]:
    return [read_spectrograms(folder / name, MEL) for name in ("pitch", "place")]


def config_of(data: list[SpectrogramTask], method: str = "avg-pool") -> SpectrogramConfig:
    return SpectrogramConfig(tuple(each.task for each in data), tuple(each.classes for each in data), method, width=4)


def test_what_is_read(data: list[SpectrogramTask]):
    pitch = data[0]
    assert pitch.head == Head("pitch", ("high", "low"))
    assert [len(pitch.splits[split].labels) for split in ("train", "valid", "test")] == [16, 8, 8]
    for picture, label in zip(pitch.splits["train"].pictures, pitch.splits["train"].labels, strict=True):
        assert picture.dtype == np.uint8
        assert picture.shape[0] == 64
        loudest = int(picture.astype(int).mean(axis=1).argmax())  # rows begin at the highest band
        assert (loudest < 32) == (label == 0)


def test_one_network_learns_both(data: list[SpectrogramTask], tmp_path: Path):
    seen = []
    settings = replace(SETTINGS, epochs=4, time_mask=0)
    network = train_spectrograms(data, tmp_path / "both.safetensors", config_of(data), settings, report=seen.append)
    assert [progress.epoch for progress in seen] == [1, 2, 3, 4]
    found = [evaluate_spectrograms(network, each) for each in data]
    assert [each.task for each in found] == ["pitch", "place"]
    assert all(each.accuracy > 0.8 and each.clips == each.confusion.sum() == 8 for each in found), [each.accuracy for each in found]
    assert checkpoints.details(tmp_path / "both.safetensors")["kind"] == "spectrogram"
    with pytest.raises(DataError, match="does not tell the classes of other apart"):
        evaluate_spectrograms(network, replace(data[0], task="other"))
    with pytest.raises(DataError, match="the network's tasks are place"):
        train_spectrograms(data, tmp_path / "other.safetensors", config_of(data[1:]), SETTINGS)


def test_who_is_interrupted_gets_the_same_numbers(data: list[SpectrogramTask], tmp_path: Path):
    def stop(progress):
        raise KeyboardInterrupt

    config = config_of(data, "diffstride")
    whole = train_spectrograms(data, tmp_path / "whole.safetensors", config, SETTINGS)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            train_spectrograms(data, tmp_path / "parts.safetensors", config, SETTINGS, report=stop)
    parts = train_spectrograms(data, tmp_path / "parts.safetensors", config, SETTINGS)
    for name, tensor in whole.state_dict().items():
        torch.testing.assert_close(parts.state_dict()[name], tensor, rtol=0, atol=0, msg=name)
    history = finished_history(tmp_path / "parts.safetensors")
    assert history[0]["strides"] == [[2.0, 2.0]] * 4
    assert history[-1]["strides"] != history[0]["strides"]


def test_a_window_that_nobody_asks_about_changes_nothing(data: list[SpectrogramTask], tmp_path: Path):
    """The loss of a window is that of its own head: the logits of others have no gradient."""
    lesson = Windows(data, config_of(data), SETTINGS)
    logits = torch.zeros(2, 4, requires_grad=True)
    lesson.errors(logits, torch.tensor([1, 2])).backward()
    assert (logits.grad != 0).tolist() == [[True, True, False, False], [False, False, True, True]]
    assert float(lesson.errors(logits.detach(), torch.tensor([1, 2]))) == pytest.approx(np.log(2))


def test_batches_share_among_tasks_and_come_again(data: list[SpectrogramTask]):
    lesson = Windows(data, config_of(data), SETTINGS)
    batches = list(lesson.batches(3))
    assert len(batches) == SETTINGS.steps
    for (pictures, labels), (same, same_labels) in zip(batches, lesson.batches(3), strict=True):
        assert pictures.shape == (16, 1, 64, 100)
        assert ((labels < 2).sum(), (labels >= 2).sum()) == (8, 8)
        assert torch.equal(pictures, same)
        assert torch.equal(labels, same_labels)
    assert not torch.equal(batches[0][0], next(lesson.batches(4))[0])


@pytest.mark.parametrize(("frames", "windows"), [(1, 1), (40, 1), (100, 1), (101, 1), (102, 2), (250, 3), (301, 3)])
def test_windows_of_a_clip(frames: int, windows: int):
    """Nothing is left out but a last frame alone, and what is missing is silent, on both sides alike."""
    found = windows_of(np.full((2, frames), 9, np.uint8), 100)
    assert found.shape == (windows, 2, 100)
    assert (found[:, 0] == 9).sum() in (frames, frames - 1)
    silent = np.flatnonzero(found[-1, 0] == 0)
    if silent.size:
        assert abs((silent < 50).sum() - (silent >= 50).sum()) <= 1


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"batch_size": 1}, {"learning_rate": 0.0}, {"steps": 0}, {"gain_db": -1.0}])
def test_settings_out_of_range(wrong: dict):
    with pytest.raises(ValueError, match=r"must be|needs"):
        SpectrogramTraining(**wrong)


def test_a_grid_runs_once(folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    command = ["grid", str(folder / "grid.toml"), "--data-root", str(folder), "--runs", str(tmp_path / "runs"), "--results", str(tmp_path / FILE),
               "--device", "cpu", "--only", "pitch+place/adastride"]
    assert main(command) == 0
    lines, epochs = read_spectrogram_runs(tmp_path / FILE), read_image_epochs(tmp_path / EPOCHS_FILE)
    assert [(line.run, line.task) for line in lines] == [("pitch+place-adastride-sigma5-e1-s0", task) for task in ("pitch", "place")]
    assert [line.note for line in lines] == ["tones", "tones"]
    assert [(line.epoch, line.strides) for line in epochs] == [(0, "2x2 2x2 2x2 2x2"), (1, "2x2 2x2 2x2 2x2")]
    network = checkpoints.load_pictures(tmp_path / "runs" / f"{lines[0].run}.safetensors")
    for line in lines:
        assert evaluate_spectrograms(network, read_spectrograms(folder / line.task, MEL)).accuracy == pytest.approx(line.accuracy, abs=1e-5)
    before = (tmp_path / FILE).read_bytes()
    assert main(command) == 0
    assert (tmp_path / FILE).read_bytes() == before
    assert "1 of them finished before" in capfd.readouterr().out
    assert main(["grid", str(folder / "grid.toml"), "--data-root", str(folder), "--list"]) == 0
    assert capfd.readouterr().out.split()[:2] == ["pitch+place-diffstride-e1-s0", "pitch+place-diffstride-lambda1-e1-s0"]


@pytest.mark.parametrize(("old", "new", "said"), [
    ('methods = ["diffstride", "adastride"]', 'methods = ["nothing"]', "nothing"), ("width = 2", "", "width"), ("epochs = 1", "epoch = 1", "epoch"),
    ('"pitch+place"', '"pitch+pitch"', "no two alike"), ('"pitch+place"', '"other"', "other"), ("steps = 3", "steps = 0", "step"),
    ("seeds = [0]", "seeds = [0]\nstrides = [[[2, 2]]]", "stride"), ("spectrograms = true", "spectrograms = true\nwrong", "TOML"),
])
def test_a_wrong_grid_is_one_sentence(folder: Path, tmp_path: Path, old: str, new: str, said: str):
    assert old in GRID
    (tmp_path / "wrong.toml").write_text(GRID.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DataError, match=said) as caught:
        read_spectrogram_grid(tmp_path / "wrong.toml", folder)
    assert "wrong.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_projects_grid():
    runs = read_spectrogram_grid(Path(__file__).parents[2] / "results" / "spectrograms.toml", "data")
    assert len({run.id for run in runs}) == len(runs)
    assert {(run.together, run.method) for run in runs} >= {("digits+commands+emotion+scenes", "diffstride"), ("emotion", "strided-conv")}


def line(**changes: object) -> SpectrogramRunLine:
    values = {
        "run": "a", "task": "pitch", "together": "pitch+place", "method": "diffstride", "sigma_inv2": 0.0, "start": "2x2 2x2", "cost_weight": 0.0,
        "seed": 0, "width": 4, "epochs": 1, "best_epoch": 1, "clips": 40, "accuracy": 0.5, "loss": 0.7, "valid_accuracy": 0.5, "strides": "2x2 1.5x2",
        "cost": 0.3, "parameters": 100, "seconds_per_epoch": 1.0, "peak_memory_mb": 1.0, "inference_ms": 1.0, "device": "CPU", "threads": 1,
        "torch": "2", "version": "1", "git": "", "finished": "", "note": "=1+1",
    }
    return SpectrogramRunLine(**{**values, **changes})


@pytest.mark.parametrize("wrong", [{"accuracy": 1.5}, {"strides": "2x2"}, {"strides": "0x2 2x2"}, {"task": "other"}, {"clips": 0}])
def test_a_damaged_file_is_one_sentence(tmp_path: Path, wrong: dict):
    (tmp_path / FILE).write_text(spectrogram_runs_text([line()]), encoding="utf-8")
    assert read_spectrogram_runs(tmp_path / FILE) == [line()]
    (tmp_path / FILE).write_text(spectrogram_runs_text([line(**wrong)]), encoding="utf-8")
    with pytest.raises(ValueError, match="move it away and run python -m adastride grid"):
        read_spectrogram_runs(tmp_path / FILE)


def test_train_and_evaluate_at_the_command_line(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out, both = tmp_path / "mine.safetensors", ["--data", str(folder / "pitch"), "--data", str(folder / "place"), "--device", "cpu"]
    command = ["train", "--task", "spectrogram", *both, "--method", "avg-pool", "--strides", "2x1,1.5x2,2x2,2x2", "--width", "2", "--epochs", "1"]
    assert main([*command, "--batch-size", "8", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "pitch: 16 training clips, 2 classes" in said
    assert "strides 2x1 1.5x2 2x2 2x2" in said
    assert main(["evaluate", str(out), *both, "--json"]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert [(task["task"], task["clips"], np.sum(task["confusion"])) for task in measured["tasks"]] == [("pitch", 8, 8), ("place", 8, 8)]
    assert measured["strides"] == [[2, 1], [1.5, 2], [2, 2], [2, 2]]
    assert main(["evaluate", str(out), *both, "--split", "valid"]) == 0
    assert "place on 8 clips" in capsys.readouterr().out


@pytest.mark.parametrize(("options", "said"), [
    (["--preset", "digits"], "--preset is for networks of sound"), (["--size", "16"], "--size is for networks of pictures"),
    (["--strides", "2x2"], "each of 4 layers"), (["--method", "nothing"], "unknown method"), (["--blocks", "2"], "--blocks is for networks of pictures"),
])
def test_options_that_do_not_go_together(folder: Path, tmp_path: Path, options: list[str], said: str, capsys: pytest.CaptureFixture[str]):
    command = ["train", "--task", "spectrogram", "--data", str(folder / "pitch"), *options, "--device", "cpu", "--out", str(tmp_path / "a.safetensors")]
    assert main(command) == 2
    assert said in capsys.readouterr().err


def test_evaluate_refuses_other_labels(data: list[SpectrogramTask], folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    checkpoints.save_checkpoint(SpectrogramClassifier(config_of(data[:1])), tmp_path / "pitch.safetensors", {})
    command = ["evaluate", str(tmp_path / "pitch.safetensors"), "--device", "cpu", "--data"]
    assert main([*command, str(folder / "place")]) == 2
    assert "has other labels than pitch tells apart, which are pitch: high, low" in capsys.readouterr().err
    assert main([*command, str(folder / "pitch"), "--seconds", "1"]) == 2
    assert "sees windows of 1 s" in capsys.readouterr().err


def test_heads_of_the_same_labels_are_told_apart_by_the_folders_name(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    labels = ("high", "low")
    network = SpectrogramClassifier(SpectrogramConfig(("first", "pitch"), (labels, labels), "avg-pool", width=2))
    checkpoints.save_checkpoint(network, tmp_path / "same.safetensors", {})
    command = ["evaluate", str(tmp_path / "same.safetensors"), "--device", "cpu", "--data"]
    assert main([*command, str(folder / "pitch")]) == 0
    assert "pitch on 8 clips" in capsys.readouterr().out
    (tmp_path / "tones").mkdir()
    for file in (folder / "pitch").iterdir():
        (tmp_path / "tones" / file.name).write_bytes(file.read_bytes())
    assert main([*command, str(tmp_path / "tones")]) == 2
    assert "that first and pitch of same all know" in capsys.readouterr().err


def test_a_split_of_one_class_is_measured(folder: Path, data: list[SpectrogramTask], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    checkpoints.save_checkpoint(SpectrogramClassifier(config_of(data[:1])), tmp_path / "pitch.safetensors", {})
    few = tmp_path / "few"
    few.mkdir()
    (few / "one.wav").write_bytes((folder / "pitch" / "test0.wav").read_bytes())
    (few / "manifest.csv").write_text("path,label,split\none.wav,low,test\n", encoding="utf-8")
    assert main(["evaluate", str(tmp_path / "pitch.safetensors"), "--device", "cpu", "--data", str(few), "--json"]) == 0
    assert np.sum(json.loads(capsys.readouterr().out)["tasks"][0]["confusion"][1]) == 1
