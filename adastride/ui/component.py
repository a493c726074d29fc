"""What the live components share: how one is put together from its files, and how numbers are sent to it."""

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
    """Returns the components-v2 component `name` of adastride/pyproject.toml, to be called with data=`pack(...)`.

    module: its file in frontend/. The browser fetches the module, and by its imports all others, as files, so that no answer of the
    server carries them. The component is registered when it is first shown, because only a running app knows which installed packages
    have components.
    """
    registered = functools.cache(lambda: st.components.v2.component(f"adastride.{name}", css="shared.css", js=_ENTRY % module))
    return lambda **arguments: registered()(**arguments)


@functools.cache
def frontend_version() -> str:
    """A text that changes with every file of the front end. With it a page that was open during an upgrade loads itself again."""
    digest = hashlib.sha256()
    for path in sorted(_FRONTEND.rglob("*.*")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


def pack(header: dict, arrays: dict[str, np.ndarray]) -> bytes:
    """Packs a header and arrays into bytes: [u32 size of the header][JSON header][arrays, each aligned to 4 bytes].

    header["arrays"] gives the type, offset and count of each array.
    """
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
