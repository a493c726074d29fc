"""Compare two to four methods on one clip, in columns that follow the sliders together, or two to four trained networks.

Demonstrates: the comparison components, method cards from the registry, links, exports.
"""

import math
from collections.abc import Callable

import streamlit as st
from matplotlib.figure import Figure

from adastride.checkpoints import catalogue
from adastride.comparison import core as comparison
from adastride.comparison import networks
from adastride.comparison.figure import comparison_figure
from adastride.comparison.networks_figure import networks_figure
from adastride.comparison.settings import FEWEST_METHODS, MOST_METHODS, SCORES, ComparisonSettings, sources
from adastride.downsampling import METHODS
from adastride.inspection import figures
from adastride.samples import samples
from adastride.ui import resources, shell
from adastride.ui.checkpoint_picker import (
    choose_checkpoint,
    choose_networks,
    layers_of,
    networks_widgets,
    pick_checkpoint,
    pick_networks,
    picker_widgets,
)
from adastride.ui.compare import link as comparison_link
from adastride.ui.compare.networks import chosen_network, networks_viewer
from adastride.ui.compare.networks import kept_state as networks_state
from adastride.ui.compare.viewer import compare_viewer, kept_state, pinned_scores
from adastride.ui.queue import in_line
from adastride.ui.source import WIDGETS, choose_sample, pick_clip

VIEWER, NETWORKS = "compare_viewer", "compare_networks"
WHAT = {"methods": "Methods", "networks": "Trained networks"}
CHOICES = ("methods", "source", "scores", "both_axes")
# Query parameters that only one of the two comparisons has.
OF_METHODS = ("checkpoint", "methods", "source", "scores", "axes", "stride", "sigma", "drawn", "pin")
OF_NETWORKS = ("networks", "upper")
FIGURES = (("png", "PNG figure", "image/png"), ("svg", "SVG figure", "image/svg+xml"))

resources.prepare_comparison()
if "compare_link" not in st.session_state:  # a link counts once, when the session opens
    link = comparison_link.parse(st.query_params, samples(), catalogue(), layers_of)
    st.session_state["compare_link"] = link
    st.session_state["compare_choices"] = {name: getattr(link.settings, name) for name in CHOICES}
    choose_sample(link.clip)
    choose_checkpoint("compare", link.checkpoint)
    for problem in link.problems:
        st.toast(problem, icon=":material/link_off:", duration="long")
    choose_networks("compare_networks", link.networks or ())
    st.session_state["compare_kept_what"] = "methods" if link.networks is None else "networks"
link, remembered_choices = st.session_state["compare_link"], st.session_state["compare_choices"]
for name in CHOICES:  # another page forgets this page's widgets
    value = remembered_choices[name]
    st.session_state.setdefault(f"compare_{name}", list(value) if name == "methods" else value)

st.session_state.setdefault("compare_what", st.session_state["compare_kept_what"])
first_row = st.container(horizontal=True, vertical_alignment="bottom")
with first_row:
    what = st.segmented_control("Compare", list(WHAT), format_func=WHAT.get, required=True, key="compare_what")
st.session_state["compare_kept_what"] = what
with st.sidebar:
    clip = pick_clip()


def figure_buttons(draw: Callable[[], Figure], shown: str, stem: str) -> None:
    """Buttons for a figure as files. draw: makes it. shown: what it has side by side."""
    for kind, name, mime in FIGURES:
        st.download_button(
            name,
            in_line(lambda kind=kind: figures.render(draw(), kind), kind, clip.waveform.seconds),
            f"{stem}.{kind}",
            mime,
            on_click="ignore",
            help=f"All {shown}, over the time in view, and their numbers" + (", 200 dpi." if kind == "png" else ", as vectors."),
        )


def show_networks() -> None:
    """Trained networks side by side, and their numbers as a file."""
    with first_row:
        chosen = pick_networks("compare_networks", networks.MOST)
    if len(chosen) < networks.FEWEST:
        st.info("Choose at least two networks: a comparison needs something to compare with.", icon=":material/view_agenda:")
        return
    names = networks.short_names([each.title for each in chosen])
    shown = [chosen_network(each, name, clip) for each, name in zip(chosen, names, strict=True)]

    @shell.live(lambda: shell.values(*WIDGETS, "compare_what", *networks_widgets("compare_networks")))
    def live_networks() -> None:
        query = {"clip": clip.link, "networks": ",".join(each.link for each in chosen), **dict.fromkeys(OF_METHODS)}
        view = link.view if clip.link == link.clip and link.networks is not None else None
        networks_viewer(clip, shown, link.upper, view, query, revision="link", key=NETWORKS)

    answers = networks_state(NETWORKS)
    live_networks()
    if answers["answers"]:
        with st.container(horizontal=True, vertical_alignment="center"):
            stem = f"adastride-networks-{clip.sample or 'clip'}"
            st.markdown("**Take it away**")
            figure_buttons(lambda: networks_figure(answers["answers"], clip.title, answers["view"]), "networks", stem)
            st.download_button(
                "CSV numbers",
                in_line(lambda: networks.to_csv(answers["answers"]), "csv", clip.waveform.seconds),
                f"{stem}.csv",
                "text/csv",
                on_click="ignore",
                help="One line for each network: stride and output frames of its uppermost layer, its answer and its numbers.",
            )


