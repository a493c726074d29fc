"""The Learn page's component: the browser draws a step's picture and follows drags (frontend/learn/lesson.js)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import streamlit as st

from adastride.lesson import NUMBER, STEPS, Settings, Step
from adastride.lesson.controls import Bars, Control, Slider
from adastride.ui.component import live_component, pack
from adastride.ui.learn.pictures import picture

PRESENTER_STYLE = Path(__file__).parent / "presenter.css"  # of the page around the component
IN_PLAY = {"light": "#B86B00", "dark": "#E69F00"}  # marks a term in formula, sentence and picture: it stands out of text in both themes
_MOST_SEQUENCE = 1 << 53

_component = live_component("learn", "learn/viewer.js")


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
    is_of_step = request is not None and request.step == step.key and request.term in step.terms
    return request.term if is_of_step else next(iter(step.terms))


def learn_viewer(step: Step, settings_by_step: dict[str, Settings], presenter: bool, key: str) -> None:
    """Shows a step's picture and controls; call it inside a fragment.

    kept: settings by step, as the session remembers them; what the browser sends is put there.
    """
    def remember() -> None:
        """Keeps the settings as soon as they arrive: what runs next may be another step, or another page."""
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
    }
    _component(key=key, data=pack(header, arrays), default={"request": None}, on_request_change=remember)


def _described(control: Control) -> dict:
    """A control as the browser builds it."""
    kind = "slider" if isinstance(control, Slider) else "bars" if isinstance(control, Bars) else "choice"
    return {"kind": kind, **asdict(control)}
