"""What the pages share: what each does first, and fragments that see when their page has changed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from pathlib import Path

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

_STYLE = Path(__file__).parent / "page.css"


def enter() -> None:
    """Makes sure that app.py runs around a page, also for the first visitor of a server.

    Until app.py has called st.navigation once, Streamlit takes a folder named pages for its older kind of multipage app
    and runs the page a link names by itself: without navigation, page settings and `resources.prepare`. It has no public
    switch for that; tests/ui/test_shell.py says when an upgrade has changed the one that is used here.
    """
    if getattr(PagesManager, "uses_pages_directory", False):
        PagesManager.uses_pages_directory = False
        st.rerun()


def dress() -> None:
    """Puts our style sheet into the page: call it once in app.py, outside of any fragment."""
    st.html(_STYLE)


def live(page: Callable[..., Iterable[object]]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Makes a fragment of a function, one that has its page run when the page is what has changed.

    Streamlit's browser side puts all that changes in one moment into one message, and where something of a fragment is among
    it the message asks for that fragment alone. Beside a component that talks all the time, a button or a choice outside of
    the fragment would now and then seem dead.

    page: what the page outside of the fragment depends on, such as the values of its widgets; it is given the function's arguments.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @st.fragment
        def run(seen: list[object], *args: object) -> None:
            if list(page(*args)) != seen:
                st.rerun()
            function(*args)

        @functools.wraps(function)
        def begin(*args: object) -> None:
            run(list(page(*args)), *args)

        return begin

    return decorate


def values(*keys: str) -> list[object]:
    """The values of widgets; None for those that are not on the page."""
    return [st.session_state.get(key) for key in keys]
