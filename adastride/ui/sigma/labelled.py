"""The picker of labelled clips: the test split of a data set on the server's disk, those that come with the app, or an uploaded zip."""

from __future__ import annotations

import dataclasses
import hashlib
import weakref
from dataclasses import dataclass

import numpy as np
import streamlit as st

from adastride.clips import Clip, DataError
from adastride.formats import FORMATS
from adastride.models.network import Network
from adastride.samples import SPOKEN_DIGITS
from adastride.sweep.readings import reads_texts
from adastride.tasks import task_of
from adastride.training.archive import MAX_BYTES, MAX_SOUNDS, MAX_UNPACKED_BYTES, read_zip
from adastride.training.datasets import Source, default_data_root, load_split
from adastride.ui import queue

_UPLOAD, _BUNDLED = "upload", "bundled"
_DIGITS = frozenset((digit, digit) for digit in "0123456789")
Answers = frozenset[tuple[str, str]]  # the different pairs of label and text of some clips


@dataclass(frozen=True)
class LabelledClips:
    """Some labelled clips. sha256: of the manifest or the zip that they come from."""

    sha256: str
    clips: list[Clip]


def pick_labelled(key: str, network: Network) -> LabelledClips | None:
    """Draws the picker and returns the clips at the network's sample rate; None before somebody has uploaded a file.

    key: tells the pickers of different pages apart. Raises DataError, one sentence, for clips that can't be used.
    """
    rate, test_sets = network.config.mel.sample_rate, _test_sets(network)
    names = {name: f"Test split of {name}" for name in test_sets}
    if _answers_all(network, _DIGITS):
        names[_BUNDLED] = "Spoken digits that come with the app"
    names[_UPLOAD] = "Upload a zip"
    source = st.selectbox("Clips", list(names), format_func=names.get, key=f"{key}_source", width=360)
    if source != _UPLOAD:
        with st.container():  # for the lines that come and go, so that what comes after them keeps its place
            if source == _BUNDLED:
                return queue.known_or_in_a_turn(_in_memory, (_BUNDLED, rate), lambda: _bundled(rate))
            folder, sha256 = test_sets[source]
            return queue.known_or_in_a_turn(_in_memory, (folder, sha256, rate), lambda: _test_clips(folder, sha256, rate))
    file = st.file_uploader(
        f"Zip with {_wanted(network)}", type="zip", key=f"{key}_upload", max_upload_size=MAX_BYTES // 1_000_000,
        help=f"Up to {MAX_BYTES / 1e6:.0f} MB, {MAX_SOUNDS:,} sounds ({FORMATS}), "
        f"{MAX_UNPACKED_BYTES / 1e6:.0f} MB unpacked. Nothing is stored.",
    )
    with st.container():
        return None if file is None else _unpacked(file, f"{key}_zip", rate)


_in_memory: weakref.WeakValueDictionary[tuple[object, ...], LabelledClips] = weakref.WeakValueDictionary()


@st.cache_resource(max_entries=2, show_spinner="Reading the clips …")
def _bundled(sample_rate: int) -> LabelledClips:
    """The decoded clips that come with the app: every digit in eight synthetic voices that no network was trained on.

    A label is what is said, so it is the text as well.
    """
    data = SPOKEN_DIGITS.read_bytes()
    clips = [dataclasses.replace(clip, text=clip.label) for clip in read_zip(data, SPOKEN_DIGITS.name, sample_rate)]
    return LabelledClips(hashlib.sha256(data).hexdigest(), clips)


def _test_sets(network: Network) -> dict[str, tuple[str, str]]:
    """The data sets on the disk that the network can answer: for each name its folder and the SHA-256 of its manifest."""
    manifests = sorted(default_data_root().glob("*/manifest.csv"))
    data_sets = {path.parent.name: (str(path.parent), hashlib.sha256(path.read_bytes()).hexdigest()) for path in manifests}
    return {name: location for name, location in data_sets.items() if _fits(network, network.fingerprint, *location)}


@st.cache_data(max_entries=256, show_spinner=False)
def _fits(_network: Network, fingerprint: str, folder: str, sha256: str) -> bool:
    """Whether the network can answer the test split of a data set; it can't where there is none, or none that can be read.

    fingerprint, sha256: of the network and of the manifest, so that the cache does not answer for others.
    """
    answers = _test_answers(folder, sha256)
    return bool(answers) and _answers_all(_network, answers)


def _wanted(network: Network) -> str:
    """What a zip must hold for the network's answers to be measured."""
    if _answers_all(network, frozenset({("", "")})):
        return "folders of sounds, or with a manifest.csv (path)"
    return "a manifest.csv (path, text)" if reads_texts(network) else "a folder for each class, or with a manifest.csv (path, label)"


def _answers_all(network: Network, answers: Answers) -> bool:
    """Whether a network can give all of these answers."""
    try:
        task_of(network).targets(network, [Clip(np.zeros(0, np.float32), label, "", text=text) for label, text in sorted(answers)])
    except ValueError:  # a DataError, or a label that is no number
        return False
    return True


@st.cache_data(max_entries=64, show_spinner=False)
def _test_answers(folder: str, sha256: str) -> Answers:
    """The labels and texts in the test split of a data set; none for one that can't be read.

    sha256: of its manifest, so that the cache does not answer for a manifest that has changed.
    """
    try:
        return frozenset((row.label, row.text) for row in Source(folder).rows() if row.split == "test")
    except DataError:
        return frozenset()


@st.cache_resource(max_entries=2, show_spinner="Reading the clips …")
def _test_clips(folder: str, sha256: str, sample_rate: int) -> LabelledClips:
    """The decoded test split of a data set. sha256: of its manifest, so that the cache does not answer for one that has changed."""
    return LabelledClips(sha256, load_split(folder, "test", sample_rate))


def _unpacked(file, key: str, rate: int) -> LabelledClips:
    """The clips of an uploaded zip, decoded once."""
    data = file.getvalue()
    sha256 = hashlib.sha256(data).hexdigest()
    decoded = st.session_state.get(key)
    if decoded is None or decoded[0] != (sha256, rate):
        with queue.page_turn():
            bar = st.progress(0.0, "Decoding the clips …")
            try:
                clips = read_zip(data, file.name, rate, lambda share: bar.progress(share, "Decoding the clips …"))
                decoded = ((sha256, rate), clips, None)
            except DataError as error:
                decoded = ((sha256, rate), [], str(error))
            bar.empty()
        st.session_state[key] = decoded
    if decoded[2]:
        raise DataError(decoded[2])
    return LabelledClips(sha256, decoded[1])
