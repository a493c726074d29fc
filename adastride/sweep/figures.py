"""Pictures of sweeps for the page: a strip of alignments, curves, bands of accuracy, and maps over σ⁻² and stride.

All alignments of a strip are one palette picture in one Plotly figure: a heat map for each would take the browser seconds.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import plotly.graph_objects as go
from PIL import Image

from adastride.inspection.charts import INK, Axis, Panel, Point, Series, plotly_panel
from adastride.sweep import core as sweep
from adastride.sweep.core import MEASURES, SIGMA, STRIDE, Column, Setting, rounded, swept
from adastride.sweep.scores import Score
from adastride.tasks import Metric, words
from adastride.tasks.prediction import Followed

# The colours of weights and layers in the Explore page's viewer (ui/frontend/colours.js).
_RAMPS = {
    True: ((16, 20, 34), (24, 52, 97), (38, 92, 140), (62, 137, 153), (120, 181, 137), (200, 215, 104), (253, 240, 120)),
    False: ((255, 255, 255), (222, 235, 247), (174, 209, 231), (106, 174, 214), (47, 126, 188), (14, 82, 151), (6, 36, 92)),
}
_ORANGE = {False: "#D55E00", True: "#F0935A"}
_LAYER_COLOURS = (1, 4, 3, 2, 5, 6, 7, 0)  # places in the palette of `Series`: blue, ochre, green, and five for deeper networks
_COST = "Cost: work of the network"
_MOST_TICKS = 8
_MOST_LABELS = 5
_LAYER_HEIGHT, _GAP = 72, 2  # pixels of a strip's layer, and between two pictures


def _palette(dark: bool) -> list[int]:
    """The 256 colours of a palette picture, as 768 numbers: red, green and blue of each. `_png` makes colour 255 transparent."""
    stops = np.array(_RAMPS[dark], float)
    stop_places = np.linspace(0, len(stops) - 1, 256)
    channels = [np.interp(stop_places, np.arange(len(stops)), stops[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=1).round().astype(int).reshape(-1).tolist()


def _scale(dark: bool) -> list[list]:
    stops = _RAMPS[dark]
    return [[index / (len(stops) - 1), f"rgb{colour}"] for index, colour in enumerate(stops)]


def _png(indices: np.ndarray, dark: bool) -> str:
    """A (rows, columns) uint8 picture as a data: address of a PNG. Row 0 is at the top, and 255 is transparent."""
    image = Image.fromarray(indices, "P")
    image.putpalette(_palette(dark))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=255, compress_level=1)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _tile(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """A picture of weights stretched to (height, width), with output frame 0 at the bottom and no value above 254."""
    rows = np.arange(height) * len(picture) // height
    columns = np.arange(width) * picture.shape[1] // width
    return np.minimum(picture[::-1][rows][:, columns], 254)


def _colour_bar(dark: bool) -> go.Scatter:
    """An invisible mark outside of the picture whose colour scale makes Plotly draw the colour bar."""
    ink, quiet, _ = INK[dark]
    bar = {"title": {"text": "weight / row’s largest", "side": "right", "font": {"size": 12, "color": quiet}}, "thickness": 10, "len": 1, "outlinewidth": 0,
           "tickvals": [0, 0.5, 1], "tickfont": {"size": 12, "color": ink}, "xpad": 4}
    marker = {"color": [0], "cmin": 0, "cmax": 1, "colorscale": _scale(dark), "showscale": True, "colorbar": bar, "opacity": 0}
    return go.Scatter(x=[-9], y=[-9], mode="markers", marker=marker, hoverinfo="skip", showlegend=False)


def _layout(figure: go.Figure, dark: bool, height: int) -> go.Figure:
    ink = INK[dark][0]
    return figure.update_layout(
        height=height, margin={"l": 8, "r": 8, "t": 22, "b": 8}, paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)", showlegend=False,
        font={"family": '"Source Sans", sans-serif', "size": 12, "color": ink}, hovermode="closest",
        hoverlabel={"bgcolor": "#1A1F2B" if dark else "#FFFFFF", "font": {"color": ink}, "align": "left"},
    )


def _ticks(values: Sequence[float]) -> tuple[list[int], list[str]]:
    """The indices of at most `_MOST_TICKS` evenly spaced values, and the texts that label them."""
    places = list(range(0, len(values), math.ceil(len(values) / _MOST_TICKS)))
    return places, [rounded(values[place]) for place in places]


def _between(values: Sequence[float], value: float) -> float:
    """Where a value lies among rising ones on a logarithmic scale: a real index from 0 to len(values) - 1."""
    return float(np.interp(math.log(value), np.log(values), np.arange(len(values))))


def _axis_title(quantity: str) -> str:
    if quantity == SIGMA:
        return "σ⁻² of every adaptive layer (per output frame squared)"
    return "Overall stride (mel frames per output frame)"


def strip(columns: Sequence[Column], values: Sequence[float], quantity: str, trained: Sequence[float], cursor: float | None, dark: bool) -> go.Figure:
    """The alignments of a sweep, a column for each value and a row for each layer, layer 1 at the top (the paper's figure 14).

    columns: the results so far, with details. values: all values of the sweep, rising. quantity: what is swept, `SIGMA` or
    `STRIDE`. trained: values to mark as trained. cursor: a value to frame, None for none.
    """
    layers = len(columns[0].layers)
    width = columns[0].pictures[0].shape[1]
    canvas = np.full((layers * (_LAYER_HEIGHT + _GAP), len(values) * (width + _GAP)), 255, np.uint8)
    for number, column in enumerate(columns):
        for layer, picture in enumerate(column.pictures):
            top, left = layer * (_LAYER_HEIGHT + _GAP), number * (width + _GAP)
            canvas[top : top + _LAYER_HEIGHT, left : left + width] = _tile(picture, _LAYER_HEIGHT, width)
    ink, quiet, _ = INK[dark]
    figure = go.Figure(_colour_bar(dark))
    figure.add_layout_image(
        source=_png(canvas, dark), xref="x", yref="y", x=-0.5, y=-0.5, sizex=len(values), sizey=layers, sizing="stretch", layer="below", yanchor="top",
    )
    places, texts = _ticks(values)
    figure.update_xaxes(
        range=[-0.55, len(values) - 0.45], tickvals=places, ticktext=texts, title={"text": _axis_title(quantity), "font": {"size": 12, "color": quiet}},
        automargin=True, fixedrange=True, showgrid=False, zeroline=False, tickangle=0, tickfont={"size": 12, "color": ink},
    )
    figure.update_yaxes(
        range=[layers - 0.5, -0.5], tickvals=list(range(layers)), ticktext=[f"layer {layer + 1}" for layer in range(layers)], automargin=True, fixedrange=True,
        showgrid=False, zeroline=False, tickfont={"size": 12, "color": ink},
    )
    if cursor is not None:
        place = sweep.nearest(values, cursor)
        figure.add_shape(type="rect", x0=place - 0.5, x1=place + 0.5, y0=-0.5, y1=layers - 0.5, line={"color": _ORANGE[dark], "width": 2})
    for value in trained:
        if values[0] <= value <= values[-1]:
            place = _between(values, value)
            figure.add_annotation(x=place, y=1, yref="paper", text="▼ trained" if place < len(values) / 2 else "trained ▼", showarrow=False, yanchor="bottom",
                                  xanchor="left" if place < len(values) / 2 else "right", xshift=-6 if place < len(values) / 2 else 6, font={"color": quiet})
    tiles = [(number, layer, column) for number, column in enumerate(columns) for layer in range(layers)]
    figure.add_trace(go.Scatter(
        x=[number for number, _, _ in tiles], y=[layer for _, layer, _ in tiles], mode="markers", marker={"opacity": 0, "size": 14}, showlegend=False,
        hoverinfo="text", hovertext=[_hover(column, quantity, layer) for _, layer, column in tiles],
    ))
    _separate(figure, layers, dark)
    return _layout(figure, dark, _LAYER_HEIGHT * layers + 90)


def _hover(column: Column, quantity: str, layer: int) -> str:
    numbers = column.layers[layer]
    return (
        f"{quantity} {rounded(swept(column.setting, column.stride))}, layer {layer + 1}<br>{rounded(numbers.effective_frames)} input frames an output frame"
        f"<br>lost {numbers.lost:.1f} %, aliased {numbers.aliased:.1f} %<br>{_answer(column)}"
    )


def _answer(column: Column) -> str:
    """What came of the clip, for a hover text: a label with its probability, or what was read and how wrong that is."""
    reading = column.reading
    followed = column.prediction.followed
    if followed is not None:
        return f"{followed.name} {column.value(followed.label):.2f} {followed.unit}, {column.top}"
    if reading is None:
        return f"“{words(column.top)}” {100 * column.value(column.top):.1f} %"
    if reading.unreadable:
        return f"{reading.shown}; unreadable as {reading.reference.shown}: {reading.frames} output frames, {reading.needed} needed"
    return f"{reading.shown}, {reading.rate_text}" if reading.units else reading.shown


def _separate(figure: go.Figure, layers: int, dark: bool) -> None:
    """Draws a line between one layer and the next."""
    for layer in range(1, layers):
        figure.add_hline(layer - 0.5, line={"color": INK[dark][2], "width": 1})


def _x_axis(quantity: str, values: Sequence[float]) -> Axis:
    """The axis of what is swept: logarithmic for σ⁻², which runs over decades, linear for strides."""
    title = "σ⁻² (per output frame squared)" if quantity == SIGMA else "Overall stride (mel frames per output frame)"
    if quantity == STRIDE:
        room = 0.03 * (values[-1] - values[0]) or 0.1
        return Axis(title, values[0] - room, values[-1] + room)
    low, high = math.log10(values[0]), math.log10(values[-1])
    decades = [10.0**power for power in range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)]
    ticks = decades if len(decades) > 1 else [values[place] for place in _ticks(values)[0][::2]]
    room = 0.03 * (high - low)
    return Axis(title, low - room, high + room, tuple((math.log10(tick), f"{float(f'{tick:.2g}'):g}") for tick in ticks))


def _x(quantity: str, value: float) -> float:
    return math.log10(value) if quantity == SIGMA else value


def _y_axis(text: str, values: Sequence[float], least: float = 0.0, most: float = math.inf) -> Axis:
    finite = [value for value in values if math.isfinite(value)]
    high = max(finite, default=1.0) or 1.0
    return Axis(text, least - 0.03 * (high - least), min(high, most) + 0.06 * (high - least))


def _panel(panel: Panel, dark: bool, trained: Sequence[float] = ()) -> go.Figure:
    figure = plotly_panel(panel, dark).update_yaxes(exponentformat="none")  # 0.0001 and not 100 µ
    for value in trained:
        figure.add_vline(value, line={"color": INK[dark][1], "width": 1, "dash": "dot"})
    return figure


def _probability_panel(columns: Sequence[Column], axis: Axis, points: Callable[[Sequence[float], str], tuple[Point, ...]]) -> Panel:
    """The probabilities of the labels that get most, against the swept value. points: makes marks of numbers, one for each column."""
    labels = columns[0].prediction.values
    ranked = sorted(labels, key=lambda label: -max(column.value(label) for column in columns))[:_MOST_LABELS]
    chances = tuple(
        Series(words(label), colour, points([100 * column.value(label) for column in columns], words(label)), "line")
        for label, colour in zip(ranked, (1, 0, 3, 2, 5), strict=False)
    )
    return Panel("Prediction", axis, Axis("Probability (%)", -3, 106), chances)


def _followed_panel(
    columns: Sequence[Column], axis: Axis, points: Callable[[Sequence[float], str], tuple[Point, ...]], followed: Followed,
) -> Panel:
    """The number that says how good an answer without probabilities is, against the swept value."""
    numbers = [column.value(followed.label) for column in columns]
    series = Series(followed.name.lower(), 1, points(numbers, f"{followed.name} ({followed.unit})"), "line")
    return Panel(followed.name, axis, _y_axis(f"{followed.name} ({followed.unit})", numbers), (series,))


def _reading_panel(columns: Sequence[Column], axis: Axis, places: Sequence[float], captions: Sequence[str]) -> Panel:
    """A recogniser's error rate against the swept value; hollow marks where there are too few output frames to read the text."""
    readable, unreadable = list[Point](), list[Point]()
    both = [(column, column.reading) for column in columns if column.reading is not None]
    for (column, reading), x, caption in zip(both, places, captions, strict=True):
        if math.isfinite(reading.rate):
            (unreadable if reading.unreadable else readable).append(Point(x, 100 * reading.rate, f"{caption}<br>{_answer(column)}"))
    reference, values = both[0][1].reference, [point.y for point in (*readable, *unreadable)]
    series = [Series(reference.error_label.lower(), 1, tuple(readable), "line")]
    if unreadable:
        series.append(Series("unreadable: too few output frames", 0, tuple(unreadable), "hollow"))
    y_axis = _y_axis(f"{reference.error_label} (%)", values)
    return Panel(f"{reference.error_label} against {reference.against}", axis, y_axis, tuple(series))


def curves(columns: Sequence[Column], values: Sequence[float], quantity: str, trained: Sequence[float], dark: bool) -> dict[str, go.Figure]:
    """Figures, by title, of everything that was measured against the swept value.

    Probabilities come first or, of a recogniser or a codec, its errors, then one figure for each of `MEASURES` with a line for each layer
    and, for strides, the cost.
    columns: the results so far, with details. values: all values of the sweep. A dotted line marks each trained value.
    """
    axis, places = _x_axis(quantity, values), [_x(quantity, swept(column.setting, column.stride)) for column in columns]
    marks = [_x(quantity, value) for value in trained if values[0] <= value <= values[-1]]
    captions = [f"{quantity} {rounded(swept(column.setting, column.stride))}" for column in columns]

    def points(numbers: Sequence[float], text: str) -> tuple[Point, ...]:
        return tuple(Point(x, y, f"{caption}<br>{text}: {y:.3g}") for x, y, caption in zip(places, numbers, captions, strict=True) if math.isfinite(y))

    panels, followed = {}, columns[0].prediction.followed
    if columns[0].reading is not None:
        panel = _reading_panel(columns, axis, places, captions)
        panels[panel.title] = panel
    else:
        panel = _followed_panel(columns, axis, points, followed) if followed is not None else _probability_panel(columns, axis, points)
        panels[panel.title] = panel
    for name, title in MEASURES.items():
        short, unit = title.rsplit(" (", 1) if title.endswith(")") else (title, "input frames)")
        lines = tuple(
            Series(f"layer {layer + 1}", colour, points([getattr(column.layers[layer], name) for column in columns], f"layer {layer + 1}"), "line")
            for layer, colour in zip(range(len(columns[0].layers)), _LAYER_COLOURS, strict=False)
        )
        numbers = [point.y for line in lines for point in line.points]
        panels[title] = Panel(short, axis, _y_axis(unit.removesuffix(")"), numbers), lines)
    if quantity == STRIDE:
        work = Series("network", 0, points([100 * column.work for column in columns], "work, % of stride 1"), "line")
        panels["Cost"] = Panel(_COST, axis, Axis("% of stride 1", -3, 106), (work,))
    return {title: _panel(panel, dark, marks) for title, panel in panels.items()}


def _titled(metric: Metric) -> str:
    """A metric and its unit as the title of an axis."""
    return f"{metric.label} ({metric.unit})" if metric.unit else metric.label


def quality(scores: Sequence[Score], quantity: str, trained: dict[str, Sequence[float]], dark: bool) -> go.Figure:
    """The task's metric, such as accuracy, against the swept value: a line with its 95 % band for each checkpoint.

    trained: for each checkpoint the values that it was trained with. A ring marks the swept value nearest to each of them.
    """
    series, rings = [], []
    for colour, checkpoint in enumerate(dict.fromkeys(score.checkpoint for score in scores)):
        own_scores = [score for score in scores if score.checkpoint == checkpoint and math.isfinite(score.value)]
        if not own_scores:  # a rate of the first clips, whose texts are empty
            continue
        colour = (colour + 1) % 8
        marks = []
        for score in own_scores:
            low, high = score.bounds
            value = swept(score.setting, score.stride)
            scale = score.metric.scale
            text = (f"{checkpoint}, {quantity} {rounded(value)}: {score.on_clips()}<br>95 % interval {score.bounds_text}, "
                    f"{100 * score.work:.0f} % of the work without strides")
            marks.append(Point(_x(quantity, value), scale * score.value, text, scale * low, scale * high))
        series.append(Series(checkpoint, colour, tuple(marks), "line", band=True))
        swept_values = [swept(score.setting, score.stride) for score in own_scores]
        inside = [value for value in trained.get(checkpoint, ()) if swept_values[0] <= value <= swept_values[-1]]
        at_trained = [marks[sweep.nearest(swept_values, value)] for value in inside]
        rings.append((marks, at_trained))
    all_values = [swept(score.setting, score.stride) for score in scores]
    metric, drawn = scores[0].metric, [mark for marks, _ in rings for mark in marks]
    lowest, highest = min((mark.low for mark in drawn), default=0.0), max((mark.high for mark in drawn), default=1.0)
    room = (highest - lowest) / 10
    limits = (max(0.0, lowest - 5), 104) if metric.proportion else (lowest - room, highest + room)
    if metric.per is not None:  # errors are counted from none, and may be more than 100 %
        limits = (-0.03 * highest, 1.06 * highest)
    x_axis = _x_axis(quantity, (min(all_values), max(all_values)))
    figure = plotly_panel(Panel(metric.label, x_axis, Axis(_titled(metric), *limits), tuple(series)), dark)
    lines = [trace for trace in figure.data if trace.mode == "lines+markers"]
    for line, (_, at_trained) in zip(lines, rings, strict=True):
        figure.add_trace(go.Scatter(
            x=[mark.x for mark in at_trained], y=[mark.y for mark in at_trained], mode="markers", showlegend=False, hoverinfo="skip",
            marker={"size": 13, "symbol": "circle-open", "color": line.line.color, "line": {"width": 2}},
        ))
    return figure


def cost(scores: Sequence[Score], quantity: str, dark: bool) -> go.Figure:
    """The share of the work that is left, see `Network.work_share`, against the swept value, a line for each checkpoint."""
    series = []
    for colour, checkpoint in enumerate(dict.fromkeys(score.checkpoint for score in scores)):
        marks = []
        for score in (score for score in scores if score.checkpoint == checkpoint):
            value = swept(score.setting, score.stride)
            text = f"{checkpoint}, {quantity} {rounded(value)}: {100 * score.work:.0f} %"
            marks.append(Point(_x(quantity, value), 100 * score.work, text))
        series.append(Series(checkpoint, (colour + 1) % 8, tuple(marks), "line"))
    all_values = [swept(score.setting, score.stride) for score in scores]
    x_axis = _x_axis(quantity, (min(all_values), max(all_values)))
    return plotly_panel(Panel(_COST, x_axis, Axis("% of stride 1", -3, 106), tuple(series)), dark)


Trained = tuple[Sequence[float], float]  # σ⁻² of the layers that have one, and the overall stride


def probability_map(columns: Sequence[Column], label: str, sigmas: Sequence[float], strides: Sequence[float], trained: Trained, dark: bool) -> go.Figure:
    """The probability of a label at every pair of σ⁻² and stride or, where there is none, how wrong the answer is.

    Cells without a result stay empty; rings mark the trained values.
    """
    cells, followed = [], columns[0].prediction.followed if columns else None
    if followed is not None:
        cells = [(column.setting, column.value(followed.label), _answer(column), column.stride, column.work) for column in columns]
        return _map(cells, f"{followed.name} ({followed.unit})", sigmas, strides, trained, dark, _from_none(value for _, value, *_ in cells))
    for column in columns:
        share = column.value(label)
        cells.append((column.setting, 100 * share, f"“{words(label)}” {100 * share:.1f} %, predicted: “{words(column.top)}”", column.stride, column.work))
    return _map(cells, f"Probability of “{words(label)}” (%)", sigmas, strides, trained, dark)


def reading_map(columns: Sequence[Column], sigmas: Sequence[float], strides: Sequence[float], trained: Trained, dark: bool) -> go.Figure:
    """A recogniser's error rate at every pair of σ⁻² and stride.

    Cells stay empty without a result, and where the clip has too few output frames to be read.
    """
    cells, reference = [], columns[0].reading.reference
    for column in columns:
        rate = math.nan if column.reading.unreadable else 100 * column.reading.rate
        cells.append((column.setting, rate, _answer(column), column.stride, column.work))
    return _map(cells, f"{reference.error_label} (%)", sigmas, strides, trained, dark, _from_none(rate for _, rate, *_ in cells))


def _from_none(rates: Iterable[float]) -> tuple[float, float]:
    """The limits of a colour scale of errors: from none to the most there are."""
    return 0.0, max((rate for rate in rates if math.isfinite(rate)), default=0.0) or 1.0


def quality_map(scores: Sequence[Score], sigmas: Sequence[float], strides: Sequence[float], trained: Trained, dark: bool) -> go.Figure:
    """The metric of one checkpoint at every pair of σ⁻² and stride. Rings mark the trained values."""
    metric = scores[0].metric
    cells = [
        (score.setting, metric.scale * score.value, score.on_clips(), score.stride, score.work) for score in scores
    ]
    limits: tuple[float | None, float | None] = (0.0, 100.0) if metric.proportion else (None, None)
    if metric.per is not None:
        limits = _from_none(value for _, value, *_ in cells)
    return _map(cells, _titled(metric), sigmas, strides, trained, dark, limits)


def _map(
    cells: Sequence[tuple[Setting, float, str, float, float]], name: str, sigmas: Sequence[float], strides: Sequence[float], trained: Trained, dark: bool,
    limits: tuple[float | None, float | None] = (0.0, 100.0),
) -> go.Figure:
    """Draws a map with σ⁻² to the right and the overall stride upwards.

    cells: for each point its setting, value, text, the stride it ran with, and its share of work. limits: the values that get the
    lowest and the highest colour; None stands for the lowest and the highest value of the map.
    """
    values = np.full((len(strides), len(sigmas)), np.nan)
    texts = [[""] * len(sigmas) for _ in strides]
    for setting, value, text, stride, work in cells:
        row, column = strides.index(setting.stride), sigmas.index(setting.sigma_inv2)
        values[row, column] = value
        where = f"σ⁻² {rounded(setting.sigma_inv2)}, overall stride {rounded(stride)}"
        texts[row][column] = f"{where}<br>{text}<br>{100 * work:.0f} % of the work without strides"
    ink, quiet, _ = INK[dark]
    bar = {"title": {"text": name, "side": "right", "font": {"size": 12, "color": quiet}}, "thickness": 10, "len": 1, "outlinewidth": 0,
           "tickfont": {"size": 12, "color": ink}, "xpad": 4}
    figure = go.Figure(go.Heatmap(
        z=values, x=list(range(len(sigmas))), y=list(range(len(strides))), colorscale=_scale(dark), zmin=limits[0], zmax=limits[1], colorbar=bar,
        hoverinfo="text", text=texts, xgap=1, ygap=1,
    ))
    trained_sigmas, trained_stride = trained
    inside = [value for value in trained_sigmas if sigmas[0] <= value <= sigmas[-1] and strides[0] <= trained_stride <= strides[-1]]
    figure.add_trace(go.Scatter(
        x=[_between(sigmas, value) for value in inside], y=[float(np.interp(trained_stride, strides, range(len(strides))))] * len(inside), mode="markers",
        marker={"size": 14, "symbol": "circle-open", "color": _ORANGE[dark], "line": {"width": 3}}, hoverinfo="text", hovertext="as trained",
    ))
    axes = (
        (figure.update_xaxes, sigmas, _axis_title(SIGMA)),
        (figure.update_yaxes, strides, _axis_title(STRIDE)),
    )
    for update, values, title in axes:
        places, names = _ticks(values)
        update(range=[-0.5, len(values) - 0.5], tickvals=places, ticktext=names,
               title={"text": title, "font": {"size": 12, "color": quiet}, "standoff": 6}, automargin=True, fixedrange=True, showgrid=False,
               zeroline=False, tickangle=0, tickfont={"size": 12, "color": ink})
    return _layout(figure, dark, 420)
