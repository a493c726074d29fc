"""Training on a tiny made-up folder.

It writes a checkpoint, goes on after an interruption as if there had been none, and refuses data it can't use.
"""

from __future__ import annotations

import csv
import math
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

from adastride import checkpoints
from adastride.clips import Clip, DataError
from adastride.downsampling import METHODS
from adastride.models import Classifier, ClassifierConfig
from adastride.tasks import KINDS
from adastride.tasks.task import stack_mels
from adastride.training import loop
from adastride.training.data import change_speed, licence_line, place_in_silence
from adastride.training.datasets import load_split
from adastride.training.evaluate import evaluate
from adastride.training.loop import Progress, TrainingSettings, finished_history, train

SETTINGS = TrainingSettings(epochs=2, batch_size=4, learning_rate=3e-3, window_seconds=(0.4, 0.6), seed=3)
HERTZ = {"high": 3000.0, "low": 300.0}
small = partial(KINDS["classifier"].learn_config, width=16)


def beep(label: str, number: int, rate: int = 16_000) -> np.ndarray:
    """A fifth of a second of a tone, each a little different."""
    time = np.arange(rate // 5) / rate
    return 0.3 * np.sin(2 * np.pi * HERTZ[label] * (1 + number / 50) * time) * np.hanning(time.size)


def write_manifest(folder: Path, rows: Iterable[tuple[str, ...]], header: tuple[str, ...] = ("path", "label", "split")) -> None:
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two classes of eight clips: five to train on, two to choose by, one to test; and a README that names a licence."""
    folder = tmp_path / "beeps"
    folder.mkdir()
    rows = []
    for label in HERTZ:
        for number in range(8):
            soundfile.write(folder / f"{label}{number}.wav", beep(label, number), 16_000)
            rows.append((f"{label}{number}.wav", label, "train" if number < 5 else "valid" if number < 7 else "test"))
    write_manifest(folder, rows)
    readme = "# Beeps\n\nTones made for tests. Licence: CC0 1.0,\nno rights reserved. More text.\n"
    (folder / "README.md").write_text(readme, encoding="utf-8")
    return folder


@pytest.fixture
def tiny() -> Classifier:
    torch.manual_seed(0)
    return Classifier(ClassifierConfig(tuple(HERTZ), width=16)).eval()


# --- the loop


def test_two_epochs_make_a_checkpoint(data: Path, tmp_path: Path):
    seen: list[Progress] = []
    out = tmp_path / "runs" / "beeps.safetensors"
    model = train([data], out, small, SETTINGS, report=seen.append)
    assert [(p.epoch, p.epochs) for p in seen] == [(1, 2), (2, 2)]
    assert all(np.isfinite([p.loss, p.position_loss, p.seconds]).all() and 0 <= p.valid <= 1 for p in seen)
    assert [entry["loss"] for entry in seen[-1].history] == [p.loss for p in seen]
    assert list(out.parent.iterdir()) == [out], "the state of a finished run is gone"
    header = checkpoints.details(out)
    assert header["config"]["labels"] == ["high", "low"]
    assert header["config"]["width"] == 16
    details = header["details"]
    assert details["data"] == ["beeps"]
    assert len(details["licence"]) == 1
    assert "CC0 1.0, no rights reserved." in details["licence"][0]
    assert details["training"]["learning_rate"] == 3e-3
    best = seen[details["metrics"]["epoch"] - 1]
    assert best.epoch == seen[-1].best_epoch
    assert details["metrics"]["valid_accuracy"] == best.valid
    assert best.valid + best.valid_in_silence == max(p.valid + p.valid_in_silence for p in seen)
    assert finished_history(out) == seen[-1].history
    assert details["versions"]["torch"] == torch.__version__
    assert not model.training
    assert model.config == checkpoints.load(out).config


def test_training_learns(data: Path, tmp_path: Path):
    seen: list[Progress] = []
    settings = TrainingSettings(
        epochs=20, batch_size=5, learning_rate=3e-3, as_is=1.0, snr_db=(30.0, 50.0), speed=(1.0, 1.0), tilt=0.0, frequency_masks=0, time_masks=0,
    )
    train([data], tmp_path / "m.safetensors", small, settings, report=seen.append)
    losses = [p.loss for p in seen]
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])


@pytest.mark.parametrize("method", ["adastride-f", "strided-conv"])
def test_other_methods_train_too(data: Path, tmp_path: Path, method: str):
    config = partial(small, methods=(method,) * 3)
    model = train([data], tmp_path / "m.safetensors", config, TrainingSettings(1, 10, window_seconds=(0.4, 0.5)))
    assert model.config.methods == (method,) * 3


def test_several_folders_are_one_data_set(data: Path, tmp_path: Path):
    other = tmp_path / "more"
    data.rename(other)
    data.mkdir()
    for file in other.iterdir():
        (data / file.name).write_bytes(file.read_bytes())
    train([data, other], tmp_path / "m.safetensors", small, TrainingSettings(1, 20, window_seconds=(0.4, 0.5)))
    assert checkpoints.details(tmp_path / "m.safetensors")["details"]["data"] == ["beeps", "more"]


def stop(progress: Progress) -> None:
    if progress.epoch == 1:
        raise KeyboardInterrupt


def same_weights(one: Path, other: Path) -> bool:
    """Their headers differ in the seconds that epochs took."""
    ours, theirs = load_file(one), load_file(other)
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_an_interrupted_run_goes_on_as_if_it_had_not_been(data: Path, tmp_path: Path):
    whole, halted = tmp_path / "whole.safetensors", tmp_path / "halted.safetensors"
    settings = TrainingSettings(epochs=3, batch_size=4, learning_rate=3e-3, window_seconds=(0.4, 0.6))
    expected: list[Progress] = []
    train([data], whole, small, settings, report=expected.append)
    with pytest.raises(KeyboardInterrupt):
        train([data], halted, small, settings, report=stop)
    assert halted.with_suffix(".state").exists()
    assert finished_history(halted) is None
    torch.manual_seed(999)  # a new process would not have the random state of the old one
    seen: list[Progress] = []
    train([data], halted, small, settings, report=seen.append)
    assert [p.epoch for p in seen] == [2, 3]
    assert [entry["loss"] for entry in seen[-1].history] == [entry["loss"] for entry in expected[-1].history]
    assert same_weights(halted, whole)
    assert not halted.with_suffix(".state").exists()


def test_the_state_holds_the_weights_as_they_are(data: Path, tmp_path: Path):
    """Not the best, and not in half precision, as the checkpoint does."""
    with pytest.raises(KeyboardInterrupt):
        train([data], tmp_path / "m.safetensors", small, SETTINGS, report=stop)
    tensors = load_file(tmp_path / "m.state")
    assert tensors["model.projection.weight"].dtype == torch.float32
    assert any(name.startswith("optimizer.") for name in tensors)


@pytest.mark.parametrize("change", [{"learning_rate": 1e-4}, {"epochs": 5}, {"seed": 9}, {"window_seconds": (0.4, 0.5)}], ids=str)
def test_a_state_of_other_settings_is_refused(data: Path, tmp_path: Path, change: dict):
    out = tmp_path / "m.safetensors"
    with pytest.raises(KeyboardInterrupt):
        train([data], out, small, SETTINGS, report=stop)
    before = out.with_suffix(".state").read_bytes()
    with pytest.raises(DataError, match="other settings") as caught:
        train([data], out, small, TrainingSettings(**{**vars(SETTINGS), **change}))
    one_sentence(caught.value)
    with pytest.raises(DataError, match="other settings"):
        train([data], out, partial(small, sigma=1.0), SETTINGS)
    assert out.with_suffix(".state").read_bytes() == before


@pytest.mark.parametrize("rubbish", [b"", b"not a state", bytes(100)], ids=len)
def test_a_state_that_is_none_is_refused(data: Path, tmp_path: Path, rubbish: bytes):
    (tmp_path / "m.state").write_bytes(rubbish)
    with pytest.raises(DataError, match=r"m\.state") as caught:
        train([data], tmp_path / "m.safetensors", small, SETTINGS)
    one_sentence(caught.value)


def test_patience_ends_a_run_that_no_longer_gets_better(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The third epoch is the best; two more have a chance, and its weights are the ones that stay."""
    script = iter([0.5, 0.6, 0.8, 0.7, 0.7, 0.9])
    monkeypatch.setattr(loop, "_validate", lambda *_: {"valid_accuracy": next(script), "valid_accuracy_in_silence": None, "valid_loss": 1.0})
    seen: list[Progress] = []
    train([data], tmp_path / "m.safetensors", small, replace(SETTINGS, epochs=30, patience=2), report=seen.append)
    assert [p.best_epoch for p in seen] == [1, 2, 3, 3, 3]
    assert checkpoints.details(tmp_path / "m.safetensors")["details"]["metrics"]["epoch"] == 3
    assert len(finished_history(tmp_path / "m.safetensors")) == 5


def test_of_equally_good_epochs_the_one_with_the_lower_loss_stays(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rows = iter([(0.5, 0.75, 1.0), (0.625, 0.625, 0.5), (0.25, 1.0, 0.7)])  # the same in sum
    monkeypatch.setattr(loop, "_validate", lambda *_: dict(zip(("valid_accuracy", "valid_accuracy_in_silence", "valid_loss"), next(rows), strict=True)))
    train([data], tmp_path / "m.safetensors", small, replace(SETTINGS, epochs=3))
    assert checkpoints.details(tmp_path / "m.safetensors")["details"]["metrics"]["epoch"] == 2


def test_where_training_adds_no_silence_none_is_validated(data: Path, tmp_path: Path):
    seen: list[Progress] = []
    train([data], tmp_path / "m.safetensors", small, replace(SETTINGS, epochs=1, as_is=1.0), report=seen.append)
    assert seen[0].valid_in_silence is None


def test_settings_may_follow_from_the_clips(data: Path, tmp_path: Path):
    def settings(clips: list[Clip], rate: int) -> TrainingSettings:
        assert (len(clips), rate) == (10, 16_000)
        return replace(SETTINGS, epochs=1)

    train([data], tmp_path / "m.safetensors", small, settings)
    assert checkpoints.details(tmp_path / "m.safetensors")["details"]["training"]["epochs"] == 1


def test_a_run_that_diverges_says_so(data: Path, tmp_path: Path):
    with pytest.raises(DataError, match=r"training of m\.safetensors diverged in epoch 1") as caught:
        train([data], tmp_path / "m.safetensors", small, replace(SETTINGS, learning_rate=1e30, epochs=3))
    one_sentence(caught.value)


def test_a_full_disk_keeps_the_epochs_before(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    real, calls = os.replace, []

    def full(*paths: object) -> None:
        calls.append(paths)
        if len(calls) > 2:  # the first epoch's checkpoint and state are written
            raise OSError(28, "No space left on device", str(tmp_path / "m.state"))
        real(*paths)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        train([data], tmp_path / "m.safetensors", small, SETTINGS)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["m.safetensors", "m.state"], "no half-written file stays"
    monkeypatch.setattr(os, "replace", real)
    seen: list[Progress] = []
    train([data], tmp_path / "m.safetensors", small, SETTINGS, report=seen.append)
    assert [p.epoch for p in seen] == [2]


def test_a_learned_sigma_is_trained_and_kept(data: Path, tmp_path: Path):
    model = train([data], tmp_path / "m.safetensors", partial(small, learn_sigma=True), replace(SETTINGS, learning_rate=0.02))
    sigmas = [layer.sigma for layer in model.downsamplers]
    assert all(sigma != pytest.approx(5**-0.5, rel=1e-3) for sigma in sigmas)
    assert [layer.sigma for layer in checkpoints.load(tmp_path / "m.safetensors").downsamplers] == sigmas


def test_two_processes_train_together(data: Path, tmp_path: Path):
    """As on several GPUs or machines: one checkpoint, both of one mind, and only the first one writes and prints."""
    out = tmp_path / "m.safetensors"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", "adastride", "train", "--data", str(data),
               "--out", str(out), "--width", "8", "--epochs", "2", "--batch-size", "3", "--device", "cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=Path(loop.__file__).parents[2], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert [line.split()[1] for line in done.stdout.splitlines() if line.startswith("epoch")] == ["1/2", "2/2"]
    assert len(finished_history(out)) == 2
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["m.safetensors"]


# --- data that can't be used


def one_sentence(error: BaseException) -> None:
    text = str(error)
    assert text.endswith(".")
    assert "\n" not in text


def refuses(folder: Path, says: str) -> None:
    with pytest.raises(DataError, match=says) as caught:
        train([folder], folder / "out" / "m.safetensors", small, SETTINGS)
    one_sentence(caught.value)
    assert not (folder / "out").exists()


def test_no_folder(tmp_path: Path):
    refuses(tmp_path / "none", r"manifest\.csv can't be read")


def test_no_manifest(data: Path):
    (data / "manifest.csv").unlink()
    refuses(data, r"manifest\.csv can't be read \(No such file")


def test_a_manifest_that_is_not_text(data: Path):
    (data / "manifest.csv").write_bytes(b"path,label,split\n\xff\xfe\x00")
    refuses(data, r"manifest\.csv can't be read")


def test_a_manifest_without_paths(data: Path):
    write_manifest(data, [], ("label", "split"))
    refuses(data, r"lacks the column path: its first line must name path, and label, text and split where there are any\.")


def test_a_manifest_without_labels(data: Path):
    write_manifest(data, [("low0.wav", "train"), ("high0.wav", "valid")], ("path", "split"))
    refuses(data, r"the clip low0\.wav has no label: the manifest needs a column label")


def test_an_empty_manifest(data: Path):
    (data / "manifest.csv").write_text("")
    refuses(data, "lacks the column path")


@pytest.mark.parametrize("split", ["train", "valid"])
def test_a_split_without_rows(data: Path, split: str):
    other = "valid" if split == "train" else "train"
    write_manifest(data, [("low0.wav", "low", other), ("high0.wav", "high", other)])
    refuses(data, f"no row whose split is '{split}': name the split of each clip in a column split")


def test_a_missing_file(data: Path):
    (data / "low3.wav").unlink()
    refuses(data, r"names low3\.wav, but .*can't be read")


def test_a_broken_file(data: Path):
    (data / "low3.wav").write_text("not a sound")
    refuses(data, r"names low3\.wav, but .*can't be decoded")


@pytest.mark.parametrize("header", [("split", "path", "label"), ("split", "label", "path")])
def test_a_row_cut_short(data: Path, header: tuple[str, ...]):
    good = {"path": "low0.wav", "label": "low", "split": "train"}
    rows = [{**good, **change} for change in ({}, {"label": "high"}, {"split": "valid"})]
    write_manifest(data, [*(tuple(row[column] for column in header) for row in rows), ("train", good[header[1]])], header)
    refuses(data, r"manifest\.csv")


def test_one_class_only(data: Path):
    write_manifest(data, [("low0.wav", "low", "train"), ("low1.wav", "low", "valid")])
    refuses(data, "all training clips have the label 'low'")


def test_a_label_nobody_trained_on(data: Path):
    write_manifest(data, [("low0.wav", "low", "train"), ("high0.wav", "high", "train"), ("low1.wav", "middle", "valid")])
    refuses(data, "the valid split has the label 'middle'")


# --- clips


def test_load_split_reads_what_the_manifest_names(data: Path):
    clips = load_split(data, "valid")
    assert [clip.path for clip in clips] == ["high5.wav", "high6.wav", "low5.wav", "low6.wav"]
    assert [clip.label for clip in clips] == ["high", "high", "low", "low"]
    np.testing.assert_allclose(clips[0].samples, beep("high", 5), atol=1e-4)
    assert load_split(data, "valid", 8000)[0].samples.size == 1600


@pytest.mark.parametrize(("readme", "line"), [
    (None, ""), ("", ""), ("# Sounds\n\nNothing about rights.", ""),
    ("# Sounds\n\nMade by us.\nLicence: MIT. Enjoy.", "Licence: MIT."),
    ("# Sounds\n\nLicensed under CC BY 4.0 by us. Enjoy.", "Licensed under CC BY 4.0 by us."),
])
def test_licence_line(tmp_path: Path, readme: str | None, line: str):
    if readme is not None:
        (tmp_path / "README.md").write_text(readme, encoding="utf-8")
    assert licence_line(tmp_path).endswith(line)
    assert bool(licence_line(tmp_path)) == bool(line)


@pytest.mark.parametrize("snr_db", [0.0, 15.0, 30.0, 50.0])
@pytest.mark.parametrize("start", [0, 3000, 12_800])
def test_place_in_silence(snr_db: float, start: int):
    clip = beep("low", 0).astype(np.float32)
    window = place_in_silence(clip, 16_000, start, snr_db, np.random.default_rng(0))
    assert window.shape == (16_000,)
    assert window.dtype == np.float32
    inside = slice(start, start + clip.size)
    noise = np.concatenate([window[: inside.start], window[inside.stop :]])
    measured = 10 * np.log10(np.mean(clip**2) / np.mean(noise**2))
    assert measured == pytest.approx(snr_db, abs=0.3)
    under = window[inside] - clip
    assert 10 * np.log10(np.mean(clip**2) / np.mean(under**2)) == pytest.approx(snr_db, abs=0.5), "noise lies under the clip too"
    assert int(np.correlate(window, clip, "valid").argmax()) == pytest.approx(start, abs=1)


def test_what_does_not_fit_is_cut_off():
    clip = np.ones(1000, np.float32)
    window = place_in_silence(clip, 600, 100, 80.0, np.random.default_rng(0))
    assert window.shape == (600,)
    np.testing.assert_allclose(window[100:], 1.0, atol=1e-2)


def test_a_silent_clip_still_gets_noise():
    window = place_in_silence(np.zeros(100, np.float32), 500, 0, 30.0, np.random.default_rng(0))
    assert np.isfinite(window).all()
    assert (window != 0).any()


@pytest.mark.parametrize("factor", [0.85, 1.0, 1.18, 2.0])
def test_change_speed(factor: float):
    clip = beep("low", 0).astype(np.float32)
    faster = change_speed(clip, factor)
    assert faster.size == math.ceil(clip.size / factor)
    assert faster.dtype == np.float32
    peak = np.abs(np.fft.rfft(faster)).argmax() * 16_000 / faster.size
    assert peak == pytest.approx(300 * factor, abs=6)


@pytest.mark.parametrize(("factor", "hertz"), [(1.18, 7600.0), (1.25, 7200.0), (2.0, 5000.0)])
def test_a_faster_clip_does_not_alias(factor: float, hertz: float):
    """A tone that would lie above half the sample rate is gone; another one, just below, stays."""
    time = np.arange(16_000) / 16_000
    gone, kept = (change_speed(np.sin(2 * np.pi * each * time).astype(np.float32), factor)[500:-500] for each in (hertz, 0.9 * 8000 / factor))
    assert 20 * np.log10(np.sqrt(2 * np.mean(gone**2))) < -55
    assert np.sqrt(2 * np.mean(kept**2)) == pytest.approx(1, abs=0.02)


def test_speeds_share_their_filters():
    """A factor is rounded to hundredths, and one of 1 leaves a clip as it is."""
    clip = beep("low", 0).astype(np.float32)
    np.testing.assert_array_equal(change_speed(clip, 1.1001), change_speed(clip, 1.0999))
    assert change_speed(clip, 1.001) is clip


def test_stack_mels_pads(tiny: Classifier):
    sounds = [np.full(n, 0.1, np.float32) for n in (1000, 5000, 20)]
    mel, lengths = stack_mels(sounds, tiny.config.mel)
    assert lengths.tolist() == [4, 20, 1]
    assert mel.shape == (3, 80, 20)
    assert (mel[0, :, 4:] == 0).all()


# --- evaluation


def clips() -> list[Clip]:
    return [Clip(beep(label, number).astype(np.float32), label, f"{label}{number}") for label in HERTZ for number in range(4)]


def test_evaluate_counts(tiny: Classifier):
    result = evaluate(tiny, clips(), placed_seconds=0.5)
    assert result.clips == 8
    assert result.breakdown.data["labels"] == ["high", "low"]
    confusion = np.array(result.breakdown.data["confusion"])
    assert confusion.sum() == 8
    assert confusion.sum(axis=1).tolist() == [4, 4], "rows are the true labels"
    assert result.value == np.trace(confusion) / 8
    assert 0 <= result.value_in_silence <= 1
    assert set(result.metrics) == set(result.in_silence) == {"accuracy", "loss"}


def test_a_network_that_always_says_the_same_is_half_right(tiny: Classifier):
    tiny.classifier.weight.data.zero_()
    tiny.classifier.bias.data = torch.tensor([0.0, 1.0])
    result = evaluate(tiny, clips(), placed_seconds=0.5)
    assert result.value == result.value_in_silence == 0.5
    assert result.breakdown.data["confusion"] == [[0, 4], [0, 4]]


def test_at_the_start_silence_and_sound_have_the_same_stride(tiny: Classifier):
    result = evaluate(tiny, clips(), placed_seconds=1.0)
    assert result.sound_stride == pytest.approx(2.0, abs=0.1)
    assert result.stride_ratio == pytest.approx(1.0, abs=0.05)


def test_a_network_that_squeezes_silence_shows_it(tiny: Classifier):
    """Scores that rise with the loudness of a frame give sound small strides."""
    tiny.projection.weight.data.fill_(0.05)
    tiny.projection.bias.data.fill_(10.0)
    tiny.blocks[0].conv1.weight.data.zero_()
    tiny.blocks[0].conv1.weight.data[:, :, 1] = 1 / 16
    tiny.downsamplers[0].score.weight.data.fill_(0.5)
    result = evaluate(tiny, clips(), placed_seconds=1.0)
    assert result.stride_ratio > 1.5
    assert result.sound_stride < 2 < result.silence_stride


def test_the_same_seed_gives_the_same_numbers(tiny: Classifier):
    one, same = (evaluate(tiny, clips(), placed_seconds=0.5, seed=4) for _ in range(2))
    assert (one.silence_stride, one.sound_stride) == (same.silence_stride, same.sound_stride)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_can_be_evaluated(method: str):
    torch.manual_seed(0)
    model = Classifier(ClassifierConfig(tuple(HERTZ), (method,) * 3, width=16)).eval()
    result = evaluate(model, clips(), placed_seconds=0.5)
    assert result.clips == 8
    assert result.metrics["loss"] > 0
    assert result.sound_stride > 1
    assert result.silence_stride > 1
    if METHODS[method].kind != "adaptive":
        assert result.stride_ratio == pytest.approx(1.0, abs=0.05)


def test_a_clip_as_long_as_the_window_still_gets_silence(tiny: Classifier):
    assert np.isfinite(evaluate(tiny, clips(), placed_seconds=0.1).silence_stride)
