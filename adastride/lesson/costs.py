"""Measures what Y = A X costs on this machine (step 9)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from adastride.alignment import Alignment, output_lengths, unit_positions
from adastride.alignment.product import TAIL as TAILS
from adastride.audio import PRESETS

TAIL = TAILS[torch.float32]  # a weight below e^-TAIL of its row's largest, over T, is left out of a window
FRAMES_PER_SECOND = PRESETS["classification"].frames_per_second  # what makes minutes of a number of frames


@dataclass(frozen=True)
class Timing:
    """The milliseconds that Y = A X takes at a length of `frames`.

    dense: with the whole matrix. windows: with the window that each row needs. nearest: as AdaStride-F.
    """

    frames: int
    dense: float
    windows: float
    nearest: float


def measure_costs(channels: int, stride: float, sigma: float, frames: tuple[int, ...] = (250, 500, 1000, 2000)) -> tuple[Timing, ...]:
    """Times the three ways to work out Y = A X on random positions, each as the best of three tries.

    channels: D, at least 1. stride: at least 1. sigma: in output frames. frames: the lengths T to measure. It takes less than a second
    for 64 channels.
    """
    generator = torch.Generator().manual_seed(0)
    timings = []
    for time_steps in frames:
        x, lengths = torch.randn(1, channels, time_steps, generator=generator), torch.tensor([time_steps])
        unit = unit_positions(torch.randn(1, time_steps, generator=generator), lengths)

        def alignment(nearest: bool, unit: Tensor = unit, lengths: Tensor = lengths) -> Alignment:
            return Alignment(unit, lengths, output_lengths(lengths, stride), sigma, nearest)

        timings.append(
            Timing(
                time_steps,
                _milliseconds(lambda x=x, alignment=alignment: x @ alignment(False).dense().transpose(1, 2)),
                _milliseconds(lambda x=x, alignment=alignment: alignment(False).pool(x)),
                _milliseconds(lambda x=x, alignment=alignment: alignment(True).pool(x)),
            )
        )
    return tuple(timings)


def _milliseconds(work: Callable[[], object]) -> float:
    """The milliseconds of the fastest of three tries."""
    best = math.inf
    for _ in range(3):
        begin = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begin)
    return 1000 * best
