"""The charts of the results, described as data. `inspection.charts` draws them: with Plotly for the page, with Matplotlib for files."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from adastride.inspection.charts import COLOURS, PAPER, Axis, Chart, Panel, Point, Series
from adastride.results.core import (
    BASELINE,
    SIGMAS_INV2,
    Lasting,
    Summary,
    compared,
    costs,
    headline_of,
    in_words,
    kind,
    label,
    lasting,
    layer_values,
    layers_of,
    methods_of,
    order_of,
    papers_of,
    pooled,
    question_of,
    shifted,
    summary,
    tasks_of,
    with_sigma,
)
from adastride.results.paper_tables import PaperTable
from adastride.results.reading import COST_NAMES, Run, usual_sigma_inv2
from adastride.results.report import basis, data_of
from adastride.results.report import points as points_text
from adastride.run_columns import POOLED, SHIFTS
from adastride.tasks import Metric

_KIND_COLOURS = {"fixed": 0, "learned": 2, "adaptive": 1}
_KIND_NAMES = {"fixed": "fixed stride", "learned": "learned stride", "adaptive": "adaptive stride"}
MOST_LASTING = 40  # mel frames that have a bar of their own; what lasts longer has the last one
_LAYER_COLOURS = (1, 3, 2, 0, 4, 5, 6, 7)  # the lowest first


def accuracy_chart(runs: Sequence[Run]) -> Chart:
    """The headline metric of every method, a panel for each task: accuracies on one axis, rates of different units on axes of their own.

    The AdaStride paper's numbers stand beside ours where its data is of the same kind.
    """
    comparable = [run for run in runs if run.usual_sigma]
    summaries = {
        (task, method): summary(own)
        for task in tasks_of(comparable) for method in methods_of(comparable) if (own := compared(comparable, task, method))
    }
    tables = {task: _paper(papers_of(runs).accuracy, task) for task in tasks_of(comparable)}
    metric = headline_of(runs)
    ends = {
        task: [metric.scale * value for (other, _), outcome in summaries.items() if other == task for value in (outcome.mean, *outcome.bounds)
               if not math.isnan(value)] + [mean if math.isnan(std) else mean - std for mean, std in (table.values.values() if table else ())]
        for task, table in tables.items()
    }
    lowest = min((end for own in ends.values() for end in own), default=0.0)
    share, panels = Axis(_axis_label(metric), 5 * math.floor(lowest / 5) - 1, 101), list[Panel]()
    for task, table in tables.items():
        ours = [method for (other_task, method) in summaries if other_task == task]
        methods = sorted({*ours, *(table.values if table else ())}, key=order_of)
        series = []
        for kind_key, name in _KIND_NAMES.items():
            rows = [(row, method) for row, method in enumerate(methods) if kind(method) == kind_key and method in ours]
            outcomes = [(row - 0.12, label(method), summaries[task, method]) for row, method in rows]
            for thin in (False, True):
                points = tuple(_ours(text, outcome, row=row) for row, text, outcome in outcomes if (outcome.std is None) == thin)
                series.append(Series(name, _KIND_COLOURS[kind_key], points, thin=thin))
        if table:
            printed = [(row, method) for row, method in enumerate(methods) if method in table.values]
            series.append(_theirs(table, tuple(_printed(table, method, label(method), row=row + 0.22) for row, method in printed)))
        x = share if metric.proportion else _measured(metric, ends[task])
        panels.append(Panel(task, x, _categories("", list(map(label, methods)), rows=True), _drawn(series), rows=True))
    facts = f"{_bars(summaries.values())} {basis(comparable)} {data_of(comparable)}"
    return Chart(metric.name, f"{metric.label} by method and task", tuple(panels), facts)


def sigma_chart(runs: Sequence[Run]) -> Chart:
    """AdaStride's headline metric by σ⁻², the learned σ last: a panel for each task that has results with at least two of them."""
    names = [*(f"{value:g}" for value in SIGMAS_INV2), "learned"]
    x, panels, used, all_summaries = _categories("σ⁻² (per squared output frame)", names), [], [], []
    metric = headline_of(runs)
    for task in tasks_of(runs):
        groups = [with_sigma(runs, task, value) for value in SIGMAS_INV2] + [compared(runs, task, "adastride-sigma")]
        summaries = {index: summary(group) for index, group in enumerate(groups) if group}
        if len(summaries) < 2:
            continue
        used += [run for group in groups for run in group]
        all_summaries += summaries.values()
        series = []
        for thin in (False, True):
            outcomes = [(index, outcome) for index, outcome in summaries.items() if (outcome.std is None) == thin]
            series.append(Series("ours", 1, tuple(_ours(f"σ⁻² {names[index]}", outcome, column=index) for index, outcome in outcomes), thin=thin))
        if table := _paper(papers_of(runs).sigma, task):
            printed = [(index, name) for index, name in enumerate(names) if name in table.values]
            series.append(_theirs(table, tuple(_printed(table, name, f"σ⁻² {name}", column=index + 0.12) for index, name in printed)))
        series = _drawn(series)
        points = [point for drawn in series for point in drawn.points]
        values = [value for point in points for value in (point.y, point.low, point.high) if not math.isnan(value)]
        panels.append(Panel(task, x, _measured(metric, values), series))
    return Chart("sigma", f"{metric.label} of AdaStride by σ⁻²", tuple(panels), f"{_bars(all_summaries)} {basis(used)} {data_of(used)}")


