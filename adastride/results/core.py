"""Comparing runs: which of them belong together, what they are called, and the statistics of their differences and costs.

Runs are compared by their task's headline metric, among networks of one kind: accuracies are shares from 0 to 1. `reading` reads
them and `paper_tables` what the papers print; what is said about them is in `report`, what is drawn in `figures`.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from adastride.downsampling import METHODS
from adastride.intervals import wilson
from adastride.models.audio_transformer import BEFORE_ELASTIC, AudioTransformerConfig, transformer_options
from adastride.models.classifier import NETWORKS, network_label
from adastride.models.recogniser import RecogniserConfig
from adastride.results.paper_tables import Papers, papers
from adastride.results.reading import COSTS, USUAL_KIND, Run
from adastride.results.significance import holm, paired, welch
from adastride.results.speakers import counts_of, rate, within
from adastride.results.speakers import interval as speaker_interval
from adastride.subjects import SUBJECTS
from adastride.tasks import KINDS, Metric

BASELINE = "strided-conv"
# Which two of a kind's networks the question is about, where there are no strided convolutions: one with adaptive strides, and its baseline.
_QUESTIONS = {AudioTransformerConfig.kind: (f"{BEFORE_ELASTIC}adastride", "elastic")}
SIGMAS_INV2 = (0.1, 1.0, 5.0, 10.0)
PAPER_SEEDS = 5
PAPER_SEEDS_BY_KIND = {USUAL_KIND: PAPER_SEEDS}  # of recognisers the paper does not say
PAPER_WIDTHS = {USUAL_KIND: 256, RecogniserConfig.kind: 144}  # table 7
# What the comparison is planned to hold on every task but digits-speakers, with as many seeds as the paper.
PLANNED_TASKS = ("commands", "emotion", "digits", "scenes")
# The order of panels and tables: where a paper has data of the same kind comes first.
_ORDER = tuple(dict.fromkeys(("commands", "emotion", "digits", "digits-speakers", "scenes", *SUBJECTS)))
PLANNED_METHODS = (
    "strided-conv", "avg-pool", "blur-pool", "spectral-pool", "diffstride", "dct-diffstride", "adastride", "adastride-f", "adastride-s",
    "adastride-sigma", "lpf-adastride", "cif",
)
_SHORT = {"cif": "CIF"}


# ------------------------------------------------------------------ names and choices


def label(method: str) -> str:
    """What a person calls a method; the key itself where nobody knows it."""
    try:
        return _SHORT.get(method) or network_label(method)
    except KeyError:
        return method


def question_of(runs: Sequence[Run]) -> tuple[str, str]:
    """The method with adaptive strides that runs of one kind of network are about, and the method that all are compared with."""
    return _QUESTIONS.get(runs[0].kind if runs else USUAL_KIND, ("adastride", BASELINE))


def in_words(method: str) -> str:
    """What a person calls a method inside of a sentence.

    >>> in_words("strided-conv"), in_words("elastic")
    ('strided convolution', 'ElasticAST')
    """
    return "strided convolution" if method == BASELINE else label(method)


def kind(method: str) -> str:
    """Whether its strides are "fixed", "learned" or "adaptive"; nobody knows that of an unknown method, which counts as fixed."""
    layer = method.removeprefix(BEFORE_ELASTIC)
    return METHODS[layer].kind if layer in METHODS else "adaptive" if method in NETWORKS else "fixed"


def order_of(method: str) -> tuple[int, str]:
    """Sorts methods as the registry does, the networks with names of their own after the family they belong to, ASTs by their length.

    >>> sorted(["elastic", "ast", "ast-10s", "ast-2s", "strided-conv"], key=order_of)
    ['strided-conv', 'ast-2s', 'ast', 'ast-10s', 'elastic']
    """
    if method in METHODS:
        return list(METHODS).index(method), ""
    if method in NETWORKS:
        return list(METHODS).index("adastride-f"), method
    try:
        frames = transformer_options(method).get("frames")
    except ValueError:  # nobody knows it
        frames = None
    return len(METHODS), f"ast {frames:06}" if frames else method


def tasks_of(runs: Iterable[Run]) -> list[str]:
    """The tasks that have runs, in their usual order."""
    tasks = {run.task for run in runs}
    return [*(task for task in _ORDER if task in tasks), *sorted(tasks - set(_ORDER))]


def methods_of(runs: Iterable[Run]) -> list[str]:
    """The methods that have runs, in the order people see them in."""
    return sorted({run.method for run in runs}, key=order_of)


def kinds_of(runs: Iterable[Run]) -> list[str]:
    """The kinds of network that have runs, in the order of `tasks.KINDS`."""
    kinds = {run.kind for run in runs}
    return [kind for kind in KINDS if kind in kinds]


def headline_of(runs: Sequence[Run]) -> Metric:
    """What runs of one kind of network are compared by; the classifier's accuracy where there are none."""
    return runs[0].headline if runs else KINDS[USUAL_KIND].task.headline


