"""Writes a look into a network of pictures as files: NumPy arrays, a table, and a figure like the AdaStride paper's figure 12."""

from __future__ import annotations

import io
import json
from dataclasses import asdict

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from adastride.downsampling import METHODS
from adastride.downsampling.images import AXES
from adastride.inspection.figures import render, styled
from adastride.inspection.modulation import Modulation, modulations_of
from adastride.inspection.pictures import LayerPicture, PictureTrace
from adastride.inspection.sound_windows import SoundWindow
from adastride.models.spectrograms import decibels_of_level
from adastride.tables import csv_text
from adastride.tasks.classification import percent

_INCHES = (7.2, 4.3)
_GRID = "#FFFFFF"


def to_npz(trace: PictureTrace, sound: SoundWindow | None = None) -> bytes:
    """Writes all of a trace into a compressed NPZ file, which np.load opens without pickles.

    pixels (height, width, 3) uint8; labels and probabilities (classes,), which sum to 1 for each head; heads (classes,), what the head of
    each label is called. sound: the window that the pixels are; it adds spectrogram (bands, frames), the log-mel in dB with the lowest band
    first, hertz (bands,), seconds (frames,) of the clip, and for layer k and axis step_k_axis and cut_off_k_axis: bands or seconds from
    one row or column to the next, and the cycles per band or second up to which modulations are kept. For layer k, counted from 0, and axis in height, width:
    alignment_k_axis (L, N), whose rows sum to 1, composite_k_axis (L, pixels), operator_k_axis (L, N), with signs, edges_k_axis
    (L + 1,) in pixels, and for spectral methods mask_k_axis (N,). seen_k (h, w, 3) uint8, features_k (h, w), spectrum_k (H, W) in dB,
    reconstruction_k (height, width, 3) uint8 and psnr_k in dB. settings: JSON.
    """
    arrays: dict[str, np.ndarray] = {
        "pixels": trace.pixels, "labels": np.array(trace.labels), "probabilities": trace.probabilities,
        "heads": np.array([head.task for head in trace.heads for _ in head.labels]),
        "settings": np.array(json.dumps({"method": trace.method, "layers": [[asdict(each) for each in both] for both in trace.settings]})),
    }
    for number, (layer, back) in enumerate(zip(trace.layers, trace.reconstructions, strict=True)):
        for each in layer.along:
            own = {"alignment": each.alignment, "composite": each.composite, "operator": each.operator, "edges": each.edges, "mask": each.mask}
            arrays |= {f"{name}_{number}_{each.axis}": array for name, array in own.items() if array is not None}
        arrays |= {
            f"seen_{number}": layer.seen, f"features_{number}": layer.features, f"spectrum_{number}": layer.spectrum,
            f"reconstruction_{number}": back.pixels, f"psnr_{number}": np.array(back.psnr),
        }
    if sound is not None:
        arrays |= {
            "spectrogram": np.vectorize(decibels_of_level)(np.arange(256)).astype(np.float32)[sound.pixels[::-1, :, 0]],
            "hertz": np.ascontiguousarray(sound.hertz[::-1]), "seconds": sound.begin + np.arange(sound.pixels.shape[1]) / sound.mel.frames_per_second,
        }
        for axis, name in enumerate(AXES):
            for number, kept in enumerate(modulations_of(trace, axis, sound.rates[axis])):
                arrays |= {f"step_{number}_{name}": np.array(kept.step), f"cut_off_{number}_{name}": np.array(kept.cut_off)}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)  # its entries carry no time of day
    return buffer.getvalue()


def to_csv(trace: PictureTrace, sound: SoundWindow | None = None) -> str:
    """Writes a CSV with a row for every output row and column: layer (1 is the lowest), axis, place, begin_pixels, end_pixels.

    sound: the window that the pixels are. Then axes are called frequency and time, and there is more: begin and end, and their unit, Hz
    (of the mel bands' centres) or seconds of the clip; stride; step and cut_off with their unit, bands or ms, and cycles per band or Hz.
    """
    if sound is not None:
        return csv_text(_sound_rows(trace, sound))
    rows: list[tuple[object, ...]] = [("layer", "axis", "place", "begin_pixels", "end_pixels")]
    for number, layer in enumerate(trace.layers):
        for each in layer.along:
            for place, (begin, end) in enumerate(zip(each.edges[:-1], each.edges[1:], strict=True)):
                rows.append((number + 1, each.axis, place, f"{begin:.4f}", f"{end:.4f}"))
    return csv_text(rows)