def pooled_chart(runs: Sequence[Run], method: str) -> Chart:
    """How many input frames an output frame of the uppermost adaptive layer gets (the paper's figure 10): a panel for each task."""
    pooled_by_task = {task: frames_pooled for task in tasks_of(runs) if (frames_pooled := pooled(runs, task, method))}
    top = 100 * max((max(frames_pooled.shares) for frames_pooled in pooled_by_task.values()), default=1.0)
    last = POOLED - 1
    ticks = tuple((count, f"{count}" if count < last else f"{count}+") for count in range(0, POOLED, 2))
    x = Axis("Input frames an output frame gets", -0.6, last + 0.6, ticks)
    y, panels = Axis("Share of output frames (%)", 0, 1.12 * top), []
    for task, frames_pooled in pooled_by_task.items():
        spread = "" if frames_pooled.entropy_std is None else f" ± {frames_pooled.entropy_std:.2f}"
        points = tuple(
            Point(count, 100 * share, f"{count}{' or more' * (count == last)} input frames: {100 * share:.1f} % of output frames")
            for count, share in enumerate(frames_pooled.shares)
        )
        series = Series(f"{label(method)}, mean of {_runs(frames_pooled.runs)}", 1, points, "bar")
        panels.append(Panel(task, x, y, (series,), f"entropy {frames_pooled.entropy:.2f}{spread} nats"))
    used = [run for task in pooled_by_task for run in compared(runs, task, method) if run.pooled]
    how = "Each input frame counts for the output frame it weighs most in; stride 2 everywhere would be one bar at 2, entropy 0."
    return Chart(f"pooled-{method}", f"Frames pooled by {label(method)}", tuple(panels), f"{how} {basis(used)} {data_of(used)}")


def durations_chart(runs: Sequence[Run]) -> Chart:
    """How long codes last, equal neighbours as one (the AdaStride paper's figure 5): a panel for each task and method."""
    found = {
        (task, method): durations for task in tasks_of(runs) for method in methods_of(runs) if (durations := lasting(runs, task, method))
    }
    top = 100 * max((max(_binned(durations)) for durations in found.values()), default=1.0)
    x = Axis("Duration of a code (mel frames)", 0.4, MOST_LASTING + 0.6, tuple(
        (frames, f"{frames}" if frames < MOST_LASTING else f"{frames}+") for frames in range(8, MOST_LASTING + 1, 8)
    ))
    y, panels = Axis("Share of codes (%)", 0, 1.12 * top), []
    for (_, method), durations in found.items():
        points = tuple(
            Point(frames, 100 * share, f"{frames}{' or more' * (frames == MOST_LASTING)} mel frames: {100 * share:.1f} % of codes")
            for frames, share in enumerate(_binned(durations), start=1)
        )
        series = Series(f"{label(method)}, mean of {_runs(durations.runs)}", _KIND_COLOURS[kind(method)], points, "bar")
        panels.append(Panel(f"{durations.codes} codes, {label(method)}", x, y, (series,), f"mean {durations.mean:.1f} mel frames"))
    used = [run for task, method in found for run in compared(runs, task, method) if run.durations]
    how = "Equal codes beside each other count as one."
    below = {math.prod(run.strides[:-1]) for run in used if None not in run.strides}
    if len(below) == 1:
        how += f" A frame before the last downsampling, which the paper counts in, is {below.pop():g} mel frames."
    return Chart("durations", "How long codes last", tuple(panels), f"{how} {basis(used)} {data_of(used)}")


def _binned(durations: Lasting) -> list[float]:
    """The shares of codes that last 1 ... `MOST_LASTING` frames, the last with all that last longer."""
    shares = [durations.shares.get(frames, 0.0) for frames in range(1, MOST_LASTING)]
    return [*shares, sum(share for frames, share in durations.shares.items() if frames >= MOST_LASTING)]


