"""Draws a trace as a figure for a paper or a slide: everything on one time axis, and what the network made of it.

Figures are built without pyplot and returned, never shown. Matplotlib keeps its settings in one global table, so one
lock covers the moments in which this module needs settings of its own: figures can be made from any thread.
"""

from __future__ import annotations

import bisect
import functools
import io
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.gridspec import GridSpec
from matplotlib.image import AxesImage
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.textpath import TextToPath
from matplotlib.ticker import MaxNLocator

from adastride import audio
from adastride.inspection import raster
from adastride.inspection.tracing import LayerTrace, Trace
from adastride.tasks import CurveLane, Lane, PictureLane, Prediction, SegmentLane
from adastride.tasks.classification import percent

FORMATS = ("png", "svg")

# At 5.2 inches, 9 pt shrink to 6 pt in the column of a two-column paper: still readable.
_WIDTH = 5.2
_STYLE: Any = {  # of Matplotlib's settings, whose names are a type of their own
    "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"], "font.size": 8, "axes.titlesize": 8, "axes.labelsize": 8,
    "xtick.labelsize": 7.5, "ytick.labelsize": 7.5, "xtick.major.size": 2.5, "ytick.major.size": 2.5,
    "axes.linewidth": 0.6, "xtick.major.width": 0.6, "ytick.major.width": 0.6, "axes.edgecolor": "#444444",
    "xtick.color": "#444444", "ytick.color": "#444444", "xtick.labelcolor": "#222222", "ytick.labelcolor": "#222222",
    "axes.titlecolor": "#222222", "axes.labelcolor": "#222222", "text.color": "#222222",
    "svg.fonttype": "none", "svg.hashsalt": "adastride",
}
# A little less than the pixels a panel has in a PNG: of a finer picture some rows and columns would be lost there.
_COLUMNS, _ROWS = 700, 200
# Blue is what the clip and the network show, orange the uniform stride to compare with; safe for the colour-blind.
_BLUE, _ORANGE, _GREY, _QUIET, _UNHEARD = "#0072B2", "#D55E00", "#C4C8CC", "#666666", "#E8EAED"
_DECIBELS = 20 * math.log10(math.e)
_FLOOR = 20 * math.log10(audio.LOG_FLOOR)
_DYNAMIC_RANGE = (40.0, 80.0)  # dB that colour tells apart, at least and at most: silence is dark, not scaled up
_FREQUENCY_TICKS = (500, 1000, 2000, 4000, 8000)
_MAX_TICKS = 400  # more frames than this are drawn as their density
_MAX_STEPS = 3000  # more steps than this go into an SVG as pixels
_MAX_BARS = 12
_LANE_INCHES = {SegmentLane: 0.22, PictureLane: 0.8, CurveLane: 0.5}
_PANEL_SHARE = 0.8  # of the page's width
_SEGMENT_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#707070")
_SEGMENT_SIZES, _LEAST_ROOM = (7, 6, 5), 3.0  # points of letters, and a room for none
_ENVELOPE = 1200  # a waveform of more than twice as many samples is drawn as the range of each part
_PANEL_POINTS = 250.0  # width of a panel at the least
_LABEL_POINTS = {1: 110.0, 2: 50.0}  # width of a class label where bars stand in one column, or in two
_LOCK = threading.RLock()


@contextmanager
def styled() -> Iterator[None]:
    """Gives Matplotlib our own fonts and sizes while a figure is made or rendered; only one thread at a time gets in."""
    with _LOCK, matplotlib.rc_context():
        matplotlib.rcdefaults()  # whatever a notebook has set (a dark theme, LaTeX), a figure looks the same
        matplotlib.rcParams.update(_STYLE)
        yield


def publication_figure(trace: Trace, title: str | None = None) -> Figure:
    """Draws the whole trace on one page: waveform, log-mel, each layer's alignment and strides, the prediction's lanes and bars.

    title: a heading, such as the clip's name; None leaves it out. All panels share one time axis in seconds, on which an input frame
    of an upper layer is as wide as the time it stands for. Memory stays bounded for clips of any length.
    """
    with styled():
        return _compose(trace, title)


