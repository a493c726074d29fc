"""Time of one downsampling layer against average pooling, all in one run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F

from adastride.downsampling import AdaStride, AdaStrideF

CHANNELS = 256
SHAPES = ((1, 313), (1, 4096), (1, 37_500), (8, 512))


def milliseconds(run: Callable[[], object], repeats: int = 15) -> float:
    """Median wall-clock milliseconds of a call, after three warm-up calls."""
    for _ in range(3):
        run()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        run()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    return 1e3 * statistics.median(times)


def table(device: str) -> list[str]:
    """Markdown lines: forward milliseconds and the ratio to avg_pool1d, per shape (batch, T)."""
    lines = ["| batch × frames | avg_pool1d, ms | AdaStride, ms | ratio | AdaStride-F, ms | ratio |", "|---|---|---|---|---|---|"]
    generator = torch.Generator().manual_seed(0)
    for batch, frames in SHAPES:
        x = torch.randn(batch, CHANNELS, frames, generator=generator).to(device)
        with torch.inference_mode():
            pooling = milliseconds(lambda x=x: F.avg_pool1d(x, 2))
            cells = []
            for kind in (AdaStride, AdaStrideF):
                layer = kind(CHANNELS).to(device)
                layer.score.weight.normal_(0, 0.05, generator=None)
                took = milliseconds(lambda layer=layer, x=x: layer(x))
                cells += [f"{took:.2f}", f"{took / pooling:.2f}"]
        lines.append(f"| {batch} × {frames} | {pooling:.2f} | " + " | ".join(cells) + " |")
    return lines
