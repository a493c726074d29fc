"""Audio transformers are trained on lengths and resolutions of every kind, and measured at others, by the commands of all networks."""

from __future__ import annotations

import csv
import json
import sys
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from adastride import checkpoints, cli
from adastride.audio import PRESETS as MELS
from adastride.audio import log_mel
from adastride.clips import Clip, DataError
from adastride.length_points import LengthPoint, points_text, read_points
from adastride.models import AudioTransformer, elastic
from adastride.tasks import KINDS, task_of
from adastride.training.augment import batches
from adastride.training.datasets import Source
from adastride.training.grid import ANY_CLIPS, Options, append_lengths, execute, length_points, read_grid, run_grid
from adastride.training.lengths import LengthGrid, measure_lengths, parts_of
from adastride.training.settings import PRESETS, TrainingSettings

KIND = KINDS["audio-transformer"]
RATE = 16_000
SMALL = {"width": 24, "blocks": 1, "heads": 2}
QUIET = replace(PRESETS["speakers"], batch_size=4, gain_db=(0.0, 0.0), speed=(1.0, 1.0), tilt=0.0, band_limited=0.0, shift_seconds=0.0,
                time_masks=0, frequency_masks=0, snr_db=(80.0, 80.0))
GRID = """
[tasks.voices]
kind = "audio-transformer"
network = {blocks = 1}
preset = "speakers"
data = ["voices"]
label = "speaker"
settings = {epochs = 1, batch_size = 4}
lengths = {seconds = [0.2], resolutions = [1, 2], strides = [1, 3], at = 0.2}

[[blocks]]
tasks = ["voices"]
methods = ["elastic", "ast-0.5s", "elastic-adastride"]
seeds = [0]
width = 24
"""


@pytest.fixture(autouse=True)
def _plain_main(monkeypatch: pytest.MonkeyPatch):
    """A new process begins by importing the main module, and a test of a page may have put that page in its place."""
    monkeypatch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))


def tone(hertz: float, seconds: float, seed: int = 0) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    return (0.3 * np.sin(2 * np.pi * hertz * time) + 0.01 * np.random.default_rng(seed).standard_normal(time.size)).astype(np.float32)