def render(figure: Figure, kind: str) -> bytes:
    """Renders a figure as a file: "png" with 200 dpi, or "svg" with text as text and pictures embedded.

    The same figure always gives the same bytes. Raises ValueError for another kind.
    """
    if kind not in FORMATS:
        raise ValueError(f"expected one of {', '.join(FORMATS)}, got {kind!r}")
    buffer = io.BytesIO()
    with styled():
        # At 300 dpi the pictures inside an SVG keep all their columns; a date would make every file differ.
        options = {"dpi": 200} if kind == "png" else {"dpi": 300, "metadata": {"Date": None}}
        figure.savefig(buffer, format=kind, **options)
    return buffer.getvalue()


def _compose(trace: Trace, title: str | None) -> Figure:
    lanes, bars = _shown_lanes(trace.prediction), _shown_bars(trace.prediction)
    bar_rows = math.ceil(len(bars) / _bar_columns(bars)) if bars else 0
    below = [_LANE_INCHES[type(lane)] for lane in lanes] + ([0.14 * bar_rows] if bars else [])
    first = 3 if trace.layers else 2  # the first panel below the mel and its frames
    heights = [0.45, 0.9, 0.12][:first] + [1.0, 0.42] * len(trace.layers) + below
    # Inches that headings, the time axis and padding take from the page beside the panels themselves.
    titles = 0.2 * (title is not None) + 0.3 + 0.4 * len(trace.layers) + 0.25 * len(lanes) + 0.6
    layout = ConstrainedLayoutEngine(h_pad=0.025, w_pad=0.03, hspace=0.0, wspace=0.0)
    figure = Figure(figsize=(_WIDTH, sum(heights) + titles + 0.07 * len(heights)), dpi=200, layout=layout)
    FigureCanvasAgg(figure)

    # A colour bar takes a column of its own, so that all panels keep the same width: time is one axis.
    grid = GridSpec(len(heights), 2, figure=figure, height_ratios=heights, width_ratios=[1, 0.028])
    wave = figure.add_subplot(grid[0, 0])
    timed = len(heights) - (1 if bars else 0)
    panels = [wave] + [figure.add_subplot(grid[row, 0], sharex=wave) for row in range(1, timed)]
    wave.set_xlim(0.0, trace.waveform.seconds)

    _draw_waveform(wave, trace)
    heard = "" if trace.hearing.seconds is None else f" · {_seconds(trace.heard_seconds)} heard"
    facts = f"{_seconds(trace.waveform.seconds)}{heard} · checkpoint {_fit(trace.checkpoint, 180, 7.5)}"
    _head(wave, None if title is None else _fit(title, _PANEL_POINTS, 10, "bold"), facts, size=10)
    _draw_mel(panels[1], figure.add_subplot(grid[1, 1]), trace)
    if trace.layers:
        _draw_frames(panels[2], trace)
        _draw_layers(panels[3 : 3 + 2 * len(trace.layers)], figure.add_subplot(grid[3, 1]), trace)
    for row, lane in enumerate(lanes, first + 2 * len(trace.layers)):
        heading, _, facts = lane.title.partition(": ")
        _head(panels[row], heading, facts + (_cost(trace) if lane is lanes[0] else ""))
        _DRAW_LANE[type(lane)](panels[row], lane, functools.partial(figure.add_subplot, grid[row, 1]))

    for panel in panels[:-1]:
        panel.tick_params(axis="x", labelbottom=False)
    panels[-1].xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))
    panels[-1].set_xlabel("Time (s)")
    figure.align_ylabels(panels)
    if bars:
        _draw_bars(figure.add_subplot(grid[-1, 0]), trace.prediction, bars)
    elif trace.prediction.headline:
        panels[-1].annotate(_fit(trace.prediction.headline, 2 * _PANEL_POINTS, 8), (0, 0), (0, -30), xycoords="axes fraction",
                            textcoords="offset points", annotation_clip=False, fontsize=8, parse_math=False)

    # The layout solver's last digits vary from run to run, and an SVG names its parts after them: lay out once, and round.
    layout.execute(figure)
    figure.set_layout_engine("none")
    for ax in figure.axes:
        ax.set_position(np.round(ax.get_position(original=True).bounds, 5))
    return figure


