"""Runs several methods on the same features, brings the results back to input time, and measures what was lost.

`Features` are what is downsampled: the log-mel of a clip, or what a trained network sees before one of its
downsampling layers. `compare` runs two to four methods on it. A method that places frames gets its positions from one
sequence of scores that all of them share (`choose_scores`), so that they differ in nothing but the method.

Time and memory are bounded. Every method is run on the whole of a clip of up to `WHOLE_FRAMES` input frames. Of a longer clip,
a method whose cost isn't linear in time is run on `WINDOW_FRAMES` frames around the view alone, and its column says so. The
numbers that need many runs are taken of that window, too. Methods run on the device that the caller names; results lie on the CPU.
"""

from __future__ import annotations

import functools
import math
import threading
import time
import tracemalloc
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from adastride.alignment import AnyAlignment, Positions
from adastride.comparison.features import Features, choose_scores
from adastride.comparison.settings import WHOLE_FRAMES, WINDOW_FRAMES, ComparisonSettings, Pin
from adastride.device import choose_device, device_name
from adastride.downsampling import METHODS, Downsampled, Downsampler, LayerSettings, build
from adastride.downsampling.effective import OperatorAlignment
from adastride.inspection import analysis
from adastride.tables import csv_text

EXACT = -120.0  # dB; what lies below is rounding, and no error at all would be minus infinity
SHIFTS = 10  # frames the input is moved by, at the most

_MATRIX_ELEMENTS = 1 << 20  # of the part of an effective alignment worked out for a picture
# A constant cancels in a softmax's positions, and CIF's weights, sigmoid(score), are exp(score) this far below zero.
_FAR_BELOW = 15.0
CPU = torch.device("cpu")


# ------------------------------------------------------------------ one method


def best_device() -> torch.device:
    """The device to run methods on: a CUDA GPU where there is one, else the CPU. Apple's GPU lacks the float64 that the numbers need."""
    device = choose_device()
    return device if device.type == "cuda" else CPU


@functools.lru_cache(maxsize=64)
def _layer(method: str, channels: int, device: torch.device) -> Downsampler:
    """An untrained layer of a method, which all callers share and none may change.

    Where the method takes scores, the last channel carries them. A strided convolution passes its middle frame on unchanged, so
    that its output can be compared with the input.
    """
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
    """Whether a method gets its positions or its weights from scores."""
    return METHODS[method].build(1, stride=2.0).scored


def nearest_stride(method: str, stride: float) -> float:
    """The stride nearest to the one asked for that the method can do."""
    return float(METHODS[method].build(1, stride=2.0).nearest_stride(stride))


class _Bound(Downsampler):
    """A method with its settings bound to it.

    Where the method takes scores, they are one more channel of the input, its last, which the output does not have.
    Shape: (1, channels, T), or with scores (1, channels + 1, T) -> (1, channels, L).
    """

    def __init__(self, method: str, channels: int, settings: LayerSettings, device: torch.device):
        super().__init__()
        self.scored = takes_scores(method)
        self.settings = settings
        self.layer = _layer(method, channels + self.scored, device)
        self.channels, self.stride, self.linear = self.layer.channels, self.layer.stride, self.layer.linear

    def forward(self, x: Tensor, lengths: Tensor | None = None, settings: LayerSettings | None = None) -> Downsampled:
        downsampled = self.layer(x, lengths, self.settings)
        return replace(downsampled, values=self._unscored(downsampled.values))

    def shortcut(self, x: Tensor, lengths: Tensor, downsampled: Downsampled) -> Tensor:
        return self._unscored(self.layer.shortcut(x, lengths, downsampled))

    def _unscored(self, values: Tensor) -> Tensor:
        return values[:, :-1] if self.scored else values


