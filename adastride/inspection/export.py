"""Writes a trace as numbers: NumPy arrays, a table of strides, a summary. The same trace always gives the same bytes."""

from __future__ import annotations

import io
import json
from dataclasses import asdict

import numpy as np

from adastride.alignment import Taps
from adastride.inspection.tracing import LayerTrace, Trace
from adastride.tables import csv_text

MAX_ELEMENTS = 64_000_000  # of all alignments of one file together: 256 MB before they are compressed
_BLOCK_ELEMENTS = 1 << 21
_NOTE = (
    "The full alignments would have {elements:,} elements, more than the {most:,} this file may hold, so they are left out. To rebuild "
    "layer k: row i of A is exp(-settings[k].sigma ** -2 * (positions_k - i) ** 2) divided by its sum; for adastride-f only frames whose "
    "position rounds to i take part; for a layer with an array taps_k, tap n of row i is at frame i * stride + n - len(taps_k) // 2; "
    "a layer with neither sigma nor taps can't be rebuilt: export a shorter part of the clip."
)


def to_npz(trace: Trace) -> bytes:
    """Writes everything a trace knows into a compressed NPZ file, which np.load opens without pickles.

    mel: (n_mels, T) natural-log mel. For layer k, counted from 0: alignment_k (L, T) float32, whose rows sum to 1, or to 0 where
    AdaStride-F left an output frame empty; positions_k (T,) in output frames; strides_k (L,) in input frames;
    boundaries_seconds_k (L + 1,); and taps_k for a strided convolution. settings: JSON with an object for each layer. The prediction
    adds arrays of its own: labels and probabilities, (classes,) each, for a classifier; of a network of patches also how much the answer is
    made of each, patch_weights (rows, columns), where they lie, patch_edges_seconds (columns + 1,) and patch_edges_hertz (rows + 1,), and
    its attention as `tasks.attention.Heads` has it: attention_queries and attention_keys (layers, heads, tokens, size) int8, attention_scales
    (layers, heads), and attention_patches, the token of each patch (rows, columns).
    hearing: of such a network, JSON with the seconds that it heard, null for all, and the resolution. note: (1,) text that is there only
    where the alignments are left out because they would have more than MAX_ELEMENTS elements; it says how to rebuild them.
    """
    arrays: dict[str, np.ndarray] = {"mel": trace.mel}
    elements = sum(layer.output_frames * layer.input_frames for layer in trace.layers)
    for index, layer in enumerate(trace.layers):
        if elements <= MAX_ELEMENTS:
            arrays[f"alignment_{index}"] = _full_alignment(layer)
        arrays[f"positions_{index}"] = layer.positions
        arrays[f"strides_{index}"] = layer.strides
        arrays[f"boundaries_seconds_{index}"] = trace.boundary_seconds(index)
        drawing = layer.alignment.drawing()
        if isinstance(drawing, Taps):
            arrays[f"taps_{index}"] = drawing.taps
    arrays |= trace.prediction.arrays
    arrays["settings"] = np.array(json.dumps([{"method": layer.method, **asdict(layer.settings)} for layer in trace.layers]))
    if trace.prediction.patches is not None:
        arrays["hearing"] = np.array(json.dumps(asdict(trace.hearing)))
    if elements > MAX_ELEMENTS:
        arrays["note"] = np.array([_NOTE.format(elements=elements, most=MAX_ELEMENTS)])
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)  # its entries carry no time of day
    return buffer.getvalue()


def _full_alignment(layer: LayerTrace) -> np.ndarray:
    """The alignment's matrix, (L, T) float32, made a block of rows at a time: `dense` would need ten times the memory of its result."""
    all_frames = np.arange(layer.input_frames)
    result = np.empty((layer.output_frames, layer.input_frames), np.float32)
    step = max(1, _BLOCK_ELEMENTS // layer.input_frames)
    for begin in range(0, layer.output_frames, step):
        rows = np.arange(begin, min(begin + step, layer.output_frames))
        weights = layer.alignment.relative_weights(rows, all_frames, all_frames)
        result[rows] = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-30)
    return result


def to_csv(trace: Trace) -> str:
    """Writes a CSV with a row for every output frame: layer (1 is the lowest), output_frame, start_seconds, end_seconds, input_frames.

    input_frames is the stride, in frames of the layer's own input; over a layer the strides add up to T. Lines end with a line feed.
    """
    rows: list[tuple[object, ...]] = [("layer", "output_frame", "start_seconds", "end_seconds", "input_frames")]
    for index, layer in enumerate(trace.layers):
        edges = trace.boundary_seconds(index)
        for frame, (start, end, stride) in enumerate(zip(edges[:-1], edges[1:], layer.strides, strict=True)):
            rows.append((index + 1, frame, f"{start:.6f}", f"{end:.6f}", f"{stride:.6f}"))
    return csv_text(rows)


def summary(trace: Trace) -> dict:
    """The trace in a few numbers, ready for JSON: the object that `python -m adastride explain --json` prints.

    seconds and sample_rate (in Hz) are of the clip as the network heard it. Strides are in input frames. entropy is the mean over the
    alignment's rows, in nats. position_loss is in output frames. milliseconds is what the layer took. A network of patches adds tokens
    and multiply_adds, which its blocks cost.
    """
    patches = trace.prediction.patches
    return {
        "checkpoint": trace.checkpoint,
        "seconds": trace.waveform.seconds,
        "sample_rate": trace.waveform.sample_rate,
        "mel_frames": trace.mel.shape[1],
        "labels": list(trace.prediction.values),
        "probabilities": dict(trace.prediction.values),
        "top": trace.top,
        **({} if patches is None else {"tokens": patches.tokens, "multiply_adds": patches.multiply_adds}),
        "layers": [
            {
                "name": layer.name,
                "method": layer.method,
                "input_frames": layer.input_frames,
                "output_frames": layer.output_frames,
                "stride_min": float(layer.strides.min()),
                "stride_median": float(np.median(layer.strides)),
                "stride_max": float(layer.strides.max()),
                "entropy": layer.entropy,
                "position_loss": layer.position_loss,
                "milliseconds": layer.milliseconds,
            }
            for layer in trace.layers
        ],
    }
