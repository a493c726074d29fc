"""What is downsampled: the log-mel of a clip, or what a trained network sees before one of its downsampling layers.

`choose_scores` gives the frames of these features scores, from which every method that places frames gets its positions.
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

    name: key of `sources`. values: (1, channels, T) float32 on the CPU. edges: (T + 1,) seconds at which input frames begin
    and end. decibels: values are natural logs of amplitudes, so that differences are decibels. learned: (T,) a checkpoint's
    scores of these frames, or None where it has none or nobody asked. id: unique by content.
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
        """What a difference of values is multiplied by for the unit it is shown in."""
        return DECIBELS if self.decibels else 1.0

    @property
    def unit(self) -> str:
        return "dB" if self.decibels else "feature units"


def mel_features(waveform: Waveform, preset: MelPreset = PRESETS["classification"]) -> Features:
    """The log-mel of a clip, without any network: no learned scores."""
    mel = audio.log_mel(torch.from_numpy(waveform.samples.copy()), preset)
    edges = np.clip((np.arange(mel.shape[1] + 1) - 0.5) / preset.frames_per_second, 0.0, waveform.seconds)
    return Features("mel", mel[None], edges, True, None, f"{waveform.sha256[:16]}/mel")


def traced_features(source: str, trace: Trace, model: Network) -> Features:
    """The log-mel, or what the network sees before a downsampling layer, with the scores the checkpoint gives its frames.

    The mel takes the scores of the first layer, which has as many frames. learned is None where that layer is not adaptive.
    """
    layer = 0 if source == "mel" else int(source.removeprefix("layer ")) - 1
    if layer >= len(model.downsamplers):
        raise ValueError(f"this network has {len(model.downsamplers)} downsampling layers, so there is nothing before {source}: choose another source")
    hidden = trace.layer_input(layer).float().cpu()
    score = getattr(model.downsamplers[layer], "score", None)
    learned = None if score is None else torch.matmul(score.weight[:, :, 0].detach().float().cpu(), hidden)[0, 0].numpy()
    values = torch.from_numpy(trace.mel.copy())[None] if source == "mel" else hidden
    return Features(
        source, values, input_edges(trace, layer), source == "mel", learned, f"{trace.waveform.sha256[:16]}/{trace.fingerprint}/{source}"
    )


def interesting_part(features: Features) -> tuple[float, float]:
    """From and to in seconds: what is loud, with as much again on either side; all of the clip where that is most of it.

    Of a clip too long for every method, half a window around its loudest frame: whatever is chosen, all of that is computed.
    """
    energy = analysis.frame_energy(features.values, logarithmic=features.decibels)
    if features.frames > WHOLE_FRAMES:
        shown = WINDOW_FRAMES // 2
        first = int(np.clip(int(energy.argmax()) - shown // 2, 0, features.frames - shown))
        return float(features.edges[first]), float(features.edges[first + shown])
    loud = np.flatnonzero(analysis.loud_mask(energy)[0].numpy())
    total = float(features.edges[-1])
    begin, end = (float(features.edges[loud[0]]), float(features.edges[loud[-1] + 1])) if loud.size else (0.0, total)
    margin = max(end - begin, 0.5)
    return (max(begin - margin, 0.0), min(end + margin, total)) if end - begin + 2 * margin < 0.8 * total else (0.0, total)


def choose_scores(features: Features, kind: str, drawn: Sequence[float] = ()) -> np.ndarray:
    """ln of each frame's displacement up to a constant, (T,) float64.

    "checkpoint": as learned. "energy": the frame's energy in log, with mean 0 and variance 1 over the clip. "flux": ln of how
    much the frame rises over the one before, about its median and within DRAWN_RANGE, so that one onset does not take every
    output frame. "uniform": zero. "drawn": the curve, between its points linearly in time.
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
