"""The AdaStride paper's codec, a VQ-VAE of log-mel spectrograms (section 4.3, figure 4, appendices B and C).

The encoder has six pre-activation residual blocks, of which the first, third and fifth downsample. The second to last block's
downsampler may be any method of the registry; the other two are strided convolutions. A codebook replaces each of the encoder's
vectors by the nearest code. The decoder has six blocks again, of which the second, fourth and sixth upsample to exactly the frames that
there were: a frame gets the output frame in whose span it lies ("nearest neighbour"), but where AdaStride has placed frames, its
alignment brings them back (A_up, a softmax over output frames). A layer normalisation stands in front of a downsampler that places
frames by scores. The settings of one run are arguments; a run in evaluation mode never changes the module, which all sessions share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adastride import alignment as maths
from adastride.alignment import Alignment, AnyAlignment
from adastride.audio import PRESETS, MelPreset
from adastride.downsampling import METHODS, Downsampler, LayerSettings
from adastride.models.blocks import CENTRE, SPREAD, MaskedBatchNorm, ResidualBlock, centred, masked, padding_mask
from adastride.models.layers import build_blocks, check_parameters
from adastride.models.network import Network, NetworkConfig, Output, Resume, Watch, unwatched
from adastride.models.quantiser import Quantiser

BLOCKS = 6
DOWNSAMPLING_BLOCKS = (0, 2, 4)  # of the encoder; the decoder upsamples in the blocks behind, the last layer first
FIXED = "strided-conv"  # what the layers below the chosen one are


def codec_options(name: str) -> dict[str, Any]:
    """The fields of `CodecConfig` that make the codec of this name, a registry key. Raises ValueError for any other name.

    >>> codec_options("adastride")
    {'methods': ('strided-conv', 'strided-conv', 'adastride')}
    """
    if name not in METHODS:
        raise ValueError(f"there is no method {name!r}: choose one of {', '.join(METHODS)}")
    return {"methods": (FIXED, FIXED, name)}


@dataclass(frozen=True)
class CodecConfig(NetworkConfig):
    """Everything that is needed to build a `Codec` again.

    codes: how many the codebook has. methods, strides: one for each downsampling block; the lower two methods are strided
    convolutions. sigma: width of an alignment row in output frames, for a method that takes one; the paper has 10^-1/2, with which strides
    stayed more even and errors larger on our data. width: channels, of the codes as
    well. front_end: a key of `audio.PRESETS`. learn_sigma, parameters: see `ClassifierConfig`.
    Raises ValueError for a method, size or value that is not allowed.
    """

    kind: ClassVar[str] = "codec"

    codes: int = 512
    methods: tuple[str, ...] = (FIXED, FIXED, "adastride")
    strides: tuple[float, ...] = (2.0,) * 3
    sigma: float = 1.0
    width: int = 128
    front_end: str = "vq-vae"
    learn_sigma: bool = False
    parameters: dict[str, float] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "methods", tuple(self.methods))
        object.__setattr__(self, "strides", tuple(maths.check_stride(s) for s in self.strides))
        object.__setattr__(self, "parameters", dict(self.parameters))
        maths.check_sigma(self.sigma)
        layers = len(DOWNSAMPLING_BLOCKS)
        if len(self.methods) != layers or len(self.strides) != layers:
            raise ValueError(f"expected {layers} methods and strides, got {self.methods} and {self.strides}")
        for method in self.methods:
            if method not in METHODS:
                raise ValueError(f"unknown method {method!r}; choose one of {', '.join(METHODS)}")
        if set(self.methods[:-1]) != {FIXED}:
            raise ValueError(f"the lower methods of a codec must be {FIXED}, got {', '.join(self.methods[:-1])}")
        if self.front_end not in PRESETS:
            raise ValueError(f"unknown front end {self.front_end!r}; choose one of {', '.join(PRESETS)}")
        for name, low, high in (("width", 1, 4096), ("codes", 2, 65_536)):
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise ValueError(f"{name} must be a whole number from {low} to {high}, got {value}")
        check_parameters(self)

    @property
    def mel(self) -> MelPreset:
        return PRESETS[self.front_end]


@dataclass(frozen=True)
class Upsampling:
    """How the decoder gets back from a layer's output frames to its input frames.

    origins: (batch, time) int64, the output frame that each input frame gets; any past its length. lengths: (batch,) numbers of input
    frames. alignment: what upsamples softly, by A_up; None where frames are repeated as `origins` says.
    """

    origins: Tensor
    lengths: Tensor
    alignment: Alignment | None = None

    @classmethod
    def of(cls, alignment: AnyAlignment, lengths: Tensor, time: int) -> Upsampling:
        """The upsampling that goes with a layer's alignment.

        AdaStride's is soft. AdaStride-F has nothing to be soft with, a frame belongs to one output frame alone; its frames are repeated as
        are those of all methods without positions of their own. lengths: (batch,) of the layer's input, padded to `time` frames.
        """
        origins = origins_of(alignment, time).to(lengths.device, non_blocking=True)
        soft = isinstance(alignment, Alignment) and not alignment.nearest
        return cls(origins, lengths, cast(Alignment, alignment) if soft else None)

    def __call__(self, y: Tensor) -> Tensor:
        """Upsamples y. Shape: (batch, channels, L) -> (batch, channels, time), zero past each example's length."""
        if self.alignment is not None:
            return self.alignment.upsample(y)
        repeated = y.gather(2, self.origins[:, None].expand(-1, y.shape[1], -1))
        return masked(repeated, padding_mask(self.lengths, self.origins.shape[1]))


