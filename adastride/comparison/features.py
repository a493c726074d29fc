"""The features that are downsampled: the log-mel of a clip, or what a trained network sees before one of its downsampling layers.

`choose_scores` gives every frame of these features a score. All methods that place frames get their positions from these scores.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from adastride import audio
from adastride.audio import PRESETS, MelPreset, Waveform
from adastride.comparison.settings import DRAWN_POINTS, DRAWN_RANGE, WHOLE_FRAMES, WINDOW_FRAMES, check_scores
from adastride.inspection import analysis
from adastride.inspection.raster import input_edges
from adastride.inspection.tracing import Trace
from adastride.models.network import Network

DECIBELS = 20 / math.log(10)  # natural log of an amplitude -> dB


@dataclass(frozen=True)
class Features:
    """A sequence to downsample.

    name: its key in `sources`. values: (1, channels, T) float32 on the CPU. edges: (T + 1,) seconds at which input frames begin
    and end. decibels: whether the values are natural logs of amplitudes, whose differences are shown in decibels. learned: (T,)
    scores that a checkpoint gives these frames; None where it gives none or nobody asked for them. id: unique by content.
    """

    name: str
    values: Tensor
    edges: np.ndarray
    decibels: bool
    learned: np.ndarray | None
    id: str

    @property
    def frames(self) -> int:
        return self.values.shape[2]

    @property
    def scale(self) -> float:
        """The factor that turns a difference of values into `unit`."""
        return DECIBELS if self.decibels else 1.0

    @property
    def unit(self) -> str:
        """The unit in which differences of values are shown."""
        return "dB" if self.decibels else "feature units"


def mel_features(waveform: Waveform, preset: MelPreset = PRESETS["classification"]) -> Features:
    """The log-mel of a clip, worked out without any network and therefore without learned scores."""
    mel = audio.mel_of(waveform, preset)
    edges = np.clip((np.arange(mel.shape[1] + 1) - 0.5) / preset.frames_per_second, 0.0, waveform.seconds)
    return Features("mel", mel[None], edges, True, None, f"{waveform.sha256[:16]}/mel")


def traced_features(source: str, trace: Trace, model: Network) -> Features:
    """The features of a source as a network has them, with the scores that its checkpoint gives their frames.

    source: "mel", or "layer N" for what the network sees before its Nth downsampling layer. The mel takes the scores of the first
    layer, which has as many frames. `learned` is None where the layer has no scores, or there is none. Raises ValueError for a layer that
    the network does not have.
    """
    layer = 0 if source == "mel" else int(source.removeprefix("layer ")) - 1
    if layer >= len(model.downsamplers) and source != "mel":
        raise ValueError(f"this network has {len(model.downsamplers)} downsampling layers, so there is nothing before {source}: choose another source")
    learned, values = None, torch.from_numpy(trace.mel.copy())[None]
    if model.downsamplers:
        hidden, score = trace.layer_input(layer).float().cpu(), getattr(model.downsamplers[layer], "score", None)
        learned = None if score is None else torch.matmul(score.weight[:, :, 0].detach().float().cpu(), hidden)[0, 0].numpy()
        values = values if source == "mel" else hidden
    return Features(
        source, values, input_edges(trace, layer), source == "mel", learned, f"{trace.waveform.sha256[:16]}/{trace.fingerprint}/{source}"
    )


def interesting_part(features: Features) -> tuple[float, float]:
    """The part of a clip that is worth opening with, as (begin, end) in seconds.

    It holds what is loud and as much again on either side; where that is most of the clip, it is all of it. Of a clip that is too
    long for some methods it is half a window around the loudest frame, all of which lies in the window that these methods are run on.
    """
    energy = analysis.frame_energy(features.values, logarithmic=features.decibels)
    if features.frames > WHOLE_FRAMES:
        frames_shown = WINDOW_FRAMES // 2
        first = int(np.clip(int(energy.argmax()) - frames_shown // 2, 0, features.frames - frames_shown))
        return float(features.edges[first]), float(features.edges[first + frames_shown])
    loud = np.flatnonzero(analysis.loud_mask(energy)[0].numpy())
    total = float(features.edges[-1])
    begin, end = (float(features.edges[loud[0]]), float(features.edges[loud[-1] + 1])) if loud.size else (0.0, total)
    margin = max(end - begin, 0.5)
    return (max(begin - margin, 0.0), min(end + margin, total)) if end - begin + 2 * margin < 0.8 * total else (0.0, total)


def choose_scores(features: Features, kind: str, drawn: Sequence[float] = ()) -> np.ndarray:
    """The score of every frame, which is ln of its displacement up to a constant: (T,) float64.

    kind: a key of `SCORES`. "checkpoint" takes the learned scores. "energy" takes the log of the frame's energy, with mean 0 and
    variance 1 over the clip. "flux" takes ln of how much the frame rises over the one before, less its median and within
    DRAWN_RANGE, so that one onset does not take every output frame. "uniform" is zero everywhere. "drawn" interpolates `drawn`,
    DRAWN_POINTS values spread evenly over the clip, linearly in time.
    Raises ValueError for "checkpoint" where the features have no learned scores.
    """
    if kind == "checkpoint":
        if features.learned is None:
            raise ValueError("this checkpoint has no learned scores for these frames: choose frame energy, spectral flux, uniform or drawn")
        return features.learned.astype(np.float64)
    if kind == "drawn":
        centres = (features.edges[1:] + features.edges[:-1]) / 2
        points = (np.arange(DRAWN_POINTS) + 0.5) / DRAWN_POINTS * features.edges[-1]
        return np.interp(centres, points, check_scores("drawn", drawn))
    if kind == "uniform":
        return np.zeros(features.frames)
    if kind == "flux":
        values = features.values[0].double().numpy()
        rise = np.maximum(np.diff(values, axis=1, prepend=values[:, :1]), 0.0).mean(axis=0)
        score = np.log(rise + 0.05 * rise.mean() + 1e-10)  # a frame that doesn't rise counts a little
        return np.clip(score - np.median(score), *DRAWN_RANGE)
    score = np.log(analysis.frame_energy(features.values, logarithmic=features.decibels)[0].double().numpy() + 1e-10)
    spread = score.std()
    return (score - score.mean()) / spread if spread > 1e-6 else np.zeros_like(score)
