"""What pages are made of: a folder for the viewer and the links of each page, and beside them what all pages share. Only here is Streamlit used.

A page takes its sound from `source`, its network from `checkpoint_picker`, whatever is worked out once from `resources`, and begins with
`shell.enter`. Nothing is imported before it is asked for, because a component registers itself with Streamlit where it is imported.
"""
