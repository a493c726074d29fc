"""What the live components share: how one is put together from its files, and how numbers travel to it."""

from __future__ import annotations

import functools
import hashlib
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

_FRONTEND = Path(__file__).parent / "frontend"


# All that travels with an answer. A component whose js is a file gets a new <script> from Streamlit with every answer, and
# waits for its load event: one frame of the screen each time. This imports the same file once, from beside the style sheet that
# Streamlit has put into the component, so that the address is right wherever the app is served.
_ENTRY = """let show = (component) => import(new URL("%s", component.parentElement.querySelector("link").href))
  .then((module) => (show = module.default)(component));
export default (component) => show(component);
"""


def live_component(name: str, module: str) -> Callable[..., Any]:
    """The components-v2 component `name` of adastride/pyproject.toml; module: its file in frontend/. Call it with data=`pack(...)`.

    The browser fetches the module, and by its imports all others, as files: an answer of the server carries none of them. It
    is registered when it is shown first, because only a running app knows which installed packages have components.
    """
    registered = functools.cache(lambda: st.components.v2.component(f"adastride.{name}", css="shared.css", js=_ENTRY % module))
    return lambda **arguments: registered()(**arguments)


@functools.cache
def frontend_version() -> str:
    """Changes with every file of the front end, so that a page that is open while the server is upgraded loads itself again."""
    digest = hashlib.sha256()
    for path in sorted(_FRONTEND.rglob("*.*")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


def pack(header: dict, arrays: dict[str, np.ndarray]) -> bytes:
    """[u32 header size][JSON header][arrays, each 4-byte aligned]; header["arrays"] says type, offset and count."""
    described, parts, offset = {}, [], 0
    for name, array in arrays.items():
        data = np.ascontiguousarray(array).tobytes()
        described[name] = {"type": f"{array.dtype.kind}{array.dtype.itemsize}", "offset": offset, "count": int(array.size)}
        data += b"\0" * (-len(data) % 4)
        parts.append(data)
        offset += len(data)
    text = json.dumps({**header, "frontend": frontend_version(), "arrays": described}, allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    return b"".join([struct.pack("<I", len(text)), text, *parts])
