"""The linked viewer: a components-v2 component that is sent positions and draws the alignments itself (frontend/explore/viewer.js).

One top-level bytes value goes to the browser: a JSON header and the arrays it names. Clip data (waveform, mel, sound)
is sent once; a request from the browser says which clip it has. A layer without positions sends a picture of its matrix
instead, of a long clip only as much of it as is in view and as fine as the screen.
"""

from __future__ import annotations

import json
import logging
import math
import zlib
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from adastride import audio
from adastride.alignment import Picture, Positions, Taps
from adastride.audio import LOG_FLOOR, mel_band_centres
from adastride.device import device_name
from adastride.downsampling import METHODS, LayerSettings
from adastride.inspection import letters, raster
from adastride.inspection.glance import RULE, Sound, glance, sound_of
from adastride.inspection.tracing import EVERYTHING, Hearing, Trace
from adastride.ranges import LEAST_HEARD, RESOLUTION_RANGE, SIGMA_RANGE, STRIDE_RANGE
from adastride.tasks.attention import Patches
from adastride.tasks.codes import CodesError
from adastride.tasks.prediction import Prediction, SegmentLane
from adastride.tasks.transcript import MOST_BEAMS, Transcript
from adastride.tasks.workbench import MOST_SECONDS, Edit, Workbench
from adastride.text import TextError
from adastride.ui.component import live_component, pack
from adastride.ui.live import Channel, channel_of
from adastride.ui.prediction import MOST_SOUNDS, encoded, pack_prediction, pack_sounds, pcm16, require_numbers, widened
from adastride.ui.queue import SHORT_SECONDS, Busy, show_busy
from adastride.ui.source import Clip
from adastride.ui.text import plain

_log = logging.getLogger(__name__)
_DECIBELS = float(20 / np.log(10))  # natural log of an amplitude -> dB
_SHOWN_DECIBELS = 90.0
# Up to this many samples the waveform is sent as it is, and is also what is played; beyond it, peaks and a FLAC.
_WHOLE_WAVEFORM = 640_000
_PEAKS = 200_000
_USUAL_PIXELS = (1024, 112)  # of a layer's plot, until a browser says how many it has
_MOST_PIXELS = (2048, 256)
_LESS = ("a shorter clip or a larger stride", "a shorter length or a coarser resolution")  # where a clip is too much for a network
_MOST_SAID = 12_000  # letters of a text that is compared; more words than are compared fit in
_MOST_NUMBERS, _MOST_WHOLE = 5_000, 10**6  # of codes and durations in a request; what can be edited is less and is said in a sentence

_component = live_component("explore", "explore/viewer.js")

Run = Callable[[tuple[LayerSettings, ...] | None, Trace | None, Hearing], tuple[Trace, str | None]]


