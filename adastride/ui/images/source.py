"""The sidebar's choice of a picture: a drawing that comes with the project, a test picture of the server's, a file, or the camera."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from adastride import images
from adastride.image_files import IMAGE_FORMATS
from adastride.images import Fitted, ImageError, Picture
from adastride.samples import drawings
from adastride.ui import resources
from adastride.ui.images import held_out
from adastride.ui.images.held_out import HeldOut, HeldOutError
from adastride.ui.text import plain
from adastride.ui.uploads import decoded_once
from adastride.wording import one_line, with_article

# Keys of the picker's; a session remembers the values of the first five.
WIDGETS = ("images_kind", "images_drawing", "images_test_set", "images_test_class", "images_test_number", "images_upload", "images_camera")
_REMEMBERED = WIDGETS[:5]
_KINDS = {"drawing": "Drawn", "test": "Test", "upload": "Upload", "camera": "Camera"}
_TEST_WIDGETS = WIDGETS[2:5]
_TYPES = ("png", "jpg", "jpeg", "webp")


@dataclass(frozen=True)
class ChosenPicture:
    """A picture that somebody chose.

    id: unique by content. title: its name for people. link: its name in links. label: what is on it, None where nobody has said. test:
    whether a data set says so, and answers are right or wrong.
    """

    id: str
    title: str
    picture: Picture
    link: str
    label: str | None = None
    test: bool = False

    @property
    def stem(self) -> str:
        """What names of files that show it begin with."""
        return f"adastride-images-{re.sub('[^0-9A-Za-z._-]+', '-', self.link) if self.label else 'picture'}"

    def verdict(self, answer: str, labels: Sequence[str]) -> str:
        """Whether a network's answer is right; "" where no data set says what is on the picture. labels: the network's classes."""
        if not self.test or self.label is None:
            return ""
        if answer == self.label:
            return "right"
        truth = f"it is {with_article(one_line(self.label, 40))}"
        return f"wrong: {truth}" if self.label in labels else f"{truth}, a class that this network does not have"

    def fitted(self, size: int) -> Fitted:
        """The square of it that a network of such pictures sees."""
        return images.fit(self.picture.pixels, size)


class Linkable(Container[str]):
    """What links can name: a bundled picture, or a test picture of this server."""

    def __contains__(self, name: object) -> bool:
        return name in drawings() or held_out.find(str(name)) is not None


def choose_picture(name: str | None) -> None:
    """Has the picker, which is not drawn yet, start with a picture that a link names. None leaves it at the usual one."""
    if name is None:
        return
    asked = None if name in drawings() else held_out.find(name)
    start: dict[str, object] = {"images_drawing": name}
    if asked is not None:
        start = dict(zip(("images_kind", *_TEST_WIDGETS), ("test", asked.data_set, asked.label, asked.number), strict=True))
    st.session_state.setdefault("images_kept", {}).update(start)


def pick_picture() -> ChosenPicture:
    """Draws the picker and returns the picture to show. For a bad file the page says why it can't be used, and the last picture stays."""
    remembered = st.session_state.setdefault("images_kept", {})  # a page forgets the widgets of another, a visitor should not notice
    for key in _REMEMBERED:
        if key not in st.session_state and key in remembered:
            st.session_state[key] = remembered[key]
    tests = held_out.data_sets()
    kinds = [kind for kind in _KINDS if tests or kind != "test"]
    _within("images_kind", kinds)
    kind = st.segmented_control("Picture", kinds, format_func=_KINDS.__getitem__, key="images_kind", required=True)
    chosen: ChosenPicture | None
    if kind == "upload":
        file = st.file_uploader(
            "Picture file", type=_TYPES, key="images_upload",
            help=f"{IMAGE_FORMATS}, up to {images.MAX_BYTES / 1e6:.0f} MB. The file is decoded in memory and never stored.",
        )
        chosen = _decoded(file, "upload", one_line(file.name) if file else "")
    elif kind == "camera":
        chosen = _decoded(st.camera_input("Take a picture", key="images_camera", help="It stays in this session."), "camera", "Camera picture")
    elif kind == "test":
        chosen = _held_out(list(tests))
    else:
        chosen = _drawing()
    remembered.update({key: st.session_state[key] for key in _REMEMBERED if key in st.session_state})
    if chosen is not None:
        st.session_state["images_last"] = chosen
    return st.session_state.get("images_last") or _bundled(next(iter(drawings())))


def _drawing() -> ChosenPicture:
    known = drawings()
    name = st.selectbox("Drawing", list(known), format_func=lambda name: known[name].title, key="images_drawing")
    st.caption(known[name].description)
    return _bundled(name)


def _held_out(data_sets: list[str]) -> ChosenPicture | None:
    """Draws the choice of a test picture; None where it can't be read, which the page then says."""
    by_set, by_class, by_number = _TEST_WIDGETS
    data_set = _within(by_set, data_sets)
    if len(data_sets) > 1:
        st.selectbox("Data set", data_sets, format_func=one_line, key=by_set)
        data_set = st.session_state[by_set]
    try:
        counts = held_out.counts(data_set)
        _within(by_class, list(counts))
        wide, narrow = st.columns([3, 2])
        label = wide.selectbox("Class", list(counts), format_func=one_line, key=by_class)
        st.session_state[by_number] = min(max(1, st.session_state.get(by_number) or 1), counts[label])
        number = narrow.number_input(f"Number, 1–{counts[label]}", 1, counts[label], key=by_number)
        asked = HeldOut(data_set, label, number)
        picture = held_out.picture(asked)
    except HeldOutError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return None
    st.caption(f"One of {counts[label]:,} pictures of this class in the test split of {plain(one_line(data_set, 40))}.")
    return ChosenPicture(picture.sha256[:16], asked.title, picture, asked.link, label, test=True)


def _within(key: str, options: Sequence[str]) -> str:
    """Sets a widget that is not drawn yet to the first of its options where it has none of them, and returns its value."""
    if st.session_state.get(key) not in options:
        st.session_state[key] = options[0]
    return st.session_state[key]


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
