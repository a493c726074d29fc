"""AdaStride Explorer: `streamlit run app.py` serves the pages, and beside them the connection that viewers ask on during a drag."""

import streamlit as st

from adastride.ui import live

app = st.App(live.MAIN_SCRIPT, routes=live.routes(), lifespan=live.ready)
