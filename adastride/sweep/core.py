"""What if σ were larger, or the stride? The settings of a sweep, a sweep under way, and one clip run at every value of a range.

A sweep is a generator: results come as they are worked out, and whoever stops asking has stopped the work. σ⁻² is set in every
layer that has a σ. A stride is the network's overall one, spread over its layers. What lies below the first layer a value
changes is computed once: a `Trace` resumes from the one before it. `scores` sweeps many labelled clips, and `answers` says in
sentences what came of it.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch

from adastride.audio import Waveform
from adastride.downsampling import METHODS, LayerSettings
from adastride.inspection import analysis, raster
from adastride.inspection.tracing import Trace, as_trained, resolve_settings, trace
from adastride.models.network import Network
from adastride.ranges import SIGMA_INV2_RANGE
from adastride.tables import csv_text
from adastride.tasks import Prediction

STRIDE_LIMITS = (1.0, 512.0)
MOST_VALUES = 200
MOST_POINTS = 2000  # of a two-way map
SIGMA, STRIDE = "σ⁻²", "overall stride"
MEASURES = {
    "entropy": "Row entropy (nats)",
    "effective_frames": "Input frames an output frame averages",
    "position_loss": "Position loss (output frames)",
    "lost": "Input energy no longer told apart (%)",
    "aliased": "Aliased energy (% of the output)",
    "moved": "Output change when the input moves a frame (%)",
}

_PICTURE_COLUMNS, _PICTURE_ROWS = 48, 48  # about the pixels a column of a strip has on a screen: of a finer picture lines fade


class SweepError(ValueError):
    """A sweep that can't be done; the message is one sentence that says what to do."""


# ------------------------------------------------------------------ values and settings


def sigma_values(low: float, high: float, count: int) -> tuple[float, ...]:
    """σ⁻² from low to high, both of them in it, each a constant factor above the one before. SweepError for a range that is none.

    >>> sigma_values(0.1, 10, 3)
    (0.1, 1.0, 10.0)
    """
    _check_range(SIGMA, low, high, count, *SIGMA_INV2_RANGE)
    return _from_to(low, high, np.geomspace(low, high, count))


def stride_values(low: float, high: float, count: int) -> tuple[float, ...]:
    """Overall strides from low to high, both of them in it, evenly spaced. SweepError for a range that is none.

    >>> stride_values(1, 8, 3)
    (1.0, 4.5, 8.0)
    """
    _check_range(STRIDE, low, high, count, *STRIDE_LIMITS)
    return _from_to(low, high, np.linspace(low, high, count))


def _from_to(low: float, high: float, values: np.ndarray) -> tuple[float, ...]:
    """The values as floats, rounded to what a person can copy, the ends exactly."""
    return (float(low), *(float(f"{value:.6g}") for value in values[1:-1]), float(high))


def _check_range(what: str, low: float, high: float, count: int, least: float, most: float) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and least <= min(low, high) and max(low, high) <= most):
        raise SweepError(f"the range of the {what} must lie between {least:g} and {most:g}, not reach from {low:g} to {high:g}.")
    if low > high:
        raise SweepError(f"the range of the {what} is upside down: give {high:g} first, then {low:g}.")
    if low == high:
        raise SweepError(f"the range of the {what} from {low:g} to {high:g} has no length: choose a higher end.")
    if not (float(count).is_integer() and 2 <= count <= MOST_VALUES):
        raise SweepError(f"choose from 2 to {MOST_VALUES} values of the {what}, not {count:g}.")


@dataclass(frozen=True)
class Setting:
    """One point of a sweep: σ⁻² of every layer that has a σ, and the overall stride. None is as trained."""

    sigma_inv2: float | None = None
    stride: float | None = None


def points(sigmas: Sequence[float] = (), strides: Sequence[float] = ()) -> list[Setting]:
    """A sweep of one of them, or of every pair of both. SweepError for more pairs than `MOST_POINTS`.

    >>> points((0.5, 5.0))
    [Setting(sigma_inv2=0.5, stride=None), Setting(sigma_inv2=5.0, stride=None)]
    """
    if len(sigmas) * len(strides) > MOST_POINTS:
        raise SweepError(f"{len(sigmas)} × {len(strides)} points are more than the {MOST_POINTS} of a map: choose fewer values.")
    return [Setting(sigma, stride) for stride in (strides or (None,)) for sigma in (sigmas or (None,))]


