"""An app of one viewer, of a network that does not exist: any number of layers, and a prediction with every kind of lane.

?layers=8 says how many, and with fails=1 it can't be run with strides of 2 and more. With sounds=1 it answers with two sounds. With
codec=16 the network is a small untrained codec of so many codes, whose codes can be edited. With patches=elastic (or ast, front, pooled)
it is a small untrained audio transformer.
What σ and strides do to the prediction is made up, too, but they do something.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from pathlib import Path

import numpy as np
import streamlit as st
import torch

from adastride import audio
from adastride.alignment import Alignment, output_lengths, unit_positions
from adastride.audio import Waveform
from adastride.checkpoints import catalogue
from adastride.downsampling import LayerSettings
from adastride.inspection.tracing import Hearing, LayerTrace, Trace, as_trained, resolve_settings, trace
from adastride.samples import samples
from adastride.tasks.prediction import Audible, Bar, CurveLane, PictureLane, Prediction, Segment, SegmentLane
from adastride.ui import resources
from adastride.ui.explore import link as permalink
from adastride.ui.explore.viewer import viewer
from adastride.ui.source import Clip

sys.path.append(str(Path(__file__).resolve().parents[1]))
from made_up_codecs import codec, speech
from made_up_transformers import audio_transformer

SOUND_RATE = 8_000
LETTERS = "where does a network spend its time"


def segments(seconds: float, strength: float) -> SegmentLane:
    width = 0.9 * seconds / len(LETTERS)
    found = [
        Segment(0.05 * seconds + n * width, 0.05 * seconds + (n + 0.9) * width, letter, ord(letter) % 8, strength * (0.3 + 0.7 * (n % 3) / 2))
        for n, letter in enumerate(LETTERS) if letter != " "
    ]
    return SegmentLane("Transcript, a letter a segment", tuple(found))


def words(seconds: float) -> SegmentLane:
    """The same in words, one of which has no room for its text."""
    ends = np.cumsum([0.05, 0.12, 0.1, 0.02, 0.2, 0.16, 0.1, 0.2]) * seconds
    parts = zip(LETTERS.split(), ends[:-1], ends[1:], range(7), strict=True)
    return SegmentLane("Words", tuple(Segment(float(begin), float(end), text, colour) for text, begin, end, colour in parts))


def tone(seconds: float, hertz: float) -> Waveform:
    return audio.from_samples(0.25 * np.sin(np.arange(round(SOUND_RATE * seconds)) * (2 * np.pi * hertz / SOUND_RATE)), SOUND_RATE)


def sounds(seconds: float, stride: float) -> tuple[Audible, ...]:
    """A tone whose pitch is 200 Hz for every input frame of the stride, and one that stays."""
    return (
        Audible("Answer", f"tone {stride:g}", lambda: tone(seconds, 200 * stride)), Audible("Best there is", "steady", lambda: tone(seconds, 300)),
    )


def prediction(seconds: float, settings: tuple[LayerSettings, ...]) -> Prediction:
    sigma = settings[0].sigma
    times = np.linspace(0, seconds, 240)
    pitch = 180 + 60 * np.sin(times * 4) + 5 * sigma
    pitch[(times > 0.4 * seconds) & (times < 0.5 * seconds)] = np.nan
    frames, rows = 200, np.arange(40)[:, None]
    picture = -80 + 75 * np.exp(-((rows - 20 - 15 * np.sin(np.arange(frames) / 12)) ** 2) / 30)
    attention = np.exp(-((np.arange(24)[:, None] - np.arange(frames) * 24 / frames) ** 2) / (2 + 8 * sigma))
    edges = np.linspace(0, seconds, frames + 1)
    share = 1 / (1 + sigma)
    return Prediction(
        headline="where does a network spend its time", detail="made up", bars_title="Share of errors",
        bars=(Bar("substituted", share, f"{100 * share:.0f} %"), Bar("left out", 0.3, "30 %"), Bar("put in", 0.1, "10 %")),
        lanes=(
            segments(seconds, share), words(seconds),
            PictureLane("Reconstructed mel", picture, edges, -80.0, -5.0, "dB", ticks=(("500 Hz", 8.0), ("2 kHz", 20.0), ("8 kHz", 38.0))),
            PictureLane("Attention, query up", attention, edges, 0.0, 1.0, "of the row’s largest", sequential=False),
            CurveLane("Pitch", times, pitch, "Hz"),
            CurveLane("Error", times, np.sin(times * 7) * sigma, "dB"),
        ),
        sounds=sounds(seconds, settings[0].stride) if heard else (),
    )


def layer(template: LayerTrace, index: int, frames: int, settings: LayerSettings) -> LayerTrace:
    """A layer over `frames` frames with positions of its own."""
    scores = torch.sin(torch.linspace(0, 9 + index, frames, dtype=torch.float64)[None]) * 1.2
    lengths = torch.tensor([frames])
    alignment = Alignment(
        unit_positions(scores, lengths), lengths, output_lengths(lengths, settings.stride), settings.sigma, settings.variant == "adastride-f",
    )
    return dataclasses.replace(template, name=f"layer {index + 1}", settings=settings, alignment=alignment, method=settings.variant)


def run(settings: tuple[LayerSettings, ...], previous: Trace | None, hearing: Hearing) -> tuple[Trace, None]:
    if fails and settings[0].stride >= 2:
        raise RuntimeError("a run that fails")
    first = resources.sample_trace(CHECKPOINT, SAMPLE)
    layers, frames = [], first.layers[0].input_frames
    for index, chosen in enumerate(settings):
        layers.append(layer(first.layers[0], index, frames, chosen))
        frames = math.ceil(frames / chosen.stride)
    found = dataclasses.replace(first, layers=tuple(layers))
    object.__setattr__(found, "prediction", prediction(found.waveform.seconds, settings))
    return found, None


CHECKPOINT, SAMPLE = next(iter(catalogue())), next(iter(samples()))
st.set_page_config(layout="wide")
resources.prepare()
small_codec, small_sound = st.cache_resource(lambda codes: codec(codes=codes)), st.cache_resource(lambda: speech(1.2))
small_transformer = st.cache_resource(audio_transformer)
codes, patches = int(st.query_params.get("codec", "0")), st.query_params.get("patches")
link_layers = int(patches in ("front", "pooled"))
link = st.session_state.setdefault("link", permalink.parse(st.query_params, samples(), catalogue(), lambda _: link_layers))
layers = int(st.query_params.get("layers", "8"))
fails, heard = (st.query_params.get(name) == "1" for name in ("fails", "sounds"))
usual = (LayerSettings(sigma=0.45, stride=1.25, variant="adastride"),) * layers
waveform = resources.sample_waveform(SAMPLE)


@st.fragment
def live() -> None:
    if codes:
        network, sound = small_codec(codes), small_sound()
        clip = Clip(id="speech", title="A made-up codec", waveform=sound, sample=None, link="speech")
        viewer(
            clip, lambda *run: (trace(network, sound, *run), None), as_trained(network), as_trained(network),
            revision=f"codec {codes}", link_checkpoint="none", key="made_up_codec",
        )
        return
    if patches:
        network = small_transformer(patches)
        clip = Clip(id=SAMPLE, title="Made-up patches", waveform=waveform, sample=SAMPLE, link=SAMPLE)
        viewer(
            clip, lambda *run: (trace(network, waveform, *run), None), as_trained(network), resolve_settings(network, link.settings),
            revision=patches, link_checkpoint="none", key="made_up_patches", hearing=link.hearing,
        )
        return
    clip = Clip(id=SAMPLE, title="A made-up network", waveform=waveform, sample=SAMPLE, link=SAMPLE)
    viewer(clip, run, usual, usual, revision=f"{layers}", link_checkpoint="none", key="made_up")


live()
