"""Many labelled clips at every point of a sweep: a `Score` for each network and point, worked out here or on a Ray cluster.

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
from adastride.intervals import normal, wilson
from adastride.models.network import Network
from adastride.sweep.core import Setting, SweepError, cell, layer_settings, overall_stride
from adastride.tables import csv_text
from adastride.tasks import Metric, task_of
from adastride.tasks.classification import Classification

_BATCH = 32
_AT_WORK = 64  # batches that workers have been given and not answered yet
Sums = tuple[np.ndarray, np.ndarray]


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
    scores = list(scores)
    metric = scores[0].metric if scores else Classification.metrics[0]
    rows: list[list[object]] = [
        ["checkpoint", "sigma_inv2", "stride", "clips", *["right"] * metric.proportion, metric.name, "low", "high", "work"],
    ]
    for score in scores:
        right, numbers = [round(score.total)] * metric.proportion, (score.value, *score.bounds, score.work)
        rows.append([score.checkpoint, cell(score.setting.sigma_inv2), cell(score.stride), score.clips, *right, *map(cell, numbers)])
    return csv_text(rows)
