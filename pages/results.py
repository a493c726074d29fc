"""Results: what the trained networks reach, next to the papers' tables, all of it from the results file.

Demonstrates: charts described once and drawn by Plotly and Matplotlib, tables and sentences worked out from runs, downloads.
"""

import streamlit as st

from adastride.image_runs import EPOCHS_FILE as PICTURE_EPOCHS
from adastride.image_runs import FILE as PICTURES
from adastride.image_runs import read_image_epochs, read_image_runs
from adastride.inspection import figures
from adastride.inspection.charts import Chart, export_figure, plotly_panel
from adastride.intelligibility import FILE as HEARD
from adastride.intelligibility import read_heard
from adastride.results import core as results
from adastride.results import pictures, spectrograms
from adastride.results import report as results_report
from adastride.results.by_stride import STRIDES, by_stride_chart, read_strides
from adastride.results.figures import accuracy_chart, cost_chart, durations_chart, pooled_chart, shift_chart, sigma_chart, stride_chart
from adastride.results.reading import ResultsError, read, read_speakers, results_path, usual_sigma_inv2
from adastride.results.understood import understood_sentences, understood_table
from adastride.spectrogram_runs import EPOCHS_FILE as SPECTROGRAM_EPOCHS
from adastride.spectrogram_runs import FILE as SPECTROGRAMS
from adastride.spectrogram_runs import read_spectrogram_runs
from adastride.ui.address import write_address
from adastride.ui.reachable import make_tables_reachable
from adastride.ui.text import bullets, plain, unbroken_cells
from adastride.wording import counted

OF_PICTURES, OF_SPECTROGRAMS = "images", "sound in two axes"
PANELS_IN_A_ROW = 2
MOST_LINES = 6
MOST_ROWS, TABLE_HEIGHT = 14, 480  # a longer table scrolls inside so many pixels
USUAL_LINES = ("strided-conv", "spectral-pool", "diffstride", "adastride", "adastride-f")
SECTIONS = {
    "sigma": "σ",
    "pooled": "Frames pooled",
    "shift": "Shifted input",
    "cost": "Time and memory",
    "strides": "Learned strides",
    "coverage": "What is missing",
}

dark = st.context.theme.type == "dark"
tables: list[str] = []  # what those of this run hold


def show_chart(chart: Chart, nothing: str) -> None:
    """The panels, what they stand on, and the figure as files; or a sentence where there is nothing to draw."""
    if not chart.panels:
        st.info(nothing, icon=":material/hourglass_empty:")
        return
    for first in range(0, len(chart.panels), PANELS_IN_A_ROW):
        panels = chart.panels[first : first + PANELS_IN_A_ROW]
        for place, (column, panel) in enumerate(zip(st.columns(PANELS_IN_A_ROW, gap="medium"), panels, strict=False), first):
            column.plotly_chart(
                plotly_panel(panel, dark),
                theme=None,
                key=f"{chart.name}-{place}",
                config={"displayModeBar": False},
                alt=f"{chart.title}: {panel.title}",
            )
    st.caption(plain(chart.facts))
    with st.container(horizontal=True):
        for kind, mime in (("png", "image/png"), ("svg", "image/svg+xml")):
            st.download_button(
                f"{kind.upper()} figure",
                lambda kind=kind: figures.render(export_figure(chart), kind),
                f"adastride-results-{chart.name}.{kind}",
                mime,
                key=f"{chart.name}-{kind}",
                on_click="ignore",
            )


def show_table(rows: list[dict[str, str]], name: str) -> None:
    """A table, and the same as a file; nothing where there are no rows. Wide ones scroll sideways in their place."""
    if not rows:
        return
    tables.append(name)
    st.table(unbroken_cells(rows), border="horizontal", hide_index=True, height="content" if len(rows) <= MOST_ROWS else TABLE_HEIGHT)
    st.download_button(
        "CSV table", results_report.to_csv(rows), f"adastride-results-{name}.csv", "text/csv", key=f"{name}-csv", on_click="ignore"
    )


def show_list(texts: list[str]) -> None:
    """Sentences, one under the other; those that have nothing to say are empty."""
    st.markdown(bullets(filter(None, texts)))


def pick_group(names: list[str], key: str) -> int:
    """The place of the group of runs to show, which is asked for where there are several."""
    if len(names) == 1:
        return 0
    return st.segmented_control("Runs", range(len(names)), format_func=names.__getitem__, default=0, required=True, key=key)


