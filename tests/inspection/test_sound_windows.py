"""Windows of clips: as training cuts them, whatever the clip's length, and with the units of their axes."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from made_up_pictures import SOUND_LABELS, TASKS, spectrogram_network
from sound_made_here import LOUD_FROM, waveform

from adastride.audio import MelPreset, from_samples, log_mel
from adastride.inspection import picture_exports
from adastride.inspection.modulation import modulations_of
from adastride.inspection.pictures import trace_image
from adastride.inspection.sound_windows import SoundWindow, loudest_first, most_first, sound_window
from adastride.models.spectrograms import decibels_of_level, picture_of_mel
from adastride.training.spectrograms import window_of, windows_of

MEL = MelPreset(16_000, window=400, hop=160, n_mels=64)


@pytest.mark.parametrize("first", [0, 1, 77, 199, 200])
def test_a_window_is_cut_from_the_whole_clip_s_spectrogram(first: int):
    clip = waveform()
    whole = picture_of_mel(log_mel(torch.from_numpy(clip.samples.copy()), MEL)).numpy()
    found = sound_window(clip, MEL, 100, first)
    assert most_first(clip, MEL, 100) == 200
    np.testing.assert_array_equal(found.pixels[:, :, 1], window_of(whole, 100, first))
    assert (found.first, found.begin, found.frames) == (first, first / 100, 301)


@pytest.mark.parametrize("seconds", [0.0002, 0.01, 0.4, 0.99, 1.0])
def test_a_shorter_clip_stands_in_the_middle_of_silence(seconds: float):
    clip = from_samples(np.random.default_rng(1).normal(0, 0.1, max(2, round(seconds * 16_000))), 16_000)
    whole = picture_of_mel(log_mel(torch.from_numpy(clip.samples.copy()), MEL)).numpy()
    found = sound_window(clip, MEL, 100, 5)
    np.testing.assert_array_equal(found.pixels[:, :, 0], windows_of(whole, 100)[0])
    assert most_first(clip, MEL, 100) == loudest_first(clip, MEL, 100) == 0
    assert all(0 <= float(text) <= seconds + 0.011 for text, _ in found.second_ticks)


def test_the_loudest_window_is_found_and_silence_begins_at_its_beginning():
    assert loudest_first(waveform(), MEL, 100) / 100 == pytest.approx(LOUD_FROM, abs=0.02)
    assert loudest_first(waveform(rate=22_050), MEL, 100) / 100 == pytest.approx(LOUD_FROM, abs=0.02)
    silence = from_samples(np.zeros(48_000), 16_000)
    assert loudest_first(silence, MEL, 100) == 0
    window = sound_window(silence, MEL, 100, 0)
    assert window.levels == (0, 1)
    assert np.isfinite(window.decibels).all()


def test_another_rate_is_resampled():
    found, other = (sound_window(waveform(rate=rate), MEL, 100, 150).pixels[..., 0].astype(int) for rate in (16_000, 22_050))
    assert np.median(np.abs(found - other)) <= 2


def test_its_axes_have_units():
    window = sound_window(waveform(), MEL, 100, 140)
    assert [text for text, _ in window.frequency_ticks] == ["0.25 kHz", "1 kHz", "4 kHz"]
    assert [round(place) for _, place in window.frequency_ticks] == [59, 43, 14]
    for text, row in window.frequency_ticks:
        assert np.interp(row - 0.5, np.arange(64), window.hertz) == pytest.approx(1000 * float(text.split()[0]), rel=0.02)
    assert window.second_ticks == [("1.5", 10), ("2", 60)]
    low, high = window.levels
    assert high == window.pixels.max()
    assert window.decibels[1] - window.decibels[0] == pytest.approx(80, abs=0.5)
    assert window.decibels == (decibels_of_level(low), decibels_of_level(high))


@pytest.fixture(scope="module")
def looked_at() -> tuple:
    network = spectrogram_network()
    window = sound_window(waveform(), network.config.mel, 100, 140)
    return trace_image(network, window.pixels), window


def test_arrays_of_sound_have_its_units(looked_at: tuple):
    trace, window = looked_at
    arrays = np.load(io.BytesIO(picture_exports.to_npz(trace, window)))
    assert arrays["heads"].tolist() == [task for task in TASKS for _ in range(4)]
    assert arrays["labels"].tolist() == [label for labels in SOUND_LABELS for label in labels]
    sums = [arrays["probabilities"][arrays["heads"] == task].sum() for task in TASKS]
    assert sums == pytest.approx([1] * 4, abs=1e-5)
    mel = 20 / np.log(10) * log_mel(torch.from_numpy(waveform().samples.copy()), MEL).numpy()[:, 140:240]
    assert np.abs(arrays["spectrogram"] - mel).max() <= 0.25
    assert (arrays["seconds"][0], arrays["seconds"].shape) == (1.4, (100,))
    assert np.all(np.diff(arrays["hertz"]) > 0)
    assert float(arrays["cut_off_1_width"]) == pytest.approx(modulations_of(trace, 1, 100)[1].cut_off)


def test_lines_of_the_table_of_sound_have_its_units(looked_at: tuple):
    trace, window = looked_at
    names, *lines = [line.split(",") for line in picture_exports.to_csv(trace, window).splitlines()]
    rows = [dict(zip(names, line, strict=True)) for line in lines]
    assert len(rows) == sum(axis.output_size for layer in trace.layers for axis in layer.along)
    time = [row for row in rows if (row["layer"], row["axis"]) == ("2", "time")]
    assert (float(time[0]["begin"]), float(time[-1]["end"])) == (1.4, 2.4)
    assert {row["step_unit"] for row in time} == {"ms"}
    assert float(time[0]["cut_off"]) == pytest.approx(modulations_of(trace, 1, 100)[1].cut_off, abs=1e-3)
    frequency = [row for row in rows if (row["layer"], row["axis"]) == ("1", "frequency")]
    assert all(float(row["begin"]) >= float(row["end"]) for row in frequency), "the highest band is on top"
    assert (float(frequency[0]["begin"]), float(frequency[-1]["end"])) == (8000, 0), "the outermost rows are as wide as their bands"
    assert {row["cut_off_unit"] for row in frequency} == {"cycles per band"}


@pytest.mark.parametrize("title", ["A clip", "cost $5 and $6.wav"])
def test_the_figure_of_sound_is_drawn(looked_at: tuple, title: str):
    trace, window = looked_at
    drawn = picture_exports.figure(trace, title, window)
    assert title in drawn.get_suptitle()
    assert all(task in drawn.get_suptitle() for task in TASKS)
    assert len(drawn.subfigs) == 4
    assert " Hz" in drawn.subfigs[1].get_suptitle()
    assert picture_exports.figure_png(trace, title, window).startswith(b"\x89PNG")


def test_a_window_can_begin_nowhere_but_within_the_clip():
    found = sound_window(waveform(), MEL, 100, 9999)
    assert isinstance(found, SoundWindow)
    assert found.first == 200