def has_sigma(model: Network) -> bool:
    """Whether any layer of the network has a σ to sweep."""
    return any("sigma" in METHODS[method].parameters for method in model.config.methods)


def trained_sigmas(model: Network) -> tuple[float, ...]:
    """σ⁻² of the layers that have one, each value once, rising; () without such a layer."""
    return tuple(sorted({float(f"{each.sigma**-2:.3g}") for each in as_trained(model) if each.sigma is not None}))


def overall_stride(settings: Sequence[LayerSettings]) -> float:
    """Input frames of the lowest layer per output frame of the uppermost."""
    return math.prod(each.stride for each in settings)


def spread_stride(model: Network, overall: float) -> tuple[float, ...]:
    """An overall stride as a stride for each layer, lowest first: the same root for all.

    Where a layer can only do whole strides it takes the nearest, and the layers above make up for what is missing.
    """
    left, strides = float(overall), []
    for place, layer in enumerate(model.downsamplers):
        strides.append(float(layer.nearest_stride(left ** (1 / (len(model.downsamplers) - place)))))
        left = max(1.0, left / strides[-1])
    return tuple(strides)


def layer_settings(model: Network, setting: Setting) -> tuple[LayerSettings, ...]:
    """What every layer runs with at a point of a sweep. SweepError for a σ where no layer has one."""
    if setting.sigma_inv2 is not None and not has_sigma(model):
        names = " and ".join(dict.fromkeys(METHODS[method].label for method in model.config.methods))
        raise SweepError(f"{model.name} has no σ to sweep ({names} has none): sweep its stride instead.")
    sigma = None if setting.sigma_inv2 is None else setting.sigma_inv2**-0.5
    strides = [None] * len(model.downsamplers) if setting.stride is None else spread_stride(model, setting.stride)
    return resolve_settings(model, [LayerSettings(sigma, stride) for stride in strides])


def link_parameters(settings: Sequence[LayerSettings]) -> dict[str, str]:
    """The settings as a link to the Explore page has them: sigma (output frames) and stride, of each layer, the lowest first.

    >>> link_parameters([LayerSettings(0.5, 2.0), LayerSettings(None, 3.0)])
    {'sigma': '0.5,', 'stride': '2,3'}
    """
    sigmas = ["" if each.sigma is None else f"{each.sigma:.5g}" for each in settings]
    strides = {"stride": ",".join(f"{each.stride:.5g}" for each in settings)}
    return {"sigma": ",".join(sigmas), **strides} if any(sigmas) else strides


def rounded(value: float) -> str:
    """A number in two digits, without an exponent.

    >>> rounded(0.0686), rounded(100.0), rounded(14.2)
    ('0.069', '100', '14')
    """
    return f"{float(f'{value:.2g}'):g}"


def swept(setting: Setting, stride: float) -> float:
    """Where a point lies on the axis of its sweep: its σ⁻², or the overall stride it ran with where σ is as trained."""
    return stride if setting.sigma_inv2 is None else setting.sigma_inv2


def nearest(values: Sequence[float], wanted: float) -> int:
    """Index of the value closest to the wanted one, by their quotient."""
    return min(range(len(values)), key=lambda index: abs(math.log(values[index] / wanted)))


class Run:
    """A sweep under way, worked at only while somebody calls `advance`.

    key: what is swept, to tell one run from another. found: what came so far, all of it or the last `keep`. active: there is more to come.
    Threads may share it: a page that somebody changes begins anew before its last thread has heard of it.
    """

    def __init__(self, key: object, results: Iterator, keep: int | None = None):
        self.key, self.found, self.active = key, deque(maxlen=keep), True
        self._results, self._working = results, threading.Lock()

    def advance(self, seconds: float) -> None:
        """Works for so long, at least until the next result, at most until it is stopped. What goes wrong ends the run and is raised."""
        until = time.perf_counter() + seconds
        with self._working:
            try:
                while self.active:
                    self.found.append(next(self._results))
                    if time.perf_counter() >= until:
                        return
            except StopIteration:
                self.active = False
            except BaseException:
                self.active = False
                raise

    def stop(self) -> None:
        """Nothing more is worked out; what was found stays. Waits for the result that is being worked out."""
        self.active = False
        with self._working:
            self._results.close()


# ------------------------------------------------------------------ one clip