def layers_of(runs: Iterable[Run]) -> int:
    """The most downsampling layers that any of the runs has."""
    return max((len(run.strides) for run in runs), default=0)


def papers_of(runs: Sequence[Run]) -> Papers:
    """The papers' numbers of one kind of network: of classifiers, of recognisers, whose error rates on the test splits stand in the
    place of accuracies, of codecs, whose codes are counted, or none."""
    printed, kind = papers(), runs[0].kind if runs else USUAL_KIND
    if kind == USUAL_KIND:
        return replace(printed, recognition=(), codes=(), phonemes=())
    if KINDS[kind].task.codes:
        return Papers((), (), (), (), printed.notes, codes=printed.codes, phonemes=printed.phonemes)
    if kind != RecogniserConfig.kind:
        return Papers((), (), (), (), printed.notes)
    test = tuple(table.on(split) for table in printed.recognition for split in ("test-clean", "test-other"))
    return Papers(test, (), (), (), printed.notes, printed.recognition)


def widths_of(runs: Iterable[Run]) -> list[int]:
    """The widths to choose from, the one with most runs first; none where each task has networks of one width alone."""
    every_run = list(runs)
    widths = [run.width for run in every_run]
    if not any(len({run.width for run in every_run if run.task == task}) > 1 for task in {run.task for run in every_run}):
        return []
    return sorted(set(widths), key=lambda width: (-widths.count(width), -width))


