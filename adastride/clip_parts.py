"""A part of a long recording: it is sought in the file and read a minute at a time, so that what it costs depends on the part alone."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

from adastride import audio
from adastride.audio import AudioError, Waveform, from_samples
from adastride.wording import one_line

LONGEST = 3600.0  # seconds; a network of ours on one hour takes up to 2 GB
_PIECE = 60  # seconds resampled at a time
_MARGIN = 1  # seconds read on either side of a piece and dropped again: resampling looks at neighbours


def read_part(path: str | Path, begin: float = 0.0, end: float | None = None, sample_rate: int = 16_000, longest: float = LONGEST) -> Waveform:
    """Decodes the seconds from `begin` to `end` of a recording to mono at `sample_rate` Hz.

    A WAV, FLAC, OGG or MP3 file may be of any length. Of other recordings all is decoded, within the limits of `audio.read`.

    end: None or a time behind the file's end stands for that end. longest: the most seconds that a part may have.
    The waveform's `seconds` are those of the part, its sha256 is of the part's samples. Raises AudioError, one sentence, for a file that
    can't be read or decoded, and for a part that begins behind its end, is longer than `longest`, has less than two samples or
    samples that are not numbers.
    """
    path = Path(path)
    name = one_line(path.name)
    try:
        with path.open("rb") as file, soundfile.SoundFile(file) as sound:
            rate, channels = sound.samplerate, sound.channels
            audio.check_rate(rate, name)
            samples, seconds = _read_pieces(sound, name, begin, end, sample_rate, longest)
    except OSError as error:
        raise AudioError(f"{path} can't be read: {error.strerror or error}.") from None
    except soundfile.LibsndfileError:
        return _part_of_whole(audio.read(path, sample_rate), name, begin, end)
    audio.check_level(samples, name)
    samples.setflags(write=False)
    return Waveform(samples, sample_rate, rate, channels, seconds, hashlib.sha256(samples.data).hexdigest())


def _part_of_whole(whole: Waveform, name: str, begin: float, end: float | None) -> Waveform:
    """The part of a clip that is decoded already."""
    stop = whole.samples.size if end is None else round(end * whole.sample_rate)
    samples = whole.samples[round(begin * whole.sample_rate) : stop]
    if samples.size < 2:
        raise _too_short(name, begin, samples.size)
    return replace(whole, samples=samples, seconds=samples.size / whole.sample_rate, sha256=hashlib.sha256(samples.tobytes()).hexdigest())


def _too_short(name: str, begin: float, samples: int) -> AudioError:
    holds = f"has no sound from {begin:g} s on" if begin else f"holds {samples} sample{'s' * (samples != 1)}"
    return audio.too_short(f"{name} {holds}")


def _read_pieces(
    sound: soundfile.SoundFile, name: str, begin: float, end: float | None, sample_rate: int, longest: float
) -> tuple[np.ndarray, float]:
    """The part's samples at `sample_rate` Hz, (n,) float32, and how many seconds of the file they are.

    Pieces are of whole seconds, after which samples of both rates coincide again, so that their joints are not to be heard.
    """
    rate, first = sound.samplerate, round(begin * sound.samplerate)
    stop = sound.frames if end is None else min(round(end * rate), sound.frames)
    # Room for all of it at once: pieces that are put together afterwards would lie in memory twice. A file may claim too much, but
    # memory that is not written to costs nothing.
    room = np.empty(-(-max(0, min(stop - first, int((longest + 2 * _PIECE) * rate))) * sample_rate // rate) + 1, np.float32)
    at, filled = first, 0
    while at < stop:
        margin = min(at, _MARGIN * rate)
        blocks = audio.mono_blocks(sound, at - margin, min(at + (_PIECE + _MARGIN) * rate, stop))
        window = np.concatenate([np.zeros(0, np.float32), *blocks])
        size = min(window.size - margin, _PIECE * rate)
        if size <= 0:
            break
        at += size
        if at - first > longest * rate:
            raise AudioError(f"{name} goes on for more than {longest / 60:g} minutes from {begin:g} s on: choose a part of it with --from and --to.")
        skip = round(margin * sample_rate / rate)
        piece = from_samples(window, rate, sample_rate).samples[skip : skip + -(-size * sample_rate // rate)]
        room[filled : filled + piece.size] = piece
        filled += piece.size
    total = max(0, at - first)
    if total < 2:
        raise _too_short(name, begin, total)
    if at < stop < 1 << 60 and audio.tells_its_length(sound):
        raise audio.broken_off(name, at, sound.frames, rate)
    return room[:filled], total / rate
