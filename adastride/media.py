"""What libsndfile can't decode: the sound of M4A, MP4, MOV, 3GP, WebM, MKV, AMR, AAC, WMA and AVI files, and packed AIFF and CAF.

FFmpeg decodes them, through PyAV, in a process of its own: what it does with a hostile file ends with that process, which has a
limit on memory and on time, writes no file and opens none. It is this file run as a script, and imports neither torch nor the
rest of the package, so that it is there in a fraction of a second. It reads the file from stdin and writes messages to stdout: one
letter for the kind, a length (u32) and so many bytes. What it says is not believed either.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

MAX_SECONDS = 60.0  # that a file may take; 15 minutes of AAC take 3 on a slow machine
MAX_MEMORY = 700_000_000  # addresses of the process, the code of FFmpeg and the file itself among them; a minute of AAC needs 210 MB
_BLOCK_SAMPLES = 1 << 16
_HEAD = struct.Struct("<cI")

# How a file begins, from which byte on, and FFmpeg's name for what then reads it. Nothing else is tried: some of its other
# readers open files and addresses that a file names.
_MAGIC = (
    *((4, word, "mov") for word in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")),
    (0, b"\x1aE\xdf\xa3", "matroska"), (0, b"#!AMR", "amr"), (0, b"caff", "caf"), (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
    (8, b"AIFF", "aiff"), (8, b"AIFC", "aiff"), (8, b"AVI ", "avi"), (0, b"\xff\xf1", "aac"), (0, b"\xff\xf9", "aac"),
)
# What the other process says of a file that it can't decode, after the file's name.
_SENTENCES = {
    "broken": "can't be decoded: it is damaged, or packed in a way that can't be read here",
    "silent": "has no sound in it: choose a file with a sound track",
    "unknown": "holds sound that is packed or protected in a way that can't be read here: save it as WAV, FLAC or MP3",
    "changing": "changes its sample rate or number of channels on the way: save it as WAV, FLAC or MP3",
    "short": "breaks off before its end: it was not copied or downloaded completely",
}
_STOPPED = "can't be decoded: reading it takes too much time or memory, so it is damaged or not what it says it is"


class MediaError(ValueError):
    """A sound that can't be decoded; the message is one sentence without its subject and its full stop."""


@dataclass(frozen=True)
class Media:
    """A sound that another process is decoding. rate: Hz. frames: samples of each channel that the file claims, 0 if it makes no
    claim. blocks: mono, (n,) float32; raises MediaError where they end before their time."""

    rate: int
    channels: int
    frames: int
    blocks: Iterator[np.ndarray]


def container(data: bytes) -> str | None:
    """FFmpeg's name for the kind of file that these bytes begin; None for one that is none of its business.

    >>> container(b"....ftypM4A "), container(b"RIFF....WAVE")
    ('mov', None)
    """
    return next((kind for place, start, kind in _MAGIC if data[place : place + len(start)] == start), None)


@contextmanager
def decoding(data: bytes, kind: str) -> Iterator[Media]:
    """Decodes the first sound track of a file, kind: see `container`, in a process that ends with this block.

    Raises MediaError.
    """
    # -P: this file's folder has modules of the same names as others'. The mathematics library would reserve memory for every core.
    command = [sys.executable, "-P", __file__, kind]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=environment)
    assert process.stdin is not None
    assert process.stdout is not None
    feeder = threading.Thread(target=_feed, args=(process.stdin, data), daemon=True)
    watch = threading.Timer(MAX_SECONDS, process.kill)  # whoever reads from it then finds the end
    watch.daemon = True
    try:
        feeder.start()
        watch.start()
        messages = _messages(process.stdout.read)
        word, said = next(messages)
        if word != b"h":
            raise MediaError(_STOPPED)
        header = _header(said)
        yield Media(**header, blocks=_blocks(messages))
    finally:
        watch.cancel()
        process.kill()
        process.wait()
        feeder.join()
        process.stdout.close()


def _feed(pipe: Any, data: bytes) -> None:
    with contextlib.suppress(OSError), pipe:  # a process that has ended reads no more
        pipe.write(data)


def _messages(read: Callable[[int], bytes]) -> Iterator[tuple[bytes, bytes]]:
    """The process's messages up to its last; MediaError where it tells of a problem, says what it should not, or is no more."""
    while True:
        head = read(_HEAD.size)
        if len(head) < _HEAD.size:
            raise MediaError(_STOPPED)
        word, size = _HEAD.unpack(head)
        if size > 4 * _BLOCK_SAMPLES:
            raise MediaError(_STOPPED)
        said = read(size)
        if len(said) < size or word not in (b"h", b"b", b"e", b"."):
            raise MediaError(_STOPPED)
        if word == b"e":
            raise MediaError(_SENTENCES.get(said.decode("ascii", "replace"), _STOPPED))
        yield word, said
        if word == b".":
            return


