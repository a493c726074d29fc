"""The live picture: a components-v2 component that is sent a layer's small matrices and draws them (frontend/images/viewer.js).

One top-level bytes value goes to the browser, or the same on a line of its own while somebody drags (`adastride.ui.live`). Pictures
are small, so every answer carries all of it, some ten kilobytes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from adastride.downsampling import METHODS, LayerSettings
from adastride.inspection.modulation import modulations_of
from adastride.inspection.pictures import LayerPicture, PictureError, PictureTrace, Settings, as_trained, resolve_settings, trace_image
from adastride.inspection.sound_windows import SoundWindow
from adastride.models.picture_network import PictureNetwork
from adastride.ranges import SIGMA_RANGE, STRIDE_RANGE
from adastride.subjects import title_of
from adastride.tasks.classification import percent
from adastride.ui.component import live_component, pack
from adastride.ui.live import Channel, channel_of
from adastride.ui.text import plain

_log = logging.getLogger(__name__)
_MOST_SEQUENCE = 1 << 53
_MOST_KEPT = 8  # networks whose settings a session keeps beside those of the one that is shown

_component = live_component("images", "images/viewer.js")


@dataclass(frozen=True, eq=False)
class Shown:
    """What a network looks at. id: unique by content. title: its name for people. pixels: (height, width, 3) uint8.

    link: what the page's links say of it, beside the network and its settings. stem: what names of files that show it begin with. verdict:
    says of an answer among labels whether it is right, "" where nobody knows. sound: the window that the pixels are, None for a picture.
    """

    id: str
    title: str
    pixels: np.ndarray
    link: Mapping[str, str]
    stem: str
    verdict: Callable[[str, Sequence[str]], str] = lambda answer, labels: ""
    sound: SoundWindow | None = None


def viewer_state(key: str) -> dict:
    """What a session keeps of the viewer between runs: settings, trace, revision."""
    return st.session_state.setdefault(f"{key}_state", {})


def viewer(
    shown: Shown, network: PictureNetwork, start: Settings, revision: str, link_checkpoint: str, layer: int | None, key: str,
) -> PictureTrace | None:
    """Shows what a network does to a picture and follows the sliders; call it inside of a fragment.

    Returns the trace that is shown, or None where the network could not run on a new picture, which the page then says. start: the
    settings that a `revision` (a network) begins with when the session first sees it; then those of the browser count, and one that returns has
    its own again. link_checkpoint: the network's name in links. layer: the one that is shown first; None for all.
    """
    state, channel = viewer_state(key), channel_of(key)
    asked = st.session_state.get(key, {}).get("request")
    trained = as_trained(network)
    with channel.lock:
        if state.get("revision") != revision:
            _turn_to(state, revision, start, trained)
        if len(state["seen"]) > 1:  # the browser's choice of a layer stays when the network that a link named returns
            layer = None
        if channel.is_new(asked):
            request = _request(asked, network, trained)
            state["sequence"] = request["sequence"] if request else 0
            if request is not None and request["revision"] == revision:
                state["settings"] = request["settings"]
        previous: PictureTrace | None = state.get("trace")
        with st.empty():  # always there, so that the component after it keeps its place
            try:
                _run(network, shown, state)
            except PictureError as error:
                st.error(plain(str(error)), icon=":material/error:")
            except (MemoryError, RuntimeError, ValueError):
                _log.exception("running the network failed")
                other = "clip" if shown.sound else "picture"
                st.error(f"The network could not run on {plain(shown.title)}: choose another {other} or network.", icon=":material/error:")
        trace: PictureTrace | None = state.get("trace")
        if trace is None or (trace is previous and trace.pixels is not shown.pixels and not np.array_equal(trace.pixels, shown.pixels)):
            channel.respond = None
            return None

        def respond(value: object) -> bytes | None:
            request = _request(value, network, trained)
            if request is None or request["revision"] != state["revision"]:
                return None
            state.update(settings=request["settings"], sequence=request["sequence"])
            _run(network, shown, state)
            return _packed(shown, state, trained, link_checkpoint, layer, channel)

        channel.respond = respond
        data = _packed(shown, state, trained, link_checkpoint, layer, channel)
    _component(key=key, data=data, default={"request": None}, on_request_change=lambda: None)
    return trace


def _turn_to(state: dict, revision: str, start: Settings, trained: Settings) -> None:
    """Has the state be of another network, with the settings that it last had here; `trained` where there were too many since."""
    kept, seen = state.setdefault("kept", {}), state.setdefault("seen", set())
    if "revision" in state:
        kept[state["revision"]] = state["settings"]
    settings = kept.pop(revision, trained if revision in seen else start)
    while len(kept) > _MOST_KEPT:
        del kept[next(iter(kept))]
    seen.add(revision)
    state.update(revision=revision, settings=settings, trace=None)


def _run(network: PictureNetwork, shown: Shown, state: dict) -> None:
    began = time.perf_counter()
    state["trace"] = trace_image(network, shown.pixels, state["settings"], state.get("trace"))
    state["milliseconds"] = 1e3 * (time.perf_counter() - began)


def _request(value: Any, network: PictureNetwork, trained: Settings) -> dict | None:
    """Checks a browser's request. Anything that our viewer could not have sent counts as no request."""
    try:
        sequence = int(value["sequence"])
        asked = [
            tuple(LayerSettings(sigma=layer["sigma"], stride=layer["strides"][axis]) for axis in (0, 1)) for layer in value["settings"]
        ]
        if not 0 <= sequence < _MOST_SEQUENCE or len(asked) != len(trained):
            return None
        for both, usual in zip(asked, trained, strict=True):
            for each, own in zip(both, usual, strict=True):  # or as trained: a stride may have been learned
                if each.stride is None or not (each.stride == own.stride or _within(each.stride, STRIDE_RANGE)):
                    return None
                if each.sigma is not None and not (each.sigma == own.sigma or _within(each.sigma, SIGMA_RANGE)):
                    return None
        return {"sequence": sequence, "revision": str(value["revision"]), "settings": resolve_settings(network, asked)}
    except (TypeError, KeyError, ValueError, OverflowError, IndexError, AttributeError):
        return None


