"""The AdaStride paper's audio classifier (section 4.1, appendix C and figure 7).

1x1 projection of the mel bands, six pre-activation residual blocks of kernel 3 that downsample in the first, third
and fifth, a masked mean over time, a linear classifier. The alignment found on a block's main path is used again on
its shortcut. Settings of one run are arguments; a run never changes the module, which all sessions share.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adastride import alignment as maths
from adastride.audio import PRESETS, MelPreset
from adastride.downsampling import METHODS, Downsampled, Downsampler, LayerSettings, build

DOWNSAMPLING_BLOCKS = (0, 2, 4)
BLOCKS = 6
# Networks with a name of their own: what ClassifierConfig needs to build them.
NETWORKS = {
    "adastride-s": {"methods": ("strided-conv", "strided-conv", "adastride")},
    "adastride-sigma": {"methods": ("adastride",) * 3, "learn_sigma": True},
}

_LABELS = {"adastride-s": "AdaStride-S", "adastride-sigma": "AdaStride, learned σ"}


def network_label(name: str) -> str:
    """What a person calls a network of this name, a registry key or one of `NETWORKS`; KeyError for any other.

    >>> network_label("adastride-s")
    'AdaStride-S'
    """
    return _LABELS.get(name) or METHODS[name].label


def network_options(name: str) -> dict:
    """ClassifierConfig's methods, and what else a network of this name needs: a registry key, or one of `NETWORKS`.

    Raises ValueError for any other name.

    >>> network_options("adastride-s")
    {'methods': ('strided-conv', 'strided-conv', 'adastride')}
    """
    if name not in METHODS and name not in NETWORKS:
        raise ValueError(f"there is no method {name!r}: choose one of {', '.join([*METHODS, *NETWORKS])}")
    return dict(NETWORKS.get(name) or {"methods": (name,) * len(DOWNSAMPLING_BLOCKS)})


@dataclass(frozen=True)
class ClassifierConfig:
    """Everything needed to build a Classifier again. methods, strides: one for each of the three downsampling blocks.

    sigma: width of an alignment row in output frames, for the methods that take one. front_end: a name of audio.PRESETS.
    learn_sigma: every layer that takes a sigma learns its own, beginning with `sigma`. parameters: values for other
    parameters that the registry lists for a method, such as smoothness; every layer that takes one gets it.
    Raises ValueError for a method, size or value that can't be.
    """

    labels: tuple[str, ...]
    methods: tuple[str, ...] = ("adastride",) * 3
    strides: tuple[float, ...] = (2.0,) * 3
    sigma: float = 5**-0.5
    width: int = 256
    front_end: str = "classification"
    learn_sigma: bool = False
    parameters: dict[str, float] = field(default_factory=dict, hash=False)

    def __post_init__(self):
        object.__setattr__(self, "labels", tuple(str(label) for label in self.labels))
        object.__setattr__(self, "methods", tuple(self.methods))
        object.__setattr__(self, "strides", tuple(maths.check_stride(s) for s in self.strides))
        maths.check_sigma(self.sigma)
        if len(self.methods) != len(DOWNSAMPLING_BLOCKS) or len(self.strides) != len(DOWNSAMPLING_BLOCKS):
            raise ValueError(f"expected {len(DOWNSAMPLING_BLOCKS)} methods and strides, got {self.methods} and {self.strides}")
        for method in self.methods:
            if method not in METHODS:
                raise ValueError(f"unknown method {method!r}; choose one of {', '.join(METHODS)}")
        if len(self.labels) < 2 or len(set(self.labels)) != len(self.labels):
            raise ValueError("labels must be at least two different names")
        if self.front_end not in PRESETS:
            raise ValueError(f"unknown front end {self.front_end!r}; choose one of {', '.join(PRESETS)}")
        if type(self.width) is not int or not 1 <= self.width <= 4096:
            raise ValueError(f"width must be a whole number from 1 to 4096, got {self.width}")
        if type(self.learn_sigma) is not bool:
            raise ValueError(f"learn_sigma must be true or false, got {self.learn_sigma!r}")
        if self.learn_sigma and not any("sigma" in METHODS[method].parameters for method in self.methods):
            raise ValueError(f"there is no sigma to learn in {', '.join(self.methods)}")
        object.__setattr__(self, "parameters", dict(self.parameters))
        for name, value in self.parameters.items():
            self._check_parameter(name, value)

    def _check_parameter(self, name: str, value: float) -> None:
        ranges = [METHODS[method].parameters[name] for method in self.methods if name in METHODS[method].parameters]
        if name == "sigma" or not ranges:
            raise ValueError(f"none of the methods {', '.join(self.methods)} takes a parameter {name!r} here")
        low, high, usual = ranges[0]
        whole = isinstance(usual, int)
        if not low <= float(value) <= high or (whole and not float(value).is_integer()):
            raise ValueError(f"{name} must be a {'whole ' * whole}number from {low:g} to {high:g}, got {value}")

    @property
    def mel(self) -> MelPreset:
        return PRESETS[self.front_end]

    def to_dict(self) -> dict:
        return asdict(self)


class MaskedBatchNorm(nn.BatchNorm1d):
    """Batch normalisation whose statistics count valid frames only: (batch, channels, time) and a (batch, time) mask."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        if not self.training or mask is None:
            return super().forward(x)
        frames = x.transpose(1, 2)
        normalised = frames.new_zeros(frames.shape)
        normalised[mask] = super().forward(frames[mask])
        return normalised.transpose(1, 2)


