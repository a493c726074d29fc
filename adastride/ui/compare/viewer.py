"""The Compare page's component: the server runs the methods, the browser draws them on one time axis (frontend/compare/viewer.js).

Like the Explore page's viewer, it gets one bytes value: a JSON header and the arrays that it names. What belongs to the clip and the
source is sent once. Pictures are sent with one byte a value and, of a long clip, only around what is in view.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st
import torch

from adastride.alignment import Positions, Taps
from adastride.audio import LOG_FLOOR, MelPreset, mel_band_centres
from adastride.comparison.core import CPU, SHIFTS, Column, Comparison, best_device, compare, takes_scores
from adastride.comparison.features import DECIBELS, Features, choose_scores, interesting_part
from adastride.comparison.settings import DRAWN_POINTS, SCORES, WHOLE_FRAMES, ComparisonSettings, Pin
from adastride.downsampling import METHODS
from adastride.ranges import SIGMA_RANGE, STRIDE_RANGE
from adastride.ui.component import live_component, pack
from adastride.ui.live import Channel, channel_of
from adastride.ui.prediction import encoded
from adastride.ui.queue import SHORT_SECONDS, Busy, show_busy, turn
from adastride.ui.source import Clip
from adastride.ui.text import plain

_log = logging.getLogger(__name__)
_SHOWN_DECIBELS = 90.0
_SHOWN_ERROR = 20.0  # dB; larger errors have the same colour
_MOST_COLUMNS = 2048  # of one picture; finer than any screen's column
_MOST_BANDS = 80  # features with more channels are shown by every n-th
_LIVE_NUMBERS = 1 << 22  # that may be worked out for one alignment's picture while somebody drags

_component = live_component("compare", "compare/viewer.js")


def compare_viewer(
    clip: Clip,
    mel: np.ndarray,
    preset: MelPreset,
    features: Features,
    page_settings: ComparisonSettings,
    start: ComparisonSettings,
    view: tuple[float, float] | None,
    link: Mapping[str, str | None],
    revision: str,
    key: str,
) -> Comparison | None:
    """Shows methods side by side and follows the sliders; call it inside of a fragment.

    Returns the comparison that is shown, or None where a method could not run, which the page then says.
    mel: (n_mels, T) natural-log mel of the clip. page_settings: methods, source, scores and axes, which the page's widgets set. start:
    the stride, sigma, pins and drawn curve that a new `revision` (another link) begins with; after that those of the browser count.
    view: the (begin, end) in seconds that a link asks for, None for the interesting part. link: the query parameters that the page
    sets, with None for one that is left out.
    """
    asked = st.session_state.get(key, {}).get("request")
    state, channel = kept_state(key), channel_of(key, longer=True)
    page = _Page(clip, mel, preset, features, page_settings, view, dict(link), revision)
    slow = clip.waveform.seconds > SHORT_SECONDS
    if slow:
        channel.respond = None
    with channel.lock:
        if state.get("revision") != revision:
            state.update(revision=revision, live=_live(start), comparison=None)
        if state["comparison"] is not None and state["comparison"].features is not features:
            state["comparison"] = None  # where this source can't be shown, there is nothing to export either
        shown = state["live"]
        if channel.is_new(asked):
            state["request"] = request = _request(asked)
            if request is not None and request["revision"] == revision:
                state["live"] = request["live"]
        try:
            with st.container(), turn() if slow else nullcontext():
                _run(page, state)
        except Busy as busy:
            show_busy(busy)
            if state["comparison"] is None:
                return None
            state["live"] = shown
        except ValueError as error:
            channel.respond = None
            st.error(plain(f"{str(error)[0].upper()}{str(error)[1:]}."), icon=":material/error:")
            return None
        except (MemoryError, RuntimeError):
            channel.respond = None
            _log.exception("comparing failed")
            st.error(f"A method could not run on {plain(clip.title)}: choose a shorter clip or a larger stride.", icon=":material/error:")
            return None

        def respond(value: object) -> bytes | None:
            """Answers a drag. The slow numbers, which may take a second, are left to the page, and so is what fails there."""
            request = _request(value)
            if request is None or request["revision"] != revision or request["settled"]:
                return None
            before = {name: state[name] for name in ("request", "live", "comparison", "view")}
            state.update(request=request, live=request["live"])
            try:
                _run(page, state)
            except (ValueError, MemoryError, RuntimeError):
                state.update(before)
                return None
            return _packed(page, state, channel)

        channel.respond = None if slow else respond
        data = _packed(page, state, channel)
    _component(key=key, data=data, default={"request": None}, on_request_change=lambda: None)
    return state["comparison"]


@dataclass(frozen=True)
class _Page:
    """What a run of the page has chosen: the arguments of `compare_viewer`."""

    clip: Clip
    mel: np.ndarray
    preset: MelPreset
    features: Features
    settings: ComparisonSettings
    view: tuple[float, float] | None
    link: dict[str, str | None]
    revision: str


def _knows_clip(page: _Page, request: dict) -> bool:
    """Whether the browser that asks has this clip, so that its view is of it."""
    return request["have"].split("/")[0] == page.clip.id


def _window(page: _Page, request: dict | None) -> tuple[tuple[float, float], bool]:
    """The seconds to compare, and whether with the slow numbers."""
    shown_view, settled = (request["view"], request["settled"]) if request and _knows_clip(page, request) else (None, False)
    return shown_view or page.view or interesting_part(page.features), settled


def _run(page: _Page, state: dict) -> None:
    """Compares what the session's last request asks for. Raises what `compare` raises."""
    view, settled = _window(page, state.get("request"))
    result = _compare(state, page.features, _combine(page.settings, state["live"]), view, settled)
    state.update(comparison=result, view=view)


