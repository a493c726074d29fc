"""What a trained network can do: its task's metrics on clips as they are, in silence and shifted, and where its strides go."""

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
from adastride.tasks import Batch, Breakdown, Metric, task_of
from adastride.training.data import place_in_silence
from adastride.training.measure import stopwatch

MOST_POOLED = 16
SHIFTS = range(11)
_BATCH_SIZE = 64
_ELEMENTS = 1 << 20  # of an alignment's rows held at a time


@dataclass(frozen=True)
class Evaluation:
    """Results on a list of clips.

    headline: the metric that stands for all of them. metrics: all of its task's by name, the clips as they are; in_silence:
    the same with the clips placed at random in a longer window. silence_stride, sound_stride: mean input frames per output
    frame of the first layer, over output frames whose middle lies outside / inside the clip, in those windows; NaN where
    there are none. breakdown: what else the task has to say of the clips as they are.
    """

    clips: int
    headline: Metric
    metrics: Mapping[str, float]
    in_silence: Mapping[str, float]
    silence_stride: float
    sound_stride: float
    breakdown: Breakdown | None = None

    @property
    def value(self) -> float:
        """The headline metric, the clips as they are."""
        return self.metrics[self.headline.name]

    @property
    def value_in_silence(self) -> float:
        """The headline metric in silence."""
        return self.in_silence[self.headline.name]

    @property
    def stride_ratio(self) -> float:
        """How much coarser silence is seen than sound."""
        return self.silence_stride / self.sound_stride


@dataclass(frozen=True)
class Geometry:
    """What the uppermost adaptive layer does with clips as they are; all of it empty or NaN where there is no such layer.

    stride_mean, stride_std: input frames per output frame, over all output frames of all clips. pooled: (17,) shares of the
    output frames that n = 0 ... 16 input frames went to (the last: 16 or more), each input frame counted for the output
    frame it weighs most in (the paper's figure 10); entropy: of that distribution, in nats.
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
        """sounds: waveforms (n,); targets: what is right for each, from `Task.targets`. device: the network's where None."""
        device = network.device if device is None else device
        return cls([batch.to(device) for _, batch in _batches(network, sounds, targets, _BATCH_SIZE)])

    @torch.no_grad()
    def totals(self, network: Network, shift: int = 0) -> tuple[dict[str, float], int]:
        """The sum over all clips of each of the task's metrics, and how many clips they are, with the signals `shift` frames later."""
        task, sums, clips = task_of(network), dict[str, float](), 0
        for batch in self.batches:
            output = network(shifted(batch.signal, shift), batch.lengths)
            for name, values in task.measure(output, batch).items():
                sums[name] = sums.get(name, 0.0) + float(values.sum())
            clips += len(batch)
        return sums, clips

    def score(self, network: Network, shift: int = 0) -> float:
        """The task's headline metric with the signals `shift` frames later."""
        sums, clips = self.totals(network, shift)
        return sums[task_of(network).headline.name] / clips

    @torch.no_grad()
    def geometry(self, network: Network) -> Geometry:
        """See `Geometry`."""
        adaptive = [place for place, method in enumerate(network.config.methods) if METHODS[method].kind == "adaptive"]
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
        every, shares = np.concatenate(strides), counts / counts.sum()
        entropy = sum(share * np.log(1 / share) for share in shares if share > 0)
        return Geometry(float(every.mean()), float(every.std()), tuple(shares.tolist()), float(entropy))