def _draw_layers(panels: Sequence[Axes], colour_axis: Axes, trace: Trace) -> None:
    """Draws the alignment and the strides of each layer into two panels a layer, and one colour bar for all of them."""
    pictures = []
    for index, layer in enumerate(trace.layers):
        alignment, strides = panels[2 * index : 2 * index + 2]
        pictures.append(_draw_alignment(alignment, trace, index))
        _draw_strides(strides, trace, index)
        _head(alignment, f"{layer.name.capitalize()} · {layer.label}", _layer_facts(layer))
    bar = colour_axis.figure.colorbar(pictures[-1], cax=colour_axis)
    bar.set_label("weight / row's largest")
    bar.set_ticks([0, 0.5, 1], labels=["0", "0.5", "1"])


def _head(ax: Axes, heading: str | None, facts: str, size: float = 8.5) -> None:
    """Writes a bold heading and a quiet line of facts above a panel, both flush with its left edge."""
    ax.set_title(facts, loc="left", color=_QUIET, fontsize=7.5, pad=3, parse_math=False)
    if heading is not None:
        ax.annotate(heading, (0, 1), (0, 14), xycoords="axes fraction", textcoords="offset points", annotation_clip=False,
                    fontsize=size, fontweight="bold", parse_math=False)


def _draw_waveform(ax: Axes, trace: Trace) -> None:
    samples, rate = trace.waveform.samples, trace.waveform.sample_rate
    if samples.size > 2 * _ENVELOPE:
        starts = np.arange(_ENVELOPE) * samples.size // _ENVELOPE
        low, high = np.minimum.reduceat(samples, starts), np.maximum.reduceat(samples, starts)
        ax.fill_between((starts + np.diff(starts, append=samples.size) / 2) / rate, low, high, color=_BLUE, linewidth=0.3)
    else:
        ax.plot(np.arange(samples.size) / rate, samples, color=_BLUE, linewidth=0.6)
    peak = float(np.abs(samples).max()) or 1.0
    ax.set_ylim(-1.08 * peak, 1.08 * peak)
    ax.yaxis.set_major_locator(MaxNLocator(3, symmetric=True))
    ax.set_ylabel("Amplitude")


