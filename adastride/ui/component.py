"""What the live components share: how one is put together from its files, and how numbers travel to it."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import streamlit as st

_HERE = Path(__file__).parent


def live_component(name: str) -> Callable:
    """The components-v2 component of a page: name/viewer.html, name/viewer.css and frontend/name.js, behind shared.css and drawing.js.

    Register it once, where its module is imported; call it with data=`pack(...)`.
    """

    def read(*files: str) -> str:
        return "".join((_HERE / file).read_text(encoding="utf-8") for file in files)

    return st.components.v2.component(
        f"adastride_{name}", html=read(f"{name}/viewer.html"), css=read("shared.css", f"{name}/viewer.css"),
        js=read("frontend/drawing.js", f"frontend/{name}.js"),
    )


def pack(header: dict, arrays: dict[str, np.ndarray]) -> bytes:
    """[u32 header size][JSON header][arrays, each 4-byte aligned]; header["arrays"] says type, offset and count."""
    described, parts, offset = {}, [], 0
    for name, array in arrays.items():
        data = np.ascontiguousarray(array).tobytes()
        described[name] = {"type": f"{array.dtype.kind}{array.dtype.itemsize}", "offset": offset, "count": int(array.size)}
        data += b"\0" * (-len(data) % 4)
        parts.append(data)
        offset += len(data)
    text = json.dumps({**header, "arrays": described}, allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    return b"".join([struct.pack("<I", len(text)), text, *parts])
