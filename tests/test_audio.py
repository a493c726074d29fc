"""Sound in: every format, depth and rate people have, every broken file they have too, and the log-mel front end."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import textwrap
import tracemalloc
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import torchaudio
from hypothesis import given
from hypothesis import strategies as st

from adastride import audio
from adastride.audio import LOG_FLOOR, PRESETS, AudioError, MelPreset, Waveform, decode, log_mel

WAV_DEPTHS = ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW")
RATES = (8000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000)


def tone(rate: int, seconds: float = 0.5, hertz: float = 440.0) -> np.ndarray:
    """A sine at half of full scale, (n,) float64."""
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)


def encode(samples: np.ndarray, rate: int, kind: str = "WAV", subtype: str | None = None) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype)
    return file.getvalue()


def pitch(sound: Waveform) -> float:
    """The loudest frequency in Hz, between bins by the neighbours' weights."""
    spectrum = np.abs(np.fft.rfft(sound.samples * np.hanning(sound.samples.size)))
    peak = int(spectrum.argmax())
    near = spectrum[peak - 1 : peak + 2]
    return (peak + (near[2] - near[0]) / near.sum()) * sound.sample_rate / sound.samples.size


def refuses(data: bytes, says: str, **limits: float) -> None:
    """The one way a sound is refused: a single sentence for people, with the file's name in it."""
    with pytest.raises(AudioError, match=says) as caught:
        decode(data, name="clip.wav", **limits)
    one_sentence(str(caught.value))
    assert str(caught.value).startswith("clip.wav ")


def one_sentence(text: str) -> None:
    assert text.endswith(".")
    assert "\n" not in text
    assert ". " not in text
    assert "Traceback" not in text


# --- what can be read


@pytest.mark.parametrize("subtype", WAV_DEPTHS)
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_wav_of_any_depth_and_number_of_channels(subtype: str, channels: int):
    sound = decode(encode(np.repeat(tone(16_000)[:, None], channels, axis=1), 16_000, subtype=subtype))
    assert (sound.original_channels, sound.original_rate, sound.sample_rate) == (channels, 16_000, 16_000)
    assert sound.seconds == 0.5
    assert sound.samples.dtype == np.float32
    np.testing.assert_allclose(sound.samples, tone(16_000), atol=0.02)


