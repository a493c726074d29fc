"""Pictures of the results, described as data; `inspection.charts` draws them, for the page by Plotly and for files by Matplotlib."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from adastride.inspection.charts import COLOURS, PAPER, Axis, Chart, Panel, Point, Series
from adastride.results.core import (
    BASELINE,
    SIGMAS_INV2,
    Summary,
    compared,
    costs,
    headline_of,
    kind,
    label,
    layer_values,
    layers_of,
    methods_of,
    order_of,
    papers_of,
    pooled,
    shifted,
    summary,
    tasks_of,
    with_sigma,
)
from adastride.results.paper_tables import PaperTable
from adastride.results.reading import COST_NAMES, USUAL_SIGMA_INV2, Run
from adastride.results.report import basis, data_of
from adastride.results.report import points as points_text
from adastride.run_columns import POOLED, SHIFTS
from adastride.tasks import Metric

_KIND_COLOURS = {"fixed": 0, "learned": 2, "adaptive": 1}
_KIND_NAMES = {"fixed": "fixed stride", "learned": "learned stride", "adaptive": "adaptive stride"}
_LAYER_COLOURS = (1, 3, 2, 0, 4, 5, 6, 7)  # the lowest first


def accuracy_chart(runs: Sequence[Run]) -> Chart:
    """The headline metric of every method, a panel for each task, all on one axis; the AdaStride paper's where its data is of the same kind."""
    usual = [run for run in runs if run.usual_sigma]
    found = {
        (task, method): summary(own) for task in tasks_of(usual) for method in methods_of(usual) if (own := compared(usual, task, method))
    }
    tables = {task: _paper(papers_of(runs).accuracy, task) for task in tasks_of(usual)}
    metric = headline_of(runs)
    ends = [metric.scale * value for each in found.values() for value in (each.mean, *each.bounds) if not math.isnan(value)]
    ends += [mean - std for table in tables.values() if table for mean, std in table.values.values()]
    share = Axis(_axis_label(metric), 5 * math.floor(min(ends, default=0.0) / 5) - 1, 101)
    x, panels = share if metric.proportion else _numbers(_axis_label(metric), ends), list[Panel]()
    for task, table in tables.items():
        methods = sorted({*(method for each, method in found if each == task), *(table.values if table else ())}, key=order_of)
        series = []
        for sort, name in _KIND_NAMES.items():
            own = [(row, method, found[task, method]) for row, method in enumerate(methods) if kind(method) == sort and (task, method) in found]
            for thin in (False, True):
                points = tuple(_ours(label(method), each, row=row - 0.12) for row, method, each in own if (each.std is None) == thin)
                series.append(Series(name, _KIND_COLOURS[sort], points, thin=thin))
        if table:
            theirs = [(row, method) for row, method in enumerate(methods) if method in table.values]
            series.append(_theirs(table, tuple(_printed(table, method, label(method), row=row + 0.22) for row, method in theirs)))
        panels.append(Panel(task, x, _categories("", list(map(label, methods)), rows=True), _drawn(series), rows=True))
    return Chart(metric.name, f"{metric.label} by method and task", tuple(panels), f"{_bars(found.values())} {basis(usual)} {data_of(usual)}")


def sigma_chart(runs: Sequence[Run]) -> Chart:
    """AdaStride's headline metric by σ⁻², and with a σ that each layer learns; a panel for each task with at least two of them."""
    names = [*(f"{value:g}" for value in SIGMAS_INV2), "learned"]
    x, panels, used, summaries = _categories("σ⁻² (per squared output frame)", names), [], [], []
    metric = headline_of(runs)
    for task in tasks_of(runs):
        groups = [with_sigma(runs, task, value) for value in SIGMAS_INV2] + [compared(runs, task, "adastride-sigma")]
        found = {place: summary(group) for place, group in enumerate(groups) if group}
        if len(found) < 2:
            continue
        used += [run for group in groups for run in group]
        summaries += found.values()
        series = [
            Series("ours", 1, tuple(_ours(f"σ⁻² {names[n]}", each, column=n) for n, each in found.items() if (each.std is None) == thin), thin=thin)
            for thin in (False, True)
        ]
        if table := _paper(papers_of(runs).sigma, task):
            printed = [(n, name) for n, name in enumerate(names) if name in table.values]
            series.append(_theirs(table, tuple(_printed(table, name, f"σ⁻² {name}", column=n + 0.12) for n, name in printed)))
        series = _drawn(series)
        values = [value for each in series for point in each.points for value in (point.y, point.low, point.high) if not math.isnan(value)]
        panels.append(Panel(task, x, _numbers(_axis_label(metric), values, most=100.0 if metric.proportion else math.inf), series))
    return Chart("sigma", f"{metric.label} of AdaStride by σ⁻²", tuple(panels), f"{_bars(summaries)} {basis(used)} {data_of(used)}")


