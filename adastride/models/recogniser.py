"""The AdaStride paper's speech recogniser (section 4.2): a subsampling module in front of an encoder, trained with CTC.

The subsampling module is two blocks of convolution, downsampling and SiLU, each of which halves the rate. The downsampler may be any
method of the registry; a strided convolution takes the place of its block's convolution. A layer normalisation stands in front of a
downsampler that places frames by scores, which keeps the exponential of vector positioning in bounds (appendix C).
The settings of one run are arguments; a run never changes the module, which all sessions share.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchaudio.models import Conformer

from adastride import alignment as maths
from adastride.audio import PRESETS, MelPreset
from adastride.downsampling import METHODS, Downsampler, LayerSettings
from adastride.downsampling.base import by_length
from adastride.models.blocks import centred
from adastride.models.layers import build_layer, check_parameters
from adastride.models.network import Network, NetworkConfig, Output, Resume, Watch, unwatched
from adastride.models.squeezeformer import Lines, Squeezeformer
from adastride.text import Vocabulary

SUBSAMPLING_BLOCKS = 2
# Networks with a name of their own: what RecogniserConfig needs to build them.
MIXTURES: dict[str, dict[str, Any]] = {
    # The papers' DiffStride recogniser keeps the overall stride at 4 by a spectral pooling in the other block.
    "diffstride": {"methods": ("diffstride", "spectral-pool")},
}


def recogniser_options(name: str) -> dict[str, Any]:
    """The fields of `RecogniserConfig`, `methods` among them, that make the recogniser of this name.

    name: a registry key; DiffStride's has spectral pooling in its second block. Raises ValueError for any other name.

    >>> recogniser_options("diffstride")
    {'methods': ('diffstride', 'spectral-pool')}
    """
    if name not in METHODS:
        raise ValueError(f"there is no method {name!r}: choose one of {', '.join(METHODS)}")
    return dict(MIXTURES.get(name) or {"methods": (name,) * SUBSAMPLING_BLOCKS})


@dataclass(frozen=True)
class RecogniserConfig(NetworkConfig):
    """Everything that is needed to build a `Recogniser` again.

    units, tokens: the vocabulary, see `text.Vocabulary`. methods, strides: one for each of the two subsampling blocks. sigma: width of
    an alignment row in output frames, for the methods that take one. width: channels. blocks: of the encoder. heads: of its
    attention. kernel_size: of its depthwise convolutions, odd. encoder: whose blocks they are. dropout: inside of the encoder.
    front_end: a key of `audio.PRESETS`. learn_sigma, parameters: see `ClassifierConfig`.
    Raises ValueError for a method, size or value that is not allowed.
    """

    kind: ClassVar[str] = "recogniser"

    units: str
    tokens: tuple[str, ...]
    methods: tuple[str, ...] = ("adastride",) * SUBSAMPLING_BLOCKS
    strides: tuple[float, ...] = (2.0,) * SUBSAMPLING_BLOCKS
    sigma: float = 5**-0.5
    width: int = 144
    blocks: int = 4
    heads: int = 4
    kernel_size: int = 31
    encoder: Literal["squeezeformer", "conformer"] = "squeezeformer"
    dropout: float = 0.1
    front_end: str = "speech-recognition"
    learn_sigma: bool = False
    parameters: dict[str, float] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tokens", tuple(self.tokens))
        object.__setattr__(self, "methods", tuple(self.methods))
        object.__setattr__(self, "strides", tuple(maths.check_stride(s) for s in self.strides))
        object.__setattr__(self, "parameters", dict(self.parameters))
        self.vocabulary  # noqa: B018 (raises ValueError for tokens that can't be)
        maths.check_sigma(self.sigma)
        if len(self.methods) != SUBSAMPLING_BLOCKS or len(self.strides) != SUBSAMPLING_BLOCKS:
            raise ValueError(f"expected {SUBSAMPLING_BLOCKS} methods and strides, got {self.methods} and {self.strides}")
        for method in self.methods:
            if method not in METHODS:
                raise ValueError(f"unknown method {method!r}; choose one of {', '.join(METHODS)}")
        if self.front_end not in PRESETS:
            raise ValueError(f"unknown front end {self.front_end!r}; choose one of {', '.join(PRESETS)}")
        if self.encoder not in ("squeezeformer", "conformer"):
            raise ValueError(f"unknown encoder {self.encoder!r}; choose squeezeformer or conformer")
        for name, low, high in (("width", 1, 4096), ("blocks", 1, 64), ("heads", 1, 64), ("kernel_size", 1, 255)):
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise ValueError(f"{name} must be a whole number from {low} to {high}, got {value}")
        if self.width % (2 * self.heads):
            raise ValueError(f"width must be a multiple of twice the {self.heads} heads, got {self.width}")
        if self.kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd, got {self.kernel_size}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be from 0 to below 1, got {self.dropout}")
        check_parameters(self)

    @property
    def mel(self) -> MelPreset:
        return PRESETS[self.front_end]

    @functools.cached_property
    def vocabulary(self) -> Vocabulary:
        """What the network writes."""
        return Vocabulary(self.units, self.tokens)


class SubsamplingBlock(nn.Module):
    """Convolution, layer normalisation where the downsampler places frames, downsampling, SiLU. Shape: (batch, width, time)."""

    def __init__(self, config: RecogniserConfig, key: str, stride: float):
        super().__init__()
        self.downsampler = build_layer(config, key, stride)
        self.convolution = None if METHODS[key].replaces_convolution else nn.Conv1d(config.width, config.width, 3, padding=1)
        self.norm = nn.LayerNorm(config.width) if self.downsampler.scored else None

    def before(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Runs the block up to its downsampler, where nothing depends on the block's settings."""
        if self.convolution is None:  # and no normalisation: what convolves itself places no frames
            return x
        lines = Lines(maths.whole_numbers(lengths), x.device)
        line = lines.convolve(lines.join(x), self.convolution)
        return lines.split(line if self.norm is None else self.norm(line), x.shape[2]).transpose(1, 2)


