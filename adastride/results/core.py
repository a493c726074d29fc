"""The results file and the papers' tables: reading them, and the statistics that compare runs.

Runs are compared by their task's headline metric, among networks of one kind: accuracies are shares from 0 to 1. What is said
about them is in `report`, what is drawn in `figures`.
"""

from __future__ import annotations

import csv
import functools
import itertools
import math
import os
import statistics
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from adastride import run_columns
from adastride.downsampling import METHODS
from adastride.files import bundled
from adastride.intervals import wilson
from adastride.models.classifier import NETWORKS, ClassifierConfig, network_label
from adastride.results.significance import holm, paired, welch
from adastride.run_columns import POOLED, SHIFTS
from adastride.subjects import SUBJECTS
from adastride.tasks import KINDS, Metric

FOLDER = bundled("results")
RESULTS_VARIABLE = "ADASTRIDE_RESULTS"
PAPERS = FOLDER / "papers.toml"
BASELINE = "strided-conv"
USUAL_KIND = ClassifierConfig.kind
USUAL_SIGMA_INV2 = 5.0
SIGMAS_INV2 = (0.1, 1.0, 5.0, 10.0)
PAPER_SEEDS, PAPER_WIDTH = 5, 256
# What the comparison is planned to hold on every task but digits-speakers, with as many seeds as the paper.
PLANNED_TASKS = ("commands", "emotion", "digits", "scenes")
# The order of panels and tables: where a paper has data of the same kind comes first.
_ORDER = tuple(dict.fromkeys(("commands", "emotion", "digits", "digits-speakers", "scenes", *SUBJECTS)))
PLANNED_METHODS = (
    "strided-conv", "avg-pool", "blur-pool", "spectral-pool", "diffstride", "dct-diffstride", "adastride", "adastride-f", "adastride-s",
    "adastride-sigma", "lpf-adastride", "cif",
)
_SHORT = {"cif": "CIF"}
COSTS = {"training_time": "seconds_per_epoch", "training_memory": "peak_memory_mb", "inference_time": "inference_ms_per_clip"}
COST_NAMES = {"training_time": "Training time", "training_memory": "Training memory", "inference_time": "Inference time"}


class ResultsError(ValueError):
    """A results file that can't be used; the message is one sentence that names the file, the line and what to do."""


@dataclass(frozen=True)
class Run:
    """One finished run: a line of the results file. None and () where the file has nothing, as for a method without sigma.

    kind: of network, a key of `tasks.KINDS`. fold: the group that was held out. metrics: its task's by name, on clips_test
    clips; the headline also in silence, "accuracy_in_silence", and on the valid split, "valid_accuracy". train_loss: mean of the
    best epoch's training clips. strides, sigmas: of every layer, in input and output frames. pooled: (17,) shares of the output
    frames that got 0 ... 16 or more input frames; pooled_entropy in nats. shifts: (11,) the headline metric with
    the signal shifted by 0 ... 10 frames. *_stride*: input frames per output frame.
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
    def usual(self) -> bool:
        """Whether it belongs into a comparison of methods: no sigma, or the one the papers use."""
        return self.sigma_inv2 in (None, USUAL_SIGMA_INV2)

    @property
    def machine(self) -> str:
        """Device, threads and width: times and memory compare among runs that share them."""
        return f"{self.device}, {self.threads} {'thread' if self.threads == 1 else 'threads'}, width {self.width}"


# ------------------------------------------------------------------ reading

_TEXTS = ("run", "task", "method", "device")
_WHOLE = ("seed", "width", "clips_train", "clips_test", "threads")
_NUMBERS = (
    "train_loss", "seconds_per_epoch", "peak_memory_mb", "inference_ms_per_clip", "silence_stride", "sound_stride", "adaptive_stride_mean",
    "adaptive_stride_std", "pooled_entropy",
)
_SERIES = {"pooled": tuple(f"pooled_{n}" for n in range(POOLED)), "shifts": tuple(f"shift_{n}" for n in range(SHIFTS))}
_NEEDED = (*_TEXTS, "fold", "sigma_inv2", "learn_sigma", *_WHOLE, *_NUMBERS, "stride_1", "sigma_1", *itertools.chain(*_SERIES.values()))


def results_path() -> Path:
    """The file the Results page reads: the one that the variable ADASTRIDE_RESULTS names, else results/results.csv."""
    return Path(os.environ.get(RESULTS_VARIABLE) or FOLDER / "results.csv")


def read(path: str | Path) -> list[Run]:
    """The runs of a results file, in its order; none where there is no such file. Columns it does not know are ignored.

    Raises ResultsError for a file that can't be read, lacks a column, or has a broken line.
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, strict=True)
            reader.fieldnames = [run_columns.current_name(name) for name in reader.fieldnames or ()]
            missing = [name for name in _NEEDED if name not in reader.fieldnames]
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
        **{name: row[name] for name in _TEXTS}, kind=kind, fold=row["fold"] or None, sigma_inv2=_number(row, "sigma_inv2"), metrics=metrics,
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