if what == "networks":
    show_networks()
    st.stop()

with st.sidebar:
    checkpoint = pick_checkpoint("compare", help="It lends its score to the methods that place frames, and its features as a source.")

with first_row:
    methods = st.multiselect(
        f"{FEWEST_METHODS} to {MOST_METHODS} methods",
        list(METHODS),
        format_func=lambda key: METHODS[key].label,
        key="compare_methods",
    )
with st.container(horizontal=True, vertical_alignment="bottom"):
    choices = sources(len(resources.model(checkpoint.network).downsamplers))
    if st.session_state["compare_source"] not in choices:  # another network has fewer layers
        st.session_state["compare_source"] = "mel"
    source = st.selectbox("Downsample", list(choices), format_func=choices.get, key="compare_source", width=290)
    scores = st.selectbox(
        "Adaptive methods place frames by",
        list(SCORES),
        format_func=SCORES.get,
        key="compare_scores",
        width=425,
        disabled=not any(map(comparison.takes_scores, methods)),
    )
    both_axes = st.toggle(
        "Time and frequency",
        key="compare_both_axes",
        disabled=source != "mel" or not any(METHODS[key].build_2d for key in methods),
        help="Spectral pooling, DiffStride and DCT-DiffStride also make the mel bands fewer, by the same stride.",
    )
st.session_state["compare_choices"] = dict(zip(CHOICES, (methods, source, scores, both_axes), strict=True))

if not FEWEST_METHODS <= len(methods) <= MOST_METHODS:
    wrong = (
        "Choose at least two methods: a comparison needs something to compare with."
        if len(methods) < FEWEST_METHODS
        else f"Choose at most four methods, not {len(methods)}: more columns than that are too narrow to read."
    )
    st.info(wrong, icon=":material/view_column:")
    st.stop()

settings = ComparisonSettings(tuple(methods), source=source, scores=scores, both_axes=both_axes)
learned = "checkpoint" in {scores, *pinned_scores(VIEWER, link.settings)} and any(map(comparison.takes_scores, methods))
with st.container(), st.spinner("Preparing the clip …", show_time=True):
    features = resources.features(checkpoint.network, clip.waveform, source, learned)
    mel, preset = resources.clip_mel(checkpoint.network, clip.waveform)


@shell.live(lambda: shell.values(*WIDGETS, *picker_widgets("compare"), "compare_what", *(f"compare_{name}" for name in CHOICES)))
def live() -> None:
    compare_viewer(
        clip,
        mel,
        preset,
        features,
        settings,
        link.settings,
        view=link.view if clip.link == link.clip and link.networks is None else None,
        revision="link",
        key=VIEWER,
        link={
            "clip": clip.link,
            "checkpoint": checkpoint.link,
            "methods": ",".join(methods),
            "source": source,
            "scores": scores,
            "axes": "2" if both_axes else None,
            **dict.fromkeys(OF_NETWORKS),
        },
    )


state = kept_state(VIEWER)


def complete():
    """The comparison on screen with every number, for the exports."""
    on_screen = state["comparison"]
    return comparison.compare(on_screen.features, on_screen.settings, state["view"], True, on_screen, math.inf, on_screen.device)


live()
if state["comparison"] is None:  # and the page says why
    st.stop()

with st.container(horizontal=True, vertical_alignment="center"):
    stem = f"adastride-compare-{clip.sample or 'clip'}"
    st.markdown("**Take it away**")
    figure_buttons(lambda: comparison_figure(complete(), mel, preset, clip.title, state["view"]), "columns", stem)
    st.download_button(
        "CSV numbers",
        in_line(lambda: comparison.to_csv(complete()), "csv", clip.waveform.seconds),
        f"{stem}.csv",
        "text/csv",
        on_click="ignore",
        help="One line for each method: settings, output frames, errors, aliasing, shift change, time, memory.",
    )

st.subheader("The methods")
for row in range(0, len(methods), 2):
    for card, key in zip(st.columns(2), methods[row : row + 2], strict=False):
        method = METHODS[key]
        with card.container(border=True, height="stretch"):
            st.markdown(f"**{method.label}** · stride {method.kind} · {method.complexity}")
            st.markdown(method.idea)
            lines = method.formula.replace(r"\quad", r"\\[0.5em]")  # one for each part, and small: all fit a card on a phone
            st.latex(rf"\footnotesize\begin{{gathered}}{lines}\end{{gathered}}")
            parameters = [
                f"Parameter: {name} from {low:g} to {high:g}, usually {default:.3g}." for name, (low, high, default) in method.parameters.items()
            ]
            st.caption("  \n".join([*parameters, f"Source: {method.citation}."]))
