"""What every page does first."""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager


def enter() -> None:
    """Makes sure that app.py runs around a page, also for the first visitor of a server.

    Until app.py has called st.navigation once, Streamlit takes a folder named pages for its older kind of multipage app
    and runs the page a link names by itself: without navigation, page settings and `resources.prepare`.
    """
    if PagesManager.uses_pages_directory:
        PagesManager.uses_pages_directory = False
        st.rerun()