@dataclass(frozen=True)
class PaperTable:
    """Numbers of one paper's table on one data set. task: ours with data of the same kind, None where there is none.

    values: by method (or σ⁻² as text), mean and standard deviation, in percent for accuracies.
    """

    paper: str
    table: str
    data: str
    task: str | None
    runs: int
    values: dict[str, tuple[float, float]]

    @property
    def source(self) -> str:
        return f"{self.paper} paper, {self.table}: {self.data}, {self.runs} runs"


@dataclass(frozen=True)
class PaperCost:
    """Times and memory of one paper, relative to strided convolution, by kind of cost and method."""

    paper: str
    table: str
    data: str
    values: dict[str, dict[str, float]]


@dataclass(frozen=True)
class Papers:
    """results/papers.toml. strides: the first layer's over time, under the key "diffstride". notes: what figures show, in words."""

    accuracy: tuple[PaperTable, ...]
    sigma: tuple[PaperTable, ...]
    strides: tuple[PaperTable, ...]
    cost: tuple[PaperCost, ...]
    notes: dict[str, str]


@functools.cache
def papers() -> Papers:
    """The papers' numbers."""
    read_in = tomllib.loads(PAPERS.read_text(encoding="utf-8"))

    def tables(kind: str) -> tuple[PaperTable, ...]:
        return tuple(
            PaperTable(each["paper"], each["table"], each["data"], each.get("task"), each["runs"],
                       {key: tuple(value) for key, value in each.get("values", {"diffstride": each.get("value")}).items()})
            for each in read_in[kind]
        )

    kinds = (*COSTS, "inference_memory")
    cost = tuple(PaperCost(each["paper"], each["table"], each["data"], {kind: each[kind] for kind in kinds}) for each in read_in["cost"])
    return Papers(tables("accuracy"), tables("sigma"), tables("strides"), cost, read_in["notes"])


# ------------------------------------------------------------------ names and choices


def label(method: str) -> str:
    """What a person calls a method; the key itself where nobody knows it."""
    return _SHORT.get(method) or (network_label(method) if method in METHODS or method in NETWORKS else method)


def kind(method: str) -> str:
    """Whether its strides are "fixed", "learned" or "adaptive"; nobody knows that of an unknown method, which counts as fixed."""
    return METHODS[method].kind if method in METHODS else "adaptive" if method in NETWORKS else "fixed"


def order_of(method: str) -> tuple[int, str]:
    """Sorts methods as the registry does, the networks with names of their own after the family they belong to."""
    if method in METHODS:
        return list(METHODS).index(method), ""
    return list(METHODS).index("adastride-f") if method in NETWORKS else len(METHODS), method


def tasks_of(runs: Iterable[Run]) -> list[str]:
    """The tasks that have runs, in their usual order."""
    found = {run.task for run in runs}
    return [*(task for task in _ORDER if task in found), *sorted(found - set(_ORDER))]


def methods_of(runs: Iterable[Run]) -> list[str]:
    """The methods that have runs, in the order people see them in."""
    return sorted({run.method for run in runs}, key=order_of)


def kinds_of(runs: Iterable[Run]) -> list[str]:
    """The kinds of network that have runs, in the order of `tasks.KINDS`."""
    found = {run.kind for run in runs}
    return [kind for kind in KINDS if kind in found]


