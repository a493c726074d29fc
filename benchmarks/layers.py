"""Time and memory of every downsampling layer, all in one run: compare ratios, not milliseconds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from adastride.comparison.core import peak_bytes
from adastride.downsampling import METHODS, Downsampled, Downsampler, build

CHANNELS = 256
SHAPES = ((1, 313), (1, 4096), (1, 37_500), (8, 512))
_SECONDS = 0.6  # of measuring a call, at the least three times


def milliseconds(run: Callable[[], object]) -> float:
    """Median wall-clock milliseconds of a call, after warm-up calls."""
    times: list[float] = []
    for warm in (True, True, False):
        times.clear()
        until = time.perf_counter() + (0.0 if warm else _SECONDS)
        while len(times) < (1 if warm else 3) or (time.perf_counter() < until and len(times) < 50):
            began = time.perf_counter()
            run()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            times.append(time.perf_counter() - began)
    return 1e3 * statistics.median(times)


def _layer(key: str, device: str) -> Downsampler:
    """A layer with scores as a trained one has them, so that adaptive methods place frames unevenly."""
    torch.manual_seed(0)
    layer = build(key, CHANNELS, 2.0).to(device).eval()
    for name, parameter in layer.named_parameters():
        if "score" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    return layer


def pooling_table(device: str) -> list[str]:
    """Markdown lines: AdaStride and AdaStride-F against average pooling, forward / forward and backward.

    On a CPU with one thread, as the app computes, and with all of them. The bare operation avg_pool1d stands beside the
    layer around it, which like the others takes any stride and padded batches.
    """
    lines = [
        "| threads | batch × frames | avg_pool1d, ms | average pooling, ms | AdaStride, ms | × average pooling | AdaStride-F, ms | × average pooling |",
        "|---" * 8 + "|",
    ]
    usual = torch.get_num_threads()
    for threads in [1, usual] if device == "cpu" and usual > 1 else [usual]:
        torch.set_num_threads(threads)
        for batch, frames in SHAPES:
            x = _input(batch, frames, device)
            pooling, cells = _both(_layer("avg-pool", device), x), []
            for key in ("adastride", "adastride-f"):
                took = _both(_layer(key, device), x)
                cells += [_pair(took), _pair([one / other for one, other in zip(took, pooling, strict=True)])]
            bare = _both(lambda x: Downsampled(F.avg_pool1d(x, 2), None, None, None), x)
            lines.append(f"| {threads} | {batch} × {frames} | {_pair(bare)} | {_pair(pooling)} | " + " | ".join(cells) + " |")
    torch.set_num_threads(usual)
    return lines


def _pair(numbers: Iterable[float]) -> str:
    return " / ".join(f"{number:.2f}" for number in numbers)


def _input(batch: int, frames: int, device: str) -> Tensor:
    return torch.randn(batch, CHANNELS, frames, generator=torch.Generator().manual_seed(0)).to(device)


def _both(layer: Callable[[Tensor], Downsampled], x: Tensor) -> tuple[float, float]:
    """Milliseconds of a forward pass, and of a forward and a backward pass to the input."""
    with torch.inference_mode():
        forward = milliseconds(lambda: layer(x))
    leaf = x.clone().requires_grad_()
    return forward, milliseconds(lambda: torch.autograd.grad(layer(leaf).values.sum(), leaf))


def methods_table(device: str) -> list[str]:
    """Markdown lines: every method at every shape; forward / forward and backward in ms / peak memory of forward in MB,
    and in brackets the same relative to strided convolution."""
    lines = ["| method | " + " | ".join(f"{batch} × {frames}" for batch, frames in SHAPES) + " |", "|---" * (len(SHAPES) + 1) + "|"]
    baseline: dict[tuple[int, int], tuple[float, float, float]] = {}
    for key, method in METHODS.items():
        cells = []
        for shape in SHAPES:
            got = _measure(_layer(key, device), *shape, device)
            base = baseline.setdefault(shape, got)  # strided convolution comes first in the registry
            ratios = " / ".join(f"{one / other:.2f}" for one, other in zip(got, base, strict=True))
            cells.append(f"{got[0]:.2f} / {got[1]:.1f} / {got[2]:.1f} ({ratios})")
        lines.append(f"| {method.label} | " + " | ".join(cells) + " |")
    return lines


def _measure(layer: Downsampler, batch: int, frames: int, device: str) -> tuple[float, float, float]:
    x = _input(batch, frames, device)
    with torch.inference_mode():
        peak = peak_bytes(layer, x)
    return *_both(layer, x), peak / 1e6
