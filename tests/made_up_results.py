"""Results files for tests. Every number in them is made up: nothing here was ever measured."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

from adastride.results import core as results
from adastride.results.reading import Run, read
from adastride.speaker_counts import FILE, SpeakerCount, baseline_run, counts_text

TASKS = {"commands": 80.0, "emotion": 55.0, "digits": 97.0, "scenes": 75.0}
METHODS = {
    "strided-conv": 0.0, "avg-pool": -1.0, "blur-pool": 0.3, "spectral-pool": 0.6, "diffstride": 0.9, "dct-diffstride": 1.1, "adastride": 2.0,
    "adastride-f": 1.8, "adastride-s": 0.7, "adastride-sigma": 2.2, "lpf-adastride": 1.9, "cif": -0.5,
}
COLUMNS = (
    "run", "task", "fold", "method", "sigma_inv2", "learn_sigma", "seed", "width", "clips_train", "clips_test", "epochs", "accuracy",
    "accuracy_in_silence", "train_loss",
    "seconds_per_epoch", "peak_memory_mb", "inference_ms_per_clip", "silence_stride", "sound_stride", *(f"stride_{n}" for n in (1, 2, 3)),
    *(f"sigma_{n}" for n in (1, 2, 3)),
    "adaptive_stride_mean", "adaptive_stride_std", *(f"pooled_{n}" for n in range(17)), "pooled_entropy", *(f"shift_{n}" for n in range(11)),
    "device", "threads",
)
_POOLED = (0.02, 0.35, 0.3, 0.12, 0.08, 0.05, 0.03, 0.02, 0.01, 0.01, *[0.0] * 6, 0.01)


def row(task: str = "commands", method: str = "strided-conv", seed: int = 0, **changes: object) -> dict[str, object]:
    """One line: 80 % on commands and so on, a little more or less by method, seed and shift; changes: other cells."""
    adaptive, learned = results.kind(method) == "adaptive", results.kind(method) == "learned"
    percent = TASKS.get(task, 70.0) + METHODS.get(method, 0.0) + 0.4 * (seed - 2) * (1 if adaptive else -1)
    strides = [1.7 + 0.01 * seed, 2.2, 2.6] if learned else [2, 2, 2]
    sigmas = [0.5, 0.4, 0.3 + 0.01 * seed] if method == "adastride-sigma" else [0.447, 0.447, 0.447] if adaptive and method != "cif" else [""] * 3
    cells = {
        "task": task, "method": method, "seed": seed, "fold": "", "sigma_inv2": 5.0 if sigmas[0] else "", "learn_sigma": "false", "width": 128,
        "clips_train": 2000, "clips_test": 500, "epochs": 30, "accuracy": percent / 100,
        "accuracy_in_silence": percent / 100 - (0.01 if adaptive else 0.05), "train_loss": 0.9 if adaptive else 0.8,
        "seconds_per_epoch": 12.0 * (1.5 if adaptive else 1.2 if learned else 1.0),
        "peak_memory_mb": 600.0 + 900.0 * adaptive, "inference_ms_per_clip": 4.0 + 2 * adaptive, "silence_stride": 3.1 if adaptive else 2.0,
        "sound_stride": 1.6 if adaptive else 2.0, **dict(zip(("stride_1", "stride_2", "stride_3"), strides, strict=True)),
        **dict(zip(("sigma_1", "sigma_2", "sigma_3"), sigmas, strict=True)), "adaptive_stride_mean": 2.1 if adaptive else "",
        "adaptive_stride_std": 0.8 if adaptive else "", **{f"pooled_{n}": share if adaptive else "" for n, share in enumerate(_POOLED)},
        "pooled_entropy": 1.66 + 0.01 * seed if adaptive else "",
        **{f"shift_{n}": (percent - (0.05 + 0.1 * (not adaptive)) * (n % 3)) / 100 for n in range(11)},
        "device": "CPU x86_64", "threads": 1, **({"learn_sigma": "true"} if method == "adastride-sigma" else {}), **changes,
    }
    cells.setdefault("run", "-".join(str(cells[name]) for name in ("task", "fold", "method", "sigma_inv2", "width", "seed", "device")))
    return cells


RECOGNISERS = (*COLUMNS, "kind", "metric:error_rate", "metric:loss", "metric:unreadable", "metric:error_rate_in_silence", "metric:valid_error_rate")
ERRORS = {"digits-string": 9.0, "phonemes": 38.0}
RECOGNISER_METHODS = ("strided-conv", "spectral-pool", "diffstride", "adastride", "adastride-f")


def recogniser_row(task: str = "digits-string", method: str = "strided-conv", seed: int = 0, **changes: object) -> dict[str, object]:
    """A recogniser's line for a file with the columns `RECOGNISERS`: the methods that are better above have fewer errors here."""
    percent = ERRORS[task.partition("-t")[0]] - METHODS[method] + 0.1 * seed
    line = row(task, method, seed, kind="recogniser", width=112, clips_train=1500, clips_test=300, stride_3="", sigma_3="")
    line |= {
        "accuracy": "", "accuracy_in_silence": "", "metric:error_rate": percent / 100, "metric:loss": 0.4, "metric:unreadable": 0.0,
        "metric:error_rate_in_silence": (percent + 0.5) / 100, "metric:valid_error_rate": percent / 100,
        **{f"shift_{n}": (percent + 0.1 * (n % 3)) / 100 for n in range(11)}, **changes,
    }
    return line