def compared(runs: Iterable[Run], task: str, method: str) -> list[Run]:
    """The runs that compare methods with each other: of a task and a method, with the usual sigma."""
    return [run for run in runs if run.task == task and run.method == method and run.usual_sigma]


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

    interval: the 95 % interval of the mean, Wilson's on the test clips for a share of clips, and a bootstrap's over the test speakers for
    a rate; None where there is neither. clips: different test clips. unit: what `std` is over, "runs" or "held-out groups".
    """

    metric: Metric
    mean: float
    std: float | None
    interval: tuple[float, float] | None
    runs: int
    clips: int
    unit: str

    @property
    def sampled(self) -> str:
        """What other ones of could move the mean inside of its interval."""
        return sampled(self.metric)

    @property
    def bounds(self) -> tuple[float, float]:
        """Mean ∓ std where there are several values, else the interval of the test clips; NaN where there is neither."""
        if self.std is None:
            return self.interval or (math.nan, math.nan)
        return self.mean - self.std, self.mean + self.std

    def __str__(self) -> str:
        return self.metric.number(self.mean) + ("" if self.std is None else f" ± {self.metric.number(self.std)}")


def sampled(metric: Metric) -> str:
    """What intervals of a metric are over: "clips", or "speakers" for a rate."""
    return "clips" if metric.per is None else "speakers"


def summary(runs: Sequence[Run], condition: str = "") -> Summary:
    """See `Summary`; of at least one run, all of one kind, task and method.

    condition: one of `speakers.CONDITIONS`, of which the rate is then; runs have to have its counts.
    """
    metric = runs[0].headline
    if condition:
        runs = [replace(run, metrics={**run.metrics, metric.name: rate(within(run.counts, condition))}) for run in runs]
    held_out = runs[0].fold is not None
    values = list(_by_fold(runs).values()) if held_out else [run.value for run in runs]
    clips = sum({run.fold: run.clips_test for run in runs}.values())
    mean = statistics.fmean(values)
    std = statistics.stdev(values) if len(values) > 1 else None
    interval = wilson(mean, clips) if metric.proportion else speaker_interval(counts_of(runs, condition))
    return Summary(metric, mean, std, interval, len(runs), clips, "held-out groups" if held_out else "runs")


@dataclass(frozen=True)
class Difference:
    """A method against that of `question_of` on one task. points: how much better it is, negative where it is worse, in the unit the
    headline metric is shown in (hundredths of accuracy); p, adjusted: None where untested.

    runs: of the method and of that one.
    """

    method: str
    points: float
    p: float | None
    adjusted: float | None
    runs: tuple[int, int]


def differences(runs: Sequence[Run], task: str) -> list[Difference]:
    """Every method of a task against that of `question_of`, p-values adjusted for their number; none without the latter.

    Where groups were held out in turn, only those that both methods have count, each against itself.
    """
    baseline = question_of(runs)[1]
    base, tested = compared(runs, task, baseline), []
    for method in methods_of(run for run in runs if run.task == task and run.usual_sigma and run.method != baseline):
        own = compared(runs, task, method)
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
        tested.append((method, metric.gain(metric.scale * points), p, (len(own), len(base))))
    adjusted = holm([p for _, _, p, _ in tested])
    return [Difference(method, points, p, a, counts) for (method, points, p, counts), a in zip(tested, adjusted, strict=True)]


# ------------------------------------------------------------------ codes


@dataclass(frozen=True)
class Spread:
    """A number of some runs: its mean, and its standard deviation over them, None for one value."""

    mean: float
    std: float | None

    def text(self, digits: int) -> str:
        """As a table shows it.

        >>> Spread(390.0, None).text(0), Spread(4.5, 0.25).text(2)
        ('390', '4.50 ± 0.25')
        """
        return f"{self.mean:.{digits}f}" + ("" if self.std is None else f" ± {self.std:.{digits}f}")


def spread(runs: Iterable[Run], name: str) -> Spread | None:
    """One of the metrics of some runs; None where no run has it."""
    values = [value for run in runs if (value := run.metric(name)) is not None]
    return Spread(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None) if values else None


@dataclass(frozen=True)
class Lasting:
    """How long the codes of some runs last (the AdaStride paper's figure 5), equal neighbours as one.

    shares: by input frames, in rising order, of all codes; the mean over runs. codes: how many the codebook has.
    """

    shares: dict[int, float]
    codes: int
    runs: int

    @property
    def mean(self) -> float:
        """How many input frames a code lasts."""
        return sum(frames * share for frames, share in self.shares.items())


def lasting(runs: Sequence[Run], task: str, method: str) -> Lasting | None:
    """See `Lasting`; None where no run has been counted."""
    own = [run for run in compared(runs, task, method) if run.durations]
    if not own:
        return None
    totals = {run.run: sum(line.count for line in run.durations) for run in own}
    shares: dict[int, float] = {}
    for line in sorted((line for run in own for line in run.durations), key=lambda line: line.frames):
        shares[line.frames] = shares.get(line.frames, 0.0) + line.count / totals[line.run] / len(own)
    return Lasting(shares, own[0].durations[0].codes, len(own))


def codebook(runs: Sequence[Run], task: str) -> int | None:
    """How many codes the networks of a task can use; None where nobody has said."""
    known = [line.codes for run in runs if run.task == task for line in run.durations[:1]]
    known += [round(value) for run in runs if run.task == task and (value := run.metric("codes"))]
    return known[0] if known else None


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
    own = [run for run in compared(runs, task, method) if run.pooled and run.pooled_entropy is not None]
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
    own = [run for run in compared(runs, task, method) if run.shifts]
    if not own:
        return None
    changes = own[0].headline.scale * np.array([[value - statistics.fmean(run.shifts) for value in run.shifts] for run in own])
    return Shifted(tuple(changes.mean(axis=0).tolist()), float(changes.std(axis=1).mean()), len(own))


@dataclass(frozen=True)
class Cost:
    """A method's cost on one task and machine relative to that of `question_of`: ratios of medians over runs, by key of COSTS."""

    task: str
    method: str
    ratios: dict[str, float]
    runs: tuple[int, int]


def machines(runs: Iterable[Run]) -> list[str]:
    """Device, threads and width of the runs, the one with most runs first."""
    names = [run.machine for run in runs]
    return sorted(set(names), key=lambda machine: (-names.count(machine), machine))


def costs(runs: Sequence[Run], machine: str) -> list[Cost]:
    """Every task and method against that of `question_of`, among runs on one machine; tasks without the latter are left out."""
    own = [run for run in runs if run.machine == machine and run.usual_sigma]
    relative = []
    for task in tasks_of(own):
        baseline = question_of(own)[1]
        base = compared(own, task, baseline)
        for method in methods_of(run for run in own if run.task == task and run.method != baseline):
            group, ratios = compared(own, task, method), {}
            for name, column in COSTS.items():
                ours, theirs = ([value for run in side if (value := getattr(run, column))] for side in (group, base))
                if ours and theirs:
                    ratios[name] = statistics.median(ours) / statistics.median(theirs)
            if ratios:
                relative.append(Cost(task, method, ratios, (len(group), len(base))))
    return relative


def layer_values(runs: Sequence[Run], layer: int, column: str) -> tuple[float, float | None] | None:
    """The mean and the standard deviation, over runs, of one layer's stride (column = "strides") or σ⁻² (column = "sigmas").

    layer: counted from 0, the lowest. Returns None where no run has such a value; the deviation is None for a single run.
    """
    values = [value for run in runs if layer < len(run.strides) and (value := getattr(run, column)[layer])]
    if not values:
        return None
    values = [value**-2 for value in values] if column == "sigmas" else values
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None