def _sound_rows(trace: PictureTrace, sound: SoundWindow) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = [(
        "layer", "axis", "place", "begin_pixels", "end_pixels", "begin", "end", "unit", "stride", "step", "step_unit", "cut_off", "cut_off_unit",
    )]
    bands = [0.0, *(np.arange(sound.mel.n_mels) + 0.5), float(sound.mel.n_mels)]
    hertz = [sound.mel.high_hz, *sound.hertz, sound.mel.low_hz]  # the outermost bands end where all of them do
    for axis, (name, unit, scale, step_unit, cycles) in enumerate((
        ("frequency", "Hz", 1.0, "bands", "cycles per band"), ("time", "s", 1e3, "ms", "Hz"),
    )):
        for number, (layer, kept) in enumerate(zip(trace.layers, modulations_of(trace, axis, sound.rates[axis]), strict=True)):
            edges = layer.along[axis].edges
            shown = sound.begin + edges / sound.mel.frames_per_second if axis else np.interp(edges, bands, hertz)
            said = f"{layer.along[axis].settings.stride:g}", f"{scale * kept.step:.4f}", step_unit, f"{kept.cut_off:.4f}", cycles
            for place in range(len(edges) - 1):
                ends = (*(f"{each:.4f}" for each in edges[place : place + 2]), *(f"{each:.4f}" for each in shown[place : place + 2]))
                rows.append((number + 1, name, place, *ends, unit, *said))
    return rows


def figure_png(trace: PictureTrace, title: str, sound: SoundWindow | None = None) -> bytes:
    """`figure` as a PNG of 200 dpi."""
    return render(figure(trace, title, sound), "png")


def figure(trace: PictureTrace, title: str, sound: SoundWindow | None = None) -> Figure:
    """Draws every layer in a column: the picture under its output cells with the two alignments beside it, and the picture as it is seen.

    sound: the window that the pixels are, whose seconds, frequencies and levels then stand at the axes.
    """
    if sound is not None:
        return _sound_figure(trace, title, sound)
    with styled():
        drawn = Figure(figsize=_INCHES, layout="constrained")
        FigureCanvasAgg(drawn)
        best, share = trace.answer
        drawn.suptitle(f"{title}: {METHODS[trace.method].label} says {best}, {percent(share)}", fontsize=9, parse_math=False)
        columns = drawn.subfigures(1, len(trace.layers), squeeze=False)[0]
        for number, (place, layer) in enumerate(zip(columns, trace.layers, strict=True)):
            _draw_layer(place, trace, layer, number)
    return drawn


def _draw_layer(place: SubFigure, trace: PictureTrace, layer: LayerPicture, number: int) -> None:
    size = trace.pixels.shape
    height, width = layer.along
    axes = place.subplots(3, 2, gridspec_kw={"width_ratios": (1, 3), "height_ratios": (1.3, 3, 3)})
    place.suptitle(f"Layer {number + 1}: {height.output_size} × {width.output_size} of {height.input_size} × {width.input_size}", fontsize=8)
    for one in (axes[0, 0], axes[2, 0]):
        one.axis("off")
    weights = _weights(axes[0, 1], _relative(width.composite), (0, size[1], width.output_size, 0), "output\ncolumn")
    _weights(axes[1, 0], _relative(height.composite).T, (0, height.output_size, size[0], 0), "input row (pixel)")
    bar = place.colorbar(weights, ax=axes[2, 0], orientation="horizontal", fraction=0.5, aspect=6, ticks=(0, 1))
    bar.set_label("weight over the\nrow’s largest")
    axes[1, 0].set_xlabel("output row")
    picture = axes[1, 1]
    picture.imshow(trace.pixels, extent=(0, size[1], size[0], 0), interpolation="nearest", aspect="auto")
    picture.hlines(height.edges, 0, size[1], color=_GRID, linewidth=0.4)
    picture.vlines(width.edges, 0, size[0], color=_GRID, linewidth=0.4)
    picture.set_yticks([])
    picture.set_xlabel("input column\n(pixel)")
    axes[2, 1].imshow(layer.seen, interpolation="nearest", aspect="auto")
    axes[2, 1].set_xticks([])
    axes[2, 1].set_yticks([])
    axes[2, 1].set_xlabel(f"as layer {number + 1}\nsees it")


