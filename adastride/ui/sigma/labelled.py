"""Choosing labelled clips: the test split of a data set that is at hand, or an uploaded zip."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import streamlit as st

from adastride.clips import Clip, DataError
from adastride.formats import FORMATS
from adastride.models.network import Network
from adastride.training.archive import MAX_BYTES, MAX_SOUNDS, MAX_UNPACKED_BYTES, read_zip
from adastride.training.datasets import Source, default_data_root, load_split

_UPLOAD = "upload"


@dataclass(frozen=True)
class LabelledClips:
    """Clips and their labels. sha256: of the manifest or the zip they come from."""

    sha256: str
    clips: list[Clip]


def pick_labelled(key: str, network: Network) -> LabelledClips | None:
    """Draws the picker and returns the clips, at the network's sample rate; None before there are any.

    key: distinguishes the pickers of different pages. Raises DataError, one sentence, for clips that can't be used.
    """
    rate, here = network.config.mel.sample_rate, _test_sets(network)
    source = st.selectbox(
        "Clips", [*here, _UPLOAD], format_func=lambda name: "Upload a zip" if name == _UPLOAD else f"Test split of {name}", key=f"{key}_source", width=360,
    )
    if source != _UPLOAD:
        folder, sha256 = here[source]
        return LabelledClips(sha256, _test_clips(folder, sha256, rate))
    file = st.file_uploader(
        "Zip with a folder for each class, or with a manifest.csv (path, label)", type="zip", key=f"{key}_upload", max_upload_size=MAX_BYTES // 1_000_000,
        help=f"Up to {MAX_BYTES / 1e6:.0f} MB, {MAX_SOUNDS:,} sounds ({FORMATS}), "
        f"{MAX_UNPACKED_BYTES / 1e6:.0f} MB unpacked. Nothing is stored.",
    )
    return None if file is None else _unpacked(file, f"{key}_zip", rate)


def _test_sets(network: Network) -> dict[str, tuple[str, str]]:
    """Folder, and SHA-256 of its manifest, of the data sets here whose labels the network knows, by their names."""
    known = set(network.config.labels)
    found = {path.parent.name: (str(path.parent), hashlib.sha256(path.read_bytes()).hexdigest()) for path in sorted(default_data_root().glob("*/manifest.csv"))}
    return {name: each for name, each in found.items() if (labels := _test_labels(*each)) and labels <= known}


@st.cache_data(max_entries=64, show_spinner=False)
def _test_labels(folder: str, sha256: str) -> frozenset[str]:
    """The labels in the test split of a data set; none for one that can't be read. sha256: of its manifest, so that another is read again."""
    try:
        return frozenset(row.label for row in Source(folder).rows() if row.split == "test")
    except DataError:
        return frozenset()


@st.cache_resource(max_entries=2, show_spinner="Reading the clips …")
def _test_clips(folder: str, sha256: str, sample_rate: int) -> list[Clip]:
    """The test split of a data set, decoded. sha256: of its manifest, so that another is read again."""
    return load_split(folder, "test", sample_rate)


def _unpacked(file, key: str, rate: int) -> LabelledClips:
    """The clips of an uploaded zip, decoded once."""
    data = file.getvalue()
    sha256 = hashlib.sha256(data).hexdigest()
    kept = st.session_state.get(key)
    if kept is None or kept[0] != (sha256, rate):
        bar = st.progress(0.0, "Decoding the clips …")
        try:
            kept = ((sha256, rate), read_zip(data, file.name, rate, lambda share: bar.progress(share, "Decoding the clips …")), None)
        except DataError as error:
            kept = ((sha256, rate), [], str(error))
        bar.empty()
        st.session_state[key] = kept
    if kept[2]:
        raise DataError(kept[2])
    return LabelledClips(sha256, kept[1])