def headline_of(runs: Sequence[Run]) -> Metric:
    """What runs of one kind of network are compared by; the classifier's accuracy where there are none."""
    return runs[0].headline if runs else KINDS[USUAL_KIND].task.headline


def layers_of(runs: Iterable[Run]) -> int:
    """The most downsampling layers that any of the runs has."""
    return max((len(run.strides) for run in runs), default=0)


def papers_of(runs: Sequence[Run]) -> Papers:
    """The papers' numbers, which are of classifiers; without tables for runs of any other kind of network."""
    found = papers()
    return found if headline_of(runs) == KINDS[USUAL_KIND].task.headline else Papers((), (), (), (), found.notes)


def widths_of(runs: Iterable[Run]) -> list[int]:
    """The widths that have runs, the one with most runs first."""
    widths = [run.width for run in runs]
    return sorted(set(widths), key=lambda width: (-widths.count(width), -width))


def chosen(runs: Iterable[Run], task: str, method: str) -> list[Run]:
    """The runs that compare methods with each other: of a task and a method, with the usual sigma."""
    return [run for run in runs if run.task == task and run.method == method and run.usual]


def with_sigma(runs: Sequence[Run], task: str, sigma_inv2: float) -> list[Run]:
    """AdaStride's runs with one σ⁻² in all layers."""
    return [run for run in runs if run.task == task and run.method == "adastride" and run.sigma_inv2 == sigma_inv2]


# ------------------------------------------------------------------ statistics


def _by_fold(runs: Sequence[Run]) -> dict[str, float]:
    """Mean headline metric for each held-out group."""
    folds = sorted({run.fold for run in runs})
    return {fold: statistics.fmean(run.value for run in runs if run.fold == fold) for fold in folds}


@dataclass(frozen=True)
class Summary:
    """The headline metric of some runs. std: over runs or, where groups were held out in turn, over their means; None for one value.

    interval: Wilson's 95 % interval of the mean on the test clips; None for a metric that is no share of clips. clips: different
    test clips. unit: what `std` is over, "runs" or "held-out groups".
    """

    metric: Metric
    mean: float
    std: float | None
    interval: tuple[float, float] | None
    runs: int
    clips: int
    unit: str

    @property
    def bounds(self) -> tuple[float, float]:
        """Mean ∓ std where there are several values, else the interval of the test clips; NaN where there is neither."""
        if self.std is None:
            return self.interval or (math.nan, math.nan)
        return self.mean - self.std, self.mean + self.std

    def __str__(self) -> str:
        return self.metric.number(self.mean) + ("" if self.std is None else f" ± {self.metric.number(self.std)}")


def summary(runs: Sequence[Run]) -> Summary:
    """See `Summary`; of at least one run, all of one kind, task and method."""
    held_out, metric = runs[0].fold is not None, runs[0].headline
    values = list(_by_fold(runs).values()) if held_out else [run.value for run in runs]
    clips = sum({run.fold: run.clips_test for run in runs}.values())
    mean = statistics.fmean(values)
    std = statistics.stdev(values) if len(values) > 1 else None
    interval = wilson(mean, clips) if metric.proportion else None
    return Summary(metric, mean, std, interval, len(runs), clips, "held-out groups" if held_out else "runs")


@dataclass(frozen=True)
class Difference:
    """A method against strided convolution on one task. points: how much better it is, negative where it is worse, in the unit the
    headline metric is shown in (hundredths of accuracy); p, adjusted: None where untested.

    runs: of the method and of strided convolution.
    """

    method: str
    points: float
    p: float | None
    adjusted: float | None
    runs: tuple[int, int]


