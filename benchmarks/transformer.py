"""What an audio transformer costs: a minute of sound, and training on packed clips against clips padded to the longest."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from adastride import audio
from adastride.inspection import trace
from adastride.inspection.tracing import Hearing
from adastride.models import AudioTransformer, AudioTransformerConfig
from adastride.models.elastic import ROW_TOKENS, Packing

_CLIPS, _ROUNDS = 12, 5  # the paper's batch
# Lengths as uneven as those of clips by speakers: most are of a few seconds, some of half a minute.
_SHORTEST, _LONGEST = 1.5, 33.0


def _network() -> AudioTransformer:
    torch.manual_seed(0)
    return AudioTransformer(AudioTransformerConfig(("yes", "no"), width=192, blocks=4, heads=3, dropout=0.0)).train()


def _lengths() -> list[int]:
    """Frames of the clips of a batch, evenly spread over the logarithm of their seconds."""
    share = torch.linspace(0, 1, _CLIPS)
    seconds = (_SHORTEST * (_LONGEST / _SHORTEST) ** share)[torch.randperm(_CLIPS, generator=torch.Generator().manual_seed(0))]
    return (100 * seconds).int().tolist()


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _looked_at(network: AudioTransformer) -> tuple[float, float]:
    """Seconds of the runs behind Explore's picture of a minute of sound, and behind an answer to somebody who drags the length of 5 s."""
    noise = (torch.rand(60 * 16_000, generator=torch.Generator().manual_seed(0)) - 0.5).numpy()
    minute, clip = audio.from_samples(noise, 16_000), audio.from_samples(noise[: 5 * 16_000], 16_000)
    opened = [_seconds(lambda: trace(network, minute)) for _ in range(1 + _ROUNDS)]
    lengths = torch.linspace(4.9, 0.5, 12).tolist()
    dragged = [_seconds(lambda length=length: trace(network, clip, hearing=Hearing(length))) for length in lengths]
    return statistics.median(opened[1:]), statistics.median(dragged)


def _step(network: AudioTransformer, mels: list[Tensor]) -> None:
    network.transformer(mels).square().sum().backward()
    network.zero_grad(set_to_none=True)


def report() -> list[str]:
    """Markdown lines: asked and measured. Steps packed and padded are taken in turns, on one thread; the rest is on two."""
    threads, network, lengths = torch.get_num_threads(), _network(), _lengths()
    generator = torch.Generator().manual_seed(0)
    packed = [torch.randn(128, frames, generator=generator) for frames in lengths]
    padded = [F.pad(mel, (0, max(lengths) - mel.shape[1])) for mel in packed]
    counts = [network.transformer.tokens_of(frames) for frames in lengths]
    try:
        torch.set_num_threads(1)
        steps: dict[str, list[float]] = {"packed": [], "padded": []}
        for measured in [False, *[True] * _ROUNDS]:
            for way, mels in (("packed", packed), ("padded", padded)):
                seconds = _seconds(lambda mels=mels: _step(network, mels))
                steps[way] += [seconds] * measured
        torch.set_num_threads(2)
        minute = torch.randn(1, 128, 6001, generator=generator) * 2 - 5
        with network.evaluating(), torch.no_grad():
            opened = statistics.median([_seconds(lambda: network(minute)) for _ in range(1 + _ROUNDS)][1:])
        torch.set_num_threads(1)  # as pages have it
        shown, dragged = _looked_at(network)
    finally:
        torch.set_num_threads(threads)
    ratio = statistics.median(padded / packed for packed, padded in zip(*steps.values(), strict=True))
    wasted = 1 - sum(counts) / (_CLIPS * max(counts))
    ratios = [100 * share for share in (wasted, Packing(counts).pad_ratio, Packing(counts, best_fit=True).pad_ratio)]
    return [
        f"ElasticAST, 192 wide, 4 blocks; {_CLIPS} clips of {_SHORTEST:g} to {_LONGEST:g} s.", "",
        "| what | asked | measured |", "|---|---|---|",
        f"| a minute of sound, its logits | ≤ 3 s | {opened:.2f} s |",
        f"| a minute of sound, all that Explore shows of it, one thread | ≤ 3 s | {shown:.2f} s |",
        f"| 5 s of sound while their length is dragged, one thread | | {1e3 * dragged:.0f} ms |",
        f"| clips a second in training, packed, × padded to the longest | ≥ 1.5 | {ratio:.2f} |",
        f"| padding when padded to the longest / in rows of {ROW_TOKENS} tokens, first come / best fit | | "
        f"{ratios[0]:.0f} % / {ratios[1]:.0f} % / {ratios[2]:.0f} % |",
    ]
