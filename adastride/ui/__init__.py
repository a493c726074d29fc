"""The parts of pages: a folder for the viewer and the links of each page, and beside them what all pages share.

In this package alone Streamlit is used, beside `pages` and app.py. `main` is what every session runs; it shows one of the pages. A
page takes its sound from `source`, its network from `checkpoint_picker`, and what is worked out only once from `resources`. Nothing
is imported here, because a component registers itself with Streamlit when it is imported.
"""
