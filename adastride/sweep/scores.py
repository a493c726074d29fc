"""Sweeps over many labelled clips: a `Score` for each network and point, worked out in this process or on a Ray cluster.

A network runs a batch once as trained, and every point resumes that run below the first layer it changes.
"""

from __future__ import annotations

import math
import random
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from adastride.clips import Clip
from adastride.downsampling import LayerSettings
from adastride.inspection.tracing import as_trained
from adastride.intervals import PairSums, normal, ratio, wilson
from adastride.models.network import Network
from adastride.sweep.core import Setting, SweepError, cell, layer_settings, overall_stride
from adastride.tables import csv_text
from adastride.tasks import Metric, task_of
from adastride.tasks.classification import Classification

_BATCH = 32
_AT_WORK = 64  # batches that workers have been given and not answered yet
_SUMS = ("total", "squares", "units", "unit_squares", "products")  # over clips; fields of `Score`
Sums = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Score:
    """How good a checkpoint is at one point of a sweep, on the clips that have been run so far.

    stride: the overall stride it ran with. metric: the headline metric of its task. total, squares: sums over the clips of the
    metric and of its square. clips: how many clips they are. work: see `Network.work_share`. units, unit_squares, products: of a rate,
    sums over the clips of what it is counted per, of its square, and of its product with the metric; 0 for other metrics.
    """

    checkpoint: str
    setting: Setting
    stride: float
    metric: Metric
    total: float
    squares: float
    clips: int
    work: float
    units: float = 0.0
    unit_squares: float = 0.0
    products: float = 0.0

    @property
    def value(self) -> float:
        """The metric of all clips, see `Metric.mean`; an accuracy lies between 0 and 1. NaN for a rate of nothing."""
        sums = {self.metric.name: self.total} | ({self.metric.per: self.units} if self.metric.per else {})
        return self.metric.mean(sums, self.clips)

    @property
    def merit(self) -> float:
        """The value with the sign that makes a better score the larger one."""
        return self.value if self.metric.higher_is_better else -self.value

    @property
    def bounds(self) -> tuple[float, float]:
        """The 95 % interval of the value over other clips of the same kind.

        Wilson's for a share of clips; for a rate, which is a ratio of two sums over clips, by the delta method (`intervals.ratio` has
        the formula); for other metrics that of a normal distribution.
        """
        if self.metric.per is not None:
            return ratio(PairSums(self.total, self.units, self.squares, self.unit_squares, self.products, self.clips))
        if self.metric.proportion:
            return wilson(self.value, self.clips)
        return normal(self.value, math.sqrt(max(self.squares / self.clips - self.value**2, 0.0)), self.clips)

    @property
    def interval(self) -> str:
        """How `bounds` are worked out, in words."""
        if self.metric.per is not None:
            return "of a ratio of sums over clips, by the delta method"
        return "Wilson" if self.metric.proportion else "of a normal distribution"

    @property
    def text(self) -> str:
        """The value as a person reads it."""
        return self.metric.text(self.value)

    @property
    def bounds_text(self) -> str:
        """The 95 % interval as a person reads it: "86.1 – 94.4 %"."""
        return f"{self.metric.number(self.bounds[0])} – {self.metric.text(self.bounds[1])}"

    @property
    def basis(self) -> str:
        """What the value stands on: "180 clips", or "812 words in 180 clips"."""
        clips = f"{self.clips:,} {'clip' if self.clips == 1 else 'clips'}"
        if self.metric.per is None:
            return clips
        return f"{self.units:,.0f} {self.metric.per.removesuffix('s') if self.units == 1 else self.metric.per} in {clips}"

    def on_clips(self) -> str:
        """The value and what it stands on: "91.1 % of 180 clips right", "a word error rate of 4.2 % (812 words in 180 clips)"."""
        if self.metric.per is not None:
            return f"a {self.metric.label.lower()} of {self.text} ({self.basis})"
        if self.metric.proportion:
            return f"{self.text} of {self.clips} clips right"
        return f"{self.text} on {self.clips} clips"

    def keeps_up_with(self, best: Score) -> bool:
        """Whether the interval of this score overlaps that of the best one."""
        return self.bounds[1] >= best.bounds[0] and self.bounds[0] <= best.bounds[1]


@dataclass(frozen=True)
class Progress:
    """How far a sweep has come. scores: of every checkpoint that has been begun, at every point. share: of the work, from 0 to 1."""

    scores: tuple[Score, ...]
    share: float


Spread = Callable[[Iterable[tuple]], Iterator[Sums]]


def _here(tasks: Iterable[tuple]) -> Iterator[Sums]:
    return (measure_batch(*task) for task in tasks)


