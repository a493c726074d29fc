"""Look at a picture, or a second of sound as a spectrogram, through a network: what every layer keeps along both axes, following the sliders.

Demonstrates: a live picture with two axes, pictures from files and the camera, sound, permalinks, networks side by side, exports.
"""

import streamlit as st

from adastride.inspection import picture_exports
from adastride.inspection.pictures import as_trained, resolve_settings
from adastride.samples import samples
from adastride.ui import resources, shell
from adastride.ui import source as clips
from adastride.ui.address import write_address
from adastride.ui.images import link as permalink
from adastride.ui.images import picker, sound, source
from adastride.ui.images.comparison import side_by_side
from adastride.ui.images.sound_comparison import sounds_side_by_side
from adastride.ui.images.viewer import Shown, viewer, viewer_state
from adastride.ui.queue import in_line

VIEWER = "images_viewer"
VIEWS = {"one": "One network", "compare": "Side by side"}

if "images_link" not in st.session_state:  # a link counts once, when the session opens
    known = {permalink.KIND_OF[what]: picker.networks_of(what) for what in permalink.WHAT}
    link = permalink.parse(st.query_params, source.Linkable(), samples(), known)
    st.session_state["images_link"] = link
    st.session_state["images_what_kept"] = link.what
    source.choose_picture(link.picture)
    clips.choose_sample(link.clip)
    sound.choose_second(link.second)
    picker.choose_checkpoint(link.checkpoint, link.what)
    picker.choose_networks(link.networks, link.what)
    st.session_state["images_view_kept"] = "compare" if link.side_by_side else "one"
    for problem in link.problems:
        st.toast(problem, icon=":material/link_off:", duration="long")
link = st.session_state["images_link"]

if "images_what" not in st.session_state:
    st.session_state["images_what"] = st.session_state["images_what_kept"]
with st.sidebar:
    what = st.segmented_control("Look at", list(permalink.WHAT), format_func=permalink.WHAT.get, key="images_what", required=True)
    st.session_state["images_what_kept"] = what
    if what == "sound":
        sound.choose_usual_clip()
    chosen = source.pick_picture() if what == "pictures" else clips.pick_clip()
    kept = st.container()
    checkpoint = picker.pick_network(what)

if checkpoint is None:
    st.info(picker.NONE_HERE[what], icon=":material/model_training:")
    st.stop()

network = resources.picture_model(checkpoint.network)
if isinstance(chosen, clips.Clip):
    with kept:
        window = sound.pick_window(chosen, network.config)
    said = {"what": what, "clip": chosen.link, "second": f"{max(0.0, window.begin):g}"}
    shown = Shown(f"{chosen.id}-{window.first}", chosen.title, window.pixels, said, f"adastride-images-{chosen.sample or 'sound'}", sound=window)
else:
    fitted = chosen.fitted(network.config.size)
    kept.caption(source.kept_words(chosen, fitted))
    shown = Shown(chosen.id, chosen.title, fitted.pixels, {"picture": chosen.link}, chosen.stem, chosen.verdict)

if "images_view" not in st.session_state:
    st.session_state["images_view"] = st.session_state["images_view_kept"]
view = st.segmented_control(
    "What is shown", list(VIEWS), format_func=VIEWS.get, key="images_view", required=True, label_visibility="collapsed",
)
st.session_state["images_view_kept"] = view
if view == "compare":
    compared = picker.pick_networks(what)
    if isinstance(chosen, clips.Clip):
        sounds_side_by_side(chosen, window.begin, compared)
    else:
        side_by_side(chosen, compared)
    st.stop()

write_address({"view": None, "networks": None}, key="images_address")
linked = st.session_state.setdefault("images_first_checkpoint", checkpoint.id) == checkpoint.id
start = resolve_settings(network, link.settings) if linked else as_trained(network)
layer = link.layer if linked else None


@shell.live(lambda: shell.values(*source.WIDGETS, *clips.WIDGETS, *sound.WIDGETS, *picker.WIDGETS, "images_view", "images_what"))
def live() -> None:
    viewer(shown, network, start, checkpoint.id, checkpoint.link, layer, key=VIEWER)


state = viewer_state(VIEWER)
live()

if state.get("trace") is not None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("**Take it away**")
        st.download_button(
            "PNG figure", in_line(lambda: picture_exports.figure_png(state["trace"], shown.title, shown.sound), "png", 0.0), f"{shown.stem}.png", "image/png",
            on_click="ignore", help="Every layer with its two alignments at the present settings, 200 dpi, for a slide.",
        )
        st.download_button(
            "NPZ arrays", in_line(lambda: picture_exports.to_npz(state["trace"], shown.sound), "npz", 0.0), f"{shown.stem}.npz", "application/octet-stream",
            on_click="ignore", help="NumPy arrays: pixels, and for every layer its alignments, composites, edges, what it sees and its features.",
        )
        st.download_button(
            "CSV strides", in_line(lambda: picture_exports.to_csv(state["trace"], shown.sound), "csv", 0.0), f"{shown.stem}.csv", "text/csv",
            on_click="ignore", help="One line for each output row and column of every layer: where it begins and ends, in pixels; of sound in s and Hz, too.",
        )
