"""Sigma: what a clip, or many labelled clips, would give with another σ, another stride, or both.

Demonstrates: work that shows its results as they come and stops when asked to, or when the tab is closed; answers with their rules.
"""

import hashlib
import itertools
from urllib.parse import urlencode

import streamlit as st
import torch

from adastride import sweep, sweep_figures
from adastride.checkpoints import catalogue
from adastride.sweep import SIGMA, STRIDE, Run, SweepError
from adastride.tracing import as_trained
from adastride.training.archive import MAX_BYTES, MAX_SOUNDS, MAX_UNPACKED_BYTES, read_zip
from adastride.training.data import DataError
from adastride.training.datasets import Source, default_data_root, load_split
from adastride.ui import resources, shell
from adastride.ui.checkpoint_picker import pick_checkpoint
from adastride.ui.source import pick_clip
from adastride.ui.text import plain

SUBJECTS = {"clip": "This clip", "many": "Many labelled clips"}
KINDS = {"sigma": "σ", "stride": "Stride", "both": "σ × stride"}
USUAL = {  # low, high and number of values by what is swept, of one clip and of many
    "clip": {"sigma": (0.05, 100.0, 25), "stride": (1.0, 8.0, 15)},
    "many": {"sigma": (0.05, 100.0, 16), "stride": (1.0, 8.0, 8)},
    "both": {"sigma": (0.05, 100.0, 12), "stride": (1.0, 8.0, 8)},
}
UPLOAD = "upload"
MOST_CHECKPOINTS = 6
SECONDS_BY_ITSELF = 60.0  # a longer clip is swept when asked to: it takes a while
BETWEEN_PICTURES = 0.3  # seconds of work

shell.enter()
drawn = itertools.count()  # a chart that is drawn again in one run needs a key of its own
dark = st.context.theme.type == "dark"
with st.sidebar:
    clip = pick_clip()
    checkpoint = pick_checkpoint("sigma")
network = resources.model(checkpoint.network)
rate = network.config.mel.sample_rate
usual = sigmas_trained, stride_trained = sweep.trained_sigmas(network), sweep.overall_stride(as_trained(network))


def stop(sentence: str) -> None:
    """The page ends with one sentence."""
    st.error(plain(sentence[:1].upper() + sentence[1:]), icon=":material/error:")
    st.stop()


def chart(figure, alt: str) -> None:
    st.plotly_chart(figure, theme=None, config={"displayModeBar": False}, alt=alt, key=f"sigma_chart_{next(drawn)}")


def remembered(key: str, usual):
    """The key of a widget that shows what it last said; a page forgets the widgets of another, a visitor should not notice."""
    memory = st.session_state.setdefault("sigma_memory", {})
    memory[key] = st.session_state.setdefault(key, memory.get(key, usual))
    return key


def ranges() -> tuple[tuple[float, ...], tuple[float, ...], list[sweep.Setting]]:
    """The values of σ⁻² and of the stride that somebody chose, () for one that is not swept, and the points they make."""
    found = {"sigma": (), "stride": ()}
    steps = {"sigma": (SIGMA, sweep.sigma_values), "stride": ("Overall stride", sweep.stride_values)}
    try:
        for name in ("sigma", "stride") if kind == "both" else (kind,):
            what, make = steps[name]
            low, high, count = USUAL["both" if kind == "both" else subject][name]
            with st.container(horizontal=True, vertical_alignment="bottom"):
                key = f"sigma_{subject}_{kind}_{name}"
                first = st.number_input(f"{what} from", format="%g", key=remembered(f"{key}_low", low), width=130)
                last = st.number_input(f"{what} to", format="%g", key=remembered(f"{key}_high", high), width=130)
                values = st.number_input("Values", 2, sweep.MOST_VALUES, key=remembered(f"{key}_count", count), width=130)
            found[name] = make(first, last, values)
        return *found.values(), sweep.points(*found.values())
    except SweepError as error:
        stop(str(error))


