"""Training, evaluation, sweeps, the grid and the results know no kind of network: a made-up second one goes through all of them."""

from __future__ import annotations

import csv
import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from loudness import LOUDNESS, LoudnessNetwork
from safetensors.torch import load_file

from adastride import checkpoints, cli
from adastride.inspection.charts import plotly_panel
from adastride.results import core as results
from adastride.results import report
from adastride.results.figures import accuracy_chart, shift_chart, stride_chart
from adastride.results.reading import NEEDED, read
from adastride.sweep.core import points
from adastride.sweep.scores import sweep_clips
from adastride.tasks import KINDS
from adastride.training.datasets import load_split
from adastride.training.evaluate import evaluate
from adastride.training.grid import Options, append_row, execute, read_grid
from adastride.training.loop import Progress, train
from adastride.training.settings import TrainingSettings

SETTINGS = TrainingSettings(epochs=3, batch_size=4, learning_rate=1e-2, window_seconds=(0.4, 0.6))
GRID = """
[tasks.levels]
kind = "loudness"
preset = "digits"
data = ["tones"]
settings = {epochs = 1, batch_size = 8}

[[blocks]]
tasks = ["levels"]
methods = ["strided-conv", "adastride"]
seeds = [0, 1]
width = 8
"""
OURS = Path(__file__).resolve().parents[2] / "results" / "results.csv"