def _packed(page: _Page, state: dict, channel: Channel) -> bytes:
    """The comparison that was run last, as the browser reads it."""
    request, clip, features = state.get("request"), page.clip, page.features
    view, settled = _window(page, request)
    header, arrays = _pack_comparison(state["comparison"], view, settled)
    header |= channel.stamp()
    source = f"{clip.id}/{features.id}"
    if state.get("too_large") == features.id:
        header["status"] += " The GPU has too little free memory for this clip."
    header |= {
        "sequence": request["sequence"] if request else 0,
        "revision": page.revision,
        "ranges": {"sigma": SIGMA_RANGE, "stride": STRIDE_RANGE},
        "settings": _live(_combine(page.settings, state["live"])) | {"drawn": _drawn(state["live"])},
        "defaults": _live(ComparisonSettings(page.settings.methods)) | {"drawn": [0.0] * DRAWN_POINTS},
        "source": source,
        "clip": {"id": clip.id, "title": clip.title},
        "link": page.link,
        "scores": page.settings.scores,
        "scoresLabel": SCORES[page.settings.scores].lower(),
    }
    if request is None or request["have"] != source:
        header["sourceData"], source_arrays = _source_data(clip, page.mel, page.preset, features)
        header["sourceData"] |= {"linkView": page.view, "focus": interesting_part(features)}
        arrays |= source_arrays
        if request is None or not _knows_clip(page, request):
            arrays["sound"] = encoded(clip.waveform)
    return pack(header, arrays)


def kept_state(key: str) -> dict:
    """What a session keeps of a viewer: "comparison" is what was shown last, "view" the seconds that were in view.

    Whoever offers a download takes hold of this dictionary while the page runs, because the download is made in a thread that knows
    no session.
    """
    return st.session_state.setdefault(f"{key}_state", {})


def pinned_scores(key: str, start: ComparisonSettings) -> set[str]:
    """The keys of SCORES from which the pinned columns have their scores, in a viewer that begins with `start`."""
    return {pin["scores"] for pin in kept_state(key).get("live", _live(start))["pins"].values()}