def differences(runs: Sequence[Run], task: str) -> list[Difference]:
    """Every method of a task against strided convolution, p-values adjusted for their number; none without the latter.

    Where groups were held out in turn, only those that both methods have count, each against itself.
    """
    base, found = chosen(runs, task, BASELINE), []
    for method in methods_of(run for run in runs if run.task == task and run.usual and run.method != BASELINE):
        own = chosen(runs, task, method)
        if not base:
            continue
        if own[0].fold is None:
            points = statistics.fmean(run.value for run in own) - statistics.fmean(run.value for run in base)
            p = welch([run.value for run in own], [run.value for run in base])
        else:
            ours, theirs = _by_fold(own), _by_fold(base)
            both = [ours[fold] - theirs[fold] for fold in ours if fold in theirs]
            if not both:
                continue
            points, p = statistics.fmean(both), paired(both)
        metric = own[0].headline
        found.append((method, metric.gain(metric.scale * points), p, (len(own), len(base))))
    adjusted = holm([p for _, _, p, _ in found])
    return [Difference(method, points, p, a, counts) for (method, points, p, counts), a in zip(found, adjusted, strict=True)]


# ------------------------------------------------------------------ figure 10, figure 11, times, strides


@dataclass(frozen=True)
class Pooled:
    """Figure 10 for some runs of a task and method: mean shares (17,), mean entropy in nats, its std over runs or None."""

    shares: tuple[float, ...]
    entropy: float
    entropy_std: float | None
    runs: int


def pooled(runs: Sequence[Run], task: str, method: str) -> Pooled | None:
    """See `Pooled`; None where no run has these numbers."""
    own = [run for run in chosen(runs, task, method) if run.pooled and run.pooled_entropy is not None]
    if not own:
        return None
    entropies = [run.pooled_entropy for run in own]
    std = statistics.stdev(entropies) if len(own) > 1 else None
    return Pooled(tuple(np.mean([run.pooled for run in own], axis=0).tolist()), statistics.fmean(entropies), std, len(own))


@dataclass(frozen=True)
class Shifted:
    """Figure 11 for some runs: points, or what the headline metric is shown in, above the average over 0 ... 10
    frames, (11,), averaged over runs, and their std over
    the shifts, averaged over runs."""

    changes: tuple[float, ...]
    std: float
    runs: int


def shifted(runs: Sequence[Run], task: str, method: str) -> Shifted | None:
    """See `Shifted`; None where no run has these numbers."""
    own = [run for run in chosen(runs, task, method) if run.shifts]
    if not own:
        return None
    changes = own[0].headline.scale * np.array([[value - statistics.fmean(run.shifts) for value in run.shifts] for run in own])
    return Shifted(tuple(changes.mean(axis=0).tolist()), float(changes.std(axis=1).mean()), len(own))


@dataclass(frozen=True)
class Cost:
    """A method's cost on one task and machine relative to strided convolution: ratios of medians over runs, by key of COSTS."""

    task: str
    method: str
    ratios: dict[str, float]
    runs: tuple[int, int]


def machines(runs: Iterable[Run]) -> list[str]:
    """Device, threads and width of the runs, the one with most runs first."""
    found = [run.machine for run in runs]
    return sorted(set(found), key=lambda machine: (-found.count(machine), machine))


def costs(runs: Sequence[Run], machine: str) -> list[Cost]:
    """Every task and method against strided convolution, among runs on one machine; tasks without the latter are left out."""
    own = [run for run in runs if run.machine == machine and run.usual]
    found = []
    for task in tasks_of(own):
        base = chosen(own, task, BASELINE)
        for method in methods_of(run for run in own if run.task == task and run.method != BASELINE):
            group, ratios = chosen(own, task, method), {}
            for name, column in COSTS.items():
                ours, theirs = ([value for run in each if (value := getattr(run, column))] for each in (group, base))
                if ours and theirs:
                    ratios[name] = statistics.median(ours) / statistics.median(theirs)
            if ratios:
                found.append(Cost(task, method, ratios, (len(group), len(base))))
    return found


def layer_values(runs: Sequence[Run], layer: int, what: str) -> tuple[float, float | None] | None:
    """Mean and std over runs of one layer's stride (what = "strides") or σ⁻² ("sigmas"); None where there is none.

    layer: from 0, the lowest.
    """
    values = [value for run in runs if layer < len(run.strides) and (value := getattr(run, what)[layer])]
    if not values:
        return None
    values = [value**-2 for value in values] if what == "sigmas" else values
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None
