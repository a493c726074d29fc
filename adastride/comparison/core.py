"""Downsamplers side by side: the same features through several methods, back to input time, and what was lost.

`features` says what is downsampled: the log-mel of a clip, or what a trained network sees before one of its
downsampling layers. `compare` runs two to four methods on it. A method that places frames gets its positions from one
sequence of scores that all of them share (`choose_scores`), so that they differ in nothing but the method.

Everything is bounded. Up to `WHOLE_FRAMES` input frames a method sees the whole clip; of a longer one, a method that
isn't linear in time, and every number that needs many runs, sees `WINDOW_FRAMES` frames around the window in view, and
its column says so. Methods and the numbers that need many runs are computed on the device the caller names; results lie on the CPU.
"""

from __future__ import annotations

import csv
import functools
import io
import math
import threading
import time
import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from adastride import audio
from adastride.alignment import AnyAlignment, Positions
from adastride.audio import PRESETS, MelPreset, Waveform
from adastride.device import choose_device, device_name
from adastride.downsampling import METHODS, Downsampled, Downsampler, LayerSettings, build
from adastride.downsampling.effective import OperatorAlignment
from adastride.inspection import analysis
from adastride.inspection.raster import input_edges
from adastride.inspection.tracing import Trace
from adastride.models.network import MOST_LAYERS, Network
from adastride.ranges import SIGMA_RANGE, STRIDE_RANGE

MOST_METHODS, FEWEST_METHODS = 4, 2
SCORES = {
    "checkpoint": "A trained checkpoint’s score",
    "energy": "Frame energy",
    "flux": "Spectral flux",
    "uniform": "Uniform",
    "drawn": "Drawn by hand",
}
DRAWN_POINTS = 64  # of a curve drawn by hand, evenly over the clip
DRAWN_RANGE = (-3.0, 3.0)  # ln of a displacement: from a twentieth to twenty times
EXACT = -120.0  # dB; what lies below is rounding, and no error at all would be minus infinity
SHIFTS = 10  # frames the input is moved by, at the most

WHOLE_FRAMES = 4096
WINDOW_FRAMES = 2048
_MATRIX_ELEMENTS = 1 << 20  # of the part of an effective alignment worked out for a picture
# A constant cancels in a softmax's positions, and CIF's weights, sigmoid(score), are exp(score) this far below zero.
_FAR_BELOW = 15.0
DECIBELS = 20 / math.log(10)  # natural log of an amplitude -> dB
CPU = torch.device("cpu")


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
    alignment row in output frames. source: a key of `sources`. scores: a key of SCORES, where the adaptive methods get
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
        if self.source not in sources(MOST_LAYERS):
            raise ValueError(f"there is no source {self.source!r}: choose from {', '.join(sources(MOST_LAYERS))}")
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


def sources(layers: int) -> dict[str, str]:
    """What can be downsampled with a network of so many layers: keys, and names for people.

    >>> sources(1)
    {'mel': 'Log-mel of the clip', 'layer 1': 'Before layer 1'}
    """
    return {"mel": "Log-mel of the clip", **{f"layer {layer}": f"Before layer {layer}" for layer in range(1, layers + 1)}}


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
        source, values, input_edges(trace, layer), source == "mel", learned, f"{trace.waveform.sha256[:16]}/{trace.checkpoint}/{source}"
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
        return np.interp(centres, points, _check_scores("drawn", drawn))
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


# ------------------------------------------------------------------ one method


def best_device() -> torch.device:
    """Where methods run: a CUDA GPU where there is one, else the CPU. Apple's GPU lacks the float64 that the numbers need."""
    device = choose_device()
    return device if device.type == "cuda" else CPU


