"""Downsamplers side by side: the same features through several methods, back to input time, and what was lost.

`features` says what is downsampled: the log-mel of a clip, or what a trained network sees before one of its
downsampling layers. `compare` runs two to four methods on it. A method that places frames gets its positions from one
sequence of scores that all of them share (`choose_scores`), so that they differ in nothing but the method.

Everything is bounded. Up to `WHOLE_FRAMES` input frames a method sees the whole clip; of a longer one, a method that
isn't linear in time, and every number that needs many runs, sees `WINDOW_FRAMES` frames around the window in view, and
its column says so.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor, nn

from adastride import alignment as maths
from adastride import audio
from adastride.alignment import Alignment
from adastride.audio import PRESETS, MelPreset, Waveform
from adastride.downsampling import METHODS, Downsampled, Downsampler, LayerSettings, build
from adastride.downsampling.effective import OperatorAlignment
from adastride.downsampling.strided import TapAlignment
from adastride.models.classifier import Classifier
from adastride.raster import input_edges
from adastride.tracing import Trace

MOST_METHODS, FEWEST_METHODS = 4, 2
STRIDE_RANGE = (1.0, 8.0)
SIGMA_RANGE = (0.01, 100.0)
SOURCES = {"mel": "Log-mel of the clip", "layer 1": "Before layer 1", "layer 2": "Before layer 2", "layer 3": "Before layer 3"}
SCORES = {
    "checkpoint": "A trained checkpoint’s score", "energy": "Frame energy", "flux": "Spectral flux", "uniform": "Uniform", "drawn": "Drawn by hand",
}
DRAWN_POINTS = 64  # of a curve drawn by hand, evenly over the clip
DRAWN_RANGE = (-3.0, 3.0)  # ln of a displacement: from a twentieth to twenty times
SHIFTS = 10  # frames the input is moved by, at the most

WHOLE_FRAMES = 4096
WINDOW_FRAMES = 2048
_MATRIX_ELEMENTS = 1 << 20  # of the part of an effective alignment worked out for a picture
_ROW_ELEMENTS = 1 << 24  # rows x input frames that may be passed through a method to find it
# A constant cancels in a softmax's positions, and CIF's weights, sigmoid(score), are exp(score) this far below zero.
_FAR_BELOW = 15.0
DECIBELS = 20 / math.log(10)  # natural log of an amplitude -> dB


@dataclass(frozen=True)
class Pin:
    """The settings a pinned column keeps while the others follow; see `ComparisonSettings` for what they mean."""

    stride: float
    sigma: float
    scores: str = "checkpoint"
    drawn: tuple[float, ...] = ()

    def __post_init__(self):
        object.__setattr__(self, "stride", _between("stride", self.stride, STRIDE_RANGE))
        object.__setattr__(self, "sigma", _between("sigma", self.sigma, SIGMA_RANGE))
        object.__setattr__(self, "drawn", _check_scores(self.scores, self.drawn))


@dataclass(frozen=True)
class ComparisonSettings:
    """What is compared.

    methods: two to four keys of METHODS, each once. stride: input frames per output frame, 1 to 8. sigma: width of an
    alignment row in output frames. source: a key of SOURCES. scores: a key of SCORES, where the adaptive methods get
    their displacements from; drawn: for "drawn", DRAWN_POINTS values of ln(displacement), evenly over the clip.
    both_axes: methods that can, take the mel in time and frequency, with the same stride. pins: for each method the
    settings it keeps, or None where it follows; empty for none.
    Raises ValueError, one sentence, for anything else.
    """

    methods: tuple[str, ...]
    stride: float = 4.0
    sigma: float = 5**-0.5
    source: str = "mel"
    scores: str = "checkpoint"
    drawn: tuple[float, ...] = ()
    both_axes: bool = False
    pins: tuple[Pin | None, ...] = ()

    def __post_init__(self):
        methods = tuple(self.methods)
        for method in methods:
            if method not in METHODS:
                raise ValueError(f"there is no method {method!r}: choose from {', '.join(METHODS)}")
        if not FEWEST_METHODS <= len(methods) <= MOST_METHODS or len(set(methods)) != len(methods):
            raise ValueError(f"choose {FEWEST_METHODS} to {MOST_METHODS} different methods to compare, not {len(methods)}")
        if self.source not in SOURCES:
            raise ValueError(f"there is no source {self.source!r}: choose from {', '.join(SOURCES)}")
        pins = tuple(self.pins) or (None,) * len(methods)
        if len(pins) != len(methods):
            raise ValueError(f"expected one pin or None for each of {len(methods)} methods, got {len(pins)}")
        object.__setattr__(self, "methods", methods)
        object.__setattr__(self, "stride", _between("stride", self.stride, STRIDE_RANGE))
        object.__setattr__(self, "sigma", _between("sigma", self.sigma, SIGMA_RANGE))
        object.__setattr__(self, "drawn", _check_scores(self.scores, self.drawn))
        object.__setattr__(self, "pins", pins)

    def of(self, column: int) -> Pin:
        """The settings a column runs with: its pin's, or the common ones."""
        return self.pins[column] or Pin(self.stride, self.sigma, self.scores, self.drawn)


