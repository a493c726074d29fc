"""Length: how right networks are about shorter and longer clips, and how clips of many lengths are put together.

Demonstrates: charts with bands, sentences worked out from runs, a picture to play with whose choices are in the link.
"""

from collections import Counter

import streamlit as st

from adastride.clip_seconds import FILE as CLIPS
from adastride.clip_seconds import MOST_CLIPS as MOST_LISTED
from adastride.clip_seconds import read_seconds
from adastride.files import bundled
from adastride.inspection import figures
from adastride.inspection.charts import Chart, export_figure, plotly_panel
from adastride.length import packs, pictures, report, token_use
from adastride.length.curves import by_length_shown, curves_of, subjects_of, unknown_runs
from adastride.length.figures import budget_chart, length_chart, use_chart
from adastride.length_points import FILE as LENGTHS
from adastride.length_points import read_points
from adastride.results import report as results_report
from adastride.results.reading import ResultsError, read, results_path
from adastride.subjects import title_of
from adastride.ui.address import write_address
from adastride.ui.length import link as length_link
from adastride.ui.reachable import make_tables_reachable
from adastride.ui.text import bullets, plain, unbroken_cells

SOURCES = {"speakers": "Read sentences (speakers)", "fsdd": "Spoken digits (fsdd)", "esc10": "Environmental sounds (esc10)",
           "commands": "Spoken commands (commands)"}
DRAWN, TYPED = "drawn", "typed"
HOW = {DRAWN: "Drawn from a data set", TYPED: "Typed"}
USUAL_CLIPS, USUAL_TYPED = 16, "1.5, 3, 12, 0.5, 8, 20, 2"

dark = st.context.theme.type == "dark"
tables: list[str] = []  # what those of this run hold


def remembered(key: str, default):
    """Has a widget show its last value, although a page forgets the widgets of another. Returns the key of the widget.

    One that somebody has emptied shows what is usual.
    """
    memory = st.session_state["length_memory"]
    if st.session_state.get(key) is None:
        st.session_state[key] = default if key in st.session_state else memory.get(key, default)
    memory[key] = st.session_state[key]
    return key


@st.cache_data(max_entries=64, show_spinner=False)
def used(source: str, fixed: float, _seconds: list[float]) -> dict[str, token_use.TokenUse]:
    """What each way of making batches does with the clips of a data set, whose lengths are the same as long as the server runs."""
    return token_use.token_use(_seconds, fixed)


def show_panels(chart: Chart, columns) -> None:
    for place, (column, panel) in enumerate(zip(columns, chart.panels, strict=False)):
        column.plotly_chart(
            plotly_panel(panel, dark), theme=None, key=f"length-{chart.name}-{place}", config={"displayModeBar": False},
            alt=f"{chart.title}: {panel.title}",
        )


def show_files(name: str, figure) -> None:
    """Buttons for a figure as files. figure: makes it."""
    with st.container(horizontal=True):
        for kind, mime in (("png", "image/png"), ("svg", "image/svg+xml")):
            st.download_button(
                f"{kind.upper()} figure", lambda kind=kind: figures.render(figure(), kind), f"adastride-length-{name}.{kind}", mime,
                key=f"length-{name}-{kind}", on_click="ignore",
            )


def show_table(rows: list[dict[str, str]], name: str) -> None:
    tables.append(name)
    st.table(unbroken_cells(rows), border="horizontal", hide_index=True)
    st.download_button(
        "CSV table", results_report.to_csv(rows), f"adastride-length-{name}.csv", "text/csv", key=f"length-{name}-csv", on_click="ignore"
    )


def show_problem(error: Exception) -> None:
    st.error(plain(str(error)), icon=":material/error:")


path = results_path()
points, runs, broken = [], [], None
try:
    points = read_points(path.with_name(LENGTHS))
    runs = read(path) if points else []
except (ResultsError, ValueError) as error:
    broken = error
clip_lines, unreadable = [], None
try:
    clip_lines = read_seconds(bundled("results") / CLIPS)
except ValueError as error:
    unreadable = error
