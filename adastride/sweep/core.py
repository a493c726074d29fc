"""What if σ were larger, or the stride? One clip, or many labelled ones, run at every value of a range.

A sweep is a generator: results come as they are worked out, and whoever stops asking has stopped the work. σ⁻² is set in every
layer that has a σ. A stride is the network's overall one, spread over its layers. What lies below the first layer a value
changes is computed once: a `Trace` resumes from the one before it, a batch of clips from its run as trained.
"""

from __future__ import annotations

import csv
import io
import math
import random
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch

from adastride.audio import Waveform
from adastride.clips import Clip
from adastride.downsampling import METHODS, LayerSettings
from adastride.inspection import analysis, raster
from adastride.inspection.tracing import Trace, as_trained, resolve_settings, trace
from adastride.intervals import normal, wilson
from adastride.models.network import Network
from adastride.ranges import SIGMA_INV2_RANGE
from adastride.tasks import Metric, Prediction, task_of
from adastride.tasks.classification import Classification

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
_BATCH = 32
_AT_WORK = 64  # batches that workers have been given and not answered yet
Sums = tuple[np.ndarray, np.ndarray]


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
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["sigma_inv2", "stride", "top", "probability", "work", "layer", *MEASURES])
    for column in columns:
        begin = [_cell(column.setting.sigma_inv2), _cell(column.stride), column.top, _cell(column.value(column.top)), _cell(column.work)]
        for number, layer in enumerate(column.layers, 1):
            writer.writerow([*begin, number, *map(_cell, asdict(layer).values())])
        if not column.layers:
            writer.writerow([*begin, "", *[""] * len(MEASURES)])
    return text.getvalue()


def _cell(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.6g}"


# ------------------------------------------------------------------ many labelled clips


@dataclass(frozen=True)
class Score:
    """A checkpoint at one point, on the clips looked at so far.

    stride: the overall one it ran with. metric: its task's headline. total, squares: sums over the clips of the metric and of
    its square. work: see `Network.work_share`.
    """

    checkpoint: str
    setting: Setting
    stride: float
    metric: Metric
    total: float
    squares: float
    clips: int
    work: float

    @property
    def value(self) -> float:
        """The metric, a mean over clips; an accuracy lies between 0 and 1."""
        return self.total / self.clips

    @property
    def merit(self) -> float:
        """Larger for a better value."""
        return self.value if self.metric.higher_is_better else -self.value

    @property
    def bounds(self) -> tuple[float, float]:
        """A 95 % interval of the value: Wilson's for a share of clips, else of the normal distribution about the mean."""
        if self.metric.proportion:
            return wilson(self.value, self.clips)
        return normal(self.value, math.sqrt(max(self.squares / self.clips - self.value**2, 0.0)), self.clips)

    @property
    def text(self) -> str:
        """The value as a person reads it."""
        return self.metric.text(self.value)

    def on_clips(self) -> str:
        """The value, and on how many clips: "91.1 % of 180 clips right"."""
        if self.metric.proportion:
            return f"{self.text} of {self.clips} clips right"
        return f"{self.text} on {self.clips} clips"

    def keeps_up_with(self, best: Score) -> bool:
        """Whether its interval reaches that of the best one."""
        return self.bounds[1] >= best.bounds[0] and self.bounds[0] <= best.bounds[1]


@dataclass(frozen=True)
class Progress:
    """scores: every checkpoint begun, at every point. share: of the work that is done, from 0 to 1."""

    scores: tuple[Score, ...]
    share: float


Spread = Callable[[Iterable[tuple]], Iterator[Sums]]


def _here(tasks: Iterable[tuple]) -> Iterator[Sums]:
    return (measure_batch(*task) for task in tasks)


