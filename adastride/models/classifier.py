"""The AdaStride paper's audio classifier (section 4.1, appendix C and figure 7).

It is a 1x1 projection of the mel bands, six pre-activation residual blocks of kernel 3, of which the first, third and fifth
downsample, a masked mean over time, and a linear classifier. The alignment of a block's main path is used again on its shortcut.
The settings of one run are arguments; a run never changes the module, which all sessions share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adastride import alignment as maths
from adastride.audio import PRESETS, MelPreset
from adastride.downsampling import METHODS, Downsampler, LayerSettings
from adastride.models.audio_transformer import transformer_label
from adastride.models.blocks import MaskedBatchNorm, ResidualBlock, centred, masked, padding_mask
from adastride.models.layers import build_blocks, check_parameters
from adastride.models.network import Network, NetworkConfig, Output, Resume, Watch, unwatched

DOWNSAMPLING_BLOCKS = (0, 2, 4)
BLOCKS = 6
# Networks with a name of their own: what ClassifierConfig needs to build them.
NETWORKS: dict[str, dict[str, Any]] = {
    "adastride-s": {"methods": ("strided-conv", "strided-conv", "adastride")},
    "adastride-sigma": {"methods": ("adastride",) * 3, "learn_sigma": True},
}

_LABELS = {"adastride-s": "AdaStride-S", "adastride-sigma": "AdaStride, learned σ"}


def network_label(name: str) -> str:
    """What a person calls a network of this name, a registry key, one of `NETWORKS` or an audio transformer's. Raises KeyError for any
    other name.

    >>> network_label("adastride-s")
    'AdaStride-S'
    """
    return _LABELS.get(name) or (METHODS[name].label if name in METHODS else transformer_label(name))


def network_options(name: str) -> dict:
    """The fields of `ClassifierConfig`, `methods` among them, that make the network of this name.

    name: a registry key, or one of `NETWORKS`. Raises ValueError for any other name.

    >>> network_options("adastride-s")
    {'methods': ('strided-conv', 'strided-conv', 'adastride')}
    """
    if name not in METHODS and name not in NETWORKS:
        raise ValueError(f"there is no method {name!r}: choose one of {', '.join([*METHODS, *NETWORKS])}")
    return dict(NETWORKS.get(name) or {"methods": (name,) * len(DOWNSAMPLING_BLOCKS)})


@dataclass(frozen=True)
class ClassifierConfig(NetworkConfig):
    """Everything that is needed to build a `Classifier` again.

    labels: the classes. methods, strides: one for each of the three downsampling blocks. sigma: width of an alignment row in output
    frames, for the methods that take one. width: channels. front_end: a key of `audio.PRESETS`. learn_sigma: whether every layer that
    takes a sigma learns its own, beginning with `sigma`. parameters: values for other parameters that the registry lists for a
    method, such as smoothness; every layer that takes one gets it.
    Raises ValueError for a method, size or value that is not allowed.
    """

    kind: ClassVar[str] = "classifier"

    labels: tuple[str, ...]
    methods: tuple[str, ...] = ("adastride",) * 3
    strides: tuple[float, ...] = (2.0,) * 3
    sigma: float = 5**-0.5
    width: int = 256
    front_end: str = "classification"
    learn_sigma: bool = False
    parameters: dict[str, float] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
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
        object.__setattr__(self, "parameters", dict(self.parameters))
        check_parameters(self)

    @property
    def mel(self) -> MelPreset:
        return PRESETS[self.front_end]


class Classifier(Network):
    """The network. Its signal is a natural-log mel (batch, n_mels, T), and its head holds the logits (batch, classes)."""

    config: ClassifierConfig

    def __init__(self, config: ClassifierConfig):
        super().__init__(config)
        self.projection = nn.Conv1d(config.mel.n_mels, config.width, 1)
        self.blocks = build_blocks(config, ResidualBlock, BLOCKS, DOWNSAMPLING_BLOCKS)
        self.norm = MaskedBatchNorm(config.width)
        self.classifier = nn.Linear(config.width, len(config.labels))

    @property
    def downsamplers(self) -> list[Downsampler]:
        """The downsampling layers, lowest first."""
        return [block.downsampler for block in self._stack if block.downsampler is not None]

    @property
    def _stack(self) -> list[ResidualBlock]:
        """The blocks with their type; a ModuleList knows them only as modules of any kind."""
        return cast("list[ResidualBlock]", list(self.blocks))

    def forward(
        self, signal: Tensor, lengths: Tensor | None = None, settings: Sequence[LayerSettings | None] | None = None,
        resumes: Sequence[Resume] = (), watch: Watch = unwatched,
    ) -> Output:
        """Runs the network, starting at the last of `resumes` where there are any; see `Network.forward`."""
        settings = self.check_settings(settings)
        kept, results = list(resumes), []
        if kept:
            first, (x,), lengths = DOWNSAMPLING_BLOCKS[len(kept) - 1], kept[-1].carried, kept[-1].lengths
            mask = padding_mask(lengths, x.shape[2])
        else:
            first, lengths = 0, maths.check_lengths(lengths, signal)
            mask = padding_mask(lengths, signal.shape[2])
            x = masked(self.projection(centred(signal)), mask)
        for index, block in enumerate(self._stack[first:], start=first):
            if block.downsampler is None:
                x = block.after(block.before(x, mask), x, mask)
                continue
            place = DOWNSAMPLING_BLOCKS.index(index)
            if place == len(kept):
                kept.append(Resume(block.before(x, mask), lengths, (x,)))
            resume = kept[place]
            with watch(place):
                down = block.downsampler(resume.hidden, lengths, settings[place])
                shortcut = block.downsampler.shortcut(resume.carried[0], lengths, down)
            results.append(down)
            lengths = down.lengths
            mask = padding_mask(lengths, down.values.shape[2])
            x = block.after(down.values, shortcut, mask)
        x = masked(F.relu(self.norm(x, mask)), mask)
        pooled = x.sum(dim=2) / lengths[:, None].to(x.dtype)
        loss = torch.stack([down.position_loss for down in results]).sum() if results else x.new_zeros(())
        return Output(self.classifier(pooled), tuple(results), loss, tuple(kept))

    def work_share(self, frames: Sequence[int]) -> float:
        """The share of frames that convolutions work on, relative to the same network with no stride anywhere.

        >>> network = Classifier(ClassifierConfig(("a", "b"), width=1))
        >>> round(network.work_share([80, 40, 20, 10]), 3)
        0.365
        """
        stage, worked = 0, 0
        for block in range(BLOCKS):
            worked += frames[stage]  # the block's first convolution comes before its downsampler
            stage += block in DOWNSAMPLING_BLOCKS
            worked += frames[stage]
        return float(worked / (2 * BLOCKS * frames[0]))
