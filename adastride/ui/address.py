"""The address bar of a page whose widgets are Streamlit's own, as a component that shows nothing.

st.query_params would add a step to the browser's history with every change, and going back would lead nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

_component = st.components.v2.component(
    "adastride_address",
    html="<span></span>",
    js="""export default function ({ data }) {
      const url = new URL(location.href);
      for (const [name, value] of Object.entries(data)) if (value === null) url.searchParams.delete(name); else url.searchParams.set(name, value);
      if (url.href !== location.href) history.replaceState(history.state, "", url);
    }""",
)


def write_address(parameters: Mapping[str, str | None], key: str) -> None:
    """Sets query parameters of the page's address and takes out those that are None; others stay."""
    _component(key=key, data=dict(parameters))
