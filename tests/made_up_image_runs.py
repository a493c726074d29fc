"""Runs of networks of pictures for tests. Every number in them is made up: nothing here was ever measured."""

from __future__ import annotations

import math
from pathlib import Path

from adastride.image_runs import EPOCHS_FILE, FILE, ImageEpochLine, ImageRunLine, image_epochs_text, image_runs_text

USUAL = "2x2 2x2 2x2"
METHODS = {"strided-conv": 0.80, "spectral-pool": 0.81, "diffstride": 0.82, "adastride": 0.815}


def run(method: str = "diffstride", start: str = USUAL, seed: int = 0, cost_weight: float = 0.0, **changes) -> ImageRunLine:
    """One run: fixed strides lose by another start, learned ones do not; a weight on the cost makes them larger."""
    learned = method == "diffstride"
    accuracy = METHODS.get(method, 0.79) - (0.05 if start != USUAL and not learned else 0.0) - 0.02 * cost_weight + 0.001 * seed
    strides = f"{1.4 + cost_weight:g}x1.6 2.2x2.1 2.5x2.4" if learned else start
    values = {
        "run": f"cifar10-{method}-{start}-{cost_weight:g}-{seed}", "data": "cifar10", "method": method, "sigma_inv2": 5.0 if method == "adastride" else 0.0,
        "start": start, "cost_weight": cost_weight, "seed": seed, "width": 16, "blocks": 1, "epochs": 5, "best_epoch": 5, "pictures": 5000,
        "accuracy": accuracy, "loss": 0.6, "valid_accuracy": accuracy, "strides": strides, "cost": 0.4 - 0.1 * cost_weight if learned else 0.328,
        "parameters": 308_384, "seconds_per_epoch": 100.0, "peak_memory_mb": 400.0, "inference_ms": 3.0, "device": "CPU x86_64", "threads": 1,
        "torch": "2", "version": "1", "git": "", "finished": "", "note": "pictures re-encoded as JPEG by their source",
    }
    return ImageRunLine(**{**values, **changes})


def epochs(line: ImageRunLine, count: int = 3) -> list[ImageEpochLine]:
    """Strides that go from a run's start to where it ends."""
    between = [line.start if number < count else line.strides for number in range(count + 1)]
    return [
        ImageEpochLine(line.run, number, math.nan if number == 0 else 1.0 / number, math.nan if number == 0 else line.accuracy, line.cost, strides)
        for number, strides in enumerate(between)
    ]


def many() -> list[ImageRunLine]:
    """All methods from strides of 2, three of them from others, and DiffStride with a weight on its cost."""
    other = [run(method, "3x3 1x1 2x2") for method in ("strided-conv", "spectral-pool", "diffstride")]
    return [*map(run, METHODS), *other, run(cost_weight=1.0)]


def write(results: Path, lines: list[ImageRunLine]) -> Path:
    """Puts the files beside a results file. Returns that."""
    results.with_name(FILE).write_text(image_runs_text(lines), encoding="utf-8")
    results.with_name(EPOCHS_FILE).write_text(image_epochs_text([one for line in lines for one in epochs(line)]), encoding="utf-8")
    return results