def _within(value: float, limits: tuple[float, float]) -> bool:
    """Whether a slider with these limits could have sent a value; sliders round their values to a few digits."""
    return 0.99 * limits[0] <= value <= 1.01 * limits[1]


def _packed(shown: Shown, state: dict, trained: Settings, link_checkpoint: str, layer: int | None, channel: Channel) -> bytes:
    """The answer to the last request, as the browser reads it."""
    trace: PictureTrace = state["trace"]
    method = METHODS[trace.method]
    grey = slice(None) if shown.sound is None else 0
    arrays: dict[str, np.ndarray] = {"pixels": trace.pixels[..., grey]}
    layers = []
    for number, each in enumerate(trace.layers):
        described, own = _layer(each, grey)
        layers.append(described)
        arrays |= {f"{name}{number}": array for name, array in own.items()}
    header = {
        "revision": state["revision"], "sequence": state.get("sequence", 0), "size": list(trace.pixels.shape[:2]),
        "picture": {"id": shown.id, "title": shown.title},
        "sound": None if shown.sound is None else _sound(trace, shown.sound), "method": method.label, "wholeStrides": method.whole_strides,
        "layers": layers, "shown": layer,
        "settings": [_settings(both) for both in trace.settings], "trained": [_settings(both) for both in trained],
        "ranges": {"sigma": SIGMA_RANGE, "stride": STRIDE_RANGE},
        "link": {**shown.link, "checkpoint": link_checkpoint},
        "prediction": {**_prediction(trace), "verdict": shown.verdict(trace.answer[0], trace.labels)},
        "status": f"Network and matrices: {state['milliseconds']:.0f} ms on the CPU.",
    }
    return pack(header | channel.stamp(), arrays)


def _prediction(trace: PictureTrace) -> dict:
    """The answer: its bars, and for several heads `heads`, the most probable classes of each."""
    ends, heads = np.cumsum([len(head.labels) for head in trace.heads]), []
    most = 12 if len(trace.heads) == 1 else 3
    for head, shares in zip(trace.heads, np.split(trace.probabilities, ends[:-1]), strict=True):
        order = np.argsort(-shares, kind="stable")[:most]
        bars = [{"label": head.labels[n], "share": round(float(shares[n]), 5), "text": percent(float(shares[n]))} for n in order]
        title = title_of(head.task) if head.task else "Probability of each class"
        heads.append({"headline": bars[0]["label"], "detail": bars[0]["text"], "barsTitle": title, "lanes": [], "bars": bars})
    if len(heads) == 1:
        return {**heads[0], "heads": []}
    said = ", ".join(f"{each['barsTitle']}: {each['headline']}" for each in heads)
    return {"headline": said, "detail": "", "barsTitle": "The most probable classes of each task", "lanes": [], "bars": [], "heads": heads}


def _sound(trace: PictureTrace, window: SoundWindow) -> dict:
    """What rows, columns and levels of a spectrogram stand for, and each layer's strides in bands and seconds."""
    axes = [modulations_of(trace, axis, rate) for axis, rate in enumerate(window.rates)]
    return {
        "levels": window.levels, "decibels": [round(each, 1) for each in window.decibels], "ticks": [window.frequency_ticks, window.second_ticks],
        "hertz": [round(float(each)) for each in window.hertz], "begin": window.begin, "rate": window.mel.frames_per_second,
        "modulations": [[{"step": each.step, "cutOff": each.cut_off} for each in both] for both in zip(*axes, strict=True)],
    }


def _settings(both: tuple[LayerSettings, LayerSettings]) -> dict:
    return {"strides": [each.stride for each in both], "sigma": both[0].sigma}


def _layer(layer: LayerPicture, grey: slice | int) -> tuple[dict, dict[str, np.ndarray]]:
    """The header and arrays of a layer. grey: which colours of a picture are sent. Spectra come as bytes between their extremes."""
    height, width = layer.along
    low, high = float(layer.spectrum.min()), float(layer.spectrum.max())
    high = max(high, low + 1.0)
    described = {
        "input": [height.input_size, width.input_size], "output": [height.output_size, width.output_size],
        "spectral": height.mask is not None, "cosine": layer.cosine, "decibels": [round(low, 1), round(high, 1)],
    }
    arrays = {
        "height": height.composite.astype("<f4"), "width": width.composite.astype("<f4"),
        "rowEdges": height.edges.astype("<f4"), "columnEdges": width.edges.astype("<f4"),
        "seen": layer.seen[..., grey], "features": layer.features.astype("<f4"),
    }
    if height.mask is not None and width.mask is not None:
        arrays |= {
            "spectrum": ((layer.spectrum - low) * (255 / (high - low))).astype("u1"),
            "rowMask": height.mask.astype("<f4"), "columnMask": width.mask.astype("<f4"),
        }
    return described, arrays