def origins_of(alignment: AnyAlignment, time: int) -> Tensor:
    """The output frame that each input frame gets where frames are repeated: (batch, time) int64, any past an example's length.

    For AdaStride it is the argmax of the column of A_up: the output frame nearest to the frame's position, the lower of equals. For
    AdaStride-F it is the one that the frame counts for, and for others the one in whose span the middle of the frame lies.
    """
    if isinstance(alignment, Alignment):
        return (alignment.positions.round() if alignment.nearest else (alignment.positions - 0.5).ceil()).long()
    edges = alignment.boundaries()
    middles = torch.arange(time, dtype=edges.dtype, device=edges.device) + 0.5
    found = torch.searchsorted(edges[:, 1:].contiguous(), middles.expand(len(edges), -1).contiguous())
    return found.clamp(max=edges.shape[1] - 2)


@dataclass(frozen=True)
class Coded(Output):
    """What a run of a codec returns. Its head is the reconstructed log-mel, (batch, n_mels, T), zero past each example's length.

    signal: the log-mel that was encoded, of the same shape. lengths: (batch,) its valid frames. codes: (batch, L) int64, -1 past an
    example's last code. origins: (batch, T) int64, the place of the code that each mel frame is made of most, -1 past its length: what
    durations are counted by. commitment: a scalar, equation 9. upsamplings: how the decoder got back, of every layer, lowest first.
    """

    signal: Tensor
    lengths: Tensor
    codes: Tensor
    origins: Tensor
    commitment: Tensor
    upsamplings: tuple[Upsampling, ...]


def durations_of(coded: Coded, example: int = 0) -> Tensor:
    """How many mel frames are made most of each code of an example: (L,) int64, which sum to its mel frames. A code may have none."""
    count = int(coded.downsampled[-1].lengths[example])
    return torch.bincount(coded.origins[example, : int(coded.lengths[example])].cpu(), minlength=count)


class CodecBlock(ResidualBlock):
    """A residual block of the encoder, with a layer normalisation in front of a downsampler that places frames by scores.

    The normalisation keeps the exponential of vector positioning in bounds (appendix C).
    """

    def __init__(self, width: int, downsampler: Downsampler | None = None, convolve: bool = True):
        super().__init__(width, downsampler, convolve)
        self.norm = nn.LayerNorm(width) if downsampler is not None and downsampler.scored else None

    def before(self, x: Tensor, mask: Tensor | None) -> Tensor:
        hidden = super().before(x, mask)
        return hidden if self.norm is None else masked(self.norm(hidden.transpose(1, 2)).transpose(1, 2), mask)


