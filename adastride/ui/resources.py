"""What all sessions of the server share: networks, decoded samples, and the settings that make live runs quick."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import math
import os
import socket
import stat
import weakref
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import streamlit as st
import torch
from starlette.formparsers import MultiPartParser

from adastride import audio, checkpoints, images
from adastride.audio import MelPreset, Waveform
from adastride.checkpoints import CheckpointError
from adastride.comparison.core import best_device, compare
from adastride.comparison.features import Features, mel_features, traced_features
from adastride.comparison.settings import ComparisonSettings
from adastride.device import choose_device
from adastride.downsampling import METHODS, LayerSettings
from adastride.inspection import pictures, raster
from adastride.inspection.tracing import EVERYTHING, Hearing, Trace, is_known, trace
from adastride.memory import return_large_blocks
from adastride.models.network import Network
from adastride.models.picture_network import PictureNetwork
from adastride.samples import drawings, samples
from adastride.ui import logs, queue
from adastride.ui.queue import SHORT_SECONDS
from adastride.wording import one_line

ICON = str(Path(__file__).parent / "icon.png")  # a named icon would be fetched from another server


@dataclass(frozen=True)
class OwnCheckpoint:
    """A checkpoint file of a person's own. The session that loaded it holds it; what is cached of it has its SHA-256 for a name.

    title: the file's name. data: the file. Two of the same data are equal, whatever their names.
    """

    sha256: str
    title: str = field(compare=False)
    data: bytes = field(repr=False, compare=False)

    @classmethod
    def of(cls, data: bytes, title: str) -> OwnCheckpoint:
        return cls(hashlib.sha256(data).hexdigest(), one_line(title), data)

    @property
    def id(self) -> str:
        return f"own-{self.sha256}"


_BY_CONTENT = {OwnCheckpoint: lambda own: own.id}


def _freeze() -> None:
    """Hides everything that exists now from the garbage collector. Streamlit runs a full collection after every
    (fragment) run, which takes 150 ms with torch loaded and nothing where there is nothing to walk through."""
    gc.collect()
    gc.freeze()


def send_at_once() -> None:
    """Has this process's TCP connections send small messages without waiting for others (TCP_NODELAY).

    asyncio does that for sockets that say they are TCP, which the one Streamlit listens on does not (its protocol is left
    at 0). Nagle's algorithm then holds a small answer back until the browser has acknowledged the message before it, and
    that the browser delays by 40 ms: a drag got 16 answers a second instead of 28. Connections that come later take the
    setting from the listening socket. Systems that list no file descriptors do as they did.
    """
    for folder in ("/proc/self/fd", "/dev/fd"):
        try:
            descriptors = [int(name) for name in os.listdir(folder)]
        except OSError:
            continue
        for descriptor in descriptors:
            # A copy of anything else would be left open: of a pipe, that keeps its other end waiting for ever.
            with contextlib.suppress(OSError):
                if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                    continue
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as connection:
                if connection.family in (socket.AF_INET, socket.AF_INET6) and connection.type == socket.SOCK_STREAM:
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return


def keep_uploads_in_memory() -> None:
    """Has the server hold a file in memory while it arrives. Starlette would put what is larger than 1 MB into a temporary file: visitors
    are promised that nothing is written, and a container's /tmp may be smaller than a file."""
    MultiPartParser.spool_max_size = (st.get_option("server.maxUploadSize") + 1) << 20


@st.cache_resource(show_spinner=False)
def prepare() -> None:
    """Makes the settings that make live runs quick, once for each server and after the imports of every page."""
    # What pages import later would not be frozen. And pandas has to be whole before a second session is there: Plotly looks
    # whether it is imported, and finds it half imported while the Results page of another session, in its own thread, is at it.
    import pandas  # noqa: F401

    from adastride.sweep import figures as sweep_figures  # noqa: F401
    from adastride.ui.sigma import labelled  # noqa: F401

    logs.install()
    torch.set_num_threads(1)
    send_at_once()
    keep_uploads_in_memory()
    return_large_blocks()
    _freeze()


