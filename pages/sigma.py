"""Sigma: what a clip, or many labelled clips, would give with another σ, another stride, or both.

Demonstrates: work that shows its results as they come and stops when asked to, or when the tab is closed; answers with their rules.
"""

import itertools
from contextlib import nullcontext
from urllib.parse import urlencode

import streamlit as st
import torch

from adastride.checkpoints import catalogue
from adastride.clips import DataError
from adastride.downsampling import LayerSettings
from adastride.inspection.tracing import as_trained, resolve_settings
from adastride.samples import samples
from adastride.sweep import core as sweep
from adastride.sweep import figures as sweep_figures
from adastride.sweep.answers import Answer, clip_answers, map_answers, score_answers, score_map_answers
from adastride.sweep.core import SIGMA, STRIDE, Run, SweepError
from adastride.sweep.readings import reads_texts
from adastride.sweep.scores import scores_csv, sweep_clips
from adastride.ui import queue, resources, shell
from adastride.ui.address import write_address
from adastride.ui.checkpoint_picker import choose_checkpoint, layers_of, pick_checkpoint, picker_widgets
from adastride.ui.explore.viewer import viewer
from adastride.ui.sigma import link as sweep_link
from adastride.ui.sigma.labelled import pick_labelled
from adastride.ui.source import WIDGETS, choose_sample, pick_clip
from adastride.ui.text import bullets, plain

SUBJECTS = {"clip": "This clip", "many": "Many labelled clips"}
KINDS = {"sigma": "σ", "stride": "Stride", "both": "σ × stride"}
USUAL = {  # low, high and number of values by what is swept, of one clip and of many
    "clip": {"sigma": (0.05, 100.0, 25), "stride": (1.0, 8.0, 15)},
    "many": {"sigma": (0.05, 100.0, 16), "stride": (1.0, 8.0, 8)},
    "both": {"sigma": (0.05, 100.0, 12), "stride": (1.0, 8.0, 8)},
}
MOST_CHECKPOINTS = 6
SECONDS_BY_ITSELF = 60.0  # a longer clip is swept when asked to: it takes a while
BETWEEN_PICTURES = 0.3  # seconds of work
SECONDS_AT_ONCE = 300.0  # of sound, over all values of a sweep: one with more takes turns with other visitors' long work


def link_choices(link: sweep_link.SweepLink) -> dict[str, object]:
    """What the page's widgets show when it opens, by their keys."""
    subject, kind = link.subject or "clip", link.kind or "sigma"
    choices = {"sigma_subject": subject, "sigma_kind": kind, "sigma_said": link.said}
    for name, values in link.ranges.items():
        choices |= {f"sigma_{subject}_{kind}_{name}_{part}": value for part, value in zip(("low", "high", "count"), values, strict=True)}
    return choices


if "sigma_link" not in st.session_state:  # a link counts once, when the session opens
    link = sweep_link.parse(st.query_params, samples(), catalogue(), SUBJECTS, KINDS, layers_of)
    st.session_state["sigma_link"] = link
    st.session_state["sigma_memory"] = link_choices(link)
    choose_sample(link.clip)
    choose_checkpoint("sigma", link.checkpoint)
    for problem in link.problems:
        st.toast(problem, icon=":material/link_off:", duration="long")
link = st.session_state["sigma_link"]
drawn = itertools.count()  # a chart that is drawn again in one run needs a key of its own
dark = st.context.theme.type == "dark"
with st.sidebar:
    clip = pick_clip()
    checkpoint = pick_checkpoint("sigma")
network = resources.model(checkpoint.network)
rate = network.config.mel.sample_rate
linked = checkpoint.id == st.session_state.setdefault("sigma_first_checkpoint", checkpoint.id)  # what a link says of settings is meant for its network
cursors = st.session_state.setdefault("sigma_cursors", {})  # what is looked at, by checkpoint and what is swept
trained_values = sigmas_trained, stride_trained = sweep.trained_sigmas(network), sweep.overall_stride(as_trained(network))


def stop(sentence: str) -> None:
    """Ends the page with one sentence."""
    st.error(plain(sentence[:1].upper() + sentence[1:]), icon=":material/error:")
    st.stop()


def chart(figure, alt: str) -> None:
    st.plotly_chart(figure, theme=None, config={"displayModeBar": False}, alt=alt, key=f"sigma_chart_{next(drawn)}")


def remembered(key: str, default):
    """Has a widget show its last value, although a page forgets the widgets of another. Returns the key of the widget."""
    memory = st.session_state["sigma_memory"]
    memory[key] = st.session_state.setdefault(key, memory.get(key, default))
    return key


