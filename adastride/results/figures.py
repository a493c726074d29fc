"""Pictures of the results: each is described once, as data, and drawn by Plotly for the page and by Matplotlib for files.

Every chart has a panel for each task or measure. All of them are drawn alike: filled marks are ours, hollow ones a paper's.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation

from adastride.inspection.figures import styled
from adastride.results.core import (
    BASELINE,
    COST_NAMES,
    POOLED,
    SHIFTS,
    SIGMAS_INV2,
    USUAL_SIGMA_INV2,
    PaperTable,
    Run,
    Summary,
    chosen,
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
from adastride.results.report import basis, data_of
from adastride.results.report import points as points_text
from adastride.tasks import Metric

# Orange is what has a uniform stride, blue what adapts, as everywhere in the app; safe for the colour-blind.
_LIGHT = ("#D55E00", "#0072B2", "#A6497E", "#007A5A", "#B8860B", "#5B4FC4", "#1B9AAA", "#7A5230")
_DARK = ("#F0935A", "#56B4E9", "#E08BBE", "#3FC59B", "#E6C34A", "#A79BF0", "#5FD6E0", "#C79A6B")
_KIND_COLOURS = {"fixed": 0, "learned": 2, "adaptive": 1}
_KIND_NAMES = {"fixed": "fixed stride", "learned": "learned stride", "adaptive": "adaptive stride"}
_LAYER_COLOURS = (1, 3, 2, 0, 4, 5, 6, 7)  # the lowest first
_PAPER = -1  # the colour of what is a paper's
_INK = {False: ("#1E2430", "#5A6372", "#DDE1E7"), True: ("#EEF1F7", "#A7AFBD", "#333B4A")}  # text, quiet text, grid; by darkness
_ROW, _FRAME, _LINE_HEIGHT = 25, 118, 350  # CSS pixels: a category, what is around the plot, a chart of lines or bars
_WIDTH, _COLUMNS = 7.2, 2  # of an exported figure: inches, panels beside each other
_SHORT_NAME = 28  # letters of a name that finds room in half a legend


@dataclass(frozen=True)
class Axis:
    """label with its unit; low, high: what is shown. ticks: positions and names of categories; () for numbers."""

    label: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True)
class Point:
    """A mark. text: what it says when the pointer is on it. low, high: ends of its bar along the axis of values, NaN for none."""

    x: float
    y: float
    text: str
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True)
class Series:
    """Marks of one name and colour: a place in the palette, negative for a paper's.

    look: "dot", "hollow", "line" or "bar". thin: a bar from low to high that is no standard deviation is drawn thin.
    dash: a dashed line.
    """

    name: str
    colour: int
    points: tuple[Point, ...]
    look: str = "dot"
    thin: bool = False
    dash: bool = False


@dataclass(frozen=True)
class Panel:
    """One plot. corner: a note in its upper right corner. guide: a value with a dashed line through it. rows: whether the
    categories are rows, so that values go along x."""

    title: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    corner: str = ""
    guide: float | None = None
    rows: bool = False

    @property
    def height(self) -> int:
        """CSS pixels: rows as high as text needs, and a line for every third name of the legend."""
        legend = 20 * math.ceil(len({each.name for each in self.series}) / 2)
        return legend + (_FRAME + _ROW * len(self.y.ticks) if self.rows else _LINE_HEIGHT)


@dataclass(frozen=True)
class Chart:
    """name: for a file. title: for people. facts: what it stands on and how to read it, in sentences."""

    name: str
    title: str
    panels: tuple[Panel, ...]
    facts: str


# ------------------------------------------------------------------ what is shown


def accuracy_chart(runs: Sequence[Run]) -> Chart:
    """The headline metric of every method, a panel for each task, all on one axis; the AdaStride paper's where its data is of the same kind."""
    usual = [run for run in runs if run.usual]
    found = {
        (task, method): summary(own) for task in tasks_of(usual) for method in methods_of(usual) if (own := chosen(usual, task, method))
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
        groups = [with_sigma(runs, task, value) for value in SIGMAS_INV2] + [chosen(runs, task, "adastride-sigma")]
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
    used = [run for task in found for run in chosen(runs, task, method) if run.pooled]
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
            series.append(Series(name, place % len(_LIGHT), points, "line", dash=place >= len(_LIGHT)))
            used += [run for run in chosen(runs, task, method) if run.shifts]
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
            series.append(Series(f"{table.paper} paper: {table.data}", _PAPER - place, points, "hollow"))
        series = _drawn(series)
        if own:
            x = _numbers("× strided convolution", [1.0, *(point.x for each in series for point in each.points)], least=0.0)
            panels.append(Panel(name, x, _categories("", list(map(label, methods)), rows=True), series, guide=1.0, rows=True))
    used = [run for run in runs if run.machine == machine and run.usual and run.task in tasks]
    how = "Medians over runs on the same device, with as many threads and the same width. Runs that shared a machine with others make times rough."
    return Chart("cost", "Time and memory relative to strided convolution", tuple(panels), f"{how} {basis(used)}")


def stride_chart(runs: Sequence[Run]) -> Chart:
    """Learned strides of DiffStride and DCT-DiffStride and learned σ⁻² by task and layer; a panel for each method."""
    panels, used = [], []
    for method in methods_of(runs):
        strides = kind(method) == "learned"
        groups = {task: own for task in tasks_of(runs) if (own := chosen(runs, task, method)) and (strides or own[0].learn_sigma)}
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
    return Series(f"{table.paper} paper{what}: {table.data}, not the same data", _PAPER, points, "hollow")


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


# ------------------------------------------------------------------ Plotly


def plotly_panel(panel: Panel, dark: bool = False) -> go.Figure:
    """A panel for the page, as wide as its place; for st.plotly_chart(theme=None)."""
    ink, quiet, grid = _INK[dark]
    figure, named = go.Figure(), set()
    for each in panel.series:
        figure.add_trace(_trace(each, panel, dark, each.name not in named))
        named.add(each.name)
    for axis, update, long in ((panel.x, figure.update_xaxes, panel.rows), (panel.y, figure.update_yaxes, not panel.rows)):
        update(
            title={"text": axis.label, "font": {"size": 12, "color": quiet}, "standoff": 6},
            range=[axis.low, axis.high], automargin=True, fixedrange=True,
            tickfont={"size": 12, "color": ink}, showgrid=long, gridcolor=grid, zeroline=False, linecolor=grid, showline=True, ticks="",
            **({"tickvals": [place for place, _ in axis.ticks], "ticktext": [name for _, name in axis.ticks]} if axis.ticks else {"nticks": 6}),
        )
    if panel.guide is not None:
        figure.add_vline(panel.guide, line={"color": quiet, "width": 1, "dash": "dash"})
    if panel.corner:
        corner = {"x": 1, "y": 1, "xref": "paper", "yref": "paper", "xanchor": "right", "yanchor": "top"}
        figure.add_annotation(text=panel.corner, **corner, showarrow=False, font={"color": ink})
    figure.update_layout(
        title={"text": f"<b>{panel.title}</b>", "x": 0, "xanchor": "left", "y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 6, "l": 4},
               "font": {"size": 14, "color": ink}},
        height=panel.height, margin={"l": 8, "r": 12, "t": 34, "b": 8}, paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
        font={"family": '"Source Sans", sans-serif', "size": 12, "color": ink}, bargap=0.15, hovermode="closest",
        hoverlabel={"bgcolor": "#1A1F2B" if dark else "#FFFFFF", "font": {"color": ink}, "align": "left"},
        legend={"orientation": "h", "x": 0, "xref": "container", "y": 0, "yref": "container", "yanchor": "bottom", "font": {"size": 12, "color": ink},
                "itemclick": False, "itemdoubleclick": False},
        showlegend=True,
    )
    return figure


def _colour(index: int, dark: bool) -> str:
    """A colour by its place; the papers have the two of quiet text."""
    if index < 0:
        return _INK[dark][1] if index == _PAPER else _INK[dark][0]
    return (_DARK if dark else _LIGHT)[index]


def _arrays(each: Series) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """x, y, low and high of its points."""
    return tuple(np.array([getattr(point, name) for point in each.points], float) for name in ("x", "y", "low", "high"))


def _trace(each: Series, panel: Panel, dark: bool, first: bool) -> go.Bar | go.Scatter:
    colour = _colour(each.colour, dark)
    x, y, low, high = _arrays(each)
    common = {"x": x, "y": y, "name": each.name, "legendgroup": each.name, "showlegend": first, "hoverinfo": "text",
              "hovertext": [point.text for point in each.points]}
    if each.look == "bar":
        return go.Bar(**common, marker={"color": colour})
    values = x if panel.rows else y
    whiskers = {"type": "data", "symmetric": False, "array": high - values, "arrayminus": values - low, "width": 0 if not each.thin else 3,
                "thickness": 1 if each.thin or each.look == "hollow" else 3, "color": colour, "visible": bool(np.isfinite(low).any())}
    marker = {"size": 8, "color": colour, "symbol": "circle"}
    if each.look == "hollow":
        marker = {"size": 8, "color": colour, "symbol": "diamond-open", "line": {"width": 1.5}}
    if each.look == "line":
        line = {"color": colour, "width": 2, "dash": "dash" if each.dash else "solid"}
        return go.Scatter(**common, mode="lines+markers", line=line, marker={**marker, "size": 5})
    return go.Scatter(**common, mode="markers", marker=marker, **{"error_x" if panel.rows else "error_y": whiskers})


# ------------------------------------------------------------------ Matplotlib


def export_figure(chart: Chart) -> Figure:
    """The whole chart on one page for a paper or a slide, what it stands on under it; `figures.render` makes a file of it.

    Raises ValueError for a chart without panels.
    """
    if not chart.panels:
        raise ValueError(f"there is nothing to draw for {chart.title!r}")
    with styled():
        return _compose(chart)


def _compose(chart: Chart) -> Figure:
    columns = min(_COLUMNS, len(chart.panels))
    lines = math.ceil(len(chart.panels) / columns)
    rows = [chart.panels[line * columns : (line + 1) * columns] for line in range(lines)]
    heights = [max(panel.height for panel in row) / 110 for row in rows]
    facts = textwrap.fill(chart.facts, 145)
    below = 0.2 + 0.125 * (facts.count("\n") + 1)
    figure = Figure(figsize=(_WIDTH, sum(heights) + 0.3 + below), dpi=200, layout="constrained")
    FigureCanvasAgg(figure)
    height = figure.get_size_inches()[1]
    figure.get_layout_engine().set(rect=(0, below / height, 1, 1 - (below + 0.3) / height), h_pad=0.06, w_pad=0.05)
    figure.text(0.012, 1 - 0.1 / height, chart.title, va="top", fontsize=10, fontweight="bold", parse_math=False)
    figure.text(0.012, 0.08 / height, facts, va="bottom", fontsize=6.5, color="#5A6372", parse_math=False)
    grid = figure.add_gridspec(lines, columns, height_ratios=heights)
    for place, panel in enumerate(chart.panels):
        _draw(figure.add_subplot(grid[place // columns, place % columns]), panel)
    # The layout solver's last digits vary from run to run: lay out once, and round.
    figure.get_layout_engine().execute(figure)
    figure.set_layout_engine("none")
    for ax in figure.axes:
        ax.set_position(np.round(ax.get_position(original=True).bounds, 5))
    return figure


def _draw(ax, panel: Panel) -> None:
    for each in panel.series:
        colour = _colour(each.colour, False)
        x, y, low, high = _arrays(each)
        if each.look == "bar":
            ax.bar(x, y, color=colour, width=0.85, label=each.name)
            continue
        values = x if panel.rows else y
        whiskers = np.nan_to_num(np.stack([values - low, high - values]))
        wide = 0.8 if each.thin or each.look == "hollow" else 2.0
        ax.errorbar(
            x, y, **{"xerr" if panel.rows else "yerr": whiskers}, color=colour, label=each.name, elinewidth=wide, capsize=1.5 if each.thin else 0,
            linestyle=("--" if each.dash else "-") if each.look == "line" else "none", linewidth=1.2, marker="D" if each.look == "hollow" else "o",
            markersize=2.5 if each.look == "line" else 3.5, markerfacecolor="white" if each.look == "hollow" else colour,
        )
    for axis, limits, ticks, text in ((panel.x, ax.set_xlim, ax.set_xticks, ax.set_xlabel), (panel.y, ax.set_ylim, ax.set_yticks, ax.set_ylabel)):
        limits(axis.low, axis.high)
        text(axis.label, color="#5A6372")
        if axis.ticks:
            ticks([place for place, _ in axis.ticks], labels=[name for _, name in axis.ticks])
    ax.grid(axis="x" if panel.rows else "y", color="#DDE1E7", linewidth=0.5)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    if panel.guide is not None:
        ax.axvline(panel.guide, color="#5A6372", linewidth=0.7, linestyle="--")
    if panel.corner:
        ax.text(1, 1, panel.corner, transform=ax.transAxes, ha="right", va="top", fontsize=7.5)
    ax.set_title(panel.title, loc="left", fontweight="bold", parse_math=False)
    names = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    # A line of text under the axis label, wherever the panel ends.
    below = ax.transAxes + ScaledTranslation(0, -32 / 72, ax.figure.dpi_scale_trans)
    ax.legend(names.values(), names, loc="upper left", bbox_to_anchor=(-0.15, 0), bbox_transform=below, borderaxespad=0, fontsize=6.5, frameon=False,
              ncols=2 if max(map(len, names)) <= _SHORT_NAME else 1, handlelength=1.5, columnspacing=1.0)
