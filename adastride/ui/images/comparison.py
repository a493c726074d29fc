"""Two to four networks side by side on one picture: what each layer sees, what can be had back of it, and what each of them answers."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from PIL import Image

from adastride.downsampling import METHODS
from adastride.inspection.charts import Axis, Panel, Point, Series, plotly_panel
from adastride.inspection.pictures import PictureError, PictureTrace, trace_image
from adastride.tasks.classification import percent
from adastride.ui import resources
from adastride.ui.address import write_address
from adastride.ui.checkpoint_picker import ChosenCheckpoint
from adastride.ui.images.link import MOST_NETWORKS
from adastride.ui.images.picker import how_to_choose
from adastride.ui.images.source import ChosenPicture
from adastride.ui.text import plain

_SHOWN = 192  # pixels of a small picture as it is sent, so that its own pixels are seen
_WIDTHS = {2: 150, 3: 124, 4: 84}  # CSS pixels of a picture where so many networks stand beside each other
_HOW = (
    "Had back: of all pictures that a layer would see like this the smoothest, by least squares along each axis. PSNR: 10 log₁₀ of 255² over the mean "
    "squared error, more is better. Response: the share of a wave’s amplitude that comes back at the wave’s own frequency. A strided convolution is "
    "taken for its effective alignment, the magnitudes of its weights."
)


def side_by_side(chosen: ChosenPicture, networks: Sequence[ChosenCheckpoint]) -> None:
    """Shows the comparison, with the settings that each network was trained with, and writes its link."""
    write_address(
        {"picture": chosen.link, "view": "compare", "networks": ",".join(each.link for each in networks) or None,
         **dict.fromkeys(("what", "clip", "second", "checkpoint", "layer", "height", "width", "sigma"))}, key="images_compare_address",
    )
    if not 2 <= len(networks) <= MOST_NETWORKS:
        st.info(how_to_choose("pictures"), icon=":material/compare:")
        return
    traces = []
    for checkpoint in networks:
        network = resources.picture_model(checkpoint.network)
        try:
            traces.append(trace_image(network, chosen.fitted(network.config.size).pixels))
        except PictureError as error:
            st.error(f"{plain(checkpoint.title)}: {plain(str(error))}", icon=":material/error:")
            return
    names = distinct([METHODS[trace.method].label for trace in traces])
    for column, name, trace in zip(st.columns(len(traces), border=True), names, traces, strict=True):
        best, share = trace.answer
        verdict = chosen.verdict(best, trace.labels)
        column.markdown(f"**{plain(name)}** says **{plain(best)}**, {percent(share)}" + (f", {plain(verdict)}" if verdict else ""))
        order = np.argsort(-trace.probabilities, kind="stable")[1:3]
        column.caption("then " + ", ".join(f"{plain(trace.labels[n])} {percent(float(trace.probabilities[n]))}" for n in order))
        column.image(_enlarged(trace.pixels), caption="What it is given", alt=f"The picture as {name} is given it", width=_SHOWN // 2)
    for layer in range(len(traces[0].layers)):
        st.markdown(f"#### Layer {layer + 1}")
        for column, name, trace in zip(st.columns(len(traces), border=True), names, traces, strict=True):
            with column:
                _row(trace, layer, name, _WIDTHS[len(traces)])
        for column, axis in zip(st.columns(2), (0, 1), strict=True):
            column.plotly_chart(
                plotly_panel(response(traces, names, layer, HEIGHT_AND_WIDTH[axis], [1.0] * len(traces)), st.context.theme.type == "dark"), theme=None,
                config={"displayModeBar": False}, key=f"images_response_{layer}_{axis}",
                alt=f"Layer {layer + 1}: frequency response along the {('height', 'width')[axis]}",
            )
    st.caption(_HOW)


def _row(trace: PictureTrace, layer: int, name: str, width: int) -> None:
    """One network at one layer: what it sees and what can be had back, `width` CSS pixels each."""
    shown, back = trace.layers[layer], trace.reconstructions[layer]
    rows, columns = (axis.output_size for axis in shown.along)
    st.markdown(f"**{plain(name)}**: PSNR **{decibels(back.psnr)}**, {rows} × {columns} pixels")
    with st.container(horizontal=True, gap="small"):
        st.image(_enlarged(shown.seen), caption="As seen", alt=f"The picture as layer {layer + 1} of {name} sees it", width=width)
        st.image(_enlarged(back.pixels), caption="Had back", alt=f"What can be had back of the picture after layer {layer + 1} of {name}", width=width)


def decibels(value: float) -> str:
    """A PSNR as a person reads it.

    >>> decibels(23.456), decibels(float("inf"))
    ('23.5 dB', 'without limit')
    """
    return f"{value:.1f} dB" if math.isfinite(value) else "without limit"


def distinct(names: Sequence[str]) -> list[str]:
    """Names of which no two are the same: a second network of a method is numbered."""
    return [f"{name} {names[: place + 1].count(name)}" if names.count(name) > 1 else name for place, name in enumerate(names)]


def _enlarged(pixels: np.ndarray) -> bytes:
    """A small picture as a PNG in which its pixels are squares."""
    height, width = pixels.shape[:2]
    factor = max(1, round(_SHOWN / max(height, width)))
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize((width * factor, height * factor), Image.Resampling.NEAREST).save(buffer, "PNG")
    return buffer.getvalue()


@dataclass(frozen=True)
class Along:
    """How an axis of a picture is drawn in a chart of frequencies. axis: 0 the height, 1 the width. title: its name. unit: of frequencies."""

    axis: int
    title: str
    unit: str


HEIGHT_AND_WIDTH = Along(0, "the height", "cycles per pixel"), Along(1, "the width", "cycles per pixel")


def response(traces: Sequence[PictureTrace], names: Sequence[str], layer: int, along: Along, rates: Sequence[float]) -> Panel:
    """The share of each frequency's amplitude that comes back after a layer, a line for each network.

    rates: for each network, how many of its pixels are in one of what frequencies count cycles in: frames in a second for Hz.
    """
    series = []
    for number, (trace, name, rate) in enumerate(zip(traces, names, rates, strict=True)):
        back = trace.reconstructions[layer]
        points = tuple(
            Point(float(x), float(y), f"{name}, {x:.3g} {along.unit}: {100 * y:.0f} %")
            for x, y in zip(rate * back.frequencies, back.response[along.axis], strict=True)
        )
        series.append(Series(name, number, points, "line"))
    most = 0.5 * max(rates)
    return Panel(f"Layer {layer + 1} along {along.title}", Axis(f"Frequency ({along.unit})", 0, most), Axis("Response (share)", 0, 1.05), tuple(series))