def shift_chart(runs: Sequence[Run], methods: Sequence[str]) -> Chart:
    """By how much the headline metric at shifts of 0 to 10 frames differs from its average over them (the paper's figure 11).

    There is a panel for each task and a line for each of the methods.
    """
    everyone = sorted(methods_of(runs), key=lambda method: (method != BASELINE, method != "adastride", order_of(method)))
    panels, used = [], []
    shifts_of = {(task, method): shift for task in tasks_of(runs) for method in methods if (shift := shifted(runs, task, method))}
    x = Axis("Shift (mel frames)", -0.3, SHIFTS - 0.7)
    metric = headline_of(runs)
    unit, digits = metric.difference_unit, metric.digits + 1
    y = _numbers(f"Change of {metric.label.lower()} ({unit})", [change for shift in shifts_of.values() for change in shift.changes])
    for task in dict.fromkeys(task for task, _ in shifts_of):
        series = []
        for method in sorted((method for other_task, method in shifts_of if other_task == task), key=order_of):
            shift, colour = shifts_of[task, method], everyone.index(method)
            points = tuple(
                Point(frames, change, f"{label(method)}, {frames} frames later: {points_text(change, digits)} {unit}")
                for frames, change in enumerate(shift.changes)
            )
            name = f"{label(method)} ({shift.std:.{digits}f})"
            series.append(Series(name, colour % COLOURS, points, "line", dash=colour >= COLOURS))
            used += [run for run in compared(runs, task, method) if run.shifts]
        panels.append(Panel(task, x, y, tuple(series)))
    how = f"Against the average over all shifts. In brackets: standard deviation over the shifts, in {unit}."
    return Chart("shift", f"{metric.label} when the input is shifted", tuple(panels), f"{how} {basis(used)} {data_of(used)}")


def cost_chart(runs: Sequence[Run], machine: str) -> Chart:
    """Times and memory relative to that of `question_of`, from runs on one machine: a panel for each cost, a mark for each task."""
    against = in_words(question_of(runs)[1])
    relative_costs, panels = costs(runs, machine), []
    tasks = [task for task in tasks_of(runs) if any(cost.task == task for cost in relative_costs)]
    for key, name in COST_NAMES.items():
        of_measure = [cost for cost in relative_costs if key in cost.ratios]
        methods = sorted({cost.method for cost in of_measure}, key=order_of)
        series = []
        for index, task in enumerate(tasks):
            points = tuple(
                Point(
                    cost.ratios[key], methods.index(cost.method) - 0.24 + 0.09 * index, f"{label(cost.method)}, {task}: {cost.ratios[key]:.2f} ×",
                )
                for cost in of_measure if cost.task == task
            )
            series.append(Series(f"{task}, ours", (1, 0, 2, 3, 5)[index % 5], points))
        for index, table in enumerate(papers_of(runs).cost):
            ratios = table.values[key]
            points = tuple(
                Point(ratios[method], row + 0.26, f"{label(method)}, {table.paper} paper, {table.table}: {ratios[method]:.2f} ×")
                for row, method in enumerate(methods) if method in ratios
            )
            series.append(Series(f"{table.paper} paper: {table.data}", PAPER - index, points, "hollow"))
        series = _drawn(series)
        if of_measure:
            x = _numbers(f"× {against}", [1.0, *(point.x for drawn in series for point in drawn.points)], lowest=0.0)
            panels.append(Panel(name, x, _categories("", list(map(label, methods)), rows=True), series, guide=1.0, rows=True))
    used = [run for run in runs if run.machine == machine and run.usual_sigma and run.task in tasks]
    how = "Medians over runs on the same device, with as many threads and the same width. Runs that shared a machine with others make times rough."
    return Chart("cost", f"Time and memory relative to {against}", tuple(panels), f"{how} {basis(used)}")


def stride_chart(runs: Sequence[Run]) -> Chart:
    """The learned strides of DiffStride and DCT-DiffStride, and learned values of σ⁻², by task and layer: a panel for each method."""
    panels, used = [], []
    for method in methods_of(runs):
        strides = kind(method) == "learned"
        groups = {task: own for task in tasks_of(runs) if (own := compared(runs, task, method)) and (strides or own[0].learn_sigma)}
        if not groups:
            continue
        tasks = list(groups)
        used += [run for own in groups.values() for run in own]
        stride, sigma = ("strides", "Stride (input frames per output frame)", 2.0), ("sigmas", "σ⁻² (per squared output frame)", usual_sigma_inv2(own[0].kind))
        column, name, start = stride if strides else sigma
        series = []
        layers = layers_of(run for own in groups.values() for run in own)
        for layer in range(layers):
            points = []
            for row, (task, own) in enumerate(groups.items()):
                if mean_and_std := layer_values(own, layer, column):
                    mean, std = mean_and_std[0], mean_and_std[1] or math.nan
                    text = f"{name.split()[0]} of layer {layer + 1}, {task}: {mean:.2f}, {_runs(len(own))}"
                    points.append(Point(mean, row + 0.4 * (layer / max(1, layers - 1) - 0.5), text, mean - std, mean + std))
            series.append(Series(f"layer {layer + 1}, ours", _LAYER_COLOURS[layer], tuple(points)))
        if method == "diffstride":
            printed = [(tasks.index(table.task), table) for table in papers_of(runs).strides if table.task in groups]
            series += [_theirs(table, (_printed(table, method, "Layer 1", row=row - 0.36),), ", layer 1") for row, table in printed]
        series = _drawn(series)
        points = [point for drawn in series for point in drawn.points]
        values = [value for point in points for value in (point.x, point.low, point.high) if not math.isnan(value)]
        panels.append(Panel(label(method), _numbers(name, [*values, start]), _categories("", tasks, rows=True), series, guide=start, rows=True))
    how = "Dashed: the value training begins with. Bars: ± standard deviation over runs."
    return Chart("strides", "Learned strides and σ by task", tuple(panels), f"{how} {basis(used)} {data_of(used)}")


