"""Runs a network on a clip and keeps where every layer put its time steps.

`trace` is the one door between networks and everything that looks at them: pages, figures, the command line.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from adastride import audio
from adastride.alignment import AnyAlignment
from adastride.audio import MelPreset, Waveform
from adastride.downsampling import METHODS, VARIANTS, LayerSettings
from adastride.models.network import Network, Resume
from adastride.tasks import Prediction, task_of


@dataclass(frozen=True)
class LayerTrace:
    """What one downsampling layer did in one run.

    name: "layer 1" is the lowest. method: the registry key that it ran as. settings: the values that it ran with; sigma and variant
    are None for a method that has none. position_loss: in output frames. milliseconds: what the layer alone took.
    """

    name: str
    method: str
    settings: LayerSettings
    alignment: AnyAlignment
    position_loss: float
    milliseconds: float

    @property
    def input_frames(self) -> int:
        return int(self.alignment.lengths[0])

    @property
    def output_frames(self) -> int:
        return int(self.alignment.output_lengths[0])

    @property
    def label(self) -> str:
        """The method's name for people."""
        return METHODS[self.method].label

    @cached_property
    def positions(self) -> np.ndarray:
        """The position of every input frame on the output axis: (T,) float64 from 0 to L - 1."""
        return self.alignment.positions[0].cpu().numpy()

    @cached_property
    def boundaries(self) -> np.ndarray:
        """The input frames (real numbers) at which the output frames begin, and the end of the last: (L + 1,) float64."""
        return self.alignment.boundaries()[0].cpu().numpy()

    @cached_property
    def strides(self) -> np.ndarray:
        """How many input frames each output frame stands for: (L,) float64, which sum to T."""
        return np.diff(self.boundaries)

    @cached_property
    def entropy(self) -> float:
        """The mean entropy of the alignment's rows, in nats."""
        return float(self.alignment.entropy()[0].mean())


@dataclass(frozen=True)
class Hearing:
    """What a network hears of a clip, and how finely: for most networks always all of it, at the frame shift of their training.

    seconds: the clip's beginning that is heard, None for all of it. resolution: the frame shift over the network's own.
    Raises ValueError for a length that holds no sound and a resolution that leaves no frame.
    """

    seconds: float | None = None
    resolution: float = 1.0

    def __post_init__(self) -> None:
        if self.seconds is not None and not 0 < self.seconds < math.inf:
            raise ValueError(f"a network can't hear {self.seconds:g} s of a clip: give a length above 0.")
        if not 0 < self.resolution < math.inf:
            raise ValueError(f"a frame shift can't be {self.resolution:g} times as long: give a resolution above 0.")


EVERYTHING = Hearing()


@dataclass(frozen=True)
class Trace:
    """What a network did with a clip.

    checkpoint: the network's name, for people. fingerprint: identifies its weights. waveform: the whole clip. preset: the front end that
    made mel, the (n_mels, T) natural-log mel of what was heard. prediction: the network's answer, as its task understands it. layers:
    lowest first. milliseconds: what the run took, without blocks that an earlier trace had computed already. device: "cpu" or "cuda".
    hearing: what of the clip was heard, and how finely. own_preset: the front end of the network, at the resolution of its training.
    """

    checkpoint: str
    fingerprint: str
    waveform: Waveform
    preset: MelPreset
    mel: np.ndarray
    prediction: Prediction
    layers: tuple[LayerTrace, ...]
    milliseconds: float
    device: str
    hearing: Hearing
    own_preset: MelPreset
    _resumes: tuple[Resume, ...] = field(repr=False)

    @property
    def top(self) -> str:
        """The prediction in a word or two, the most probable label for instance."""
        return self.prediction.top

    @property
    def heard_seconds(self) -> float:
        """How much of the clip was heard, from its beginning."""
        return self.waveform.seconds if self.hearing.seconds is None else self.hearing.seconds

    def layer_input(self, layer: int) -> Tensor:
        """The input of a layer (0 is the lowest), (1, channels, T), on the device of the run. Nobody may change it."""
        return self._resumes[layer].hidden

    def without_resumes(self) -> Trace:
        """The same trace without the inputs of its layers, which take most of its memory. No later run can start from it."""
        return replace(self, _resumes=())

    @property
    def settings(self) -> tuple[LayerSettings, ...]:
        return tuple(layer.settings for layer in self.layers)

    def boundary_seconds(self, layer: int) -> np.ndarray:
        """The times at which the output frames of a layer (0 is the lowest) begin and end in the clip: (L + 1,) seconds.

        The boundaries of an upper layer are interpolated between those of the layer below, down to the mel frames. Mel frame j is
        centred on j hops, so it spans half a hop to either side. -1 stands for the mel itself.
        """
        return _boundary_seconds(self.layers[: layer + 1], self.mel.shape[1], self.preset, self.heard_seconds)


