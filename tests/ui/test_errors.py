"""The real app hands its visitors' errors to `show_error`, and Streamlit tells no more where that does not reach."""

import runpy
import tomllib
from pathlib import Path

import pytest
import streamlit as st

from adastride.ui.errors import show_error

ROOT = Path(__file__).resolve().parents[2]


def test_the_app_shows_errors_as_a_sentence(monkeypatch: pytest.MonkeyPatch):
    given = {}
    monkeypatch.setattr(st, "App", lambda script, **options: given.update(options))
    runpy.run_path(str(ROOT / "app.py"))
    assert given["on_script_error"] is show_error


def test_the_servers_settings_keep_visitors_apart():
    """No details of errors, no telemetry; protection against other sites' requests stays as Streamlit has it, which is on."""
    settings = tomllib.loads((ROOT / ".streamlit/config.toml").read_text(encoding="utf-8"))
    assert settings["client"]["showErrorDetails"] == "none"
    assert settings["browser"]["gatherUsageStats"] is False
    assert not {"enableCORS", "enableXsrfProtection", "enableWebsocketCompression", "corsAllowedOrigins"} & settings["server"].keys()
