"""A mistake in this program, as a visitor sees it and as the log has it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from browser import start_server, stop_server
from explorer import unbroken
from playwright.sync_api import Page

pytestmark = pytest.mark.e2e
APP = """
import streamlit as st
from adastride.ui.errors import show_error
app = st.App({page!r}, on_script_error=show_error)
"""
PAGE = '''
import streamlit as st

def fail(where):
    raise RuntimeError(f"/srv/secrets/{where}.txt belongs to somebody else")

st.write("before")
st.button("In a callback", on_click=fail, args=("callback",))

@st.fragment
def part():
    if st.button("In a fragment"):
        fail("fragment")

part()
if st.button("In the page"):
    fail("page")
'''


def test_a_visitor_sees_a_sentence_with_a_number_and_the_log_has_the_rest(tmp_path: Path, new_page: Callable[..., Page]):
    (tmp_path / "page.py").write_text(PAGE)
    (tmp_path / "app.py").write_text(APP.format(page=str(tmp_path / "page.py")))
    log = tmp_path / "log"
    process, address = start_server(log=log, script=str(tmp_path / "app.py"))
    try:
        page, numbers = new_page(), []
        for where in ("In a callback", "In a fragment", "In the page"):
            page.goto(address)
            page.get_by_role("button", name=where).click()
            alert = page.get_by_text("Something went wrong here")
            alert.wait_for(timeout=60_000)
            numbers += re.findall(r"\(error (\d{4} \d{4})\): reload the page", alert.inner_text())
            assert not unbroken(page)
            seen = page.content()
            assert "/srv/secrets" not in seen
            assert str(tmp_path) not in seen
            assert "Traceback" not in seen
            assert "RuntimeError" not in seen
    finally:
        stop_server(process)
    assert len(set(numbers)) == 3
    logged = log.read_text()
    for number, where in zip(numbers, ("callback", "fragment", "page"), strict=True):
        entry = logged[logged.index(f"error {number}") :]
        assert entry.split("\n")[1] == "Traceback (most recent call last):"
        assert f"RuntimeError: /srv/secrets/{where}.txt" in entry
