"""Writes the address bar for a page whose widgets are Streamlit's own, by a component that shows nothing.

st.query_params would add a step to the browser's history with every change, so that going back would lead nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping

from adastride.ui.component import live_component

_component = live_component("address", "address.js")


def write_address(parameters: Mapping[str, str | None], key: str) -> None:
    """Sets query parameters of the page's address and takes out those whose value is None. Others stay as they are."""
    _component(key=key, data=dict(parameters))