def pooled_chart(runs: Sequence[Run], method: str) -> Chart:
    """Figure 10: how many input frames an output frame of the uppermost adaptive layer gets; a panel for each task."""
    found = {task: each for task in tasks_of(runs) if (each := pooled(runs, task, method))}
    top = 100 * max((max(each.shares) for each in found.values()), default=1.0)
    last = POOLED - 1
    x = Axis("Input frames an output frame gets", -0.6, last + 0.6, tuple((n, f"{n}" if n < last else f"{n}+") for n in range(0, POOLED, 2)))
    y, panels = Axis("Share of output frames (%)", 0, 1.12 * top), []
    for task, each in found.items():
        spread = "" if each.entropy_std is None else f" ± {each.entropy_std:.2f}"
        points = tuple(
            Point(n, 100 * share, f"{n}{' or more' * (n == last)} input frames: {100 * share:.1f} % of output frames")
            for n, share in enumerate(each.shares)
        )
        series = Series(f"{label(method)}, mean of {_runs(each.runs)}", 1, points, "bar")
        panels.append(Panel(task, x, y, (series,), f"entropy {each.entropy:.2f}{spread} nats"))
    used = [run for task in found for run in compared(runs, task, method) if run.pooled]
    how = "Each input frame counts for the output frame it weighs most in; stride 2 everywhere would be one bar at 2, entropy 0."
    return Chart(f"pooled-{method}", f"Frames pooled by {label(method)}", tuple(panels), f"{how} {basis(used)} {data_of(used)}")


def shift_chart(runs: Sequence[Run], methods: Sequence[str]) -> Chart:
    """Figure 11: the headline metric with the signal shifted by 0 to 10 frames against its average over them; a panel for each task."""
    everyone = sorted(methods_of(runs), key=lambda method: (method != BASELINE, method != "adastride", order_of(method)))
    panels, used = [], []
    found = {(task, method): each for task in tasks_of(runs) for method in methods if (each := shifted(runs, task, method))}
    x = Axis("Shift (mel frames)", -0.3, SHIFTS - 0.7)
    metric = headline_of(runs)
    unit, digits = metric.difference_unit, metric.digits + 1
    y = _numbers(f"Change of {metric.label.lower()} ({unit})", [change for each in found.values() for change in each.changes])
    for task in dict.fromkeys(task for task, _ in found):
        series = []
        for method in sorted((method for each, method in found if each == task), key=order_of):
            each, place = found[task, method], everyone.index(method)
            points = tuple(
                Point(n, change, f"{label(method)}, {n} frames later: {points_text(change, digits)} {unit}") for n, change in enumerate(each.changes)
            )
            name = f"{label(method)} ({each.std:.{digits}f})"
            series.append(Series(name, place % COLOURS, points, "line", dash=place >= COLOURS))
            used += [run for run in compared(runs, task, method) if run.shifts]
        panels.append(Panel(task, x, y, tuple(series)))
    how = f"Against the average over all shifts. In brackets: standard deviation over the shifts, in {unit}."
    return Chart("shift", f"{metric.label} when the input is shifted", tuple(panels), f"{how} {basis(used)} {data_of(used)}")


def cost_chart(runs: Sequence[Run], machine: str) -> Chart:
    """Times and memory relative to strided convolution, among runs on one machine; a panel for each, a mark for each task."""
    found, panels = costs(runs, machine), []
    tasks = [task for task in tasks_of(runs) if any(each.task == task for each in found)]
    for key, name in COST_NAMES.items():
        own = [each for each in found if key in each.ratios]
        methods = sorted({each.method for each in own}, key=order_of)
        series = []
        for place, task in enumerate(tasks):
            points = tuple(
                Point(each.ratios[key], methods.index(each.method) - 0.24 + 0.09 * place, f"{label(each.method)}, {task}: {each.ratios[key]:.2f} ×")
                for each in own if each.task == task
            )
            series.append(Series(f"{task}, ours", (1, 0, 2, 3, 5)[place % 5], points))
        for place, table in enumerate(papers_of(runs).cost):
            ratios = table.values[key]
            points = tuple(
                Point(ratios[method], row + 0.26, f"{label(method)}, {table.paper} paper, {table.table}: {ratios[method]:.2f} ×")
                for row, method in enumerate(methods) if method in ratios
            )
            series.append(Series(f"{table.paper} paper: {table.data}", PAPER - place, points, "hollow"))
        series = _drawn(series)
        if own:
            x = _numbers("× strided convolution", [1.0, *(point.x for each in series for point in each.points)], least=0.0)
            panels.append(Panel(name, x, _categories("", list(map(label, methods)), rows=True), series, guide=1.0, rows=True))
    used = [run for run in runs if run.machine == machine and run.usual_sigma and run.task in tasks]
    how = "Medians over runs on the same device, with as many threads and the same width. Runs that shared a machine with others make times rough."
    return Chart("cost", "Time and memory relative to strided convolution", tuple(panels), f"{how} {basis(used)}")