def ranges() -> tuple[tuple[float, ...], tuple[float, ...], list[sweep.Setting]]:
    """Draws the widgets for the ranges. Returns the values of σ⁻² and of the stride, () for one that is not swept, and their points."""
    swept_values, entered = {"sigma": (), "stride": ()}, {}
    steps = {"sigma": (SIGMA, sweep.sigma_values), "stride": ("Overall stride", sweep.stride_values)}
    try:
        for name in ("sigma", "stride") if kind == "both" else (kind,):
            label, make = steps[name]
            low, high, count = USUAL["both" if kind == "both" else subject][name]
            with st.container(horizontal=True, vertical_alignment="bottom"):
                key = f"sigma_{subject}_{kind}_{name}"
                first = st.number_input(f"{label} from", format="%g", key=remembered(f"{key}_low", low), width=130)
                last = st.number_input(f"{label} to", format="%g", key=remembered(f"{key}_high", high), width=130)
                values = st.number_input("Values", 2, sweep.MOST_VALUES, key=remembered(f"{key}_count", count), width=130)
            entered[name] = first, last, values
            swept_values[name] = make(*entered[name])
        address.update(sweep_link.write(entered))
        return *swept_values.values(), sweep.points(*swept_values.values())
    except SweepError as error:
        stop(str(error))


def carried_on(run: Run, draw, share, long: bool) -> None:
    """Works at a run until its end and shows its results as they come. A button stops it, and so does leaving the page.

    long: whether it takes turns with the long work of others.
    """
    if not run.active:
        return
    bar, button = st.empty(), st.empty()
    button.button("Stop", icon=":material/stop_circle:", key="sigma_stop", on_click=run.stop)
    with queue.page_turn() if long else nullcontext() as turn:
        while run.active:
            bar.progress(share(), f"{100 * share():.0f} % of the sweep")
            try:
                run.advance(BETWEEN_PICTURES)
            except torch.OutOfMemoryError:
                stop("the GPU has too little free memory for this sweep: choose a shorter clip or fewer clips.")
            if run.active:
                draw()
                if turn is not None:
                    turn.give_way()
    bar.empty()
    button.empty()


def show_answers(answers: list[Answer]) -> None:
    st.markdown(bullets(plain(answer.text) for answer in answers))
    with st.expander("The rule behind each sentence", icon=":material/function:"):
        st.markdown("\n".join(f"1. {plain(answer.rule)}" for answer in answers))


def download(text: str, name: str) -> None:
    st.download_button("CSV numbers", text, f"adastride-sweep-{name}.csv", "text/csv", on_click="ignore", icon=":material/table:")


def begun(key: object, results, keep: int | None = None) -> Run:
    """The session's run of this key. It is begun, and takes the place of another, where it is not there yet."""
    run = st.session_state.get(f"sigma_run_{subject}")
    if run is None or run.key != key:
        forget()
        run = st.session_state[f"sigma_run_{subject}"] = Run(key, results(), keep)
    return run


def forget() -> None:
    """Ends the session's run and drops its results."""
    run = st.session_state.pop(f"sigma_run_{subject}", None)
    if run is not None:
        run.stop()


def stopped(place, sentence: str) -> None:
    """Says that a run was stopped, and offers to begin again. place: where on the page."""
    with place.container(horizontal=True, vertical_alignment="center"):
        st.info(sentence, icon=":material/stop_circle:")
        st.button("Begin again", icon=":material/replay:", key="sigma_again", on_click=forget)


# ------------------------------------------------------------------ one clip


def what_was_said() -> str:
    """Draws the field for the text of the clip. Returns it; "" where nobody has typed one, and for networks that write no texts."""
    if not reads_texts(network):
        return ""
    said = st.text_input(
        "What was said", key=remembered("sigma_said", ""), max_chars=sweep_link.MOST_SAID,
        placeholder="left empty: compared with the reading as trained",
        help="The curve shows how many errors there are in what the network reads, against this text.", width=560,
    ).strip()
    address["said"] = said or None
    return said


