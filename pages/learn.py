"""Learn the method in eleven steps, each with a picture that follows the hand.

Demonstrates: a lesson as data, one component for all of its pictures, links to a step, keyboard shortcuts, presenting.
"""

import streamlit as st

from adastride.lesson import NUMBER, STEPS
from adastride.ui import shell
from adastride.ui.learn.link import parse
from adastride.ui.learn.viewer import IN_PLAY, learn_viewer, term_in_play

VIEWER = "learn_viewer"

if "learn" not in st.session_state:  # a link counts once, when the session opens
    link = parse(st.query_params)
    st.session_state["learn"] = {"step": link.step, "settings": {STEPS[link.step - 1].key: link.settings}}
    for problem in link.problems:
        st.toast(problem, icon=":material/link_off:", duration="long")
remembered = st.session_state["learn"]  # another page forgets this page's widgets
presenter = shell.presenting()


def go(by: int) -> None:
    remembered["step"] = min(max(remembered["step"] + by, 1), len(STEPS))


def turn_to(number: int) -> None:
    remembered["step"] = number


st.html("<style>.st-key-learn_steps button { min-width: min(2.1rem, 8.2vw); padding-inline: 0.2rem; }</style>")  # wide enough for a finger
with st.container(horizontal=True, vertical_alignment="center"):
    st.button("Back", on_click=go, args=(-1,), key="learn_back", shortcut="Left", disabled=remembered["step"] == 1)
    st.button("Next", on_click=go, args=(1,), key="learn_next", shortcut="Right", disabled=remembered["step"] == len(STEPS), type="primary")
    # Buttons, because a press is an event. Of a choice the browser sends the state with every request, and one that left
    # just before the page was turned would turn it back.
    with st.container(horizontal=True, gap=None, width="content", key="learn_steps"):
        for number, lesson_step in enumerate(STEPS, 1):
            kind = "primary" if number == remembered["step"] else "tertiary"
            st.button(str(number), on_click=turn_to, args=(number,), key=f"learn_step_{number}", type=kind, help=lesson_step.title)
step = STEPS[remembered["step"] - 1]


def show_words() -> None:
    """Title, formula with the term in play, question; while presenting, larger and without the prose, which is then spoken."""
    term = term_in_play(step, VIEWER)
    colour = IN_PLAY["dark" if st.context.theme.type == "dark" else "light"]
    (st.header if presenter else st.subheader)(f"{NUMBER[step.key]} · {step.title}", anchor=False)
    if not presenter:
        st.markdown(step.prose)
    st.latex(step.latex(term, colour))
    (st.markdown if presenter else st.caption)(step.terms[term].meaning)
    with st.expander(f"**Question.** {step.question}", key=f"learn_question_{step.key}"):
        st.markdown(step.answer)


@shell.live(lambda: (remembered["step"], shell.presenting()))
def live() -> None:
    words, picture = st.columns([5, 9] if presenter else [5, 8], gap="medium")
    with words:
        show_words()
    with picture:
        learn_viewer(step, remembered["settings"], presenter, key=VIEWER)


live()
