"""The live picture: a components-v2 component that is sent a layer's small matrices and draws them (frontend/images/viewer.js).

One top-level bytes value goes to the browser, or the same on a line of its own while somebody drags (`adastride.ui.live`). Pictures
are small, so every answer carries all of it, some ten kilobytes.
"""

from __future__ import annotations

import logging
import time
from typing import Any

import numpy as np
import streamlit as st

from adastride.downsampling import METHODS, LayerSettings
from adastride.images import Fitted
from adastride.inspection.pictures import LayerPicture, PictureError, PictureTrace, Settings, as_trained, resolve_settings, trace_image
from adastride.models.picture_network import PictureNetwork
from adastride.ranges import SIGMA_RANGE, STRIDE_RANGE
from adastride.tasks.classification import percent
from adastride.ui.component import live_component, pack
from adastride.ui.images.source import ChosenPicture
from adastride.ui.live import Channel, channel_of
from adastride.ui.text import plain

_log = logging.getLogger(__name__)
_MOST_SEQUENCE = 1 << 53

_component = live_component("images", "images/viewer.js")


def viewer_state(key: str) -> dict:
    """What a session keeps of the viewer between runs: settings, trace, revision."""
    return st.session_state.setdefault(f"{key}_state", {})


def viewer(
    chosen: ChosenPicture, fitted: Fitted, network: PictureNetwork, start: Settings, revision: str, link_checkpoint: str, layer: int | None, key: str,
) -> PictureTrace | None:
    """Shows what a network does to a picture and follows the sliders; call it inside of a fragment.

    Returns the trace that is shown, or None where the network could not run on a new picture, which the page then says. fitted: what of
    the picture the network sees. start: the settings that a new `revision` (another network, another link) begins with; until it
    changes, those of the browser count. link_checkpoint: the network's name in links. layer: the one that is shown first; None for all.
    """
    state, channel = viewer_state(key), channel_of(key)
    asked = st.session_state.get(key, {}).get("request")
    trained = as_trained(network)
    with channel.lock:
        if state.get("revision") != revision:
            state.update(revision=revision, settings=start, trace=None)
        if channel.is_new(asked):
            request = _request(asked, network, trained)
            state["sequence"] = request["sequence"] if request else 0
            if request is not None and request["revision"] == revision:
                state["settings"] = request["settings"]
        previous: PictureTrace | None = state.get("trace")
        with st.empty():  # always there, so that the component after it keeps its place
            try:
                _run(network, fitted, state)
            except PictureError as error:
                st.error(plain(str(error)), icon=":material/error:")
            except (MemoryError, RuntimeError, ValueError):
                _log.exception("running the network failed")
                st.error(f"The network could not run on {plain(chosen.title)}: choose another picture or network.", icon=":material/error:")
        trace: PictureTrace | None = state.get("trace")
        if trace is None or (trace is previous and trace.pixels is not fitted.pixels and not np.array_equal(trace.pixels, fitted.pixels)):
            channel.respond = None
            return None

        def respond(value: object) -> bytes | None:
            request = _request(value, network, trained)
            if request is None or request["revision"] != state["revision"]:
                return None
            state.update(settings=request["settings"], sequence=request["sequence"])
            _run(network, fitted, state)
            return _packed(chosen, state, trained, link_checkpoint, layer, channel)

        channel.respond = respond
        data = _packed(chosen, state, trained, link_checkpoint, layer, channel)
    _component(key=key, data=data, default={"request": None}, on_request_change=lambda: None)
    return trace


def _run(network: PictureNetwork, fitted: Fitted, state: dict) -> None:
    began = time.perf_counter()
    state["trace"] = trace_image(network, fitted.pixels, state["settings"], state.get("trace"))
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


def _packed(chosen: ChosenPicture, state: dict, trained: Settings, link_checkpoint: str, layer: int | None, channel: Channel) -> bytes:
    """The answer to the last request, as the browser reads it."""
    trace: PictureTrace = state["trace"]
    method = METHODS[trace.method]
    arrays: dict[str, np.ndarray] = {"pixels": trace.pixels}
    layers = []
    for number, each in enumerate(trace.layers):
        described, own = _layer(each)
        layers.append(described)
        arrays |= {f"{name}{number}": array for name, array in own.items()}
    order = np.argsort(-trace.probabilities, kind="stable")
    best, share = trace.answer
    header = {
        "revision": state["revision"], "sequence": state.get("sequence", 0), "size": list(trace.pixels.shape[:2]),
        "picture": {"id": chosen.id, "title": chosen.title}, "method": method.label, "wholeStrides": method.whole_strides,
        "layers": layers, "shown": layer,
        "settings": [_settings(both) for both in trace.settings], "trained": [_settings(both) for both in trained],
        "ranges": {"sigma": SIGMA_RANGE, "stride": STRIDE_RANGE},
        "link": {"picture": chosen.link, "checkpoint": link_checkpoint},
        "prediction": {
            "headline": best, "detail": percent(share), "verdict": chosen.verdict(best, trace.labels), "barsTitle": "Probability of each class", "lanes": [],
            "bars": [
                {"label": trace.labels[n], "share": round(float(trace.probabilities[n]), 5), "text": percent(float(trace.probabilities[n]))} for n in order[:12]
            ],
        },
        "status": f"Network and matrices: {state['milliseconds']:.0f} ms on the CPU.",
    }
    return pack(header | channel.stamp(), arrays)


def _settings(both: tuple[LayerSettings, LayerSettings]) -> dict:
    return {"strides": [each.stride for each in both], "sigma": both[0].sigma}


def _layer(layer: LayerPicture) -> tuple[dict, dict[str, np.ndarray]]:
    """The header and arrays of a layer. Spectra come as bytes between their extremes."""
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
        "seen": layer.seen, "features": layer.features.astype("<f4"),
    }
    if height.mask is not None and width.mask is not None:
        arrays |= {
            "spectrum": ((layer.spectrum - low) * (255 / (high - low))).astype("u1"),
            "rowMask": height.mask.astype("<f4"), "columnMask": width.mask.astype("<f4"),
        }
    return described, arrays