def recognisers(seeds: int = 1, tasks: tuple[str, ...] = tuple(ERRORS)) -> list[dict[str, object]]:
    """Lines of recognisers of every task and of the paper's methods."""
    return [recogniser_row(task, method, seed) for task, method, seed in itertools.product(tasks, RECOGNISER_METHODS, range(seeds))]


# Speakers of two parts, whose words are not equally easy; one is in both.
_SPEAKERS = {("dev-clean-mp3", speaker): 0.5 + 0.2 * speaker for speaker in range(4)}
_SPEAKERS |= {("test-other", speaker): 1.0 + 0.1 * speaker for speaker in range(3, 9)}


def write_speakers(folder: Path, lines: list[dict[str, object]], gain: float = 0.0, swing: float = 0.02, most: int = 99) -> Path:
    """Errors by speaker beside a results file, and what needs no network. most: how many speakers there are at the most.

    gain: by how much AdaStride's rate is lower. swing: by how much more for a speaker of an even number, and less for one of an odd one.
    """
    counts, some = [], list(_SPEAKERS.items())[:most]

    def add(run: str, part: str, speaker: int, rate: float) -> None:
        counts.append(SpeakerCount(run, "speech", part, str(speaker), "", 10, round(500 * rate), 500, "phonemes"))

    for line in lines:
        for (part, speaker), hardness in some:
            better = (gain + swing * (-1) ** speaker) * (line["method"] == "adastride")
            add(str(line["run"]), part, speaker, 0.3 * hardness - better + 0.01 * int(str(line["seed"])))
    for task in sorted({str(line["task"]) for line in lines}):
        for (part, speaker), _ in some:
            add(baseline_run(task, None, "empty"), part, speaker, 1.0)
            add(baseline_run(task, None, "frequent"), part, speaker, 0.9 - 0.01 * speaker)
    path = folder / FILE
    path.write_text(counts_text(counts), encoding="utf-8")
    return path


def many(seeds: int = 5, tasks: tuple[str, ...] = tuple(TASKS), methods: tuple[str, ...] = tuple(METHODS)) -> list[dict[str, object]]:
    """Lines of every task and method, with AdaStride at the other σ⁻² too."""
    lines = [row(task, method, seed) for task, method, seed in itertools.product(tasks, methods, range(seeds))]
    return lines + [
        row(task, "adastride", seed, sigma_inv2=value, accuracy=(TASKS[task] + value**0.2) / 100)
        for task, value, seed in itertools.product(tasks, (0.1, 1.0, 10.0), range(seeds)) if "adastride" in methods
    ]


def write(path: Path, lines: list[dict[str, object]], columns: tuple[str, ...] = COLUMNS) -> Path:
    """The lines as a results file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    return path


def runs(folder: Path, lines: list[dict[str, object]], columns: tuple[str, ...] = COLUMNS) -> list[Run]:
    """The lines, written and read again."""
    return read(write(folder / "results.csv", lines, columns))
