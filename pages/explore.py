"""Explore a clip: its waveform, mel and every layer's alignment on one time axis, following the sliders.

Demonstrates: the linked viewer, live settings, the checkpoint picker, permalinks, exports.
"""

import streamlit as st

from adastride.checkpoints import catalogue
from adastride.inspection import export, figures
from adastride.inspection.tracing import EVERYTHING, as_trained, resolve_settings
from adastride.samples import samples
from adastride.tasks import task_of
from adastride.ui import resources, shell
from adastride.ui.checkpoint_picker import choose_checkpoint, layers_of, pick_checkpoint, picker_widgets
from adastride.ui.explore import link as permalink
from adastride.ui.explore.viewer import viewer, viewer_state
from adastride.ui.queue import in_line
from adastride.ui.source import WIDGETS, choose_sample, pick_clip

VIEWER = "explore_viewer"

if "explore_link" not in st.session_state:  # a link counts once, when the session opens
    link = permalink.parse(st.query_params, samples(), catalogue(), layers_of)
    st.session_state["explore_link"] = link
    choose_sample(link.clip)
    choose_checkpoint("explore", link.checkpoint)
    for problem in link.problems:
        st.toast(problem, icon=":material/link_off:", duration="long")
link = st.session_state["explore_link"]

with st.sidebar:
    clip = pick_clip()
    checkpoint = pick_checkpoint("explore")

network = resources.model(checkpoint.network)
trained = as_trained(network)
first_checkpoint = st.session_state.setdefault("explore_first_checkpoint", checkpoint.id)
linked = checkpoint.id == first_checkpoint
start = resolve_settings(network, link.settings) if linked else trained
hearing = (link.hearing if linked else EVERYTHING) if task_of(network).hears_parts else None


def run(settings, previous, hearing):
    if clip.sample and settings == trained and hearing == EVERYTHING:
        return resources.sample_trace(checkpoint.network, clip.sample), None
    return resources.run(checkpoint.network, clip.waveform, settings, previous, hearing)


@shell.live(lambda: shell.values(*WIDGETS, *picker_widgets("explore")))
def live() -> None:
    viewer(clip, run, trained, start, revision=checkpoint.id, link_checkpoint=checkpoint.link, key=VIEWER, hearing=hearing)


state = viewer_state(VIEWER)


def shown():
    """The trace on screen when a button is pressed, for the exports."""
    return state.get("trace") or run(None, None, EVERYTHING)[0]


live()

with st.container(horizontal=True, vertical_alignment="center"):
    stem, seconds = f"adastride-{clip.sample or 'clip'}", clip.waveform.seconds
    st.markdown("**Take it away**")
    st.download_button(
        "PNG figure", in_line(lambda: figures.render(figures.publication_figure(shown(), title=clip.title), "png"), "png", seconds),
        f"{stem}.png", "image/png", on_click="ignore", help="The whole picture at the present settings, 200 dpi, for a slide.",
    )
    st.download_button(
        "SVG figure", in_line(lambda: figures.render(figures.publication_figure(shown(), title=clip.title), "svg"), "svg", seconds),
        f"{stem}.svg", "image/svg+xml", on_click="ignore", help="The same as vectors, for a paper.",
    )
    st.download_button(
        "NPZ arrays", in_line(lambda: export.to_npz(shown()), "npz", seconds), f"{stem}.npz", "application/octet-stream",
        on_click="ignore",
        help="NumPy arrays: mel (n_mels, T), positions_k (T,), alignment_k (L, T) for every layer, and patches with their attention.",
    )
    st.download_button(
        "CSV strides", in_line(lambda: export.to_csv(shown()), "csv", seconds), f"{stem}.csv", "text/csv",
        on_click="ignore", disabled=not network.downsamplers,
        help="One line for each output frame: layer, start and end in seconds, input frames it stands for.",
    )
