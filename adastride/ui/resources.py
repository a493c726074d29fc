"""What all sessions of the server share: models, decoded samples, and the two settings that make live runs quick."""

from __future__ import annotations

import gc
import threading

import streamlit as st
import torch

from adastride import audio, checkpoints
from adastride.audio import Waveform
from adastride.device import choose_device
from adastride.downsampling import LayerSettings
from adastride.models.classifier import Classifier
from adastride.samples import samples
from adastride.tracing import Trace, trace

# Clips up to this long run on one thread: the thread pool would fight the server and the browser for the cores.
SINGLE_THREAD_SECONDS = 30.0


@st.cache_resource(show_spinner=False)
def prepare() -> None:
    """Once a server, after the imports: freezes what they left behind, so that the full garbage collection Streamlit
    runs after every (fragment) run finds nothing to walk through (150 ms with torch loaded, 0 after)."""
    torch.set_num_threads(1)
    gc.collect()
    gc.freeze()


@st.cache_resource(max_entries=8, show_spinner=False)
def model(name: str, device: str = "auto") -> Classifier:
    """A checkpoint of the catalogue, loaded once and shared by every session; nobody may change it. One run on a second
    of silence warms it up: the first convolution of a process takes five times as long as the second."""
    network = checkpoints.load(name, choose_device(device))
    trace(network, torch.zeros(network.config.mel.sample_rate))
    return network


@st.cache_resource(max_entries=32, show_spinner=False)
def sample_waveform(name: str) -> Waveform:
    """A bundled clip, decoded."""
    return audio.read(samples()[name].path)


@st.cache_resource(max_entries=64, show_spinner=False)
def sample_trace(checkpoint: str, sample: str) -> Trace:
    """A bundled clip as the checkpoint was trained: what a first visit shows."""
    return trace(model(checkpoint), sample_waveform(sample))


_LONG_RUNS = threading.Semaphore(1)  # two 10-minute clips at once would only slow each other down and double the memory


def run(checkpoint: str, clip: Waveform, settings: tuple[LayerSettings, ...] | None, previous: Trace | None) -> tuple[Trace, str | None]:
    """`trace` on the best device; where a GPU runs out of memory, on the CPU, with a sentence that says so."""
    network = model(checkpoint)
    try:
        if clip.seconds <= SINGLE_THREAD_SECONDS:
            return trace(network, clip, settings, previous), None
        with _LONG_RUNS:
            return trace(network, clip, settings, previous), None
    except torch.OutOfMemoryError:
        torch.cuda.empty_cache()
        notice = "The GPU has too little free memory for this clip, so it ran on the CPU: choose a shorter clip to go back to the GPU."
        return trace(model(checkpoint, "cpu"), clip, settings, previous), notice