def one_clip() -> None:
    said = what_was_said()
    sigmas, strides, points = ranges()
    key = (clip.id, checkpoint.id, kind, tuple(points), said)
    started = st.session_state.get("sigma_started") == key
    if clip.waveform.seconds > SECONDS_BY_ITSELF and not started:
        st.info(f"This clip has {clip.waveform.seconds / 60:.1f} minutes, so its sweep takes a while.", icon=":material/hourglass_empty:")
        if not st.button("Sweep it", type="primary", key="sigma_begin"):
            return
        st.session_state["sigma_started"] = key
    try:
        run = begun(key, lambda: sweep.sweep_clip(network, clip.waveform, points, details=kind != "both", said=said))
    except SweepError as error:
        stop(str(error))
    sentences, status, picture, below = st.container(), st.container(), st.empty(), st.container()
    with status, queue.page_turn() if kind == "both" and clip.waveform.seconds > queue.SHORT_SECONDS else nullcontext():
        label = resources.run(checkpoint.network, clip.waveform, None, None)[0].top if kind == "both" else ""
    values, quantity = (sigmas, SIGMA) if kind == "sigma" else (strides, STRIDE)
    trained = sigmas_trained if kind == "sigma" else (stride_trained,)

    def draw() -> None:
        with picture.container():
            if kind == "both" and reads_texts(network):
                chart(sweep_figures.reading_map(run.results, sigmas, strides, trained_values, dark), "The error rate by σ⁻² and stride")
            elif kind == "both":
                figure = sweep_figures.probability_map(run.results, label, sigmas, strides, trained_values, dark)
                chart(figure, "How good the answer is by σ⁻² and stride")
            else:
                chart(sweep_figures.strip(run.results, values, quantity, trained, None, dark), "Alignments, a column for each value")

    with status:
        carried_on(run, draw, lambda: len(run.results) / len(points), long=clip.waveform.seconds * len(points) > SECONDS_AT_ONCE)
    if len(run.results) < len(points):
        stopped(status, f"Stopped after {len(run.results)} of {len(points)} points.")
    if not run.results:
        return
    columns = list(run.results)
    if kind == "both":
        draw()
        with sentences:
            show_answers(map_answers(columns, label))
        if reads_texts(network):
            below.caption("Empty places: too few output frames to read the text there.")
        below.caption(f"Ring: as trained, σ⁻² {', '.join(map(sweep.rounded, sigmas_trained))} and an overall stride of {sweep.rounded(stride_trained)}.")
    else:
        with sentences:
            show_answers(clip_answers(columns, quantity, trained[len(trained) // 2]))
        with picture.container():
            look(columns, values, quantity, trained)
        figures = sweep_figures.curves(columns, values, quantity, trained, dark)
        with below:
            st.subheader(f"Against {'σ⁻²' if quantity == SIGMA else 'the stride'}")
            st.caption("Dotted lines mark what the network was trained with.")
            for index, (title, figure) in enumerate(figures.items()):
                if index % 2 == 0:
                    pair = st.columns(2, gap="medium")
                with pair[index % 2]:
                    chart(figure, title)
    with below:
        download(sweep.clip_csv(columns), kind)


def beside(settings) -> tuple[LayerSettings, ...]:
    """The settings that the link's viewer was moved to, completed by these settings where the link says nothing."""
    if len(link.settings) != len(settings):  # the link is of a network with other layers
        return settings
    both = zip(link.settings, settings, strict=True)
    return resolve_settings(network, [
        LayerSettings(from_link.sigma or current.sigma, from_link.stride or current.stride, from_link.variant or current.variant)
        for from_link, current in both
    ])


@st.fragment
def look(columns, values, quantity, trained) -> None:
    """Shows the strip of alignments, and one of its columns in the viewer."""
    names = {sweep.swept(column.setting, column.stride): column for column in columns}
    start_value = link.at if linked and link.at and kind == (link.kind or kind) else trained[len(trained) // 2]
    values_here = list(names)
    first = values_here[sweep.nearest(values_here, cursors.get((checkpoint.id, quantity), start_value))]
    strip, cursor = st.empty(), f"sigma_cursor_{hash((checkpoint.id, kind, *names))}"
    value = st.select_slider(f"Look at {quantity}", values_here, first, format_func=sweep.rounded, key=cursor) if len(names) > 1 else first
    cursors[checkpoint.id, quantity] = value
    with strip:
        chart(sweep_figures.strip(columns, values, quantity, trained, value, dark), "Alignments, a column for each value")
    settings = sweep.layer_settings(network, names[value].setting)
    start = beside(settings) if linked and link.at and value == values_here[sweep.nearest(values_here, link.at)] else settings
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**At {quantity} {sweep.rounded(value)}**")
        query = {"clip": clip.link, "checkpoint": checkpoint.link, **sweep.link_parameters(settings)}
        st.link_button("Open in Explore", f"./?{urlencode(query)}", icon=":material/graphic_eq:", help="In a tab of its own, with these settings.")
    follow(start, f"{checkpoint.id} {quantity} {value:g}", cursor)
    write_address({**address, "at": f"{value:g}"}, key="sigma_address")


@shell.live(lambda start, revision, cursor: shell.values(*WIDGETS, *picker_widgets("sigma"), "sigma_subject", "sigma_kind", "sigma_said", cursor))
def follow(start, revision, cursor) -> None:
    """Shows the viewer at the value that is looked at; its own sliders go on from there. cursor: key of the slider that chose it."""
    viewer(clip, lambda *run: resources.run(checkpoint.network, clip.waveform, *run), as_trained(network), start, revision, checkpoint.link,
           key="sigma_viewer", said=st.session_state.get("sigma_said", ""))


# ------------------------------------------------------------------ many labelled clips


def networks() -> list:
    """The chosen network, and others of the same task that somebody has added to compare with."""
    known = catalogue()
    task = known[checkpoint.network].task if checkpoint.network in known else None
    others = [name for name, entry in known.items() if entry.task == task and name != checkpoint.network]
    if not others:
        return [network]
    more = st.multiselect(
        "Compare with", others, [name for name in others if known[name].method == known[checkpoint.network].method][: MOST_CHECKPOINTS - 1],
        format_func=lambda name: known[name].title, max_selections=MOST_CHECKPOINTS - 1, key=f"sigma_more_{checkpoint.id}",
    )
    swept = (other for other in map(resources.model, more) if other.downsamplers and (kind == "stride" or sweep.has_sigma(other)))
    return [network, *swept]


def many_clips() -> None:
    try:
        labelled = pick_labelled("sigma", network)
    except DataError as error:
        stop(str(error))
    sigmas, strides, points = ranges()
    models = [network] if kind == "both" else networks()
    if labelled is None:
        st.info("Choose a zip file to begin with.", icon=":material/folder_zip:")
        return
    clips = labelled.clips
    names = [checkpoint.title if model is network and checkpoint.network not in catalogue() else model.name for model in models]
    key = (labelled.sha256, rate, tuple(model.name for model in models), tuple(points))
    run = st.session_state.get("sigma_run_many")
    if run is not None and run.key != key:
        forget()
        run = None
    if run is None:
        place, name = st.empty(), f"Sweep {len(clips):,} clips" + (f" through {len(models)} networks" if len(models) > 1 else "")
        if not place.button(name, type="primary", key="sigma_begin_many"):
            return
        place.empty()
    try:
        run = begun(key, lambda: sweep_clips(models, clips, points, names=names), keep=1)
    except (SweepError, DataError) as error:
        stop(str(error).replace(network.name, names[0]))
    sentences, status, picture, below = st.container(), st.container(), st.empty(), st.container()
    quantity = SIGMA if kind == "sigma" else STRIDE
    marks = {
        name: sweep.trained_sigmas(model) if kind == "sigma" else (sweep.overall_stride(as_trained(model)),) for name, model in zip(names, models, strict=True)
    }

    def draw() -> None:
        with picture.container():
            scores = run.results[-1].scores
            if kind == "both":
                figure = sweep_figures.quality_map(scores, sigmas, strides, trained_values, dark)
                chart(figure, f"{scores[0].metric.label} by σ⁻² and stride")
            else:
                chart(sweep_figures.quality(scores, quantity, marks, dark), f"{scores[0].metric.label} against {quantity}")

    with status:
        carried_on(run, draw, lambda: run.results[-1].share if run.results else 0.0, long=True)
    if not run.results:
        stopped(status, "Stopped before the first clips were done.")
        return
    progress = run.results[-1]
    if progress.share < 1:
        stopped(status, f"Stopped after {100 * progress.share:.0f} % of the clips: what follows stands on those.")
    draw()
    with sentences:
        show_answers(score_map_answers(progress.scores) if kind == "both" else score_answers(progress.scores, quantity))
    with below:
        if kind == "stride":
            chart(sweep_figures.cost(progress.scores, quantity, dark), "Cost against the stride")
        score = progress.scores[0]
        st.caption(
            f"Bands and intervals: the 95 % interval over clips ({score.interval}). "
            "Rings: what a network was trained with, or the value nearest to it."
        )
        download(scores_csv(progress.scores), f"{kind}-{score.metric.name}")


st.header("What if σ were larger?")
if not network.downsamplers:
    stop(sweep.nothing_to_sweep(checkpoint.title))
with st.container(horizontal=True):
    subject = st.segmented_control("Sweep", SUBJECTS, format_func=SUBJECTS.get, required=True, key=remembered("sigma_subject", "clip"))
    if sweep.has_sigma(network):
        kind = st.segmented_control("Over", KINDS, format_func=KINDS.get, required=True, key=remembered("sigma_kind", "sigma"))
    else:
        kind = "stride"
if not sweep.has_sigma(network):
    st.info("This network has no σ: none of its layers weighs frames by their distance. Its stride can be swept instead.", icon=":material/info:")
address = {"clip": clip.link, "checkpoint": checkpoint.link, "sweep": subject, "over": kind, "said": None}
if subject == "clip":
    one_clip()
else:
    many_clips()
if subject == "many" or kind == "both":  # `look` writes it where it is shown
    write_address({**address, **dict.fromkeys(("at", "sigma", "stride", "variant"))}, key="sigma_address")