def viewer(
    clip: Clip, run: Run, trained: tuple[LayerSettings, ...], start: tuple[LayerSettings, ...], revision: str, link_checkpoint: str, key: str,
    said: str = "", hearing: Hearing | None = None,
) -> Trace | None:
    """Shows a clip and follows the sliders; call it inside of a fragment.

    Returns the trace that is shown, or None where the network could not run on a new clip, which the page then says.
    run: computes the trace for settings, given the previous trace and what of the clip is heard, and returns it with a notice for people or
    None. trained: the
    settings that the reset button returns to. start: the settings that a new `revision` (another checkpoint, another link) begins
    with; until it changes, those of the browser count. link_checkpoint: the checkpoint's name in links. said: what was said in the clip, to
    compare a recogniser's reading with until somebody types something else in the viewer. hearing: as `start`, of a network that may be
    looked at hearing less of the clip, or less finely; None for others.
    """
    state, channel = viewer_state(key), channel_of(key)
    asked = st.session_state.get(key, {}).get("request")
    slow = clip.waveform.seconds > SHORT_SECONDS
    if slow:
        channel.respond = None
    with channel.lock:
        request = _request(asked, trained)
        if state.get("revision") != revision:
            state.update(revision=revision, settings=start, hearing=hearing or EVERYTHING, trace=None)
        state["said"] = said
        if channel.is_new(asked):
            state["request"] = request  # of a browser that has asked for nothing yet, none
            if request is not None and request["revision"] == revision:
                state["settings"], state["hearing"] = request["settings"], request["hearing"] if hearing is not None else EVERYTHING
        previous = state.get("trace")
        new = previous is None or previous.waveform is not clip.waveform
        # Always there, so that the component after it keeps its place. Beside the spinner there may be a line about waiting.
        with st.empty(), st.container() if slow else nullcontext():
            try:
                seconds = f"{clip.waveform.seconds:.0f}"
                with st.spinner(f"Running the network on {seconds} s of sound …", show_time=True) if new and slow else nullcontext():
                    trace, notice = _checked(run(state["settings"], previous, state["hearing"]))
            except Busy as busy:
                show_busy(busy)
                if new:
                    return None
                trace, notice = previous, None
            except (MemoryError, RuntimeError, ValueError, FloatingPointError) as error:
                _log.exception("running the network failed")
                st.error(
                    f"The network's results for {plain(clip.title)} are not numbers: choose another network."
                    if isinstance(error, FloatingPointError)
                    else f"The network could not run on {plain(clip.title)}: choose {_LESS[hearing is not None]}.",
                    icon=":material/error:",
                )
                if new:
                    channel.respond = None
                    return None
                trace, notice = previous, None
        state["trace"] = trace

        def respond(value: object) -> bytes | None:
            request = _request(value, trained)
            if request is None or request["revision"] != state["revision"]:
                return None
            heard = request["hearing"] if hearing is not None else EVERYTHING
            trace, notice = _checked(run(request["settings"], state["trace"], heard))
            state.update(request=request, settings=request["settings"], hearing=heard, trace=trace)
            return _packed(clip, trace, notice, trained, link_checkpoint, state, channel, hearing is not None)

        channel.respond = None if slow else respond
        data = _packed(clip, trace, notice, trained, link_checkpoint, state, channel, hearing is not None)
    _component(key=key, data=data, default={"request": None}, on_request_change=lambda: None)
    return trace


def _checked(result: tuple[Trace, str | None]) -> tuple[Trace, str | None]:
    """A run's result; FloatingPointError where it holds what is not a number."""
    require_numbers(result[0].prediction)
    return result


def _packed(
    clip: Clip, trace: Trace, notice: str | None, trained: tuple[LayerSettings, ...], link_checkpoint: str, state: dict, channel: Channel,
    hears_parts: bool,
) -> bytes:
    """The answer to the last request, as the browser reads it. hears_parts: whether people may choose what of the clip is heard."""
    request, identity = state["request"], _identity(clip, trace)
    view, pixels = (request["view"], request["pixels"]) if request and request["have"] == identity else (None, _USUAL_PIXELS)
    header, arrays = _live(trace, trained, state["revision"])
    header |= channel.stamp()
    header["view"], header["pixels"] = view, pixels
    for index, (described, picture_arrays) in enumerate(_pictures(trace, view, pixels, state)):
        if described:
            header["layers"][index]["picture"] = described
            arrays |= {f"{name}{index}": array for name, array in picture_arrays.items()}
    prediction = trace.prediction
    if prediction.transcript is not None:
        header["transcript"], prediction = _transcript(trace, prediction.transcript, _sound(trace, state), request, state["said"])
    header["prediction"], lane_arrays = pack_prediction(prediction, widened(view, clip.waveform.seconds), clip.waveform.seconds, pixels[0])
    arrays |= lane_arrays
    header["sounds"], sounds = pack_sounds(prediction.sounds, request["hear"] if request else ())
    arrays |= sounds
    if prediction.workbench is not None:
        header["workbench"], edited = _workbench(prediction.workbench, request)
        arrays |= edited
    if prediction.patches is not None:
        header["patches"], of_patches = _patches(prediction.patches, trace, request is None or request["attend"])
        arrays |= of_patches
    header["heard"], heard_arrays = _heard(trace, _sound(trace, state), hears_parts, state)
    arrays |= heard_arrays
    header["glance"] = glance(trace, _sound(trace, state)).text
    header["sequence"] = request["sequence"] if request else 0
    header["clip"] = {"id": identity, "title": clip.title, "details": _details(clip)}
    header["link"] = {"clip": clip.link, "checkpoint": link_checkpoint}
    header["status"] = f"Network: {trace.milliseconds:.0f} ms on {device_name(trace.device)}." + (f" {notice}" if notice else "")
    if request is None or request["have"] != identity:
        header["clipData"], clip_arrays = _clip_data(trace, state)
        arrays |= clip_arrays
    return pack(header, arrays)


