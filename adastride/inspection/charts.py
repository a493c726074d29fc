"""Charts described once, as data, and drawn by Plotly for pages and by Matplotlib for files.

A `Chart` has a panel for each task or measure, a `Panel` has two axes and `Series` of marks. All of them are drawn alike: filled marks
are ours, hollow ones a paper's.
"""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.transforms import ScaledTranslation

from adastride.inspection.figures import styled

# Orange is what has a uniform stride, blue what adapts, as everywhere in the app. Any two differ by a CIEDE2000 of 10 and more,
# whatever the colour vision.
_LIGHT = ("#BA4602", "#2772D6", "#A6497E", "#007A5A", "#B8860B", "#1044D0", "#1B9AAA", "#714C2F")
_DARK = ("#F0935A", "#4492B6", "#E6A4C9", "#3FC59B", "#F3D158", "#A79BF0", "#83EDFA", "#B68B70")
COLOURS = len(_LIGHT)
PAPER = -1  # the colour of what is a paper's
INK = {False: ("#1E2430", "#5A6372", "#DDE1E7"), True: ("#EEF1F7", "#A7AFBD", "#333B4A")}  # text, quiet text, grid; by darkness
_ROW, _FRAME, _LINE_HEIGHT = 25, 118, 350  # CSS pixels: a category, what is around the plot, a chart of lines or bars
_WIDTH, _COLUMNS = 7.2, 2  # of an exported figure: inches, panels beside each other
_BAND = 0.14  # how far a band covers what is behind it
_SHORT_NAME = 28  # letters of a name that finds room in half a legend


@dataclass(frozen=True)
class Axis:
    """One axis of a panel. label: with its unit. low, high: what is shown. ticks: positions and names of categories, () for numbers."""

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
    dash: a dashed line. band: what lies between low and high is filled, without bars.
    """

    name: str
    colour: int
    points: tuple[Point, ...]
    look: str = "dot"
    thin: bool = False
    dash: bool = False
    band: bool = False


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
        legend = 20 * math.ceil(len({series.name for series in self.series}) / 2)
        return legend + (_FRAME + _ROW * len(self.y.ticks) if self.rows else _LINE_HEIGHT)


@dataclass(frozen=True)
class Chart:
    """Panels that belong together. name: for a file. title: for people. facts: what it stands on and how to read it, in sentences."""

    name: str
    title: str
    panels: tuple[Panel, ...]
    facts: str


# ------------------------------------------------------------------ Plotly


def plotly_panel(panel: Panel, dark: bool = False) -> go.Figure:
    """A panel for the page, as wide as its place; for st.plotly_chart(theme=None)."""
    ink, quiet, grid = INK[dark]
    figure, named = go.Figure(), set()
    for series in panel.series:
        if series.band:
            figure.add_trace(_band(series, dark))
    for series in panel.series:
        figure.add_trace(_trace(series, panel, dark, series.name not in named))
        named.add(series.name)
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


def colour_of(index: int, dark: bool) -> str:
    """A colour by its place; the papers have the two of quiet text."""
    if index < 0:
        return INK[dark][1] if index == PAPER else INK[dark][0]
    return (_DARK if dark else _LIGHT)[index]


def _arrays(series: Series) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """x, y, low and high of its points."""
    x, y, low, high = (np.array([getattr(point, name) for point in series.points], float) for name in ("x", "y", "low", "high"))
    return x, y, low, high


def _band(series: Series, dark: bool) -> go.Scatter:
    x, _, low, high = _arrays(series)
    return go.Scatter(
        x=[*x, *x[::-1]], y=[*high, *low[::-1]], fill="toself", mode="none", fillcolor=colour_of(series.colour, dark), opacity=_BAND, hoverinfo="skip",
        legendgroup=series.name, showlegend=False,
    )


def _trace(series: Series, panel: Panel, dark: bool, first: bool) -> go.Bar | go.Scatter:
    colour = colour_of(series.colour, dark)
    x, y, low, high = _arrays(series)
    common = {"x": x, "y": y, "name": series.name, "legendgroup": series.name, "showlegend": first, "hoverinfo": "text",
              "hovertext": [point.text for point in series.points]}
    if series.look == "bar":
        return go.Bar(**common, marker={"color": colour})
    values = x if panel.rows else y
    whiskers = {"type": "data", "symmetric": False, "array": high - values, "arrayminus": values - low, "width": 0 if not series.thin else 3,
                "thickness": 1 if series.thin or series.look == "hollow" else 3, "color": colour,
                "visible": bool(np.isfinite(low).any()) and not series.band}
    bars = {"error_x" if panel.rows else "error_y": whiskers}
    marker = {"size": 8, "color": colour, "symbol": "circle"}
    if series.look == "hollow":
        marker = {"size": 8, "color": colour, "symbol": "diamond-open", "line": {"width": 1.5}}
    if series.look == "line":
        line = {"color": colour, "width": 2, "dash": "dash" if series.dash else "solid"}
        return go.Scatter(**common, mode="lines+markers", line=line, marker={**marker, "size": 5}, **bars)
    return go.Scatter(**common, mode="markers", marker=marker, **bars)


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
    layout = ConstrainedLayoutEngine()
    figure = Figure(figsize=(_WIDTH, sum(heights) + 0.3 + below), dpi=200, layout=layout)
    FigureCanvasAgg(figure)
    height = figure.get_size_inches()[1]
    layout.set(rect=(0, below / height, 1, 1 - (below + 0.3) / height), h_pad=0.06, w_pad=0.05)
    figure.text(0.012, 1 - 0.1 / height, chart.title, va="top", fontsize=10, fontweight="bold", parse_math=False)
    figure.text(0.012, 0.08 / height, facts, va="bottom", fontsize=6.5, color="#5A6372", parse_math=False)
    grid = figure.add_gridspec(lines, columns, height_ratios=heights)
    for place, panel in enumerate(chart.panels):
        _draw(figure.add_subplot(grid[place // columns, place % columns]), panel)
    # The layout solver's last digits vary from run to run: lay out once, and round.
    layout.execute(figure)
    figure.set_layout_engine("none")
    for ax in figure.axes:
        ax.set_position(np.round(ax.get_position(original=True).bounds, 5))
    return figure


def _draw(ax: Axes, panel: Panel) -> None:
    for series in panel.series:
        colour = colour_of(series.colour, False)
        x, y, low, high = _arrays(series)
        if series.look == "bar":
            ax.bar(x, y, color=colour, width=0.85, label=series.name)
            continue
        values = x if panel.rows else y
        whiskers = np.nan_to_num(np.stack([values - low, high - values])) * (not series.band)
        if series.band:
            ax.fill_between(x, low, high, color=colour, alpha=_BAND, linewidth=0)
        wide = 0.8 if series.thin or series.look == "hollow" else 2.0
        ax.errorbar(
            x, y, **{"xerr" if panel.rows else "yerr": whiskers}, color=colour, label=series.name, elinewidth=wide, capsize=1.5 if series.thin else 0,
            linestyle=("--" if series.dash else "-") if series.look == "line" else "none", linewidth=1.2, marker="D" if series.look == "hollow" else "o",
            markersize=2.5 if series.look == "line" else 3.5, markerfacecolor="white" if series.look == "hollow" else colour,
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