def _header(said: bytes) -> dict[str, int]:
    try:
        header = json.loads(said)
        numbers = {name: header[name] for name in ("rate", "channels", "frames")}
    except (ValueError, TypeError, KeyError, RecursionError):
        raise MediaError(_STOPPED) from None
    if not all(type(number) is int and 0 <= number < 1 << 40 for number in numbers.values()) or not numbers["channels"]:
        raise MediaError(_STOPPED)
    return numbers


def _blocks(messages: Iterator[tuple[bytes, bytes]]) -> Iterator[np.ndarray]:
    for word, said in messages:
        if word == b".":
            return
        if word != b"b" or len(said) % 4:
            raise MediaError(_STOPPED)
        yield np.frombuffer(said, "<f4")


# ------------------------------------------------------------------ in the other process


class _Problem(Exception):
    """A key of _SENTENCES."""


def main(kind: str, file: Any, out: Any) -> None:
    """Decodes what `file` holds and writes messages to `out`."""
    data = io.BytesIO(file.read())
    import av  # here, so that only the other process has it, and within its limits

    def say(word: bytes, said: bytes = b"") -> None:
        out.write(_HEAD.pack(word, len(said)) + said)

    try:
        # Nothing but what was read: a file of one kind may name others, by path or address.
        with av.open(data, format=kind, options={"protocol_whitelist": "none"}, metadata_errors="replace") as media:
            _decode(media, say)
    except _Problem as problem:
        say(b"e", str(problem).encode())
    except (av.error.FFmpegError, ValueError, EOFError):
        say(b"e", b"broken")
    out.flush()


def _limit() -> None:
    """Memory, time, files written and core dumps of this process; systems without such limits, or some of them, go on without."""
    try:
        import resource
    except ImportError:
        return
    for limit, most in (("RLIMIT_AS", MAX_MEMORY), ("RLIMIT_CPU", int(MAX_SECONDS)), ("RLIMIT_FSIZE", 0), ("RLIMIT_CORE", 0)):
        with contextlib.suppress(AttributeError, ValueError, OSError):
            resource.setrlimit(getattr(resource, limit), (most, most))


def _decode(media: Any, say: Callable[..., None]) -> None:
    if not media.streams.audio:
        raise _Problem("silent")
    stream = media.streams.audio[0]
    if stream.codec_context is None:
        raise _Problem("unknown")
    stream.thread_type = "NONE"
    shape, frames = None, 0
    waiting: list[np.ndarray] = []

    def flush() -> None:
        whole = np.concatenate(waiting) if waiting else np.zeros(0, "<f4")
        for begin in range(0, whole.size, _BLOCK_SAMPLES):
            say(b"b", whole[begin : begin + _BLOCK_SAMPLES].astype("<f4").tobytes())
        waiting.clear()

    for frame in _frames(media, stream):
        if shape is None:
            shape = frame.sample_rate, frame.layout.nb_channels
            claimed = round(_seconds(stream) * shape[0])
            say(b"h", json.dumps({"rate": shape[0], "channels": shape[1], "frames": claimed}).encode())
        if shape != (frame.sample_rate, frame.layout.nb_channels):
            raise _Problem("changing")
        waiting.append(_mono(frame))
        frames += frame.samples
        if sum(map(len, waiting)) >= _BLOCK_SAMPLES:
            flush()
    if shape is None:
        raise _Problem("broken")
    flush()
    # A gap in the track makes it shorter than it says, too; nine tenths of it and all but a second have come from a whole file.
    seconds, whole = frames / shape[0], _seconds(stream)
    if seconds < min(0.9 * whole, whole - 1):
        raise _Problem("short")
    say(b".")


def _seconds(stream: Any) -> float:
    """How long a track says it is, 0 where it does not say."""
    return max(0.0, float(stream.duration * stream.time_base)) if stream.duration and stream.time_base else 0.0


def _frames(media: Any, stream: Any) -> Iterator[Any]:
    """The decoded frames of a track. Some encoders begin in the middle, so a packet in a hundred may be lost, and two."""
    import av

    lost = 0
    for packets, packet in enumerate(media.demux(stream), 1):
        try:
            yield from packet.decode()
        except av.error.InvalidDataError:
            lost += 1
        if lost > 2 + packets / 100:
            raise _Problem("broken")


def _mono(frame: Any) -> np.ndarray:
    """The mean of a frame's channels, (n,) float32 with 1 at full scale."""
    samples = frame.to_ndarray()  # (channels, n), or (1, n * channels) with channels beside each other
    channels = frame.layout.nb_channels
    samples = samples.reshape(channels, -1) if frame.format.is_planar else samples.reshape(-1, channels).T
    mean = samples.mean(axis=0, dtype=np.float64)
    if samples.dtype.kind == "u":
        mean = mean / 128.0 - 1.0
    elif samples.dtype.kind == "i":
        mean = mean / 2.0 ** (8 * samples.dtype.itemsize - 1)
    return mean.astype("<f4")


if __name__ == "__main__":
    _limit()
    main(sys.argv[1], sys.stdin.buffer, sys.stdout.buffer)
