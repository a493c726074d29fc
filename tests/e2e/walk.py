"""A walk through every page, as a visitor takes it who tries everything once, with an ear for what the browser forbids."""

from __future__ import annotations

import io
import re
import time

import numpy as np
import soundfile
from explorer import Explorer, unbroken, wait_for
from playwright.sync_api import Page

# The browser tells of what a policy forbids by an event, and in the console.
_LISTEN = """
window.forbidden = [];
document.addEventListener("securitypolicyviolation", (event) => window.forbidden.push(`${event.effectiveDirective} ${event.blockedURI}`));
"""
_POLICY = re.compile(r"content.security.policy|permissions.policy|cross-origin|mime type|x-frame", re.IGNORECASE)


class Walk:
    """One visitor. complaints: what the browser said that a policy forbids. sockets: the paths of the WebSockets that were opened."""

    def __init__(self, page: Page, server: str):
        self.page, self.server = page, server
        self.complaints: list[str] = []
        self.sockets: list[str] = []
        page.add_init_script(_LISTEN)
        page.on("console", lambda message: self.complaints.append(message.text) if _POLICY.search(message.text) else None)
        page.on("websocket", lambda socket: self.sockets.append(socket.url.split("/", 3)[3].split("/")[0].split("?")[0]))

    def everything(self) -> Walk:
        """All seven pages: a drag, an upload, a recording, sound, downloads, charts."""
        for visit in (self.explore, self.compare, self.sigma, self.length, self.images, self.results, self.learn):
            visit()
            assert unbroken(self.page), visit.__name__
            self.complaints += self.page.evaluate("window.forbidden")
        return self

    def explore(self) -> None:
        explorer = Explorer(self.page, self.server).open()
        before = explorer.look()["layer"][0]["hash"]
        explorer.drag("sigma", 0.8)
        assert explorer.look()["layer"][0]["hash"] != before
        assert self._download("PNG").startswith(b"\x89PNG")
        tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(32_000) / 16_000) * (np.arange(32_000) > 16_000)
        file = io.BytesIO()
        soundfile.write(file, tone, 16_000, format="WAV")
        explorer.choose_file("tone.wav", file.getvalue())
        explorer.wait_title("tone.wav")
        explorer.play.click()
        wait_for(lambda: explorer.clock() > 0.1, why="the clip is not heard")
        self._record(explorer)

    def _record(self, explorer: Explorer) -> None:
        explorer.source("Record")
        button = self.page.locator('.st-key-source_recording [data-testid="stAudioInputActionButton"]')
        button.click()
        wait_for(lambda: button.get_attribute("aria-label") == "Stop recording", why="the microphone stays closed")
        time.sleep(0.8)
        button.click()
        explorer.wait_title("Recording")

    def compare(self) -> None:
        self.page.goto(f"{self.server}/compare")
        self.page.locator(".compare .method").first.wait_for(timeout=90_000)
        wait_for(lambda: self.page.locator(".compare .numbers td.wait").count() == 0, 90, "the slow numbers never came")
        facts = self.page.locator(".compare .method .facts").last
        before = facts.inner_text()
        slider = self.page.locator('.compare .slider[data-name="stride"] input')
        for _ in range(10):
            slider.press("ArrowRight")
        wait_for(lambda: facts.inner_text() != before, why="the columns do not follow")
        play = self.page.locator(".compare .play")
        play.click()
        wait_for(lambda: play.inner_text() == "Pause", why="the clip is not heard")
        assert self._download("CSV numbers")

    def sigma(self) -> None:
        self.page.goto(f"{self.server}/sigma")
        self.page.get_by_role("button", name="CSV numbers").wait_for(timeout=90_000)
        self.page.locator(".js-plotly-plot svg text").first.wait_for()
        assert self._download("CSV numbers").startswith(b"sigma_inv2,")

    def length(self) -> None:
        self.page.goto(f"{self.server}/length")
        self.page.get_by_role("heading", name="Pack a batch").wait_for(timeout=90_000)
        self.page.locator(".js-plotly-plot svg text").first.wait_for()
        assert self._download("PNG figure").startswith(b"\x89PNG")

    def images(self) -> None:
        self.page.goto(f"{self.server}/images")
        self.page.locator(".images .bar-row, [data-testid=stAlert]").first.wait_for(timeout=90_000)
        self.page.get_by_test_id("stSidebar").get_by_text("Camera", exact=True).click()
        camera = self.page.locator("[data-testid=stCameraInput] video, [data-testid=stCameraInput] button").first
        camera.wait_for(timeout=90_000)

    def results(self) -> None:
        self.page.goto(f"{self.server}/results")
        self.page.get_by_role("heading", name="More").wait_for(timeout=90_000)
        self.page.locator(".js-plotly-plot svg text").first.wait_for()
        assert self._download("PNG figure").startswith(b"\x89PNG")

    def learn(self) -> None:
        self.page.goto(f"{self.server}/learn?step=5")
        self.page.locator(".learn .actions .link").wait_for(timeout=90_000)
        wait_for(lambda: self.page.locator(".learn canvas").first.evaluate("(canvas) => canvas.width > 0"))

    def _download(self, name: str) -> bytes:
        with self.page.expect_download(timeout=90_000) as download:
            self.page.get_by_role("button", name=name).first.click()
        return download.value.path().read_bytes()
