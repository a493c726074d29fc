"""Audio transformers that classify: ElasticAST for clips of any length, or the standard AST at one length, of a log-mel's patches.

A transformer of patches has no downsampling layer of its own. In front of the patches one may stand, of any method of the registry, which
downsamples the mel in time: average pooling lowers the resolution everywhere, and AdaStride lets tokens gather where something happens.
The settings of one run are arguments; a run never changes the module, which all sessions share.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from torch import Tensor

from adastride import alignment as maths
from adastride.audio import PRESETS, MelPreset
from adastride.downsampling import METHODS, Downsampler, LayerSettings
from adastride.downsampling.base import zero_padding
from adastride.models.blocks import centred
from adastride.models.elastic import AST, PATCH, ROW_TOKENS, Attended, ElasticAST
from adastride.models.layers import build_layer, check_parameters
from adastride.models.network import Network, NetworkConfig, Output, Resume, Watch, unwatched

AST_SECONDS = 5.0  # of an AST whose name says nothing else
_AST = re.compile(r"ast(?:-(\d{1,3}(?:\.\d)?)s)?")
BEFORE_ELASTIC = "elastic-"  # and a method: the name of an ElasticAST with a layer in front


def transformer_options(name: str) -> dict[str, Any]:
    """The fields of `AudioTransformerConfig`, `methods` among them, that make the transformer of this name.

    name: "elastic"; "ast", or "ast-2s" for clips of 2 s; "elastic-METHOD" or METHOD, which is ElasticAST with a downsampling of the mel in
    front of it. Raises ValueError for any other name.

    >>> transformer_options("ast-2s"), transformer_options("elastic-adastride")
    ({'methods': (), 'frames': 200}, {'methods': ('adastride',)})
    """
    if name == "elastic":
        return {"methods": ()}
    if ast := _AST.fullmatch(name):
        frames = round(float(ast[1] or AST_SECONDS) * PRESETS[AudioTransformerConfig.front_end].frames_per_second)
        if frames:
            return {"methods": (), "frames": frames}
    front = name.removeprefix(BEFORE_ELASTIC)
    if front not in METHODS:
        raise ValueError(f"there is no audio transformer {name!r}: choose elastic, ast, ast-2s or elastic- and one of {', '.join(METHODS)}")
    return {"methods": (front,)}


def transformer_label(name: str) -> str:
    """What a person calls the transformer of this name, which is not that of a method alone. Raises KeyError for any other name.

    >>> transformer_label("elastic"), transformer_label("ast-2s"), transformer_label("elastic-adastride")
    ('ElasticAST', 'AST of 2 s', 'AdaStride + ElasticAST')
    """
    if name == "elastic":
        return "ElasticAST"
    if ast := _AST.fullmatch(name):
        return f"AST of {float(ast[1] or AST_SECONDS):g} s"
    if not name.startswith(BEFORE_ELASTIC):
        raise KeyError(name)
    return f"{METHODS[name.removeprefix(BEFORE_ELASTIC)].label} + ElasticAST"


@dataclass(frozen=True)
class AudioTransformerConfig(NetworkConfig):
    """Everything that is needed to build an `AudioTransformer` again.

    labels: the classes. methods: the registry key of the downsampling of the mel in time before its patches, or none. strides: of what
    is there, 2 where it is not given. sigma: width of an alignment row in output frames, for a method that takes one. frames: None for
    ElasticAST; a number for the standard AST, which crops and pads to so many frames of what comes before it. width: channels. blocks,
    heads: of the transformer. patch: bands and frames of a patch. dropout: of what a block adds. row_tokens, best_fit: how clips are
    packed, see `elastic.pack_rows`. front_end: a key of `audio.PRESETS`. learn_sigma, parameters: see `ClassifierConfig`.
    Raises ValueError for a method, size or value that is not allowed.
    """

    kind: ClassVar[str] = "audio-transformer"

    labels: tuple[str, ...]
    methods: tuple[str, ...] = ()
    strides: tuple[float, ...] = ()
    sigma: float = 5**-0.5
    frames: int | None = None
    width: int = 192
    blocks: int = 4
    heads: int = 3
    patch: int = PATCH
    dropout: float = 0.1
    row_tokens: int = ROW_TOKENS
    best_fit: bool = False
    front_end: str = "audio-transformer"
    learn_sigma: bool = False
    parameters: dict[str, float] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", tuple(str(label) for label in self.labels))
        object.__setattr__(self, "methods", tuple(self.methods))
        object.__setattr__(self, "strides", tuple(maths.check_stride(s) for s in self.strides or (2.0,) * len(self.methods)))
        object.__setattr__(self, "parameters", dict(self.parameters))
        maths.check_sigma(self.sigma)
        if len(self.methods) > 1 or len(self.strides) != len(self.methods):
            raise ValueError(f"expected at most one method and its stride, got {self.methods} and {self.strides}")
        for method in self.methods:
            if method not in METHODS:
                raise ValueError(f"unknown method {method!r}; choose one of {', '.join(METHODS)}, or none")
        if len(self.labels) < 2 or len(set(self.labels)) != len(self.labels):
            raise ValueError("labels must be at least two different names")
        if self.front_end not in PRESETS:
            raise ValueError(f"unknown front end {self.front_end!r}; choose one of {', '.join(PRESETS)}")
        for name, low, high in (
            ("width", 1, 4096), ("blocks", 1, 64), ("heads", 1, 64), ("patch", 1, 128), ("row_tokens", 1, 1 << 20), ("frames", 1, 1 << 20),
        ):
            value = getattr(self, name)
            if (name != "frames" or value is not None) and (type(value) is not int or not low <= value <= high):
                raise ValueError(f"{name} must be a whole number from {low} to {high}, got {value}")
        if self.width % (2 * self.heads):
            raise ValueError(f"width must be a multiple of twice the {self.heads} heads, got {self.width}")
        if self.mel.n_mels % self.patch:
            raise ValueError(f"patch must divide the {self.mel.n_mels} bands of {self.front_end}, got {self.patch}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be from 0 to below 1, got {self.dropout}")
        if type(self.best_fit) is not bool:
            raise ValueError(f"best_fit must be true or false, got {self.best_fit!r}")
        if not self.methods and (self.learn_sigma or self.parameters):
            raise ValueError("learn_sigma and parameters are for a method in front, and there is none: choose one")
        check_parameters(self)

    @property
    def mel(self) -> MelPreset:
        return PRESETS[self.front_end]


@dataclass(frozen=True)
class Seen(Output):
    """An `Output` for one clip, with what its attention was made of."""

    attended: Attended


class AudioTransformer(Network):
    """The network. Its signal is a natural-log mel (batch, n_mels, T), and its head holds the logits (batch, classes).

    The layer in front gets the mel as networks take it in, about 0 and about as large as 1, so that scores of its frames stay in bounds
    without a normalisation, and what it gives is a mel still: how loud a frame is can be seen in its patches.
    """

    config: AudioTransformerConfig

    def __init__(self, config: AudioTransformerConfig):
        super().__init__(config)
        bands = config.mel.n_mels
        self.front: Downsampler | None = None
        if config.methods:
            self.front = build_layer(config, config.methods[0], config.strides[0], bands)
        classes = len(config.labels)
        self.transformer: ElasticAST | AST
        if config.frames is None:
            self.transformer = ElasticAST(
                classes, bands=bands, patch=config.patch, width=config.width, blocks=config.blocks, heads=config.heads,
                dropout=config.dropout, row_tokens=config.row_tokens, best_fit=config.best_fit,
            )
        else:
            self.transformer = AST(
                classes, config.frames, bands=bands, patch=config.patch, width=config.width, blocks=config.blocks, heads=config.heads,
                dropout=config.dropout,
            )

    @property
    def downsamplers(self) -> list[Downsampler]:
        """The layer in front of the patches, or none."""
        return [] if self.front is None else [self.front]

    def forward(
        self, signal: Tensor, lengths: Tensor | None = None, settings: Sequence[LayerSettings | None] | None = None,
        resumes: Sequence[Resume] = (), watch: Watch = unwatched,
    ) -> Output:
        """Runs the network, starting at the last of `resumes` where there are any; see `Network.forward`."""
        frames, lengths, output = self._before_patches(signal, lengths, settings, resumes, watch)
        return replace(output, head=self._answer(frames, lengths))

    def looked_at(
        self, signal: Tensor, settings: Sequence[LayerSettings | None] | None = None, resumes: Sequence[Resume] = (),
        watch: Watch = unwatched,
    ) -> Seen:
        """`forward` for one clip, with what its attention was made of."""
        frames, lengths, output = self._before_patches(signal, None, settings, resumes, watch)
        head, attended = self.transformer.attended(frames[0, :, : int(lengths[0])])
        return Seen(head, output.downsampled, output.position_loss, output.resumes, attended)

    def _before_patches(
        self, signal: Tensor, lengths: Tensor | None, settings: Sequence[LayerSettings | None] | None, resumes: Sequence[Resume],
        watch: Watch,
    ) -> tuple[Tensor, Tensor, Output]:
        """The frames that are cut into patches (batch, n_mels, frames), how many of them are valid, and the output without its head."""
        settings = self.check_settings(settings)
        if resumes:
            start = resumes[-1]
        else:
            lengths = maths.check_lengths(lengths, signal)
            # Some layers weigh padding with 0, so it has to be numbers.
            start = Resume(zero_padding(centred(signal), lengths), lengths)
        none = start.hidden.new_zeros(())
        if self.front is None:
            return start.hidden, start.lengths, Output(none, (), none, ())
        with watch(0):
            down = self.front(start.hidden, start.lengths, settings[0])
        return down.values, down.lengths, Output(none, (down,), down.position_loss, (start,))

    def _answer(self, x: Tensor, lengths: Tensor) -> Tensor:
        """The logits for mels (batch, n_mels, frames), of which the transformer gets the valid frames alone."""
        return self.transformer([clip[:, :length] for clip, length in zip(x, maths.whole_numbers(lengths), strict=True)])

    def effort(self, frames: int) -> tuple[int, int]:
        """The tokens and the multiply-adds of the blocks for a clip of so many frames, after what stands in front of the patches."""
        return self.transformer.tokens_of(frames), self.transformer.multiply_adds(frames)

    def work_share(self, frames: Sequence[int]) -> float:
        """The share of multiply-adds of the blocks that are left, relative to the same network with no stride in front.

        Attention makes it fall faster than the number of tokens. The standard AST pads, and so always works as much.

        >>> network = AudioTransformer(AudioTransformerConfig(("a", "b"), methods=("avg-pool",), width=192, blocks=1))
        >>> round(network.work_share([1024, 512]), 3)
        0.423
        """
        return self.transformer.multiply_adds(frames[-1]) / self.transformer.multiply_adds(frames[0])
