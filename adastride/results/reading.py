"""The results file: what its columns mean, and its lines as `Run`s, with the errors by speaker that stand in a file beside it."""

from __future__ import annotations

import csv
import functools
import itertools
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from adastride import run_columns
from adastride.code_durations import FILE as DURATIONS
from adastride.code_durations import DurationCount, read_durations
from adastride.files import bundled
from adastride.models.classifier import ClassifierConfig
from adastride.run_columns import POOLED, SHIFTS
from adastride.speaker_counts import FILE, SpeakerCount, read_counts
from adastride.tables import own_text
from adastride.tasks import KINDS, Metric

FOLDER = bundled("results")
RESULTS_VARIABLE = "ADASTRIDE_RESULTS"
USUAL_KIND = ClassifierConfig.kind
USUAL_SIGMA_INV2 = 5.0
COSTS = {"training_time": "seconds_per_epoch", "training_memory": "peak_memory_mb", "inference_time": "inference_ms_per_clip"}
COST_NAMES = {"training_time": "Training time", "training_memory": "Training memory", "inference_time": "Inference time"}


@functools.cache
def usual_sigma_inv2(kind: str) -> float:
    """The σ⁻² that networks of a kind have where nothing else is said.

    >>> usual_sigma_inv2("classifier"), usual_sigma_inv2("codec")
    (5.0, 1.0)
    """
    sigma: float = getattr(KINDS[kind].config, "sigma", USUAL_SIGMA_INV2**-0.5)
    return round(sigma**-2, 6)


class ResultsError(ValueError):
    """A results file that can't be used; the message is one sentence that names the file, the line and what to do."""


@dataclass(frozen=True)
class Run:
    """One finished run: a line of the results file. None and () where the file has nothing, as for a method without sigma.

    kind: of network, a key of `tasks.KINDS`. fold: the group that was held out. metrics: its task's by name, on clips_test
    clips; the headline also in silence, "accuracy_in_silence", and on the valid split, "valid_accuracy". train_loss: mean of the
    best epoch's training clips. strides, sigmas: of every layer, in input and output frames. pooled: (17,) shares of the output
    frames that got 0 ... 16 or more input frames; pooled_entropy in nats. shifts: (11,) the headline metric with the signal shifted
    by 0 ... 10 frames. *_stride*: input frames per output frame. counts: its errors by speaker, where its answers are texts. durations: how
    often its codes last so long, where they are codes.
    """

    run: str
    kind: str
    task: str
    fold: str | None
    method: str
    sigma_inv2: float | None
    learn_sigma: bool
    seed: int
    width: int
    clips_train: int
    clips_test: int
    metrics: Mapping[str, float]
    train_loss: float | None
    device: str
    threads: int
    seconds_per_epoch: float | None
    peak_memory_mb: float | None
    inference_ms_per_clip: float | None
    silence_stride: float | None
    sound_stride: float | None
    adaptive_stride_mean: float | None
    adaptive_stride_std: float | None
    pooled_entropy: float | None
    strides: tuple[float | None, ...]
    sigmas: tuple[float | None, ...]
    pooled: tuple[float, ...]
    shifts: tuple[float, ...]
    counts: tuple[SpeakerCount, ...] = ()
    durations: tuple[DurationCount, ...] = ()

    @property
    def headline(self) -> Metric:
        """The metric that runs of its kind are compared by."""
        return KINDS[self.kind].task.headline

    @property
    def value(self) -> float:
        """Its headline metric."""
        return self.metrics[self.headline.name]

    @property
    def value_in_silence(self) -> float | None:
        """Its headline metric with silence around the clips."""
        return self.metric(f"{self.headline.name}_in_silence")

    def metric(self, name: str) -> float | None:
        """Any of its metrics; None where the file has none of that name."""
        return self.metrics.get(name)

    @property
    def usual_sigma(self) -> bool:
        """Whether it belongs into a comparison of methods: no sigma, or the usual one of its kind."""
        return self.sigma_inv2 in (None, usual_sigma_inv2(self.kind))

    @property
    def machine(self) -> str:
        """Device, threads and width: times and memory compare among runs that share them."""
        return f"{self.device}, {self.threads} {'thread' if self.threads == 1 else 'threads'}, width {self.width}"


_TEXTS = ("run", "task", "method", "device")
_WHOLE = ("seed", "width", "clips_train", "clips_test", "threads")
_NUMBERS = (
    "train_loss", "seconds_per_epoch", "peak_memory_mb", "inference_ms_per_clip", "silence_stride", "sound_stride", "adaptive_stride_mean",
    "adaptive_stride_std", "pooled_entropy",
)
_SERIES = {"pooled": tuple(f"pooled_{n}" for n in range(POOLED)), "shifts": tuple(f"shift_{n}" for n in range(SHIFTS))}
NEEDED = (*_TEXTS, "fold", "sigma_inv2", "learn_sigma", *_WHOLE, *_NUMBERS, "stride_1", "sigma_1", *itertools.chain(*_SERIES.values()))