def _identity(clip: Clip, trace: Trace) -> str:
    """Names what a browser has of a clip: the sound, and its mel by one front end. Networks of another kind have a mel of their own."""
    return f"{clip.id}-{zlib.crc32(repr(trace.own_preset).encode()):08x}"


def _heard(trace: Trace, sound: Sound, hears_parts: bool, state: dict) -> tuple[dict, dict[str, np.ndarray]]:
    """What of the clip the network has heard, where that is sound, and its mel in uint8 where it is coarser than the clip's."""
    seconds = trace.waveform.seconds
    described = {
        "seconds": trace.hearing.seconds, "resolution": trace.hearing.resolution, "until": trace.heard_seconds,
        "framesPerSecond": trace.preset.frames_per_second, "frames": trace.mel.shape[1],
        "shift": round(1e3 / trace.own_preset.frames_per_second, 3),
        "ranges": {"length": [min(LEAST_HEARD, seconds), seconds], "resolution": RESOLUTION_RANGE} if hears_parts else None,
    }
    arrays = {"soundSpans": sound.spans().astype("<f4").ravel()}
    if trace.hearing.resolution != 1:
        arrays["heardMel"] = _levels(trace.mel, _range(_whole_mel(trace, state)))
    return described, arrays


def _patches(patches: Patches, trace: Trace, attend: bool) -> tuple[dict, dict[str, np.ndarray]]:
    """What the browser draws of patches. attend: whether queries and keys are sent, which are most of it."""
    attention = patches.attention
    described: dict[str, object] = {
        "rows": patches.rows, "columns": patches.columns, "allColumns": patches.all_columns, "leading": patches.leading,
        "frames": patches.frames,
        "edges": [round(float(edge), 5) for edge in patches.edges], "hertz": [round(float(edge)) for edge in patches.hertz],
        "strongest": patches.strongest, "facts": patches.facts, "leftOut": patches.left_out, "tokens": patches.tokens,
        "of": f"{trace.fingerprint} {trace.waveform.sha256} {trace.settings} {trace.hearing}", "attention": None,
    }
    arrays = {"patchWeights": patches.weights.T.astype("<f4")}
    if attention is None:
        return described, arrays
    layers, heads, _, size = attention.queries.shape
    described["attention"] = {"layers": layers, "heads": heads, "size": size}
    if attend:
        arrays |= {"queries": attention.queries, "keys": attention.keys, "scales": attention.scales.astype("<f4")}
    return described, arrays


def _transcript(trace: Trace, transcript: Transcript, sound: Sound, request: dict | None, given: str) -> tuple[dict, Prediction]:
    """What the browser writes of a transcript beside the picture, and the prediction with the lane of a text that was said.

    request: says what was said and how many beams a second reading is searched with, where somebody has said so. given: what was said as
    far as the page knows.
    """
    vocabulary, prediction = transcript.vocabulary, trace.prediction
    found = letters.shares(trace, transcript, sound)
    described: dict[str, object] = {
        "unit": vocabulary.unit_name, "spaced": vocabulary.units != "characters", "error": vocabulary.short_error_label, "rule": letters.RULE,
        "first": [token.first for token in transcript.tokens],
        "tokens": [vocabulary.tokens[token.index] for token in transcript.tokens],
        "probabilities": [round(token.probability, 4) for token in transcript.tokens],
        "frames": [round(float(frames), 2) for frames in found.frames], "seconds": [round(float(seconds), 3) for seconds in found.seconds],
        "facts": letters.facts(trace, transcript, found),
    }
    said, beams = (request["said"], request["beams"]) if request else (None, 0)
    if said is None:
        said = described["given"] = given
    if said.strip():
        try:
            edits = transcript.against(said)
            described["said"] = {
                "text": said, "pairs": edits.pairs, "errors": edits.errors, "units": edits.units, "rate": min(edits.rate, 1e9),
            }
            placed = SegmentLane("What was said, where it fits best", transcript.place(said), strength="probability")
            prediction = replace(prediction, lanes=(*prediction.lanes, placed))
        except TextError as error:
            described["said"] = {**described.get("said", {}), "text": said, "problem": str(error)}
    if beams:
        try:
            described["readings"] = [[reading.text, round(reading.log_probability, 3)] for reading in transcript.readings(beams)]
        except TextError as error:
            described["readings"] = str(error)
    return described, prediction


