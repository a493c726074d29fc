"""What a recogniser costs: a training step by method, and batches of unequal lengths against their valid frames."""

from __future__ import annotations

import statistics
import time

import torch
from torch import Tensor

from adastride.models import Recogniser, RecogniserConfig
from adastride.models.recogniser import recogniser_options
from adastride.tasks import Batch, task_of

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_ROUNDS = 7
_MOST = 800  # mel frames, 8 s


def _network(method: str) -> Recogniser:
    torch.manual_seed(0)
    return Recogniser(RecogniserConfig("words", WORDS, **recogniser_options(method), width=144)).train()


def _batch(lengths: list[int]) -> Batch:
    generator = torch.Generator().manual_seed(0)
    signal = torch.randn(len(lengths), 80, max(lengths), generator=generator) - 5
    targets, counts = torch.randint(1, 11, (len(lengths), 4), generator=generator), torch.full((len(lengths),), 4)
    return Batch(signal, torch.tensor(lengths), (targets, counts))


def _step(network: Recogniser, batch: Batch) -> float:
    """Seconds of a step, forward, loss and backward."""
    began = time.perf_counter()
    output = network(batch.signal, batch.lengths)
    loss: Tensor = task_of(network).loss(output, batch) + output.position_loss
    loss.backward()
    network.zero_grad(set_to_none=True)
    return time.perf_counter() - began


def report() -> list[str]:
    """Markdown lines: asked and measured, from quotients of times that are taken in turns, on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        equal = _batch([400] * 8)
        networks = {method: _network(method) for method in ("strided-conv", "adastride", "adastride-f")}
        times: dict[str, list[float]] = {method: [] for method in networks}
        for measured in [False, *[True] * _ROUNDS]:
            for method, network in networks.items():
                seconds = _step(network, equal)
                times[method] += [seconds] * measured
        ratios = {
            method: statistics.median(one / other for one, other in zip(taken, times["strided-conv"], strict=True)) for method, taken in times.items()
        }
        lines = [
            "| what | asked | measured |", "|---|---|---|",
            f"| training step of a batch of 8 × 4 s, AdaStride in the subsampling module, × strided convolution | ≤ 1.15 | {ratios['adastride']:.2f} |",
            f"| the same with AdaStride-F | | {ratios['adastride-f']:.2f} |",
        ]
        uneven = [_MOST, 600, 400, 300, 200, 150, 100, 50]  # 41 % of the padded batch are valid
        mean = sum(uneven) // len(uneven)
        pairs = []
        for measured in [False, *[True] * _ROUNDS]:
            network = networks["strided-conv"]
            pair = _step(network, _batch(uneven)), _step(network, _batch([mean] * len(uneven)))
            pairs += [pair] * measured
        ratio = statistics.median(one / other for one, other in pairs)
        lines.append(
            f"| a batch of unequal lengths ({min(uneven) / 100:g} to {_MOST / 100:g} s), × as many valid frames in equal lengths | ≤ 1.2 | {ratio:.2f} |"
        )
    finally:
        torch.set_num_threads(threads)
    return lines
