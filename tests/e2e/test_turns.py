"""Several visitors with long work at once: they take turns and read where they stand, and who drags on a short clip notices nothing."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import soundfile
from browser import start_server, stop_server
from explorer import Explorer, unbroken
from playwright.sync_api import Page, expect

from adastride.training.datasets import DATA_ROOT_VARIABLE

pytestmark = pytest.mark.e2e
BEHIND_ONE = "Waiting for 1 other before you …"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of this module's own: nobody else stands in its line, and its clips are those that come with the app, whatever data is here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(DATA_ROOT_VARIABLE, str(tmp_path_factory.mktemp("no-data")))
        process, address = start_server()
    yield address
    stop_server(process)


def sweeping(page: Page, address: str, values: int | None = None) -> Page:
    """Begins a sweep of eighty clips over so many values of sigma; without them over a map, minutes of work, for a tab that is left or closed."""
    over = "over=both&sigmas=0.05,100,20&strides=1,4,20" if values is None else f"over=sigma&sigmas=0.05,100,{values}"
    page.goto(f"{address}/sigma?sweep=many&{over}")
    page.get_by_role("button", name="Sweep 80 clips").click(timeout=60_000)
    return page


def recording(seconds: float) -> bytes:
    """A FLAC file of noise, another one each time."""
    buffer = io.BytesIO()
    soundfile.write(buffer, 0.1 * np.random.default_rng().standard_normal(int(16_000 * seconds)), 16_000, format="FLAC")
    return buffer.getvalue()


def test_two_sweep_many_clips_while_a_third_drags(new_page: Callable[..., Page], address: str):
    dragging = Explorer(new_page(), address).open("?clip=seven")
    first = sweeping(new_page(), address, values=40)
    first.get_by_text(re.compile(r"[1-9]\d* % of the sweep")).wait_for(timeout=30_000)
    second = sweeping(new_page(), address, values=3)
    second.get_by_text(BEHIND_ONE).wait_for(timeout=20_000)
    waits = []
    for share in np.linspace(0.3, 0.9, 8):
        began = time.monotonic()
        dragging.drag("sigma", float(share))
        waits.append(time.monotonic() - began)
    assert "Waiting for" not in dragging.page.locator("body").inner_text()
    assert sorted(waits)[4] < 2.0, waits
    for page in (second, first):
        page.get_by_role("button", name="CSV numbers").wait_for(timeout=120_000)
        expect(page.get_by_text("Waiting for")).to_have_count(0)
        assert unbroken(page)


def test_who_leaves_gives_the_place_back(new_page: Callable[..., Page], address: str):
    first = sweeping(new_page(), address)
    first.get_by_text(re.compile(r"[1-9]\d* % of the sweep")).wait_for(timeout=30_000)
    second = sweeping(new_page(), address)
    second.get_by_text(BEHIND_ONE).wait_for(timeout=20_000)
    first.close()  # at work
    expect(second.get_by_text("Waiting for")).to_have_count(0, timeout=20_000)
    third = sweeping(new_page(), address)
    third.get_by_text(BEHIND_ONE).wait_for(timeout=20_000)
    fourth = sweeping(new_page(), address, values=3)
    fourth.get_by_text("Waiting for 2 others before you …").wait_for(timeout=20_000)
    third.get_by_role("link", name="Learn").click()
    third.get_by_role("button", name="Next").wait_for(timeout=30_000)
    fourth.get_by_text(BEHIND_ONE).wait_for(timeout=20_000)
    second.close()
    fourth.get_by_role("button", name="CSV numbers").wait_for(timeout=120_000)


def test_a_long_clip_waits_for_its_turn_and_is_shown(new_page: Callable[..., Page], address: str):
    explorer = Explorer(new_page(), address).open("?clip=seven")
    first = sweeping(new_page(), address)
    first.get_by_text(re.compile(r"[1-9]\d* % of the sweep")).wait_for(timeout=30_000)
    explorer.choose_file("short.flac", recording(20.0))
    explorer.wait_title("short.flac")
    assert "Waiting for" not in explorer.page.locator("body").inner_text()
    explorer.choose_file("long.flac", recording(90.0))
    explorer.page.get_by_text(BEHIND_ONE).first.wait_for(timeout=20_000)
    explorer.wait_title("long.flac")
    expect(explorer.page.get_by_text("Waiting for")).to_have_count(0, timeout=20_000)
    first.close()
    explorer.drag("sigma", 0.8)
    assert unbroken(explorer.page)