def show_pictures() -> None:
    """What networks of pictures reach: the methods, the starts, the strides while they are learned, and what cost buys."""
    groups = pictures.groups_of(picture_runs)
    names = [f"{pictures.title_of(plain(data))}, {counted(epochs, 'epoch')}" for data, epochs in groups]
    runs = list(groups.values())[pick_group(names, "results_pictures")]
    show_list(pictures.story(runs))
    st.caption(plain(pictures.basis(runs)))
    st.subheader("Accuracy on pictures")
    show_chart(pictures.accuracy_chart(runs), "No run begins with strides of 2 everywhere yet.")
    show_table(pictures.accuracy_table(runs), "pictures")
    if starts := pictures.start_table(runs):
        st.subheader("Does learning mend a bad start?")
        show_table(starts, "starts")
    st.subheader("Strides while they are learned")
    own = {run.run: run for run in runs}
    epochs = [line for line in picture_epochs if line.run in own]
    learning = pictures.learning_chart(runs, epochs)
    if learning.panels:
        last = max(line.epoch for line in epochs)
        at = st.slider("Epoch", 0, last, last, key=f"results_epoch_{last}") if last else 0
        learning = pictures.learning_chart(runs, epochs, at)
        learned = [line for line in epochs if line.epoch == at and line.run in {run.run for run in pictures.learners_of(runs)}]
        show_table(pictures.kept_table(own, learned), "kept")
    show_chart(learning, "No run of a method with learned strides is finished yet.")
    trade = pictures.trade_chart(runs)
    if trade.panels:
        st.subheader("What does a cheaper network lose?")
        show_chart(trade, "")


def show_spectrograms() -> None:
    """What networks of spectrograms reach: one for each task and one for all, and the strides that they learn."""
    groups = spectrograms.groups_of(spectrogram_runs)
    names = [group.title for group in groups]
    runs = list(groups.values())[pick_group(names, "results_spectrograms")]
    show_list(spectrograms.story(runs))
    st.caption(plain(spectrograms.basis(runs)))
    st.subheader("One network for each task, or one for all?")
    show_chart(spectrograms.accuracy_chart(runs), "No run is finished yet.")
    show_table(spectrograms.accuracy_table(runs), "spectrograms")
    st.markdown("**DiffStride paper, table 1**")
    show_table(spectrograms.paper_accuracy_table(), "spectrograms-paper")
    st.subheader("Which modulations does the first layer keep?")
    show_table(spectrograms.stride_table(runs), "modulations")
    st.subheader("Strides while they are learned")
    own = {run.run for run in runs}
    epochs = [line for line in spectrogram_epochs if line.run in own]
    learning = spectrograms.learning_chart(runs, epochs)
    if learning.panels:
        last = max(line.epoch for line in epochs)
        at = st.slider("Epoch", 0, last, last, key=f"results_spectrogram_epoch_{last}") if last else 0
        learning = spectrograms.learning_chart(runs, epochs, at)
    show_chart(learning, "No run of a method with learned strides is finished yet.")


path = results_path()
try:
    every_run, speakers = read(path), read_speakers(path)
    picture_runs, picture_epochs = read_image_runs(path.with_name(PICTURES)), read_image_epochs(path.with_name(PICTURE_EPOCHS))
    spectrogram_runs = read_spectrogram_runs(path.with_name(SPECTROGRAMS))
    spectrogram_epochs = read_image_epochs(path.with_name(SPECTROGRAM_EPOCHS))
except (ResultsError, ValueError) as error:
    st.error(plain(str(error)), icon=":material/error:")
    st.stop()

st.header("Does an adaptive stride help?")
if not every_run:
    st.info(
        f"There are no results yet: {plain(str(path))} has no finished run. "
        "`python -m adastride grid results/grid.toml` writes it, one line for each run.",
        icon=":material/hourglass_empty:",
    )
    st.subheader("What the papers report")
    show_table(results_report.overview_table([]), "overview")
    st.stop()

kinds = [*results.kinds_of(every_run), *[OF_PICTURES] * bool(picture_runs), *[OF_SPECTROGRAMS] * bool(spectrogram_runs)]
if len(kinds) > 1:
    linked = st.query_params.get("kind")
    kind = st.segmented_control(
        "Kind of network", kinds, format_func=lambda kind: kind.capitalize().replace("-", " "),
        default=linked if linked in kinds else kinds[0], required=True, key="results_kind",
    )
    write_address({"kind": kind if kind != kinds[0] else None}, key="results_address")
    if kind in (OF_PICTURES, OF_SPECTROGRAMS):
        (show_pictures if kind == OF_PICTURES else show_spectrograms)()
        make_tables_reachable(tables, key="results_reachable")
        st.stop()
    every_run = [run for run in every_run if run.kind == kind]
widths = results.widths_of(every_run)
runs = every_run
if widths:
    if st.session_state.get("results_width") not in widths:  # of a first visit, or of another kind of network
        st.session_state["results_width"] = widths[0]
    width = st.selectbox("Width of the networks (channels)", widths, key="results_width", width=260)
    runs = [run for run in every_run if run.width == width]
tasks, papers = results.tasks_of(runs), results.papers_of(runs)

metric = results.headline_of(runs)

show_list(results_report.story(runs))
st.caption(plain(results_report.basis(runs)) + " " + plain(results_report.coverage(runs)[0]))

