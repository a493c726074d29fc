"""Makes tables that scroll reachable with the keyboard, by a component that shows nothing: Streamlit's are for the mouse alone."""

from __future__ import annotations

from collections.abc import Sequence

from adastride.ui.component import live_component

_component = live_component("reachable", "reachable.js")


def make_tables_reachable(names: Sequence[str], key: str) -> None:
    """Gives every st.table of the page that scrolls a place in the order of the Tab key. names: what the tables hold, in their order."""
    _component(key=key, data={"names": list(names)})