def _draw_mel(ax: Axes, colour_axis: Axes, trace: Trace) -> None:
    bands, frames = trace.mel.shape
    columns = min(frames, _COLUMNS)
    levels = _DECIBELS * np.maximum.reduceat(trace.mel, np.arange(columns) * frames // columns, axis=1)
    least_range, most_range = _DYNAMIC_RANGE
    top = max(float(levels.max()), _FLOOR + least_range)
    bottom = min(max(float(levels.min()), top - most_range), top - least_range)
    extent = (-0.5 / trace.preset.frames_per_second, (frames - 0.5) / trace.preset.frames_per_second, -0.5, bands - 0.5)
    picture = ax.imshow(levels, origin="lower", aspect="auto", interpolation="nearest", cmap="magma", vmin=bottom, vmax=top, extent=extent)
    ax.set_xlim(0.0, trace.waveform.seconds)
    # What follows the last frame is less than a hop, or was not heard.
    ax.set_facecolor(matplotlib.colormaps["magma"](0.0) if trace.hearing.seconds is None else _UNHEARD)
    if (patches := trace.prediction.patches) is not None:
        rows = np.arange(1, patches.rows) * bands / patches.rows - 0.5
        ax.hlines(rows, patches.edges[0], patches.edges[-1], color="white", alpha=0.3, linewidth=0.3)
        if patches.columns <= _MAX_TICKS:
            ax.vlines(patches.edges[1:], -0.5, bands - 0.5, color="white", alpha=0.3, linewidth=0.3)
    centres = audio.mel_band_centres(trace.preset)
    ticks = [f for f in _FREQUENCY_TICKS if centres[0] < f < centres[-1]]
    ax.set_yticks(np.interp(ticks, centres, np.arange(bands)), labels=[f"{f / 1000:g}" for f in ticks])
    ax.set_ylabel("Frequency\n(kHz)")
    bar = ax.figure.colorbar(picture, cax=colour_axis, extend="min" if levels.min() < bottom else "neither")
    bar.set_label("log-mel (dB)")
    bar.locator = MaxNLocator(4, integer=True)


def _draw_frames(ax: Axes, trace: Trace) -> None:
    """Draws a tick where one output frame of layer 1 ends and the next begins, or the density of ticks where they would merge."""
    edges = trace.boundary_seconds(0)
    if edges.size <= _MAX_TICKS:
        ax.vlines(edges, 0, 1, color="#222222", linewidth=0.4)
    else:
        density, _ = np.histogram(edges, _MAX_TICKS, (0.0, trace.waveform.seconds))
        ax.imshow(density[None], aspect="auto", interpolation="nearest", cmap="Greys", vmin=0, vmax=1.5 * density.max(),
                  extent=(0.0, trace.waveform.seconds, 0, 1))
        ax.set_xlim(0.0, trace.waveform.seconds)
    ax.set_ylim(0, 1)
    ax.set_yticks([])
    ax.set_ylabel("layer 1\nframes", rotation=0, ha="right", va="center", fontsize=6.5)


def _draw_alignment(ax: Axes, trace: Trace, index: int) -> AxesImage:
    layer, seconds = trace.layers[index], trace.heard_seconds
    edges = raster.input_edges(trace, index)
    weights = raster.rasterise(layer, edges, seconds, _COLUMNS, _ROWS)
    picture = ax.imshow(weights, origin="lower", aspect="auto", interpolation="nearest", cmap="Blues", vmin=0, vmax=1,
                        extent=(0.0, seconds, -0.5, layer.output_frames - 0.5))
    # Uniform in this layer and those below: a straight line on the shared time axis, as in the viewer.
    ax.plot((0.0, seconds), (-0.5, layer.output_frames - 0.5), color=_ORANGE, linewidth=0.6, dashes=(4, 5), label="uniform stride")
    ax.set_xlim(0.0, trace.waveform.seconds)
    ax.set_ylim(-0.5, layer.output_frames - 0.5)
    ax.yaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1))
    ax.set_ylabel("Output frame")
    if index == 0:
        ax.legend(loc="upper left", facecolor="white", edgecolor="none", framealpha=0.8, fancybox=False, fontsize=7,
                  borderaxespad=0.2, handlelength=2.2)
    return picture


def _draw_strides(ax: Axes, trace: Trace, index: int) -> None:
    layer = trace.layers[index]
    # A line, not `stairs`: a patch looks for its limits one step at a time, which takes seconds for an hour of sound.
    ax.plot(trace.boundary_seconds(index), np.append(layer.strides, layer.strides[-1]), drawstyle="steps-post", color=_BLUE, linewidth=0.8,
            solid_joinstyle="miter", rasterized=layer.output_frames > _MAX_STEPS)
    ax.axhline(layer.input_frames / layer.output_frames, color=_ORANGE, linewidth=0.6, dashes=(4, 5))
    ax.set_ylim(0, 1.12 * max(float(layer.strides.max()), 1.0))
    ax.yaxis.set_major_locator(MaxNLocator(3, integer=True, min_n_ticks=1))
    ax.set_ylabel("Stride\n(frames)")


def _layer_facts(layer: LayerTrace) -> str:
    frames = f"{layer.input_frames} → {layer.output_frames} frames"
    stride = f"stride {layer.settings.stride:.4g}"
    if layer.settings.sigma is None:
        return f"{frames} · {stride}"
    inverse = layer.settings.sigma**-2
    width = f"σ⁻² = {inverse:.3g}" if inverse < 1000 else f"σ⁻² = {inverse:.0f}"
    loss = "< 0.001" if 0 < layer.position_loss < 0.0005 else f"{layer.position_loss:.3f}"
    return f"{frames} · {width} · {stride} · position loss {loss}"


