"""The sidebar's source picker: a bundled sample, an uploaded file, or a recording."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

import streamlit as st

from adastride import audio
from adastride.audio import AudioError, TooLongError, Waveform
from adastride.formats import FORMATS
from adastride.samples import samples
from adastride.ui import queue, resources
from adastride.ui.uploads import decoded_once
from adastride.wording import one_line

WIDGETS = ("source_kind", "source_sample", "source_upload", "source_recording")  # keys of the picker's


@dataclass(frozen=True)
class Clip:
    """A sound that somebody chose.

    id: unique by content. title: its name for people. link: its name in links. sample: its name if it is bundled, else None.
    """

    id: str
    title: str
    waveform: Waveform
    link: str
    sample: str | None = None


def pick_clip() -> Clip:
    """Draws the picker and returns the clip to show. For a bad file the page says why it can't be used, and the last clip stays."""
    kinds = {"sample": "Sample", "upload": "Upload", "record": "Record"}
    remembered = st.session_state.setdefault("source_kept", {})  # a page forgets the widgets of another, a visitor should not notice
    page = urlsplit(st.context.url or "").path
    for key in ("source_kind", "source_sample"):
        # On another page a widget is another one, which begins anew unless it is told its value, even where that is still known.
        if (key not in st.session_state or remembered.get("page") != page) and (key in st.session_state or key in remembered):
            st.session_state[key] = st.session_state.get(key, remembered.get(key))
    remembered["page"] = page
    start = None if "source_kind" in st.session_state else "sample"
    kind = st.segmented_control("Sound", kinds, format_func=kinds.get, key="source_kind", required=True, default=start)
    if kind == "upload":
        file = st.file_uploader("Sound file, or a film with sound", key="source_upload", help=_limits())
        clip = _decoded(file, "upload")
    elif kind == "record":
        clip = _decoded(st.audio_input("Record from the microphone", key="source_recording", sample_rate=16_000), "record")
    else:
        clip = _sample()
    remembered.update({key: st.session_state[key] for key in ("source_kind", "source_sample") if key in st.session_state})
    if clip is not None:
        st.session_state["source_last"] = clip
    elif "source_last" not in st.session_state:  # the browser is not new, so the session is: the server has been started again
        what = "choose your file again" if kind == "upload" else "record it again"
        st.info(f"The server was started again and has your sound no longer: {what}. Until then this is a sample.", icon=":material/restart_alt:")
    return st.session_state.get("source_last") or _bundled(next(iter(samples())))


def choose_sample(name: str | None) -> None:
    """Has the picker, which is not drawn yet, start with a bundled clip. None leaves it at the usual one."""
    if name is not None:
        st.session_state["source_sample"] = name


def _sample() -> Clip:
    known = samples()
    name = st.selectbox("Sample", list(known), format_func=lambda name: known[name].title, key="source_sample")
    st.caption(known[name].description)
    return _bundled(name)


def _bundled(name: str) -> Clip:
    waveform = resources.sample_waveform(name)
    return Clip(waveform.sha256[:16], samples()[name].title, waveform, name, sample=name)


def _decoded(file, kind: str) -> Clip | None:
    """The uploaded or recorded sound, see `decoded_once`."""
    title = "" if file is None else "Recording" if kind == "record" else one_line(file.name)
    return decoded_once(
        f"source_{kind}_decoded", file, title, lambda data, content: Clip(content[:16], title, _waveform(data, title), f"upload:{title}"), AudioError,
    )


def _waveform(data: bytes, title: str) -> Waveform:
    """The sound of a file. A short one is decoded at once, a longer one in a turn. Raises what `audio.decode` raises."""
    with st.container():
        try:
            return audio.decode(data, name=title, max_seconds=queue.SHORT_SECONDS)
        except TooLongError:
            with queue.page_turn():
                text = f"Decoding {len(data) / 1e6:.1f} MB …"
                bar = st.progress(0.0, text)
                try:
                    return audio.decode(data, name=title, progress=lambda share: bar.progress(share, text))
                finally:
                    bar.empty()


def _limits() -> str:
    limits = f"{audio.MAX_SECONDS / 60:.0f} minutes and {audio.MAX_BYTES / 1e6:.0f} MB"
    return f"{FORMATS}, up to {limits}. The file is decoded in memory and never stored."
