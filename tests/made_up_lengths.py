"""Files of results and lengths for tests. Every number in them is made up: nothing here was ever measured."""

from __future__ import annotations

import math
from pathlib import Path

import made_up_results as made_up

from adastride.length.curves import trained_seconds
from adastride.length_points import FILE, LengthPoint, points_text

COLUMNS = (*made_up.COLUMNS, "kind", "metric:valid_accuracy")
TRANSFORMER, CLASSIFIER = "audio-transformer", "classifier"
SPEAKERS = (
    *(("speakers", TRANSFORMER, name) for name in ("elastic", "ast-1s", "ast-2s", "ast-4s", "elastic-adastride", "elastic-a-tome")),
    ("speakers", TRANSFORMER, "elastic-avg-pool"), ("speakers-convolutional", CLASSIFIER, "strided-conv"),
)
SCENES = (("scenes-patches", TRANSFORMER, "elastic"), ("scenes-patches", TRANSFORMER, "ast"))
_GAIN = {"elastic": 0.05, "elastic-adastride": 0.03, "elastic-avg-pool": -0.02, "strided-conv": 0.08}


def row(task: str, kind: str, method: str, seed: int = 0) -> dict[str, object]:
    """A line of the results."""
    line = made_up.row(task, method, seed, kind=kind, sigma_inv2="", accuracy=0.9, width=144, clips_test=156)
    return {**line, "run": f"{task}-{method}-s{seed}", **{f"{name}_{n}": "" for name in ("stride", "sigma") for n in (1, 2, 3)}}


def points(task: str, kind: str, method: str, seed: int = 0, gain: float = 0.0) -> list[LengthPoint]:
    """The points of a run: the longer the part the more is right, and an AST gains nothing beyond its own length."""
    scenes, transformer = task.startswith("scenes"), kind == TRANSFORMER
    at, clips = (0.0, 40) if scenes else (2.0, 156)
    elastic = method.startswith("elastic")

    def point(seconds: float, resolution: float = 1.0, stride: float = 0.0) -> LengthPoint:
        heard = min(seconds or 8.0, trained_seconds(kind, method) or math.inf)
        steps = resolution * (stride or 1.0 + (method.startswith("elastic-")))
        accuracy = 0.7 + _GAIN.get(method, 0.0) + gain + 0.08 * math.log2(heard) / 2 - 0.05 * math.log2(max(1.0, steps)) - 0.01 * seed
        accuracy = min(0.99, round(accuracy, 4))
        tokens = 8.0 * math.ceil(100 * (seconds or 7.6) / steps / 16) if elastic else 105.0 if transformer else 0.0
        work = 4 * tokens * 144 * (12 * 144 + 2 * tokens) / 1e6
        low, high = accuracy - 0.06, min(1.0, accuracy + 0.05)
        return LengthPoint(f"{task}-{method}-s{seed}", seconds, resolution, stride, accuracy, low, high, clips, tokens, work)

    found = [point(seconds) for seconds in ((1.0, 2.0, 4.0, 0.0) if scenes else (0.5, 1.0, 2.0, 4.0, 8.0, 0.0))]
    if transformer:
        found += [point(at, resolution) for resolution in (1.0, 1.5, 2.0, 3.0, 4.0) if (at, resolution) != (at, 1.0)]
    if method.startswith("elastic-"):
        found += [point(at, 1.0, stride) for stride in (1.0, 1.5, 2.0, 3.0, 4.0, 6.0)]
    return found


def write(folder: Path, networks: tuple[tuple[str, str, str], ...] = (*SPEAKERS, *SCENES), seeds: int = 1) -> Path:
    """The results of some networks, and their lengths beside them. Returns the path of the results."""
    runs = [(*network, seed) for network in networks for seed in range(seeds)]
    path = made_up.write(folder / "results.csv", [row(*run) for run in runs], COLUMNS)
    (folder / FILE).write_text(points_text([point for run in runs for point in points(*run)]), encoding="utf-8")
    return path
