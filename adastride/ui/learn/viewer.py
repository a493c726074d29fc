"""The Learn page's component: the browser draws a step's picture and follows drags (frontend/learn/lesson.js)."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import streamlit as st

from adastride.lesson import NUMBER, STEPS, Settings, Step
from adastride.lesson.controls import Bars, Control, Slider
from adastride.ui.component import live_component, pack
from adastride.ui.learn.pictures import picture
from adastride.ui.live import channel_of

IN_PLAY = {"light": "#A35E00", "dark": "#E69F00"}  # marks a term in formula, sentence and picture: it stands out of text in both themes
_MOST_SEQUENCE = 1 << 53

_component = live_component("learn", "learn/viewer.js")


@dataclass(frozen=True)
class _Request:
    """A checked request of the browser.

    client: one mounted component. number: the place of the request among those of this client. step: the key of the step. term: the
    name of the term in play. action: what a button asks for, "" for nothing.
    """

    client: str
    number: int
    step: str
    settings: Settings
    term: str
    action: str


def _request(value: object) -> _Request | None:
    """Checks a browser's request. Anything that our component could not have sent counts as no request."""
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
    """The name of the term that the person at the browser moves or points at; before that, of the formula's first term."""
    request = _sent(key)
    is_of_step = request is not None and request.step == step.key and request.term in step.terms
    return request.term if is_of_step else next(iter(step.terms))


def learn_viewer(step: Step, settings_by_step: dict[str, Settings], presenter: bool, key: str) -> None:
    """Shows a step's picture and controls; call it inside of a fragment.

    settings_by_step: the settings that the session remembers, by the key of the step. Those that the browser sends are put there.
    presenter: whether the page is in presenter mode.
    """
    def remember() -> None:
        """Keeps the settings as soon as they arrive, because what runs next may be another step, or another page."""
        sent = _sent(key)
        if sent is not None:
            settings_by_step[sent.step] = sent.settings

    request = _sent(key)
    state = st.session_state.setdefault(f"{key}_state", {})
    action = ""
    if request is not None and (request.client, request.number) != state.get("done"):  # seen again whenever the fragment runs
        state["done"], action = (request.client, request.number), request.action if request.step == step.key else ""
    settings = settings_by_step.get(step.key, step.opening_settings)
    header, arrays = picture(step, settings, action, state)
    header |= {
        "step": step.key,
        "number": NUMBER[step.key],
        "live": step.live,
        "presenter": presenter,
        "playColours": IN_PLAY,
        "controls": [_described(control) for control in step.controls],
        "terms": list(step.terms),
        "settings": settings,
        "client": request.client if request else "",
        "sequence": request.number if request else 0,
        "line": channel_of(key).address,  # it tells when the server has begun anew
    }
    _component(key=key, data=pack(header, arrays), default={"request": None}, on_request_change=remember)


def _described(control: Control) -> dict:
    """A control as the browser builds it."""
    kind = "slider" if isinstance(control, Slider) else "bars" if isinstance(control, Bars) else "choice"
    return {"kind": kind, **asdict(control)}