def _paper(tables: Sequence[PaperTable], task: str) -> PaperTable | None:
    return next((table for table in tables if table.task == task), None)


def _axis_label(metric: Metric) -> str:
    """The label of a metric's axis: "Accuracy (% of test clips)", "Error rate (% of words)"."""
    of = " of test clips" if metric.proportion else f" of {metric.per}" if metric.per and metric.unit == "%" else ""
    return f"{metric.label} ({metric.unit}{of})"


def _measured(metric: Metric, values: Sequence[float]) -> Axis:
    """An axis around values of a metric; one of errors begins at none."""
    if metric.per is not None:
        return _numbers(_axis_label(metric), [0.0, *values], lowest=0.0)
    return _numbers(_axis_label(metric), values, highest=100.0 if metric.proportion else math.inf)


def _ours(name: str, outcome: Summary, row: float | None = None, column: float | None = None) -> Point:
    """A mark of our headline metric. row or column: where its category stands on the axis of categories; give one of them."""
    metric, value = outcome.metric, outcome.metric.scale * outcome.mean
    interval = ""
    if outcome.interval:
        interval = f" (95 % interval of the {outcome.sampled}: {metric.number(outcome.interval[0])} – {metric.text(outcome.interval[1])})"
    text = f"{name}: {outcome} {metric.unit}, {_runs(outcome.runs)}, {outcome.clips} test clips{interval}"
    place = (value, row) if column is None else (column, value)
    return Point(*place, text, *(metric.scale * end for end in outcome.bounds))


def _printed(table: PaperTable, key: str, name: str, row: float | None = None, column: float | None = None) -> Point:
    """A mark of a number that a paper prints. row or column: as for `_ours`."""
    mean, std = table.values[key]
    text = f"{mean:g}" if math.isnan(std) else f"{mean:g} ± {std:g}"
    return Point(*((mean, row) if column is None else (column, mean)), f"{name}, {table.source}: {text}", mean - std, mean + std)


def _theirs(table: PaperTable, points: tuple[Point, ...], suffix: str = "") -> Series:
    return Series(f"{table.paper} paper{suffix}: {table.data}, not the same data", PAPER, points, "hollow")


def _drawn(series: Sequence[Series]) -> tuple[Series, ...]:
    """The series that have marks."""
    return tuple(marks for marks in series if marks.points)


def _categories(text: str, names: Sequence[str], rows: bool = False) -> Axis:
    """An axis that places names at 0, 1, ...; rows count downwards."""
    low, high = -0.6, len(names) - 0.4
    return Axis(text, *((high, low) if rows else (low, high)), tuple(enumerate(names)))


def _numbers(text: str, values: Sequence[float], lowest: float = -math.inf, highest: float = math.inf) -> Axis:
    """An axis around the values, with a little room at both ends: never below `lowest`, and hardly above `highest`."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = max(0.08 * (high - low), 0.02 * abs(high), 1e-3)
    return Axis(text, max(low - room, lowest), min(high + room, highest + room / 2))


def _runs(count: int) -> str:
    return f"{count} {'run' if count == 1 else 'runs'}"


def _bars(summaries: Iterable[Summary]) -> str:
    """Sentences that say what the bars mean, for the kinds of bars that occur."""
    all_summaries = list(summaries)
    units = sorted({outcome.unit for outcome in all_summaries if outcome.std is not None}, reverse=True)
    texts = [f"Thick bars: ± standard deviation over {' or '.join(units)}."] if units else []
    thin = {outcome.sampled for outcome in all_summaries if outcome.std is None and outcome.interval}
    texts += ["Thin bars: one run only, Wilson’s 95 % interval of its test clips."] * ("clips" in thin)
    texts += ["Thin bars: one run only, a bootstrap’s 95 % interval over its test speakers."] * ("speakers" in thin)
    if any(outcome.std is None and not outcome.interval for outcome in all_summaries):
        texts.append("Without a bar: one run only, whose spread over speakers the file does not hold.")
    return " ".join(texts)