def sweep_clips(
    models: Sequence[Network], clips: Sequence[Clip], settings: Sequence[Setting], spread: Spread = _here, names: Sequence[str] | None = None,
) -> Iterator[Progress]:
    """Runs labelled clips through networks at every point; yields what is known after each batch, the last time all of it.

    Batches are of clips of about equal length, and come in an order of their own, so that what is known early stands for clips of
    every length. spread: what runs the batches, this process or `on_ray`; results are the same. names: what scores call the networks,
    their own names where None. SweepError or DataError, before
    anything is run, for no clips, two networks of one name, a label that a network does not know, or a σ where none is.
    """
    if not clips:
        raise SweepError("there are no clips to sweep: choose a folder or split that has some.")
    names = [model.name for model in models] if names is None else names
    if len(set(names)) < len(models):
        raise SweepError("two of these checkpoints have the same name: rename one of the files.")
    targets = [task_of(model).targets(model, clips) for model in models]
    chosen = [[layer_settings(model, setting) for setting in settings] for model in models]
    order = sorted(range(len(clips)), key=lambda index: clips[index].samples.size)
    batches = [order[begin : begin + _BATCH] for begin in range(0, len(order), _BATCH)]
    random.Random(0).shuffle(batches)

    def tasks() -> Iterator[tuple]:
        for batch in batches:
            for model, wanted, layers in zip(models, targets, chosen, strict=True):
                yield model, [clips[index].samples for index in batch], [wanted[index] for index in batch], layers

    def results() -> Iterator[Progress]:
        sums = [np.zeros((len(settings), 2)) for _ in models]
        frames = [np.zeros((len(settings), 1 + len(model.downsamplers)), int) for model in models]
        done = [0] * len(models)
        plan = [(place, len(batch)) for batch in batches for place in range(len(models))]
        for (place, size), (added, passed) in zip(plan, spread(tasks()), strict=True):
            sums[place] += added
            frames[place] += passed
            done[place] += size
            scores = tuple(
                Score(names[each], setting, overall_stride(layers), task_of(models[each]).headline, *map(float, sums[each][number]), done[each],
                      models[each].work_share(frames[each][number]))
                for each in range(len(models)) if done[each]
                for number, (setting, layers) in enumerate(zip(settings, chosen[each], strict=True))
            )
            yield Progress(scores, sum(done) / (len(models) * len(clips)))

    return results()


@torch.inference_mode()
def measure_batch(model: Network, sounds: Sequence[np.ndarray], targets: Sequence[object], settings: Sequence[Sequence[LayerSettings]]) -> Sums:
    """One batch at every point: sums over clips of the headline metric and of its square, (points, 2), and of the frames in and
    after each layer, (points, 1 + layers).

    sounds: waveforms (n,); targets: what is right, see `Task.targets`. Each point resumes the run as trained below the first layer
    it changes; a point that repeats the one before it, as whole strides do, is not run again.
    """
    task, trained = task_of(model), as_trained(model)
    batch = task.batch(model, sounds, targets)
    total, batch = int(batch.lengths.sum()), batch.to(model.device)
    first = model(batch.signal, batch.lengths, trained)
    usual = [int(down.lengths.sum()) for down in first.downsampled]
    sums, frames = [], []
    for number, layers in enumerate(settings):
        if number and layers == settings[number - 1]:
            sums.append(sums[-1])
            frames.append(frames[-1])
            continue
        changed = [mine != theirs for mine, theirs in zip(layers, trained, strict=True)]
        output, shared = first, 0
        if any(changed):
            shared = changed.index(True)
            output = model(torch.empty(0), settings=layers, resumes=first.resumes[: shared + 1])
        values = task.measure(output, batch)[task.headline.name].cpu()
        sums.append((float(values.sum()), float(values.square().sum())))
        frames.append([total, *usual[:shared], *(int(down.lengths.sum()) for down in output.downsampled)])
    return np.array(sums), np.array(frames)


