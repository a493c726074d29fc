"""Pages without a browser: how the tests of each of them open it and read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).resolve().parents[1]


def unopened(page: str, **query: str) -> AppTest:
    """A page by its path in the repository, before its first run. query: of its link."""
    app = AppTest.from_file(str(ROOT / page), default_timeout=100)
    for name, value in query.items():
        app.query_params[name] = value
    return app


def opened(page: str, **query: str) -> AppTest:
    """A page as a first visitor's browser runs it, without an exception."""
    app = unopened(page, **query).run()
    assert not app.exception
    return app


def set_(widget: Any, value: object) -> AppTest:
    """Gives a widget a value, as its visitor would, and runs the page without an exception."""
    app = widget.set_value(value).run()
    assert not app.exception
    return app


def said(app: AppTest) -> str:
    """All running text on it."""
    return "\n".join(each.value for kind in (app.markdown, app.caption, app.info, app.error) for each in kind)