def _workbench(workbench: Workbench, request: dict | None) -> tuple[dict, dict[str, np.ndarray]]:
    """What can be edited, and what has become of it: codes and durations, and of an edit its mel in uint8 and its sound.

    The map of the codebook is sent to a browser that does not have it yet.
    """
    codes, preset = workbench.codes, workbench.network.config.mel
    described: dict[str, object] = {
        "codes": codes.codes, "durations": codes.durations, "book": codes.fingerprint, "framesPerSecond": preset.frames_per_second,
        "known": workbench.network.config.codes, "mostSeconds": MOST_SECONDS,
    }
    arrays = {}
    if request is None or request["book"] != codes.fingerprint:
        book = workbench.map
        described |= {"paints": book.paints, "explained": round(book.explained, 3)}
        arrays["bookPoints"] = np.round(book.points * 32767).astype("<i2")
    if request and request["edit"]:
        try:
            edited = workbench.apply(request["edit"])
        except CodesError as error:
            described["problem"] = str(error)
            return described, arrays
        levels, (low, high) = edited.mel * _DECIBELS, np.array([edited.mel.min(), edited.mel.max()]) * _DECIBELS
        arrays["editedMel"] = np.clip((levels - low) * (255 / max(high - low, 1e-3)), 0, 255).astype("u1").T
        described["edited"] = {
            "codes": edited.codes.codes, "durations": edited.codes.durations, "key": edited.sound.key, "low": float(low), "high": float(high),
            "bands": edited.mel.shape[0],
        }
        if edited.sound.key in request["hear"]:
            sound = edited.sound.make()
            described["rate"] = sound.sample_rate
            arrays["editedSound"] = pcm16(sound)
    return described, arrays


def _sound(trace: Trace, state: dict) -> Sound:
    """Where the clip is sound. state: of the session, which keeps it for as long as the mel stays."""
    mel, sound = state.get("sound", (None, None))
    if mel is not trace.mel:
        sound = sound_of(trace)
        state["sound"] = trace.mel, sound
    return sound


def viewer_state(key: str) -> dict:
    """What a session keeps of a viewer between runs: settings, trace, revision.

    Whoever offers a download takes hold of this dictionary while the page runs, because the download is made outside of the session.
    """
    return st.session_state.setdefault(f"{key}_state", {})


def _request(value: object, trained: tuple[LayerSettings, ...]) -> dict | None:
    """Checks a browser's request. Anything that our viewer could not have sent counts as no request."""
    try:
        settings = tuple(
            LayerSettings(sigma=layer["sigma"], stride=layer["stride"], variant=layer["variant"]) for layer in value["settings"]
        )
        view = None if value["view"] is None else (float(value["view"][0]), float(value["view"][1]))
        pixels = tuple(max(16, min(int(value["pixels"][axis]), _MOST_PIXELS[axis])) for axis in (0, 1))
        said = value.get("said")
        request = {
            "sequence": int(value["sequence"]), "revision": str(value["revision"]), "have": str(value["have"]), "settings": settings,
            "view": view, "pixels": pixels, "said": None if said is None else str(said)[:_MOST_SAID],
            "beams": max(0, min(int(value.get("beams", 0)), MOST_BEAMS)), "hear": {str(key) for key in value.get("hear", ())[:MOST_SOUNDS]},
            "book": str(value.get("book", "")), "edit": _edit(value.get("edit")), "attend": bool(value.get("attend", False)),
            "hearing": _hearing(value.get("hearing")),
        }
    except (TypeError, KeyError, ValueError, OverflowError, IndexError, AttributeError):
        return None
    if view is not None and not (math.isfinite(view[1]) and 0 <= view[0] < view[1]):
        return None
    if len(settings) != len(trained):
        return None
    in_range = all(  # or as trained: a stride may have been learned, or a person's own network be of another kind
        (layer.sigma in (None, trained_layer.sigma) or _within(layer.sigma, SIGMA_RANGE))
        and (layer.stride in (None, trained_layer.stride) or _within(layer.stride, STRIDE_RANGE))
        for layer, trained_layer in zip(settings, trained, strict=True)
    )
    return request if in_range else None