@pytest.fixture(autouse=True)
def _second_kind(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(KINDS, "loudness", LOUDNESS)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Noises of different levels, all with one label, which this kind of network does not look at."""
    folder, generator = tmp_path / "tones", np.random.default_rng(0)
    folder.mkdir()
    rows = [("path", "label", "split")]
    for number in range(14):
        noise = 10 ** generator.uniform(-2, -0.5) * generator.standard_normal(3200 + 160 * number)
        soundfile.write(folder / f"{number}.wav", np.clip(noise, -1, 1), 16_000)
        rows.append((f"{number}.wav", "noise", "train" if number < 8 else "valid" if number < 11 else "test"))
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return folder


config = partial(LOUDNESS.learn_config, width=8)


def test_it_is_trained_saved_loaded_evaluated_and_swept(data: Path, tmp_path: Path):
    seen: list[Progress] = []
    model = train([data], tmp_path / "m.safetensors", config, SETTINGS, report=seen.append)
    assert isinstance(model, LoudnessNetwork)
    assert set(seen[-1].history[0]) >= {"valid_error", "valid_error_in_silence"}
    assert "valid_accuracy" not in seen[-1].history[0]
    best = min(seen, key=lambda progress: progress.valid + progress.valid_in_silence)
    assert seen[-1].best_epoch == best.epoch, "less is better"
    assert seen[-1].text.endswith("dB in silence)")
    assert checkpoints.load(tmp_path / "m.safetensors").fingerprint == model.cpu().fingerprint
    clips = load_split(data, "test")
    result = evaluate(model, clips)
    assert (set(result.metrics), result.breakdown, result.clips) == ({"error"}, None, 3)
    assert result.value > 0
    *_, last = sweep_clips([model], clips, points((1.0, 5.0)))
    assert [score.metric.name for score in last.scores] == ["error"] * 2


def halt(progress: Progress) -> None:
    if progress.epoch == 1:
        raise KeyboardInterrupt


def test_dropout_goes_on_as_if_there_had_been_no_interruption(data: Path, tmp_path: Path):
    """A new process has another random state; the steps' own seeds put it right."""
    whole, halted = tmp_path / "whole.safetensors", tmp_path / "halted.safetensors"
    expected: list[Progress] = []
    train([data], whole, config, SETTINGS, report=expected.append)
    with pytest.raises(KeyboardInterrupt):
        train([data], halted, config, SETTINGS, report=halt)
    torch.rand(17)
    seen: list[Progress] = []
    train([data], halted, config, SETTINGS, report=seen.append)
    assert [row["loss"] for row in seen[-1].history] == [row["loss"] for row in expected[-1].history]
    ours, theirs = load_file(whole), load_file(halted)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_the_command_line_takes_the_kind(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "m.safetensors"
    start = ["train", "--data", str(data), "--out", str(out), "--kind"]
    tiny = ["--width", "4", "--epochs", "1", "--device", "cpu"]
    assert cli.main([*start, "loudness", *tiny]) == 0
    assert "training a loudness with adastride, loudness in dB, on" in capsys.readouterr().out
    assert cli.main(["evaluate", str(out), "--data", str(data), "--json", "--device", "cpu"]) == 0
    numbers = json.loads(capsys.readouterr().out)
    assert {"error", "error_in_silence"} <= set(numbers)
    assert "confusion" not in numbers
    assert cli.main(["evaluate", str(out), "--data", str(data), "--device", "cpu"]) == 0
    assert "loudness error, clips as they are" in capsys.readouterr().out
    assert cli.main([*start, "whale", *tiny]) == 2
    names = "classifier, recogniser, codec, audio-transformer, loudness, classification, recognition, reconstruction, elastic, levels, images, spectrogram"
    assert f"there is no kind or task 'whale': choose one of {names}." in capsys.readouterr().err
    assert cli.main([*start, "loudness", *tiny, "--learn-sigma"]) == 2
    assert "a loudness does not take all of these options" in capsys.readouterr().err


def test_a_grid_adds_its_columns_to_a_file_of_before_and_the_page_reads_both(data: Path, tmp_path: Path):
    """Ours of today: nothing in it is lost, and its runs read as they did."""
    (tmp_path / "grid.toml").write_text(GRID, encoding="utf-8")
    runs = read_grid(tmp_path / "grid.toml", tmp_path)
    assert [run.id for run in runs] == [f"levels-loudness-{method}-w8-s{seed}" for seed in range(2) for method in ("strided-conv", "adastride")]
    (tmp_path / "runs").mkdir()
    path = tmp_path / "results.csv"
    shutil.copyfile(OURS, path)
    before = read(path)
    rows = [execute(run, Options(path, tmp_path / "runs"), lambda _: None) for run in runs]
    assert "stride_2" not in rows[0]
    for row in rows:
        append_row(path, row)
    after = read(path)
    assert after[: len(before)] == before
    assert results.kinds_of(after) == [*results.kinds_of(before), "loudness"]
    own = after[len(before) :]
    assert [(run.kind, len(run.strides), set(run.metrics)) for run in own] == [
        ("loudness", 1, {"error", "error_in_silence", "valid_error"})
    ] * 4
    assert report.overview_table(own)[0].keys() == {"Method", "levels, ours (dB)"}
    assert "papers" not in report.story(own)[0]
    for chart in (accuracy_chart(own), shift_chart(own, ["adastride", "strided-conv"]), stride_chart(own)):
        assert all(plotly_panel(panel) for panel in chart.panels)
    assert accuracy_chart(own).title == "Loudness error by method and task"
    assert accuracy_chart(own).panels[0].x.label == "Loudness error (dB)"


def test_less_is_better_turns_the_comparison_round(tmp_path: Path):
    """An error 2 dB lower than the baseline's is a gain of 2 dB, in words and in numbers."""
    columns = NEEDED
    base = dict.fromkeys(columns, "") | {
        "kind": "loudness", "task": "levels", "learn_sigma": "false", "width": 8, "clips_train": 9, "clips_test": 9, "threads": 1, "device": "CPU",
        "stride_1": 2,
    }
    values = {"strided-conv": 5.0, "adastride": 3.0, "cif": 6.0}
    lines = [base | {"run": f"{m}{s}", "method": m, "seed": s, "metric:error": value + s / 10} for m, value in values.items() for s in range(3)]
    with (tmp_path / "results.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    runs = read(tmp_path / "results.csv")
    gains = {each.method: each.points for each in results.differences(runs, "levels")}
    assert gains == {"adastride": pytest.approx(2.0), "cif": pytest.approx(-1.0)}
    (text,) = report.story(runs)
    assert text.startswith("On **levels**, AdaStride is 2.0 dB better than strided convolution (3.1 ± 0.1 dB against 5.1 ± 0.1 dB; n = 3")
    assert text.endswith("Lowest mean: 3.1 dB, AdaStride.")
    assert {row["Method"]: row["Better by (dB)"] for row in report.comparison_table(runs, "levels")}["CIF"] == "−1.0"
