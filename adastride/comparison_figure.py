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
from adastride.comparison import DECIBELS, SCORES, SHIFTS, SOURCES, Column, Comparison, Features, takes_scores
from adastride.figures import styled

_WIDTH = {2: 6.0, 3: 7.0, 4: 8.0}  # inches
_PIXELS = 600  # columns of one picture at the most: a little less than a PNG has
_RANGE = 80.0  # dB that colour tells apart
_MOST_ERROR = 20.0  # dB; larger errors have the same colour
_COLOURS = ("#0072B2", "#B86B00", "#007A5A", "#A6497E")
_FREQUENCIES = (500, 2000, 8000)


def comparison_figure(comparison: Comparison, mel: np.ndarray, preset: MelPreset, title: str) -> Figure:
    """Source on top, then for each method its result, alignment, reconstruction and error, and the numbers under them.

    mel: (n_mels, T) natural-log mel of the clip; title: the clip's name. All panels share the time axis in seconds and, in a
    row, the colours. Pictures are bounded, whatever the length of the clip.
    """
    with styled():
        return _compose(comparison, mel, preset, title)


def _compose(comparison: Comparison, mel: np.ndarray, preset: MelPreset, title: str) -> Figure:
    columns, features = comparison.columns, comparison.features
    seconds = float(features.edges[-1])
    figure = Figure(figsize=(_WIDTH[len(columns)], 8.2), dpi=200, layout="constrained")
    FigureCanvasAgg(figure)
    figure.get_layout_engine().set(h_pad=0.03, w_pad=0.03, hspace=0.02, wspace=0.02)
    grid = GridSpec(6, len(columns) + 1, figure=figure, height_ratios=[0.9, 1, 1.5, 1, 1, 1.9], width_ratios=[1] * len(columns) + [0.06])

    top = figure.add_subplot(grid[0, :-1])
    frames = np.arange(mel.shape[1] + 1)
    mel_edges = np.clip((frames - 0.5) / preset.frames_per_second, 0, seconds)
    levels = mel * DECIBELS
    limits = (max(float(levels.max()) - _RANGE, float(levels.min()) - 1), float(levels.max()))
    picture = _picture(top, levels, mel_edges, seconds, "magma", limits)
    _frequencies(top, preset)
    top.set_title(title, loc="left", fontsize=10, fontweight="bold", parse_math=False)
    top.set_ylabel("Log-mel\n(kHz)")
    figure.colorbar(picture, cax=figure.add_subplot(grid[0, -1])).set_label("dB")

    values = features.values[0].numpy() * features.scale
    if features.decibels:
        shown, worst = limits, _MOST_ERROR
    else:
        shown = tuple(float(v) for v in np.quantile(values[:, :: max(1, features.frames // 4096)], (0.01, 0.995)))
        worst = max(shown[1] - shown[0], 1e-6) / 4
    drawn = []
    for place, column in enumerate(columns):
        axes = [figure.add_subplot(grid[row, place]) for row in (1, 2, 3, 4)]
        inner = features.edges[column.scope[0] : column.scope[1] + 1]
        drawn = [
            _picture(axes[0], column.output * features.scale, column.edges, seconds, "magma", shown),
            _alignment(axes[1], column, features, seconds),
            _picture(axes[2], column.reconstruction * features.scale, inner, seconds, "magma", shown),
            _picture(axes[3], column.error, inner, seconds, "Reds", (0.0, worst)),
        ]
        _head(axes[0], column, _COLOURS[place])
        for panel in axes[:-1]:
            panel.tick_params(labelbottom=False)
        axes[-1].set_xlabel("Time (s)")
        axes[-1].xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        for panel, name in zip(axes, ("Downsampled", "Alignment\n(output frame)", "Reconstruction", "Error"), strict=True):
            if name.startswith("Align"):
                panel.yaxis.set_major_locator(MaxNLocator(3, integer=True, min_n_ticks=1))
            elif features.decibels and place == 0:
                _frequencies(panel, preset)
            else:
                panel.set_yticks([])
            if place == 0:
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


def _picture(ax: Axes, values: np.ndarray, edges: np.ndarray, seconds: float, colours: str, limits: tuple[float, float]):
    """(bands, n) values whose columns begin and end at edges (n + 1,) seconds, on columns of equal time; blank elsewhere."""
    middles = (np.arange(_PIXELS) + 0.5) * seconds / _PIXELS
    place = np.searchsorted(edges, middles, side="right") - 1
    inside = (place >= 0) & (place < values.shape[1])
    shown = np.full((values.shape[0], _PIXELS), np.nan, np.float32)
    shown[:, inside] = values[:, place[inside]]
    picture = ax.imshow(
        shown,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        cmap=colours,
        vmin=limits[0],
        vmax=limits[1],
        extent=(0, seconds, 0, 1),
    )
    return picture


def _alignment(ax: Axes, column: Column, features: Features, seconds: float):
    """The effective alignment, each row relative to its largest weight; of a long clip, where frames lie."""
    found = column.rows(0, column.scope[1] - column.scope[0])
    frames = column.output.shape[1]
    inner = features.edges[column.scope[0] : column.scope[1] + 1]
    if found is None:
        positions = column.alignment.positions[0].numpy()
        picture = _picture(ax, np.full((1, len(inner) - 1), np.nan), inner, seconds, "Blues", (0, 1))
        step = max(1, len(positions) // _PIXELS)
        ax.plot(((inner[1:] + inner[:-1]) / 2)[::step], (positions[::step] + 0.5) / frames, color="#08306B", linewidth=0.8)
        ax.set_ylim(0, 1)
    else:
        picture = _picture(ax, found[1], inner, seconds, "Blues", (0, 1))
    picture.set_extent((0, seconds, -0.5, frames - 0.5))
    for line in ax.lines:
        line.set_ydata(np.asarray(line.get_ydata()) * frames - 0.5)
    ax.set_xlim(0, seconds)
    ax.set_ylim(-0.5, frames - 0.5)
    return picture


def _head(ax: Axes, column: Column, colour: str) -> None:
    facts = (
        f"stride {column.stride:.4g}"
        + ("" if column.sigma is None else f" · σ {column.sigma:.3g}")
        + (" · pinned" if column.pinned else "")
    )
    ax.set_title("\n".join([facts, *column.notes]), loc="left", fontsize=6.5, color="#666666", pad=3)
    lines = 1 + len(column.notes)
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
    """The numbers, and under them what was compared."""
    ax.set_axis_off()

    def shown(number: float | None, digits: int = 3) -> str:
        if number is None or not math.isfinite(number):
            return "–"
        return "0" if abs(number) < 1e-3 else f"{number:.{digits}g}".replace("-", "−")

    columns = [column.numbers for column in comparison.columns]
    lines = [
        ("Output frames", [str(n.frames) for n in columns]),
        ("Error, whole clip (dB)", [shown(n.error) for n in columns]),
        ("Error, loud parts (dB)", [shown(n.error_loud) for n in columns]),
        ("Error, quiet parts (dB)", [shown(n.error_quiet) for n in columns]),
        ("Aliased energy (%)", [shown(n.aliased) for n in columns]),
        ("Shift change, mean (%)", [shown(n.shift_mean) for n in columns]),
        ("Shift change, worst (%)", [shown(n.shift_worst) for n in columns]),
        ("Time, CPU (ms)", [shown(n.milliseconds) for n in columns]),
        ("Peak memory (kB)", [shown(None if n.peak_bytes is None else n.peak_bytes / 1e3, 4) for n in columns]),
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
    for (row, place), cell in table.get_celld().items():
        cell.set_fontsize(6.5)
        cell.set_linewidth(0.4)
        cell.set_edgecolor("#AAAAAA")
        cell.PAD = 0.02
        if row == 0 and place > 0:
            cell.set_text_props(fontweight="bold", color=_COLOURS[place - 1])
    settings = comparison.settings
    facts = [SOURCES[settings.source]]
    if any(map(takes_scores, settings.methods)):
        facts.append(f"adaptive methods place frames by: {SCORES[settings.scores].lower()}")
    facts = (
        " · ".join(facts)
        + f"\nErrors in dB re the clip’s variance; shift change: of the result, when the input moves by 0–{SHIFTS} frames."
    )
    ax.text(0, 0, facts, fontsize=6.5, color="#666666", va="bottom").set_in_layout(False)
