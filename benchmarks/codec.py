"""What a codec costs: 5 s of sound encoded, decoded and made audible, and a training step by method."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

from adastride import audio, vocoder
from adastride.models import Codec, CodecConfig
from adastride.models.codec import codec_options
from adastride.tasks import Batch, codes, task_of

_WIDTH, _ROUNDS, _SECONDS = 160, 7, 5.0


def _network(method: str) -> Codec:
    """With a codebook that has begun, and positions that are not even."""
    torch.manual_seed(0)
    network = Codec(CodecConfig(**codec_options(method), width=_WIDTH)).train()
    for name, parameter in network.named_parameters():
        if ".score." in name:
            torch.nn.init.normal_(parameter, std=0.1)
    with torch.no_grad():
        network(torch.randn(8, 80, 400) * 2 - 5)
    return network


def _step(network: Codec, batch: Batch) -> float:
    """Seconds of a step, forward, loss and backward."""
    began = time.perf_counter()
    output = network(batch.signal, batch.lengths)
    (task_of(network).loss(output, batch) + output.position_loss).backward()
    network.zero_grad(set_to_none=True)
    return time.perf_counter() - began


def _median_ms(work: Callable[[], object]) -> float:
    times = []
    for _ in range(_ROUNDS + 1):
        began = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - began))
    return statistics.median(times[1:])


def report() -> list[str]:
    """Markdown lines: asked and measured. Steps of two methods are taken in turns, on one thread; the rest is on two."""
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        networks = {method: _network(method) for method in ("strided-conv", "adastride")}
        signal = torch.randn(16, 80, 173, generator=torch.Generator().manual_seed(0)) * 2 - 5
        batch = Batch(signal, torch.full((16,), 173), ())
        steps: dict[str, list[float]] = {method: [] for method in networks}
        for measured in [False, *[True] * _ROUNDS]:
            for method, network in networks.items():
                seconds = _step(network, batch)
                steps[method] += [seconds] * measured
        ratio = statistics.median(one / other for one, other in zip(steps["adastride"], steps["strided-conv"], strict=True))
        torch.set_num_threads(2)
        rate = networks["adastride"].config.mel.sample_rate
        noise = torch.randn(int(_SECONDS * rate), generator=torch.Generator().manual_seed(0)).numpy() * 0.1
        waveform, network = audio.from_samples(noise, rate, rate), networks["adastride"].eval()
        made = codes.encode(network, waveform)
        mel = torch.from_numpy(codes.decode(network, made))
        both = _median_ms(lambda: codes.decode(network, codes.encode(network, waveform)))
        heard = _median_ms(lambda: vocoder.sound(mel, network.config.mel))
    finally:
        torch.set_num_threads(threads)
    return [
        "| what | asked | measured |", "|---|---|---|",
        f"| 5 s of sound encoded and decoded, AdaStride, width {_WIDTH} | ≤ 60 ms | {both:.0f} ms |",
        f"| its sound, {vocoder.ITERATIONS} iterations of Griffin-Lim | ≤ 1000 ms | {heard:.0f} ms |",
        f"| training step of a batch of 16 × 2 s, AdaStride, × strided convolution | ≤ 1.2 | {ratio:.2f} |",
    ]
