"""Recordings that libsndfile can't decode: each kind against what was recorded, and whatever can be wrong with one."""

from __future__ import annotations

import io
import random
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import psutil
import pytest
import recordings
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import correlate, resample_poly

from adastride import audio, media
from adastride.audio import AudioError, decode
from adastride.formats import ENDINGS
from adastride.samples import samples

WORD = audio.read(samples()["seven"].path).samples[16_000:48_000]  # a spoken word, 2 s at 16 kHz


def at(rate: int) -> np.ndarray:
    return resample_poly(WORD, rate, 16_000).astype(np.float32)


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return {name: recordings.recording(at(kind.rate), kind) for name, kind in recordings.KINDS.items()}


@pytest.fixture(autouse=True)
def others() -> None:
    """A test process may have other processes, a browser and a server of other tests: here it is about those that a test begins."""
    OTHERS[:] = psutil.Process().children()


OTHERS: list[psutil.Process] = []


def decoders() -> list[psutil.Process]:
    """The processes that this test has begun, ended ones that nobody has waited for among them."""
    return [child for child in psutil.Process().children() if child not in OTHERS]


def refused(data: bytes, says: str, **limits: float) -> None:
    with pytest.raises(AudioError, match=says) as caught:
        decode(data, name="memo.m4a", **limits)
    one_sentence(str(caught.value))
    assert str(caught.value).startswith("memo.m4a ")
    assert not decoders(), "the other process ends"


def one_sentence(text: str) -> None:
    assert text.endswith(".")
    assert ". " not in text
    assert "\n" not in text


# --- what can be read


@pytest.mark.parametrize("name", recordings.KINDS)
def test_a_recording_is_what_was_recorded(files: dict[str, bytes], name: str):
    kind = recordings.KINDS[name]
    sound = decode(files[name], name=name)
    assert (sound.original_rate, sound.original_channels, sound.sample_rate) == (kind.rate, 1, 16_000)
    assert sound.seconds == pytest.approx(2.0, abs=0.13)  # codecs pad to whole frames
    assert sound.samples.size == pytest.approx(sound.seconds * 16_000, abs=2)
    kept = WORD if kind.rate > 8000 else resample_poly(at(8000), 2, 1)
    shift = int(np.argmax(np.abs(correlate(sound.samples, kept, "full")))) - kept.size + 1
    assert abs(shift) < 0.13 * 16_000
    heard, said = sound.samples[max(0, shift) :], kept[max(0, -shift) :]
    length = min(heard.size, said.size)
    assert np.corrcoef(heard[:length], said[:length])[0, 1] > kind.correlation
    assert np.std(heard[:length]) == pytest.approx(np.std(said[:length]), rel=0.25)


@pytest.mark.parametrize("name", ["memo.m4a", "browser.webm", "camera.mov"])
def test_channels_are_averaged(name: str):
    kind = recordings.KINDS[name]
    one, two = (decode(recordings.recording(at(kind.rate), kind, layout)) for layout in ("mono", "stereo"))
    assert (one.original_channels, two.original_channels) == (1, 2)
    assert np.corrcoef(one.samples[:30_000], two.samples[:30_000])[0, 1] > 0.95


def test_the_first_sound_track_counts():
    """Of a film in two languages, or with the sound of its surroundings beside it."""
    file, tones = io.BytesIO(), (440.0, 880.0)
    with av.open(file, "w", format="mov") as film:
        tracks = [film.add_stream("pcm_s16le", rate=16_000, layout="mono") for _ in tones]
        for track, hertz in zip(tracks, tones, strict=True):
            wave = (10_000 * np.sin(2 * np.pi * hertz * np.arange(16_000) / 16_000)).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(wave[None], format="s16", layout="mono")
            frame.sample_rate = 16_000
            film.mux(track.encode(frame))
            film.mux(track.encode())
    assert np.abs(np.fft.rfft(decode(file.getvalue()).samples)).argmax() == 440


def test_the_name_of_a_file_does_not_matter(tmp_path: Path, files: dict[str, bytes]):
    (tmp_path / "anything.bin").write_bytes(files["memo.m4a"])
    assert audio.read(tmp_path / "anything.bin").sha256 == decode(files["memo.m4a"]).sha256


def test_every_kind_has_its_ending_in_the_lists_for_pickers():
    assert {Path(name).suffix for name in recordings.KINDS} <= ENDINGS


# --- what can't


def test_a_film_without_sound():
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as film:
        video = film.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        film.mux(video.encode(av.VideoFrame(64, 48, "yuv420p")))
        film.mux(video.encode())
    refused(file.getvalue(), "has no sound in it")


@pytest.mark.parametrize("name", recordings.KINDS)
@pytest.mark.parametrize("kept", [0.02, 0.5])
def test_a_file_that_was_cut_off(files: dict[str, bytes], name: str, kept: float):
    """Whether it can be shown at all depends on where its index stands; it is never silently an endless or an empty sound."""
    try:
        sound = decode(files[name][: int(kept * len(files[name]))], name=name)
    except AudioError as error:
        one_sentence(str(error))
    else:
        assert 0 < sound.seconds <= 2.2