seconds_of, listed = packs.sources_of(clip_lines), Counter(line.source for line in clip_lines)
subjects = subjects_of(points, runs)

if "length_memory" not in st.session_state:  # a link counts once, when the session opens
    link = length_link.parse(st.query_params, subjects, seconds_of)
    asked = {
        "length_task": link.task, "length_data": link.data, "length_clips": link.clips, "length_row": link.row, "length_seed": link.seed,
        "length_seconds": link.seconds, "length_how": None if link.seconds is None else TYPED,
    }
    if link.fixed and seconds_of:
        asked[f"length_fixed_{link.data or next(iter(seconds_of))}"] = link.fixed
    st.session_state["length_memory"] = {key: value for key, value in asked.items() if value is not None}
    for problem in link.problems:
        st.toast(problem, icon=":material/link_off:", duration="long")
address = dict.fromkeys(("task", "data", "fixed", "clips", "row", "seed", "seconds"))


def lengths_and_tokens() -> None:
    """What networks do with shorter and longer clips, and with fewer tokens."""
    if broken is not None:
        show_problem(broken)
        return
    if not subjects:
        st.info(
            "Nobody has measured yet how right networks are at other lengths: `python -m adastride grid results/elastic.toml` trains them, "
            f"and writes {plain(LENGTHS)} beside the results.", icon=":material/hourglass_empty:",
        )
        return
    task = subjects[0]
    if len(subjects) > 1:
        if st.session_state.get("length_task") not in subjects:
            st.session_state.pop("length_task", None)
        task = st.segmented_control(
            "Task", subjects, format_func=lambda name: plain(title_of(name)), required=True, key=remembered("length_task", subjects[0]),
        )
        address["task"] = task
    curves = curves_of(points, runs, task)
    shown = by_length_shown(curves)
    chart = length_chart(shown)
    show_panels(chart, st.columns(2, gap="medium") if len(chart.panels) > 1 else [st])
    st.markdown(bullets([*report.length_sentences(shown), *report.resolution_sentences(shown)]))
    st.caption(plain(chart.facts))
    if unknown := unknown_runs(points, runs):
        st.caption(plain(f"Left out, because the results have no line of them: {', '.join(unknown)}."))
    show_files("length", lambda: export_figure(chart))
    with st.expander("The accuracies as a table", icon=":material/table:"):
        show_table(report.accuracy_table(curves), "accuracies")

    budget = budget_chart(curves)
    if budget.panels:
        st.subheader("Where should few tokens go?")
        picture, text = st.columns([3, 2], gap="medium")
        show_panels(budget, [picture])
        with text:
            st.markdown(bullets(report.budget_sentences(curves)))
            st.caption(plain(budget.facts))
            show_files("tokens", lambda: export_figure(budget))


def padding() -> str:
    """What padding and cutting cost for a data set that is chosen, beside the paper's table. Returns its name."""
    if st.session_state.get("length_data") not in seconds_of:
        st.session_state.pop("length_data", None)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        source = st.selectbox(
            "Lengths of", list(seconds_of), format_func=lambda name: SOURCES.get(name, name),
            key=remembered("length_data", next(iter(seconds_of))), width=320,
        )
        seconds = seconds_of[source]
        usual = token_use.usual_length(seconds)
        fixed = st.number_input(
            "Fixed length (s)", *length_link.FIXED, None, step=0.5, format="%g", key=remembered(f"length_fixed_{source}", usual), width=170,
            help="What clips are cropped and padded to where all have to be equally long.",
        )
    address["data"] = source
    address["fixed"] = None if fixed == usual else f"{fixed:g}"
    uses = used(source, fixed, seconds)
    chart = use_chart(uses, SOURCES.get(source, source))
    picture, table = st.columns([2, 3], gap="medium")
    show_panels(chart, [picture])
    with table:
        st.markdown(token_use.use_sentence(uses))
        st.markdown("**Padding, and what is cut, in % of all tokens**: ours, and the paper’s table 1")
        show_table(token_use.use_table(uses), "padding")
    drawn = f", of {MOST_LISTED:,} clips drawn from the data set at random" if listed[source] == MOST_LISTED else ""
    st.caption(
        f"{len(seconds):,} training clips{drawn}, {min(seconds):.1f} to {max(seconds):.1f} s, in three random orders; rows of "
        f"{packs.ROW_TOKENS:,} tokens, padded to the longest of their batch. 8 tokens are 0.16 s of sound."
    )
    show_files("padding", lambda: export_figure(chart))
    return source