def results_path() -> Path:
    """The file the Results page reads: the one that the variable ADASTRIDE_RESULTS names, else results/results.csv."""
    return Path(os.environ.get(RESULTS_VARIABLE) or FOLDER / "results.csv")


def read(path: str | Path) -> list[Run]:
    """The runs of a results file, in its order; none where there is no such file. Columns it does not know are ignored.

    Their errors by speaker, and how long their codes last, come from the files beside it. Raises ResultsError for a file that can't be
    read, lacks a column, or has a broken line.
    """
    counts = read_speakers(path)
    try:
        durations = read_durations(Path(path).with_name(DURATIONS))
    except ValueError as error:
        raise ResultsError(str(error)) from None
    return [
        replace(run, counts=counts.get(run.run, ()), durations=tuple(line for line in durations if line.run == run.run))
        for run in _read(Path(path))
    ]


def read_speakers(path: str | Path) -> dict[str, tuple[SpeakerCount, ...]]:
    """The errors by speaker beside a results file, by run and baseline. Raises ResultsError for a file that can't be used."""
    try:
        lines = read_counts(Path(path).with_name(FILE))
    except ValueError as error:
        raise ResultsError(str(error)) from None
    counts: dict[str, list[SpeakerCount]] = {}
    for line in lines:
        counts.setdefault(line.run, []).append(line)
    return {run: tuple(own) for run, own in counts.items()}


def _read(path: Path) -> list[Run]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, strict=True)
            reader.fieldnames = [run_columns.current_name(name) for name in reader.fieldnames or ()]
            missing = [name for name in NEEDED if name not in reader.fieldnames]
            if missing:
                more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
                raise ResultsError(f"{path}, line 1, lacks the column {missing[0]}{more}: write the file again with python -m adastride grid.")
            runs, lines = [], {}
            for row in reader:
                try:
                    run = _run(row)
                    if run.run in lines:
                        raise ValueError(f"repeats the run {run.run} of line {lines[run.run]}")
                except ValueError as error:
                    raise ResultsError(f"{path}, line {reader.line_num}, {error}: remove the line and run the grid again.") from None
                runs.append(run)
                lines[run.run] = reader.line_num
            return runs
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ResultsError(f"{path} can't be read as a CSV file: {getattr(error, 'strerror', None) or error}.") from None


def _run(row: dict) -> Run:
    if None in row or None in row.values():
        raise ValueError("has another number of cells than the header")
    if row["learn_sigma"] not in ("true", "false"):
        raise ValueError(f"has learn_sigma = {row['learn_sigma']!r}, not true or false")
    empty = next((name for name in _TEXTS if not row[name]), None)
    if empty:
        raise ValueError(f"has nothing in the column {empty}")
    kind = row.get("kind") or USUAL_KIND
    if kind not in KINDS:
        raise ValueError(f"has kind = {kind!r}, which this version does not know")
    headline = KINDS[kind].task.headline
    names = [name for name in row if name.startswith(run_columns.METRIC)]
    metrics = {name.removeprefix(run_columns.METRIC): value for name in names if (value := _number(row, name)) is not None}
    if headline.name not in metrics or (headline.proportion and not 0 <= metrics[headline.name] <= 1):
        wrong = row.get(run_columns.metric_column(headline.name), "")
        raise ValueError(f"has {headline.name} = {wrong!r}, not a number{' from 0 to 1' if headline.proportion else ''}")
    series = {name: tuple(_number(row, column) for column in columns) for name, columns in _SERIES.items()}
    shares = {"pooled": True, "shifts": headline.proportion}
    for name, values in series.items():
        given = [value is not None and (not shares[name] or 0 <= value <= 1) for value in values]
        if any(given) != all(given):
            raise ValueError(f"has {_SERIES[name][0]} to {_SERIES[name][-1]} that are not all {'shares from 0 to 1' if shares[name] else 'numbers'}")
        series[name] = values if all(given) else ()
    layers = run_columns.layers_of(name for name in row if row[name] != "")
    strides, sigmas = (tuple(_number(row, name) for name in run_columns.layer_columns(what, layers)) for what in ("stride", "sigma"))
    return Run(
        **{name: own_text(row[name]) for name in _TEXTS}, kind=kind, fold=own_text(row["fold"]) or None,
        sigma_inv2=_number(row, "sigma_inv2"), metrics=metrics,
        learn_sigma=row["learn_sigma"] == "true", **{name: _whole(row, name) for name in _WHOLE}, strides=strides, sigmas=sigmas,
        **{name: _number(row, name) for name in _NUMBERS}, **series,
    )


def _number(row: dict, name: str) -> float | None:
    if row[name] == "":
        return None
    try:
        value = float(row[name])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"has {name.removeprefix(run_columns.METRIC)} = {row[name]!r}, not a number")
    return value


def _whole(row: dict, name: str) -> int:
    try:
        value = int(row[name])
    except ValueError:
        value = -1
    if value < (name != "seed"):
        raise ValueError(f"has {name} = {row[name]!r}, not a whole number{'' if name == 'seed' else ' from 1'}")
    return value
