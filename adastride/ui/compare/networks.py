"""Trained networks side by side: the server runs them, the browser draws their lanes on one time axis (frontend/compare/networks.js).

One bytes value goes to the browser, as to the other viewers: a JSON header and the arrays that it names. A request says which clip the
browser has, which stride the uppermost layers are to have, what of the clip is in view, and which sounds are wanted.
"""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import streamlit as st

from adastride.comparison import networks as comparison
from adastride.comparison.networks import Answer
from adastride.device import device_name
from adastride.downsampling import LayerSettings
from adastride.inspection.tracing import Trace, as_trained
from adastride.ranges import STRIDE_RANGE
from adastride.tasks.prediction import Prediction
from adastride.ui import resources
from adastride.ui.checkpoint_picker import ChosenCheckpoint
from adastride.ui.component import live_component, pack
from adastride.ui.live import Channel, channel_of
from adastride.ui.prediction import MOST_SOUNDS, encoded, pack_prediction, pack_sounds, require_numbers, widened
from adastride.ui.queue import SHORT_SECONDS, Busy, show_busy
from adastride.ui.source import Clip
from adastride.ui.text import plain

_log = logging.getLogger(__name__)
_USUAL_PIXELS = 1024  # across a lane, until a browser says how many it has
_MOST_PIXELS = 2048

_component = live_component("compare_networks", "compare/networks.js")

Run = Callable[[tuple[LayerSettings | None, ...], Trace | None], tuple[Trace, str | None]]


@dataclass(frozen=True)
class Chosen:
    """One of the networks to compare.

    id: unique by content. name: what tells it apart from the others here. stride: of its uppermost layer, as trained; None where it has
    no layer. settings:
    `comparison.settings_with` of it. run: runs it on the clip, given settings and an earlier trace, and returns a notice for people, too.
    """

    id: str
    name: str
    stride: float | None
    settings: Callable[[float | None], tuple[LayerSettings | None, ...]]
    run: Run


def chosen_network(checkpoint: ChosenCheckpoint, name: str, clip: Clip) -> Chosen:
    """What somebody chose in the picker, to be run on a clip."""
    network = resources.model(checkpoint.network)
    strides = [layer.stride for layer in as_trained(network)]
    return Chosen(
        checkpoint.id, name, strides[-1] if strides else None, functools.partial(comparison.settings_with, network),
        functools.partial(resources.run, checkpoint.network, clip.waveform),
    )


def networks_viewer(
    clip: Clip, chosen: Sequence[Chosen], start: float | None, view: tuple[float, float] | None, link: Mapping[str, str | None],
    revision: str, key: str,
) -> None:
    """Shows networks side by side and follows the slider; call it inside of a fragment.

    start: the stride of the uppermost layers that a new `revision` (another link) begins with, None for as trained; after that the
    browser's counts. view: the (begin, end) in seconds that a link asks for, None for all of the clip. link: the query parameters that
    the page sets, with None for one that is left out.
    """
    asked = st.session_state.get(key, {}).get("request")
    state, channel = kept_state(key), channel_of(key, longer=True)
    slow = clip.waveform.seconds > SHORT_SECONDS
    if slow:
        channel.respond = None
    with channel.lock:
        if state.get("revision") != revision:
            state.update(revision=revision, stride=start, request=None)
        if channel.is_new(asked):
            state["request"] = request = _request(asked)
            if request is not None and request["revision"] == revision:
                state["stride"] = request["stride"]
        with st.empty(), st.container() if slow else nullcontext():
            try:
                _run(clip, chosen, state)
            except Busy as busy:
                show_busy(busy)
                state["answers"], channel.respond = (), None
                return
            except _Failed as failed:
                _log.exception("comparing networks failed")
                st.error(str(failed), icon=":material/error:")
                state["answers"], channel.respond = (), None
                return

        def respond(value: object) -> bytes | None:
            request = _request(value)
            if request is None or request["revision"] != revision:
                return None
            before = state["request"], state["stride"]
            state.update(request=request, stride=request["stride"])
            try:
                _run(clip, chosen, state)
            except _Failed:  # the page says it
                state["request"], state["stride"] = before
                return None
            return _packed(clip, chosen, view, link, state, channel)

        channel.respond = None if slow else respond
        data = _packed(clip, chosen, view, link, state, channel)
    _component(key=key, data=data, default={"request": None}, on_request_change=lambda: None)


def kept_state(key: str) -> dict[str, Any]:
    """What a session keeps of a viewer: "answers" are those that were shown last, () where there are none, and "view" the seconds of
    the clip that were in view, None for all of it.

    Whoever offers a download takes hold of this dictionary while the page runs, because the download is made in a thread that knows
    no session.
    """
    return st.session_state.setdefault(f"{key}_state", {"answers": (), "view": None, "traces": {}, "notice": ""})


class _Failed(Exception):
    """A network could not be run; the message is one sentence for people."""


