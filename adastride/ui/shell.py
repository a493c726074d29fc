"""What the pages share: what each of them does first, and fragments that notice when their page has changed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager


def enter() -> None:
    """Makes sure that app.py runs around a page, also for the first visitor of a server.

    Until app.py has called st.navigation once, Streamlit takes a folder named pages for its older kind of multipage app
    and runs the page a link names by itself: without navigation, page settings and `resources.prepare`. It has no public
    switch for that; tests/ui/test_shell.py says when an upgrade has changed the one that is used here.
    """
    if getattr(PagesManager, "uses_pages_directory", False):
        PagesManager.uses_pages_directory = False
        st.rerun()


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