def _boundary_seconds(layers: Sequence[LayerTrace], frames: int, preset: MelPreset, seconds: float) -> np.ndarray:
    """`Trace.boundary_seconds` of the last of some layers, the lowest first; of a mel of so many frames where there are none."""
    edges = layers[-1].boundaries if layers else np.arange(frames + 1.0)
    for below in reversed(layers[:-1]):
        edges = np.interp(edges, np.arange(below.output_frames + 1), below.boundaries)
    return np.clip((edges - 0.5) / preset.frames_per_second, 0.0, seconds)


def as_trained(model: Network) -> tuple[LayerSettings, ...]:
    """The settings that a network was trained with, one for each downsampling layer."""
    return tuple(_resolve(layer, method, None) for layer, method in zip(model.downsamplers, model.config.methods, strict=True))


def _resolve(layer: Any, method: str, settings: LayerSettings | None) -> LayerSettings:
    settings = settings or LayerSettings()
    return LayerSettings(
        sigma=(settings.sigma or layer.sigma) if "sigma" in METHODS[method].parameters else None,
        stride=float(layer.nearest_stride(settings.stride or layer.stride)),
        variant=(settings.variant or layer.variant) if method in VARIANTS else None,
    )


def resolve_settings(model: Network, settings: LayerSettings | Sequence[LayerSettings | None] | None) -> tuple[LayerSettings, ...]:
    """Replaces every None in the settings by what the network was trained with. One LayerSettings stands for all layers.

    Raises ValueError for settings of another number of layers.
    """
    if settings is None or isinstance(settings, LayerSettings):
        settings = (settings,) * len(model.downsamplers)
    if len(settings) != len(model.downsamplers):
        raise ValueError(f"expected settings for {len(model.downsamplers)} layers, got {len(settings)}")
    return tuple(_resolve(*arguments) for arguments in zip(model.downsamplers, model.config.methods, settings, strict=True))


def resolve_hearing(model: Network, waveform: Waveform, hearing: Hearing) -> Hearing:
    """What a network hears of a clip that is asked to hear so much of it. A length beyond the clip's end is all of it.

    Raises ValueError for a part, or another resolution, of a network that is not looked at so.
    """
    if hearing.seconds is not None and hearing.seconds >= waveform.seconds:
        hearing = Hearing(None, hearing.resolution)
    if hearing != EVERYTHING and not task_of(model).hears_parts:
        raise ValueError(f"{model.name} hears whole clips at one resolution: choose a network of patches for another length or resolution.")
    return hearing


def trace(
    model: Network, waveform: Waveform | np.ndarray | Tensor,
    settings: LayerSettings | Sequence[LayerSettings | None] | None = None, previous: Trace | None = None, hearing: Hearing = EVERYTHING,
) -> Trace:
    """Runs a network on a clip with the given settings.

    waveform: a `Waveform`, or mono samples (n,) at the network's rate. settings: one for all layers, or one for each layer; None
    stands for as trained. previous: an earlier trace, of this network or another. What it shares with this run is not computed
    again: the mel, and every block below the first layer whose settings differ. hearing: how much of the clip the network hears, and how
    finely; see `resolve_hearing`, also for errors. The network answers as in evaluation mode, whatever mode it is in, and is not changed.
    """
    with torch.inference_mode(), model.evaluating():
        return _traced(model, waveform, settings, previous, hearing)