class _BothAxes(Downsampler):
    """A method applied along time and frequency with the same stride. Shape: (1, bands, T) -> (1, fewer bands, L)."""

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
        """What the method does along time alone, for the effective alignment: (batch, n, T) -> (batch, n, L).

        Each signal becomes a picture of two equal bands, so that there is nothing to downsample along frequency.
        """
        batch, channels, frames = x.shape
        pictures = x.reshape(batch * channels, 1, 1, frames).expand(-1, -1, 2, -1)
        return self.module(pictures).mean(dim=(1, 2)).view(batch, channels, -1)

    def bands_back(self, values: Tensor) -> Tensor:
        """Brings bands back by linear interpolation: (1, fewer bands, T) -> (1, bands, T)."""
        step = self.channels / values.shape[1]
        first = (step - 1) / 2 if self.first is None else self.first
        band = ((torch.arange(self.channels) - first) / step).clamp(0, values.shape[1] - 1)
        low = band.floor().long().clamp(max=max(values.shape[1] - 2, 0))
        high = (low + 1).clamp(max=values.shape[1] - 1)
        share = (band - low)[:, None].to(values.dtype)
        return values[:, low] * (1 - share) + values[:, high] * share


@dataclass(frozen=True)
class Numbers:
    """What was measured of one method; None stands for a number that has not been worked out yet.

    frames: how many output frames there are. error, error_loud, error_quiet: `analysis.error_db` in dB over the whole scope, its
    loud frames and its quiet frames; never below EXACT, and NaN where there are no such frames. milliseconds: a forward pass of the
    method alone. aliased: `analysis.aliased_energy` in percent. shift_mean, shift_worst: `analysis.shift_change` in percent over
    shifts of 0 to SHIFTS frames. peak_bytes: the most memory that the method held at once beyond its input, see `peak_bytes`.
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
        """Whether the numbers that need many runs are there as well."""
        return self.peak_bytes is not None


@dataclass(frozen=True)
class Column:
    """One method's result.

    settings: what it was asked to run with; those it does not look at have their default values. pinned: whether the settings are
    its own and not the common ones. stride: the stride it really used. sigma: None for a method without one. output: (bands, L).
    scope: the frames (first, stop) of the features that it was run on. alignment: of these frames. edges: (L + 1,) seconds at
    which output frames begin and end. reconstruction: (channels, stop - first), the output brought back to input time; error:
    its absolute difference to the features, in their unit. notes: short texts that belong beside the label.
    """

    method: str
    settings: Pin
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
        """Whether each input frame counts for its nearest output frame alone, as in AdaStride-F."""
        drawing = self.alignment.drawing()
        return isinstance(drawing, Positions) and drawing.nearest

    @torch.no_grad()
    def rows(self, first: int, stop: int, most: int = 1 << 24) -> tuple[int, np.ndarray] | None:
        """The part of the alignment that input frames first..stop - 1 of the scope take part in.

        Returns the number of the first output frame and (n, stop - first) weights, each relative to the largest of its row. Returns
        None where more than `most` numbers would have to be worked out, or the picture would be larger than anybody can see.
        """
        boundaries = self.alignment.boundaries()[0].cpu().numpy()
        low = int(np.clip(np.searchsorted(boundaries, first, side="right") - 1, 0, len(boundaries) - 2))
        high = int(np.clip(np.searchsorted(boundaries, stop), low + 1, len(boundaries) - 1))
        frames = self.scope[1] - self.scope[0]
        if (high - low) * frames > most or (high - low) * (stop - first) > _MATRIX_ELEMENTS:
            return None
        if isinstance(self.alignment.drawing(), Positions):
            input_frames = np.arange(first, stop)
            return low, self.alignment.relative_weights(np.arange(low, high), input_frames, input_frames)
        weights = self.alignment.rows(range(low, high))[:, first:stop].cpu().numpy()
        return low, weights / np.maximum(weights.max(axis=1, keepdims=True), 1e-30)


@dataclass(frozen=True)
class Comparison:
    """Features and what each method made of them.

    columns: a result for each method, in their order. milliseconds: what `compare` took. pending: whether something is missing
    that a further call of `compare` with `settled` would work out. device: where the methods ran.
    """

    features: Features
    settings: ComparisonSettings
    columns: tuple[Column, ...]
    milliseconds: float
    pending: bool
    device: torch.device

    @property
    def device_name(self) -> str:
        """What a person calls the device."""
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
    """Runs every method on the features and measures what it keeps and loses.

    view: the seconds in view; a method that can't take a long clip as a whole is run around them. None stands for the middle.
    settled: whether to work out what takes long, too: the numbers that need many runs, and the methods that are run around the
    view of a long clip at first although they can take all of it. That is done for one column at least, and for no further one
    once `budget` seconds have passed: call again with this result as `previous` while it is `pending`. previous: an earlier
    comparison; what it shares with this one is not computed again. device: where the methods run.
    Raises ValueError where the features have no scores of the kind asked for, torch.OutOfMemoryError where the device is too small.
    """
    began = time.perf_counter()
    earlier = {}
    if previous is not None and previous.features is features and previous.device == device:
        earlier = {(column.method, column.settings, column.both_axes, column.scope): column for column in previous.columns}
    columns, seconds_spent, pending = [], 0.0, False
    for index, method in enumerate(settings.methods):
        column_settings, pinned = _relevant(method, settings.of(index)), settings.pins[index] is not None
        both_axes = settings.both_axes and features.decibels and METHODS[method].build_2d is not None
        scope, window = _scope(method, features, view), _window(features, view)
        column_began, thorough = time.perf_counter(), settled and seconds_spent <= budget
        column = earlier.get((method, column_settings, both_axes, scope))
        if column is None and not thorough:
            column = earlier.get((method, column_settings, both_axes, window))
        if column is None:
            column = _column(features, method, column_settings, both_axes, scope if thorough else window, device)
        if thorough and not column.numbers.complete:
            column = replace(column, numbers=_slow_numbers(features, column, view, device))
            seconds_spent += time.perf_counter() - column_began
        notes = _notes(features, column, time_alone=settings.both_axes and features.decibels and not both_axes, final=column.scope == scope)
        columns.append(replace(column, pinned=pinned, notes=notes))
        pending = pending or column.scope != scope or not column.numbers.complete
    return Comparison(features, settings, tuple(columns), (time.perf_counter() - began) * 1e3, pending, device)


def _relevant(method: str, settings: Pin) -> Pin:
    """The settings with default values for all that the method does not look at, so that a change there runs nothing again."""
    if not takes_scores(method):
        settings = replace(settings, scores="uniform", drawn=())
    return settings if "sigma" in METHODS[method].parameters else replace(settings, sigma=ComparisonSettings.sigma)


def _scope(method: str, features: Features, view: tuple[float, float] | None) -> tuple[int, int]:
    """The input frames (first, stop) that a method is run on: all, or a window around the view where all would take too long."""
    if features.frames <= WHOLE_FRAMES or METHODS[method].complexity == "O(T)":
        return 0, features.frames
    return _window(features, view)


def _window(features: Features, view: tuple[float, float] | None) -> tuple[int, int]:
    """The (first, stop) of WINDOW_FRAMES frames around the middle of the view; all frames of a short clip.

    The window moves in steps of a quarter of its length, so that a small move of the view changes nothing.
    """
    if features.frames <= WHOLE_FRAMES:
        return 0, features.frames
    middle = features.frames / 2 if view is None else np.searchsorted(features.edges, sum(view) / 2)
    step = WINDOW_FRAMES // 4
    first = int(np.clip(round((middle - WINDOW_FRAMES / 2) / step) * step, 0, features.frames - WINDOW_FRAMES))
    return first, first + WINDOW_FRAMES


def _bound(
    features: Features, method: str, settings: Pin, both_axes: bool, scope: tuple[int, int], device: torch.device
) -> tuple[_Bound | _BothAxes, Tensor]:
    """A method with its settings, and its input: (1, channels, T), with one more channel of scores where the method takes them."""
    values = features.values[..., scope[0] : scope[1]].to(device)
    if both_axes:
        return _BothAxes(method, values.shape[1], settings.stride, device), values
    sigma = settings.sigma if "sigma" in METHODS[method].parameters else None
    layer = _Bound(method, values.shape[1], LayerSettings(sigma=sigma, stride=settings.stride), device)
    if not layer.scored:
        return layer, values
    scores = torch.from_numpy(choose_scores(features, settings.scores, settings.drawn)[scope[0] : scope[1]])
    scores = scores - scores.max() - _FAR_BELOW
    return layer, torch.cat([values, scores.to(values)[None, None]], dim=1)


def _column(
    features: Features, method: str, settings: Pin, both_axes: bool, scope: tuple[int, int], device: torch.device
) -> Column:
    """A method's result, still without notes and without the numbers that need many runs."""
    layer, x = _bound(features, method, settings, both_axes, scope, device)
    downsampled, milliseconds = _timed(layer, x)
    source = features.values[..., scope[0] : scope[1]]
    restored = analysis.reconstruct(downsampled.values, downsampled.alignment, source.shape[2]).cpu()
    if both_axes:
        restored = layer.bands_back(restored)
    loud = analysis.loud_mask(analysis.frame_energy(source, logarithmic=features.decibels))
    errors = [float(analysis.error_db(source, restored, mask)) for mask in (None, loud, ~loud)]
    errors = [error if math.isnan(error) else max(error, EXACT) for error in errors]
    boundaries = downsampled.alignment.boundaries()[0].cpu().numpy() + scope[0]
    stride = settings.stride if both_axes else nearest_stride(method, settings.stride)
    return Column(
        method,
        settings,
        False,
        both_axes,
        stride,
        settings.sigma if "sigma" in METHODS[method].parameters else None,
        output=downsampled.values[0].cpu().numpy(),
        alignment=downsampled.alignment,
        edges=np.interp(boundaries, np.arange(features.frames + 1), features.edges),
        reconstruction=restored[0].numpy(),
        error=(restored - source)[0].abs().numpy() * features.scale,
        scope=scope,
        notes=(),
        numbers=Numbers(int(downsampled.lengths[0]), *errors, milliseconds),
    )