@dataclass(frozen=True)
class LayerNumbers:
    """One layer at one point: `MEASURES` says what each number is and its unit. NaN where a number has no meaning.

    effective_frames: e to the mean entropy of the alignment's rows. lost: mean squared error of the input brought back to its own
    time, over the input's variance. aliased, moved: as `analysis.aliased_energy` and `analysis.shift_change` have them.
    """

    entropy: float
    effective_frames: float
    position_loss: float
    lost: float
    aliased: float
    moved: float


@dataclass(frozen=True)
class Column:
    """A clip at one point of a sweep.

    stride: the overall one it ran with. work: see `Network.work_share`. milliseconds: the run alone, without what the one before it shared.
    layers, pictures: one for each layer, lowest first, or () where only the prediction was asked for; a picture is (rows, columns)
    uint8, 255 for the largest weight of an output frame, output frame 0 first, columns equal times of the clip.
    """

    setting: Setting
    stride: float
    work: float
    milliseconds: float
    prediction: Prediction
    layers: tuple[LayerNumbers, ...] = ()
    pictures: tuple[np.ndarray, ...] = ()

    @property
    def top(self) -> str:
        """The prediction in a word or two, the most probable label for instance."""
        return self.prediction.top

    def value(self, label: str) -> float:
        """The number of a label, its probability for instance; NaN where the prediction has none."""
        return self.prediction.values.get(label, math.nan)


def sweep_clip(model: Network, waveform: Waveform, settings: Sequence[Setting], details: bool = True) -> Iterator[Column]:
    """Runs a clip at every point, in their order, and yields a `Column` for each.

    details: also measures the layers and draws their alignments, which takes three times as long. SweepError for a σ where no layer
    has one, before anything is run.
    """
    chosen = [layer_settings(model, setting) for setting in settings]

    def columns() -> Iterator[Column]:
        seen: Trace | None = None
        for setting, layers in zip(settings, chosen, strict=True):
            seen = trace(model, waveform, layers, seen)
            frames = [seen.mel.shape[1], *(layer.output_frames for layer in seen.layers)]
            places = range(len(seen.layers)) if details else ()
            yield Column(
                setting, overall_stride(layers), model.work_share(frames), seen.milliseconds, seen.prediction,
                tuple(_numbers(model, seen, place) for place in places), tuple(_picture(seen, place) for place in places),
            )

    return columns()


@torch.inference_mode()
def _numbers(model: Network, seen: Trace, place: int) -> LayerNumbers:
    layer, down, x = seen.layers[place], model.downsamplers[place], seen.layer_input(place)
    values = down(x, settings=layer.settings).values
    error = analysis.error_db(x, analysis.reconstruct(values, layer.alignment, x.shape[2]))
    return LayerNumbers(
        entropy=layer.entropy,
        effective_frames=math.exp(layer.entropy),
        position_loss=layer.position_loss,
        lost=100 * 10 ** (float(error) / 10),
        aliased=float(analysis.aliased_energy(down, x, settings=layer.settings)),
        moved=float(analysis.shift_change(down, x, (1,), layer.settings).worst),
    )


def _picture(seen: Trace, place: int) -> np.ndarray:
    weights = raster.rasterise(seen.layers[place], raster.input_edges(seen, place), seen.waveform.seconds, _PICTURE_COLUMNS, _PICTURE_ROWS)
    return np.round(255 * weights).astype(np.uint8)


def clip_csv(columns: Iterable[Column]) -> str:
    """A line for each point and layer: sigma_inv2 (empty: as trained), stride, top, probability, work, layer and its numbers.

    layer is empty, and its numbers with it, where only the prediction was asked for. Lines end with a line feed.
    """
    rows: list[list[object]] = [["sigma_inv2", "stride", "top", "probability", "work", "layer", *MEASURES]]
    for column in columns:
        begin = [cell(column.setting.sigma_inv2), cell(column.stride), column.top, cell(column.value(column.top)), cell(column.work)]
        for number, layer in enumerate(column.layers, 1):
            rows.append([*begin, number, *map(cell, asdict(layer).values())])
        if not column.layers:
            rows.append([*begin, "", *[""] * len(MEASURES)])
    return csv_text(rows)


def cell(value: float | None) -> str:
    """A number in six digits as a CSV file has it; empty for None and NaN."""
    return "" if value is None or math.isnan(value) else f"{value:.6g}"
