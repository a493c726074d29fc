"""The address bar of a page whose widgets are Streamlit's own, as a component that shows nothing.

st.query_params would add a step to the browser's history with every change, and going back would lead nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping

from adastride.ui.component import live_component

_component = live_component("address", "address.js")


def write_address(parameters: Mapping[str, str | None], key: str) -> None:
    """Sets query parameters of the page's address and takes out those that are None; others stay."""
    _component(key=key, data=dict(parameters))