def draw_segments(ax: Axes, lane: SegmentLane, width: float) -> None:
    """Draws what is in view of segments as boxes with their words; a weaker segment has a fainter box.

    A text without room stands behind its box, as in the viewer, or in smaller letters, or else before it; where there is no room for
    these either, it is left out. width: of the panel, in points.
    """
    begin, end = ax.get_xlim()
    points = width / max(end - begin, 1e-9)
    shown = [segment for segment in lane.segments if segment.end > begin and segment.start < end]
    colours = [
        matplotlib.colors.to_rgba(segment.paint[0]) if segment.paint else matplotlib.colors.to_rgba(
            _SEGMENT_COLOURS[segment.colour % len(_SEGMENT_COLOURS)], 0.25 + 0.5 * min(max(segment.strength, 0.0), 1.0),
        ) for segment in shown
    ]
    spans = [(max(segment.start, begin), min(segment.end, end)) for segment in shown]
    ax.broken_barh(
        [(left, right - left) for left, right in spans], (0.08, 0.84), facecolors=colours, linewidth=0, rasterized=len(shown) > _MAX_STEPS,
    )
    taken = begin  # up to here nothing more is written
    for segment, (left, right), (free, _) in zip(shown, spans, [*spans[1:], (end, end)], strict=True):
        room = max(right - left, free - right)
        text = printable(segment.text) if points * (free - taken) > _LEAST_ROOM else ""
        needed = [(size, (text_width(text, size) + 2) / points) for size in _SEGMENT_SIZES] if text else []
        places = [
            *((size, (left + right - own) / 2 if own <= right - left else right, own) for size, own in needed if own <= room),
            *((size, left - own, own) for size, own in needed if own <= left - taken),
        ]
        if places:
            size, place, own = places[0]
            ax.text(place + 1 / points, 0.5, text, va="center_baseline", fontsize=size, parse_math=False)
            taken = place + own
        taken = max(taken, right)
    ax.set_ylim(0, 1)
    ax.set_yticks([])


def _draw_segments(ax: Axes, lane: SegmentLane, colour_axis: Callable[[], Axes]) -> None:
    draw_segments(ax, lane, 72 * _WIDTH * _PANEL_SHARE)


def _draw_picture(ax: Axes, lane: PictureLane, colour_axis: Callable[[], Axes]) -> None:
    """Draws values over time, each frame as wide as it lasts, with a colour bar."""
    rows = np.arange(lane.values.shape[0] + 1) - 0.5
    picture = ax.pcolormesh(lane.edges, rows, lane.values, cmap="magma" if lane.sequential else "Blues", vmin=lane.low, vmax=lane.high, rasterized=True)
    if lane.ticks:
        ax.set_yticks([place for _, place in lane.ticks], labels=[text for text, _ in lane.ticks])
    else:
        ax.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    bar = ax.figure.colorbar(picture, cax=colour_axis())
    bar.set_label(lane.unit)
    bar.locator = MaxNLocator(4)


def _draw_curve(ax: Axes, lane: CurveLane, colour_axis: Callable[[], Axes]) -> None:
    """Draws a curve as a line, with gaps where there is no value."""
    ax.plot(lane.times, lane.values, color=_BLUE, linewidth=0.8)
    ax.yaxis.set_major_locator(MaxNLocator(3))
    ax.set_ylabel(lane.unit)


_DRAW_LANE: dict[type, Callable[[Axes, Any, Callable[[], Axes]], None]] = {
    SegmentLane: _draw_segments, PictureLane: _draw_picture, CurveLane: _draw_curve,
}


def _shown_lanes(prediction: Prediction) -> tuple[Lane, ...]:
    """The prediction's lanes, and of a network of patches what the strongest one attends to."""
    attention = None if prediction.patches is None else prediction.patches.attention_lane()
    return prediction.lanes if attention is None else (*prediction.lanes, attention)


def _cost(trace: Trace) -> str:
    """What a clip costs a network of patches; "" for other networks."""
    patches = trace.prediction.patches
    return "" if patches is None else f" · {1e3 / trace.preset.frames_per_second:.3g} ms a frame · {patches.tokens:,} tokens"