class ConformerEncoder(nn.Module):
    """torchaudio's Conformer (Gulati et al., 2020) behind the Squeezeformer's interface, to compare.

    It computes on padding, so clips of one length are run together and no clip sees any.
    """

    def __init__(self, width: int, blocks: int, heads: int, kernel_size: int, dropout: float = 0.0):
        super().__init__()
        self.conformer = Conformer(width, heads, 4 * width, blocks, kernel_size, dropout, use_group_norm=True)

    def forward(self, x: Tensor, lengths: Sequence[int]) -> Tensor:
        def operate(group: Tensor) -> Tensor:
            frames = torch.full((len(group),), group.shape[2], device=group.device)
            return self.conformer(group.transpose(1, 2), frames)[0].transpose(1, 2)

        return by_length(x, torch.tensor(lengths), operate).transpose(1, 2)


class Recogniser(Network):
    """The network. Its signal is a natural-log mel (batch, n_mels, T), and its head holds logits (batch, frames, 1 + tokens).

    Frames are the output frames of the upper downsampling layer. Class 0 is CTC's blank.
    """

    config: RecogniserConfig

    def __init__(self, config: RecogniserConfig):
        super().__init__(config)
        self.projection = nn.Conv1d(config.mel.n_mels, config.width, 1)
        self.subsampling = nn.ModuleList(SubsamplingBlock(config, key, stride) for key, stride in zip(config.methods, config.strides, strict=True))
        encoder = Squeezeformer if config.encoder == "squeezeformer" else ConformerEncoder
        self.encoder = encoder(config.width, config.blocks, config.heads, config.kernel_size, config.dropout)
        self.head = nn.Linear(config.width, 1 + len(config.tokens))

    @property
    def downsamplers(self) -> list[Downsampler]:
        """The downsampling layers, lowest first."""
        return [block.downsampler for block in self._stack]

    @property
    def _stack(self) -> list[SubsamplingBlock]:
        """The blocks with their type; a ModuleList knows them only as modules of any kind."""
        return cast("list[SubsamplingBlock]", list(self.subsampling))

    def forward(
        self, signal: Tensor, lengths: Tensor | None = None, settings: Sequence[LayerSettings | None] | None = None,
        resumes: Sequence[Resume] = (), watch: Watch = unwatched,
    ) -> Output:
        """Runs the network, starting at the last of `resumes` where there are any; see `Network.forward`."""
        settings = self.check_settings(settings)
        kept, results, x = list(resumes), [], signal
        if not kept:
            lengths = maths.check_lengths(lengths, signal)
            lines = Lines(maths.whole_numbers(lengths), signal.device)
            line = lines.convolve(centred(lines.join(signal)), self.projection)
            x = lines.split(line, signal.shape[2]).transpose(1, 2)
        for place in range(max(len(kept) - 1, 0), SUBSAMPLING_BLOCKS):
            block = self._stack[place]
            if place == len(kept):
                kept.append(Resume(block.before(x, cast(Tensor, lengths)), cast(Tensor, lengths)))
            with watch(place):
                down = block.downsampler(kept[place].hidden, kept[place].lengths, settings[place])
            results.append(down)
            x, lengths = F.silu(down.values), down.lengths
        hidden = self.encoder(x, maths.whole_numbers(cast(Tensor, lengths)))
        loss = torch.stack([down.position_loss for down in results]).sum()
        return Output(self.head(hidden), tuple(results), loss, tuple(kept))

    def work_share(self, frames: Sequence[int]) -> float:
        """The share of multiply-adds for each frame that are left, relative to the same network with no stride anywhere.

        A subsampling block costs 3 width² for a frame and an encoder block 25 width², so almost all work is done at the last rate. A
        downsampler that convolves itself does so for its output frames only.

        >>> network = Recogniser(RecogniserConfig("words", ("one",), width=8, blocks=1))
        >>> round(network.work_share([80, 40, 20]), 3)
        0.347
        """
        encoder = 25 * self.config.blocks
        convolved = sum(frames[place + METHODS[method].replaces_convolution] for place, method in enumerate(self.config.methods))
        return float((3 * convolved + encoder * frames[-1]) / ((3 * SUBSAMPLING_BLOCKS + encoder) * frames[0]))
