"""What if σ were larger, or the stride? The settings of a sweep, a sweep under way, and one clip run at every value of a range.

A sweep is a generator: results come as they are worked out, and whoever stops asking for them stops the work. A σ⁻² is set in
every layer that has a σ. A stride is the network's overall one, which is spread over its layers. The layers below the first one
that a value changes are computed once, because every `Trace` resumes from the one before it. `scores` sweeps many labelled
clips, and `answers` says in sentences what came of it.
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
from adastride.downsampling import METHODS, Downsampler, LayerSettings
from adastride.inspection import analysis, raster
from adastride.inspection.tracing import Trace, as_trained, resolve_settings, trace
from adastride.models.network import Network
from adastride.ranges import SIGMA_INV2_RANGE
from adastride.sweep.readings import Reading, reader, reads_texts
from adastride.tables import csv_text
from adastride.tasks import Prediction
from adastride.text import TextError

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
    """Returns `count` values of σ⁻² from `low` to `high`, ends included, each a constant factor above the one before.

    Raises SweepError for a range outside of `SIGMA_INV2_RANGE`, one without length, or a count that is not from 2 to `MOST_VALUES`.

    >>> sigma_values(0.1, 10, 3)
    (0.1, 1.0, 10.0)
    """
    _check_range(SIGMA, low, high, count, *SIGMA_INV2_RANGE)
    return _from_to(low, high, np.geomspace(low, high, count))


def stride_values(low: float, high: float, count: int) -> tuple[float, ...]:
    """Returns `count` overall strides from `low` to `high`, ends included, evenly spaced.

    Raises SweepError for a range outside of `STRIDE_LIMITS`, one without length, or a count that is not from 2 to `MOST_VALUES`.

    >>> stride_values(1, 8, 3)
    (1.0, 4.5, 8.0)
    """
    _check_range(STRIDE, low, high, count, *STRIDE_LIMITS)
    return _from_to(low, high, np.linspace(low, high, count))


def _from_to(low: float, high: float, values: np.ndarray) -> tuple[float, ...]:
    """The values as floats: the two ends exactly as given, those between them rounded to six digits that a person can copy."""
    return (float(low), *(float(f"{value:.6g}") for value in values[1:-1]), float(high))


def _check_range(quantity: str, low: float, high: float, count: int, lowest: float, highest: float) -> None:
    """Raises SweepError, one sentence about the `quantity`, unless low to high is a range inside of lowest to highest."""
    if not (math.isfinite(low) and math.isfinite(high) and lowest <= min(low, high) and max(low, high) <= highest):
        raise SweepError(f"the range of the {quantity} must lie between {lowest:g} and {highest:g}, not reach from {low:g} to {high:g}.")
    if low > high:
        raise SweepError(f"the range of the {quantity} is upside down: give {high:g} first, then {low:g}.")
    if low == high:
        raise SweepError(f"the range of the {quantity} from {low:g} to {high:g} has no length: choose a higher end.")
    if not (float(count).is_integer() and 2 <= count <= MOST_VALUES):
        raise SweepError(f"choose from 2 to {MOST_VALUES} values of the {quantity}, not {count:g}.")


@dataclass(frozen=True)
class Setting:
    """One point of a sweep: the σ⁻² of every layer that has a σ, and the overall stride. None leaves a layer as it was trained."""

    sigma_inv2: float | None = None
    stride: float | None = None


def points(sigmas: Sequence[float] = (), strides: Sequence[float] = ()) -> list[Setting]:
    """Returns the points of a sweep over σ⁻², over strides or, where both are given, over every pair of the two.

    Raises SweepError for more pairs than `MOST_POINTS`.

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
    """The different values of σ⁻² that the layers were trained with, in rising order; () where no layer has a σ."""
    return tuple(sorted({float(f"{layer.sigma**-2:.3g}") for layer in as_trained(model) if layer.sigma is not None}))


def overall_stride(settings: Sequence[LayerSettings]) -> float:
    """The product of the layers' strides: input frames of the lowest layer per output frame of the uppermost."""
    return math.prod(layer.stride for layer in settings)


def spread_stride(model: Network, overall: float) -> tuple[float, ...]:
    """Spreads an overall stride evenly: returns a stride for each layer, lowest first, whose product is the overall one.

    Where layers can only do whole strides, their product comes as near to the overall one as whole strides next to even ones do.
    """
    return min(_spreads(model.downsamplers, float(overall)), key=lambda strides: (abs(math.log(math.prod(strides) / overall)), max(strides)))


def _spreads(layers: Sequence[Downsampler], overall: float) -> Iterator[tuple[float, ...]]:
    """Ways to spread a stride over layers: each takes an even share of what is left, or the whole strides around it."""
    if not layers:
        yield ()
        return
    even = overall ** (1 / len(layers))
    nearest_stride = layers[0].nearest_stride
    shares = (even,) if nearest_stride(even) == even else (math.floor(even), math.ceil(even))
    for stride in sorted({float(nearest_stride(max(1.0, share))) for share in shares}):
        for above in _spreads(layers[1:], max(1.0, overall / stride)):
            yield stride, *above


