"""What the pages share: their style sheet, the line they begin with, and fragments that notice when their page has changed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from pathlib import Path

import streamlit as st

from adastride.ui.address import write_address
from adastride.ui.component import live_component

_STYLE = Path(__file__).parent / "page.css"
_PRESENTER_STYLE = Path(__file__).parent / "presenter.css"

_sidebar = live_component("presenter", "presenter.js")


def dress() -> None:
    """Puts our style sheet into the page: call it once a run, outside of any fragment."""
    st.html(_STYLE)


def presenting() -> bool:
    """Whether the session shows its pages to a room: in larger type, without the sidebar. A link says so with presenter=1."""
    return st.session_state.setdefault("presenting", st.query_params.get("presenter") == "1")


def _present_or_not() -> None:
    st.session_state["presenting"] = not presenting()


def head(page: str, line: str) -> None:
    """Begins a page with one sentence that says what can be done there, and the button for presenting. page: its title."""
    with st.container(horizontal=True, vertical_alignment="center", key="page_head"):
        st.markdown(line)
        # A button, because it can have a key of the keyboard.
        st.button(
            "Presenter", key="presenter", on_click=_present_or_not, type="secondary" if presenting() else "tertiary", shortcut="P",
            help="Larger type and no sidebar, for a projector. The link keeps it.",
        )
        write_address({"presenter": "1" if presenting() else None}, key=f"presenter_address_{page}")
        _sidebar(key="presenter_sidebar", data={"presenting": presenting()})
    if presenting():
        st.set_page_config(initial_sidebar_state="collapsed")
        st.html(_PRESENTER_STYLE)


def live(page: Callable[..., Iterable[object]]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorates a function to be a fragment that has its whole page run when something outside of the fragment has changed.

    Streamlit's browser side puts everything that changes at one moment into one message, and if a fragment is part of it, the message
    asks for that fragment alone. Beside a component that talks all the time, a button or a choice outside of the fragment would
    otherwise now and then seem dead.

    page: returns what the page outside of the fragment depends on, such as the values of its widgets. It is called with the
    function's arguments.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @st.fragment
        def run(page_values: list[object], *args: object) -> None:
            if list(page(*args)) != page_values:
                st.rerun()
            function(*args)

        @functools.wraps(function)
        def begin(*args: object) -> None:
            run(list(page(*args)), *args)

        return begin

    return decorate


def values(*keys: str) -> list[object]:
    """The values of the widgets with these keys; None for those that are not on the page."""
    return [st.session_state.get(key) for key in keys]