def _run(clip: Clip, chosen: Sequence[Chosen], state: dict[str, Any]) -> None:
    """Runs all networks with the session's stride and keeps their answers. Raises _Failed, and Busy where too many wait for a turn."""
    answers, traces, notices = [], {}, {}
    for network in chosen:
        previous = state["traces"].get(network.id)
        try:
            trace, notice = network.run(network.settings(state["stride"]), previous)
            require_numbers(trace.prediction)
        except FloatingPointError as error:
            whose = f"{plain(network.name)} for {plain(clip.title)}"
            raise _Failed(f"The results of {whose} are not numbers: choose another network.") from error
        except (MemoryError, RuntimeError, ValueError) as error:
            wrong = f"{plain(network.name)} could not run on {plain(clip.title)}"
            raise _Failed(f"{wrong}: choose a shorter clip, a larger stride or another network.") from error
        traces[network.id] = trace
        answers.append(Answer(network.name, trace))
        if notice:
            notices[notice] = None
    state.update(answers=tuple(answers), traces=traces, notice=" ".join(notices))


def _request(value: object) -> dict[str, Any] | None:
    """Checks a browser's request. Anything that our component could not have sent counts as no request."""
    try:
        request: Any = value
        stride = None if request["stride"] is None else float(request["stride"])
        view = None if request["view"] is None else (float(request["view"][0]), float(request["view"][1]))
        checked = {
            "sequence": int(request["sequence"]), "revision": str(request["revision"]), "have": str(request["have"]), "stride": stride,
            "view": view, "pixels": max(16, min(int(request["pixels"]), _MOST_PIXELS)),
            "hear": {str(sound) for sound in request["hear"][:MOST_SOUNDS]},
        }
    except (TypeError, KeyError, ValueError, OverflowError, IndexError, AttributeError):
        return None
    if view is not None and not (math.isfinite(view[1]) and 0 <= view[0] < view[1]):
        return None
    return checked if stride is None or STRIDE_RANGE[0] <= stride <= STRIDE_RANGE[1] else None


def _packed(
    clip: Clip, chosen: Sequence[Chosen], link_view: tuple[float, float] | None, link: Mapping[str, str | None], state: dict[str, Any],
    channel: Channel,
) -> bytes:
    """The answers that were made last, as the browser reads them."""
    request, answers, seconds = state["request"], state["answers"], clip.waveform.seconds
    known = request is not None and request["have"] == clip.id
    state["view"], pixels = (request["view"], request["pixels"]) if known else (link_view, _USUAL_PIXELS)
    view = state["view"]
    clip_itself = Prediction("", lanes=(comparison.mel_lane(answers[0].trace),))
    clip_itself, *predictions = comparison.on_shared_scales([clip_itself, *(answer.prediction for answer in answers)])
    rows = comparison.in_groups(predictions)
    lanes = (*clip_itself.lanes, *(predictions[owner].lanes[place] for owner, place in rows))
    window = widened(view, seconds)
    columns = math.ceil(pixels * (window[1] - window[0]) / (view[1] - view[0])) if view and view[0] < seconds else pixels
    packed, arrays = pack_prediction(Prediction("", lanes=lanes), window, seconds, columns)
    _share_axes(packed["lanes"])
    header: dict[str, Any] = {
        "sequence": request["sequence"] if request else 0,
        "revision": state["revision"],
        "clip": {"id": clip.id, "title": clip.title, "seconds": clip.waveform.samples.size / clip.waveform.sample_rate},
        "networks": [
            {"id": network.id, "name": network.name, "trained": network.stride, "facts": comparison.facts(answer.trace)}
            for network, answer in zip(chosen, answers, strict=True)
        ],
        "stride": state["stride"],
        "range": STRIDE_RANGE,
        "lanes": packed["lanes"],
        "owners": [None, *(owner for owner, _ in rows)],
        "numbers": [{"label": row.label, "texts": row.texts} for row in comparison.table_of(answers)],
        "linkView": link_view,
        "status": _status(answers, state["notice"]),
        "link": dict(link),
    }
    header |= channel.stamp()
    header["sounds"], sounds = pack_sounds(
        comparison.sounds_of([answer.name for answer in answers], predictions), request["hear"] if request else (),
    )
    arrays |= sounds
    if not known:
        arrays["sound"] = encoded(clip.waveform)
    return pack(header, arrays)


def _status(answers: Sequence[Answer], notice: str) -> str:
    devices = ", ".join(dict.fromkeys(device_name(answer.trace.device) for answer in answers))
    took = sum(answer.trace.milliseconds for answer in answers)
    return f"The networks: {took:.0f} ms on {devices}.{f' {notice}' if notice else ''}"


def _share_axes(lanes: list[dict[str, Any]]) -> None:
    """Gives curves of one title and unit the same ends of their axes; they are then drawn anew where another one has moved an end."""
    ends: dict[tuple[str, str], tuple[float, float]] = {}
    curves = [lane for lane in lanes if lane["kind"] == "curve"]
    for lane in curves:
        low, high = ends.get((lane["title"], lane["unit"]), (lane["low"], lane["high"]))
        ends[lane["title"], lane["unit"]] = min(low, lane["low"]), max(high, lane["high"])
    for lane in curves:
        lane["low"], lane["high"] = ends[lane["title"], lane["unit"]]
        lane["version"] = f"{lane['version']} {lane['low']} {lane['high']}"