class Codec(Network):
    """The network. Its signal is a natural-log mel (batch, n_mels, T), and it returns a `Coded`."""

    config: CodecConfig

    def __init__(self, config: CodecConfig):
        super().__init__(config)
        self.projection = nn.Conv1d(config.mel.n_mels, config.width, 1)
        self.encoder = build_blocks(config, CodecBlock, BLOCKS, DOWNSAMPLING_BLOCKS)
        self.encoded = _Last(config.width, config.width)
        self.quantiser = Quantiser(config.codes, config.width)
        self.decoder = nn.ModuleList(ResidualBlock(config.width) for _ in range(BLOCKS))
        self.decoded = _Last(config.width, config.mel.n_mels)

    @property
    def downsamplers(self) -> list[Downsampler]:
        """The downsampling layers, lowest first."""
        return [block.downsampler for block in self._encoder if block.downsampler is not None]

    @property
    def _encoder(self) -> list[CodecBlock]:
        """The blocks with their type; a ModuleList knows them only as modules of any kind."""
        return cast("list[CodecBlock]", list(self.encoder))

    def forward(
        self, signal: Tensor, lengths: Tensor | None = None, settings: Sequence[LayerSettings | None] | None = None,
        resumes: Sequence[Resume] = (), watch: Watch = unwatched,
    ) -> Coded:
        """Runs the network, starting at the last of `resumes` where there are any; see `Network.forward`.

        What a layer's `Resume` carries: the block's input, the signal, and the origins and lengths of the upsampling of every layer below.
        """
        settings = self.check_settings(settings)
        kept, results, upsamplings = list(resumes), [], list[Upsampling]()
        if kept:
            first, lengths = DOWNSAMPLING_BLOCKS[len(kept) - 1], kept[-1].lengths
            x, signal, *below = kept[-1].carried
            upsamplings = [Upsampling(*pair) for pair in zip(below[::2], below[1::2], strict=True)]
            mask = padding_mask(lengths, x.shape[2])
        else:
            first, lengths = 0, maths.check_lengths(lengths, signal)
            mask = padding_mask(lengths, signal.shape[2])
            signal = masked(signal, mask)
            x = masked(self.projection(centred(signal)), mask)
        for index, block in enumerate(self._encoder[first:], start=first):
            if block.downsampler is None:
                x = block.after(block.before(x, mask), x, mask)
                continue
            place = DOWNSAMPLING_BLOCKS.index(index)
            if place == len(kept):
                below = [tensor for upsampling in upsamplings for tensor in (upsampling.origins, upsampling.lengths)]
                kept.append(Resume(block.before(x, mask), lengths, (x, signal, *below)))
            resume = kept[place]
            with watch(place):
                down = block.downsampler(resume.hidden, lengths, settings[place])
                shortcut = block.downsampler.shortcut(resume.carried[0], lengths, down)
            results.append(down)
            upsamplings.append(Upsampling.of(down.alignment, lengths, resume.hidden.shape[2]))
            lengths = down.lengths
            mask = padding_mask(lengths, down.values.shape[2])
            x = block.after(down.values, shortcut, mask)
        quantised = self.quantiser(self.encoded(x, mask), mask)
        mel = self.reconstruct(quantised.values, lengths, upsamplings)
        loss = torch.stack([down.position_loss for down in results]).sum()
        return Coded(
            mel, tuple(results), loss, tuple(kept), signal=signal, lengths=upsamplings[0].lengths, codes=quantised.indices,
            origins=_composed(upsamplings), commitment=quantised.commitment, upsamplings=tuple(upsamplings),
        )

    def reconstruct(self, values: Tensor, lengths: Tensor, upsamplings: Sequence[Upsampling]) -> Tensor:
        """The log-mel that the decoder makes of the vectors of codes.

        values: (batch, width, L). lengths: (batch,) numbers of codes. upsamplings: of every downsampling layer, lowest first.
        Shape: -> (batch, n_mels, T), zero past each example's length.
        """
        x, mask = values, padding_mask(lengths, values.shape[2])
        coming = list(upsamplings)
        for index, block in enumerate(cast("list[ResidualBlock]", list(self.decoder))):
            hidden = block.before(x, mask)
            if index - 1 in DOWNSAMPLING_BLOCKS:
                upsample = coming.pop()
                hidden, x = upsample(hidden), upsample(x)
                mask = padding_mask(upsample.lengths, x.shape[2])
            x = block.after(hidden, x, mask)
        return masked(self.decoded(x, mask) * SPREAD + CENTRE, mask)

    def work_share(self, frames: Sequence[int]) -> float:
        """The share of frames that convolutions work on, relative to the same network with no stride anywhere.

        >>> network = Codec(CodecConfig(width=1, codes=2))
        >>> round(network.work_share([80, 40, 20, 10]), 3)
        0.333
        """
        # The encoder's blocks that downsample begin at the rate above, or below where the downsampler convolves itself.
        convolved = sum(frames[place + METHODS[method].replaces_convolution] for place, method in enumerate(self.config.methods))
        convolved += 3 * sum(frames[1:])  # the second of a block that downsamples, and both of the next
        convolved += 2 * frames[-1] + sum(frames[1:]) + sum(frames[:-1]) + 2 * sum(frames[1:-1])  # the decoder's
        return float(convolved / (4 * BLOCKS * frames[0]))


class _Last(nn.Module):
    """What stands behind a stack of blocks: normalisation, ReLU and a 1x1 convolution.

    Shape: (batch, width, time) -> (batch, outputs, time).
    """

    def __init__(self, width: int, outputs: int):
        super().__init__()
        self.norm = MaskedBatchNorm(width)
        self.projection = nn.Conv1d(width, outputs, 1)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        return masked(self.projection(F.relu(self.norm(x, mask))), mask)


def _composed(upsamplings: Sequence[Upsampling]) -> Tensor:
    """The place of the code that each frame of the lowest layer's input comes from: (batch, T) int64, -1 past its length."""
    origins = upsamplings[0].origins
    for upsampling in upsamplings[1:]:
        origins = upsampling.origins.gather(1, origins.clamp(max=upsampling.origins.shape[1] - 1))
    mask = padding_mask(upsamplings[0].lengths, origins.shape[1])
    return origins if mask is None else origins.masked_fill(~mask, -1)