def _sound_figure(trace: PictureTrace, title: str, sound: SoundWindow) -> Figure:
    with styled():
        drawn = Figure(figsize=(2.4 * len(trace.layers), 4.4), layout="constrained")
        FigureCanvasAgg(drawn)
        said = "; ".join(f"{f'{task}: ' if task else ''}{label}, {percent(share)}" for task, label, share in trace.answers)
        drawn.suptitle(f"{title}: {METHODS[trace.method].label} says\n{said}", fontsize=9, parse_math=False)
        columns = drawn.subfigures(1, len(trace.layers), squeeze=False)[0]
        kept = list(zip(*(modulations_of(trace, axis, sound.rates[axis]) for axis in range(2)), strict=True))
        for number, (place, layer) in enumerate(zip(columns, trace.layers, strict=True)):
            _draw_sound_layer(place, layer, sound, number, kept[number])
    return drawn


def _draw_sound_layer(place: SubFigure, layer: LayerPicture, sound: SoundWindow, number: int, kept: tuple[Modulation, Modulation]) -> None:
    frequency, time = layer.along
    bands = sound.pixels.shape[0]
    low, high = sound.decibels
    seconds = sound.begin, sound.end
    axes = place.subplots(3, 2, gridspec_kw={"width_ratios": (1, 3), "height_ratios": (1.3, 3, 3)})
    place.suptitle(
        f"Layer {number + 1}: {frequency.output_size} × {time.output_size} of {frequency.input_size} × {time.input_size}\n"
        f"{1e3 * kept[1].step:.3g} ms a column, up to {kept[1].cut_off:.3g} Hz\n"
        f"{kept[0].step:.3g} bands a row, up to {kept[0].cut_off:.3g} cycles/band", fontsize=7,
    )
    for one in (axes[0, 0], axes[2, 0]):
        one.axis("off")
    weights = _weights(axes[0, 1], _relative(time.composite), (*seconds, time.output_size, 0), "output\ncolumn")
    axes[0, 1].set_xticklabels([])
    _weights(axes[1, 0], _relative(frequency.composite).T, (0, frequency.output_size, bands, 0), "frequency (kHz)")
    axes[1, 0].set_xlabel("output row")
    axes[1, 0].set_xticks([0, frequency.output_size])
    bar = place.colorbar(weights, ax=axes[2, 0], orientation="horizontal", fraction=0.5, aspect=6, ticks=(0, 1))
    bar.set_label("weight over the\nrow’s largest")
    ticks = [(text.removesuffix(" kHz"), row) for text, row in sound.frequency_ticks]
    axes[1, 0].set_yticks([row for _, row in ticks], [text for text, _ in ticks])
    for one, pixels in ((axes[1, 1], sound.pixels), (axes[2, 1], layer.seen)):
        levels = decibels_of_level(0) + pixels[:, :, 0] * (decibels_of_level(255) - decibels_of_level(0)) / 255
        shown = one.imshow(levels, extent=(*seconds, bands, 0), cmap="magma", vmin=low, vmax=high, interpolation="nearest", aspect="auto")
        one.xaxis.set_major_locator(MaxNLocator(3))
        one.set_yticks([])
    axes[1, 1].hlines(frequency.edges, *seconds, color=_GRID, linewidth=0.3, alpha=0.4)
    axes[1, 1].vlines(sound.begin + time.edges / sound.mel.frames_per_second, 0, bands, color=_GRID, linewidth=0.3, alpha=0.4)
    axes[1, 1].set_xticklabels([])
    axes[2, 1].set_xlabel(f"time (s)\nas layer {number + 1}\nsees it")
    place.colorbar(shown, ax=axes[1:, 1], orientation="horizontal", fraction=0.06, aspect=24, pad=0.02, ticks=MaxNLocator(2)).set_label("dB")


def _relative(composite: np.ndarray) -> np.ndarray:
    return composite / np.maximum(composite.max(axis=1, keepdims=True), 1e-9)


def _weights(axes: Axes, weights: np.ndarray, extent: tuple[float, float, float, float], label: str) -> AxesImage:
    image = axes.imshow(weights, extent=extent, cmap="Blues", interpolation="nearest", aspect="auto", vmin=0, vmax=1)
    axes.set_ylabel(label)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(2, integer=True))
    return image