def stride_chart(runs: Sequence[Run]) -> Chart:
    """Learned strides of DiffStride and DCT-DiffStride and learned σ⁻² by task and layer; a panel for each method."""
    panels, used = [], []
    for method in methods_of(runs):
        strides = kind(method) == "learned"
        groups = {task: own for task in tasks_of(runs) if (own := compared(runs, task, method)) and (strides or own[0].learn_sigma)}
        if not groups:
            continue
        tasks = list(groups)
        used += [run for own in groups.values() for run in own]
        stride, sigma = ("strides", "Stride (input frames per output frame)", 2.0), ("sigmas", "σ⁻² (per squared output frame)", USUAL_SIGMA_INV2)
        what, name, start = stride if strides else sigma
        series = []
        layers = layers_of(run for own in groups.values() for run in own)
        for layer in range(layers):
            points = []
            for row, (task, own) in enumerate(groups.items()):
                if found := layer_values(own, layer, what):
                    mean, std = found[0], found[1] or math.nan
                    text = f"{name.split()[0]} of layer {layer + 1}, {task}: {mean:.2f}, {_runs(len(own))}"
                    points.append(Point(mean, row + 0.4 * (layer / max(1, layers - 1) - 0.5), text, mean - std, mean + std))
            series.append(Series(f"layer {layer + 1}, ours", _LAYER_COLOURS[layer], tuple(points)))
        if method == "diffstride":
            own = [(tasks.index(table.task), table) for table in papers_of(runs).strides if table.task in groups]
            series += [_theirs(table, (_printed(table, method, "Layer 1", row=row - 0.36),), ", layer 1") for row, table in own]
        series = _drawn(series)
        values = [value for each in series for point in each.points for value in (point.x, point.low, point.high) if not math.isnan(value)]
        panels.append(Panel(label(method), _numbers(name, [*values, start]), _categories("", tasks, rows=True), series, guide=start, rows=True))
    how = "Dashed: the value training begins with. Bars: ± standard deviation over runs."
    return Chart("strides", "Learned strides and σ by task", tuple(panels), f"{how} {basis(used)} {data_of(used)}")


def _paper(tables: Sequence[PaperTable], task: str) -> PaperTable | None:
    return next((table for table in tables if table.task == task), None)


def _axis_label(metric: Metric) -> str:
    """What an axis of a metric is called: "Accuracy (% of test clips)"."""
    return f"{metric.label} ({metric.unit}{' of test clips' * metric.proportion})"


def _ours(name: str, each: Summary, row: float | None = None, column: float | None = None) -> Point:
    """Our headline metric, in a row or a column of categories."""
    metric, value = each.metric, each.metric.scale * each.mean
    interval = f" (95 % interval of the clips: {metric.number(each.interval[0])} – {metric.text(each.interval[1])})" if each.interval else ""
    text = f"{name}: {each} {metric.unit}, {_runs(each.runs)}, {each.clips} test clips{interval}"
    place = (value, row) if column is None else (column, value)
    return Point(*place, text, *(metric.scale * end for end in each.bounds))


def _printed(table: PaperTable, key: str, name: str, row: float | None = None, column: float | None = None) -> Point:
    """A paper's number."""
    mean, std = table.values[key]
    return Point(*((mean, row) if column is None else (column, mean)), f"{name}, {table.source}: {mean:g} ± {std:g}", mean - std, mean + std)


def _theirs(table: PaperTable, points: tuple[Point, ...], what: str = "") -> Series:
    return Series(f"{table.paper} paper{what}: {table.data}, not the same data", PAPER, points, "hollow")


def _drawn(series: Sequence[Series]) -> tuple[Series, ...]:
    """Those that have marks."""
    return tuple(each for each in series if each.points)


def _categories(text: str, names: Sequence[str], rows: bool = False) -> Axis:
    """Places 0, 1, ... for names; rows count downwards."""
    low, high = -0.6, len(names) - 0.4
    return Axis(text, *((high, low) if rows else (low, high)), tuple(enumerate(names)))


def _numbers(text: str, values: Sequence[float], least: float = -math.inf, most: float = math.inf) -> Axis:
    """An axis around the values, with a little room at both ends; never far past least and most."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = max(0.08 * (high - low), 0.02 * abs(high), 1e-3)
    return Axis(text, max(low - room, least), min(high + room, most + room / 2))


def _runs(count: int) -> str:
    return f"{count} {'run' if count == 1 else 'runs'}"


def _bars(summaries: Iterable[Summary]) -> str:
    """What the bars mean, of those that occur."""
    found = list(summaries)
    units = sorted({each.unit for each in found if each.std is not None}, reverse=True)
    texts = [f"Thick bars: ± standard deviation over {' or '.join(units)}."] if units else []
    if any(each.std is None and each.interval for each in found):
        texts.append("Thin bars: one run only, Wilson’s 95 % interval of its test clips.")
    return " ".join(texts)
