"""Look at a picture through a network: what every layer keeps along the height and along the width, following the sliders.

Demonstrates: a live picture with two axes, pictures from files and the camera, permalinks, networks side by side, exports.
"""

import streamlit as st

from adastride import checkpoints
from adastride.inspection import picture_exports
from adastride.inspection.pictures import as_trained, resolve_settings
from adastride.ui import resources, shell
from adastride.ui.address import write_address
from adastride.ui.images import link as permalink
from adastride.ui.images import picker, source
from adastride.ui.images.comparison import side_by_side
from adastride.ui.images.viewer import viewer, viewer_state
from adastride.ui.queue import in_line

VIEWER = "images_viewer"
VIEWS = {"one": "One network", "compare": "Side by side"}

if "images_link" not in st.session_state:  # a link counts once, when the session opens
    link = permalink.parse(st.query_params, source.Linkable(), checkpoints.picture_catalogue())
    st.session_state["images_link"] = link
    source.choose_picture(link.picture)
    picker.choose_checkpoint(link.checkpoint)
    picker.choose_networks(link.networks)
    st.session_state["images_view_kept"] = "compare" if link.side_by_side else "one"
    for problem in link.problems:
        st.toast(problem, icon=":material/link_off:", duration="long")
link = st.session_state["images_link"]

with st.sidebar:
    chosen = source.pick_picture()
    kept = st.empty()
    checkpoint = picker.pick_network()

if checkpoint is None:
    st.info(picker.NONE_HERE, icon=":material/model_training:")
    st.stop()

network = resources.picture_model(checkpoint.network)
fitted = chosen.fitted(network.config.size)
kept.caption(source.kept_words(chosen, fitted))

if "images_view" not in st.session_state:
    st.session_state["images_view"] = st.session_state["images_view_kept"]
view = st.segmented_control(
    "What is shown", list(VIEWS), format_func=VIEWS.get, key="images_view", required=True, label_visibility="collapsed",
)
st.session_state["images_view_kept"] = view

if view == "compare":
    side_by_side(chosen, picker.pick_networks())
    st.stop()

write_address({"view": None, "networks": None}, key="images_address")
linked = st.session_state.setdefault("images_first_checkpoint", checkpoint.id) == checkpoint.id
start = resolve_settings(network, link.settings) if linked else as_trained(network)
layer = link.layer if linked else None


@shell.live(lambda: shell.values(*source.WIDGETS, *picker.WIDGETS, "images_view"))
def live() -> None:
    viewer(chosen, fitted, network, start, checkpoint.id, checkpoint.link, layer, key=VIEWER)


state = viewer_state(VIEWER)
live()

if state.get("trace") is not None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("**Take it away**")
        st.download_button(
            "PNG figure", in_line(lambda: picture_exports.figure_png(state["trace"], chosen.title), "png", 0.0), f"{chosen.stem}.png", "image/png",
            on_click="ignore", help="Every layer with its two alignments at the present settings, 200 dpi, for a slide.",
        )
        st.download_button(
            "NPZ arrays", in_line(lambda: picture_exports.to_npz(state["trace"]), "npz", 0.0), f"{chosen.stem}.npz", "application/octet-stream",
            on_click="ignore", help="NumPy arrays: pixels, and for every layer its alignments, composites, edges, what it sees and its features.",
        )
        st.download_button(
            "CSV strides", in_line(lambda: picture_exports.to_csv(state["trace"]), "csv", 0.0), f"{chosen.stem}.csv", "text/csv",
            on_click="ignore", help="One line for each output row and column of every layer: where it begins and ends in pixels.",
        )
