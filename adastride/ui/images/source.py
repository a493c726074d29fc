"""The sidebar's choice of a picture: a drawing that comes with the project, a file, or the camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st

from adastride import images
from adastride.image_files import IMAGE_FORMATS
from adastride.images import Fitted, ImageError, Picture
from adastride.samples import drawings
from adastride.ui import resources
from adastride.ui.uploads import decoded_once
from adastride.wording import one_line

WIDGETS = ("images_kind", "images_drawing", "images_upload", "images_camera")  # keys of the picker's
_KINDS = {"drawing": "Drawn", "upload": "Upload", "camera": "Camera"}
_TYPES = ("png", "jpg", "jpeg", "webp")


@dataclass(frozen=True)
class ChosenPicture:
    """A picture that somebody chose. id: unique by content. title: its name for people. link: its name in links. label: what is on it,
    None where nobody has said."""

    id: str
    title: str
    picture: Picture
    link: str
    label: str | None = None

    def fitted(self, size: int) -> Fitted:
        """The square of it that a network of such pictures sees."""
        return images.fit(self.picture.pixels, size)


def choose_drawing(name: str | None) -> None:
    """Has the picker, which is not drawn yet, start with a bundled picture. None leaves it at the usual one."""
    if name is not None:
        st.session_state.setdefault("images_kept", {})["images_drawing"] = name


def pick_picture() -> ChosenPicture:
    """Draws the picker and returns the picture to show. For a bad file the page says why it can't be used, and the last picture stays."""
    remembered = st.session_state.setdefault("images_kept", {})  # a page forgets the widgets of another, a visitor should not notice
    for key in WIDGETS[:2]:
        if key not in st.session_state and key in remembered:
            st.session_state[key] = remembered[key]
    start = None if "images_kind" in st.session_state else "drawing"
    kind = st.segmented_control("Picture", _KINDS, format_func=_KINDS.get, key="images_kind", required=True, default=start)
    chosen: ChosenPicture | None
    if kind == "upload":
        file = st.file_uploader(
            "Picture file", type=_TYPES, key="images_upload",
            help=f"{IMAGE_FORMATS}, up to {images.MAX_BYTES / 1e6:.0f} MB. The file is decoded in memory and never stored.",
        )
        chosen = _decoded(file, "upload", one_line(file.name) if file else "")
    elif kind == "camera":
        chosen = _decoded(st.camera_input("Take a picture", key="images_camera", help="It stays in this session."), "camera", "Camera picture")
    else:
        chosen = _drawing()
    remembered.update({key: st.session_state[key] for key in WIDGETS[:2] if key in st.session_state})
    if chosen is not None:
        st.session_state["images_last"] = chosen
    return st.session_state.get("images_last") or _bundled(next(iter(drawings())))


def _drawing() -> ChosenPicture:
    known = drawings()
    name = st.selectbox("Drawing", list(known), format_func=lambda name: known[name].title, key="images_drawing")
    st.caption(known[name].description)
    return _bundled(name)


def _bundled(name: str) -> ChosenPicture:
    picture, sample = resources.drawing(name), drawings()[name]
    return ChosenPicture(picture.sha256[:16], f"{sample.title} (drawn)", picture, name, sample.label)


def _decoded(file: Any, kind: str, title: str) -> ChosenPicture | None:
    """The picture of a file, see `decoded_once`."""

    def decode(data: bytes, content: str) -> ChosenPicture:
        with st.spinner("Decoding the picture …"):
            return ChosenPicture(content[:16], title, images.decode(data, title), f"upload:{title}")

    return decoded_once(f"images_{kind}_decoded", file, title, decode, ImageError)


def kept_words(chosen: ChosenPicture, fitted: Fitted) -> str:
    """Which part of a picture a network sees, in a sentence."""
    picture = chosen.picture
    whole = f"{picture.original_width:,} × {picture.original_height:,} pixels"
    size = fitted.pixels.shape[0]
    first = " It is the first picture of an animation." if picture.frames > 1 else ""
    if fitted.kept > 0.999:
        return f"All of it is seen: {whole}, resized to {size} × {size}.{first}"
    share = 100 * fitted.kept
    percent = f"{share:.0f} %" if share >= 1 else "less than 1 %"
    return f"Of {whole} the square in the middle is seen, {percent} of the picture, resized to {size} × {size}.{first}"
