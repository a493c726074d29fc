"""What Y = A X costs (step 9): as a formula needs, and as this machine takes."""

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
    """Milliseconds of Y = A X at T frames: with the whole matrix, with windows, with AdaStride-F."""

    frames: int
    dense: float
    windows: float
    nearest: float


def measure_costs(channels: int, stride: float, sigma: float, frames: tuple[int, ...] = (250, 500, 1000, 2000)) -> tuple[Timing, ...]:
    """Times the products on this machine, the best of three each, on random positions.

    channels: D, at least 1. stride: at least 1. sigma: in output frames. Takes less than a second for 64 channels.
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
    """The best of three."""
    best = math.inf
    for _ in range(3):
        begin = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begin)
    return 1000 * best