@st.fragment
def packing(source: str | None, address: dict[str, str | None]) -> None:
    """A batch that is packed, to play with, and the page's address. source: the data set to draw from, None for none.

    It runs by itself while somebody plays: the charts above it stay.
    """
    write_address({**address, **pack_chosen(source)}, key="length_address")


def pack_chosen(source: str | None) -> dict[str, str]:
    """Shows the widgets and the pictures of a batch. Returns what a link has to say of it."""
    how = st.segmented_control(
        "Clips", HOW if source else [TYPED], format_func=HOW.get, required=True, key=remembered("length_how", DRAWN if source else TYPED),
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if how == DRAWN:
            count = st.number_input("Number of clips", 1, packs.MOST_CLIPS, None, key=remembered("length_clips", USUAL_CLIPS), width=170)
            seed = st.number_input("Seed", 0, length_link.MOST_SEED, None, key=remembered("length_seed", 0), width=170)
            seconds = packs.draw(seconds_of[source], count, seed)
            chosen = {"clips": f"{count}", "seed": f"{seed}"}
        else:
            chosen = {}
            text = st.text_input("Seconds of the clips", key=remembered("length_seconds", USUAL_TYPED), width=360)
        row_key = remembered("length_row", packs.ROW_TOKENS)
        limit = st.selectbox("Tokens of a row", packs.ROW_SIZES, format_func=lambda size: f"{size:,}", key=row_key, width=170)
    chosen["row"] = f"{limit}"
    if how == TYPED:
        if len(text) <= length_link.MOST_LETTERS:  # what is no list of seconds is in the link, too: it is what somebody was typing
            chosen["seconds"] = text
        try:
            seconds = packs.typed_seconds(text)
        except packs.PackError as error:
            show_problem(error)
            return chosen
    packed = [packs.pack(seconds, limit, best_fit) for best_fit in packs.METHODS]
    caption = pictures.sentence(*packed)
    st.markdown(caption)
    colours = pictures.colours_of(packed)
    if packed[0].limit > limit:
        st.caption(f"A row has {packed[0].limit:,} tokens here, because the longest clip has so many: no clip is cut.")
    for column, one in zip(st.columns(2, gap="medium"), packed, strict=True):
        column.plotly_chart(
            pictures.plotly_rows(one, colours, max(each.rows for each in packed), dark), theme=None, key=f"length-rows-{one.best_fit}",
            config={"displayModeBar": False}, alt=f"Clips in rows, with the attention mask of each row. {pictures.title(one)}",
        )
    st.caption(
        f"{pictures.colour_sentence(packed, colours)} Hatched: padding up to the longest row. Beside each row its attention mask: tokens of "
        "a clip see each other, and nothing else. First come: a clip that does not fit opens the next row, as published. Best fit: the "
        "longest come first, each into the row where it leaves the least room."
    )
    show_files("rows", lambda: pictures.export_rows(packed, caption))
    return chosen


# A section that gets more or fewer elements leaves those below it where they are: otherwise a widget is there twice for a moment.
st.header("Do networks work at any length?")
with st.container():
    lengths_and_tokens()
st.subheader("How much of a batch is padding?")
with st.container():
    if unreadable is not None:
        show_problem(unreadable)
    elif not seconds_of:
        st.info("Nobody has listed yet how long clips are: `python -m results.clip_seconds DATA_ROOT` does.", icon=":material/hourglass_empty:")
    data_set = padding() if seconds_of else None
st.subheader("Pack a batch")
with st.container():
    packing(data_set, address)
make_tables_reachable(tables, key="length_reachable")
