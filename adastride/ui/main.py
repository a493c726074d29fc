"""What every session runs first: page configuration and navigation. app.py serves it."""

import streamlit as st

from adastride.files import bundled
from adastride.ui import resources, shell

WHAT_TO_DO = {
    "Explore": "Drag a slider and watch where a trained network spends its time steps.",
    "Compare": "Put two to four ways of downsampling side by side on one sound.",
    "Sigma": "Sweep σ or the stride over a range and read off what it does to the answer.",
    "Length": "Give networks shorter and longer clips, and see how clips of any length are packed.",
    "Images": "See how a network shrinks a picture, or a second of sound, along two axes, and drag either stride.",
    "Results": "Look up how accurate each method is, in our runs and in the papers.",
    "Learn": "Take the method apart in eleven steps, each with a picture that follows your hand.",
}

st.set_page_config(page_title="AdaStride Explorer", page_icon=resources.ICON, layout="wide")
resources.prepare()
shell.dress()
with st.sidebar:
    st.markdown("### AdaStride Explorer")
    st.caption("Where does a neural network spend its time steps? Few input frames to an output frame where something happens, many in silence.")
pages = bundled("pages")
page = st.navigation([
    st.Page(pages / "explore.py", title="Explore", icon=":material/graphic_eq:", default=True),
    st.Page(pages / "compare.py", title="Compare", icon=":material/view_column:"),
    st.Page(pages / "sigma.py", title="Sigma", icon=":material/tune:"),
    st.Page(pages / "length.py", title="Length", icon=":material/straighten:"),
    st.Page(pages / "images.py", title="Images", icon=":material/image:"),
    st.Page(pages / "results.py", title="Results", icon=":material/leaderboard:"),
    st.Page(pages / "learn.py", title="Learn", icon=":material/school:"),
])
shell.head(page.title, WHAT_TO_DO[page.title])
page.run()
