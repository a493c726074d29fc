"""The one place where Streamlit is changed from inside: whoever upgrades it reads here whether that still does what it is there for."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.runtime.pages_manager import PagesManager

from adastride.ui import shell

ROOT = Path(__file__).resolve().parents[2]


class Rerun(Exception):
    """What st.rerun raises here."""


@pytest.fixture
def reruns(monkeypatch: pytest.MonkeyPatch) -> None:
    def rerun() -> None:
        raise Rerun

    monkeypatch.setattr(shell.st, "rerun", rerun)


def test_streamlit_still_takes_a_folder_of_pages_for_an_old_app(monkeypatch: pytest.MonkeyPatch):
    """The reason for `enter`: where this fails after an upgrade, `enter` may no longer be needed, or has to look elsewhere."""
    monkeypatch.setattr(PagesManager, "uses_pages_directory", None)
    PagesManager(str(ROOT / "app.py"))
    assert PagesManager.uses_pages_directory is True


def test_streamlit_still_believes_what_is_set(monkeypatch: pytest.MonkeyPatch):
    """Another session makes another manager: what `enter` has set for the first visitor stays for all."""
    monkeypatch.setattr(PagesManager, "uses_pages_directory", False)
    PagesManager(str(ROOT / "app.py"))
    assert PagesManager.uses_pages_directory is False


def test_the_first_visitor_gets_the_page_within_app_py(monkeypatch: pytest.MonkeyPatch, reruns: None):
    monkeypatch.setattr(PagesManager, "uses_pages_directory", True)
    with pytest.raises(Rerun):
        shell.enter()
    assert PagesManager.uses_pages_directory is False
    shell.enter()  # and the page that runs then goes on


def test_a_streamlit_without_the_old_kind_of_app_is_fine(monkeypatch: pytest.MonkeyPatch, reruns: None):
    """Pages do not fall over the day the attribute is gone."""
    monkeypatch.delattr(PagesManager, "uses_pages_directory")
    shell.enter()
    assert not hasattr(PagesManager, "uses_pages_directory")
