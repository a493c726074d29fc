"""How a network's answer travels to the browser, whatever its task: lanes with one byte a value, and sounds when they are wanted."""

from __future__ import annotations

import io
import json
import math
import zlib
from collections.abc import Collection, Sequence
from dataclasses import asdict

import numpy as np
import soundfile

from adastride.audio import Waveform
from adastride.tasks.prediction import Audible, CurveLane, PictureLane, Prediction, SegmentLane

MOST_SOUNDS = 8  # that are made for one request
_MARGIN = 0.25  # of the window in view, sent to either side of it


def require_numbers(prediction: Prediction) -> None:
    """Raises FloatingPointError where what a prediction says in numbers is not a number."""
    if not all(map(math.isfinite, [*prediction.values.values(), *(bar.share for bar in prediction.bars)])):
        raise FloatingPointError("the network's results are not numbers")


def widened(view: tuple[float, float] | None, seconds: float) -> tuple[float, float]:
    """The window in view of a clip, None for all of it, with a margin to pan into; in seconds, and within the clip."""
    if view is None or view[0] >= seconds:
        return 0.0, seconds
    margin = _MARGIN * (view[1] - view[0])
    return max(0.0, view[0] - margin), min(seconds, view[1] + margin)


def pack_prediction(
    prediction: Prediction, window: tuple[float, float], seconds: float, columns: int
) -> tuple[dict, dict[str, np.ndarray]]:
    """Packs a prediction for the browser. Returns what stands in the header, and the arrays by name.

    window: the (begin, end) in seconds of which lanes are sent. seconds: the length of the clip. columns: into how many columns
    of the screen the window is to be resolved.
    """
    lanes, arrays = [], {}
    for index, lane in enumerate(prediction.lanes):
        described, lane_arrays = _PACK_LANE[type(lane)](lane, window, columns)
        whole = window[0] <= 0 and window[1] >= seconds
        version = zlib.crc32(json.dumps([described, whole and seconds, window]).encode())
        for array in lane_arrays.values():
            version = zlib.crc32(array.tobytes(), version)
        lanes.append({"title": lane.title, "whole": whole, "version": version, **described})
        arrays |= {f"{name}{index}": array for name, array in lane_arrays.items()}
    header = {
        "headline": prediction.headline,
        "detail": prediction.detail,
        "barsTitle": prediction.bars_title,
        "bars": [{"label": bar.label, "share": round(bar.share, 6), "text": bar.text} for bar in prediction.bars],
        "lanes": lanes,
    }
    if prediction.rate is not None:
        header["rate"] = asdict(prediction.rate)
    return header, arrays


def _pack_segments(lane: SegmentLane, window: tuple[float, float], columns: int) -> tuple[dict, dict[str, np.ndarray]]:
    begin, end = window
    segments = [
        {
            "start": round(segment.start, 4), "end": round(segment.end, 4), "text": segment.text,
            "colour": segment.colour, "strength": round(min(max(segment.strength, 0.0), 1.0), 3),
            **({"frames": segment.frames} if segment.frames else {}), **({"paint": segment.paint} if segment.paint else {}),
        }
        for segment in lane.segments if segment.end > begin and segment.start < end
    ]
    return {"kind": "segments", "unit": "", "strength": lane.strength, "segments": segments}, {}


def _pack_picture(lane: PictureLane, window: tuple[float, float], columns: int) -> tuple[dict, dict[str, np.ndarray]]:
    """Packs a picture with one byte a value. Of frames that would share a column of the screen the largest values are sent."""
    edges = np.asarray(lane.edges, np.float64)
    first = max(int(np.searchsorted(edges, window[0], "right")) - 1, 0)
    stop = min(max(int(np.searchsorted(edges, window[1])), first + 1), len(edges) - 1)
    values = np.asarray(lane.values[:, first:stop], np.float64)
    starts = np.arange(0, stop - first, max(1, -(-(stop - first) // columns)))
    pooled = np.maximum.reduceat(np.nan_to_num(values, nan=lane.low), starts, axis=1)
    scale = 255 / (lane.high - lane.low) if lane.high > lane.low else 0.0
    data = np.clip((pooled - lane.low) * scale, 0, 255).astype("u1").T
    described = {
        "kind": "picture", "unit": lane.unit, "low": float(lane.low), "high": float(lane.high), "rows": values.shape[0],
        "sequential": lane.sequential, "ticks": [[text, float(row)] for text, row in lane.ticks], "patches": lane.patches,
    }
    return described, {"laneData": data, "laneEdges": edges[[*(first + starts), stop]].astype("<f4")}


def _pack_curve(lane: CurveLane, window: tuple[float, float], columns: int) -> tuple[dict, dict[str, np.ndarray]]:
    """Packs the points of a curve. Of points that would share a column of the screen the lowest and the highest are sent."""
    times, values = np.asarray(lane.times, np.float64), np.asarray(lane.values, np.float64)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    first = max(int(np.searchsorted(times, window[0])) - 1, 0)
    stop = min(int(np.searchsorted(times, window[1], "right")) + 1, len(times))
    times, values = times[first:stop], np.where(np.isfinite(values[first:stop]), values[first:stop], np.nan)
    few = -(-len(times) // columns)
    if few > 1:
        starts = np.arange(0, len(times), few)
        extremes = np.fmin.reduceat(values, starts), np.fmax.reduceat(values, starts)
        times, values = np.repeat(times[starts], 2), np.stack(extremes, axis=1).ravel()
    described = {"kind": "curve", "unit": lane.unit, "low": low, "high": high}
    return described, {"laneTimes": times.astype("<f4"), "laneValues": values.astype("<f4")}


_PACK_LANE = {SegmentLane: _pack_segments, PictureLane: _pack_picture, CurveLane: _pack_curve}


def pack_sounds(sounds: Sequence[Audible], wanted: Collection[str]) -> tuple[list[dict], dict[str, np.ndarray]]:
    """What can be heard besides the clip, and the samples `heardN` of those whose keys are wanted, (n,) of 16 bits."""
    described, arrays = [], {}
    for index, audible in enumerate(sounds):
        described.append({"title": audible.title, "key": audible.key})
        if audible.key in wanted:
            sound = audible.make()
            described[-1]["rate"] = sound.sample_rate
            arrays[f"heard{index}"] = pcm16(sound)
    return described, arrays


def pcm16(waveform: Waveform) -> np.ndarray:
    """A clip's samples, (n,) of 16 bits."""
    return np.clip(np.round(waveform.samples * 32767), -32768, 32767).astype("<i2")


def encoded(waveform: Waveform) -> np.ndarray:
    """A clip as a browser plays it: the bytes of a FLAC file."""
    buffer = io.BytesIO()
    soundfile.write(buffer, pcm16(waveform), waveform.sample_rate, format="FLAC", subtype="PCM_16")
    return np.frombuffer(buffer.getvalue(), "u1")
