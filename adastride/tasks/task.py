"""The contract of tasks, which say what a network's answer means: how it is learned, measured and shown.

A `Task` has no state and asks the network for what it needs of it. Training, evaluation, sweeps and pages work through it and
name no class; `adastride.tasks.KINDS` says which task belongs to which kind of network.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from adastride import audio
from adastride.clips import Clip, DataError
from adastride.models.network import Network, NetworkConfig, Output
from adastride.tasks.prediction import Prediction

AnyNetwork = TypeVar("AnyNetwork", bound=Network)
AnyConfig = TypeVar("AnyConfig", bound=NetworkConfig)


@dataclass(frozen=True)
class Metric:
    """A number that says how good answers are, a mean over clips or a rate.

    name: its key in files, "accuracy". label: its name for people, "Accuracy". unit: the unit it is shown in, "%". scale: the factor
    that turns a value into this unit. higher_is_better: whether a larger value is better, or else a smaller one. proportion: whether
    it is the share of clips that something holds for, so that Wilson's interval applies. digits: how many people see behind the point.
    per: where it is not None, what a value is counted per, "words": the metric is then a rate, the sum of its values over all clips
    divided by the sum of what `Task.measure` calls by this name.
    """

    name: str
    label: str
    unit: str
    scale: float = 1.0
    higher_is_better: bool = True
    proportion: bool = False
    digits: int = 1
    per: str | None = None

    def mean(self, sums: Mapping[str, float], clips: int) -> float:
        """The value for some clips.

        sums: over the clips, of all that `Task.measure` returns; without values it is 0. clips: their number. NaN for a rate of nothing.

        >>> Metric("error_rate", "Word error rate", "%", 100.0, per="words").mean({"error_rate": 3.0, "words": 12.0}, 5)
        0.25
        """
        below = clips if self.per is None else sums.get(self.per, 0.0)
        return sums.get(self.name, 0.0) / below if below else float("nan")

    @property
    def difference_unit(self) -> str:
        """The unit of a difference of two values: percentages differ by points."""
        return "points" if self.unit == "%" else self.unit

    def number(self, value: float) -> str:
        """Writes a value for a table whose header has the unit.

        >>> Metric("accuracy", "Accuracy", "%", 100.0).number(0.9114)
        '91.1'
        """
        return f"{self.scale * value:.{self.digits}f}"

    def text(self, value: float) -> str:
        """Writes a value with its unit.

        >>> Metric("accuracy", "Accuracy", "%", 100.0).text(0.9114)
        '91.1 %'
        """
        return f"{self.number(value)} {self.unit}".rstrip()

    def describe(self, value: float, clips: int) -> str:
        """Says in a sentence how good a network is on test clips.

        >>> Metric("accuracy", "Accuracy", "%", 100.0, proportion=True).describe(0.9114, 1180)
        '91.1 % of 1,180 test clips are right.'
        """
        if self.proportion:
            return f"{self.text(value)} of {clips:,} test clips are right."
        return f"{self.label} on {clips:,} test clips: {self.text(value)}."

    def gain(self, value: float, base: float = 0.0) -> float:
        """How much better a value is than `base`; negative where it is worse."""
        return value - base if self.higher_is_better else base - value


@dataclass(frozen=True)
class Breakdown:
    """What an evaluation says besides the metrics, such as a confusion matrix.

    title: one line for people. table: rows of cells, of which the first is the header. data: the same as an object for JSON. numbers:
    what is said of all clips together, as no mean over clips could, by its name in a results file. durations: how often codes last so
    many input frames, by frames; empty where answers are no codes.
    """

    title: str
    table: tuple[tuple[str, ...], ...]
    data: Mapping[str, Any]
    numbers: Mapping[str, float] = field(default_factory=dict)
    durations: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Batch:
    """Some clips as a network and its task take them.

    signal: (batch, channels, T), zero past each example's length. lengths: (batch,). targets: the tensors that the task needs to say
    how good an answer is; the first axis of each is the batch.
    """

    signal: Tensor
    lengths: Tensor
    targets: tuple[Tensor, ...]

    def to(self, device: torch.device | str) -> Batch:
        """A copy of the batch on a device."""
        moved = [tensor.to(device, non_blocking=True) for tensor in (self.signal, self.lengths, *self.targets)]
        return Batch(moved[0], moved[1], tuple(moved[2:]))

    def __len__(self) -> int:
        return len(self.lengths)


@dataclass(frozen=True)
class Reconstructed:
    """What a network was given and what it made of it. Both are log-mels, (batch, bands, T), zero past each example's length.

    lengths: (batch,) numbers of valid frames.
    """

    original: Tensor
    reconstruction: Tensor
    lengths: Tensor


class Task(ABC, Generic[AnyNetwork, AnyConfig]):
    """Says what the answers of one kind of network mean.

    name: what its networks do, "classification". metrics: the numbers that answers are measured by. The first is the headline: pickers
    show it, and training keeps the epoch that is best at it; among equals the second decides, and so on. mask_value: the value with
    which training may mask signals, which it may then also tilt and band-limit, because they are log-mels (SpecAugment). None where it
    has to leave signals as they are. codes: whether answers are codes that last, as a breakdown's `durations` have it. texts:
    whether answers are the texts of whole clips, which training may then not cut. reconstructs: whether answers are the signals
    themselves again, which a discriminator may then judge. preset: the name of the settings of training that suit the task; None where
    that goes by the clips. usual_method: which of its networks is trained where nobody chooses. hears_parts: whether its networks are
    shown hearing the beginning of a clip alone, or at longer frame shifts.
    """

    name: ClassVar[str]
    metrics: tuple[Metric, ...]
    mask_value: ClassVar[float | None] = None
    codes: ClassVar[bool] = False
    texts: ClassVar[bool] = False
    reconstructs: ClassVar[bool] = False
    preset: ClassVar[str | None] = None
    usual_method: ClassVar[str] = "adastride"
    hears_parts: ClassVar[bool] = False

    @property
    def headline(self) -> Metric:
        """The metric that stands for all of them, which is the first."""
        return self.metrics[0]

    def metric(self, name: str) -> Metric:
        """The metric of that name. Raises KeyError where the task has none."""
        return {metric.name: metric for metric in self.metrics}[name]

    def of(self, config: AnyConfig) -> Task[AnyNetwork, AnyConfig]:
        """The task of networks of this configuration in particular, where their metrics have names of their own."""
        return self

    @abstractmethod
    def predict(self, network: AnyNetwork, output: Output, edges: Callable[[], np.ndarray]) -> Prediction:
        """The answer to the first example of a run, in a form that can be shown.

        edges: works out the times at which the output frames of the uppermost layer begin, and the end of the last, (L + 1,) seconds.
        """

    @abstractmethod
    def describe(self, config: AnyConfig) -> str:
        """Says in a few words what a network of this configuration tells apart: "10 classes"."""

    @abstractmethod
    def check_config(self, config: AnyConfig) -> None:
        """Raises ValueError, one sentence without its subject, for a person's own network that is too large for a page."""

    @abstractmethod
    def network_fields(self, method: str) -> dict[str, Any]:
        """The fields of a configuration that say which downsamplers a network of this name has, such as `methods`.

        method: a key of `downsampling.METHODS`, or a name that this kind of network gives to a mixture of them. Raises ValueError for
        any other name.
        """

    def learned_fields(self, train: Sequence[Clip], valid: Sequence[Clip], options: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of a configuration that follow from the training and the valid clips, such as the labels.

        options: the other fields, as far as they are given. Raises DataError for clips that nothing can be learned from.
        """
        return {}

    @abstractmethod
    def targets(self, network: AnyNetwork, clips: Sequence[Clip]) -> list[Any]:
        """The right answer for each clip, to be given to `batch`. Raises DataError for a clip that the network can't answer rightly."""

    def joined(self, targets: Sequence[Any]) -> Any:
        """The right answer for several clips, one after the other. Raises DataError where such a sound has none."""
        raise DataError("clips can't be joined for networks of this kind: train with a preset that does not join them.")

    @abstractmethod
    def batch(self, network: AnyNetwork, sounds: Sequence[np.ndarray], targets: Sequence[Any]) -> Batch:
        """Makes a batch on the CPU from waveforms (n,) at the network's rate and the right answers for them."""

    def coarser_batch(self, network: AnyNetwork, sounds: Sequence[np.ndarray], targets: Sequence[Any], resolutions: Sequence[float]) -> Batch:
        """`batch` with the frame shift of each sound's mel so many times the network's (ElasticAST, section 3.4). Raises DataError where
        frames of another length would mean something else."""
        raise DataError(f"networks for {self.name} have one frame shift alone: leave out the resolutions.")

    def longest_seconds(self, network: AnyNetwork) -> float:
        """How much of a clip the network looks at; training then draws which part."""
        return math.inf

    def effort(self, network: AnyNetwork, frames: int) -> tuple[int, int]:
        """The tokens and the multiply-adds that a clip costs of which so many frames are left after all downsampling; 0 for networks
        without tokens."""
        return 0, 0

    @abstractmethod
    def loss(self, output: Output, batch: Batch, label_smoothing: float = 0.0) -> Tensor:
        """The scalar that training makes smaller, without the position loss."""

    def reconstructed(self, output: Output) -> Reconstructed:
        """What a run was given and what it made of it, where the task `reconstructs`. Raises DataError where it does not."""
        raise DataError(f"networks for {self.name} make nothing that could be taken for an original.")

    @abstractmethod
    def measure(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """The metrics of each example of a batch, and what rates are counted per: (batch,) float64 by name; see `Metric.mean`."""

    def written(self, network: AnyNetwork, answers: Sequence[Any]) -> list[list[str]]:
        """The units, such as words, that the headline metric counts in right answers or in a network's.

        Raises DataError where answers are no texts.
        """
        raise DataError("networks of this kind write no texts whose words could be counted.")

    def answers(self, output: Output) -> list[Any]:
        """The answer to each example of a run, as `breakdown` needs it."""
        return [None] * len(output.head)

    def breakdown(self, network: AnyNetwork, targets: Sequence[Any], answers: Sequence[Any]) -> Breakdown | None:
        """What an evaluation says besides the metrics; None where there is nothing more to say.

        targets, answers: the right answer and the network's answer for every clip.
        """
        return None


def stack_mels(sounds: Sequence[np.ndarray], preset: audio.MelPreset, resolutions: Sequence[float] | None = None) -> tuple[Tensor, Tensor]:
    """The log-mels of waveforms of different lengths, zero-padded to (B, n_mels, T), and their lengths (B,).

    resolutions: how many times the preset's frame shift that of each sound is; None for the preset's own.
    They are made one at a time, because the spectrum of a clip then stays in the processor's cache: 64 clips of a second take two
    thirds of the time of one large transform.
    """
    shifts = resolutions or [1.0] * len(sounds)
    mels = [audio.log_mel(torch.tensor(sound), preset.coarser(each)) for sound, each in zip(sounds, shifts, strict=True)]
    lengths = torch.tensor([mel.shape[1] for mel in mels])
    return torch.stack([F.pad(mel, (0, int(lengths.max()) - mel.shape[1])) for mel in mels]), lengths
