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
from adastride.inspection.figures import render, styled
from adastride.inspection.pictures import LayerPicture, PictureTrace
from adastride.tables import csv_text
from adastride.tasks.classification import percent

_INCHES = (7.2, 4.3)
_GRID = "#FFFFFF"


def to_npz(trace: PictureTrace) -> bytes:
    """Writes all of a trace into a compressed NPZ file, which np.load opens without pickles.

    pixels (height, width, 3) uint8; labels and probabilities (classes,). For layer k, counted from 0, and axis in height, width:
    alignment_k_axis (L, N), whose rows sum to 1, composite_k_axis (L, pixels), operator_k_axis (L, N), with signs, edges_k_axis
    (L + 1,) in pixels, and for spectral methods mask_k_axis (N,). seen_k (h, w, 3) uint8, features_k (h, w), spectrum_k (H, W) in dB,
    reconstruction_k (height, width, 3) uint8 and psnr_k in dB. settings: JSON.
    """
    arrays: dict[str, np.ndarray] = {
        "pixels": trace.pixels, "labels": np.array(trace.labels), "probabilities": trace.probabilities,
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
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)  # its entries carry no time of day
    return buffer.getvalue()


def to_csv(trace: PictureTrace) -> str:
    """Writes a CSV with a row for every output row and column: layer (1 is the lowest), axis, place, begin_pixels, end_pixels."""
    rows: list[tuple[object, ...]] = [("layer", "axis", "place", "begin_pixels", "end_pixels")]
    for number, layer in enumerate(trace.layers):
        for each in layer.along:
            for place, (begin, end) in enumerate(zip(each.edges[:-1], each.edges[1:], strict=True)):
                rows.append((number + 1, each.axis, place, f"{begin:.4f}", f"{end:.4f}"))
    return csv_text(rows)


def figure_png(trace: PictureTrace, title: str) -> bytes:
    """`figure` as a PNG of 200 dpi."""
    return render(figure(trace, title), "png")


def figure(trace: PictureTrace, title: str) -> Figure:
    """Draws every layer in a column: the picture under its output cells with the two alignments beside it, and the picture as it is seen."""
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
    picture.set_xlabel("input column (pixel)")
    axes[2, 1].imshow(layer.seen, interpolation="nearest", aspect="auto")
    axes[2, 1].set_xticks([])
    axes[2, 1].set_yticks([])
    axes[2, 1].set_xlabel(f"as layer {number + 1} sees it")


def _relative(composite: np.ndarray) -> np.ndarray:
    return composite / np.maximum(composite.max(axis=1, keepdims=True), 1e-9)


def _weights(axes: Axes, weights: np.ndarray, extent: tuple[float, float, float, float], label: str) -> AxesImage:
    image = axes.imshow(weights, extent=extent, cmap="Blues", interpolation="nearest", aspect="auto", vmin=0, vmax=1)
    axes.set_ylabel(label)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(2, integer=True))
    return image