@st.cache_resource(show_spinner=False)
def prepare_comparison() -> None:
    """Runs every method and works out every number on a second of noise, once for each server, when the Compare page is first opened.

    What they import and build (the profiler, automatic differentiation) is then frozen, and nobody's first run is slow.
    """
    noise = torch.rand(16_000, generator=torch.Generator().manual_seed(0)).numpy() - 0.5
    features, keys, device = mel_features(audio.from_samples(noise, 16_000)), list(METHODS), best_device()
    for first in {*range(0, len(keys) - 1, 2), len(keys) - 2}:
        compare(features, ComparisonSettings((keys[first], keys[first + 1]), scores="energy"), settled=True, budget=float("inf"), device=device)
    _freeze()


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs=_BY_CONTENT)
def model(checkpoint: str | OwnCheckpoint, device: str = "auto") -> Network:
    """A checkpoint of the catalogue by its name, or a person's own, loaded once and shared by every session; nobody may change
    it. One run on a second of noise warms it up, pictures of its layers included: the first convolution of a process takes
    five times as long as the second, the first backward pass fifty times.

    Raises CheckpointError, one sentence, for a file of a person's own that is none or can't be run.
    """
    own = isinstance(checkpoint, OwnCheckpoint)
    torch_device = choose_device(device)
    network = checkpoints.load_bytes(checkpoint.data, checkpoint.title, torch_device) if own else checkpoints.load(checkpoint, torch_device)
    try:
        noise = torch.rand(network.config.mel.sample_rate, generator=torch.Generator().manual_seed(0)) - 0.5
        warm_up_trace = trace(network, noise)
        for index, layer in enumerate(warm_up_trace.layers):
            raster.picture(layer, raster.input_edges(warm_up_trace, index), 0.0, 1.0, 64, 64)
    except (RuntimeError, ValueError, ArithmeticError) as error:
        if own:
            raise CheckpointError(f"{checkpoint.title} holds a network that can't be run ({error}): train it again.") from None
        raise
    if own and not all(map(math.isfinite, warm_up_trace.prediction.values.values())):
        raise CheckpointError(f"{checkpoint.title} holds a network whose results are not numbers: its training diverged.")
    _freeze()
    return network


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs=_BY_CONTENT)
def picture_model(checkpoint: str | OwnCheckpoint) -> PictureNetwork:
    """A network of pictures, as `model` has networks of sound. It runs on the CPU: its pictures are small, and so are the matrices that
    are looked at. Raises CheckpointError, one sentence, for a file of a person's own that is none or can't be looked at.
    """
    own = isinstance(checkpoint, OwnCheckpoint)
    network = checkpoints.load_picture_bytes(checkpoint.data, checkpoint.title) if own else checkpoints.load_pictures(checkpoint)
    height, width = network.config.picture_size
    if max(height, width) > pictures.MOST_PIXELS:
        raise CheckpointError(
            f"{network.name if not own else checkpoint.title} takes pictures of {height} × {width} pixels, more than the "
            f"{pictures.MOST_PIXELS} × {pictures.MOST_PIXELS} that the page shows: use the command line."
        )
    noise = torch.randint(0, 256, (height, width, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)).numpy()
    try:
        pictures.trace_image(network, noise)
    except (RuntimeError, ValueError, ArithmeticError) as error:
        if own:
            raise CheckpointError(f"{checkpoint.title} holds a network that can't be run ({one_line(error)}): train it again.") from None
        raise
    _freeze()
    return network


@st.cache_resource(max_entries=32, show_spinner=False)
def drawing(name: str) -> images.Picture:
    """A bundled picture, decoded."""
    return images.read(drawings()[name].path)


@st.cache_resource(max_entries=32, show_spinner=False)
def sample_waveform(name: str) -> Waveform:
    """A bundled clip, decoded."""
    return audio.read(samples()[name].path)


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=_BY_CONTENT)
def sample_trace(checkpoint: str | OwnCheckpoint, sample: str) -> Trace:
    """The trace of a bundled clip with the settings that the checkpoint was trained with, which a first visit shows."""
    return trace(model(checkpoint), sample_waveform(sample))


def run(
    checkpoint: str | OwnCheckpoint, clip: Waveform, settings: tuple[LayerSettings, ...] | None, previous: Trace | None,
    hearing: Hearing = EVERYTHING,
) -> tuple[Trace, str | None]:
    """Runs `trace` on the best device, a long clip in a turn. Raises Busy where too many wait for one.

    Where a GPU runs out of memory, it runs on the CPU and also returns a sentence that says so.
    """
    network = model(checkpoint)
    waits = clip.seconds > SHORT_SECONDS and not is_known(network, clip, settings, previous, hearing)
    with queue.turn() if waits else nullcontext():
        try:
            return trace(network, clip, settings, previous, hearing), None
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            notice = "The GPU has too little free memory for this clip, so it ran on the CPU: choose a shorter clip to go back to the GPU."
            return trace(model(checkpoint, "cpu"), clip, settings, previous, hearing), notice


def features(checkpoint: str | OwnCheckpoint, clip: Waveform, source: str, learned: bool) -> Features:
    """The features that the Compare page downsamples. The network runs only where its features or, for `learned`, its scores are needed.

    Those of a long clip are worked out in a turn; where too many wait for one, the page says so and ends.
    """
    key = checkpoint if isinstance(checkpoint, str) else checkpoint.id, source, learned, clip.sha256
    long = clip.seconds > SHORT_SECONDS
    return queue.known_or_in_a_turn(_known_features, key, lambda: _features(checkpoint, source, learned, clip.sha256, clip), long)


_known_features: weakref.WeakValueDictionary[tuple[str, str, bool, str], Features] = weakref.WeakValueDictionary()


@st.cache_resource(max_entries=6, show_spinner=False, hash_funcs=_BY_CONTENT)
def _features(checkpoint: str | OwnCheckpoint, source: str, learned: bool, sha256: str, _clip: Waveform) -> Features:
    network = model(checkpoint)
    if source == "mel" and not learned:
        return mel_features(_clip, network.config.mel)
    return traced_features(source, run(checkpoint, _clip, None, None)[0], network)


def clip_mel(checkpoint: str | OwnCheckpoint, clip: Waveform) -> tuple[np.ndarray, MelPreset]:
    """The (n_mels, T) natural-log mel of a clip as a checkpoint sees it, and the front end that made it."""
    return features(checkpoint, clip, "mel", False).values[0].numpy(), model(checkpoint).config.mel
