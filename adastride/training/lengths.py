"""Measures how right a network is about parts of clips, at other resolutions, and at other strides in front of its patches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from adastride.clips import Clip, DataError
from adastride.downsampling import LayerSettings
from adastride.length_points import LengthPoint
from adastride.models.network import Network
from adastride.tasks import task_of

PARTS = 3  # of a clip that are looked at: its beginning, middle and end
_BATCH, _DRAWS = 32, 2000


@dataclass(frozen=True)
class LengthGrid:
    """What is measured of each network.

    seconds: lengths of parts; whole clips are always measured. resolutions: frame shifts over the network's own, strides: of the
    layer in front of the patches; both are measured on parts of `at` seconds, 0 for whole clips.
    """

    seconds: tuple[float, ...] = ()
    resolutions: tuple[float, ...] = ()
    strides: tuple[float, ...] = ()
    at: float = 0.0

    def __post_init__(self) -> None:
        if any(not 0 < value <= 600 for value in self.seconds) or not 0 <= self.at <= 600:
            raise ValueError(f"lengths must be above 0 and at most 600 seconds, got {self.seconds} and {self.at}")
        if any(not 0.1 <= value <= 100 for value in self.resolutions) or any(not 1 <= value <= 1000 for value in self.strides):
            raise ValueError(f"resolutions must be from 0.1 to 100 and strides from 1 to 1000, got {self.resolutions} and {self.strides}")


def parts_of(samples: np.ndarray, length: int) -> list[np.ndarray]:
    """Parts of a sound (n,) of `length` samples, from its beginning to its end and evenly between them; all of it where it is no longer.

    >>> [part.tolist() for part in parts_of(np.arange(7), 3)], [part.tolist() for part in parts_of(np.arange(2), 3)]
    ([[0, 1, 2], [2, 3, 4], [4, 5, 6]], [[0, 1]])
    """
    if samples.size <= length:
        return [samples]
    return [samples[begin : begin + length] for begin in np.linspace(0, samples.size - length, PARTS).round().astype(int)]


def measure_lengths(network: Network, clips: Sequence[Clip], grid: LengthGrid, run: str = "") -> Iterator[LengthPoint]:
    """Yields the points of a grid for some clips, as the lines of `run`.

    Strides are left out where the network has no layer. Raises DataError for a label that the network does not know, or where the
    network tells no labels apart.
    """
    whole = [(seconds, 1.0, 0.0) for seconds in (*grid.seconds, 0.0)]
    coarse = [(grid.at, resolution, 0.0) for resolution in grid.resolutions]
    strided = [(grid.at, 1.0, stride) for stride in grid.strides if network.downsamplers]
    for seconds, resolution, stride in dict.fromkeys([*whole, *coarse, *strided]):
        yield _point(network, clips, run, seconds, resolution, stride)


@torch.inference_mode()
def _point(network: Network, clips: Sequence[Clip], run: str, seconds: float, resolution: float, stride: float) -> LengthPoint:
    task = task_of(network)
    targets = task.targets(network, clips)
    parts = [parts_of(clip.samples, round(seconds * network.config.mel.sample_rate)) if seconds else [clip.samples] for clip in clips]
    flat = sorted(((part, place) for place, own in enumerate(parts) for part in own), key=lambda each: each[0].size)
    settings = [LayerSettings(stride=stride)] * len(network.downsamplers) if stride else None
    right, efforts = np.zeros(len(clips)), np.zeros(2)
    for begin in range(0, len(flat), _BATCH):
        some = flat[begin : begin + _BATCH]
        batch = task.coarser_batch(network, [part for part, _ in some], [targets[place] for _, place in some], [resolution] * len(some))
        batch = batch.to(network.device)
        output = network(batch.signal, batch.lengths, settings)
        measured = task.measure(output, batch)
        if "accuracy" not in measured:
            raise DataError(f"{network.name} tells no labels apart: lengths are measured of networks that do.")
        for (_, place), correct in zip(some, measured["accuracy"].tolist(), strict=True):
            right[place] += correct / len(parts[place])
        frames = output.downsampled[-1].lengths if output.downsampled else batch.lengths
        efforts += np.sum([task.effort(network, int(count)) for count in frames], axis=0)
    draws = np.random.default_rng(0).integers(0, len(clips), (_DRAWS, len(clips)))
    low, high = np.quantile(right[draws].mean(axis=1), (0.025, 0.975))
    accuracy = float(right.mean())
    tokens, work = efforts / len(flat)
    low, high = min(low, accuracy), max(high, accuracy)  # of a skewed draw of few clips
    return LengthPoint(
        run, seconds, resolution, stride, _rounded(accuracy), _rounded(low), _rounded(high), len(clips), _rounded(tokens), _rounded(work / 1e6),
    )


def _rounded(value: float) -> float:
    """Six significant digits, as they stand in a file."""
    return float(f"{value:.6g}")
