"""The Learn page's component and links: the browser draws a step's picture and follows drags (frontend/learn/viewer.js).

Links: ?step=4&sigma=1&stage=exp&presenter=1. The settings are the step's controls; what is as usual is left out.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from adastride.lesson import core as learn
from adastride.lesson.core import NUMBER, STEPS, Bars, Settings, Slider, Step
from adastride.ui.component import live_component, pack
from adastride.ui.explore.link import quoted

_STEPS_A_RUN = 3  # of the optimiser: a run then takes about 40 ms, and a drag never waits long
_MOST_SEQUENCE = 1 << 53
PRESENTER_STYLE = Path(__file__).parent / "presenter.css"  # of the page around the component

_component = live_component("learn", "learn/viewer.js")


# ------------------------------------------------------------------ links


@dataclass(frozen=True)
class LessonLink:
    """What a link asks for. step: from 1. settings: of that step. problems: a sentence for each thing it got wrong."""

    step: int
    settings: Settings
    presenter: bool
    problems: tuple[str, ...]


def parse(query: Mapping[str, str]) -> LessonLink:
    """Reads the page's query parameters; what is missing or wrong falls back to the usual and is reported."""
    problems: list[str] = []
    text = query.get("step", "1")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0
    if not 1 <= number <= len(STEPS):
        problems.append(f"This link has step = {quoted(text)}, not a number from 1 to {len(STEPS)}: the first is shown.")
        number = 1
    step = STEPS[number - 1]
    settings = step.usual
    for control in step.controls if not problems else ():
        text = query.get(control.name)
        if text is None:
            continue
        try:
            settings[control.name] = control.read(text)
        except ValueError as error:
            problems.append(f"This link has {control.name} = {quoted(text)}, not {error}: left out.")
    return LessonLink(number, settings, query.get("presenter") == "1", tuple(problems))


# ------------------------------------------------------------------ the component


@dataclass(frozen=True)
class _Request:
    """What the browser asked for, checked. number: its place in the conversation of one mounted component, `client`."""

    client: str
    number: int
    step: str
    settings: Settings
    term: str
    action: str


def _request(value: object) -> _Request | None:
    """A browser's request; anything that is not one our component could have sent counts as none."""
    try:
        step = STEPS[NUMBER[value["step"]] - 1]
        number = int(value["sequence"])
        if not 0 <= number < _MOST_SEQUENCE:
            return None
        settings = step.check(value["settings"])
        return _Request(str(value["client"])[:40], number, step.key, settings, str(value["term"])[:40], str(value["action"])[:40])
    except (TypeError, KeyError, ValueError, OverflowError, AttributeError, IndexError):
        return None


def _sent(key: str) -> _Request | None:
    """The last request of the component `key`."""
    return _request(st.session_state.get(key, {}).get("request"))


def term_in_play(step: Step, key: str) -> str:
    """The term that the browser's person moves or points at; the first of the formula before that."""
    request = _sent(key)
    known = request is not None and request.step == step.key and request.term in step.terms
    return request.term if known else next(iter(step.terms))


def learn_viewer(step: Step, kept: dict[str, Settings], presenter: bool, key: str) -> None:
    """Shows a step's picture and controls; call it inside a fragment.

    kept: settings by step, as the session remembers them; what the browser sends is put there.
    """
    def remember() -> None:
        """Keeps the settings as soon as they arrive: what runs next may be another step, or another page."""
        sent = _sent(key)
        if sent is not None:
            kept[sent.step] = sent.settings

    request = _sent(key)
    state = st.session_state.setdefault(f"{key}_state", {})
    action = ""
    if request is not None and (request.client, request.number) != state.get("done"):  # seen again whenever the fragment runs
        state["done"], action = (request.client, request.number), request.action if request.step == step.key else ""
    settings = kept.get(step.key, step.usual)
    header, arrays = _PICTURES.get(step.key, _positions)(settings, action, state)
    header |= {
        "step": step.key,
        "number": NUMBER[step.key],
        "live": step.live,
        "presenter": presenter,
        "controls": [_described(control) for control in step.controls],
        "terms": list(step.terms),
        "settings": settings,
        "client": request.client if request else "",
        "sequence": request.number if request else 0,
    }
    _component(key=key, data=pack(header, arrays), default={"request": None}, on_request_change=remember)


def _described(control: learn.Control) -> dict:
    """A control as the browser builds it."""
    kind = "slider" if isinstance(control, Slider) else "bars" if isinstance(control, Bars) else "choice"
    return {"kind": kind, **asdict(control)}