def clips_of(*seconds: float) -> list[Clip]:
    return [Clip(tone(3000 if place % 2 else 200, length, place), "high" if place % 2 else "low", f"{place}.wav") for place, length in enumerate(seconds)]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a data set of two voices, whose manifest has no column that is called label."""
    folder = tmp_path_factory.mktemp("root")
    (folder / "voices").mkdir()
    rows = [("path", "speaker", "seconds", "split")]
    for place, clip in enumerate(clips_of(*np.linspace(0.3, 1.0, 12))):
        soundfile.write(folder / "voices" / clip.path, clip.samples, RATE)
        rows.append((clip.path, clip.label, "1", "train" if place < 6 else "valid" if place < 8 else "test"))
    with (folder / "voices" / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    (folder / "grid.toml").write_text(GRID, encoding="utf-8")
    return folder


def network(method: str = "elastic", labels: tuple[str, ...] = ("high", "low"), **options: Any) -> AudioTransformer:
    torch.manual_seed(0)
    config = KIND.config(labels=labels, **{**KIND.options(method), **SMALL, **options})
    made = KIND.network(config)
    assert isinstance(made, AudioTransformer)
    return made.eval()


# --- names


@pytest.mark.parametrize(("name", "methods", "frames"), [
    ("elastic", (), None), ("ast", (), 500), ("ast-2s", (), 200), ("ast-0.5s", (), 50), ("elastic-adastride", ("adastride",), None),
    ("avg-pool", ("avg-pool",), None), ("elastic-strided-conv", ("strided-conv",), None),
])
def test_a_name_says_what_is_built(name: str, methods: tuple[str, ...], frames: int | None):
    config = KIND.learn_config(ANY_CLIPS, ANY_CLIPS, **KIND.options(name))
    assert (config.methods, config.frames, config.labels) == (methods, frames, ("a", "b"))


@pytest.mark.parametrize("name", ["", "ast-", "ast-0s", "ast-9999s", "elastic-", "elastic-lstm", "adastride-s", "transformer"])
def test_other_names_are_refused(name: str):
    with pytest.raises(ValueError, match="choose elastic, ast, ast-2s or elastic- and one of"):
        KIND.options(name)


# --- batches


def lengths_of(model: AudioTransformer, settings: TrainingSettings, clips: list[Clip], epochs: int = 12) -> list[int]:
    targets = KIND.task.targets(model, clips)
    return [int(length) for epoch in range(epochs) for batch in batches(model, clips, targets, settings, epoch) for length in batch.lengths]


def test_parts_of_every_length_come_equally_often():
    """Log-uniformly from half a second to four: a third each of up to 1, 2 and 4 s."""
    settings = replace(QUIET, crop_seconds=4.0, least_seconds=0.5)
    seconds = np.array(lengths_of(network(), settings, clips_of(*[5.0] * 8), 40)) / 100
    assert 0.5 <= seconds.min() < 0.55
    assert 3.7 < seconds.max() <= 4.01
    shares = np.histogram(seconds, [0.5, 1, 2, 4.02])[0] / len(seconds)
    np.testing.assert_allclose(shares, 1 / 3, atol=0.08)


def test_shorter_clips_are_left_whole():
    assert set(lengths_of(network(), replace(QUIET, crop_seconds=4.0, least_seconds=0.5), clips_of(0.1, 0.3))) <= {11, 31}


def test_an_ast_learns_from_parts_of_its_length_and_all_of_them():
    """It throws away what comes later, so training draws where a part begins."""
    rising = np.linspace(0, 1, 4 * RATE, dtype=np.float32) * tone(1000, 4.0)
    clips = [Clip(rising, label, label) for label in ("high", "low")]
    model = network("ast-0.5s")
    assert set(lengths_of(model, QUIET, clips)) == {51}
    assert set(lengths_of(model, replace(QUIET, resolutions=(2.0,)), clips)) == {51}, "and has one frame shift"
    levels = [
        float(batch.signal[row].amax()) for epoch in range(20) for batch in batches(model, clips, [0, 1], QUIET, epoch) for row in range(len(batch))
    ]
    assert max(levels) - min(levels) > 1, "of quiet and of loud parts"


def test_resolutions_are_drawn_for_every_clip_and_are_frame_shifts():
    settings = replace(QUIET, least_seconds=0.0, crop_seconds=10.0, resolutions=(1.0, 2.0, 4.0))
    clips = clips_of(*[1.0] * 8)
    model = network()
    lengths = lengths_of(model, settings, clips)
    assert {length: lengths.count(length) > 15 for length in set(lengths)} == {101: True, 51: True, 26: True}
    batch = next(batch for batch in batches(model, clips, [0, 1] * 4, settings, 0) if len(set(batch.lengths.tolist())) > 1)
    place = int(batch.lengths.argmin())
    (coarse,) = (mel for mel in [log_mel(torch.tensor(clips[0].samples), MELS["audio-transformer"].coarser(4 if batch.lengths[place] == 26 else 2))])
    assert coarse.shape[1] == batch.lengths[place]


def test_frames_are_as_long_as_the_resolution_says():
    assert [MELS["audio-transformer"].coarser(value).hop for value in (1, 1.2, 4)] == [160, 192, 640]
    model, sound = network(), tone(440, 2.0)
    batch = KIND.task.coarser_batch(model, [sound, sound], [0, 0], [1.0, 2.0])
    assert batch.lengths.tolist() == [201, 101]
    torch.testing.assert_close(batch.signal[1, :, :101], batch.signal[0, :, ::2])


@pytest.mark.parametrize("kind", ["recogniser", "codec"])
def test_other_kinds_have_one_frame_shift(kind: str):
    with pytest.raises(DataError, match="have one frame shift alone: leave out the resolutions"):
        KINDS[kind].task.coarser_batch(None, [tone(1, 1)], [None], [2.0])


def test_seeds_of_old_settings_stand():
    """What is new draws nothing where it is not used, or shipped runs could not be made again."""
    settings, clips = replace(PRESETS["commands"], batch_size=2), clips_of(0.5, 0.6)
    model = KINDS["classifier"].network(KINDS["classifier"].learn_config(clips, clips, width=4))
    one, other = (next(batches(model, clips, [0, 1], each, 3)).signal for each in (settings, replace(settings, resolutions=(1.0,))))
    torch.testing.assert_close(one, other)


# --- the label's column


def test_any_column_can_be_what_is_told_apart(root: Path):
    rows = Source(root / "voices", label="speaker").rows()
    assert {row.label for row in rows} == {"high", "low"}
    with pytest.raises(DataError, match=r"no column 'person': its first line names path, seconds, speaker, split"):
        Source(root / "voices", label="person").rows()


# --- measuring


def test_parts_lie_evenly_and_reach_both_ends():
    sound = np.arange(10)
    assert [part.tolist() for part in parts_of(sound, 4)] == [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 9]]
    assert [part.tolist() for part in parts_of(sound, 10)] == [sound.tolist()]


def test_accuracy_is_the_share_of_parts_that_are_right():
    """Beside a plain loop over parts, one at a time."""
    model, clips = network(), clips_of(0.4, 0.8, 1.1, 0.15, 0.9)
    points = list(measure_lengths(model, clips, LengthGrid(seconds=(0.3,), resolutions=(2.0,), at=0.3), "run"))
    assert [(point.run, point.seconds, point.resolution, point.stride) for point in points] == [
        ("run", 0.3, 1.0, 0.0), ("run", 0.0, 1.0, 0.0), ("run", 0.3, 2.0, 0.0),
    ]
    for point in points:
        shares, tokens, preset = [], [], MELS["audio-transformer"].coarser(point.resolution)
        for clip in clips:
            parts = parts_of(clip.samples, round(point.seconds * RATE)) if point.seconds else [clip.samples]
            mels = [log_mel(torch.tensor(part), preset) for part in parts]
            with torch.inference_mode():
                guesses = [model.config.labels[int(model(mel[None]).head[0].argmax())] for mel in mels]
            shares.append(np.mean([guess == clip.label for guess in guesses]))
            tokens += [model.effort(mel.shape[1])[0] for mel in mels]
        assert point.accuracy == pytest.approx(np.mean(shares), abs=1e-5)
        assert (point.clips, point.tokens) == (5, pytest.approx(np.mean(tokens)))
        assert 0 <= point.low <= point.accuracy <= point.high <= 1
    assert points[2].multiply_adds < points[0].multiply_adds


def test_strides_are_measured_where_there_is_a_layer():
    grid, clips = LengthGrid(strides=(1.0, 4.0), at=0.4), clips_of(0.5, 0.6)
    assert [point.stride for point in measure_lengths(network(), clips, grid)] == [0.0]
    points = list(measure_lengths(network("elastic-adastride"), clips, grid))
    assert [point.stride for point in points] == [0.0, 1.0, 4.0]
    assert points[2].tokens < points[0].tokens / 1.5 < points[1].tokens


def test_an_ast_costs_the_same_for_every_length():
    points = list(measure_lengths(network("ast-0.5s"), clips_of(0.2, 1.5), LengthGrid(seconds=(0.1, 1.0))))
    assert len({(point.tokens, point.multiply_adds) for point in points}) == 1


def test_a_classifier_is_measured_too_and_has_no_tokens():
    clips = clips_of(0.5, 0.6)
    model = KINDS["classifier"].network(KINDS["classifier"].learn_config(clips, clips, width=4)).eval()
    (point, whole) = measure_lengths(model, clips, LengthGrid(seconds=(0.2,)))
    assert (point.tokens, point.multiply_adds, whole.seconds) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("wrong", [{"seconds": (0.0,)}, {"at": -1.0}, {"resolutions": (0.0,)}, {"strides": (0.5,)}, {"seconds": (float("nan"),)}], ids=str)
def test_a_grid_of_lengths_that_can_not_be(wrong: dict[str, Any]):
    with pytest.raises(ValueError, match="must be"):
        LengthGrid(**wrong)


# --- the file


POINTS = [LengthPoint("a", 2.0, 1.0, 0.0, 0.9, 0.85, 0.94, 156, 96.0, 12.5), LengthPoint("a", 0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 156)]


def test_the_file_comes_back(tmp_path: Path):
    path = tmp_path / "lengths.csv"
    assert read_points(path) == []
    append_lengths(path, POINTS)
    append_lengths(path, POINTS[:1])
    assert read_points(path) == POINTS


@pytest.mark.parametrize("change", [("0.9,", "nan,"), ("0.85", "0.95"), ("156", "0"), ("2.0", "-2.0"), ("accuracy", "right"), ("0.94", "many")])
def test_a_damaged_file_is_one_sentence(tmp_path: Path, change: tuple[str, str]):
    path = tmp_path / "lengths.csv"
    path.write_text(points_text(POINTS).replace(*change), encoding="utf-8")
    with pytest.raises(ValueError, match="is no file of how right networks are at other lengths of this version"):
        read_points(path)


# --- the grid and the command line


def test_the_grid_measures_what_its_task_asks_for(root: Path, tmp_path: Path):
    runs = read_grid(root / "grid.toml", root)
    assert [run.id for run in runs] == [f"voices-audio-transformer-{name}-w24-s0" for name in ("elastic", "ast-0.5s", "elastic-adastride")]
    assert [run.sigma_inv2 for run in runs] == [None, None, 5.0]
    options = Options(tmp_path / "results.csv", tmp_path / "runs")
    assert run_grid(runs, options) == []
    points = read_points(tmp_path / "lengths.csv")
    assert [sum(point.run == run.id for point in points) for run in runs] == [3, 3, 5]
    with (tmp_path / "results.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["method"] for row in rows] == ["elastic", "ast-0.5s", "elastic-adastride"]
    assert [row["stride_1"] for row in rows] == ["", "", "2"]
    again = length_points(runs[0], options)
    assert again == [point for point in points if point.run == runs[0].id], "measured twice, the same"
    (tmp_path / "lengths.csv").unlink()
    assert run_grid(runs[:1], options) == []
    assert read_points(tmp_path / "lengths.csv") == again, "counted from the finished network"


@pytest.mark.parametrize(("old", "new", "says"), [
    ("at = 0.2", "at = -1", "lengths must be above 0"), ("strides = [1, 3]", "strides = [0]", "strides from 1"),
    ("at = 0.2", "when = 0.2", "when"), ('"ast-0.5s"', '"lstm"', "choose elastic"), ('label = "speaker"', "label = 3", "label"),
])
def test_a_grid_that_can_not_be_is_one_sentence(root: Path, tmp_path: Path, old: str, new: str, says: str):
    path = tmp_path / "grid.toml"
    path.write_text(GRID.replace(old, new), encoding="utf-8")
    with pytest.raises(DataError, match=says):
        read_grid(path, root)


def test_a_run_learns_to_tell_tones_apart(root: Path, tmp_path: Path):
    (run, *_) = read_grid(root / "grid.toml", root)
    task = replace(run.task, settings=replace(run.task.settings, epochs=25, learning_rate=3e-3))
    row = execute(replace(run, task=task), Options(tmp_path / "results.csv", tmp_path))
    assert float(str(row["metric:accuracy"])) == 1.0


def test_the_command_line_trains_and_evaluates_at_other_lengths(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out, data = tmp_path / "m.safetensors", ["--data", str(root / "voices"), "--label", "speaker", "--device", "cpu"]
    train = ["train", "--task", "elastic", *data, "--width", "24", "--blocks", "1", "--epochs", "1", "--out", str(out)]
    assert cli.main([*train, "--resolutions", "1", "2", "--pack", "512", "--preset", "speakers"]) == 0
    said = capsys.readouterr().out
    assert "6 training clips, settings for speakers" in said
    assert "training an audio-transformer, 2 classes" in said
    header = checkpoints.details(out)
    assert (header["config"]["row_tokens"], header["config"]["methods"]) == (512, [])
    assert header["details"]["training"]["resolutions"] == [1.0, 2.0]
    assert cli.main(["evaluate", str(out), *data, "--seconds", "0.2", "--resolutions", "2"]) == 0
    report = capsys.readouterr().out
    assert "million multiply-adds" in report
    assert "stride" not in report, "it has no layer"
    assert "0.2 s" in report
    assert "whole clips" in report
    assert cli.main(["evaluate", str(out), *data, "--seconds", "0.2", "--json"]) == 0
    points = json.loads(capsys.readouterr().out)["lengths"]
    assert [point["seconds"] for point in points] == [0.2, None]
    wave = next((root / "voices").rglob("*.wav"))
    assert cli.main(["explain", str(wave), "--checkpoint", str(out), "--to", "0.2", "--json"]) == 0
    explained = json.loads(capsys.readouterr().out)
    assert (points[0]["tokens"], points[0]["multiply_adds"]) == pytest.approx((explained["tokens"], explained["multiply_adds"]), rel=1e-5)
    assert set(points[0]) == {"seconds", "resolution", "accuracy", "low", "high", "clips", "tokens", "multiply_adds"}


@pytest.mark.parametrize(("options", "says"), [
    (["--task", "elastic", "--method", "lstm"], "choose elastic"),
    (["--task", "elastic", "--method", "ast-2s", "--pack", "100"], "clips of any length, and ast-2s crops and pads: leave it out"),
    (["--task", "reconstruction", "--resolutions", "1", "2"], "have one frame shift alone"),
    (["--task", "elastic", "--label", "person"], "no column 'person'"),
    (["--task", "classification", "--pack", "64"], "--pack is for --task elastic, not for a classifier"),
])
def test_what_can_not_be_trained_is_one_sentence(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], says: str):
    base = ["train", "--data", str(root / "voices"), "--device", "cpu", "--epochs", "1", "--out", str(tmp_path / "m.safetensors")]
    if "--label" not in options:
        base += ["--label", "speaker"]
    assert cli.main([*base, *options]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert len(said.strip().splitlines()) == 1


def test_lengths_need_labels(root: Path, tmp_path: Path):
    codec = KINDS["codec"].network(KINDS["codec"].config(width=8, codes=8))
    with pytest.raises(DataError, match="have one frame shift alone"):
        list(measure_lengths(codec, clips_of(0.3), LengthGrid(seconds=(0.1,))))


def test_it_is_a_classification(root: Path):
    model = network()
    assert task_of(model).headline.name == "accuracy"
    assert task_of(model).describe(model.config) == "2 classes"


def test_explain_hears_another_length_at_another_resolution(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path, clip = tmp_path / "n.safetensors", tmp_path / "clip.wav"
    checkpoints.save_checkpoint(network(), path, {})
    soundfile.write(clip, tone(440, 3.0), RATE)
    assert cli.main(["explain", str(clip), "--checkpoint", str(path), "--length", "1", "--resolution", "2"]) == 0
    assert "51 mel frames of 20 ms" in capsys.readouterr().out
    assert cli.main(["explain", str(clip), "--length", "1"]) == 2
    assert capsys.readouterr().err == "digits-adastride hears whole clips at one resolution: choose a network of patches for another length or resolution.\n"


def test_a_clip_of_too_many_tokens_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    path, clip = tmp_path / "n.safetensors", tmp_path / "clip.wav"
    checkpoints.save_checkpoint(network(), path, {})
    soundfile.write(clip, tone(440, 3.0), RATE)
    monkeypatch.setattr(elastic, "MOST_TOKENS", 100)
    assert cli.main(["explain", str(clip), "--checkpoint", str(path)]) == 2
    assert capsys.readouterr().err == "clip.wav has 152 tokens, too many for n: give --from and --to, --length, or a larger --resolution.\n"
    assert cli.main(["explain", str(clip), "--checkpoint", str(path), "--to", "1"]) == 0
