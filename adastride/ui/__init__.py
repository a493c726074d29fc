"""What pages are made of: a folder for the viewer and the links of each page, and beside them what all pages share. Only here is Streamlit used.

`main` is what every session runs; it shows one of the pages. A page takes its sound from `source`, its network from
`checkpoint_picker`, and whatever is worked out once from `resources`. Nothing is imported before it is asked for, because a
component registers itself with Streamlit where it is imported.
"""