def on_ray(address: str) -> Spread:
    """What runs batches on the workers of a Ray cluster; for `sweep_clips`. Workers need this package and Ray.

    address: the cluster's, or "local" for processes of this machine. Ray is imported and connected to now: SweepError where it is not
    installed or does not answer. It is left when the sweep ends or is dropped.
    """
    try:
        import ray
    except ImportError:
        raise SweepError("Ray is not installed here: run `pip install ray`, or leave --ray out to use this machine alone.") from None
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        if port.isdecimal():  # Ray itself looks for a cluster that is not there for minutes
            socket.create_connection((host, int(port)), timeout=5).close()
        ray.init(address=address)
    except (OSError, OverflowError, RuntimeError, ValueError) as error:
        raise SweepError(f"Ray does not answer at {address!r} ({' '.join(str(error).split())[:120]}): check the address.") from None
    measure = ray.remote(measure_batch)

    def spread(tasks: Iterable[tuple]) -> Iterator[Sums]:
        models, waiting = {}, deque()
        try:
            for model, *rest in tasks:
                if id(model) not in models:
                    models[id(model)] = ray.put(model)
                if len(waiting) == _AT_WORK:
                    yield ray.get(waiting.popleft())
                waiting.append(measure.remote(models[id(model)], *rest))
            while waiting:
                yield ray.get(waiting.popleft())
        finally:
            ray.shutdown()

    return spread


