"""Which second of a clip networks of spectrograms look at: a slider, which begins at the loudest."""

from __future__ import annotations

import streamlit as st

from adastride.inspection.sound_windows import SoundWindow, loudest_first, most_first, sound_window
from adastride.models.spectrograms import SpectrogramConfig
from adastride.ui.source import Clip, choose_sample

WIDGETS = ("images_second",)  # keys of the picker's
_USUAL_CLIP = "three"  # whose word the network of four tasks knows
_FINE_SECONDS = 10.0  # of a clip: in a longer one the slider steps by a tenth of a second


def choose_usual_clip() -> None:
    """Has the picker of clips, where nobody has chosen one on any page, start with one that suits these networks."""
    if not st.session_state.get("source_kept") and "source_sample" not in st.session_state:
        choose_sample(_USUAL_CLIP)


def choose_second(second: float | None) -> None:
    """Has the slider, which is not drawn yet, begin at a second of the first clip that is shown. None leaves it at the loudest."""
    st.session_state["images_second_asked"] = second


def pick_window(clip: Clip, config: SpectrogramConfig) -> SoundWindow:
    """Draws the slider, where a clip is longer than a window, and returns the window to look at."""
    mel, frames, key = config.mel, config.frames, WIDGETS[0]
    last, rate = most_first(clip.waveform, mel, frames), mel.frames_per_second
    kept = st.session_state.setdefault("images_second_kept", {})
    step = 1 / rate if clip.waveform.seconds <= _FINE_SECONDS else 0.1
    if kept.get("clip") != clip.id:
        asked = st.session_state.pop("images_second_asked", None)
        if asked is not None and asked > last / rate:
            st.toast(f"This link asks for second {asked:g}, and the clip’s last window begins at {last / rate:g} s: that is shown.", icon=":material/link_off:")
            asked = last / rate
        kept.clear()
        kept.update(clip=clip.id, second=asked)
    if not last:
        st.caption(_short_words(clip, config.seconds))
        return sound_window(clip.waveform, mel, frames, 0)
    if kept["second"] is None:
        kept["second"] = loudest_first(clip.waveform, mel, frames) / rate
    if kept.get("grid") != (last, step):  # another network's windows begin at other times: the nearest to the chosen one counts
        if "grid" in kept:
            kept["second"] = round(round(kept["second"] / step) * step, 6)
        kept.update(grid=(last, step), second=min(kept["second"], last / rate))
        st.session_state[key] = kept["second"]
    if key not in st.session_state:  # a page forgets the widgets of another
        st.session_state[key] = kept["second"]
    st.session_state[key] = min(max(st.session_state[key], 0.0), last / rate)
    kept["second"] = second = st.slider(
        f"Look at {config.seconds:g} s from", 0.0, last / rate, step=step, format="%.2f s", key=key,
        help="The network takes windows of this length. It begins at the loudest.",
    )
    return sound_window(clip.waveform, mel, frames, round(second * rate))


def _short_words(clip: Clip, seconds: float) -> str:
    """What of a clip that fills one window alone is looked at."""
    if clip.waveform.seconds >= seconds:
        return f"All of it is looked at: the network takes windows of {seconds:g} s."
    return f"All of it is looked at, {clip.waveform.seconds:.2f} s in the middle of silence: the network takes windows of {seconds:g} s."