@dataclass(frozen=True)
class Resume:
    """What a downsampling block knows before its own settings matter: a later run can start here.

    hidden, shortcut: (batch, width, time) main path before the downsampler and the block's input; lengths: (batch,).
    """

    hidden: Tensor
    shortcut: Tensor
    lengths: Tensor


@dataclass(frozen=True)
class ClassifierOutput:
    """logits: (batch, classes). downsampled: one for each downsampling layer this run computed, lowest first (all of them
    unless it was resumed). position_loss: their sum. milliseconds: time each of them took.

    resumes: one `Resume` for every downsampling layer, those handed in included.
    """

    logits: Tensor
    downsampled: tuple[Downsampled, ...]
    position_loss: Tensor
    resumes: tuple[Resume, ...]
    milliseconds: tuple[float, ...]


class ResidualBlock(nn.Module):
    """norm, ReLU, convolution, [downsampler], norm, ReLU, convolution, plus the shortcut (figure 7)."""

    def __init__(self, width: int, downsampler: Downsampler | None = None, convolve: bool = True):
        super().__init__()
        self.norm1, self.norm2 = MaskedBatchNorm(width), MaskedBatchNorm(width)
        self.conv1 = nn.Conv1d(width, width, 3, padding=1, bias=False) if convolve else None
        self.conv2 = nn.Conv1d(width, width, 3, padding=1, bias=False)
        self.downsampler = downsampler

    def before(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """The main path up to the downsampler: nothing in it depends on the block's settings."""
        hidden = _mask(F.relu(self.norm1(x, mask)), mask)
        return hidden if self.conv1 is None else _mask(self.conv1(hidden), mask)

    def after(self, hidden: Tensor, shortcut: Tensor, mask: Tensor | None) -> Tensor:
        hidden = _mask(F.relu(self.norm2(hidden, mask)), mask)
        return _mask(shortcut + self.conv2(hidden), mask)


def _layer(config: ClassifierConfig, key: str, stride: float) -> Downsampler:
    known = METHODS[key].parameters
    parameters = {name: value for name, value in {**config.parameters, "sigma": config.sigma}.items() if name in known}
    if config.learn_sigma and "sigma" in known:
        return METHODS[key].build(config.width, stride=stride, learn_sigma=True, **parameters)
    return build(key, config.width, stride, **parameters)


class Classifier(nn.Module):
    """The network. mel (batch, n_mels, T) natural-log mel, lengths (batch,) or None -> `ClassifierOutput`."""

    def __init__(self, config: ClassifierConfig):
        super().__init__()
        self.config = config
        self.name = "untitled"
        self.projection = nn.Conv1d(config.mel.n_mels, config.width, 1)
        places = dict(zip(DOWNSAMPLING_BLOCKS, zip(config.methods, config.strides, strict=True), strict=True))
        blocks = []
        for index in range(BLOCKS):
            if index not in places:
                blocks.append(ResidualBlock(config.width))
                continue
            key, stride = places[index]
            layer = _layer(config, key, stride)
            blocks.append(ResidualBlock(config.width, layer, convolve=not METHODS[key].replaces_convolution))
        self.blocks = nn.ModuleList(blocks)
        self.norm = MaskedBatchNorm(config.width)
        self.classifier = nn.Linear(config.width, len(config.labels))

    @property
    def downsamplers(self) -> list[Downsampler]:
        """The downsampling layers, lowest first."""
        return [block.downsampler for block in self.blocks if block.downsampler is not None]

    def forward(
        self, mel: Tensor, lengths: Tensor | None = None, settings: Sequence[LayerSettings | None] | None = None,
        resumes: Sequence[Resume] = (),
    ) -> ClassifierOutput:
        """Runs the network, from the last of `resumes` (an earlier output's, lowest first) where any are given."""
        settings = tuple(settings) if settings is not None else (None,) * len(DOWNSAMPLING_BLOCKS)
        if len(settings) != len(DOWNSAMPLING_BLOCKS):
            raise ValueError(f"expected settings for {len(DOWNSAMPLING_BLOCKS)} layers, got {len(settings)}")
        kept, results, times = list(resumes), [], []
        if kept:
            first = DOWNSAMPLING_BLOCKS[len(kept) - 1]
            x, lengths, mask = kept[-1].shortcut, kept[-1].lengths, None
        else:
            lengths, first = maths.check_lengths(lengths, mel), 0
            mask = _padding_mask(lengths, mel.shape[2])
            # Natural-log mel runs from -11.5 (the floor) to about 2; this centres it without looking at the clip.
            x = _mask(self.projection((mel + 5.0) / 4.0), mask)
        for index in range(first, BLOCKS):
            block = self.blocks[index]
            if block.downsampler is None:
                x = block.after(block.before(x, mask), x, mask)
                continue
            place = DOWNSAMPLING_BLOCKS.index(index)
            if place == len(kept):
                kept.append(Resume(block.before(x, mask), x, lengths))
            resume = kept[place]
            began = _now(resume.hidden)
            down = block.downsampler(resume.hidden, lengths, settings[place])
            shortcut = block.downsampler.shortcut(resume.shortcut, lengths, down)
            times.append((_now(shortcut) - began) * 1e3)
            results.append(down)
            lengths = down.lengths
            mask = _padding_mask(lengths, down.values.shape[2])
            x = block.after(down.values, shortcut, mask)
        x = _mask(F.relu(self.norm(x, mask)), mask)
        pooled = x.sum(dim=2) / lengths[:, None].to(x.dtype)
        loss = torch.stack([down.position_loss for down in results]).sum() if results else x.new_zeros(())
        return ClassifierOutput(self.classifier(pooled), tuple(results), loss, tuple(kept), tuple(times))


def _now(x: Tensor) -> float:
    """Seconds on a clock; outside of training, after the accelerator has finished what it was given."""
    if x.is_cuda and not torch.is_grad_enabled():
        torch.cuda.synchronize(x.device)
    return time.perf_counter()


def _padding_mask(lengths: Tensor, time: int) -> Tensor | None:
    """(batch, time) mask of valid frames, or None where no example is padded."""
    return None if int(lengths.min()) == time else maths.length_mask(lengths, time)


def _mask(x: Tensor, mask: Tensor | None) -> Tensor:
    return x if mask is None else x * mask[:, None]
