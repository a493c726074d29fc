"""Parts of long recordings: the right seconds of the file, joined without a seam, at the cost of the part alone."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from adastride import audio
from adastride.audio import AudioError
from adastride.clip_parts import read_part


def write(path: Path, samples: np.ndarray, rate: int, subtype: str | None = None) -> Path:
    """A sound file, written a second at a time: libsndfile's OGG encoder can't take minutes at once."""
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    with soundfile.SoundFile(path, "w", rate, channels, subtype=subtype) as file:
        for begin in range(0, len(samples), rate):
            file.write(samples[begin : begin + rate])
    return path


def glide(seconds: float, rate: int) -> np.ndarray:
    """A tone that rises from 200 Hz by 10 Hz a second, (n,) float32: no two moments of it are alike."""
    at = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * (200 * at + 5 * at**2))).astype(np.float32)


@pytest.mark.parametrize(("kind", "subtype", "rate"), [
    ("wav", "FLOAT", 16_000), ("wav", "PCM_16", 44_100), ("flac", None, 48_000), ("ogg", "VORBIS", 44_100), ("mp3", None, 44_100), ("wav", "FLOAT", 8000),
])
def test_a_part_is_what_the_whole_has_there(tmp_path: Path, kind: str, subtype: str | None, rate: int):
    """More than a minute, so that there is a joint between two pieces; an MP3 decoder that jumps is wrong for a moment at first."""
    path = write(tmp_path / f"glide.{kind}", glide(85, rate), rate, subtype)
    original, _ = soundfile.read(path, dtype="float32")
    whole = audio.from_samples(original, rate)
    part = read_part(path, 12, 80)
    assert (part.seconds, part.sample_rate, part.original_rate, part.original_channels) == (68.0, 16_000, rate, 1)
    np.testing.assert_allclose(part.samples[:-200], whole.samples[12 * 16_000 : 80 * 16_000 - 200], atol=2e-6)
    assert part.samples.size == 68 * 16_000
    assert not part.samples.flags.writeable
    np.testing.assert_allclose(read_part(path).samples, whole.samples, atol=2e-6)


def test_an_odd_rate_and_an_odd_moment_keep_pitch_and_length(tmp_path: Path):
    tone = (0.5 * np.sin(2 * np.pi * 440 * np.arange(22_254 * 130) / 22_254)).astype(np.float32)
    part = read_part(write(tmp_path / "mac.wav", tone, 22_254), 3.3333, 128.7)
    assert part.samples.size == pytest.approx(125.3667 * 16_000, abs=3)
    seam = part.samples[60 * 16_000 - 800 : 60 * 16_000 + 800]
    assert np.abs(np.diff(seam)).max() < 1.05 * 0.5 * 2 * np.pi * 440 / 16_000, "a click at the joint of two pieces"
    assert int(np.abs(np.fft.rfft(part.samples)).argmax()) == pytest.approx(440 * part.seconds, abs=2)


def test_channels_are_averaged_and_a_short_file_is_whole(tmp_path: Path):
    tone = glide(1.5, 16_000)
    part = read_part(write(tmp_path / "stereo.wav", np.stack([tone, -tone], axis=1), 16_000, "FLOAT"))
    assert (part.original_channels, part.seconds) == (2, 1.5)
    assert np.abs(part.samples).max() < 1e-6


def test_the_end_of_the_file_ends_the_part(tmp_path: Path):
    path = write(tmp_path / "clip.wav", glide(3, 16_000), 16_000)
    assert read_part(path, 2, 100).seconds == 1.0
    assert read_part(path, 2).sha256 == read_part(path, 2, 3).sha256 != read_part(path, 1).sha256


def test_a_minute_of_an_hour_costs_a_minute(tmp_path: Path):
    """The hour is never read: the file could be of any length."""
    path = tmp_path / "hour.flac"
    with soundfile.SoundFile(path, "w", 8000, 1) as file:
        for second in range(0, 3600, 60):
            file.write(np.full(60 * 8000, second / 4000, np.float32))
    began = time.process_time()
    part = read_part(path, 600, 660)
    assert time.process_time() - began < 1.0
    assert part.seconds == 60
    np.testing.assert_allclose(part.samples[1000:-1000], 600 / 4000, atol=1e-3)


def refuses(path: Path, says: str, *part: float, **limits: float) -> None:
    with pytest.raises(AudioError, match=says) as caught:
        read_part(path, *part, **limits)
    text = str(caught.value)
    assert path.name in text
    assert text.endswith(".")
    assert "\n" not in text


def test_what_cannot_be_read_is_one_sentence(tmp_path: Path):
    clip = write(tmp_path / "clip.flac", np.random.default_rng(0).uniform(-0.5, 0.5, 16_000 * 9).astype(np.float32), 16_000)
    refuses(clip, "has no sound from 9 s on", 9)
    refuses(clip, "has no sound from 500 s on", 500, 501)
    refuses(clip, r"more than 0\.1 minutes from 1 s on: choose a part of it with --from and --to", 1, longest=6)
    assert read_part(clip, 1, 7, longest=6).seconds == 6
    refuses(write(tmp_path / "empty.wav", np.zeros(0, np.float32), 16_000), "holds 0 samples")
    refuses(write(tmp_path / "one.wav", np.zeros(1, np.float32), 16_000), "holds 1 sample:")
    refuses(write(tmp_path / "nan.wav", np.full(99, np.nan), 16_000, "FLOAT"), "NaN or infinite")
    refuses(write(tmp_path / "loud.wav", np.full(99, 1e5), 16_000, "FLOAT"), "as large as")
    refuses(write(tmp_path / "slow.wav", np.zeros(99), 500), "sample rate of 500 Hz")
    refuses(tmp_path / "missing.wav", "can't be read: No such file")
    (tmp_path / "text.wav").write_text("no sound")
    refuses(tmp_path / "text.wav", "can't be decoded")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_file_that_breaks_off_is_said_to(tmp_path: Path, share: float):
    whole = write(tmp_path / "whole.flac", np.random.default_rng(0).uniform(-0.5, 0.5, 16_000 * 20).astype(np.float32), 16_000).read_bytes()
    (tmp_path / "cut.flac").write_bytes(whole[: int(share * len(whole))])
    refuses(tmp_path / "cut.flac", "can't be decoded|breaks off")