def _hearing(value: Any) -> Hearing:
    """What of a clip is to be heard, as a browser asks for it. Raises TypeError, KeyError or ValueError for what is none of its kind."""
    if value is None:
        return EVERYTHING
    seconds, resolution = value["seconds"], float(value["resolution"])
    if not _within(resolution, RESOLUTION_RANGE):
        raise ValueError("no resolution that a slider has")
    return Hearing(None if seconds is None else float(seconds), resolution)


def _edit(value: Any) -> Edit | None:
    """An edit as a browser asks for it. Raises TypeError, KeyError or ValueError for what is none of its kind."""
    if value is None:
        return None
    like, stretch = value.get("like"), value.get("stretch")
    return Edit(
        codes=_wholes(value["codes"]), durations=_wholes(value["durations"]), stretch=None if stretch is None else float(stretch),
        like=None if like is None else (_wholes(like["codes"]), _wholes(like["durations"])),
    )


def _wholes(values: Any) -> tuple[int, ...]:
    if not isinstance(values, list) or len(values) > _MOST_NUMBERS or any(type(value) is not int or abs(value) > _MOST_WHOLE for value in values):
        raise ValueError("no list of whole numbers")
    return tuple(values)


def _within(value: float, limits: tuple[float, float]) -> bool:
    """Whether a slider with these limits could have sent a value; sliders round their values to a few digits."""
    return 0.99 * limits[0] <= value <= 1.01 * limits[1]


def _settings(settings: LayerSettings) -> dict:
    return {"sigma": settings.sigma, "stride": settings.stride, "variant": settings.variant}


def _live(trace: Trace, trained: tuple[LayerSettings, ...], revision: str) -> tuple[dict, dict[str, np.ndarray]]:
    """The header and arrays that change with the settings, about 1 kB a layer."""
    layers, arrays = [], {}
    for index, layer in enumerate(trace.layers):
        method = METHODS[layer.method]
        layers.append({
            "label": layer.label, "positionLoss": layer.position_loss, "milliseconds": round(layer.milliseconds, 2),
            "wholeStrides": method.whole_strides, "adaptive": method.kind == "adaptive",
        })
        drawing = layer.alignment.drawing()
        if isinstance(drawing, Taps):
            arrays[f"taps{index}"] = drawing.taps.astype("<f4")
        elif isinstance(drawing, Positions):
            arrays[f"u{index}"] = drawing.unit.astype("<f4")
    header = {
        "revision": revision,
        "layers": layers,
        "settings": [_settings(s) for s in trace.settings],
        "trained": [_settings(s) for s in trained],
        "ranges": {"sigma": SIGMA_RANGE, "stride": STRIDE_RANGE},
    }
    return header, arrays


def _pictures(trace: Trace, view: tuple[float, float] | None, pixels: tuple[int, int], state: dict) -> list[tuple[dict, dict[str, np.ndarray]]]:
    """The pictures that the browser shows of layers: for each layer a description and arrays.

    Both are empty for a layer with positions or taps, which the browser draws from itself. view: the (begin, end) in seconds that the
    browser shows, None for all of the clip. pixels: columns and rows of a layer's plot. state: of the session; a picture of the same
    run, window and screen in its last answer is used again.
    """
    begin, end = widened(view, trace.waveform.seconds)
    scale = (end - begin) / (view[1] - view[0]) if view else 1.0
    columns, rows = (math.ceil(size * scale) for size in pixels)
    earlier, results = state.get("pictures", []), []
    for index, layer in enumerate(trace.layers):
        key = (layer, begin, end, columns, rows)
        if not isinstance(layer.alignment.drawing(), Picture):
            results.append((key, ({}, {})))
        elif index < len(earlier) and earlier[index][0][0] is layer and (earlier[index][1][0]["whole"] or earlier[index][0][1:] == key[1:]):
            results.append((key, earlier[index][1]))
        else:
            drawn = raster.picture(layer, raster.input_edges(trace, index), begin, end, columns, rows)
            described = {"low": drawn.low, "high": drawn.high, "rows": drawn.weights.shape[0], "whole": drawn.whole}
            described["version"] = zlib.crc32(drawn.weights, zlib.crc32(drawn.columns, zlib.crc32(json.dumps(described).encode())))
            arrays = {"edges": layer.boundaries.astype("<f4"), "columns": drawn.columns.astype("<f4"), "matrix": drawn.weights.T}
            results.append((key, (described, arrays)))
    state["pictures"] = results
    return [result for _, result in results]