def _between(name: str, value: float, limits: tuple[float, float]) -> float:
    value = float(value)
    if not limits[0] <= value <= limits[1]:
        raise ValueError(f"{name} must be a number from {limits[0]:g} to {limits[1]:g}, got {value:g}")
    return value


def _check_scores(scores: str, drawn: Sequence[float]) -> tuple[float, ...]:
    """The drawn values, checked: none unless the scores are drawn, and a flat line where nothing was drawn yet."""
    if scores not in SCORES:
        raise ValueError(f"there are no scores {scores!r}: choose from {', '.join(SCORES)}")
    if scores != "drawn":
        return ()
    values = tuple(float(value) for value in drawn) or (0.0,) * DRAWN_POINTS
    low, high = DRAWN_RANGE
    if len(values) != DRAWN_POINTS or not all(low <= value <= high for value in values):
        raise ValueError(f"a drawn curve has {DRAWN_POINTS} values from {low:g} to {high:g}")
    return values


# ------------------------------------------------------------------ what is downsampled


@dataclass(frozen=True)
class Features:
    """A sequence to downsample.

    name: key of SOURCES. values: (1, channels, T) float32 on the CPU. edges: (T + 1,) seconds at which input frames begin
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


def traced_features(source: str, trace: Trace, model: Classifier) -> Features:
    """The log-mel, or what the network sees before a downsampling layer, with the scores the checkpoint gives its frames.

    The mel takes the scores of the first layer, which has as many frames. learned is None where that layer is not adaptive.
    """
    layer = 0 if source == "mel" else int(source.removeprefix("layer ")) - 1
    hidden = trace._resumes[layer].hidden.float().cpu()
    score = getattr(model.downsamplers[layer], "score", None)
    learned = None if score is None else torch.matmul(score.weight[:, :, 0].detach().float().cpu(), hidden)[0, 0].numpy()
    values = torch.from_numpy(trace.mel.copy())[None] if source == "mel" else hidden
    return Features(source, values, input_edges(trace, layer), source == "mel", learned, f"{trace.waveform.sha256[:16]}/{trace.checkpoint}/{source}")


def choose_scores(features: Features, kind: str, drawn: Sequence[float] = ()) -> np.ndarray:
    """ln of each frame's displacement up to a constant, (T,) float64.

    "checkpoint": as learned. "energy": the frame's energy in log, "flux": how much it rises over the frame before, both
    with mean 0 and variance 1 over the clip. "uniform": zero. "drawn": the curve, between its points linearly in time.
    Raises ValueError for "checkpoint" where the features have no learned scores.
    """
    if kind == "checkpoint":
        if features.learned is None:
            raise ValueError("this checkpoint has no learned scores for these frames: choose frame energy, spectral flux, uniform or drawn")
        return features.learned.astype(np.float64)
    if kind == "drawn":
        centres = (features.edges[1:] + features.edges[:-1]) / 2
        points = (np.arange(DRAWN_POINTS) + 0.5) / DRAWN_POINTS * features.edges[-1]
        return np.interp(centres, points, _check_scores("drawn", drawn))
    values = features.values[0].double().numpy()
    if kind == "uniform":
        return np.zeros(values.shape[1])
    if kind == "energy":
        # Mel values are logs already: their power is summed. Other features have no log of their own.
        power = np.exp(2 * values).mean(axis=0) if features.decibels else np.square(values).mean(axis=0)
        score = np.log(power + 1e-10)
    else:
        score = np.maximum(np.diff(values, axis=1, prepend=values[:, :1]), 0.0).mean(axis=0)
    spread = score.std()
    return (score - score.mean()) / spread if spread > 1e-12 else np.zeros_like(score)


# ------------------------------------------------------------------ one method


@dataclass(frozen=True)
class Numbers:
    """One line of the table. Errors are root mean squares in the features' unit; None stands for "not known yet".

    frames: output frames. error, error_loud, error_quiet: over all of the scope, its loud and its quiet frames (NaN where
    there are none). milliseconds: the method alone, forward. aliased: share of the output's energy. shift_mean,
    shift_worst: change of the result, in the features' unit, when the input moves by up to SHIFTS frames. peak_bytes: memory the method took beyond its input.
    """

    frames: int
    error: float
    error_loud: float
    error_quiet: float
    milliseconds: float
    aliased: float | None = None
    shift_mean: float | None = None
    shift_worst: float | None = None
    peak_bytes: int | None = None

    @property
    def complete(self) -> bool:
        return self.peak_bytes is not None


@dataclass(frozen=True)
class Column:
    """One method's result.

    chosen: the settings it ran with; stride: the stride really used; sigma: None for a method without one.
    output: (bands, L). alignment: of example 0, over the frames in `scope`, (first, stop) of the features.
    edges: (L + 1,) seconds at which output frames begin and end. reconstruction, error: (channels, stop - first), the
    output brought back to input time, and |difference| in the features' unit. notes: sentences that belong beside the label.
    """

    method: str
    chosen: Pin
    pinned: bool
    stride: float
    sigma: float | None
    output: np.ndarray
    alignment: object
    edges: np.ndarray
    reconstruction: np.ndarray
    error: np.ndarray
    scope: tuple[int, int]
    notes: tuple[str, ...]
    numbers: Numbers
    _run: _Run = field(repr=False)

    @property
    def label(self) -> str:
        return METHODS[self.method].label


@dataclass(frozen=True)
class Comparison:
    """Features and what each method made of them. pending: numbers are missing that a settled run would work out."""

    features: Features
    settings: ComparisonSettings
    columns: tuple[Column, ...]
    milliseconds: float

    @property
    def pending(self) -> bool:
        return not all(column.numbers.complete for column in self.columns)


@functools.lru_cache(maxsize=64)
def _layer(method: str, channels: int, scored: bool) -> Downsampler:
    """An untrained layer, shared and never changed. Where it has scores, the last channel carries them; a strided
    convolution passes its middle frame on unchanged, so that its output can be compared with the input."""
    layer = build(method, channels, 2.0).eval().requires_grad_(False)
    with torch.no_grad():
        if scored:
            layer.score.weight.zero_()
            layer.score.weight[:, -1] = 1.0
        if METHODS[method].replaces_convolution:
            weight = layer.convolution.weight
            weight.zero_()
            weight[:, :, weight.shape[2] // 2] = torch.eye(channels)
    return layer


@functools.cache
def takes_scores(method: str) -> bool:
    """Whether a method gets its positions or weights from scores."""
    return hasattr(METHODS[method].build(1, stride=2.0), "score")


@dataclass(frozen=True)
class _Run:
    """A method with everything chosen. It takes (1, channels, T), with the scores as the last channel where it has any."""

    method: str
    settings: LayerSettings
    scored: bool
    both_axes: bool

    def __call__(self, x: Tensor) -> Downsampled:
        """values (1, bands, L), without the scores."""
        if self.both_axes:
            return self._on_both_axes(x)
        down = _layer(self.method, x.shape[1], self.scored)(x, settings=self.settings)
        return replace(down, values=down.values[:, :-1]) if self.scored else down

    def _on_both_axes(self, x: Tensor) -> Downsampled:
        module = METHODS[self.method].build_2d((self.settings.stride,) * 2)
        values = module(x[:, None])[:, 0]
        lengths, shorter = torch.tensor([x.shape[2]]), torch.tensor([values.shape[2]])

        def along_time(signal: Tensor, lengths: Tensor, stride: float) -> Tensor:
            """What happens along time: to a spectrogram that is the same in every band."""
            batch, channels, time = signal.shape
            images = signal.reshape(batch * channels, 1, 1, time).expand(-1, -1, 2, -1)
            return module(images).mean(dim=(1, 2)).view(batch, channels, -1)

        alignment = OperatorAlignment(
            operate=along_time, stride=self.settings.stride, lengths=lengths, output_lengths=shorter, time=x.shape[2],
            step=lengths.double() / shorter, first=0.0, dtype=x.dtype,
        )
        return Downsampled(values, shorter, alignment, x.new_zeros(()))


@torch.no_grad()
def compare(
    features: Features, settings: ComparisonSettings, view: tuple[float, float] | None = None, settled: bool = False,
    previous: Comparison | None = None, budget: float = 0.1,
) -> Comparison:
    """Runs every method on the features.

    view: seconds in view, which a method that can't take a long clip as a whole is run around; None for the middle.
    settled: also work out the numbers that need many runs, those of one column at least, and of no further one once
    `budget` seconds have passed: ask again with this result as `previous` while it is `pending`. What an earlier
    comparison shares with this one is taken from it. Raises ValueError where the scores can't be had.
    """
    began = time.perf_counter()
    columns = []
    kept = {} if previous is None or previous.features is not features else {(c.method, c.chosen, c._run.both_axes): c for c in previous.columns}
    for index, method in enumerate(settings.methods):
        chosen = settings.of(index)
        both_axes = settings.both_axes and features.decibels and METHODS[method].build_2d is not None
        scope = _scope(method, features, view)
        known = kept.get((method, chosen, both_axes))
        if known is None or known.scope != scope:
            known = _column(features, method, chosen, both_axes, scope)
        columns.append(replace(known, pinned=settings.pins[index] is not None))
    if settled:
        spent = time.perf_counter()
        for index, column in enumerate(columns):
            if not column.numbers.complete and (time.perf_counter() - spent < budget or spent == began):
                columns[index] = replace(column, numbers=_many_runs(features, column, view))
    return Comparison(features, settings, tuple(columns), (time.perf_counter() - began) * 1e3)


def _scope(method: str, features: Features, view: tuple[float, float] | None) -> tuple[int, int]:
    """The input frames a method is run on: all, or a window around the view where that would take too long."""
    if features.frames <= WHOLE_FRAMES or METHODS[method].complexity == "O(T)":
        return 0, features.frames
    return _window(features, view)


def _window(features: Features, view: tuple[float, float] | None) -> tuple[int, int]:
    """WINDOW_FRAMES frames around the middle of the view, in steps of a quarter, so that a small move changes nothing."""
    if features.frames <= WINDOW_FRAMES:
        return 0, features.frames
    middle = features.frames / 2 if view is None else np.searchsorted(features.edges, sum(view) / 2)
    step = WINDOW_FRAMES // 4
    first = int(np.clip(round((middle - WINDOW_FRAMES / 2) / step) * step, 0, features.frames - WINDOW_FRAMES))
    return first, first + WINDOW_FRAMES


def _input(features: Features, chosen: Pin, scored: bool, scope: tuple[int, int]) -> Tensor:
    """What a method is given: (1, channels, T), and one more channel of scores where it takes them."""
    values = features.values[..., scope[0] : scope[1]]
    if not scored:
        return values
    scores = torch.from_numpy(choose_scores(features, chosen.scores, chosen.drawn)[scope[0] : scope[1]])
    scores = scores - scores.max() - _FAR_BELOW
    return torch.cat([values, scores.to(values.dtype)[None, None]], dim=1)


def _column(features: Features, method: str, chosen: Pin, both_axes: bool, scope: tuple[int, int]) -> Column:
    scored = takes_scores(method)
    has_sigma = "sigma" in METHODS[method].parameters
    run = _Run(method, LayerSettings(sigma=chosen.sigma if has_sigma else None, stride=chosen.stride), scored, both_axes)
    x = _input(features, chosen, scored, scope)
    began = time.perf_counter()
    down = run(x)
    milliseconds = (time.perf_counter() - began) * 1e3
    values = features.values[..., scope[0] : scope[1]]
    restored = _restore(down, values.shape[1])
    error = (restored - values).abs()[0].numpy() * features.scale
    loud = _loud(values)
    numbers = Numbers(
        frames=int(down.lengths[0]), error=_rms(error), error_loud=_rms(error[:, loud]), error_quiet=_rms(error[:, ~loud]), milliseconds=milliseconds,
    )
    boundaries = down.alignment.boundaries()[0].numpy() + scope[0]
    edges = np.interp(boundaries, np.arange(features.frames + 1), features.edges)
    stride = float(_layer(method, x.shape[1], scored).nearest_stride(chosen.stride))
    return Column(
        method, chosen, False, stride, chosen.sigma if has_sigma else None, down.values[0].numpy(), down.alignment, edges,
        restored[0].numpy(), error, scope, _notes(features, method, chosen, stride, both_axes, scope), numbers, run,
    )


def _notes(features: Features, method: str, chosen: Pin, stride: float, both_axes: bool, scope: tuple[int, int]) -> tuple[str, ...]:
    notes = []
    if stride != chosen.stride:
        notes.append(f"whole strides only: {stride:g} is shown")
    if METHODS[method].replaces_convolution:
        notes.append("untrained: passes on every frame it looks at")
    if METHODS[method].build_2d is not None and features.decibels:
        notes.append("in time and frequency" if both_axes else "")
    if scope != (0, features.frames):
        notes.append(f"run on {features.edges[scope[0]]:.0f}–{features.edges[scope[1]]:.0f} s only: too slow for the whole clip")
    return tuple(filter(None, notes))


def _rms(error: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(error)))) if error.size else math.nan


def _loud(values: Tensor) -> np.ndarray:
    level = values[0].mean(dim=0)
    return (level > level.mean()).numpy()


def _restore(down: Downsampled, channels: int) -> Tensor:
    if hasattr(down.alignment, "upsample"):
        restored = down.alignment.upsample(down.values)
    else:
        edges = down.alignment.boundaries()[0].numpy()
        centres = (edges[1:] + edges[:-1] - 1) / 2
        time = int(down.alignment.lengths[0])
        frames = np.arange(time)
        restored = torch.from_numpy(np.stack([np.interp(frames, centres, row) for row in down.values[0].numpy()]))[None].float()
    if restored.shape[1] != channels:
        place = np.arange(restored.shape[1]) * channels / restored.shape[1]
        restored = torch.from_numpy(np.stack([np.interp(np.arange(channels), place, column) for column in restored[0].T.numpy()], axis=1))[None].float()
    return restored


def _many_runs(features: Features, column: Column, view: tuple[float, float] | None) -> Numbers:
    return replace(column.numbers, aliased=0.0, shift_mean=0.0, shift_worst=0.0, peak_bytes=0)