def _positions(settings: Settings, action: str, state: dict) -> tuple[dict, dict[str, np.ndarray]]:
    """Steps whose numbers the browser works out by itself."""
    return {"limit": learn.SCORE_LIMIT, "energyBars": learn.word_bars(), "scores": learn.EVENT}, {}


def _word(settings: Settings, action: str, state: dict) -> tuple[dict, dict[str, np.ndarray]]:
    """Steps 1 and 5: the mel and the energy of a real word."""
    seen = learn.word()
    high, low = float(seen.mel.max()), float(seen.mel.max()) - 80.0
    picture = np.clip((seen.mel - low) * (255 / (high - low)), 0, 255).astype("u1")
    header = {"bands": seen.mel.shape[0], "part": seen.part, "framesPerSecond": seen.frames_per_second, "range": [low, high]}
    return header, {"mel": picture.T, "energy": seen.energy.astype("<f4")}


def _aliasing(settings: Settings, action: str, state: dict) -> tuple[dict, dict[str, np.ndarray]]:
    """Step 2: what four methods do at every stride, so that the browser can put any tone through them."""
    methods = ["Every s-th frame", "Average pooling", "BlurPool", "Spectral pooling"]
    return {"methods": methods, "toneFrames": learn.TONE_FRAMES}, _tone_layers()


@functools.cache
def _tone_layers() -> dict[str, np.ndarray]:
    """Of every stride and method: times, gains, and the rows of its matrix, cut to the window where any of them has weights."""
    arrays = {}
    for stride in learn.TONE_STRIDES:
        for index, (method, (times, matrix)) in enumerate(learn.tone_layers(stride).items()):
            used, frames = matrix != 0, matrix.shape[1]
            first = used.argmax(axis=1)
            width = int((frames - used[:, ::-1].argmax(axis=1) - first).max())
            first = np.minimum(first, frames - width)
            weights = np.take_along_axis(matrix, first[:, None] + np.arange(width), axis=1)
            found = {"times": times, "first": first, "weights": weights, "gain": learn.tone_gains(stride)[method]}
            arrays |= {f"{name}{stride}-{index}": array.astype("<f4") for name, array in found.items()}
    return arrays


def _spectral(settings: Settings, action: str, state: dict) -> tuple[dict, dict[str, np.ndarray]]:
    """Step 8: a signal to take the spectrum of, the energy of the word."""
    seen = learn.word()
    begin = seen.part[0] - 12
    return {}, {"signal": (seen.energy[begin : begin + 64] - seen.energy[begin : begin + 64].mean()).astype("<f4")}


def _cost(settings: Settings, action: str, state: dict) -> tuple[dict, dict[str, np.ndarray]]:
    """Step 9: what was measured on this machine, after somebody asked for it."""
    if action == "measure":
        state["timings"] = learn.measure_costs(round(settings["channels"]), settings["stride"], settings["sigma"])
        state["measured"] = settings
    return {"timings": [asdict(each) for each in state.get("timings", ())], "measured": state.get("measured")}, {}


def _learning(settings: Settings, action: str, state: dict) -> tuple[dict, dict[str, np.ndarray]]:
    """Step 10: some steps of training, and what the network does now. Nothing is trained but on request."""
    training, stride = state.get("training"), round(settings["stride"])
    if training is None or training.stride != stride or action == "reset":
        training = state["training"] = learn.Training(stride)
    if action in ("train", "one"):
        training.advance(_STEPS_A_RUN if action == "train" else 1)
    look = training.look()
    arrays = {
        "clip": look.pop("clip").astype("<f4"),
        "unit": look.pop("unit").astype("<f4"),
        "losses": np.array(training.losses, "<f4"),
        "ratios": np.array(training.ratios, "<f4"),
    }
    look = {name: value for name, value in look.items() if math.isfinite(value)}
    return {
        "look": look,
        "trained": len(training.losses),
        "most": learn.MOST_STEPS,
        "burst": learn.BURST_LENGTH,
        "finished": training.finished,
    }, arrays


_Picture = Callable[[Settings, str, dict], tuple[dict, dict[str, np.ndarray]]]
_PICTURES: dict[str, _Picture] = {
    "why": _word,
    "pooling": _word,
    "aliasing": _aliasing,
    "spectral": _spectral,
    "cost": _cost,
    "learning": _learning,
}
