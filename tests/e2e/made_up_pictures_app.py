"""The app with made-up networks of pictures, those in the folder that FOLDER_VARIABLE names, in place of the shipped ones."""

import streamlit as st

from adastride.ui import live
from adastride.ui.errors import show_error

app = st.App("made_up_pictures_main.py", routes=live.routes(), lifespan=live.ready, on_script_error=show_error)
