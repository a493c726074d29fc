"""What a visitor is told of a mistake in this program: one sentence with a number, under which the log has the rest."""

from __future__ import annotations

import logging
import secrets

import streamlit as st

_log = logging.getLogger(__name__)


def show_error(error: Exception) -> bool:
    """Logs an exception that nobody caught, with its traceback and a random number, and shows the number on the page.

    app.py hands it to Streamlit, which calls it where the page or a fragment of it has failed. A message or a traceback may hold paths
    of the server and what other visitors brought, so neither is shown. Returns True: nothing else is to be shown.
    """
    digits = f"{secrets.randbelow(10**8):08d}"
    number = f"{digits[:4]} {digits[4:]}"
    _log.error("error %s", number, exc_info=error)
    st.error(
        f"Something went wrong here (error {number}): reload the page, and if it happens again, tell whoever runs this server the number.",
        icon=":material/error:",
    )
    return True
