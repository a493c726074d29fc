"""What the pages share: their style sheet, the line they begin with, and fragments that notice when their page has changed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from pathlib import Path

import streamlit as st

_STYLE = Path(__file__).parent / "page.css"


def dress() -> None:
    """Puts our style sheet into the page: call it once a run, outside of any fragment."""
    st.html(_STYLE)


def head(line: str) -> None:
    """Begins a page with one sentence that says what can be done there."""
    with st.container(horizontal=True, vertical_alignment="center", key="page_head"):
        st.markdown(line)


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