def sweep_clips(
    models: Sequence[Network], clips: Sequence[Clip], settings: Sequence[Setting], spread: Spread = _here, names: Sequence[str] | None = None,
) -> Iterator[Progress]:
    """Runs labelled clips through networks at every point and yields the scores after each batch; the last ones are of all clips.

    A batch holds clips of about equal length. Batches come in shuffled order, so that early scores stand for clips of every length.
    spread: what runs the batches, this process or `on_ray`; the results are the same. names: what scores call the networks; None
    stands for the networks' own names. Raises SweepError or DataError, before anything is run, where there are no clips, two
    networks have one name or are measured by different numbers, a network can't answer a clip rightly, or none of its layers has the
    σ to sweep.
    """
    if not clips:
        raise SweepError("there are no clips to sweep: choose a folder or split that has some.")
    names = [model.name for model in models] if names is None else names
    if len(set(names)) < len(models):
        raise SweepError("two of these checkpoints have the same name: rename one of the files.")
    metrics = list(dict.fromkeys(task_of(model).headline for model in models))
    if len(metrics) > 1:
        named = " and ".join(metric.label.lower() for metric in metrics)
        raise SweepError(f"these checkpoints are measured by different numbers ({named}): sweep them one by one.")
    targets = [task_of(model).targets(model, clips) for model in models]
    resolved = [[layer_settings(model, setting) for setting in settings] for model in models]
    order = sorted(range(len(clips)), key=lambda index: clips[index].samples.size)
    batches = [order[begin : begin + _BATCH] for begin in range(0, len(order), _BATCH)]
    random.Random(0).shuffle(batches)

    def tasks() -> Iterator[tuple]:
        for batch in batches:
            for model, model_targets, layers in zip(models, targets, resolved, strict=True):
                yield model, [clips[index].samples for index in batch], [model_targets[index] for index in batch], layers

    def results() -> Iterator[Progress]:
        sums = [np.zeros((len(settings), len(_SUMS))) for _ in models]
        frames = [np.zeros((len(settings), 1 + len(model.downsamplers)), int) for model in models]
        clips_done = [0] * len(models)
        plan = [(current, len(batch)) for batch in batches for current in range(len(models))]
        for (current, size), (added, passed) in zip(plan, spread(tasks()), strict=True):
            sums[current] += added
            frames[current] += passed
            clips_done[current] += size
            scores = tuple(
                Score(
                    names[index], setting, overall_stride(layers), metrics[0], clips=clips_done[index],
                    work=models[index].work_share(frames[index][number]), **dict(zip(_SUMS, map(float, sums[index][number]), strict=True)),
                )
                for index in range(len(models)) if clips_done[index]
                for number, (setting, layers) in enumerate(zip(settings, resolved[index], strict=True))
            )
            yield Progress(scores, sum(clips_done) / (len(models) * len(clips)))

    return results()


@torch.inference_mode()
def measure_batch(model: Network, sounds: Sequence[np.ndarray], targets: Sequence[object], settings: Sequence[Sequence[LayerSettings]]) -> Sums:
    """Runs one batch at every point and adds up what `sweep_clips` needs.

    sounds: waveforms (n,); targets: the right answers, see `Task.targets`. settings: those of every layer, for each point.
    Returns two arrays of sums over the clips: of the headline metric what `Score` calls total, squares, units, unit_squares and
    products, (points, 5), and the input frames of the network followed by the output frames of each layer, (points, 1 + layers).
    Each point resumes the run as trained below the first layer it changes; a point with the settings of the one before it, as whole
    strides make them, is not run again.
    """
    task, trained = task_of(model), as_trained(model)
    batch = task.batch(model, sounds, targets)
    total, batch = int(batch.lengths.sum()), batch.to(model.device)
    as_trained_output = model(batch.signal, batch.lengths, trained)
    trained_frames = [int(layer_output.lengths.sum()) for layer_output in as_trained_output.downsampled]
    sums, frames = [], []
    for number, layers in enumerate(settings):
        if number and layers == settings[number - 1]:
            sums.append(sums[-1])
            frames.append(frames[-1])
            continue
        changed = [requested != original for requested, original in zip(layers, trained, strict=True)]
        output, shared = as_trained_output, 0
        if any(changed):
            shared = changed.index(True)
            output = model(torch.empty(0), settings=layers, resumes=as_trained_output.resumes[: shared + 1])
        measured, per = task.measure(output, batch), task.headline.per
        values = measured[task.headline.name].cpu()
        units = torch.zeros_like(values) if per is None else measured[per].cpu()
        sums.append([float(each.sum()) for each in (values, values.square(), units, units.square(), values * units)])
        frames.append([total, *trained_frames[:shared], *(int(layer_output.lengths.sum()) for layer_output in output.downsampled)])
    return np.array(sums), np.array(frames)


def on_ray(address: str) -> Spread:
    """Connects to a Ray cluster and returns the `spread` of `sweep_clips` that runs batches on its workers.

    The workers need this package and Ray. address: the cluster's, or "local" for processes of this machine. Raises SweepError where
    Ray is not installed or does not answer. The connection is closed when the sweep ends or is dropped.
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
            for model, *arguments in tasks:
                if id(model) not in models:
                    models[id(model)] = ray.put(model)
                if len(waiting) == _AT_WORK:
                    yield ray.get(waiting.popleft())
                waiting.append(measure.remote(models[id(model)], *arguments))
            while waiting:
                yield ray.get(waiting.popleft())
        finally:
            ray.shutdown()

    return spread


def scores_csv(scores: Iterable[Score]) -> str:
    """Writes a CSV with a line for each score: checkpoint, sigma_inv2, stride, clips, right, accuracy, low, high, work.

    sigma_inv2 is empty where σ is as trained. stride is the overall stride. low and high are the ends of the 95 % interval. Where
    the metric is not a share of clips, its own name replaces "accuracy" and the column "right" is left out; a rate has in its place
    how many units it is counted per, in a column of their name, such as "words". All scores are of one metric. Lines end with a line
    feed.
    """
    scores = list(scores)
    metric = scores[0].metric if scores else Classification.metrics[0]
    counted = ["right"] if metric.proportion else [metric.per] if metric.per else []
    rows: list[list[object]] = [["checkpoint", "sigma_inv2", "stride", "clips", *counted, metric.name, "low", "high", "work"]]
    for score in scores:
        counts = [round(score.total if metric.proportion else score.units)] * len(counted)
        numbers = (score.value, *score.bounds, score.work)
        rows.append([score.checkpoint, cell(score.setting.sigma_inv2), cell(score.stride), score.clips, *counts, *map(cell, numbers)])
    return csv_text(rows)
