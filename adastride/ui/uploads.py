"""Files that somebody gives a page: decoded once from memory, and kept as long as the session."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, TypeVar

import streamlit as st

from adastride.checkpoints import MAX_OWN_BYTES, CheckpointError
from adastride.ui.resources import OwnCheckpoint
from adastride.ui.text import plain

Made = TypeVar("Made")


def decoded_once(key: str, file: Any, title: str, decode: Callable[[bytes, str], Made], refusal: type[Exception]) -> Made | None:
    """What `decode` makes of a file's bytes and their SHA-256 in hexadecimal, once for each content and title.

    key: of the session, where it is kept. refusal: what `decode` raises for a file that can't be used; the page then says why, and the
    result is None. Without a file it is that of the last one.
    """
    if file is None:  # nothing was given yet, or Streamlit forgot it while another kind of source was shown
        return st.session_state[key][1] if key in st.session_state else None
    data = file.getvalue()
    content = hashlib.sha256(data).hexdigest()
    decoded = st.session_state.get(key)
    if decoded is None or decoded[0] != (content, title):
        try:
            decoded = ((content, title), decode(data, content), None)
        except refusal as error:
            decoded = ((content, title), None, str(error))
        st.session_state[key] = decoded
    if decoded[2]:
        st.error(plain(decoded[2]), icon=":material/error:")
    return decoded[1]


def load_checkpoints(key: str, seen: dict[str, str | None], load: Callable[[OwnCheckpoint], object], command: str) -> list[OwnCheckpoint]:
    """Draws an uploader of several checkpoints and returns those that were loaded in this run; for a bad one the page says why.

    key: of the uploader. seen: what the session knows of files by Streamlit's name for them, the reason why one is bad. load: tries one, and
    raises CheckpointError. command: what writes such files.
    """
    files = st.file_uploader(
        "Checkpoint files of your own", type="safetensors", key=key, accept_multiple_files=True, max_upload_size=MAX_OWN_BYTES // 1_000_000,
        help=f"Files of `{command}`, up to {MAX_OWN_BYTES / 1e6:.0f} MB each. They stay in this session.",
    )
    loaded = []
    for file in files:
        if file.file_id not in seen:
            seen[file.file_id] = None
            try:
                with st.spinner("Loading the network …"):
                    own = OwnCheckpoint.of(file.getvalue(), file.name)
                    load(own)
                loaded.append(own)
            except CheckpointError as error:
                seen[file.file_id] = str(error)
        if reason := seen[file.file_id]:
            st.error(plain(reason), icon=":material/error:")
    return loaded
