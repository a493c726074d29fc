"""A walk through every page with the headers of deploy/Caddyfile: a browser that keeps to them finds nothing forbidden.

The headers are put on by the server itself here; tests/deploy/test_proxy.py has the proxy do it.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import start_server, stop_server
from playwright.sync_api import Browser, Page
from proxy_headers import headers
from walk import Walk

pytestmark = pytest.mark.e2e
APP = """
import streamlit as st
from starlette.middleware import Middleware
from adastride.ui import live
from adastride.ui.errors import show_error

class Headers:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def with_headers(message):
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *((name.encode(), value.encode()) for name, value in {headers!r}.items())]
            await send(message)

        await self.app(scope, receive, with_headers)

app = st.App(live.MAIN_SCRIPT, routes=live.routes(), on_script_error=show_error, middleware=[Middleware(Headers)])
"""


def test_no_page_does_what_the_headers_forbid(tmp_path: Path, browser: Browser):
    given = headers()
    (tmp_path / "app.py").write_text(APP.format(headers=given))
    process, address = start_server(script=str(tmp_path / "app.py"), log=tmp_path / "log")
    context = browser.new_context(viewport={"width": 1400, "height": 1000}, accept_downloads=True, permissions=["microphone"])
    try:
        page: Page = context.new_page()
        walk = Walk(page, address)
        answer = page.goto(address)
        assert {name.lower(): value for name, value in given.items()}.items() <= answer.all_headers().items()
        walk.everything()
        assert walk.complaints == []
        assert {"_stcore", "live"} == set(walk.sockets)
        refused = page.evaluate("fetch('https://example.org').then(() => 'reached', (error) => error.name)")
        assert refused == "TypeError"
        assert any("connect-src" in complaint for complaint in page.evaluate("window.forbidden")), "the walk hears what is forbidden"
    finally:
        context.close()
        stop_server(process)
