"""How long a sweep takes: 25 values of σ on a clip of five seconds, 16 on the test split of a data set."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import numpy as np

from adastride import audio, checkpoints
from adastride.clips import Clip
from adastride.samples import samples
from adastride.sweep import core as sweep
from adastride.sweep.scores import sweep_clips

SECONDS, VALUES = 5.0, 25
CLIPS, CLIP_SECONDS, CLIP_VALUES = 180, 0.5, 16  # as the test split of the spoken digits
_CHECKPOINT = "digits-adastride"
_REPEATS = 5


def clip_seconds() -> tuple[float, float]:
    """Median seconds until the first value and until all values of a sweep of one clip."""
    model = checkpoints.load(_CHECKPOINT)
    sound = audio.read(samples()["counting"].path).samples
    clip = audio.from_samples(np.resize(sound, int(16_000 * SECONDS)), 16_000)
    points = sweep.points(sweep.sigma_values(0.05, 100, VALUES))
    times = []
    for _ in range(_REPEATS + 1):  # the first one warms up
        began = time.perf_counter()
        results = sweep.sweep_clip(model, clip, points)
        next(results)
        first = time.perf_counter() - began
        for _ in results:
            pass
        times.append((first, time.perf_counter() - began))
    return tuple(statistics.median(column) for column in zip(*times[1:], strict=True))


def clips_seconds(clips: Sequence[Clip] | None = None) -> float:
    """Seconds of a sweep of labelled clips: noise as long as the spoken digits where none are given."""
    model = checkpoints.load(_CHECKPOINT)
    if clips is None:
        noise = np.random.default_rng(0).standard_normal((CLIPS, int(16_000 * CLIP_SECONDS)), np.float32) / 10
        clips = [Clip(sound, model.config.labels[0], "noise") for sound in noise]
    points = sweep.points(sweep.sigma_values(0.05, 100, CLIP_VALUES))
    began = time.perf_counter()
    for _ in sweep_clips([model], clips, points):
        pass
    return time.perf_counter() - began


def report() -> list[str]:
    """Lines of a table in Markdown."""
    first, all_values = clip_seconds()
    return [
        "| sweep | seconds |", "|---|---|",
        f"| {VALUES} σ on a clip of {SECONDS:g} s, first value | {first:.2f} |",
        f"| {VALUES} σ on a clip of {SECONDS:g} s, all values, measured and drawn | {all_values:.2f} |",
        f"| {CLIP_VALUES} σ on {CLIPS} clips of {CLIP_SECONDS:g} s | {clips_seconds():.1f} |",
    ]