def _shown_bars(prediction: Prediction) -> list[tuple[str, float, str]]:
    """The label, share and text of the bars, in their order; where there are many, the smallest are added up in one bar."""
    if len(prediction.bars) <= _MAX_BARS:
        return [(bar.label, bar.share, bar.text) for bar in prediction.bars]
    largest = sorted(range(len(prediction.bars)), key=lambda index: prediction.bars[index].share, reverse=True)[: _MAX_BARS - 1]
    others = sum(bar.share for index, bar in enumerate(prediction.bars) if index not in largest)
    bars = [(bar.label, bar.share, bar.text) for index, bar in enumerate(prediction.bars) if index in largest]
    return [*bars, (f"{len(prediction.bars) - len(bars)} others", others, percent(others))]


def _draw_bars(ax: Axes, prediction: Prediction, bars: Sequence[tuple[str, float, str]]) -> None:
    """Draws bars in one column or two, with the largest one in bold."""
    ax.set_title(prediction.bars_title, loc="left", fontsize=8.5, fontweight="bold")
    columns, longest = _bar_columns(bars), max(prediction.bars, key=lambda bar: bar.share).label
    rows = math.ceil(len(bars) / columns)
    # Of the panel's width: where a column begins, and the length of a full bar; the label is left of it, the number right.
    offset, full = (0.0, 0.7) if columns == 1 else (0.62, 0.25)
    for index, (label, share, text) in enumerate(bars):
        column, row = divmod(index, rows)
        start, top = offset * column, label == longest
        weight = "bold" if top else "normal"
        ax.barh(row, full * share, left=start, height=0.72, color=_BLUE if top else _GREY)
        ax.text(start - 0.012, row, _fit(label, _LABEL_POINTS[columns], 7.5, weight), ha="right", va="center_baseline",
                fontsize=7.5, fontweight=weight, parse_math=False)
        ax.text(start + full * share + 0.01, row, text, va="center_baseline", fontsize=7.5, fontweight=weight)
        ax.vlines(start, row - 0.5, row + 0.5, color="#444444", linewidth=0.6)
    ax.set_xlim(0, 1)
    ax.set_ylim(rows - 0.5, -0.5)
    ax.set_axis_off()


def _bar_columns(bars: Sequence[tuple[str, float, str]]) -> int:
    narrow = all(_fit(label, _LABEL_POINTS[2], 7.5, "bold") == label for label, _, _ in bars)
    return 2 if narrow and len(bars) > _MAX_BARS // 2 else 1


def _seconds(seconds: float) -> str:
    if seconds < 1:
        return f"{1000 * seconds:.3g} ms"
    return f"{seconds:.2f} s" if seconds < 60 else f"{round(seconds) // 60} min {round(seconds) % 60} s"


def _fit(text: str, width: float, size: float, weight: str = "normal") -> str:
    """Text cut to a width in points at a font size, without the control characters an SVG can't hold."""
    text = printable(text)

    def fits(candidate: str) -> bool:
        return text_width(candidate, size, weight) <= width

    if fits(text):
        return text
    longest = bisect.bisect_left(range(1, len(text)), True, key=lambda length: not fits(text[:length].rstrip() + "…"))
    return text[:longest].rstrip() + "…"


def printable(text: str) -> str:
    """Text without the control characters that an SVG can't hold."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def text_width(text: str, size: float, weight: str = "normal") -> float:
    """How wide text is at a font size, in points."""
    font = FontProperties(family="DejaVu Sans", size=size, weight=weight)
    return TextToPath().get_text_width_height_descent(text, font, ismath=False)[0]


def wrapped(text: str, width: float, size: float, weight: str = "normal") -> list[str]:
    """Text in lines of a width in points at the most, broken between words, and inside of those that are wider than a line."""
    lines = [""]
    for word in printable(text).split():
        longer = f"{lines[-1]} {word}".strip()
        if text_width(longer, size, weight) <= width:
            lines[-1] = longer
            continue
        lines += [word] if lines[-1] else []
        lines[-1] = lines[-1] or word
        while text_width(lines[-1], size, weight) > width and len(lines[-1]) > 1:
            whole = lines[-1]
            fits = bisect.bisect_left(range(2, len(whole)), True, key=lambda length: text_width(whole[:length], size, weight) > width) + 1
            lines[-1:] = [whole[:fits], whole[fits:]]
    return lines