def carried_on(run: Run, draw, share) -> None:
    """Works at a run to its end, showing what comes; a button stops it, and so does leaving the page."""
    if not run.active:
        return
    bar, button = st.empty(), st.empty()
    button.button("Stop", icon=":material/stop_circle:", key="sigma_stop", on_click=run.stop)
    while run.active:
        bar.progress(share(), f"{100 * share():.0f} % of the sweep")
        try:
            run.advance(BETWEEN_PICTURES)
        except torch.OutOfMemoryError:
            stop("the GPU has too little free memory for this sweep: choose a shorter clip or fewer clips.")
        if run.active:
            draw()
    bar.empty()
    button.empty()


def show_answers(answers: list[sweep.Answer]) -> None:
    st.markdown("\n".join(f"- {plain(each.text)}" for each in answers).replace(" %", "\N{NO-BREAK SPACE}%"))
    with st.expander("The rule behind each sentence", icon=":material/function:"):
        st.markdown("\n".join(f"1. {plain(each.rule)}" for each in answers))


def download(text: str, name: str) -> None:
    st.download_button("CSV numbers", text, f"adastride-sweep-{name}.csv", "text/csv", on_click="ignore", icon=":material/table:")


def begun(key: object, results, keep: int | None = None) -> Run:
    """The session's run of this key, a new one in the place of another."""
    run = st.session_state.get(f"sigma_run_{subject}")
    if run is None or run.key != key:
        forget()
        run = st.session_state[f"sigma_run_{subject}"] = Run(key, results(), keep)
    return run


def forget() -> None:
    """The session's run ends and leaves nothing."""
    run = st.session_state.pop(f"sigma_run_{subject}", None)
    if run is not None:
        run.stop()


def stopped(place, sentence: str) -> None:
    """Says that a run was stopped, and offers to begin again."""
    with place.container(horizontal=True, vertical_alignment="center"):
        st.info(sentence, icon=":material/stop_circle:")
        st.button("Begin again", icon=":material/replay:", key="sigma_again", on_click=forget)


# ------------------------------------------------------------------ one clip