def scores_csv(scores: Iterable[Score]) -> str:
    """A line for each score: checkpoint, sigma_inv2 (empty: as trained), stride, clips, right, accuracy, low, high, work.

    low, high: the 95 % interval. stride: the overall one it ran with. Of a metric that is no share of clips the column has its
    name, and there is none of clips that are right. Lines end with a line feed. All scores are of one metric.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    scores = list(scores)
    metric = scores[0].metric if scores else Classification.metrics[0]
    writer.writerow(["checkpoint", "sigma_inv2", "stride", "clips", *["right"] * metric.proportion, metric.name, "low", "high", "work"])
    for score in scores:
        right, numbers = [round(score.total)] * metric.proportion, (score.value, *score.bounds, score.work)
        writer.writerow([score.checkpoint, _cell(score.setting.sigma_inv2), _cell(score.stride), score.clips, *right, *map(_cell, numbers)])
    return text.getvalue()


# ------------------------------------------------------------------ answers


@dataclass(frozen=True)
class Answer:
    """A sentence about a sweep, and the rule it was made by."""

    text: str
    rule: str


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


def clip_answers(columns: Sequence[Column], what: str, trained: float) -> list[Answer]:
    """What a sweep of one clip says. columns: rising, with details. what: `SIGMA` or `STRIDE`. trained: the value as trained."""
    values = [swept(column.setting, column.stride) for column in columns]
    names, top = [rounded(value) for value in values], len(columns[0].layers)
    low, high = _named(what, values[0]), _named(what, values[-1])
    start = nearest(values, trained)
    label = columns[start].top
    first, last = _stretch([column.top == label for column in columns], start)
    answers = []

    def say(text: str, rule: str) -> None:
        answers.append(Answer(text, rule))

    turns = [f"at {names[place]} it becomes “{columns[place].top}”" for place in (first - 1, last + 1) if 0 <= place < len(columns)]
    stable = f"“{label}” is stable from {_named(what, values[first])} to {names[last]}" if turns else f"is “{label}” from {low} to {names[-1]}, at every value"
    say(
        f"The prediction {'; '.join([stable, *turns])}.",
        f"From the value nearest to the trained one ({rounded(trained)}), as far up and down as the most probable label stays the same.",
    )
    sure = [100 * column.value(label) for column in columns]
    if all(map(math.isfinite, sure)):
        most, least = int(np.argmax(sure)), int(np.argmin(sure))
        say(
            f"“{label}” is surest at {_named(what, values[most])} with {sure[most]:.0f} % and least sure at {names[least]} with {sure[least]:.0f} %.",
            "The largest and the smallest probability of the label that is predicted nearest to the trained value.",
        )
    averaged = [rounded(columns[place].layers[0].effective_frames) for place in (0, -1)]
    say(
        f"Each output frame of layer 1 averages {averaged[0]} input frames at {low} and {averaged[1]} at {names[-1]}.",
        "e to the power of the mean entropy of the alignment’s rows: n where a row is the plain mean of n frames.",
    )
    lost = np.array([column.layers[-1].lost for column in columns])
    if np.isfinite(lost).any():
        best, worst = int(np.nanargmin(lost)), int(np.nanargmax(lost))
        say(
            f"Layer {top} loses least of its input at {_named(what, values[best])} ({lost[best]:.0f} %) and most at {names[worst]} ({lost[worst]:.0f} %).",
            "Lost is what the layer’s output, brought back to input time, misses of the input: mean squared error over the input’s variance.",
        )
    moved = [columns[place].layers[-1].moved for place in (0, -1)]
    if all(map(math.isfinite, moved)):
        say(
            f"Input one frame later changes the output of layer {top} by {moved[0]:.0f} % at {low} and by {moved[1]:.0f} % at {names[-1]}.",
            "The layer’s input moved by a frame, its output brought back to input time and moved back: root mean square of the difference to the "
            "unmoved one, over the standard deviation of that.",
        )
    if what == STRIDE:
        say(
            f"At {high} convolutions work on {100 * columns[-1].work:.0f} % of the frames they have without strides.",
            "Frames that go through each of the network’s convolutions, added up, over the same sum with a stride of 1 everywhere.",
        )
    return answers


def _named(what: str, value: float) -> str:
    return f"{what if what == SIGMA else f'an {what} of'} {rounded(value)}"


def _stretch(same: Sequence[bool], start: int) -> tuple[int, int]:
    """First and last place of the run of True that holds `start`."""
    first = last = start
    while first > 0 and same[first - 1]:
        first -= 1
    while last + 1 < len(same) and same[last + 1]:
        last += 1
    return first, last


def score_answers(scores: Sequence[Score], what: str) -> list[Answer]:
    """What a sweep of labelled clips says, an answer for each checkpoint. what: `SIGMA` or `STRIDE`."""
    answers = []
    for checkpoint in dict.fromkeys(score.checkpoint for score in scores):
        mine = [score for score in scores if score.checkpoint == checkpoint]
        values = [swept(score.setting, score.stride) for score in mine]
        names = [rounded(value) for value in values]
        best, worst = max(mine, key=lambda score: score.merit), min(mine, key=lambda score: score.merit)
        start, place = mine.index(best), mine.index(worst)
        first, last = _stretch([score.value == best.value for score in mine], start)
        low, high = _stretch([score.keeps_up_with(best) for score in mine], start)
        lowest, word = f"{worst.text} at {names[place]}", "lowest" if best.metric.higher_is_better else "highest"
        where = f"from {_named(what, values[first])} to {names[last]}" if last > first else f"at {_named(what, values[first])}"
        text = f"{checkpoint} is best {where} with {best.on_clips()}"
        if (low, high) != (0, len(mine) - 1):
            text += f"; it keeps up from {names[low]} to {names[high]}, and is {word} with {lowest}"
        elif best.merit > worst.merit:
            text += f", and nowhere clearly worse: it is {word} with {lowest}"
        answers.append(Answer(
            f"{text}.", "A value keeps up while its 95 % interval (Wilson) reaches that of the best value, and so do all values between them."
        ))
    return answers


def map_answers(columns: Sequence[Column], label: str) -> list[Answer]:
    """What a two-way map of one clip says about a label."""
    same = [column for column in columns if column.top == label]
    best = max(columns, key=lambda column: column.value(label))
    return [Answer(
        f"“{label}” is predicted at {len(same)} of {len(columns)} points, and is surest at {_place(best)} with {100 * best.value(label):.0f} %.",
        "The label is the one predicted as trained; points are counted where it is the most probable one.",
    )]


def score_map_answers(scores: Sequence[Score]) -> list[Answer]:
    """What a two-way map of one checkpoint on labelled clips says."""
    best = max(scores, key=lambda score: score.merit)
    cheapest = min((score for score in scores if score.keeps_up_with(best)), key=lambda score: (score.work, -score.merit))
    return [Answer(
        f"{best.checkpoint} is best at {_place(best)} with {best.on_clips()}; the cheapest point that keeps up is "
        f"{_place(cheapest)} with {cheapest.text} on {100 * cheapest.work:.0f} % of the frames without strides.",
        "A point keeps up while its 95 % interval (Wilson) reaches that of the best one; the cheapest has the fewest frames in all convolutions.",
    )]


def _place(point: Column | Score) -> str:
    return f"{_named(SIGMA, point.setting.sigma_inv2)} and {_named(STRIDE, point.stride)}"