def nothing_to_sweep(name: str) -> str:
    """What a person reads about a network without downsampling layers."""
    return f"{name} has no layer whose σ or stride could be swept: choose one with a layer in front, such as AdaStride + ElasticAST (elastic-adastride)."


def layer_settings(model: Network, setting: Setting) -> tuple[LayerSettings, ...]:
    """The settings that every layer runs with at a point of a sweep.

    Raises SweepError for a network without layers, and for a σ where no layer has one.
    """
    if not model.downsamplers:
        raise SweepError(nothing_to_sweep(model.name))
    if setting.sigma_inv2 is not None and not has_sigma(model):
        names = " and ".join(dict.fromkeys(METHODS[method].label for method in model.config.methods))
        raise SweepError(f"{model.name} has no σ to sweep ({names} has none): sweep its stride instead.")
    sigma = None if setting.sigma_inv2 is None else setting.sigma_inv2**-0.5
    strides = [None] * len(model.downsamplers) if setting.stride is None else spread_stride(model, setting.stride)
    return resolve_settings(model, [LayerSettings(sigma, stride) for stride in strides])


def link_parameters(settings: Sequence[LayerSettings]) -> dict[str, str]:
    """Writes settings as the query parameters of a link to the Explore page: sigma (output frames) and stride of each layer, lowest first.

    >>> link_parameters([LayerSettings(0.5, 2.0), LayerSettings(None, 3.0)])
    {'sigma': '0.5,', 'stride': '2,3'}
    """
    sigmas = ["" if layer.sigma is None else f"{layer.sigma:.5g}" for layer in settings]
    strides = {"stride": ",".join(f"{layer.stride:.5g}" for layer in settings)}
    return {"sigma": ",".join(sigmas), **strides} if any(sigmas) else strides


def rounded(value: float) -> str:
    """Writes a number with two significant digits and without an exponent.

    >>> rounded(0.0686), rounded(100.0), rounded(14.2)
    ('0.069', '100', '14')
    """
    return f"{float(f'{value:.2g}'):g}"


def swept(setting: Setting, stride: float) -> float:
    """Where a point lies on the axis of its sweep: at its σ⁻² or, where σ is as trained, at the overall stride it ran with."""
    return stride if setting.sigma_inv2 is None else setting.sigma_inv2


def nearest(values: Sequence[float], target: float) -> int:
    """The index of the value closest to the target, measured by their quotient. All of them lie above 0."""
    return min(range(len(values)), key=lambda index: abs(math.log(values[index] / target)))


class Run:
    """A sweep under way, which is worked at only while somebody calls `advance`.

    key: identifies what is swept, so that one run can be told from another. results: what has come so far, all of it or only the
    last `keep` results. active: whether there is more to come.
    Threads may share a run: when somebody changes a page, it begins anew before its last thread has heard of the change.
    """

    def __init__(self, key: object, pending: Iterator, keep: int | None = None):
        self.key, self.results, self.active = key, deque(maxlen=keep), True
        self._pending, self._working = pending, threading.Lock()

    def advance(self, seconds: float) -> None:
        """Works for so many seconds, but at least until the next result, and no longer than until the run is stopped.

        An error ends the run and is raised.
        """
        until = time.perf_counter() + seconds
        with self._working:
            try:
                while self.active:
                    self.results.append(next(self._pending))
                    if time.perf_counter() >= until:
                        return
            except StopIteration:
                self.active = False
            except BaseException:
                self.active = False
                raise

    def stop(self) -> None:
        """Ends the run and keeps its results. Waits for the result that is being worked out."""
        self.active = False
        with self._working:
            self._pending.close()


# ------------------------------------------------------------------ one clip


@dataclass(frozen=True)
class LayerNumbers:
    """What was measured of one layer at one point of a sweep; NaN where a number has no meaning.

    `MEASURES` names each number and its unit. effective_frames: e to the power of the mean entropy of the alignment's rows. lost:
    mean squared error of the output brought back to input time, in percent of the input's variance. aliased, moved: see
    `analysis.aliased_energy` and `analysis.shift_change`.
    """

    entropy: float
    effective_frames: float
    position_loss: float
    lost: float
    aliased: float
    moved: float


@dataclass(frozen=True)
class Column:
    """What came of a clip at one point of a sweep.

    stride: the overall stride it ran with. work: see `Network.work_share`. milliseconds: what this run took, without the layers
    that it shares with the run before. layers, pictures: one for each layer, lowest first, or () where only the prediction was
    asked for. A picture is a (rows, columns) uint8 array of the alignment, output frame 0 first, whose columns are equal times of
    the clip; 255 stands for the largest weight of an output frame. reading: of a recogniser, what it reads and how wrong that is;
    None for any other network.
    """

    setting: Setting
    stride: float
    work: float
    milliseconds: float
    prediction: Prediction
    layers: tuple[LayerNumbers, ...] = ()
    pictures: tuple[np.ndarray, ...] = ()
    reading: Reading | None = None

    @property
    def top(self) -> str:
        """The prediction in a word or two, the most probable label for instance."""
        return self.prediction.top

    def value(self, label: str) -> float:
        """The number that the prediction gives a label, such as its probability; NaN where it gives none."""
        return self.prediction.values.get(label, math.nan)


