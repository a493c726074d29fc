"""Measures a trained network: its task's metrics on clips as they are, placed in silence and shifted, and where its strides go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from adastride.alignment.protocol import AnyAlignment
from adastride.audio import MelPreset
from adastride.clips import Clip
from adastride.downsampling import METHODS
from adastride.models.network import Network
from adastride.tasks import Batch, Breakdown, Metric, Task, task_of
from adastride.training.data import place_in_silence
from adastride.training.measure import stopwatch

MOST_POOLED = 16
SHIFTS = range(11)
_BATCH_SIZE = 64
_ELEMENTS = 1 << 20  # of an alignment's rows held at a time


@dataclass(frozen=True)
class Evaluation:
    """What was measured of a network on a list of clips.

    clips: how many they were. headline: the metric that stands for all of them. metrics: all metrics of the task, by name, for the
    clips as they are; in_silence: the same for the clips placed at random in a longer window of quiet noise. silence_stride,
    sound_stride: mean input frames per output frame of the first layer in these windows, over the output frames whose middle lies
    outside or inside of the clip; NaN where there are none. breakdown: what else the task says about the clips as they are. others: the
    task's metrics behind the headline.
    """

    clips: int
    headline: Metric
    metrics: Mapping[str, float]
    in_silence: Mapping[str, float]
    silence_stride: float
    sound_stride: float
    breakdown: Breakdown | None = None
    others: tuple[Metric, ...] = ()

    @property
    def value(self) -> float:
        """The headline metric for the clips as they are."""
        return self.metrics[self.headline.name]

    @property
    def value_in_silence(self) -> float:
        """The headline metric for the clips in silence."""
        return self.in_silence[self.headline.name]

    @property
    def stride_ratio(self) -> float:
        """The mean stride in silence over the mean stride in sound: above 1, silence is seen more coarsely."""
        return self.silence_stride / self.sound_stride


@dataclass(frozen=True)
class Geometry:
    """What the uppermost adaptive layer does with clips as they are; everything is empty or NaN where there is no such layer.

    stride_mean, stride_std: input frames per output frame, over all output frames of all clips. pooled: (17,) the shares of output
    frames that got n = 0 ... 16 input frames, the last one 16 or more (the paper's figure 10). An input frame counts for the output
    frame that it weighs most in. entropy: of this distribution, in nats.
    """

    stride_mean: float = float("nan")
    stride_std: float = float("nan")
    pooled: tuple[float, ...] = ()
    entropy: float = float("nan")


@dataclass
class Prepared:
    """Many clips in batches of about equal length on a network's device, made once and looked at many times."""

    batches: list[Batch] = field(default_factory=list)

    @classmethod
    def of(cls, network: Network, sounds: Sequence[np.ndarray], targets: Sequence[Any], device: torch.device | str | None = None) -> Prepared:
        """Makes the batches of some clips.

        sounds: waveforms (n,). targets: the right answer for each, from `Task.targets`. device: where the batches are to lie; None
        stands for the network's device.
        """
        device = network.device if device is None else device
        return cls([batch.to(device) for _, batch in _batches(network, sounds, targets, _BATCH_SIZE)])

    @torch.no_grad()
    def totals(self, network: Network, shift: int = 0) -> tuple[dict[str, float], int]:
        """Runs all clips with their signals `shift` frames later. Returns the sum of all that the task measures, and the number of clips."""
        task, sums, clips = task_of(network), dict[str, float](), 0
        for batch in self.batches:
            output = network(shifted(batch.signal, shift), batch.lengths)
            for name, values in task.measure(output, batch).items():
                sums[name] = sums.get(name, 0.0) + float(values.sum())
            clips += len(batch)
        return sums, clips

    def score(self, network: Network, shift: int = 0) -> float:
        """The task's headline metric with the signals `shift` frames later."""
        return task_of(network).headline.mean(*self.totals(network, shift))

    @torch.no_grad()
    def geometry(self, network: Network) -> Geometry:
        """Measures what the uppermost adaptive layer does with the clips."""
        adaptive = [index for index, method in enumerate(network.config.methods) if METHODS[method].kind == "adaptive"]
        if not adaptive:
            return Geometry()
        strides, counts = [], np.zeros(MOST_POOLED + 1)
        for batch in self.batches:
            alignment = network(batch.signal, batch.lengths).downsampled[adaptive[-1]].alignment
            widths = alignment.strides().cpu()
            for example, outputs in enumerate(alignment.output_lengths.tolist()):
                strides.append(widths[example, :outputs].numpy())
                pooled = torch.bincount(heaviest_outputs(alignment, example).cpu(), minlength=outputs).clamp(max=MOST_POOLED)
                counts += torch.bincount(pooled, minlength=MOST_POOLED + 1).numpy()
        all_strides, shares = np.concatenate(strides), counts / counts.sum()
        entropy = sum(share * np.log(1 / share) for share in shares if share > 0)
        return Geometry(float(all_strides.mean()), float(all_strides.std()), tuple(shares.tolist()), float(entropy))


def heaviest_outputs(alignment: AnyAlignment, example: int = 0) -> Tensor:
    """The output frame that each input frame of an example weighs most in, the lowest of equals: (T_b,) int64.

    This is `alignment.dense()[example].argmax(dim=0)`, but only a bounded number of rows is held at a time, so that memory grows
    with T and not with T * L.
    """
    frames, outputs = int(alignment.lengths[example]), int(alignment.output_lengths[example])
    step, heaviest, where = max(1, _ELEMENTS // frames), None, torch.zeros(0)
    for begin in range(0, outputs, step):
        rows = alignment.rows(range(begin, min(begin + step, outputs)), example)[:, :frames]
        output = rows.argmax(dim=0)
        weight = rows.gather(0, output[None])[0]
        if heaviest is None:
            heaviest, where = weight, output
            continue
        heavier = weight > heaviest
        heaviest, where = torch.where(heavier, weight, heaviest), torch.where(heavier, output + begin, where)
    return where


def shifted(signal: Tensor, frames: int) -> Tensor:
    """Moves signals (B, channels, T) to `frames` frames later.

    The first frame is repeated in front, and what leaves at the end is dropped. Examples keep their lengths, so one that is shorter
    than the shift becomes its first frame alone.
    """
    if frames == 0:
        return signal
    return torch.cat([signal[:, :, :1].expand(-1, -1, frames), signal], dim=2)[:, :, : signal.shape[2]]


def evaluate(network: Network, clips: Sequence[Clip], *, placed_seconds: float = 2.0, snr_db: float = 30.0, seed: int = 0) -> Evaluation:
    """Measures a network on clips as they are, and on clips placed at a random time in noise that lies `snr_db` decibels below them.

    placed_seconds: length of the window that a clip is placed in; a clip that would fill it gets a second more than its own length.
    Raises DataError for a clip whose label the network does not know.
    """
    task = task_of(network)
    targets = task.targets(network, clips)
    as_they_are = _run(network, [clip.samples for clip in clips], targets)
    sounds, spans = placed(clips, network.config.mel, placed_seconds, snr_db, seed)
    in_silence = _run(network, sounds, targets, spans)
    return Evaluation(
        clips=len(clips), headline=task.headline, metrics=as_they_are.means(), in_silence=in_silence.means(),
        silence_stride=_mean(in_silence.outside), sound_stride=_mean(in_silence.inside),
        breakdown=task.breakdown(network, targets, as_they_are.answers), others=tuple(task.metrics[1:]),
    )


def breakdown(network: Network, clips: Sequence[Clip]) -> Breakdown | None:
    """What `Task.breakdown` says of clips as they are; None where it says nothing. Raises DataError as `evaluate` does."""
    task = task_of(network)
    targets = task.targets(network, clips)
    return task.breakdown(network, targets, _run(network, [clip.samples for clip in clips], targets).answers)


def measure(network: Network, clips: Sequence[Clip]) -> dict[str, np.ndarray]:
    """All that `Task.measure` says of each clip as it is: (clips,) by name. Raises DataError as `evaluate` does."""
    return _run(network, [clip.samples for clip in clips], task_of(network).targets(network, clips)).metrics


def _mean(values: Sequence[np.ndarray]) -> float:
    """The mean over all values of several arrays; NaN where there are none."""
    joined = np.concatenate(values) if values else np.zeros(0)
    return float(joined.mean()) if joined.size else float("nan")


def placed(clips: Sequence[Clip], preset: MelPreset, seconds: float, snr_db: float = 30.0, seed: int = 0) -> tuple[list[np.ndarray], list[tuple[float, float]]]:
    """Places clips in windows of `seconds` of quiet noise. Returns the windows, and the (begin, end) of each clip in mel frames.

    A clip of `seconds` or more gets a window that is a second longer than itself.
    """
    generator = np.random.default_rng(seed)
    sounds, spans = [], []
    for clip in clips:
        length = int(seconds * preset.sample_rate)
        if length <= clip.samples.size:
            length = clip.samples.size + preset.sample_rate
        start = int(generator.integers(0, length - clip.samples.size + 1))
        sounds.append(place_in_silence(clip.samples, length, start, snr_db, generator))
        # Mel frame j is centred on j hops and occupies [j, j + 1) on the axis of frames.
        spans.append((start / preset.hop + 0.5, (start + clip.samples.size) / preset.hop + 0.5))
    return sounds, spans


def inference_milliseconds(network: Network, clips: Sequence[Clip], repeats: int = 30) -> float:
    """The median milliseconds that one clip alone takes, from its signal to the network's answer, by `measure.stopwatch`.

    It is taken over at most `repeats` clips, spread over the list.
    """
    spread = [clips[i] for i in np.linspace(0, len(clips) - 1, min(repeats, len(clips))).round().astype(int)]
    return float(np.median([seconds * 1e3 for seconds in _run_times(network, spread)]))


@torch.inference_mode()
def _run_times(network: Network, clips: Sequence[Clip]) -> Iterator[float]:
    task, device = task_of(network), network.device
    targets = task.targets(network, clips)
    for index, (clip, target) in enumerate(zip([clips[0], clips[0], *clips], [targets[0], targets[0], *targets], strict=True)):
        batch = task.batch(network, [clip.samples], [target]).to(device)
        began = stopwatch(device)
        network(batch.signal, batch.lengths).head.cpu()
        if index >= 2:  # the first runs warm up
            yield stopwatch(device) - began


def _batches(network: Network, sounds: Sequence[np.ndarray], targets: Sequence[Any], size: int) -> Iterator[tuple[list[int], Batch]]:
    """Batches of clips of about equal length, and the places of their clips in the list."""
    order = sorted(range(len(sounds)), key=lambda i: sounds[i].size)
    for begin in range(0, len(order), size):
        places = order[begin : begin + size]
        yield places, task_of(network).batch(network, [sounds[i] for i in places], [targets[i] for i in places])


@dataclass(frozen=True)
class _Measured:
    """What a run over clips has measured.

    task: whose metrics they are. metrics: (n,) values for the clips, by the names that `Task.measure` gives them. answers:
    `Task.answers` of every clip. inside, outside: the first layer's strides inside and outside of the clips' spans.
    """

    task: Task[Any, Any]
    metrics: dict[str, np.ndarray]
    answers: list[Any]
    inside: list[np.ndarray]
    outside: list[np.ndarray]

    def means(self) -> dict[str, float]:
        """Each metric for all clips."""
        sums = {name: float(values.sum()) for name, values in self.metrics.items()}
        return {metric.name: metric.mean(sums, len(self.answers)) for metric in self.task.metrics}


@torch.inference_mode()
def _run(network: Network, sounds: Sequence[np.ndarray], targets: Sequence[Any], spans: Sequence[tuple[float, float]] = ()) -> _Measured:
    """Runs all sounds. spans: where the clip lies in each, in mel frames; without them no strides are looked at."""
    task = task_of(network)
    measured = _Measured(task, {}, [None] * len(sounds), [], [])
    for places, batch in _batches(network, sounds, targets, _BATCH_SIZE // 2):
        batch = batch.to(network.device)
        output = network(batch.signal, batch.lengths)
        for name, values in task.measure(output, batch).items():
            measured.metrics.setdefault(name, np.zeros(len(sounds)))[places] = values.cpu().numpy()
        for place, answer in zip(places, task.answers(output), strict=True):
            measured.answers[place] = answer
        if not spans or not output.downsampled:
            continue
        alignment = output.downsampled[0].alignment
        edges = alignment.boundaries().cpu().numpy()
        for row, place in enumerate(places):
            bounds = edges[row, : int(alignment.output_lengths[row]) + 1]
            middle, width = (bounds[1:] + bounds[:-1]) / 2, np.diff(bounds)
            inside = (middle >= spans[place][0]) & (middle < spans[place][1])
            measured.inside.append(width[inside])
            measured.outside.append(width[~inside])
    return measured
