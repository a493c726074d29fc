"""How the front end travels: modules as files, fetched anew by every visit, and answers that carry numbers alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from explorer import Explorer
from playwright.sync_api import Page

pytestmark = pytest.mark.e2e

MOST_BYTES = 6000  # of an answer while somebody drags, for a clip of 5 seconds


def frames(page: Page) -> list[int]:
    """The sizes of what comes over the WebSocket, as they come."""
    sizes: list[int] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda data: sizes.append(len(data))))
    return sizes


@pytest.mark.parametrize(("path", "component", "shown"), [
    ("", "explore", ".explorer .panel"), ("compare", "compare", ".compare .cell"), ("learn", "learn", ".learn canvas"),
])
def test_modules_are_files(new_page: Callable[..., Page], server: str, path: str, component: str, shown: str):
    """Scripts, markup and styles of a page come over HTTP, and a second visit asks for all of them again: Streamlit gives neither
    a time to keep them nor a date, so no browser goes on with modules of the last version."""
    page, fetched = new_page(), []
    page.on("response", lambda response: fetched.append(response) if f"/adastride.{component}/" in response.url else None)
    visits = []
    for _ in range(2):
        fetched.clear()
        page.goto(f"{server}/{path}")
        page.locator(shown).first.wait_for(timeout=60_000)
        visits.append({response.url.split(f"/adastride.{component}/")[1] for response in fetched})
        assert all(response.ok for response in fetched)
    assert {f"{component}/viewer.js", f"{component}/viewer.html", f"{component}/viewer.css", "shared.css", "protocol.js"} <= visits[0]
    assert visits[0] == visits[1]
    headers = fetched[0].all_headers()
    assert not {"last-modified", "expires", "etag"} & set(headers)
    assert "max-age" not in headers.get("cache-control", "")


def test_an_upgraded_server_makes_an_open_page_load_itself_again(new_page: Callable[..., Page], server: str):
    """Modules of one version never read answers of another; two versions in turn do not send a page round in circles."""
    page = new_page()
    loads: list[str] = []
    page.on("load", lambda _: loads.append(page.url))

    def altered(route) -> None:
        """The module that reads the version, as if the server had another one from the second answer on."""
        text = route.fetch().text().replace("renewed(packed.header.frontend)", "renewed(globalThis.madeUpVersion ?? packed.header.frontend)")
        route.fulfill(body=text, content_type="text/javascript")

    page.route("**/adastride.explore/component.js", altered)
    explorer = Explorer(page, server).open()
    assert len(loads) == 1
    page.evaluate("globalThis.madeUpVersion = 'another'")
    explorer.slider("sigma").focus()
    with page.expect_event("load"):
        page.keyboard.press("ArrowRight")
    assert len(loads) == 2
    explorer.ready()
    page.evaluate("globalThis.madeUpVersion = 'another'")
    explorer.press("sigma", "ArrowRight")
    assert len(loads) == 2


def test_an_answer_carries_numbers_alone(new_page: Callable[..., Page], server: str):
    """Dragging sends and receives thirty times a second: code, markup and styles must not travel along."""
    page = new_page()
    sizes = frames(page)
    explorer = Explorer(page, server).open()
    assert max(sizes) > 20_000  # the clip, once
    sizes.clear()
    explorer.drag("sigma", 0.8)
    explorer.drag("stride", 0.6)
    answers = [size for size in sizes if size > 1500]
    assert len(answers) >= 2
    assert max(sizes) <= MOST_BYTES, sorted(sizes)[-5:]