def _details(clip: Clip) -> str:
    wave = clip.waveform
    channels = {1: "mono", 2: "stereo"}.get(wave.original_channels, f"{wave.original_channels} channels")
    heard = "" if wave.original_rate == wave.sample_rate else f", heard by the network at {wave.sample_rate / 1000:g} kHz"
    return f"{wave.seconds:.2f} s, {wave.original_rate / 1000:g} kHz {channels}{heard}"


def _whole_mel(trace: Trace, state: dict) -> np.ndarray:
    """The mel of the whole clip at the network's own resolution, (n_mels, T). state: of the session, which keeps it for the next answer."""
    if trace.hearing == EVERYTHING:
        return trace.mel
    waveform, preset, mel = state.get("whole_mel", (None, None, None))
    if waveform is not trace.waveform or preset != trace.own_preset:
        mel = audio.mel_of(trace.waveform, trace.own_preset).numpy()
        state["whole_mel"] = trace.waveform, trace.own_preset, mel
    return mel


def _range(mel: np.ndarray) -> tuple[float, float]:
    """The levels in dB that get the lowest and the highest colour of a mel."""
    high = float(mel.max()) * _DECIBELS
    low = max(float(np.log(LOG_FLOOR)) * _DECIBELS, high - _SHOWN_DECIBELS)
    return (low, high) if high - low >= 1 else (high - 1, high)


def _levels(mel: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """A mel in uint8, a frame after the other, (T, n_mels)."""
    return np.clip((mel * _DECIBELS - limits[0]) * (255 / (limits[1] - limits[0])), 0, 255).astype("u1").T


def _clip_data(trace: Trace, state: dict) -> tuple[dict, dict[str, np.ndarray]]:
    """The header and arrays that belong to a clip, whatever the settings are.

    They are the waveform, the mel in uint8 and, where only peaks of the waveform are sent, the sound to play.
    """
    samples, whole, preset = trace.waveform.samples, _whole_mel(trace, state), trace.own_preset
    limits = _range(whole)
    pcm = pcm16(trace.waveform)
    arrays = {"mel": _levels(whole, limits)}
    step = 1
    if pcm.size <= _WHOLE_WAVEFORM:
        arrays["wave"] = pcm
    else:
        step = -(-pcm.size // _PEAKS)
        blocks = np.pad(pcm, (0, -pcm.size % step), mode="edge").reshape(-1, step)
        arrays["wave"] = np.stack([blocks.min(axis=1), blocks.max(axis=1)], axis=1)
        arrays["audio"] = encoded(trace.waveform)
    centres = mel_band_centres(preset)
    ticks = [(f"{hz // 1000} kHz" if hz >= 1000 else f"{hz} Hz", hz) for hz in (500, 1000, 2000, 4000, 8000) if hz <= preset.high_hz]
    header = {
        "seconds": samples.size / trace.waveform.sample_rate,
        "sampleRate": trace.waveform.sample_rate,
        "framesPerSecond": preset.frames_per_second,
        "melFrames": whole.shape[1],
        "melBands": whole.shape[0],
        "melRange": limits,
        "melTicks": [[text, float((np.interp(hz, centres, np.arange(len(centres))) + 0.5) / len(centres))] for text, hz in ticks],
        "waveStep": step,
        "peak": max(1, int(np.abs(pcm.astype(int)).max())),
        "glanceRule": RULE,
    }
    return header, arrays