@functools.lru_cache(maxsize=64)
def _layer(method: str, channels: int, device: torch.device) -> Downsampler:
    """An untrained layer, shared by all and never changed. Where it takes scores, the last channel carries them; a strided
    convolution passes its middle frame on unchanged, so that its output can be compared with the input."""
    layer = build(method, channels, 2.0).eval().requires_grad_(False)
    if takes_scores(method):
        layer.score.weight.zero_()
        layer.score.weight[:, -1] = 1.0
    if METHODS[method].replaces_convolution:
        for weight in (layer.convolution.weight, layer.projection.weight):
            weight.zero_()
            weight[:, :, weight.shape[2] // 2] = torch.eye(channels)
    return layer.to(device)


@functools.cache
def takes_scores(method: str) -> bool:
    """Whether a method gets its positions or weights from scores."""
    return METHODS[method].build(1, stride=2.0).scored


def nearest_stride(method: str, stride: float) -> float:
    """The stride a method can do that is nearest to the one asked for."""
    return float(METHODS[method].build(1, stride=2.0).nearest_stride(stride))


class _Bound(Downsampler):
    """A method with its settings bound to it. Where it takes scores, they are the input's last channel and not in the output.

    Shape: (1, channels, T), with the scores one channel more -> (1, channels, L).
    """

    def __init__(self, method: str, channels: int, settings: LayerSettings, device: torch.device):
        super().__init__()
        self.scored = takes_scores(method)
        self.settings = settings
        self.layer = _layer(method, channels + self.scored, device)
        self.channels, self.stride, self.linear = self.layer.channels, self.layer.stride, self.layer.linear

    def forward(self, x: Tensor, lengths: Tensor | None = None, settings: LayerSettings | None = None) -> Downsampled:
        down = self.layer(x, lengths, self.settings)
        return replace(down, values=self._unscored(down.values))

    def shortcut(self, x: Tensor, lengths: Tensor, downsampled: Downsampled) -> Tensor:
        return self._unscored(self.layer.shortcut(x, lengths, downsampled))

    def _unscored(self, values: Tensor) -> Tensor:
        return values[:, :-1] if self.scored else values


class _BothAxes(Downsampler):
    """A method along time and frequency, with the same stride: (1, bands, T) -> (1, fewer bands, L)."""

    def __init__(self, method: str, bands: int, stride: float, device: torch.device):
        super().__init__()
        self.channels, self.stride = bands, stride
        self.first = _layer(method, 1, device).first
        self.module = METHODS[method].build_2d((stride, stride)).eval().requires_grad_(False).to(device)

    def forward(self, x: Tensor, lengths: Tensor | None = None, settings: LayerSettings | None = None) -> Downsampled:
        values = self.module(x[:, None])[:, 0]
        lengths, shorter = (torch.tensor([size], device=x.device) for size in (x.shape[2], values.shape[2]))
        alignment = OperatorAlignment(
            operate=self._along_time,
            stride=self.stride,
            lengths=lengths,
            output_lengths=shorter,
            time=x.shape[2],
            step=lengths.double() / shorter,
            first=self.first,
            dtype=x.dtype,
        )
        return Downsampled(values, shorter, alignment, x.new_zeros(()))

    def shortcut(self, x: Tensor, lengths: Tensor, downsampled: Downsampled) -> Tensor:
        return self.module(x[:, None])[:, 0]

    def _along_time(self, x: Tensor, lengths: Tensor, stride: float) -> Tensor:
        """What happens along time: (batch, n, T) -> (batch, n, L), each signal as a picture that is the same in all (two) bands."""
        batch, channels, frames = x.shape
        pictures = x.reshape(batch * channels, 1, 1, frames).expand(-1, -1, 2, -1)
        return self.module(pictures).mean(dim=(1, 2)).view(batch, channels, -1)

    def bands_back(self, values: Tensor) -> Tensor:
        """(1, fewer bands, T) -> (1, bands, T), on lines between the bands that are left."""
        step = self.channels / values.shape[1]
        first = (step - 1) / 2 if self.first is None else self.first
        place = ((torch.arange(self.channels) - first) / step).clamp(0, values.shape[1] - 1)
        low = place.floor().long().clamp(max=max(values.shape[1] - 2, 0))
        high = (low + 1).clamp(max=values.shape[1] - 1)
        share = (place - low)[:, None].to(values.dtype)
        return values[:, low] * (1 - share) + values[:, high] * share


@dataclass(frozen=True)
class Numbers:
    """One line of the table; None stands for "not worked out yet".

    frames: output frames. error, error_loud, error_quiet: `analysis.error_db` over the whole scope and its loud and quiet
    frames, at least EXACT, NaN where there are none. milliseconds: the method alone, forward. aliased: percent, `analysis.aliased_energy`.
    shift_mean, shift_worst: percent, `analysis.shift_change` over 0 to SHIFTS frames. peak_bytes: tensor memory the
    method held at once beyond its input.
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

    chosen: the settings it ran with, the usual ones where it looks at none; stride: the stride really used; sigma: None for a
    method without one.
    output: (bands, L). alignment: of example 0, over the frames in `scope`, (first, stop) of the features.
    edges: (L + 1,) seconds at which output frames begin and end. reconstruction, error: (channels, stop - first), the
    output brought back to input time, and |difference| in the features' unit. notes: what belongs beside the label.
    """

    method: str
    chosen: Pin
    pinned: bool
    both_axes: bool
    stride: float
    sigma: float | None
    output: np.ndarray
    alignment: AnyAlignment
    edges: np.ndarray
    reconstruction: np.ndarray
    error: np.ndarray
    scope: tuple[int, int]
    notes: tuple[str, ...]
    numbers: Numbers

    @property
    def label(self) -> str:
        return METHODS[self.method].label

    @property
    def whole_positions(self) -> bool:
        """Each frame counts for its nearest output frame alone."""
        drawing = self.alignment.drawing()
        return isinstance(drawing, Positions) and drawing.nearest

    @torch.no_grad()
    def rows(self, first: int, stop: int, most: int = 1 << 24) -> tuple[int, np.ndarray] | None:
        """The part of the alignment that input frames first..stop - 1 of the scope take part in.

        Returns (first output frame, (n, stop - first) weights, each relative to its row's largest); None where that would
        be more than `most` numbers to work out, or a larger picture than anybody can see.
        """
        boundaries = self.alignment.boundaries()[0].cpu().numpy()
        low = int(np.clip(np.searchsorted(boundaries, first, side="right") - 1, 0, len(boundaries) - 2))
        high = int(np.clip(np.searchsorted(boundaries, stop), low + 1, len(boundaries) - 1))
        frames = self.scope[1] - self.scope[0]
        if (high - low) * frames > most or (high - low) * (stop - first) > _MATRIX_ELEMENTS:
            return None
        if isinstance(self.alignment.drawing(), Positions):
            every = np.arange(first, stop)
            return low, self.alignment.relative_weights(np.arange(low, high), every, every)
        weights = self.alignment.rows(range(low, high))[:, first:stop].cpu().numpy()
        return low, weights / np.maximum(weights.max(axis=1, keepdims=True), 1e-30)


@dataclass(frozen=True)
class Comparison:
    """Features and what each method made of them. milliseconds: all of it. pending: numbers are missing that a settled
    run would work out. device: where the methods ran."""

    features: Features
    settings: ComparisonSettings
    columns: tuple[Column, ...]
    milliseconds: float
    pending: bool
    device: torch.device

    @property
    def device_name(self) -> str:
        """What a person calls it."""
        return device_name(self.device)


@torch.no_grad()
def compare(
    features: Features,
    settings: ComparisonSettings,
    view: tuple[float, float] | None = None,
    settled: bool = False,
    previous: Comparison | None = None,
    budget: float = 0.1,
    device: torch.device = CPU,
) -> Comparison:
    """Runs every method on the features.

    view: seconds in view, around which a method that can't take a long clip as a whole is run; None for the middle.
    settled: also work out what takes long: the numbers that need many runs, and of a long clip the methods that can take all
    of it, which are run around the view until then. One column at least is worked out, and no further one once `budget`
    seconds have passed: ask again with this result as `previous` while it is `pending`. What an earlier comparison shares
    with this one is taken from it. device: where methods run. Raises ValueError where the scores can't be had, and
    torch.OutOfMemoryError where the device is too small.
    """
    began = time.perf_counter()
    kept = {}
    if previous is not None and previous.features is features and previous.device == device:
        kept = {(column.method, column.chosen, column.both_axes, column.scope): column for column in previous.columns}
    columns, spent, pending = [], 0.0, False
    for index, method in enumerate(settings.methods):
        chosen, pinned = _relevant(method, settings.of(index)), settings.pins[index] is not None
        both_axes = settings.both_axes and features.decibels and METHODS[method].build_2d is not None
        scope, quick = _scope(method, features, view), _window(features, view)
        since, heavy = time.perf_counter(), settled and spent <= budget
        column = kept.get((method, chosen, both_axes, scope))
        if column is None and not heavy:
            column = kept.get((method, chosen, both_axes, quick))
        if column is None:
            column = _column(features, method, chosen, both_axes, scope if heavy else quick, device)
        if heavy and not column.numbers.complete:
            column = replace(column, numbers=_slow_numbers(features, column, view, device))
            spent += time.perf_counter() - since
        notes = _notes(features, column, time_alone=settings.both_axes and features.decibels and not both_axes, final=column.scope == scope)
        columns.append(replace(column, pinned=pinned, notes=notes))
        pending = pending or column.scope != scope or not column.numbers.complete
    return Comparison(features, settings, tuple(columns), (time.perf_counter() - began) * 1e3, pending, device)


def _relevant(method: str, chosen: Pin) -> Pin:
    """Settings with what a method does not look at as it always is, so that a change of it changes nothing."""
    if not takes_scores(method):
        chosen = replace(chosen, scores="uniform", drawn=())
    return chosen if "sigma" in METHODS[method].parameters else replace(chosen, sigma=ComparisonSettings.sigma)


def _scope(method: str, features: Features, view: tuple[float, float] | None) -> tuple[int, int]:
    """The input frames a method is run on: all, or a window around the view where that would take too long."""
    if features.frames <= WHOLE_FRAMES or METHODS[method].complexity == "O(T)":
        return 0, features.frames
    return _window(features, view)


def _window(features: Features, view: tuple[float, float] | None) -> tuple[int, int]:
    """WINDOW_FRAMES frames around the middle of the view, moving in steps of a quarter, so that a small move changes nothing."""
    if features.frames <= WHOLE_FRAMES:
        return 0, features.frames
    middle = features.frames / 2 if view is None else np.searchsorted(features.edges, sum(view) / 2)
    step = WINDOW_FRAMES // 4
    first = int(np.clip(round((middle - WINDOW_FRAMES / 2) / step) * step, 0, features.frames - WINDOW_FRAMES))
    return first, first + WINDOW_FRAMES


def _bound(
    features: Features, method: str, chosen: Pin, both_axes: bool, scope: tuple[int, int], device: torch.device
) -> tuple[_Bound | _BothAxes, Tensor]:
    """A method with its settings, and what it is given: (1, channels, T), with one more channel of scores where it takes them."""
    values = features.values[..., scope[0] : scope[1]].to(device)
    if both_axes:
        return _BothAxes(method, values.shape[1], chosen.stride, device), values
    sigma = chosen.sigma if "sigma" in METHODS[method].parameters else None
    layer = _Bound(method, values.shape[1], LayerSettings(sigma=sigma, stride=chosen.stride), device)
    if not layer.scored:
        return layer, values
    scores = torch.from_numpy(choose_scores(features, chosen.scores, chosen.drawn)[scope[0] : scope[1]])
    scores = scores - scores.max() - _FAR_BELOW
    return layer, torch.cat([values, scores.to(values)[None, None]], dim=1)


def _column(
    features: Features, method: str, chosen: Pin, both_axes: bool, scope: tuple[int, int], device: torch.device
) -> Column:
    """A method's result, without notes and the numbers that need many runs."""
    layer, x = _bound(features, method, chosen, both_axes, scope, device)
    down, milliseconds = _timed(layer, x)
    source = features.values[..., scope[0] : scope[1]]
    restored = analysis.reconstruct(down.values, down.alignment, source.shape[2]).cpu()
    if both_axes:
        restored = layer.bands_back(restored)
    loud = analysis.loud_mask(analysis.frame_energy(source, logarithmic=features.decibels))
    errors = [float(analysis.error_db(source, restored, mask)) for mask in (None, loud, ~loud)]
    errors = [error if math.isnan(error) else max(error, EXACT) for error in errors]
    boundaries = down.alignment.boundaries()[0].cpu().numpy() + scope[0]
    stride = chosen.stride if both_axes else nearest_stride(method, chosen.stride)
    return Column(
        method,
        chosen,
        False,
        both_axes,
        stride,
        chosen.sigma if "sigma" in METHODS[method].parameters else None,
        output=down.values[0].cpu().numpy(),
        alignment=down.alignment,
        edges=np.interp(boundaries, np.arange(features.frames + 1), features.edges),
        reconstruction=restored[0].numpy(),
        error=(restored - source)[0].abs().numpy() * features.scale,
        scope=scope,
        notes=(),
        numbers=Numbers(int(down.lengths[0]), *errors, milliseconds),
    )


def _timed(layer: Downsampler, x: Tensor) -> tuple[Downsampled, float]:
    """A run, and the milliseconds it took; a GPU is waited for."""
    wait = torch.cuda.synchronize if x.is_cuda else lambda: None
    wait()
    began = time.perf_counter()
    down = layer(x)
    wait()
    return down, (time.perf_counter() - began) * 1e3


def _notes(features: Features, column: Column, time_alone: bool, final: bool) -> tuple[str, ...]:
    """What belongs beside a column's label. time_alone: both axes were asked for, and it has no such version. final: it will
    not be run on more of the clip."""
    notes = []
    if column.stride != column.chosen.stride:
        notes.append(f"whole strides only: {column.stride:g} is shown")
    if METHODS[column.method].replaces_convolution:
        notes.append(f"untrained: picks every {_ordinal(round(column.stride))} frame")
    if column.both_axes:
        notes.append("in time and frequency")
    if time_alone:
        notes.append("in time only")
    first, stop = column.scope
    if column.scope != (0, features.frames):
        why = "too slow for the whole clip" if final else "the whole clip follows"
        notes.append(f"run on {features.edges[first]:.0f}–{features.edges[stop]:.0f} s only: {why}")
    return tuple(notes)


def _ordinal(number: int) -> str:
    return {1: "single", 2: "2nd", 3: "3rd"}.get(number, f"{number}th")


def _slow_numbers(features: Features, column: Column, view: tuple[float, float] | None, device: torch.device) -> Numbers:
    """The numbers that need many runs, over the column's scope, or of a long clip over the window around the view."""
    scope = _window(features, view) if column.scope == (0, features.frames) else column.scope
    layer, x = _bound(features, column.method, column.chosen, column.both_axes, scope, device)
    shift = analysis.shift_change(layer, x, range(SHIFTS + 1))
    milliseconds = column.numbers.milliseconds
    if scope == column.scope:  # the first run's time is a guess: it may have been the first of its kind
        milliseconds = float(np.median([_timed(layer, x)[1] for _ in range(5)]))
    return replace(
        column.numbers,
        milliseconds=milliseconds,
        aliased=float(analysis.aliased_energy(layer, x)),
        shift_mean=float(shift.mean),
        shift_worst=float(shift.worst),
        peak_bytes=peak_bytes(layer, x),
    )


_PROFILING = threading.Lock()  # there is one profiler in a process, and one record of a GPU's memory


def peak_bytes(layer: Downsampler, x: Tensor) -> int:
    """Memory that a run holds at once beyond its input, where the input lies: tensors, those inside operations too.

    On the CPU NumPy's arrays are added at their own peak, for an alignment works its weights out in them.
    """
    if x.is_cuda:
        with _PROFILING:
            torch.cuda.reset_peak_memory_stats(x.device)
            before = torch.cuda.memory_allocated(x.device)
            layer(x)
            return torch.cuda.max_memory_allocated(x.device) - before
    with _PROFILING, profile(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True) as profiled:
        tracemalloc.start()
        try:
            layer(x)
            _, arrays = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    held = most = 0
    for event in profiled.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    return most + arrays


def to_csv(comparison: Comparison) -> str:
    """A row for each method: what it ran with and its `Numbers`, units in the column names. Lines end with a line feed.

    A number that was not worked out, or of which there is none, is left empty.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        [
            "method",
            "pinned",
            "asked_stride",
            "stride",
            "sigma_output_frames",
            "scores",
            "axes",
            "input_frames",
            "output_frames",
            "error_db",
            "error_loud_db",
            "error_quiet_db",
            "aliased_percent",
            "shift_change_mean_percent",
            "shift_change_worst_percent",
            "milliseconds",
            "peak_bytes",
            "device",
            "notes",
        ]
    )
    for column in comparison.columns:
        numbers = column.numbers
        measured = [
            numbers.error,
            numbers.error_loud,
            numbers.error_quiet,
            numbers.aliased,
            numbers.shift_mean,
            numbers.shift_worst,
            numbers.milliseconds,
            numbers.peak_bytes,
        ]
        writer.writerow(
            [
                column.method,
                int(column.pinned),
                f"{column.chosen.stride:g}",
                f"{column.stride:g}",
                "" if column.sigma is None else f"{column.sigma:.6g}",
                column.chosen.scores if takes_scores(column.method) else "",
                2 if column.both_axes else 1,
                column.scope[1] - column.scope[0],
                numbers.frames,
                *("" if number is None or not math.isfinite(number) else f"{number:.6g}" for number in measured),
                comparison.device_name,
                "; ".join(column.notes),
            ]
        )
    return text.getvalue()