if papers.codes:
    st.subheader("Codes and how long they last")
    show_list(results_report.codes_sentences(runs))
    show_table(results_report.codes_table(runs), "codes")
    show_chart(durations_chart(runs), "Nobody has counted yet how long codes last: `python -m adastride grid results/codec.toml` does.")
    st.caption(papers.notes["durations"])
    try:
        heard = read_heard(path.with_name(HEARD))
    except ValueError as error:
        st.error(plain(str(error)), icon=":material/error:")
    else:
        if heard:
            st.markdown("**How much is understood of a codec’s sound**: error rates of recognisers that never heard one, with 95 % intervals over clips")
            show_table(understood_table(heard), "understood")
            show_list(understood_sentences(heard))
    st.markdown("**Phoneme error rates in the paper**, with another vocoder and other listeners, so compare the order")
    show_table(results_report.phonemes_table(runs), "phonemes")

st.subheader(metric.label)
show_chart(accuracy_chart(runs), "There is no run with the usual σ yet.")
rankings = [text for table in papers.accuracy if (text := results_report.ranking(runs, table))]
if rankings:
    st.markdown("**Our order and the paper’s**")
    show_list(rankings)
st.markdown(f"**Against {results.in_words(results.question_of(runs)[1])}**")
task = st.segmented_control("Task", tasks, format_func=plain, default=tasks[0], required=True, key="results_task")
show_table(results_report.comparison_table(runs, task), f"comparison-{task}")
st.caption(plain(results_report.comparison_sentence(runs, task)))
if papers.recognition:
    st.markdown("**Our error rates and the paper’s**: neither the same data nor as much of it, so compare the order")
    show_table(results_report.recognition_table(runs, speakers), "recognition")
    st.caption(plain(results_report.recognition_sentence(runs)))
else:
    if papers.accuracy:
        st.markdown("**Our accuracies and the papers’**: never the same data, so compare the order, not the numbers")
    show_table(results_report.overview_table(runs), "overview")

if little_data := results_report.little_data(runs):
    st.subheader("Does AdaStride help with little data?")
    show_list(little_data)

try:
    by_stride = by_stride_chart(read_strides(path.with_name(STRIDES.name)), runs[0].kind)
except ResultsError as error:
    st.error(plain(str(error)), icon=":material/error:")
else:
    if by_stride.panels:
        st.subheader("How few frames are enough?")
        show_chart(by_stride, "")

st.subheader("More")
section = st.segmented_control("Show", list(SECTIONS), format_func=SECTIONS.get, default="sigma", required=True, key="results_section")
if section == "sigma":
    show_chart(sigma_chart(runs), "No task has AdaStride with two different σ yet.")
    show_list([*(results_report.sigma_ranking(runs, table) for table in papers.sigma), results_report.sigma_learned(runs)])
    show_table(results_report.sigma_table(runs), "sigma")
elif section == "pooled":
    adaptive = [method for method in results.methods_of(runs) if any(results.pooled(runs, task, method) for task in tasks)]
    first = adaptive.index("adastride-s") if "adastride-s" in adaptive else 0
    if adaptive:
        method = st.selectbox("Method", adaptive, index=first, format_func=results.label, key="results_pooled", width=260)
        show_chart(pooled_chart(runs, method), "")
    else:
        st.info("No run of an adaptive method is finished yet.", icon=":material/hourglass_empty:")
    st.caption(papers.notes["pooled"])
    show_table(results_report.pooled_table(runs), "pooled")
elif section == "shift":
    methods = results.methods_of(run for run in runs if run.shifts and run.usual_sigma)
    first = [method for method in USUAL_LINES if method in methods] or methods[:MOST_LINES]
    lines = st.multiselect("Methods", methods, first, format_func=results.label, max_selections=MOST_LINES, key="results_shift")
    show_chart(shift_chart(runs, lines), "Choose at least one method that has been tested with shifted input.")
    show_list([results_report.shift_rank(runs, task) for task in tasks])
    st.caption(papers.notes["shift"])
    show_table(results_report.shift_table(runs), "shift")
elif section == "cost":
    machine = st.selectbox("Runs on", results.machines(runs), key="results_machine", width=360)
    show_chart(cost_chart(runs, machine), f"There is no run of {results.in_words(results.question_of(runs)[1])} and of another method on one task here yet.")
    show_table(results_report.cost_table(runs, machine), "cost")
elif section == "strides":
    show_chart(stride_chart(runs), "No run of a method with learned strides or a learned σ is finished yet.")
    show_table(results_report.stride_table(runs), "strides")
else:
    show_list(results_report.coverage(runs))
    st.caption(f"Number of finished runs, with the usual σ⁻² of {usual_sigma_inv2(runs[0].kind):g} where a method has one.")
    show_table(results_report.coverage_table(runs), "coverage")

make_tables_reachable(tables, key="results_reachable")
