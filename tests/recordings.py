"""Recordings as phones, browsers and cameras make them, encoded by the tests themselves."""

from __future__ import annotations

import io
from dataclasses import dataclass

import av
import numpy as np


@dataclass(frozen=True)
class Kind:
    """A kind of recording. format, codec: FFmpeg's names. rate: Hz. picture: the codec of a video track, if it has one.
    correlation: what is left of a spoken word's waveform, at least. bit_rate: where an
    encoder has none of its own."""

    format: str
    codec: str
    rate: int = 16_000
    picture: str | None = None
    correlation: float = 0.97
    bit_rate: int | None = None


KINDS = {
    "memo.m4a": Kind("ipod", "aac"),
    "browser.webm": Kind("webm", "libopus", 48_000, correlation=0.95),
    "clip.mp4": Kind("mp4", "aac", picture="mpeg4"),
    "clip.mov": Kind("mov", "aac", picture="mpeg4"),
    "camera.mov": Kind("mov", "pcm_s16le", picture="mjpeg", correlation=0.999),
    "screen.webm": Kind("webm", "libopus", 48_000, picture="libvpx", correlation=0.95),
    "tape.aiff": Kind("aiff", "pcm_s16be", correlation=0.999),
    "packed.aifc": Kind("aiff", "adpcm_ima_qt", correlation=0.98),
    "call.amr": Kind("amr", "libopencore_amrnb", 8000, correlation=0.7, bit_rate=12_200),
    "call.3gp": Kind("3gp", "libopencore_amrnb", 8000, correlation=0.7, bit_rate=12_200),
    "radio.aac": Kind("adts", "aac"),
    "lossless.mka": Kind("matroska", "pcm_s16le", correlation=0.999),
    "old.avi": Kind("avi", "mp3", picture="mpeg4"),
    "old.wma": Kind("asf", "wmav2", bit_rate=64_000),
}


def recording(samples: np.ndarray, kind: Kind, layout: str = "mono") -> bytes:
    """A file of that kind. samples: (n,) at kind.rate Hz, the same in every channel of the layout."""
    file = io.BytesIO()
    with av.open(file, "w", format=kind.format) as media:
        if kind.picture:
            video = media.add_stream(kind.picture, rate=10, options={"strict": "unofficial"})
            video.width, video.height, video.pix_fmt = 64, 48, "yuvj420p" if kind.picture == "mjpeg" else "yuv420p"
        sound = media.add_stream(kind.codec, rate=kind.rate, layout=layout)
        if kind.bit_rate:
            sound.bit_rate = kind.bit_rate
        if kind.picture:
            for _ in range(10):
                media.mux(video.encode(av.VideoFrame(64, 48, video.pix_fmt)))
            media.mux(video.encode())
        whole = np.repeat((np.clip(samples, -1, 1) * 32767).astype(np.int16), sound.layout.nb_channels)[None]
        frame = av.AudioFrame.from_ndarray(whole, format="s16", layout=layout)
        frame.sample_rate = kind.rate
        cut = av.AudioResampler(sound.format, layout, kind.rate, sound.codec_context.frame_size or 1024)
        for part in (*cut.resample(frame), *cut.resample(None)):
            media.mux(sound.encode(part))
        media.mux(sound.encode())
    return file.getvalue()
