"""A codec is trained by the loop and the grid that all networks are: at its own rate, on clips without labels, and it learns."""

from __future__ import annotations

import csv
import json
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from app_pages import opened
from app_pages import said as said_on
from made_up_codecs import clips
from safetensors.torch import load_file

from adastride import checkpoints, cli
from adastride.clips import DataError
from adastride.code_durations import read_durations
from adastride.models import Classifier, ClassifierConfig, Codec
from adastride.results.figures import durations_chart
from adastride.results.reading import RESULTS_VARIABLE, read
from adastride.results.report import codes_table
from adastride.tasks import KINDS
from adastride.training.augment import batches
from adastride.training.datasets import load_split
from adastride.training.grid import Options, append_durations, execute, read_grid, run_grid
from adastride.training.loop import Progress, train
from adastride.training.settings import PRESETS, TrainingSettings

KIND = KINDS["codec"]
GRID = """
[tasks.codec]
kind = "codec"
network = {codes = 8}
preset = "codec"
data = ["voice"]
settings = {epochs = 1, batch_size = 4}

[[blocks]]
tasks = ["codec"]
methods = ["strided-conv", "adastride"]
sigma_inv2 = [1.0]
seeds = [0]
width = 8
"""
SETTINGS = TrainingSettings(**{**vars(PRESETS["codec"]), "epochs": 8, "batch_size": 2, "learning_rate": 1e-2, "crop_seconds": 0.6})


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a manifest that has texts and no labels."""
    folder = tmp_path_factory.mktemp("root") / "voice"
    folder.mkdir()
    rows = [("path", "text", "speaker", "split")]
    for number, clip in enumerate(clips(9)):
        soundfile.write(folder / f"{number}.wav", np.clip(clip.samples, -1, 1), 22_050)
        rows.append((f"{number}.wav", "a sound", "nobody", "train" if number < 5 else "valid" if number < 7 else "test"))
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return folder


def config(train_clips, valid_clips):
    return KIND.learn_config(train_clips, valid_clips, **KIND.options("adastride", width=8, codes=8))


def test_it_learns_and_an_interruption_changes_nothing(data: Path, tmp_path: Path):
    """The codebook, its counts and its sums go on from where they were, in float32."""
    seen: list[Progress] = []
    whole = train([data], tmp_path / "whole.safetensors", config, SETTINGS, report=seen.append, sample_rate=22_050)
    assert isinstance(whole, Codec)
    assert seen[-1].loss < seen[0].loss
    assert set(seen[-1].history[0]) >= {"valid_mel_error", "valid_step_error", "valid_distinct"}

    def halt(progress: Progress) -> None:
        if progress.epoch == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train([data], tmp_path / "halted.safetensors", config, SETTINGS, report=halt, sample_rate=22_050)
    torch.rand(7)
    train([data], tmp_path / "halted.safetensors", config, SETTINGS, sample_rate=22_050)
    ours, theirs = load_file(tmp_path / "whole.safetensors"), load_file(tmp_path / "halted.safetensors")
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert {ours[f"quantiser.{name}"].dtype for name in ("codebook", "counts", "sums")} == {torch.float32}


def test_training_hears_the_sound_as_it_is(data: Path):
    """Pieces of it, of the length that is asked for: no noise to speak of, no other speed, no tilt and no mask."""
    network, heard = Codec(config((), ())), load_split(data, "train", 22_050)
    assert heard[0].samples.size == clips(1)[0].samples.size, "decoded at its own rate"
    settings = TrainingSettings(**{**vars(PRESETS["codec"]), "crop_seconds": 0.5, "gain_db": (0.0, 0.0), "batch_size": 5, "as_is": 1.0})
    (batch,) = batches(network, heard, [None] * 5, settings, 0)
    assert batch.lengths.tolist() == [1 + int(0.5 * 22_050) // 256] * 5
    whole = [network.config.mel, *(KIND.task.batch(network, [clip.samples], [None]).signal[0] for clip in heard)][1:]
    loud = batch.signal > -6
    for row in range(5):
        # A piece of one of them: with the right clip and place in it, its inner frames are those of the clip.
        inner = slice(4, 36)
        differences = [
            float((batch.signal[row, :, inner] - mel[:, at + 4 : at + 36]).abs()[loud[row, :, inner]].mean())
            for mel in whole for at in range(mel.shape[1] - 44)
        ]
        assert min(differences) < 0.35


def test_the_command_line_trains_a_codec(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "m.safetensors"
    start = ["train", "--task", "codec", "--data", str(data), "--out", str(out), "--device", "cpu"]
    assert cli.main([*start, "--width", "8", "--codes", "8", "--epochs", "1", "--method", "spectral-pool"]) == 0
    said = capsys.readouterr().out
    assert "5 training clips, settings for codec" in said
    assert "training a codec with strided-conv, strided-conv, spectral-pool, 8 codes" in said
    assert "validation mel error" in said
    network = checkpoints.load(out)
    assert (network.config.codes, network.config.sigma**-2) == (8, pytest.approx(1.0))
    assert cli.main(["evaluate", str(out), "--data", str(data), "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    assert "of 8 codes are used" in said
    assert "mel error of means over 8 frames" in said
    assert cli.main([*start, "--methods", "adastride,adastride,adastride"]) == 2
    assert "the lower methods of a codec must be strided-conv" in capsys.readouterr().err
    assert cli.main(["train", "--task", "classification", "--data", str(data), "--out", str(out), "--codes", "8"]) == 2
    assert "--codes is for --task reconstruction, not for a classifier: leave it out." in capsys.readouterr().err


@pytest.fixture
def bare(data: Path) -> Path:
    """The same sounds, of which a manifest names paths and splits alone."""
    folder = data.parent / "bare"
    folder.mkdir(exist_ok=True)
    with (data / "manifest.csv").open(newline="", encoding="utf-8") as file:
        lines = [f"../voice/{row['path']},{row['split']}" for row in csv.DictReader(file)]
    (folder / "manifest.csv").write_text("\n".join(["path,split", *lines, ""]), encoding="utf-8")
    return folder


def test_a_manifest_of_paths_is_enough(bare: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out, own = tmp_path / "m.safetensors", ["--data", str(bare), "--device", "cpu"]
    assert cli.main(["train", "--task", "codec", "--out", str(out), "--width", "8", "--codes", "8", "--epochs", "1", *own]) == 0
    assert cli.main(["evaluate", str(out), "--json", *own]) == 0
    assert json.loads(capsys.readouterr().out.partition("{")[2].join(["{", ""]))["clips"] == 2
    assert cli.main(["sweep", "--checkpoint", str(out), "--stride", "2", "8", "2", "--csv", str(tmp_path / "s.csv"), *own]) == 0
    with (tmp_path / "s.csv").open(newline="", encoding="utf-8") as file:
        assert [(row["clips"], float(row["mel_error"]) > 0) for row in csv.DictReader(file)] == [("2", True)] * 2


@pytest.mark.parametrize(("task", "sentence"), [
    ("classification", "the clip ../voice/0.wav has no label: the manifest needs a column label with what is to be told apart."),
    ("recognition", "no training clip has a text: the manifest needs a column text with what is said."),
])
def test_others_say_what_a_manifest_lacks(bare: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], task: str, sentence: str):
    assert cli.main(["train", "--task", task, "--data", str(bare), "--out", str(tmp_path / "m.safetensors"), "--device", "cpu"]) == 2
    assert capsys.readouterr().err == f"{bare}: {sentence}\n"


def test_a_classifier_says_what_it_is_tested_on_lacks(bare: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    checkpoints.save_checkpoint(Classifier(ClassifierConfig(("a", "b"), width=8)), tmp_path / "sorter.safetensors", {})
    assert cli.main(["evaluate", str(tmp_path / "sorter.safetensors"), "--data", str(bare), "--device", "cpu"]) == 2
    assert "the clip ../voice/7.wav has no label: the manifest needs a column label" in capsys.readouterr().err


def test_the_grid_trains_and_tests_it(data: Path, tmp_path: Path):
    (tmp_path / "grid.toml").write_text(GRID, encoding="utf-8")
    runs = read_grid(tmp_path / "grid.toml", data.parent)
    assert [run.id for run in runs] == ["codec-codec-strided-conv-w8-s0", "codec-codec-adastride-sigma_inv2=1-w8-s0"]
    assert {run.sample_rate for run in runs} == {22_050}
    (tmp_path / "runs").mkdir()
    rows = [execute(run, Options(tmp_path / "results.csv", tmp_path / "runs"), lambda _: None) for run in runs]
    for row in rows:
        assert float(row["metric:mel_error"]) > 0
        assert float(row["metric:step_error"]) > 0
        assert 1 <= float(row["metric:distinct_codes"]) <= 8
        assert 0 <= float(row["metric:entropy_bits"]) <= 3


@pytest.fixture
def _plain_main(monkeypatch: pytest.MonkeyPatch):
    """A new process begins by importing the main module, and a test of a page may have put that page in its place."""
    monkeypatch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))


@pytest.mark.usefixtures("_plain_main")
def test_the_grid_counts_how_long_codes_last(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Beside the results; what was run before that was counted gets its lines without being trained again. The page shows all of it."""
    (tmp_path / "grid.toml").write_text(GRID, encoding="utf-8")
    runs, said = read_grid(tmp_path / "grid.toml", data.parent), list[str]()
    options = Options(tmp_path / "results.csv", tmp_path / "runs")
    assert run_grid(runs, options) == []
    counts = read_durations(options.durations)
    assert {count.run for count in counts} == {run.id for run in runs}
    assert {count.codes for count in counts} == {8}
    for run in runs:
        network = checkpoints.load(options.runs / f"{run.id}.safetensors")
        frames = sum(1 + clip.samples.size // network.config.mel.hop for clip in load_split(data, "test", 22_050))
        assert sum(count.frames * count.count for count in counts if count.run == run.id) == frames, "codes fill the clips"
    fixed = [count.frames for count in counts if "strided-conv" in count.run]
    assert sum(frames % 8 == 0 for frames in fixed) >= len(fixed) - 2, "only the last code of a clip may be cut"
    before = options.results.read_bytes()
    options.durations.unlink()
    assert run_grid(runs, options, say=said.append) == []
    assert "(2 without durations of codes, which are counted now)" in said[0]
    assert read_durations(options.durations) == counts
    assert options.results.read_bytes() == before
    shown = read(options.results)
    assert all(run.durations and run.usual_sigma for run in shown), "σ⁻² = 10 is usual for codecs"
    table = codes_table(shown)
    assert [row["Whose"] for row in table] == ["ours, Codec of one voice"] * 2 + ["AdaStride paper, table 5: LJSpeech-1.1"] * 3
    assert [row["Method"] for row in table[:2]] == ["Strided convolution", "AdaStride"]
    assert all(row["Distinct codes"].endswith(" of 8") for row in table[:2])
    assert [row["Distinct codes"] for row in table[2:]] == ["390 of 512", "383 of 512", "365 of 512"]
    for run, row in zip(shown, table, strict=False):
        assert row["Mel error (dB)"] == f"{run.metrics['mel_error_db']:.2f}"
        assert row["Mel averaged over 8 frames (nats)"] == f"{run.metrics['step_error']:.3f}"
    chart = durations_chart(shown)
    assert [panel.title for panel in chart.panels] == ["8 codes, Strided convolution", "8 codes, AdaStride"]
    for panel in chart.panels:
        assert sum(point.y for point in panel.series[0].points) == pytest.approx(100)
    monkeypatch.setenv(RESULTS_VARIABLE, str(options.results))
    app = opened("pages/results.py")
    assert not app.error
    assert app.subheader[0].value == "Codes and how long they last"
    assert "distinct codes from the fewest" in said_on(app)
    assert any("PER-R (%)" in table.value.columns for table in app.table)
    for section in ("pooled", "shift", "cost", "strides", "coverage"):
        app.segmented_control(key="results_section").set_value(section).run()
        assert not app.exception
    assert "the usual σ⁻² of 1 " in said_on(app)


def test_a_broken_file_of_durations_gets_a_sentence(tmp_path: Path):
    (tmp_path / "durations.csv").write_text("run,codes,frames,count\na,8,0,3\n", encoding="utf-8")
    with pytest.raises(ValueError, match="is no file of how long codes last of this version: move it away"):
        read_durations(tmp_path / "durations.csv")
    with pytest.raises(DataError, match="move it away"):
        append_durations(tmp_path / "durations.csv", [])


def test_the_grid_of_the_project_can_be_read():
    runs = read_grid(Path(__file__).resolve().parents[2] / "results" / "codec.toml", "nowhere")
    assert len(runs) == 15
    assert {run.method for run in runs if run.task.settings.adversarial} == {"adastride", "strided-conv"}
    assert {run.options.get("codes", 512) for run in runs} == {64, 512}
