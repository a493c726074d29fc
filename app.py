"""AdaStride Explorer: `streamlit run app.py` serves the pages, and beside them the connection that viewers ask on during a drag."""

import streamlit as st

from adastride.ui import live
from adastride.ui.errors import show_error

app = st.App(live.MAIN_SCRIPT, routes=live.routes(), lifespan=live.ready, on_script_error=show_error)