def is_known(
    model: Network, waveform: Waveform, settings: Sequence[LayerSettings | None] | None, previous: Trace | None,
    hearing: Hearing = EVERYTHING,
) -> bool:
    """Whether `trace` with these arguments would have nothing to compute and give `previous` back."""
    resolved, hearing = resolve_settings(model, settings), resolve_hearing(model, waveform, hearing)
    return _shared(previous, model.fingerprint, waveform, resolved, hearing, model.device) == len(resolved)


def _traced(
    model: Network, waveform: Waveform | np.ndarray | Tensor, settings: LayerSettings | Sequence[LayerSettings | None] | None,
    previous: Trace | None, hearing: Hearing,
) -> Trace:
    """`trace`, for a network in evaluation mode."""
    began = time.perf_counter()
    if not isinstance(waveform, Waveform):
        waveform = audio.from_samples(np.asarray(waveform, np.float32), model.config.mel.sample_rate, model.config.mel.sample_rate)
    resolved, hearing = resolve_settings(model, settings), resolve_hearing(model, waveform, hearing)
    device, clock, fingerprint = model.device, _Clock(model.device), model.fingerprint
    own_preset = model.config.mel
    preset, seconds = own_preset.coarser(hearing.resolution), waveform.seconds if hearing.seconds is None else hearing.seconds
    shared = _shared(previous, fingerprint, waveform, resolved, hearing, device)
    kept: tuple[LayerTrace, ...]
    if previous is None or shared is None:
        shared, kept = 0, ()
        signal = model.signal(_beginning(waveform, hearing.seconds), hearing.resolution)
        output = model.looked_at(signal.to(device), resolved, watch=clock)
        mel = signal[0].numpy()
        mel.setflags(write=False)
    elif shared == len(resolved):
        return previous
    else:
        mel = previous.mel
        output = model.looked_at(torch.empty(0), resolved, previous._resumes[: shared + 1], clock)
        kept = previous.layers[:shared]
    layers = kept + tuple(
        LayerTrace(
            name=f"layer {index + 1}",
            method=resolved[index].variant or model.config.methods[index],
            settings=resolved[index],
            alignment=down.alignment,
            position_loss=float(down.position_loss),
            milliseconds=clock.milliseconds[index],
        )
        for index, down in enumerate(output.downsampled, start=shared)
    )
    return Trace(
        checkpoint=model.name, fingerprint=fingerprint, waveform=waveform, preset=preset, mel=mel,
        prediction=task_of(model).predict(model, output, lambda: _boundary_seconds(layers, mel.shape[1], preset, seconds)), layers=layers,
        milliseconds=(time.perf_counter() - began) * 1e3, device=device.type, hearing=hearing, own_preset=own_preset,
        _resumes=output.resumes,
    )


def _beginning(waveform: Waveform, seconds: float | None) -> Waveform:
    """The beginning of a clip, of at least one sample; None for all of it."""
    if seconds is None:
        return waveform
    return replace(waveform, samples=waveform.samples[: max(1, round(seconds * waveform.sample_rate))], seconds=seconds)


class _Clock:
    """A `watch` for networks that measures how long each layer takes, until the accelerator has finished its work."""

    def __init__(self, device: torch.device):
        self.device, self.milliseconds = device, dict[int, float]()

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    @contextmanager
    def __call__(self, layer: int) -> Iterator[None]:
        began = self._now()
        yield
        self.milliseconds[layer] = (self._now() - began) * 1e3


def _shared(
    previous: Trace | None, fingerprint: str, waveform: Waveform, settings: Sequence[LayerSettings], hearing: Hearing, device: torch.device,
) -> int | None:
    """How many of the lowest layers an earlier trace has in common with this run.

    None if it is of another network, clip or device, or heard another part of the clip.
    """
    if previous is None or previous.fingerprint != fingerprint or previous.device != device.type or previous.hearing != hearing:
        return None
    if previous.waveform.sha256 != waveform.sha256 or previous.waveform.samples.size != waveform.samples.size:
        return None
    same = [old == new for old, new in zip(previous.settings, settings, strict=True)]
    return same.index(False) if False in same else len(same)
