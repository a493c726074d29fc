"""What a network's answer means: how it is learned, measured and shown.

A `Task` has no state: what it needs of a network it asks the network for. Training, evaluation, sweeps and pages work
through it and name no class; `adastride.tasks.KINDS` says which task belongs to which kind of network.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from adastride import audio
from adastride.clips import Clip
from adastride.models.network import Network, NetworkConfig, Output
from adastride.tasks.prediction import Prediction

AnyNetwork = TypeVar("AnyNetwork", bound=Network)
AnyConfig = TypeVar("AnyConfig", bound=NetworkConfig)


@dataclass(frozen=True)
class Metric:
    """A number that says how good answers are, a mean over clips.

    name: its key in files, "accuracy". label: for people, "Accuracy". unit: what it is shown in, "%"; scale: what a value
    is multiplied by for that. higher_is_better: or else a smaller one is. proportion: the share of clips that something
    holds for, so that Wilson's interval applies. digits: behind the point, for people.
    """

    name: str
    label: str
    unit: str
    scale: float = 1.0
    higher_is_better: bool = True
    proportion: bool = False
    digits: int = 1

    @property
    def difference_unit(self) -> str:
        """What a difference of two values is counted in: percentages differ by points."""
        return "points" if self.unit == "%" else self.unit

    def number(self, value: float) -> str:
        """The value as a person reads it in a table whose header has the unit.

        >>> Metric("accuracy", "Accuracy", "%", 100.0).number(0.9114)
        '91.1'
        """
        return f"{self.scale * value:.{self.digits}f}"

    def text(self, value: float) -> str:
        """The value as a person reads it.

        >>> Metric("accuracy", "Accuracy", "%", 100.0).text(0.9114)
        '91.1 %'
        """
        return f"{self.number(value)} {self.unit}".rstrip()

    def describe(self, value: float, clips: int) -> str:
        """A sentence about test clips.

        >>> Metric("accuracy", "Accuracy", "%", 100.0, proportion=True).describe(0.9114, 1180)
        '91.1 % of 1,180 test clips are right.'
        """
        if self.proportion:
            return f"{self.text(value)} of {clips:,} test clips are right."
        return f"{self.label} on {clips:,} test clips: {self.text(value)}."

    def gain(self, value: float, base: float = 0.0) -> float:
        """How much better a value is than another, negative where it is worse."""
        return value - base if self.higher_is_better else base - value


@dataclass(frozen=True)
class Breakdown:
    """What an evaluation says besides the metrics, such as a confusion matrix.

    title: one line for people. table: rows of cells, the first one the header. data: the same for JSON.
    """

    title: str
    table: tuple[tuple[str, ...], ...]
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Batch:
    """What a training step or a validation looks at.

    signal: (batch, channels, T), zero past each example's length; lengths: (batch,); targets: tensors that begin with the
    batch's axis, whatever the task needs to say how good an answer is.
    """

    signal: Tensor
    lengths: Tensor
    targets: tuple[Tensor, ...]

    def to(self, device: torch.device | str) -> Batch:
        """The same on a device."""
        moved = [tensor.to(device, non_blocking=True) for tensor in (self.signal, self.lengths, *self.targets)]
        return Batch(moved[0], moved[1], tuple(moved[2:]))

    def __len__(self) -> int:
        return len(self.lengths)


class Task(ABC, Generic[AnyNetwork, AnyConfig]):
    """What answers of one kind of network mean.

    metrics: the numbers it is measured by. The first is the headline: pickers show it, and training keeps the epoch that is
    best at it, of equally good ones the best at the second, and so on. mask_value: signals are log-mels that training may
    tilt, band-limit and mask with this value (SpecAugment); None where it has to leave them as they are.
    """

    metrics: tuple[Metric, ...]
    mask_value: ClassVar[float | None] = None

    @property
    def headline(self) -> Metric:
        """The metric that stands for all of them."""
        return self.metrics[0]

    def metric(self, name: str) -> Metric:
        """The metric of that name; KeyError where the task has none."""
        return {metric.name: metric for metric in self.metrics}[name]

    @abstractmethod
    def predict(self, network: AnyNetwork, output: Output) -> Prediction:
        """What there is to see of the first example of a run."""

    @abstractmethod
    def describe(self, config: AnyConfig) -> str:
        """In a few words, what a network of this configuration does: "tells 10 classes apart"."""

    @abstractmethod
    def check_config(self, config: AnyConfig) -> None:
        """Raises ValueError, one sentence without a subject, for a network of somebody's own that is too large for a page."""

    @abstractmethod
    def network_fields(self, method: str) -> dict[str, Any]:
        """The fields of a configuration that say where a network of this name has which downsampler, its `methods` for one.

        method: a key of `downsampling.METHODS`, or a name that this kind gives to a mixture of them. ValueError for any other.
        """

    def learned_fields(self, train: Sequence[Clip], valid: Sequence[Clip]) -> dict[str, Any]:
        """The fields of a configuration that follow from the clips a network is trained on and chosen by, such as its labels.

        Raises DataError for clips that nothing can be learned from.
        """
        return {}

    @abstractmethod
    def targets(self, network: AnyNetwork, clips: Sequence[Clip]) -> list[Any]:
        """What is right for each clip, to be given to `batch`. Raises DataError for a clip the network can't know about."""

    @abstractmethod
    def batch(self, network: AnyNetwork, sounds: Sequence[np.ndarray], targets: Sequence[Any]) -> Batch:
        """Waveforms (n,) at the network's rate and what is right for them, as tensors on the CPU."""

    @abstractmethod
    def loss(self, output: Output, batch: Batch, label_smoothing: float = 0.0) -> Tensor:
        """What training makes smaller, a scalar, without the position loss."""

    @abstractmethod
    def measure(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Every metric for each example of a batch: name -> (batch,) float64, so that their mean is the metric."""

    def answers(self, output: Output) -> list[Any]:
        """What `breakdown` needs of each example of a run."""
        return [None] * len(output.head)

    def breakdown(self, network: AnyNetwork, targets: Sequence[Any], answers: Sequence[Any]) -> Breakdown | None:
        """What an evaluation says besides the metrics; None where they say it all. targets, answers: of every clip."""
        return None


def stack_mels(sounds: Sequence[np.ndarray], preset: audio.MelPreset) -> tuple[Tensor, Tensor]:
    """Log-mels of waveforms of different lengths: (B, n_mels, T) zero-padded, and their lengths (B,).

    One at a time: a clip's spectrum stays in the cache, which makes 64 clips of a second 1.5 times as fast as one large
    transform on a CPU.
    """
    mels = [audio.log_mel(torch.tensor(sound), preset) for sound in sounds]
    lengths = torch.tensor([mel.shape[1] for mel in mels])
    return torch.stack([F.pad(mel, (0, int(lengths.max()) - mel.shape[1])) for mel in mels]), lengths
