"""Two to four networks of spectrograms side by side on one second of sound: one for several tasks beside one for each, for instance."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import numpy as np
import streamlit as st
from matplotlib import colormaps
from PIL import Image

from adastride.downsampling import METHODS
from adastride.inspection.charts import plotly_panel
from adastride.inspection.modulation import Modulation, modulations_of
from adastride.inspection.pictures import PictureError, PictureTrace, trace_image
from adastride.inspection.sound_windows import SoundWindow, sound_window
from adastride.models.spectrograms import decibels_of_level
from adastride.subjects import title_of
from adastride.tasks.classification import percent
from adastride.ui import resources
from adastride.ui.address import write_address
from adastride.ui.checkpoint_picker import ChosenCheckpoint
from adastride.ui.images.comparison import Along, distinct, response
from adastride.ui.images.link import MOST_NETWORKS
from adastride.ui.images.picker import how_to_choose
from adastride.ui.source import Clip
from adastride.ui.text import plain

_WIDTHS = {2: 210, 3: 130, 4: 180}  # CSS pixels of a spectrogram where so many networks stand beside each other
FREQUENCY, TIME = Along(0, "frequency", "cycles per band"), Along(1, "time", "Hz")
_FINE = 4  # times as many pixels are sent as a spectrogram has, so that its own are seen
_HOW = (
    "Had back: of all spectrograms that a layer would see like this the smoothest, by least squares along each axis; how far it is off is the root of the "
    "mean squared difference in dB. Response: the share of a modulation’s amplitude that comes back at its own frequency. A strided convolution is taken "
    "for its effective alignment, the magnitudes of its weights."
)


def sounds_side_by_side(clip: Clip, begin: float, networks: Sequence[ChosenCheckpoint]) -> None:
    """Shows the comparison, with the settings that each network was trained with, and writes its link. begin: second of the clip."""
    write_address(
        {"what": "sound", "clip": clip.link, "second": f"{max(0.0, begin):g}", "view": "compare",
         "networks": ",".join(each.link for each in networks) or None,
         **dict.fromkeys(("picture", "checkpoint", "layer", "height", "width", "sigma"))}, key="images_sound_compare_address",
    )
    if not 2 <= len(networks) <= MOST_NETWORKS:
        st.info(how_to_choose("sound"), icon=":material/compare:")
        return
    traces, windows = [], []
    for checkpoint in networks:
        network = resources.picture_model(checkpoint.network)
        window = sound_window(clip.waveform, network.config.mel, network.config.frames, round(begin * network.config.mel.frames_per_second))
        try:
            traces.append(trace_image(network, window.pixels))
        except PictureError as error:
            st.error(f"{plain(checkpoint.title)}: {plain(str(error))}", icon=":material/error:")
            return
        windows.append(window)
    levels, (low, high) = windows[0].levels, windows[0].decibels  # one colour is one level everywhere
    names = names_of(traces, [checkpoint.title for checkpoint in networks])
    width = _WIDTHS[len(traces)]
    for column, name, trace, window in zip(st.columns(len(traces), border=True), names, traces, windows, strict=True):
        column.markdown(f"**{plain(name)}**")
        column.markdown("  \n".join(
            f"{plain(title_of(task)) or 'It says'}: **{plain(answer)}**, {percent(share)}" for task, answer, share in trace.answers
        ))
        column.image(
            _coloured(window.pixels, levels, window), alt=f"The spectrogram as {name} is given it", width=width,
            caption=f"Given: {window.begin:g} to {window.end:g} s, {window.mel.low_hz / 1e3:g} to {window.mel.high_hz / 1e3:g} kHz",
        )
    ends = f"from {low:.0f} dB, the darkest, to {high:.0f} dB, the brightest".replace("-", "−")
    st.caption(f"Colours: {ends}; time from left to right, the highest mel band on top.")
    kept = [
        list(zip(*(modulations_of(trace, axis, window.rates[axis]) for axis in range(2)), strict=True))
        for trace, window in zip(traces, windows, strict=True)
    ]
    for layer in range(len(traces[0].layers)):
        st.markdown(f"#### Layer {layer + 1}")
        for column, name, trace, window, both in zip(st.columns(len(traces), border=True), names, traces, windows, kept, strict=True):
            with column:
                _row(trace, layer, name, window, levels, both[layer], width)
        for column, along in zip(st.columns(2), (TIME, FREQUENCY), strict=True):
            panel = response(traces, names, layer, along, [window.rates[along.axis] for window in windows])
            column.plotly_chart(
                plotly_panel(panel, st.context.theme.type == "dark"), theme=None, config={"displayModeBar": False},
                key=f"images_sound_response_{layer}_{along.axis}", alt=f"Layer {layer + 1}: response to modulations along {along.title}",
            )
    st.caption(_HOW)


def names_of(traces: Sequence[PictureTrace], titles: Sequence[str]) -> list[str]:
    """Names that tell networks apart: the method and the task, or how many tasks; where these are alike, the title beside them."""
    names = []
    for trace in traces:
        tasks = [title_of(head.task) for head in trace.heads]
        names.append(f"{METHODS[trace.method].label}, {tasks[0] or '1 task' if len(tasks) == 1 else f'{len(tasks)} tasks'}")
    return distinct([f"{name}, {title}" if names.count(name) > 1 else name for name, title in zip(names, titles, strict=True)])


def _row(
    trace: PictureTrace, layer: int, name: str, window: SoundWindow, levels: tuple[int, int], kept: tuple[Modulation, Modulation], width: int,
) -> None:
    """One network at one layer: its strides, what it sees and what can be had back, `width` CSS pixels each."""
    shown, back = trace.layers[layer], trace.reconstructions[layer]
    (rows, columns), (frequency, time) = (axis.output_size for axis in shown.along), kept
    st.markdown(f"**{plain(name)}**: {rows} × {columns}, off by **{decibels_off(back.psnr):.1f} dB**")
    st.caption(
        f"Time: {1e3 * time.step:.3g} ms a column, up to {time.cut_off:.3g} Hz. "
        f"Frequency: {frequency.step:.3g} bands a row, up to {frequency.cut_off:.3g} cycles a band."
    )
    with st.container(horizontal=True, gap="small"):
        st.image(_coloured(shown.seen, levels, window), caption="As seen", alt=f"The spectrogram as layer {layer + 1} of {name} sees it", width=width)
        said = f"What can be had back of the spectrogram after layer {layer + 1} of {name}"
        st.image(_coloured(back.pixels, levels, window), caption="Had back", alt=said, width=width)


def decibels_off(psnr: float) -> float:
    """The root of the mean squared error of a spectrogram's levels in dB, from its PSNR.

    >>> round(decibels_off(20.0), 2), decibels_off(float("inf"))
    (10.87, 0.0)
    """
    return (decibels_of_level(255) - decibels_of_level(0)) * 10 ** (-psnr / 20) if math.isfinite(psnr) else 0.0


def _coloured(pixels: np.ndarray, levels: tuple[int, int], window: SoundWindow) -> bytes:
    """Levels (h, w, 3) in the colours of spectrograms as a PNG with the shape of the window, in which they are rectangles."""
    low, high = levels
    colours = colormaps["magma"](np.clip((pixels[:, :, 0].astype(float) - low) / (high - low), 0, 1), bytes=True)[:, :, :3]
    height, width = window.pixels.shape[:2]
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(colours)).resize((width * _FINE, height * _FINE), Image.Resampling.NEAREST).save(buffer, "PNG")
    return buffer.getvalue()