def one_clip() -> None:
    sigmas, strides, points = ranges()
    key = (clip.id, checkpoint.id, kind, tuple(points))
    started = st.session_state.get("sigma_started") == key
    if clip.waveform.seconds > SECONDS_BY_ITSELF and not started:
        st.info(f"This clip has {clip.waveform.seconds / 60:.1f} minutes, so its sweep takes a while.", icon=":material/hourglass_empty:")
        if not st.button("Sweep it", type="primary", key="sigma_begin"):
            return
        st.session_state["sigma_started"] = key
    run = begun(key, lambda: sweep.sweep_clip(network, clip.waveform, points, details=kind != "both"))
    said, status, picture, below = st.container(), st.container(), st.empty(), st.container()
    label = resources.run(checkpoint.network, clip.waveform, None, None)[0].top if kind == "both" else ""
    values, what = (sigmas, SIGMA) if kind == "sigma" else (strides, STRIDE)
    trained = sigmas_trained if kind == "sigma" else (stride_trained,)

    def draw() -> None:
        with picture.container():
            if kind == "both":
                chart(sweep_figures.probability_map(run.found, label, sigmas, strides, usual, dark), "The label's probability by σ⁻² and stride")
            else:
                chart(sweep_figures.strip(run.found, values, what, trained, None, dark), "Alignments, a column for each value")

    with status:
        carried_on(run, draw, lambda: len(run.found) / len(points))
    if len(run.found) < len(points):
        stopped(status, f"Stopped after {len(run.found)} of {len(points)} points.")
    if not run.found:
        return
    columns = list(run.found)
    if kind == "both":
        draw()
        with said:
            show_answers(sweep.map_answers(columns, label))
        below.caption(f"Ring: as trained, σ⁻² {', '.join(map(sweep.rounded, sigmas_trained))} and an overall stride of {sweep.rounded(stride_trained)}.")
    else:
        with said:
            show_answers(sweep.clip_answers(columns, what, trained[len(trained) // 2]))
        with picture.container():
            look(columns, values, what, trained)
        figures = sweep_figures.curves(columns, values, what, trained, dark)
        with below:
            st.subheader(f"Against {'σ⁻²' if what == SIGMA else 'the stride'}")
            st.caption("Dotted lines mark what the network was trained with.")
            for place, (title, figure) in enumerate(figures.items()):
                if place % 2 == 0:
                    pair = st.columns(2, gap="medium")
                with pair[place % 2]:
                    chart(figure, title)
    with below:
        download(sweep.clip_csv(columns), kind)


@st.fragment
def look(columns, values, what, trained) -> None:
    """The strip, and one of its columns larger."""
    names = {sweep.swept(column.setting, column.stride): column for column in columns}
    first = list(names)[sweep.nearest(list(names), trained[len(trained) // 2])]
    strip = st.empty()
    if len(names) > 1:
        chosen = st.select_slider(f"Look at {what}", list(names), first, format_func=sweep.rounded, key=f"sigma_cursor_{hash((kind, *names))}")
    else:
        chosen = first
    with strip:
        chart(sweep_figures.strip(columns, values, what, trained, chosen, dark), "Alignments, a column for each value")
    settings = sweep.layer_settings(network, names[chosen].setting)
    seen, notice = resources.run(checkpoint.network, clip.waveform, settings, None)
    if notice:
        st.warning(notice, icon=":material/memory:")
    here = f"{SIGMA if what == SIGMA else 'Overall stride'} {sweep.rounded(chosen)}"
    st.markdown(f"**{here}**: “{plain(seen.top)}” with {100 * seen.probabilities[seen.top]:.1f} %, in {seen.milliseconds:.0f} ms")
    chart(sweep_figures.large(sweep.pictures(seen, *sweep_figures.LARGE), clip.waveform.seconds, dark), f"Alignments: {here}")
    query = {"clip": clip.link, "checkpoint": checkpoint.link, **sweep.link_parameters(settings)}
    st.link_button("Open in Explore", f"./?{urlencode(query)}", icon=":material/graphic_eq:", help="In a tab of its own, with these settings.")


# ------------------------------------------------------------------ many labelled clips


@st.cache_resource(max_entries=2, show_spinner="Reading the clips …")
def test_clips(folder: str, sha256: str, sample_rate: int):
    """The test split of a data set; sha256: of its manifest, so that another one is read again."""
    return load_split(folder, "test", sample_rate)


def unpacked(file) -> tuple[str, list] | None:
    """SHA-256 and clips of an uploaded zip, decoded once; None, with a sentence on the page, where it can't be used."""
    data = file.getvalue()
    sha256 = hashlib.sha256(data).hexdigest()
    kept = st.session_state.get("sigma_zip")
    if kept is None or kept[0] != (sha256, rate):
        bar = st.progress(0.0, "Decoding the clips …")
        try:
            kept = ((sha256, rate), read_zip(data, file.name, rate, lambda share: bar.progress(share, "Decoding the clips …")), None)
        except DataError as error:
            kept = ((sha256, rate), [], str(error))
        bar.empty()
        st.session_state["sigma_zip"] = kept
    if kept[2]:
        stop(kept[2])
    return sha256, kept[1]


@st.cache_data(max_entries=64, show_spinner=False)
def test_labels(folder: str, sha256: str) -> frozenset[str]:
    """The labels in the test split of a data set; none for one that can't be read."""
    try:
        return frozenset(row.label for row in Source(folder).rows() if row.split == "test")
    except DataError:
        return frozenset()


def test_sets() -> dict[str, tuple[str, str]]:
    """Folder, and SHA-256 of its manifest, of the data sets here whose labels the network knows, by their names."""
    known = set(network.config.labels)
    found = {path.parent.name: (str(path.parent), hashlib.sha256(path.read_bytes()).hexdigest()) for path in sorted(default_data_root().glob("*/manifest.csv"))}
    return {name: each for name, each in found.items() if (labels := test_labels(*each)) and labels <= known}


def labelled() -> tuple[str, list] | None:
    """What names the clips by their content, and the clips; None before there are any."""
    here = test_sets()
    source = st.selectbox(
        "Clips", [*here, UPLOAD], format_func=lambda name: "Upload a zip" if name == UPLOAD else f"Test split of {name}", key="sigma_source", width=360,
    )
    if source != UPLOAD:
        folder, sha256 = here[source]
        try:
            return sha256, test_clips(folder, sha256, rate)
        except DataError as error:
            stop(str(error))
    file = st.file_uploader(
        "Zip with a folder for each class, or with a manifest.csv (path, label)", type="zip", key="sigma_upload", max_upload_size=MAX_BYTES // 1_000_000,
        help=f"Up to {MAX_BYTES / 1e6:.0f} MB, {MAX_SOUNDS:,} WAV, FLAC, OGG or MP3 files, {MAX_UNPACKED_BYTES / 1e6:.0f} MB unpacked. Nothing is stored.",
    )
    return None if file is None else unpacked(file)


def networks() -> list:
    """The chosen network, and others of the same task that somebody wants beside it."""
    known = catalogue()
    task = known[checkpoint.network].task if checkpoint.network in known else None
    others = [name for name, entry in known.items() if entry.task == task and name != checkpoint.network]
    if not others:
        return [network]
    more = st.multiselect(
        "Compare with", others, [name for name in others if known[name].method == known[checkpoint.network].method][: MOST_CHECKPOINTS - 1],
        format_func=lambda name: known[name].title, max_selections=MOST_CHECKPOINTS - 1, key=f"sigma_more_{checkpoint.id}",
    )
    return [network, *(each for each in map(resources.model, more) if kind == "stride" or sweep.has_sigma(each))]


def many_clips() -> None:
    found = labelled()
    sigmas, strides, points = ranges()
    models = [network] if kind == "both" else networks()
    if found is None:
        st.info("Choose a zip file to begin with.", icon=":material/folder_zip:")
        return
    sha256, clips = found
    names = [checkpoint.title if model is network and checkpoint.network not in catalogue() else model.name for model in models]
    key = (sha256, rate, tuple(model.name for model in models), tuple(points))
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
        run = begun(key, lambda: sweep.sweep_clips(models, clips, points, names=names), keep=1)
    except (SweepError, DataError) as error:
        stop(str(error).replace(network.name, names[0]))
    said, status, picture, below = st.container(), st.container(), st.empty(), st.container()
    what = SIGMA if kind == "sigma" else STRIDE
    marks = {
        name: sweep.trained_sigmas(model) if kind == "sigma" else (sweep.overall_stride(as_trained(model)),) for name, model in zip(names, models, strict=True)
    }

    def draw() -> None:
        with picture.container():
            scores = run.found[-1].scores
            if kind == "both":
                chart(sweep_figures.accuracy_map(scores, sigmas, strides, usual, dark), "Accuracy by σ⁻² and stride")
            else:
                chart(sweep_figures.accuracy(scores, what, marks, dark), f"Accuracy against {what}")

    with status:
        carried_on(run, draw, lambda: run.found[-1].share if run.found else 0.0)
    if not run.found:
        stopped(status, "Stopped before the first clips were done.")
        return
    last = run.found[-1]
    if last.share < 1:
        stopped(status, f"Stopped after {100 * last.share:.0f} % of the clips: what follows stands on those.")
    draw()
    with said:
        show_answers(sweep.score_map_answers(last.scores) if kind == "both" else sweep.score_answers(last.scores, what))
    with below:
        if kind == "stride":
            chart(sweep_figures.cost(last.scores, what, dark), "Cost against the stride")
        st.caption("Bands and intervals: Wilson’s 95 % interval of the clips. Rings: what a network was trained with, or the value nearest to it.")
        download(sweep.scores_csv(last.scores), f"{kind}-accuracy")


st.header("What if σ were larger?")
with st.container(horizontal=True):
    subject = st.segmented_control("Sweep", SUBJECTS, format_func=SUBJECTS.get, required=True, key=remembered("sigma_subject", "clip"))
    if sweep.has_sigma(network):
        kind = st.segmented_control("Over", KINDS, format_func=KINDS.get, required=True, key=remembered("sigma_kind", "sigma"))
    else:
        kind = "stride"
if not sweep.has_sigma(network):
    st.info("This network has no σ: none of its layers weighs frames by their distance. Its stride can be swept instead.", icon=":material/info:")
if subject == "clip":
    one_clip()
else:
    many_clips()
