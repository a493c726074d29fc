"""Time and memory of every downsampling layer, all in one run: compare ratios, not milliseconds."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from adastride.comparison.core import peak_bytes
from adastride.downsampling import METHODS, Downsampled, DownsampledImage, Downsampler, build, build_image_layer

CHANNELS = 256
SHAPES = ((1, 313), (1, 4096), (1, 37_500), (8, 512))
PICTURES = ((8, 64, 32, 32), (1, 64, 128, 313))  # batch, channels, height, width
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
    all_threads = torch.get_num_threads()
    for threads in [1, all_threads] if device == "cpu" and all_threads > 1 else [all_threads]:
        torch.set_num_threads(threads)
        for batch, frames in SHAPES:
            x = _input(batch, frames, device)
            pooling, cells = _both(_layer("avg-pool", device), x), []
            for key in ("adastride", "adastride-f"):
                took = _both(_layer(key, device), x)
                cells += [_pair(took), _pair([one / other for one, other in zip(took, pooling, strict=True)])]
            bare = _both(_alone(lambda x: F.avg_pool1d(x, 2)), x)
            lines.append(f"| {threads} | {batch} × {frames} | {_pair(bare)} | {_pair(pooling)} | " + " | ".join(cells) + " |")
    torch.set_num_threads(all_threads)
    return lines


def bounds_table() -> list[str]:
    """Markdown lines: what AdaStride's speed is held to on a CPU, asked and measured, as quotients of times taken in turns.

    Turns, and of each layer the fastest, because a machine is never equally busy for two measurements.
    """
    lines = ["| what | asked | AdaStride | AdaStride-F |", "|---" * 4 + "|"]
    all_threads = torch.get_num_threads()
    keys = ("adastride", "adastride-f")

    def row(title: str, threads: int, frames: int, other: Callable[[Tensor], object], most: float, backward: bool = False) -> None:
        torch.set_num_threads(threads)
        x = _input(1, frames, "cpu")
        took = _fastest([other, *(_layer(key, "cpu") for key in keys)], x, backward)
        lines.append(f"| {title} | ≤ {most:g} | " + " | ".join(f"{seconds / took[0]:.2f}" for seconds in took[1:]) + " |")

    row(f"1 × 4096 forward, of avg_pool1d, {all_threads} threads", all_threads, 4096, lambda x: F.avg_pool1d(x, 2), 2.0)
    for backward in (False, True):
        way = "forward and backward" if backward else "forward"
        row(f"1 × 313 {way}, of average pooling, 1 thread", 1, 313, _layer("avg-pool", "cpu"), 2.0, backward)
    for frames in (313, 157, 79):
        row(f"1 × {frames} inference, of strided convolution, 1 thread", 1, frames, _layer("strided-conv", "cpu"), 1.6)
    torch.set_num_threads(all_threads)
    return lines


def cosines_table() -> list[str]:
    """Markdown lines: what DCT-DiffStride's speed is held to on a CPU, as quotients of times taken in turns with DiffStride's.

    A stride of 2 leaves DCT-DiffStride an odd number of frames and a stride of 3.7 a prime one, the slowest there are.
    """
    lines = ["| what | asked | DCT-DiffStride |", "|---" * 3 + "|"]
    x, all_threads = _input(1, 37_500, "cpu"), torch.get_num_threads()
    torch.set_num_threads(1)
    for stride in (2.0, 3.7):
        for backward in (False, True):
            fourier, cosines = _fastest([build(key, CHANNELS, stride) for key in ("diffstride", "dct-diffstride")], x, backward)
            way = "forward and backward" if backward else "forward"
            lines.append(f"| 1 × 37500 at stride {stride:g} {way}, of DiffStride, 1 thread | ≤ 2 | {cosines / fourier:.2f} |")
    torch.set_num_threads(all_threads)
    return lines


def _fastest(layers: list[Callable[[Tensor], object]], x: Tensor, backward: bool) -> list[float]:
    """Seconds of the fastest call of each layer, called in turns; of its forward pass in inference mode, or of both ways."""
    leaf = x.clone().requires_grad_()

    def call(layer: Callable[[Tensor], object]) -> object:
        if backward:
            return torch.autograd.grad(layer(leaf).values.sum(), leaf)
        with torch.inference_mode():
            return layer(x)

    fastest, until = [math.inf] * len(layers), time.perf_counter() + 3 * _SECONDS
    while time.perf_counter() < until:
        for index, layer in enumerate(layers):
            call(layer)
            began = time.perf_counter()
            call(layer)
            fastest[index] = min(fastest[index], time.perf_counter() - began)
    return fastest


def _pair(numbers: Iterable[float]) -> str:
    return " / ".join(f"{number:.2f}" for number in numbers)


def _input(batch: int, frames: int, device: str) -> Tensor:
    return torch.randn(batch, CHANNELS, frames, generator=torch.Generator().manual_seed(0)).to(device)


def _alone(operation: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Downsampled]:
    """An operation that returns a tensor and nothing beside it, as what measures layers takes it."""
    return lambda x: Downsampled(operation(x), None, None, None)


def _both(layer: Callable[[Tensor], Downsampled | DownsampledImage], x: Tensor) -> tuple[float, float]:
    """Milliseconds of a forward pass, and of a forward and a backward pass to the input."""
    with torch.inference_mode():
        forward = milliseconds(lambda: layer(x))
    leaf = x.clone().requires_grad_()
    return forward, milliseconds(lambda: torch.autograd.grad(layer(leaf).values.sum(), leaf))


def methods_table(device: str) -> list[str]:
    """Markdown lines: every method at every shape; forward / forward and backward in ms / peak memory of forward in MB,
    and in brackets the same relative to strided convolution."""
    # Strided convolution comes first in the registry.
    layers = {method.label: _layer(key, device) for key, method in METHODS.items()}
    return _relative_table(layers, [_input(*shape, device) for shape in SHAPES], [f"{batch} × {frames}" for batch, frames in SHAPES])


def pictures_table(device: str) -> list[str]:
    """Markdown lines as those of `methods_table`, for every method on pictures, with a stride of 2 along both axes."""
    torch.manual_seed(0)
    layers = {method.label: build_image_layer(key, PICTURES[0][1]) for key, method in METHODS.items()}
    inputs = [torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(device) for shape in PICTURES]
    ready = {label: layer.to(device).eval() for label, layer in layers.items()}
    return _relative_table(ready, inputs, [" × ".join(map(str, shape)) for shape in PICTURES])


def _relative_table(layers: Mapping[str, Callable[[Tensor], Downsampled | DownsampledImage]], inputs: list[Tensor], titles: list[str]) -> list[str]:
    """Markdown lines: a row for each layer and a column for each input, and in brackets the same relative to the first layer."""
    lines = ["| method | " + " | ".join(titles) + " |", "|---" * (len(titles) + 1) + "|"]
    baseline: dict[str, tuple[float, float, float]] = {}
    for label, layer in layers.items():
        cells = []
        for title, x in zip(titles, inputs, strict=True):
            measured = _measure(layer, x)
            base = baseline.setdefault(title, measured)
            ratios = " / ".join(f"{one / other:.2f}" for one, other in zip(measured, base, strict=True))
            cells.append(f"{measured[0]:.2f} / {measured[1]:.1f} / {measured[2]:.1f} ({ratios})")
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return lines


def _measure(layer: Callable[[Tensor], Downsampled | DownsampledImage], x: Tensor) -> tuple[float, float, float]:
    with torch.inference_mode():
        peak = peak_bytes(layer, x)
    return *_both(layer, x), peak / 1e6
