"""Downsamplers side by side: the same features through several methods, back to input time, and what was lost.

`Features` are what is downsampled: the log-mel of a clip, or what a trained network sees before one of its
downsampling layers. `compare` runs two to four methods on it. A method that places frames gets its positions from one
sequence of scores that all of them share (`choose_scores`), so that they differ in nothing but the method.

Everything is bounded. Up to `WHOLE_FRAMES` input frames a method sees the whole clip; of a longer one, a method that
isn't linear in time, and every number that needs many runs, sees `WINDOW_FRAMES` frames around the window in view, and
its column says so. Methods and the numbers that need many runs are computed on the device the caller names; results lie on the CPU.
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
    return csv_text(rows)
