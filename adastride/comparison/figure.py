"""A comparison as a figure for a paper or a slide: a column for each method, a row for each thing to compare."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.ticker import MaxNLocator

from adastride.audio import MelPreset, mel_band_centres
from adastride.comparison.core import SHIFTS, Column, Comparison, takes_scores
from adastride.comparison.features import DECIBELS, Features
from adastride.comparison.settings import SCORES, sources
from adastride.inspection.figures import styled
from adastride.models.network import MOST_LAYERS

WIDTH = {2: 6.0, 3: 7.0, 4: 8.0}  # inches
_PIXELS = 600  # columns of one picture at the most: a little less than a PNG has
_RANGE = 80.0  # dB that colour tells apart
_MOST_ERROR = 20.0  # dB; larger errors have the same colour
COLOURS = ("#0277C7", "#B86B00", "#007A5A", "#A6497E")
_FREQUENCIES = (500, 2000, 8000)


def comparison_figure(
    comparison: Comparison, mel: np.ndarray, preset: MelPreset, title: str, view: tuple[float, float] | None = None
) -> Figure:
    """Draws the clip on top, under it for each method its result, alignment, reconstruction and error, and a table of the numbers.

    mel: (n_mels, T) natural-log mel of the clip. title: the clip's name. view: the (begin, end) in seconds that is shown and named
    in the title; None for all of the clip. All panels share the time axis in seconds, and those of a row share their colours. The
    size of the pictures is bounded, whatever the length of the clip.
    """
    title, view = named_view(title, view, float(comparison.features.edges[-1]))
    with styled():
        return _compose(comparison, mel, preset, title, view)


def named_view(title: str, view: tuple[float, float] | None, seconds: float) -> tuple[str, tuple[float, float]]:
    """A title that names what is shown of a clip, and the (begin, end) of that within the clip. view: None for all of it."""
    begin, end = view if view and view[0] < seconds else (0.0, seconds)
    begin, end = max(begin, 0.0), min(end, seconds)
    return (f"{title}, {begin:.2f}–{end:.2f} s" if end - begin < seconds - 0.005 else title), (begin, end)


def _compose(comparison: Comparison, mel: np.ndarray, preset: MelPreset, title: str, view: tuple[float, float]) -> Figure:
    columns, features = comparison.columns, comparison.features
    figure = Figure(figsize=(WIDTH[len(columns)], 8.2), dpi=200, layout="constrained")
    FigureCanvasAgg(figure)
    figure.get_layout_engine().set(h_pad=0.03, w_pad=0.03, hspace=0.02, wspace=0.02)
    grid = GridSpec(6, len(columns) + 1, figure=figure, height_ratios=[0.9, 1, 1.5, 1, 1, 1.9], width_ratios=[1] * len(columns) + [0.06])

    top = figure.add_subplot(grid[0, :-1])
    frames = np.arange(mel.shape[1] + 1)
    mel_edges = np.clip((frames - 0.5) / preset.frames_per_second, 0, features.edges[-1])
    levels = mel * DECIBELS
    limits = (max(float(levels.max()) - _RANGE, float(levels.min()) - 1), float(levels.max()))
    picture = draw_picture(top, levels, mel_edges, view, "magma", limits)
    _frequencies(top, preset)
    top.set_title(title, loc="left", fontsize=10, fontweight="bold", parse_math=False)
    top.set_ylabel("Log-mel\n(kHz)")
    figure.colorbar(picture, cax=figure.add_subplot(grid[0, -1])).set_label("dB")

    values = features.values[0].numpy() * features.scale
    if features.decibels:
        colour_limits, largest_error = limits, _MOST_ERROR
    else:
        colour_limits = tuple(float(v) for v in np.quantile(values[:, :: max(1, features.frames // 4096)], (0.01, 0.995)))
        largest_error = max(colour_limits[1] - colour_limits[0], 1e-6) / 4
    drawn = []
    for index, column in enumerate(columns):
        axes = [figure.add_subplot(grid[row, index]) for row in (1, 2, 3, 4)]
        inner = features.edges[column.scope[0] : column.scope[1] + 1]
        drawn = [
            draw_picture(axes[0], column.output * features.scale, column.edges, view, "magma", colour_limits),
            _alignment(axes[1], column, features, view),
            draw_picture(axes[2], column.reconstruction * features.scale, inner, view, "magma", colour_limits),
            draw_picture(axes[3], column.error, inner, view, "Reds", (0.0, largest_error)),
        ]
        _head(axes[0], column, COLOURS[index])
        for panel in axes[:-1]:
            panel.tick_params(labelbottom=False)
        axes[-1].set_xlabel("Time (s)")
        axes[-1].xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        for panel, name in zip(axes, ("Downsampled", "Alignment\n(output frame)", "Reconstruction", "Error"), strict=True):
            if name.startswith("Align"):
                panel.yaxis.set_major_locator(MaxNLocator(3, integer=True, min_n_ticks=1))
            elif features.decibels and index == 0:
                _frequencies(panel, preset)
            else:
                panel.set_yticks([])
            if index == 0:
                panel.set_ylabel(f"{name}\n(kHz)" if features.decibels and not name.startswith("Align") else name)
    for row, (picture, label) in enumerate(
        zip(drawn, (features.unit, "weight / row’s largest", features.unit, f"|error|, {features.unit}"), strict=True), 1
    ):
        figure.colorbar(picture, cax=figure.add_subplot(grid[row, -1]), extend="max" if row == 4 else "neither").set_label(label)
    _table(figure.add_subplot(grid[5, :-1]), comparison)
    # The layout solver's last digits vary from run to run: lay out once, and round.
    figure.get_layout_engine().execute(figure)
    figure.set_layout_engine("none")
    for ax in figure.axes:
        ax.set_position(np.round(ax.get_position(original=True).bounds, 5))
    return figure


def draw_picture(ax: Axes, values: np.ndarray, edges: np.ndarray, view: tuple[float, float], colours: str, limits: tuple[float, float]):
    """Draws (bands, n) values whose columns begin and end at edges (n + 1,) in seconds.

    They are looked up at `_PIXELS` equal times of the view; times without a value stay blank.
    """
    middles = view[0] + (np.arange(_PIXELS) + 0.5) * (view[1] - view[0]) / _PIXELS
    frame = np.searchsorted(edges, middles, side="right") - 1
    inside = (frame >= 0) & (frame < values.shape[1])
    pixels = np.full((values.shape[0], _PIXELS), np.nan, np.float32)
    pixels[:, inside] = values[:, frame[inside]]
    picture = ax.imshow(
        pixels,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        cmap=colours,
        vmin=limits[0],
        vmax=limits[1],
        extent=(*view, 0, 1),
    )
    return picture


def _alignment(ax: Axes, column: Column, features: Features, view: tuple[float, float]):
    """Draws the alignment in view, each row relative to its largest weight.

    Where that would be too much to work out, it draws the positions of the frames as a line.
    """
    inner = features.edges[column.scope[0] : column.scope[1] + 1]
    first = int(np.clip(np.searchsorted(inner, view[0], side="right") - 1, 0, len(inner) - 2))
    stop = int(np.clip(np.searchsorted(inner, view[1]), first + 1, len(inner) - 1))
    edges, in_view = inner[first : stop + 1], column.rows(first, stop)
    if in_view is None:
        positions = column.alignment.positions[0, first:stop].cpu().numpy()
        low, rows = math.floor(positions[0]), math.ceil(positions[-1]) - math.floor(positions[0]) + 1
        picture = draw_picture(ax, np.full((1, len(edges) - 1), np.nan), edges, view, "Blues", (0, 1))
        step = max(1, len(positions) // _PIXELS)
        ax.plot(((edges[1:] + edges[:-1]) / 2)[::step], positions[::step], color="#08306B", linewidth=0.8)
    else:
        low, rows = in_view[0], len(in_view[1])
        picture = draw_picture(ax, in_view[1], edges, view, "Blues", (0, 1))
    picture.set_extent((*view, low - 0.5, low + rows - 0.5))
    ax.set_xlim(view)
    ax.set_ylim(low - 0.5, low + rows - 0.5)
    return picture


def _head(ax: Axes, column: Column, colour: str) -> None:
    """Writes a method's name and settings above its column."""
    facts = (
        f"stride {column.stride:.4g}"
        + ("" if column.sigma is None else f" · σ {column.sigma:.3g}")
        + (" · pinned" if column.pinned else "")
    )
    if column.pinned and takes_scores(column.method):
        facts += f"\nplaces frames by {SCORES[column.settings.scores].lower()}"
    ax.set_title("\n".join([facts, *column.notes]), loc="left", fontsize=6.5, color="#666666", pad=3)
    lines = 1 + facts.count("\n") + len(column.notes)
    ax.annotate(
        column.label,
        (0, 1),
        (0, 4 + 8.5 * lines),
        xycoords="axes fraction",
        textcoords="offset points",
        annotation_clip=False,
        fontsize=7.5,
        fontweight="bold",
        color=colour,
    )


