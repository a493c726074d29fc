"""Trained networks side by side as a figure for a paper or a slide: a row for each network and thing to compare, and their numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from adastride.comparison.figure import COLOURS, WIDTH, draw_picture, named_view
from adastride.comparison.networks import Answer, in_groups, mel_lane, on_shared_scales, table_of
from adastride.inspection import raster
from adastride.inspection.figures import draw_segments, styled, wrapped
from adastride.inspection.tracing import Trace
from adastride.tasks.prediction import CurveLane, Lane, PictureLane, Prediction, SegmentLane

# Inches.
_LEFT, _RIGHT, _EDGE = 0.66, 0.72, 0.1
_HEIGHTS = {SegmentLane: 0.24, PictureLane: 0.8, CurveLane: 0.5}
_ALIGNMENT = 0.8
_HEADING, _NAME, _GAP, _AXIS = 0.24, 0.16, 0.05, 0.5
_BAR_GAP, _BAR = 0.07, 0.09
_TITLE_LINE, _LINE, _CELL = 0.19, 0.125, 0.09
_LABELS = 0.25  # of the table's width

_SMALL = 6.5  # points
_COLUMNS, _ROWS = 600, 200  # of a picture of an alignment
_MOST_LINES = 60  # of one text in the table
_MOST_POINTS = 3000  # a longer curve goes into an SVG as pixels
_TITLE = "Alignment of the uppermost layer (dashed: a uniform stride)"


@dataclass(frozen=True)
class _Row:
    """A panel of the figure. owner: the network it is of, None for the clip. draw: into a panel whose time axis is set."""

    title: str
    owner: int | None
    height: float
    draw: Callable[[Axes], AxesImage | None]
    scale: str = ""


def networks_figure(answers: Sequence[Answer], title: str, view: tuple[float, float] | None = None) -> Figure:
    """Draws the log-mel of the clip on top, under it each network's uppermost alignment and its lanes, and a table of the numbers.

    Lanes of one kind stand under each other, have the same scale and share the time axis in seconds, as on the page. title: the
    clip's name. view: the (begin, end) in seconds that is shown and named in the title; None for all of the clip. The size of the
    pictures is bounded, whatever the length of the clip, and texts are broken into lines, never cut.
    """
    title, view = named_view(title, view, answers[0].trace.waveform.seconds)
    with styled():
        return _Page(answers, title, view).figure


class _Page:
    """A figure whose parts are placed one under the other, in inches from its upper edge."""

    def __init__(self, answers: Sequence[Answer], title: str, view: tuple[float, float]):
        self.view, self.width = view, WIDTH.get(len(answers), WIDTH[2])
        self.names = [answer.name for answer in answers]
        self.heads = [_lines(name, self.width - _LEFT - _RIGHT, 7.5, "bold") for name in self.names]
        rows = _rows(answers, view, 72 * (self.width - _LEFT - _RIGHT))
        groups = [list(group) for _, group in groupby(rows, key=lambda row: row.title)]
        headline = _lines(title, self.width - 2 * _EDGE, 10, "bold")
        table = self._cells(answers)
        above = _EDGE + _TITLE_LINE * len(headline)
        panels = sum(_HEADING + sum(_NAME * len(self._head(row)) + row.height + _GAP for row in group) for group in groups)
        self.height = above + panels + _AXIS + sum(_height(cells) for cells in table) + _EDGE
        self.figure = Figure(figsize=(self.width, self.height), dpi=200)
        FigureCanvasAgg(self.figure)
        for number, line in enumerate(headline):
            self._write(_EDGE, _EDGE + _TITLE_LINE * number, line, fontsize=10, fontweight="bold")
        last = self._panels(groups, above)
        last.tick_params(labelbottom=True)
        last.set_xlabel("Time (s)", labelpad=2)
        self._table(table, above + panels + _AXIS)

    def _write(self, left: float, top: float, text: str, **style: object) -> None:
        """Writes a line whose upper left corner is at so many inches."""
        options = {"va": "top", "ha": "left", "parse_math": False, **style}
        self.figure.text(left / self.width, 1 - top / self.height, text, **options)

    def _place(self, left: float, top: float, width: float, height: float) -> Axes:
        bounds = (left / self.width, 1 - (top + height) / self.height, width / self.width, height / self.height)
        return self.figure.add_axes(tuple(round(value, 6) for value in bounds))

    def _head(self, row: _Row) -> list[str]:
        """The lines of the name over a panel."""
        return [] if row.owner is None else self.heads[row.owner]

    def _panels(self, groups: Sequence[Sequence[_Row]], top: float) -> Axes:
        """Draws all rows from so many inches on, and returns the lowest panel."""
        panel = None
        for group in groups:
            self._write(_EDGE, top + 0.06, group[0].title, fontsize=8.5, fontweight="bold")
            top += _HEADING
            begin, picture, panels = top, None, list[Axes]()
            for row in group:
                for line in self._head(row):
                    self._write(_LEFT, top + 0.015, line, fontsize=7.5, fontweight="bold", color=COLOURS[row.owner or 0])
                    top += _NAME
                begin = top if not panels else begin
                panel = self._place(_LEFT, top, self.width - _LEFT - _RIGHT, row.height)
                panel.set_xlim(self.view)
                panel.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))
                panel.tick_params(labelbottom=False)
                picture = row.draw(panel) or picture
                panel.set_xlim(self.view)
                panels.append(panel)
                top += row.height + _GAP
            if group[0].scale and picture is not None:
                left, height = self.width - _RIGHT + _BAR_GAP, min(top - _GAP - begin, 2.5)
                bar = self.figure.colorbar(picture, cax=self._place(left, begin, _BAR, height))
                bar.set_label(group[0].scale, fontsize=7)
                bar.ax.tick_params(labelsize=7)
                bar.locator = MaxNLocator(4)
            else:
                _share_axes(panels)
        assert panel is not None
        return panel

    # ------------------------------------------------------------------ table

    def _cells(self, answers: Sequence[Answer]) -> list[list[list[str]]]:
        """The lines of every cell of every row, the head first."""
        whole = self.width - 2 * _EDGE
        widths = [whole * _LABELS - 0.05, *[whole * (1 - _LABELS) / len(answers) - 0.05] * len(answers)]
        texts = [["", *self.names], *([row.label, *row.texts] for row in table_of(answers))]
        return [
            [_few(_lines(text, width, _SMALL, "normal" if row else "bold")) for text, width in zip(cells, widths, strict=True)]
            for row, cells in enumerate(texts)
        ]

    def _table(self, rows: Sequence[Sequence[Sequence[str]]], top: float) -> None:
        whole, networks = self.width - 2 * _EDGE, len(self.names)
        lefts = [_EDGE, *(_EDGE + whole * (_LABELS + (1 - _LABELS) * place / networks) for place in range(networks))]
        canvas = self._place(_EDGE, top, whole, sum(map(_height, rows)))
        canvas.set_axis_off()
        canvas.set_xlim(0, 1)
        canvas.set_ylim(sum(map(_height, rows)), 0)
        line = 0.0
        for number, cells in enumerate(rows):
            for place, (left, lines) in enumerate(zip(lefts, cells, strict=True)):
                head = {"fontweight": "bold", "color": COLOURS[place - 1]} if number == 0 and place else {}
                for count, text in enumerate(lines):
                    self._write(left, top + line + _CELL / 2 + _LINE * count, text, fontsize=_SMALL, **head)
            line += _height(cells)
            canvas.axhline(line, color="#AAAAAA", linewidth=0.4)


def _lines(text: str, width: float, size: float, weight: str) -> list[str]:
    """Text in lines of so many inches. On pixels, letters are up to a twentieth wider than they are."""
    return wrapped(text, 0.94 * 72 * width, size, weight)


def _height(cells: Sequence[Sequence[str]]) -> float:
    """Of a row of the table, in inches."""
    return _LINE * max(map(len, cells)) + _CELL


def _few(lines: list[str]) -> list[str]:
    """At most `_MOST_LINES` lines: a figure is no place for an hour of speech."""
    return lines if len(lines) <= _MOST_LINES else [*lines[: _MOST_LINES - 1], "…"]


def _rows(answers: Sequence[Answer], view: tuple[float, float], width: float) -> list[_Row]:
    """All panels, those of one title together. width: of a panel, in points."""
    clip = Prediction("", lanes=(mel_lane(answers[0].trace),))
    clip, *predictions = on_shared_scales([clip, *(answer.prediction for answer in answers)])
    rows = [_lane_row(clip.lanes[0], None, view, width)]
    rows += [
        _Row(_TITLE, owner, _ALIGNMENT, _alignment(answer.trace, view), "weight / row’s largest")
        for owner, answer in enumerate(answers) if answer.trace.layers
    ]
    return [*rows, *(_lane_row(predictions[owner].lanes[place], owner, view, width) for owner, place in in_groups(predictions))]


def _lane_row(lane: Lane, owner: int | None, view: tuple[float, float], width: float) -> _Row:
    if isinstance(lane, SegmentLane):
        return _Row(lane.title, owner, _HEIGHTS[SegmentLane], lambda ax: draw_segments(ax, lane, width))
    if isinstance(lane, PictureLane):
        return _Row(lane.title, owner, _HEIGHTS[PictureLane], lambda ax: _draw_values(ax, lane, view), lane.unit)
    return _Row(f"{lane.title} ({lane.unit})", owner, _HEIGHTS[CurveLane], lambda ax: _draw_curve(ax, lane, owner or 0, view))


def _alignment(trace: Trace, view: tuple[float, float]) -> Callable[[Axes], AxesImage]:
    """What draws the alignment of a network's uppermost layer, each row relative to its largest weight, and a uniform stride's line."""
    layer, top = trace.layers[-1], len(trace.layers) - 1
    edges, ends, seconds = raster.input_edges(trace, top), trace.boundary_seconds(top), trace.waveform.seconds

    def draw(ax: Axes) -> AxesImage:
        seen = raster.picture(layer, edges, *view, _COLUMNS, _ROWS)
        picture = draw_picture(ax, seen.weights / 255, edges[seen.columns], view, "Blues", (0.0, 1.0))
        picture.set_extent((*view, seen.low - 0.5, seen.high - 0.5))
        ax.plot((0.0, seconds), (-0.5, layer.output_frames - 0.5), color="#D55E00", linewidth=0.6, dashes=(4, 5))
        first = int(np.clip(np.searchsorted(ends, view[0], side="right") - 1, 0, layer.output_frames - 1))
        stop = int(np.clip(np.searchsorted(ends, view[1]), first + 1, layer.output_frames))
        ax.set_ylim(first - 0.5, stop - 0.5)
        ax.yaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1))
        ax.set_ylabel("Output frame", fontsize=7)
        return picture

    return draw


def _draw_values(ax: Axes, lane: PictureLane, view: tuple[float, float]) -> AxesImage:
    picture = draw_picture(ax, lane.values, lane.edges, view, "magma" if lane.sequential else "Blues", (lane.low, lane.high))
    if lane.ticks:
        places = [(row + 0.5) / lane.values.shape[0] for _, row in lane.ticks]
        ax.set_yticks(places, labels=[text for text, _ in lane.ticks])
    else:
        ax.set_yticks([])
    return picture


def _draw_curve(ax: Axes, lane: CurveLane, owner: int, view: tuple[float, float]) -> None:
    """Draws what is in view of a curve, with the points beside it that lines lead to."""
    first = max(int(np.searchsorted(lane.times, view[0])) - 1, 0)
    stop = int(np.searchsorted(lane.times, view[1], side="right")) + 1
    times, values = lane.times[first:stop], lane.values[first:stop]
    ax.plot(times, values, color=COLOURS[owner], linewidth=0.8, rasterized=len(times) > _MOST_POINTS)
    ax.yaxis.set_major_locator(MaxNLocator(3))


def _share_axes(panels: Sequence[Axes]) -> None:
    """Gives curves of one title the same ends of their axes."""
    limits = [panel.get_ylim() for panel in panels]
    for panel in panels:
        panel.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
