"""Finds a Chromium and starts the app: what the browser tests and the benchmarks share."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import warnings
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM_ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--autoplay-policy=no-user-gesture-required", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
]


def chromium() -> str | None:
    """Path of an installed Chromium or Chrome; None lets Playwright use its own."""
    mac = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), mac if Path(mac).exists() else None)


def start_server(
    port: int | None = None, log: Path | None = None, script: str = "app.py", variables: Mapping[str, str] | None = None,
) -> tuple[subprocess.Popen, str]:
    """Starts the app on a free port and waits until it answers; returns the process and its address.

    log: what it prints. variables: of its environment, besides those there are.
    """
    if port is None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", script, "--server.headless", "true"]
    command += ["--server.port", str(port), "--server.address", "127.0.0.1"]
    environment = {**os.environ, **(variables or {}), "PYTHONFAULTHANDLER": "1"}
    with open(log or os.devnull, "wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, env=environment)
    address = f"http://127.0.0.1:{port}"
    for _ in range(240):
        try:
            if urllib.request.urlopen(f"{address}/_stcore/health", timeout=2).status == 200:
                return process, address
        except OSError:
            time.sleep(0.25)
    process.kill()
    raise RuntimeError("the app did not start within a minute")


def stop_server(process: subprocess.Popen) -> None:
    """Ends a server of `start_server`. One that does not hear is ended by force, and a warning names it: no visitor waits for that."""
    for _ in range(3):
        process.terminate()
        try:
            process.wait(timeout=15)
            return
        except subprocess.TimeoutExpired:
            warnings.warn(f"server {process.pid} did not end within 15 seconds of being told to", stacklevel=2)
    process.kill()
    process.wait()