def _frequencies(ax: Axes, preset: MelPreset) -> None:
    centres = mel_band_centres(preset)
    ticks = [f for f in _FREQUENCIES if centres[0] < f <= preset.high_hz]
    ax.set_yticks((np.interp(ticks, centres, np.arange(len(centres))) + 0.5) / len(centres), labels=[f"{f / 1000:g}" for f in ticks])


def _table(ax: Axes, comparison: Comparison) -> None:
    """Draws the table of numbers, and under it what was compared."""
    ax.set_axis_off()

    def cell_text(number: float | None, digits: int = 3) -> str:
        if number is None or not math.isfinite(number):
            return "–"
        return "0" if abs(number) < 1e-3 else f"{number:.{digits}g}".replace("-", "−")

    columns = [column.numbers for column in comparison.columns]
    lines = [
        ("Output frames", [str(n.frames) for n in columns]),
        ("Error, whole clip (dB)", [cell_text(n.error) for n in columns]),
        ("Error, loud parts (dB)", [cell_text(n.error_loud) for n in columns]),
        ("Error, quiet parts (dB)", [cell_text(n.error_quiet) for n in columns]),
        ("Aliased energy (%)", [cell_text(n.aliased) for n in columns]),
        ("Shift change, mean (%)", [cell_text(n.shift_mean) for n in columns]),
        ("Shift change, worst (%)", [cell_text(n.shift_worst) for n in columns]),
        (f"Time, {comparison.device_name} (ms)", [cell_text(n.milliseconds) for n in columns]),
        ("Peak memory (kB)", [cell_text(None if n.peak_bytes is None else n.peak_bytes / 1e3, 4) for n in columns]),
    ]
    table = ax.table(
        [[name, *texts] for name, texts in lines],
        colLabels=["", *(column.label for column in comparison.columns)],
        cellLoc="left",
        colLoc="left",
        edges="horizontal",
        bbox=(0, 0.13, 1, 0.87),
        colWidths=[0.3, *[0.7 / len(columns)] * len(columns)],
    )
    table.set_in_layout(False)
    table.auto_set_font_size(False)
    for (row, column_index), cell in table.get_celld().items():
        cell.set_fontsize(6.5)
        cell.set_linewidth(0.4)
        cell.set_edgecolor("#AAAAAA")
        cell.PAD = 0.02
        if row == 0 and column_index > 0:
            cell.set_text_props(fontweight="bold", color=COLOURS[column_index - 1])
    settings = comparison.settings
    facts = [sources(MOST_LAYERS)[settings.source]]
    if any(map(takes_scores, settings.methods)):
        facts.append(f"adaptive methods place frames by: {SCORES[settings.scores].lower()}")
    facts = (
        " · ".join(facts)
        + f"\nErrors in dB re the clip’s variance; shift change: of the result, when the input moves by 0–{SHIFTS} frames."
    )
    ax.text(0, 0, facts, fontsize=6.5, color="#666666", va="bottom").set_in_layout(False)