@pytest.mark.parametrize(
    ("kind", "subtype"), [("FLAC", "PCM_16"), ("FLAC", "PCM_24"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", None), ("AIFF", None)]
)
@pytest.mark.parametrize("channels", [1, 2])
def test_other_formats(kind: str, subtype: str | None, channels: int):
    sound = decode(encode(np.repeat(tone(48_000, 1.0)[:, None], channels, axis=1), 48_000, kind, subtype))
    assert (sound.original_channels, sound.original_rate) == (channels, 48_000)
    assert sound.seconds == pytest.approx(1.0, abs=0.06)  # MP3 pads to whole frames
    assert pitch(sound) == pytest.approx(440, abs=1)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("hertz", [440.0, 3000.0])
def test_resampling_keeps_pitch_level_and_length(rate: int, hertz: float):
    sound = decode(encode(tone(rate, hertz=hertz), rate))
    assert sound.samples.size == pytest.approx(8000, abs=2)
    assert sound.seconds == pytest.approx(0.5, abs=1e-3)
    assert pitch(sound) == pytest.approx(hertz, abs=0.5)
    middle = sound.samples[2000:6000]
    assert np.sqrt(2 * np.mean(middle**2)) == pytest.approx(0.5, rel=0.02)


@pytest.mark.parametrize("rate", [16_000, 22_050])
def test_the_rate_asked_for(rate: int):
    sound = decode(encode(tone(44_100), 44_100), rate)
    assert sound.sample_rate == rate
    assert sound.samples.size == pytest.approx(rate / 2, abs=2)
    assert pitch(sound) == pytest.approx(440, abs=0.5)


def test_above_half_the_rate_nothing_is_folded_back():
    assert np.abs(decode(encode(tone(48_000, hertz=15_000.0), 48_000)).samples[1000:-1000]).max() < 0.01


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on memory that the system keeps")
def test_an_odd_rate_takes_neither_long_nor_gigabytes():
    """Rates without a common divisor with ours (old Macs recorded at 22 254 Hz) must not make a filter for every pair of samples."""
    script = """
        import resource, sys
        import test_audio
        used = 1024 * int(next(line for line in open("/proc/self/status") if line.startswith("VmData")).split()[1])
        resource.setrlimit(resource.RLIMIT_DATA, (used + 600_000_000,) * 2)
        for rate in (22_254, 44_101):
            sound = test_audio.decode(test_audio.encode(test_audio.tone(rate), rate))
            assert abs(sound.samples.size - 8000) < 3
            assert abs(test_audio.pitch(sound) - 440) < 1
    """
    in_a_process(script)


def test_channels_are_averaged():
    stereo = np.stack([tone(16_000), -tone(16_000)], axis=1)
    assert np.abs(decode(encode(stereo, 16_000)).samples).max() < 1e-3


def test_a_waveform_is_read_only_and_named_by_its_content():
    data = encode(tone(16_000), 16_000)
    sound = decode(data)
    assert not sound.samples.flags.writeable
    assert sound.sha256 == decode(data, name="other name").sha256
    assert sound.sha256 != decode(encode(tone(16_000, hertz=441.0), 16_000)).sha256


def test_from_samples_copies():
    mono = tone(16_000).astype(np.float32)
    sound = audio.from_samples(mono, 16_000)
    mono[:] = 0.0
    assert np.abs(sound.samples).max() > 0.4
    assert not sound.samples.flags.writeable


def test_read_is_decode_of_a_file(tmp_path: Path):
    (tmp_path / "a.flac").write_bytes(encode(tone(16_000), 16_000, "FLAC"))
    sound = audio.read(tmp_path / "a.flac")
    assert sound.sha256 == decode((tmp_path / "a.flac").read_bytes()).sha256


@pytest.mark.parametrize("seconds", [0.0001, 0.001])
@pytest.mark.parametrize("rate", [8000, 48_000])
def test_a_very_short_sound_still_has_a_spectrogram(rate: int, seconds: float):
    sound = decode(encode(np.full(max(2, round(rate * seconds)), 0.5), rate))
    assert sound.samples.size >= 1
    assert log_mel(torch.tensor(sound.samples)).isfinite().all()


# --- what can't


def test_empty_file():
    refuses(b"", "is empty")


def test_text_called_wav():
    refuses(b"This is not a sound.\n" * 50, "can't be decoded")


@pytest.mark.parametrize("part", [0.01, 0.1, 0.5, 0.95])
@pytest.mark.parametrize("seconds", [1.0, 20.0])
def test_truncated_flac(part: float, seconds: float):
    data = encode(np.random.default_rng(0).uniform(-0.5, 0.5, round(16_000 * seconds)), 16_000, "FLAC")
    refuses(data[: int(part * len(data))], "can't be decoded|breaks off")


@pytest.mark.parametrize("part", [0.3, 0.5, 0.9])
def test_truncated_ogg_is_refused_or_says_how_long_it_is(part: float):
    data = encode(tone(16_000, 20.0), 16_000, "OGG")
    try:
        sound = decode(data[: int(part * len(data))])
    except AudioError as error:
        one_sentence(str(error))
    else:
        assert sound.samples.size == pytest.approx(sound.seconds * 16_000, abs=2)


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG"])
def test_no_samples(kind: str):
    refuses(encode(np.zeros(0), 16_000, kind), "holds 0 samples|is empty")


def test_one_sample():
    refuses(encode(np.full(1, 0.5), 16_000), "holds 1 sample:")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("channels", [1, 2])
def test_samples_that_are_not_numbers(value: float, channels: int):
    samples = np.repeat(tone(16_000)[:, None], channels, axis=1)
    samples[100, 0] = value
    refuses(encode(samples, 16_000, subtype="FLOAT"), "NaN or infinite")


@pytest.mark.parametrize("level", [1e5, 1e30, 3e38])
def test_samples_without_any_scale(level: float):
    refuses(encode(tone(16_000) * level, 16_000, subtype="FLOAT"), "as large as")


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
def test_a_long_file_is_decoded_as_in_one_piece(kind: str, channels: int):
    """Over the joints of blocks, too: an MP3 decoder that goes on after a jump is wrong for a moment."""
    sweep = 0.3 * np.sin(np.cumsum(np.linspace(0.01, 1.5, 1_600_000)))
    data = encode(np.stack([sweep] * channels, axis=1), 44_100, kind)
    whole = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)[0].mean(axis=1)
    np.testing.assert_allclose(decode(data, 44_100).samples, whole, atol=1e-6)


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
def test_too_long(kind: str):
    refuses(encode(tone(16_000, 3.0), 16_000, kind), "longer than the 2 seconds allowed", max_seconds=2.0)


def test_the_limit_itself_is_allowed():
    assert decode(encode(tone(16_000, 2.0), 16_000), max_seconds=2.0).seconds == 2.0


def test_minutes_are_named_as_minutes():
    refuses(encode(np.zeros(1000 * 91), 1000), r"longer than the 1\.5 minutes allowed", max_seconds=90.0)


def test_too_many_bytes():
    refuses(bytes(2_000_001), "has 2 MB, more than the 1 MB allowed", max_bytes=1_000_000)


@pytest.mark.parametrize("claimed", [0, 1, 101, 16_000 * 2 * 3600 * 3, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_wav_header_that_lies_about_its_length(claimed: int):
    """What is read counts, never what is claimed; a claim of hours may be refused, but never reserves memory."""
    data = encode(tone(16_000), 16_000)
    lying = data[:4] + struct.pack("<I", min(claimed + 36, 0xFFFFFFFF)) + data[8:40] + struct.pack("<I", claimed) + data[44:]
    try:
        sound = decode(lying, name="clip.wav")
    except AudioError as error:
        one_sentence(str(error))
    else:
        assert sound.samples.size <= 8000


def test_a_flac_header_that_lies_about_its_length():
    data = bytearray(encode(tone(16_000), 16_000, "FLAC"))
    packed = int.from_bytes(data[18:26], "big")
    assert packed & (2**36 - 1) == 8000, "the last 36 bits here are the number of samples"
    data[18:26] = (packed | (2**36 - 1)).to_bytes(8, "big")
    refuses(bytes(data), "longer than|can't be decoded|breaks off")


@pytest.mark.parametrize("start", [
    b"\x00\x00\x00\x20ftypM4A \x00\x00\x02\x00isomiso2", b"\x1a\x45\xdf\xa3\x01\x00\x00\x00webm", b"PK\x03\x04", b"%PDF-1.7", b"\x89PNG",
])
def test_files_of_another_kind(start: bytes):
    refuses(start + np.random.default_rng(0).bytes(5000), "can't be decoded")


@pytest.mark.parametrize("rate", [1, 999, 800_000])
def test_rates_no_sound_has(rate: int):
    refuses(encode(np.zeros(100), rate), f"sample rate of {rate} Hz")


STARTS = [b"", b"RIFF", b"RIFF\x00\x00\x00\x00WAVEfmt ", b"fLaC", b"OggS", b"ID3", b"\xff\xfb"]


@given(st.binary(min_size=1, max_size=300), st.sampled_from(STARTS))
def test_random_bytes_are_refused(data: bytes, start: bytes):
    with pytest.raises(AudioError) as caught:
        decode(start + data)
    one_sentence(str(caught.value))


@given(st.sampled_from(["WAV", "FLAC", "OGG", "MP3"]), st.floats(0, 0.999), st.integers(1, 255), st.floats(0.2, 1))
def test_damaged_files_are_refused_or_finite(kind: str, where: float, change: int, kept: float):
    data = bytearray(encode(tone(16_000, 0.2), 16_000, kind))
    # The sample rate (in the first bytes) has a test of its own.
    place = 28 + int(where * (len(data) - 28))
    data[place] ^= change
    try:
        sound = decode(bytes(data[: max(place + 1, int(kept * len(data)))]))
    except AudioError as error:
        one_sentence(str(error))
    else:
        assert np.isfinite(sound.samples).all()


def test_a_file_that_is_not_there(tmp_path: Path):
    for path in (tmp_path / "none.wav", tmp_path):
        with pytest.raises(AudioError, match="can't be read") as caught:
            audio.read(path)
        one_sentence(str(caught.value).replace(str(path), "x"))


def test_a_file_too_large_is_not_read(tmp_path: Path):
    with (tmp_path / "huge.wav").open("wb") as file:
        file.truncate(audio.MAX_BYTES + 1)  # sparse: takes no room on disk
    with pytest.raises(AudioError, match=r"huge\.wav has 120 MB"):
        audio.read(tmp_path / "huge.wav")


# --- log-mel


def test_the_papers_presets():
    assert PRESETS["classification"] == MelPreset(16_000, window=1024, hop=256, n_mels=80, low_hz=0.0, high_hz=8000.0)
    assert (PRESETS["speech-recognition"].window, PRESETS["speech-recognition"].hop) == (400, 160)
    assert (PRESETS["vq-vae"].sample_rate, PRESETS["vq-vae"].window, PRESETS["vq-vae"].hop) == (22_050, 1024, 256)
    assert PRESETS["speech-recognition"].frames_per_second == 100
    assert PRESETS["audio-transformer"] == MelPreset(16_000, window=400, hop=160, n_mels=128)


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_every_band_hears_something(preset: MelPreset):
    """The narrowest bands are hardly wider than a bin of the spectrum, and one between two bins would always lie on the floor."""
    width = preset.sample_rate / preset.window
    assert (audio.mel_filters(preset).sum(dim=0) * width > 0.3).all()


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("samples", [1, 2, 100, 255, 256, 511, 512, 513, 1024, 16_000])
def test_log_mel_shape(preset: str, samples: int):
    front_end = PRESETS[preset]
    mel = log_mel(torch.rand(samples) - 0.5, front_end)
    assert mel.shape == (front_end.n_mels, 1 + samples // front_end.hop)
    assert mel.isfinite().all()


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_log_mel_of_a_long_clip_is_torchaudio_s(preset: MelPreset):
    """Minutes of sound are transformed in parts; the seams must not show."""
    samples = torch.randn(4200 * preset.hop + 77, generator=torch.Generator().manual_seed(0)) / 8
    plain = torchaudio.transforms.MelSpectrogram(
        sample_rate=preset.sample_rate, n_fft=preset.window, hop_length=preset.hop, f_max=preset.high_hz, n_mels=preset.n_mels,
        power=1.0, norm="slaney", mel_scale="slaney",
    )
    torch.testing.assert_close(log_mel(samples, preset), plain(samples).clamp(min=LOG_FLOOR).log(), rtol=0, atol=1e-4)


def test_silence_lies_on_the_floor():
    assert (log_mel(torch.zeros(4000)) == torch.tensor(LOG_FLOOR).log()).all()


@pytest.mark.parametrize("hertz", [200.0, 1000.0, 4000.0, 7000.0])
def test_a_tone_lights_up_its_band(hertz: float):
    mel = log_mel(torch.from_numpy(tone(16_000, 1.0, hertz)).float())
    band = int(mel[:, 20:-20].mean(dim=1).argmax())
    centres = audio.mel_band_centres()
    assert centres.shape == (80,)
    assert (np.diff(centres) > 0).all()
    assert abs(band - int(np.abs(centres - hertz).argmin())) <= 1


def test_a_click_lights_up_its_frame():
    samples = torch.zeros(16_000)
    samples[30 * 256] = 1.0
    mel = log_mel(samples)
    assert int(mel.mean(dim=0).argmax()) == 30


def test_twice_as_loud_is_ln_2_more():
    samples = torch.rand(8000) - 0.5
    torch.testing.assert_close(log_mel(2 * samples) - log_mel(samples), torch.full((80, 32), 0.6931), rtol=0, atol=1e-3)


@pytest.mark.parametrize("rate", [8000, 11_025, 16_000, 22_050, 44_100, 44_101, 96_000, 192_000, 767_983])
@pytest.mark.parametrize("length", [5, 1000, 50_000])
@pytest.mark.parametrize("block", [1, 997, 1 << 18])
def test_resampling_in_blocks_is_resampling_in_one_piece(monkeypatch, rate: int, length: int, block: int):
    """A long clip has no seams where its parts meet, however it comes."""
    if length // block > 1000:
        length //= 50
    monkeypatch.setattr(audio, "_RESAMPLED_PART", 4096)
    ratio = audio._ratio(rate, 16_000)
    samples = torch.randn(length, generator=torch.Generator().manual_seed(0))
    whole = torchaudio.functional.resample(samples, ratio.numerator, ratio.denominator)
    resampler = audio._Resampler(rate, 16_000)
    for begin in range(0, length, block):
        resampler.push(samples[begin : begin + block].numpy())
    torch.testing.assert_close(torch.from_numpy(resampler.result().copy()), whole, rtol=0, atol=1e-5)


@given(st.integers(audio.MIN_RATE, audio.MAX_RATE), st.sampled_from([16_000, 22_050]))
def test_the_ratio_of_any_rate_is_near_and_its_filters_are_small(rate: int, wanted: int):
    ratio = audio._ratio(rate, wanted)
    error = abs(ratio / Fraction(rate, wanted) - 1)
    assert error <= Fraction(1, 1900)  # 16 007 Hz and 16 000 Hz are near to nothing simpler than 1 and 1001/1000
    assert error < Fraction(1, 8000) or rate < 4 * wanted
    assert ratio.denominator * ratio.numerator <= audio._MOST_TAPS


@pytest.mark.parametrize("rate", [*RATES, 88_200, 176_400, 192_000, 352_800, 384_000, 705_600, 768_000])
@pytest.mark.parametrize("wanted", [16_000, 22_050])
def test_the_ratio_of_a_usual_rate_is_exact(rate: int, wanted: int):
    assert audio._ratio(rate, wanted) == Fraction(rate, wanted)


# --- files that are small and become large


def silence(rate: int, frames: int, channels: int) -> bytes:
    """A FLAC file of zeros, written in blocks."""
    file, block = io.BytesIO(), np.zeros((1 << 18, channels), np.int16)
    with soundfile.SoundFile(file, "w", rate, channels, "PCM_16", format="FLAC") as sound:
        for begin in range(0, frames, len(block)):
            sound.write(block[: frames - begin])
    return file.getvalue()


@pytest.mark.parametrize(("rate", "frames", "channels"), [(655_350, audio.MAX_SAMPLES + 1, 1), (48_000, audio.MAX_SAMPLES // 8 + 1, 8)])
def test_more_samples_than_allowed_are_refused_before_any_is_decoded(monkeypatch, rate: int, frames: int, channels: int):
    data = silence(rate, frames, channels)
    assert len(data) < 1_000_000
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda *_, **__: pytest.fail("it was decoded"))
    refuses(data, "million samples allowed")


def test_samples_are_counted_as_they_come(monkeypatch):
    """An OGG or MP3 file's length is an estimate."""
    monkeypatch.setattr(audio, "MAX_SAMPLES", 100_000)
    refuses(encode(np.zeros((60_000, 2)), 16_000, "MP3"), "million samples allowed")
    assert decode(encode(np.zeros((40_000, 2)), 16_000, "MP3")).original_channels == 2


def test_a_block_of_many_channels_is_small():
    """A thousand channels: 260 000 frames of them would be a gigabyte."""
    data = encode(np.zeros((20_000, 1000), np.int16), 16_000)
    tracemalloc.start()
    assert decode(data).original_channels == 1000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on memory that the system keeps")
def test_the_largest_clips_take_seconds_and_little_memory():
    """As many samples as are allowed, at rates whose exact filters would take a minute for a second of sound."""
    script = """
        import resource, time
        import torch
        import test_audio
        torch.set_num_threads(1)
        largest = [
            test_audio.silence(rate, min(test_audio.audio.MAX_SAMPLES // channels, 900 * rate), channels)
            for rate, channels in ((655_340, 1), (64_001, 2))
        ]
        used = 1024 * int(next(line for line in open("/proc/self/status") if line.startswith("VmData")).split()[1])
        resource.setrlimit(resource.RLIMIT_DATA, (used + 500_000_000,) * 2)
        for data in largest:
            begin = time.process_time()
            test_audio.decode(data)
            assert time.process_time() - begin < 12
    """
    in_a_process(script)


def in_a_process(script: str) -> None:
    folder = Path(__file__).resolve().parent
    paths = f"import sys; sys.path[:0] = [{str(folder)!r}, {str(folder.parent)!r}]\n"
    command = [sys.executable, "-c", paths + textwrap.dedent(script)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    assert result.returncode == 0, result.stderr[-500:]
