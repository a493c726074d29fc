"""What every session runs first: page configuration and navigation. app.py serves it."""

import streamlit as st

from adastride.files import bundled
from adastride.ui import resources, shell

st.set_page_config(page_title="AdaStride Explorer", page_icon=resources.ICON, layout="wide")
resources.prepare()
shell.dress()
with st.sidebar:
    st.markdown("### AdaStride Explorer")
    st.caption("Where does a neural network spend its time steps? Few input frames to an output frame where something happens, many in silence.")
pages = bundled("pages")
st.navigation([
    st.Page(pages / "explore.py", title="Explore", icon=":material/graphic_eq:", default=True),
    st.Page(pages / "compare.py", title="Compare", icon=":material/view_column:"),
    st.Page(pages / "sigma.py", title="Sigma", icon=":material/tune:"),
    st.Page(pages / "results.py", title="Results", icon=":material/leaderboard:"),
    st.Page(pages / "learn.py", title="Learn", icon=":material/school:"),
]).run()
