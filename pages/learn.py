"""Learn the method in ten steps, each with a picture that follows the hand.

Demonstrates: a lesson as data, one component for all of its pictures, links to a step, keyboard shortcuts, presenting.
"""

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from adastride.learn import STEPS
from adastride.ui import shell
from adastride.ui.learn_viewer import PRESENTER_STYLE, learn_viewer, parse, term_in_play

VIEWER = "learn_viewer"
IN_PLAY = {"light": "#B86B00", "dark": "#E69F00"}  # the second layer's colour: it stands out of text in both themes

shell.enter()

if "learn" not in st.session_state:  # a link counts once, when the session opens
    link = parse(st.query_params)
    st.session_state["learn"] = {"step": link.step, "presenter": link.presenter, "settings": {STEPS[link.step - 1].key: link.settings}}
    for problem in link.problems:
        st.toast(problem, icon=":material/link_off:", duration="long")
kept = st.session_state["learn"]  # another page forgets this page's widgets
st.session_state.setdefault("learn_presenter", kept["presenter"])
st.session_state["learn_step"] = kept["step"]


def go(by: int) -> None:
    kept["step"] = min(max(kept["step"] + by, 1), len(STEPS))


def choose() -> None:
    """Goes to the step a person chose. A fragment's request also carries the step, as the browser knew it when it asked:
    one that left just before the page was turned would turn it back."""
    if not get_script_run_ctx().fragment_ids_this_run:
        kept["step"] = st.session_state["learn_step"]


with st.container(horizontal=True, vertical_alignment="center"):
    st.button("Back", on_click=go, args=(-1,), key="learn_back", shortcut="Left", disabled=kept["step"] == 1)
    st.button("Next", on_click=go, args=(1,), key="learn_next", shortcut="Right", disabled=kept["step"] == len(STEPS), type="primary")
    st.segmented_control(
        "Step", range(1, len(STEPS) + 1), key="learn_step", on_change=choose, required=True, label_visibility="collapsed", wrap=True
    )
    presenter = st.toggle("Presenter", key="learn_presenter", help="Larger type, more contrast, and the picture and its controls alone.")
kept["presenter"] = presenter
if presenter:
    st.set_page_config(initial_sidebar_state="collapsed")
    st.html(PRESENTER_STYLE)
step = STEPS[kept["step"] - 1]


def show_words() -> None:
    """Title, formula with the term in play, question; while presenting, larger and without the prose, which is then spoken."""
    term = term_in_play(step, VIEWER)
    colour = IN_PLAY["dark" if st.context.theme.type == "dark" else "light"]
    (st.header if presenter else st.subheader)(f"{kept['step']} · {step.title}", anchor=False)
    if not presenter:
        st.markdown(step.prose)
    st.latex(step.latex(term, colour))
    (st.markdown if presenter else st.caption)(step.terms[term].meaning)
    with st.expander(f"**Question.** {step.question}", key=f"learn_question_{step.key}"):
        st.markdown(step.answer)


@st.fragment
def live() -> None:
    words, picture = st.columns([5, 9] if presenter else [5, 8], gap="medium")
    with words:
        show_words()
    with picture:
        learn_viewer(step, kept["settings"], presenter, key=VIEWER)


live()