def _compare(state: dict, features: Features, settings: ComparisonSettings, view: tuple[float, float], settled: bool) -> Comparison:
    """Runs `compare` on the best device. Features for which a GPU had too little memory are compared on the CPU from then on."""
    previous, device = state.get("comparison"), CPU if state.get("too_large") == features.id else best_device()
    try:
        return compare(features, settings, view, settled, previous, device=device)
    except torch.OutOfMemoryError:
        torch.cuda.empty_cache()
        state["too_large"] = features.id
        return compare(features, settings, view, settled, previous)


def _live(settings: ComparisonSettings) -> dict:
    """The settings that the browser changes: stride, sigma, the drawn curve, and the pins by method."""
    pins = {
        method: {"stride": pin.stride, "sigma": pin.sigma, "scores": pin.scores, "drawn": list(pin.drawn)}
        for method, pin in zip(settings.methods, settings.pins, strict=True)
        if pin
    }
    return {"stride": settings.stride, "sigma": settings.sigma, "drawn": list(settings.drawn), "pins": pins}


def _drawn(live: dict) -> list[float]:
    """The drawn curve, which is kept while other scores are chosen; a flat one where nothing was drawn yet."""
    return list(live["drawn"]) or [0.0] * DRAWN_POINTS


def _combine(page_settings: ComparisonSettings, live: dict) -> ComparisonSettings:
    """The settings of the page's widgets together with those that the browser changes."""
    pins = tuple(Pin(**live["pins"][method]) if method in live["pins"] else None for method in page_settings.methods)
    return replace(page_settings, stride=live["stride"], sigma=live["sigma"], drawn=tuple(live["drawn"]), pins=pins)


def _request(value: object) -> dict | None:
    """Checks a browser's request. Anything that our component could not have sent counts as no request."""
    try:
        live = {
            "stride": float(value["stride"]),
            "sigma": float(value["sigma"]),
            "drawn": [float(v) for v in value["drawn"]],
            "pins": {
                str(method): {
                    "stride": float(p["stride"]),
                    "sigma": float(p["sigma"]),
                    "scores": str(p["scores"]),
                    "drawn": [float(v) for v in p["drawn"]],
                }
                for method, p in value["pins"].items()
            },
        }
        for pin in live["pins"].values():
            Pin(**pin)
        Pin(live["stride"], live["sigma"], "drawn", live["drawn"])
        view = None if value["view"] is None else (float(value["view"][0]), float(value["view"][1]))
        if view is not None and not (math.isfinite(view[0]) and 0 <= view[0] < view[1] < 1e6):
            return None
        return {
            "sequence": int(value["sequence"]),
            "revision": str(value["revision"]),
            "have": str(value["have"]),
            "settled": bool(value["settled"]),
            "view": view,
            "live": live,
        }
    except (TypeError, KeyError, ValueError, OverflowError, AttributeError, IndexError):
        return None


# ------------------------------------------------------------------ what goes to the browser


