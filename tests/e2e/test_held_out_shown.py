"""A test picture of the server's on the Images page in a real Chromium: chosen, told right or wrong, in the link, in every window."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import made_up_pictures as made_up
import made_up_test_sets as test_sets
import pytest
from browser import start_server, stop_server
from explorer import shoot_whole, wait_for
from playwright.sync_api import Page, expect
from test_accessibility import axe_violations
from test_images_shown import figure, opened, query, settled

pytestmark = pytest.mark.e2e
SIZES = [(1366, 680, "light"), (1400, 1000, "dark"), (390, 844, "light"), (390, 844, "dark")]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page of a server with one made-up network and a made-up data set."""
    root = tmp_path_factory.mktemp("data")
    test_sets.write_npz(root / "ten")
    networks = made_up.write(tmp_path_factory.mktemp("networks"), ("adastride",))
    variables = {made_up.FOLDER_VARIABLE: str(networks), "ADASTRIDE_DATA": str(root)}
    process, server = start_server(script="tests/e2e/made_up_pictures_app.py", variables=variables)
    yield f"{server}/images"
    stop_server(process)


def test_a_test_picture_is_chosen_judged_and_linked(sized_page: Callable[..., Page], address: str):
    page = opened(sized_page(1366, 680, color_scheme="light"), address)
    verdict = page.locator(".images .verdict")
    expect(verdict).to_be_hidden()
    was = figure(page, 0)[0]
    page.get_by_test_id("stSidebar").get_by_text("Test", exact=True).click()
    wait_for(lambda: figure(page, 0)[0] != was, why="the test picture is not shown")
    wait_for(lambda: query(page)["picture"] == "test,ten,airplane,1", why="the link does not name the test picture")
    said = page.locator(".images .top b").inner_text()
    expect(verdict).to_have_text("Right." if said == "airplane" else "Wrong: it is an airplane.")
    page.get_by_label("Number, 1–4").fill("3")
    page.get_by_label("Number, 1–4").press("Enter")
    wait_for(lambda: query(page)["picture"] == "test,ten,airplane,3", why="the link does not follow the number")
    link = page.evaluate("location.href")
    shown = figure(page, 0)[0]

    opened(page, link)
    assert figure(page, 0)[0] == shown
    expect(page.get_by_label("Number, 1–4")).to_have_value("3")
    for width, height, scheme in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)
        settled(page)
        expect(verdict).to_be_visible()
        assert page.get_by_test_id("stMain").evaluate("(main) => main.scrollWidth <= main.clientWidth")
        shoot_whole(page, f"held-out-{scheme}-{width}")
    assert axe_violations(page) == []