def _timed(layer: Downsampler, x: Tensor) -> tuple[Downsampled, float]:
    """Runs a layer and returns its result and the milliseconds it took, after a GPU has finished its work."""
    wait = torch.cuda.synchronize if x.is_cuda else lambda: None
    wait()
    began = time.perf_counter()
    downsampled = layer(x)
    wait()
    return downsampled, (time.perf_counter() - began) * 1e3


def _notes(features: Features, column: Column, time_alone: bool, final: bool) -> tuple[str, ...]:
    """Short texts that belong beside a column's label.

    time_alone: whether both axes were asked for and the method works along time only. final: whether the method will not be run on
    more of the clip than it has been.
    """
    notes = []
    if column.stride != column.settings.stride:
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
    """The column's numbers with those that need many runs, taken over its scope or, of a long clip, over the window around the view."""
    scope = _window(features, view) if column.scope == (0, features.frames) else column.scope
    layer, x = _bound(features, column.method, column.settings, column.both_axes, scope, device)
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
    """The most bytes that a run holds at once beyond its input, on the device of the input.

    All tensors count, those inside of operations, too. On the CPU the peak of NumPy's arrays is added, because an alignment works
    its weights out in them.
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
    held = peak = 0
    for event in profiled.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            peak = max(peak, held)
    return peak + arrays


def to_csv(comparison: Comparison) -> str:
    """Writes a CSV with a row for each method: what it ran with, then its `Numbers`. The column names have the units.

    A number that is not finite or has not been worked out is left empty. Lines end with a line feed.
    """
    rows: list[list[object]] = [
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
    ]
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
        rows.append(
            [
                column.method,
                int(column.pinned),
                f"{column.settings.stride:g}",
                f"{column.stride:g}",
                "" if column.sigma is None else f"{column.sigma:.6g}",
                column.settings.scores if takes_scores(column.method) else "",
                2 if column.both_axes else 1,
                column.scope[1] - column.scope[0],
                numbers.frames,
                *("" if number is None or not math.isfinite(number) else f"{number:.6g}" for number in measured),
                comparison.device_name,
                "; ".join(column.notes),
            ]
        )
    return csv_text(rows)