def _pack_comparison(result: Comparison, view: tuple[float, float] | None, settled: bool) -> tuple[dict, dict[str, np.ndarray]]:
    """The header and arrays that change with the settings."""
    features, columns, arrays = result.features, [], {}
    low, high = _range(features)
    windowed = features.frames > _MOST_COLUMNS
    span = _span(features, view) if windowed else (0, features.frames)
    for index, column in enumerate(result.columns):
        described = _describe(column)
        if column.pinned and takes_scores(column.method):
            described["scoresLabel"] = SCORES[column.settings.scores].lower()
        described["version"] = (
            f"{column.method} {column.settings} {column.both_axes} {column.scope} {span} {features.id} {settled and windowed}"
        )
        first, stop = (int(np.clip(edge, *column.scope)) - column.scope[0] for edge in span)
        out_span = _frames_over(column, *features.edges[list(span)]) if windowed else (0, column.output.shape[1])
        scaled = features.scale * 255 / (high - low), low * 255 / (high - low)
        for name, picture, (begin, end), (factor, offset) in (
            ("out", column.output, out_span, scaled),
            ("rec", column.reconstruction, (first, stop), scaled),
            ("err", column.error, (first, stop), (255 / _error_top(features), 0.0)),
        ):
            values = np.clip(_every_band(picture)[:, begin:end] * factor - offset, 0, 255).astype("u1")
            values, pooled = _pooled(values)
            arrays[f"{name}{index}"] = values.T
            described[name] = {"rows": values.shape[0], "first": int(begin), "count": int(end - begin), "factor": pooled}
        arrays[f"edges{index}"] = column.edges.astype("<f4")
        described |= _pack_alignment(column, arrays, index, (first, stop), settled or not windowed)
        columns.append(described)
    strip = any(takes_scores(method) for method in result.settings.methods)
    delta, factor = _displacements(features, result.settings) if strip else (np.zeros(0), 1)
    arrays["delta"] = delta.astype("<f4")
    numbers_note = ""
    if features.frames > WHOLE_FRAMES:
        numbers_note = "Aliasing, shift and memory are of the part around the view, the errors of what each method was run on."
    elif any(math.isnan(column.numbers.error) for column in result.columns):
        numbers_note = "“none”: nothing changes over time here, so there is nothing to compare an error with."
    header = {
        "methods": list(result.settings.methods),
        "columns": columns,
        "pending": result.pending,
        "settled": settled,
        "windowed": windowed,
        "strip": strip,
        "deltaFactor": factor,
        "shifts": SHIFTS,
        "numbersNote": numbers_note,
        "status": f"The methods alone: {sum(column.numbers.milliseconds for column in result.columns):.1f} ms on {result.device_name}.",
        "device": result.device_name,
    }
    return header, arrays


def _describe(column: Column) -> dict:
    numbers = column.numbers

    def finite(value: float | None) -> float | None:
        return None if value is None or not math.isfinite(value) else value

    return {
        "method": column.method,
        "label": column.label,
        "stride": column.stride,
        "sigma": column.sigma,
        "notes": list(column.notes),
        "scope": list(column.scope),
        "hard": column.whole_positions,
        "adaptive": METHODS[column.method].kind == "adaptive",
        "numbers": {
            "frames": numbers.frames,
            "error": finite(numbers.error),
            "errorLoud": finite(numbers.error_loud),
            "errorQuiet": finite(numbers.error_quiet),
            "milliseconds": numbers.milliseconds,
            "complete": numbers.complete,
            "aliased": finite(numbers.aliased),
            "shiftMean": finite(numbers.shift_mean),
            "shiftWorst": finite(numbers.shift_worst),
            "peakBytes": numbers.peak_bytes,
        },
    }


def _pack_alignment(column: Column, arrays: dict[str, np.ndarray], index: int, span: tuple[int, int], settled: bool) -> dict:
    """Adds what the alignment is drawn from to the arrays, and returns what belongs into the header.

    That is the positions or the taps where the method has them, else the matrix in view or, where that would be too much to work out,
    the positions of its frames.
    """
    drawing = column.alignment.drawing()
    frames = column.scope[1] - column.scope[0]
    if isinstance(drawing, Taps):
        arrays[f"taps{index}"] = drawing.taps.astype("<f4")
        return {"layoutStride": drawing.stride}
    layout_stride = frames / (column.output.shape[1] - 0.5)  # the browser rounds T / stride up
    if isinstance(drawing, Positions):
        arrays[f"u{index}"] = drawing.unit.astype("<f4")
        return {"layoutStride": layout_stride}
    in_view = column.rows(*span) if settled else column.rows(*span, most=_LIVE_NUMBERS)
    if in_view is None:
        last = max(column.output.shape[1] - 1, 1)
        arrays[f"u{index}"] = (drawing.positions / last).astype("<f4")
        return {"layoutStride": layout_stride, "hard": True}
    low, weights = in_view
    arrays[f"matrix{index}"] = np.round(weights * 255).astype("u1").T
    return {"matrix": {"first": span[0], "count": span[1] - span[0], "low": low, "rows": weights.shape[0]}}