def test_a_file_with_its_index_in_front_says_that_it_was_cut_off():
    kind = recordings.Kind("mp4", "aac")
    data = recordings.recording(np.tile(at(16_000), 4), kind)
    begin = data.index(b"moov") - 4
    index = bytearray(data[begin : begin + int.from_bytes(data[begin : begin + 4], "big")])
    table = index.index(b"stco") + 12
    for place in range(table, table + 4 * int.from_bytes(index[table - 4 : table], "big"), 4):
        index[place : place + 4] = (int.from_bytes(index[place : place + 4], "big") + len(index)).to_bytes(4, "big")
    body = data.index(b"mdat") - 4
    first = data[:body] + bytes(index) + data[body:begin]
    assert decode(first).seconds == pytest.approx(8.0, abs=0.2)
    refused(first[: len(first) // 2], "breaks off before its end")


def test_limits_hold(monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]):
    refused(files["memo.m4a"], "longer than the 1 seconds allowed", max_seconds=1.0)
    monkeypatch.setattr(audio, "MAX_SAMPLES", 10_000)
    refused(files["browser.webm"], "million samples allowed")


def test_a_file_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]):
    monkeypatch.setattr(media, "MAX_SECONDS", 0.01)
    refused(files["memo.m4a"], "too much time or memory")


def test_a_process_that_is_killed_is_a_sentence(monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]):
    begin = subprocess.Popen

    def begin_and_kill(*arguments, **options):
        process = begin(*arguments, **options)
        process.kill()
        return process

    monkeypatch.setattr(media.subprocess, "Popen", begin_and_kill)
    refused(files["memo.m4a"], "too much time or memory")


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on memory that the system keeps")
def test_a_process_that_wants_too_much_memory_is_a_sentence(monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes], tmp_path: Path):
    small = tmp_path / "media.py"
    text = Path(media.__file__).read_text(encoding="utf-8")
    assert "MAX_MEMORY = 700_000_000" in text
    small.write_text(text.replace("MAX_MEMORY = 700_000_000", "MAX_MEMORY = 120_000_000"), encoding="utf-8")
    monkeypatch.setattr(media, "__file__", str(small))
    refused(files["memo.m4a"], "too much time or memory")


def test_who_stops_listening_ends_the_process(files: dict[str, bytes]):
    def stop(share: float) -> None:
        assert len(decoders()) == 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decode(files["memo.m4a"], progress=stop)
    assert not decoders()


@pytest.mark.parametrize("text", ["#EXTM3U\n#EXTINF:1,\nfile:{path}\n#EXT-X-ENDLIST\n", "ffconcat version 1.0\nfile '{path}'\n"])
def test_lists_of_other_files_are_not_followed(tmp_path: Path, text: str):
    """FFmpeg would play what such a list names, a file of the server's among it."""
    soundfile.write(tmp_path / "secret.wav", WORD, 16_000)
    for name in ("secret.wav", tmp_path / "secret.wav"):
        listed = text.format(path=name).encode()
        refused(listed, "can't be decoded")
        for kind in ("mov", "matroska", "aiff"):  # and had its first bytes been another's
            with pytest.raises(media.MediaError), media.decoding(listed, kind):
                pass


FIRST_WORDS = [b"", b"h\x02\0\0\0{}", b"h\x05\0\0\0[[[[[", b"b\x04\0\0\0", b"e\x03\0\0\0abc", b"b\xff\xff\xff\xff", b"h\x01\0\0\0\xff"]


@given(st.binary(max_size=200), st.sampled_from(FIRST_WORDS))
def test_what_the_process_says_is_not_believed(said: bytes, first: bytes):
    """There is a sound, or the one error."""
    messages = media._messages(io.BytesIO(first + said).read)
    try:
        header, blocks = media._header(next(messages)[1]), list(media._blocks(messages))
    except media.MediaError as error:
        one_sentence(f"{error}.")
    else:
        assert header["channels"] > 0
        assert all(block.dtype == np.float32 for block in blocks)


def test_the_process_starts_without_torch():
    """It has to be there at once, also on a server that decodes for many."""
    script = f"""if True:
        import runpy, sys
        sys.argv[1:] = ["mov"]
        runpy.run_path({media.__file__!r}, run_name="__main__")
        assert "av" in sys.modules
        assert "torch" not in sys.modules
    """
    result = subprocess.run([sys.executable, "-P", "-c", script], input=b"", capture_output=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr[-400:]


def test_mutated_recordings_are_refused_or_finite(files: dict[str, bytes]):
    """Bytes changed, cut and doubled, mostly where lengths and counts stand; for twenty seconds, a few hundred on a quiet machine."""
    draw, begin, tried, read = random.Random(0), time.monotonic(), 0, 0
    small = {name: recordings.recording(at(kind.rate)[: kind.rate // 4], kind) for name, kind in recordings.KINDS.items()}
    while tried < 300 and (tried < 40 or time.monotonic() - begin < 20):
        name = draw.choice(list(small))
        data = bytearray(small[name])
        for _ in range(draw.choice((1, 2, 5, 20))):
            place = draw.randrange(min(len(data), 600)) if draw.random() < 0.5 else draw.randrange(len(data))
            data[place] = draw.choice((0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256)))
        if draw.random() < 0.2:
            del data[draw.randrange(len(data)) :]
        tried += 1
        try:
            sound = decode(bytes(data), name=name)
        except AudioError as error:
            one_sentence(str(error))
        else:
            read += 1
            assert np.isfinite(sound.samples).all()
            assert sound.seconds <= audio.MAX_SECONDS
    assert 0 < read < tried