def heaviest_outputs(alignment: AnyAlignment, example: int = 0) -> Tensor:
    """For each input frame of an example the output frame it weighs most in, the lowest of equals: (T_b,) int64.

    It is `alignment.dense()[example].argmax(dim=0)`, but a bounded number of rows is held at a time, so that memory grows with
    T and not with T * L.
    """
    frames, outputs = int(alignment.lengths[example]), int(alignment.output_lengths[example])
    step, heaviest, where = max(1, _ELEMENTS // frames), None, torch.zeros(0)
    for begin in range(0, outputs, step):
        rows = alignment.rows(range(begin, min(begin + step, outputs)), example)[:, :frames]
        place = rows.argmax(dim=0)
        weight = rows.gather(0, place[None])[0]
        if heaviest is None:
            heaviest, where = weight, place
            continue
        heavier = weight > heaviest
        heaviest, where = torch.where(heavier, weight, heaviest), torch.where(heavier, place + begin, where)
    return where


def shifted(signal: Tensor, frames: int) -> Tensor:
    """Signals (B, channels, T) `frames` later: the first frame is repeated in front, what leaves at the end is dropped.

    The example's own length stays, so an example shorter than the shift becomes its first frame alone.
    """
    if frames == 0:
        return signal
    return torch.cat([signal[:, :, :1].expand(-1, -1, frames), signal], dim=2)[:, :, : signal.shape[2]]


def evaluate(network: Network, clips: Sequence[Clip], *, placed_seconds: float = 2.0, snr_db: float = 30.0, seed: int = 0) -> Evaluation:
    """Runs the clips as they are, then placed at a random time in noise `snr_db` below them.

    The window has placed_seconds, or is a second longer than a clip that fills it otherwise. Raises DataError for a clip that
    the network can't know about.
    """
    task = task_of(network)
    targets = task.targets(network, clips)
    as_they_are = _run(network, [clip.samples for clip in clips], targets)
    sounds, spans = placed(clips, network.config.mel, placed_seconds, snr_db, seed)
    in_silence = _run(network, sounds, targets, spans)
    return Evaluation(
        clips=len(clips), headline=task.headline, metrics=as_they_are.means(), in_silence=in_silence.means(),
        silence_stride=_mean(in_silence.outside), sound_stride=_mean(in_silence.inside),
        breakdown=task.breakdown(network, targets, as_they_are.answers),
    )


def _mean(values: Sequence[np.ndarray]) -> float:
    """Mean over several arrays, NaN where there is nothing to take it of."""
    whole = np.concatenate(values) if values else np.zeros(0)
    return float(whole.mean()) if whole.size else float("nan")


def placed(clips: Sequence[Clip], preset: MelPreset, seconds: float, snr_db: float = 30.0, seed: int = 0) -> tuple[list[np.ndarray], list[tuple[float, float]]]:
    """Clips in silence, and where each one lies, in mel frames. A clip of `seconds` or more gets a second of silence in all."""
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
    """Median time of one clip alone, from its signal to the network's answer, over at most `repeats` clips spread over the
    list, by `measure.stopwatch`."""
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
    """metrics: each by name, for every clip (n,). answers: `Task.answers` of every clip. inside, outside: the first layer's strides
    inside and outside of the clips' spans."""

    metrics: dict[str, np.ndarray]
    answers: list[Any]
    inside: list[np.ndarray]
    outside: list[np.ndarray]

    def means(self) -> dict[str, float]:
        """Each metric over all clips."""
        return {name: float(values.mean()) for name, values in self.metrics.items()}


@torch.inference_mode()
def _run(network: Network, sounds: Sequence[np.ndarray], targets: Sequence[Any], spans: Sequence[tuple[float, float]] = ()) -> _Measured:
    """Runs all sounds. spans: where the clip lies in each, in mel frames; without them no strides are looked at."""
    task = task_of(network)
    measured = _Measured({metric.name: np.zeros(len(sounds)) for metric in task.metrics}, [None] * len(sounds), [], [])
    for places, batch in _batches(network, sounds, targets, _BATCH_SIZE // 2):
        batch = batch.to(network.device)
        output = network(batch.signal, batch.lengths)
        for name, values in task.measure(output, batch).items():
            measured.metrics[name][places] = values.cpu().numpy()
        for place, answer in zip(places, task.answers(output), strict=True):
            measured.answers[place] = answer
        if not spans or not output.downsampled:
            continue
        alignment = output.downsampled[0].alignment
        edges = alignment.boundaries().cpu().numpy()
        for row, place in enumerate(places):
            b = edges[row, : int(alignment.output_lengths[row]) + 1]
            middle, width = (b[1:] + b[:-1]) / 2, np.diff(b)
            inside = (middle >= spans[place][0]) & (middle < spans[place][1])
            measured.inside.append(width[inside])
            measured.outside.append(width[~inside])
    return measured