def _pooled(values: np.ndarray) -> tuple[np.ndarray, int]:
    """Makes (rows, n) values so coarse that no more than _MOST_COLUMNS columns are left. Returns them, and how many columns became one.

    The largest value of neighbours stays.
    """
    factor = max(1, math.ceil(values.shape[1] / _MOST_COLUMNS))
    if factor == 1:
        return values, 1
    return np.maximum.reduceat(values, np.arange(0, values.shape[1], factor), axis=1), factor


def _every_band(picture: np.ndarray) -> np.ndarray:
    return picture[:: math.ceil(picture.shape[0] / _MOST_BANDS)]


def _span(features: Features, view: tuple[float, float] | None) -> tuple[int, int]:
    """The frames (first, stop) in view, with half a view more on either side."""
    begin, end = view or (0.0, float(features.edges[-1]))
    margin = (end - begin) / 2
    first, last = np.searchsorted(features.edges, [begin - margin, end + margin])
    return max(int(first) - 1, 0), min(max(int(last) + 1, 1), features.frames)


def _frames_over(column: Column, begin: float, end: float) -> tuple[int, int]:
    """The output frames (first, stop) between two times in seconds, with one more on either side."""
    first, stop = np.searchsorted(column.edges, (begin, end))
    return max(int(first) - 1, 0), min(int(stop) + 1, column.output.shape[1])


def _displacements(features: Features, settings: ComparisonSettings) -> tuple[np.ndarray, int]:
    """ln of every frame's displacement over the mean of all. Returns the values, and how many frames became one of them (`_pooled`)."""
    scores = choose_scores(features, settings.scores, settings.drawn)
    scores = scores - np.log(np.mean(np.exp(scores - scores.max()))) - scores.max()
    values, factor = _pooled(scores[None])
    return values[0], factor


def _range(features: Features) -> tuple[float, float]:
    """The values that get the lowest and the highest colour, in the unit in which they are shown."""
    values = features.values[0].numpy()
    if features.decibels:
        high = float(values.max()) * DECIBELS
        low = max(math.log(LOG_FLOOR) * DECIBELS, high - _SHOWN_DECIBELS)
    else:
        low, high = (float(v) for v in np.quantile(values[:, :: max(1, features.frames // 4096)], (0.01, 0.995)))
    return (low, high) if high - low > 1e-6 else (high - 1, high)


def _error_top(features: Features) -> float:
    """The smallest error that gets the strongest colour, in the unit in which it is shown."""
    low, high = _range(features)
    return _SHOWN_ERROR if features.decibels else (high - low) / 4


def _source_data(clip: Clip, mel: np.ndarray, preset: MelPreset, features: Features) -> tuple[dict, dict[str, np.ndarray]]:
    """The header and arrays that belong to a clip and a source, whatever the settings are."""
    levels = mel * DECIBELS
    high = float(levels.max())
    low = min(max(math.log(LOG_FLOOR) * DECIBELS, high - _SHOWN_DECIBELS), high - 1)
    picture = np.clip((levels - low) * (255 / (high - low)), 0, 255).astype("u1")
    centres = mel_band_centres(preset)
    ticks = [
        [f"{hz / 1000:g} kHz", float((np.interp(hz, centres, np.arange(len(centres))) + 0.5) / len(centres))] for hz in (500, 2000, 8000)
    ]
    header = {
        "seconds": clip.waveform.samples.size / clip.waveform.sample_rate,
        "framesPerSecond": preset.frames_per_second,
        "melFrames": mel.shape[1],
        "melBands": mel.shape[0],
        "melTicks": ticks,
        "ticks": ticks if features.decibels else [],
        "unit": features.unit,
        "range": _range(features),
        "errorTop": _error_top(features),
        "bandsCaption": "0–8 kHz upwards" if features.decibels else _channels(features),
    }
    return header, {"mel": picture.T, "inEdges": features.edges.astype("<f4")}


def _channels(features: Features) -> str:
    channels = features.values.shape[1]
    step = math.ceil(channels / _MOST_BANDS)
    return f"{channels} channels" if step == 1 else f"every {step}th of {channels} channels"
