"""Says in one sentence what a picture shows: how much of a clip is sound, and how many of a network's output frames the sound gets.

Sound is told from silence by the level of the mel frames alone, by the rule in `RULE`; nobody labels it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from adastride.downsampling import METHODS
from adastride.inspection.raster import input_edges
from adastride.inspection.tracing import Trace

_FLOOR_PERCENTILE = 5.0
_THRESHOLD = 1 / 3  # of the way from the floor to the loudest frame, in dB
_LEAST_RANGE = 12.0  # dB from the floor to the loudest frame: with less there is nothing to tell apart
_SILENT = -60.0  # dB re full scale, of the loudest frame of a clip without such a range
RULE = (
    "The level of a mel frame is the mean energy of its bands, in dB. The floor is the level that 5 % of the clip’s frames stay below. "
    "Frames are sound where their level lies at least a third of the way from the floor to the loudest frame, and silence elsewhere. "
    "With less than 12 dB between the two, the clip is sound throughout if its loudest frame reaches −60 dB re full scale, and silent if not. "
    "An output frame of the highest layer counts by the share of its time that is sound, and its time is followed down through all layers. "
    "The highest layer is the one that the network’s answer is made of. Of a network of patches, the answer comes from sound by the share "
    "of the patches’ weights that lies in it; a patch counts by the share of its time that is sound."
)


@dataclass(frozen=True)
class Sound:
    """Where a clip is sound.

    edges: (T + 1,) seconds at which the mel frames begin, and the end of the last. until: (T + 1,) seconds of sound before each edge.
    """

    edges: np.ndarray
    until: np.ndarray

    @property
    def share(self) -> float:
        """The share of the clip that is sound, 0 to 1."""
        return float(self.until[-1] / self.edges[-1])

    def shares(self, boundaries: np.ndarray) -> np.ndarray:
        """The share of each output frame's time that is sound. boundaries: (L + 1,) seconds, rising -> (L,) from 0 to 1.

        A frame that stands for no time counts as the sound or silence that it lies in.
        """
        width = np.diff(boundaries)
        inside = np.diff(np.interp(boundaries, self.edges, self.until))
        at = np.clip(np.searchsorted(self.edges, boundaries[:-1], "right") - 1, 0, len(self.edges) - 2)
        here = (self.until[at + 1] > self.until[at]).astype(float)
        return np.where(width > 1e-9, inside / np.maximum(width, 1e-9), here)

    def spans(self) -> np.ndarray:
        """The stretches of sound, one after the other: (n, 2) seconds at which each begins and ends.

        >>> Sound(np.array([0.0, 0.1, 0.2, 0.3]), np.array([0.0, 0.0, 0.1, 0.2])).spans().tolist()
        [[0.1, 0.3]]
        """
        heard = np.concatenate([[False], np.diff(self.until) > 0, [False]])
        return self.edges[np.flatnonzero(heard[1:] != heard[:-1])].reshape(-1, 2)


@dataclass(frozen=True)
class Glance:
    """What there is to see at a glance.

    text: a sentence for people. sound: the share of what is heard that is sound, which is what a uniform stride would give it of the
    output frames. frames: the share of the output frames that the sound gets, of the mel's where there is no layer. layer: the number of
    the layer they are counted in, 1 is the lowest, 0 the mel. weight: of the patches that the answer is made of, the share that sound has;
    None for a network without patches.
    """

    text: str
    sound: float
    frames: float
    layer: int
    weight: float | None = None


def sound_of(trace: Trace) -> Sound:
    """Where the clip of a trace is sound. It depends on the clip and on the network's front end, not on the settings.

    >>> import torch
    >>> from adastride.inspection import trace
    >>> from adastride.models.classifier import Classifier, ClassifierConfig
    >>> clip = torch.zeros(16000)
    >>> clip[4000:8000] = torch.sin(torch.arange(4000.0))
    >>> round(sound_of(trace(Classifier(ClassifierConfig(labels=("a", "b"))), clip)).share, 1)
    0.3
    """
    edges = input_edges(trace, 0)
    edges[-1] = trace.heard_seconds
    heard = sound_mask(trace.mel)
    return Sound(edges, np.concatenate([[0.0], np.cumsum(np.diff(edges) * heard)]))


def sound_mask(mel: np.ndarray) -> np.ndarray:
    """Tells sound from silence by `RULE`. mel: (n_mels, T) natural logs of amplitudes -> (T,) bool.

    >>> sound_mask(np.log(np.array([[1e-3, 1e-3, 0.5, 1e-3]])))
    array([False, False,  True, False])
    """
    level = 10 * np.log10(np.maximum(np.exp(2 * mel.astype(np.float32)).mean(axis=0, dtype=np.float64), 1e-30))
    floor, peak = np.percentile(level, _FLOOR_PERCENTILE), level.max()
    if peak - floor < _LEAST_RANGE:
        return np.full(level.shape, peak >= _SILENT)
    return level >= floor + _THRESHOLD * (peak - floor)


def glance(trace: Trace, sound: Sound) -> Glance:
    """What the picture of a trace shows, in a sentence. sound: of the clip, as `sound_of` finds it.

    Output frames are counted in the highest layer: the answer is made of them, what all layers below did is in them, and while somebody
    drags the sentence stays with one layer.
    """
    top, patches = len(trace.layers), trace.prediction.patches
    share, frames = sound.share, float(sound.shares(trace.boundary_seconds(top - 1)).mean())
    weight = None
    if patches is not None and patches.weights.sum() > 0:
        # Of all of the answer: some of it may come from what a clip was padded with.
        weight = float((sound.shares(patches.edges) * patches.weights.sum(axis=0)).sum())
    whole = "the clip" if trace.hearing.seconds is None else f"these {trace.heard_seconds:.2f} s"
    adaptive = any(METHODS[layer.method].kind == "adaptive" for layer in trace.layers)
    return Glance(_sentence(whole, share, frames, top, adaptive, weight), share, frames, top, weight)


def _sentence(whole: str, sound: float, frames: float, layer: int, adaptive: bool, weight: float | None) -> str:
    if sound == 0:
        silent = f"{whole[0].upper()}{whole[1:]} {'is' if whole == 'the clip' else 'are'} silent throughout"
        return f"{silent}, so there is nothing to adapt to." if layer else f"{silent}."
    answer = "" if weight is None else f" {percent(weight)} of the answer comes from the sound."
    if sound > 0.995:
        filled = f"The sound fills {'the whole clip' if whole == 'the clip' else whole}"
        return f"{filled}, so there is no silence to save output frames in." if layer else f"{filled}.{answer}"
    if not layer:
        return f"The sound fills {percent(sound)} of {whole}; no layer of this network has a stride to adapt.{answer}"
    gets = f"The sound fills {percent(sound)} of {whole} and gets {percent(frames)} of layer {layer}’s output frames"
    if not adaptive:
        return f"{gets}: no layer of this network adapts its stride.{answer}"
    return f"{gets}; a uniform stride would give it {percent(sound)}.{answer}"


def percent(share: float) -> str:
    """A share in whole percent.

    >>> percent(0.132), percent(0.002), percent(0.999)
    ('13 %', 'less than 1 %', 'more than 99 %')
    """
    if 0 < share < 0.005:
        return "less than 1 %"
    return "more than 99 %" if 0.995 <= share < 1 else f"{100 * share:.0f} %"