def sweep_clip(model: Network, waveform: Waveform, settings: Sequence[Setting], details: bool = True, said: str = "") -> Iterator[Column]:
    """Runs a clip at every point, in their order, and yields a `Column` for each.

    details: whether to measure the layers and draw their alignments as well, which takes three times as long. said: of a clip for a
    recogniser, what its readings are compared with; "" stands for its reading as trained. Raises SweepError, before anything is run,
    for a σ where no layer has one and for a text that the network can't write.
    """
    resolved, compares = [layer_settings(model, setting) for setting in settings], reads_texts(model)
    try:
        read = reader(model, said) if compares and said else None
    except TextError as error:
        raise SweepError(str(error)) from None

    def columns() -> Iterator[Column]:
        clip_trace: Trace | None = None
        read_here = read
        if compares and read_here is None:
            clip_trace = trace(model, waveform)
            read_here = reader(model, clip_trace)
        for setting, layers in zip(settings, resolved, strict=True):
            clip_trace = trace(model, waveform, layers, clip_trace)
            frames = [clip_trace.mel.shape[1], *(layer.output_frames for layer in clip_trace.layers)]
            indices = range(len(clip_trace.layers)) if details else ()
            yield Column(
                setting, overall_stride(layers), model.work_share(frames), clip_trace.milliseconds, clip_trace.prediction,
                tuple(_numbers(model, clip_trace, index) for index in indices), tuple(_picture(clip_trace, index) for index in indices),
                None if read_here is None else read_here(clip_trace),
            )

    return columns()


@torch.inference_mode()
def _numbers(model: Network, clip_trace: Trace, index: int) -> LayerNumbers:
    layer, downsampler, x = clip_trace.layers[index], model.downsamplers[index], clip_trace.layer_input(index)
    values = downsampler(x, settings=layer.settings).values
    error = analysis.error_db(x, analysis.reconstruct(values, layer.alignment, x.shape[2]))
    return LayerNumbers(
        entropy=layer.entropy,
        effective_frames=math.exp(layer.entropy),
        position_loss=layer.position_loss,
        lost=100 * 10 ** (float(error) / 10),
        aliased=float(analysis.aliased_energy(downsampler, x, settings=layer.settings)),
        moved=float(analysis.shift_change(downsampler, x, (1,), layer.settings).worst),
    )


def _picture(clip_trace: Trace, index: int) -> np.ndarray:
    edges, seconds = raster.input_edges(clip_trace, index), clip_trace.waveform.seconds
    weights = raster.rasterise(clip_trace.layers[index], edges, seconds, _PICTURE_COLUMNS, _PICTURE_ROWS)
    return np.round(255 * weights).astype(np.uint8)


def clip_csv(columns: Iterable[Column]) -> str:
    """Writes a CSV with a line for each point and layer: sigma_inv2, stride, top, probability, work, layer, then `MEASURES`.

    sigma_inv2 is empty where σ is as trained; layer and its numbers are empty where only the prediction was asked for. Of a recogniser,
    columns text, reference, errors, units, error_rate, output_frames and frames_needed stand in the place of top and probability, see
    `Reading`; of a codec, answer and its error. Lines end with a line feed.
    """
    columns = list(columns)
    readings = [column.reading for column in columns if column.reading is not None]
    followed = columns[0].prediction.followed if columns else None
    answer = ["top", "probability"] if followed is None else ["answer", followed.label]
    if readings:
        answer = ["text", "reference", "errors", "units", "error_rate", "output_frames", "frames_needed"]
    rows: list[list[object]] = [["sigma_inv2", "stride", *answer, "work", "layer", *MEASURES]]
    for column in columns:
        begin = [cell(column.setting.sigma_inv2), cell(column.stride), *_answer_cells(column), cell(column.work)]
        for number, layer in enumerate(column.layers, 1):
            rows.append([*begin, number, *map(cell, asdict(layer).values())])
        if not column.layers:
            rows.append([*begin, "", *[""] * len(MEASURES)])
    return csv_text(rows)


def _answer_cells(column: Column) -> list[object]:
    """What a point's answer was, for `clip_csv`."""
    reading = column.reading
    if reading is None:
        followed = column.prediction.followed
        return [column.top, cell(column.value(column.top if followed is None else followed.label))]
    return [reading.text, reading.reference.text, reading.errors, reading.units, cell(reading.rate), reading.frames, reading.needed]


def cell(value: float | None) -> str:
    """Writes a number for a CSV file with six significant digits; None and NaN become an empty text."""
    return "" if value is None or math.isnan(value) else f"{value:.6g}"
