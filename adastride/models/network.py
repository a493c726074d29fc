"""The contract of networks: modules whose downsampling layers can be looked at, run with other settings, and resumed.

Whatever looks at networks (tracing, viewer, links, comparison, sweep, training, grid) knows this contract and no class.
All sessions of a server share a network. A run never changes it, so everything that belongs to one run is an argument.
"""

from __future__ import annotations

import hashlib
import json
import math
import types
import typing
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor, nn

from adastride import audio
from adastride.audio import MelPreset, Waveform
from adastride.downsampling import Downsampled, Downsampler, LayerSettings
from adastride.wording import one_line

MOST_LAYERS = 8  # that pages have colours and room for
_MOST_WHOLE, _MOST_LETTERS, _MOST_ENTRIES = 2**31 - 1, 10_000, 10_000  # in a field of a configuration that is read from a file


@dataclass(frozen=True)
class ModelConfig(ABC):
    """Everything that is needed to build a network again, of sound or of pictures. A subclass is a frozen dataclass of numbers, texts and
    tuples of them.

    kind: the word for this kind of network in checkpoints, a key of `adastride.tasks.KINDS` or `PICTURE_KINDS`.
    """

    kind: ClassVar[str]

    @property
    @abstractmethod
    def methods(self) -> tuple[str, ...]:
        """The registry key of every downsampling layer, lowest first."""

    def to_dict(self) -> dict:
        """The fields, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The configuration of `to_dict`'s fields, as they come from JSON that anybody may have written.

        Each value is held against the type of its field before the class sees it. Raises ValueError, with the name of the field,
        for any other, for numbers and texts beyond all measure, and for what the class itself refuses.
        """
        return _dataclass_from(cls, values)


@dataclass(frozen=True)
class NetworkConfig(ModelConfig):
    """The configuration of a network of sound. kind: a key of `adastride.tasks.KINDS`."""

    @property
    @abstractmethod
    def mel(self) -> MelPreset:
        """The log-mel front end that makes the network's signal of a sound."""


def _dataclass_from(kind: Any, values: Any) -> Any:
    if not isinstance(values, Mapping):
        raise ValueError(f"expected fields of a {kind.__name__}, got {_short(values)}")
    hints, known = typing.get_type_hints(kind), [field.name for field in fields(kind) if field.init]
    unknown = sorted(map(str, values.keys() - set(known)))
    if unknown:
        raise ValueError(f"unknown field {_short(unknown[0])}")
    checked = {name: _checked(values[name], hints[name], name) for name in known if name in values}
    try:
        return kind(**checked)
    except (TypeError, KeyError, ArithmeticError) as error:  # a required field is missing, or values that do not go together
        raise ValueError(str(error)) from None


def _checked(value: Any, hint: Any, name: str) -> Any:
    """A value from JSON as what a field of this type holds; ValueError for one that it can't hold."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Union or origin is types.UnionType:
        for choice in inner:
            try:
                return _checked(value, choice, name)
            except ValueError:
                continue
    elif origin is Literal:
        if any(type(value) is type(choice) and value == choice for choice in inner):
            return value
    elif origin is tuple and isinstance(value, list | tuple) and len(value) <= _MOST_ENTRIES:
        each = inner[:1] * len(value) if inner[1:] == (...,) else inner
        if len(each) == len(value):
            return tuple(_checked(one, other, name) for one, other in zip(value, each, strict=True))
    elif origin is dict and isinstance(value, Mapping) and len(value) <= _MOST_ENTRIES:
        return {_checked(key, inner[0], name): _checked(one, inner[1], name) for key, one in value.items()}
    elif is_dataclass(hint):
        return _dataclass_from(hint, value)
    elif _fits(value, hint):
        return value
    raise ValueError(f"{name} can't be {_short(value)}")


def _fits(value: Any, hint: Any) -> bool:
    if hint is float:  # JSON writes 2.0 as 2 in some languages
        return type(value) in (int, float) and abs(value) <= 1e300 and math.isfinite(value)
    if hint is int:
        return type(value) is int and abs(value) <= _MOST_WHOLE
    if hint is str:
        return type(value) is str and len(value) <= _MOST_LETTERS
    return hint in (bool, type(None)) and type(value) is hint


def _short(value: Any) -> str:
    """A value of any size in an error message."""
    if type(value) is int and abs(value) > _MOST_WHOLE:  # writing it out would take longer than reading it, or be refused
        return "so large a number"
    return one_line(repr(value), 60)


@dataclass(frozen=True)
class Resume:
    """The state of a network just before a downsampling layer, at which a later run with other settings of that layer can start.

    hidden: (batch, channels, time), the input of the layer. lengths: (batch,). carried: what else the network needs to go on, such
    as a block's input for its shortcut.
    """

    hidden: Tensor
    lengths: Tensor
    carried: tuple[Tensor, ...] = ()


@dataclass(frozen=True)
class Output:
    """What a run of a network returns.

    head: the network's answer, (batch, ...), whose meaning its task knows. downsampled: the result of each downsampling layer that
    this run computed, lowest first; a resumed run does not compute all of them. position_loss: a scalar, the sum over these layers.
    resumes: one `Resume` for every downsampling layer, those that were handed in included.
    """

    head: Tensor
    downsampled: tuple[Downsampled, ...]
    position_loss: Tensor
    resumes: tuple[Resume, ...]


Watch = Callable[[int], AbstractContextManager]


def unwatched(layer: int) -> AbstractContextManager:
    """A `Watch` that does nothing, for runs whose time nobody measures."""
    return nullcontext()


class Model(nn.Module):
    """A module with a configuration from which it can be built again, of sound or of pictures.

    name: what people and the caches of pages call it, a catalogue name or a file's stem. Two models may have the same name; their
    `fingerprint` tells them apart.
    """

    config: ModelConfig

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.name = "untitled"
        self._known_fingerprint: tuple[tuple, str] | None = None

    @property
    def device(self) -> torch.device:
        """The device on which its weights are."""
        return next(self.parameters()).device

    @property
    def fingerprint(self) -> str:
        """32 hexadecimal digits that no network with other weights, statistics or configuration has.

        It is worked out again only after a tensor has been replaced or changed in place.
        """
        tensors = self.state_dict(keep_vars=True)
        version = tuple((name, t.data_ptr(), 0 if t.is_inference() else t._version) for name, t in tensors.items())
        if self._known_fingerprint is None or self._known_fingerprint[0] != version:
            digest = hashlib.sha256(json.dumps([self.config.kind, self.config.to_dict()], sort_keys=True, default=str).encode())
            for name, tensor in tensors.items():
                value = tensor.detach().cpu().contiguous()
                digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
                digest.update(value.view(torch.uint8).numpy().data if value.dim() else value.reshape(1).view(torch.uint8).numpy().data)
            self._known_fingerprint = version, digest.hexdigest()[:32]
        return self._known_fingerprint[1]

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Puts the network into evaluation mode, and every module back into its own mode afterwards.

        A network that is in evaluation mode already is not touched, so that sessions that share a network never change it.
        """
        training = [module for module in self.modules() if module.training]
        for module in training:
            module.training = False
        try:
            yield
        finally:
            for module in training:
                module.training = True


class Network(Model, ABC):
    """A network of sound with downsampling layers. A subclass sets `config` and defines `downsamplers` and `forward`."""

    config: NetworkConfig

    @property
    @abstractmethod
    def downsamplers(self) -> list[Downsampler]:
        """The downsampling layers, lowest first. How many there are is known here and nowhere else; there may be none."""

    @abstractmethod
    def forward(
        self, signal: Tensor, lengths: Tensor | None = None, settings: Sequence[LayerSettings | None] | None = None,
        resumes: Sequence[Resume] = (), watch: Watch = unwatched,
    ) -> Output:
        """Runs the network.

        signal: (batch, channels, T), see `signal`. lengths: (batch,) numbers of valid frames, None where all are valid. settings: one
        for each downsampling layer, None for as trained. resumes: the first few `resumes` of an earlier output; the run starts at the
        last of them and uses neither signal nor lengths. watch: called with the number of each layer (0 is the lowest), returns a
        context manager that is entered while the layer runs, to measure its time from outside.
        Raises ValueError for settings of another number of layers.
        """

    def looked_at(
        self, signal: Tensor, settings: Sequence[LayerSettings | None] | None = None, resumes: Sequence[Resume] = (),
        watch: Watch = unwatched,
    ) -> Output:
        """`forward` for one clip that somebody looks at, (1, channels, T): the same numbers, and what this kind of network has to show.

        Training and evaluation of many clips do not keep what would be shown, and so do not pay for it.
        """
        return self(signal, settings=settings, resumes=resumes, watch=watch)

    @abstractmethod
    def work_share(self, frames: Sequence[int]) -> float:
        """The share of frames that the network works on, relative to the same network with no stride anywhere.

        frames: the input frames of the lowest layer, then the output frames of every layer.
        """

    def signal(self, waveform: Waveform, resolution: float = 1.0) -> Tensor:
        """The network's input for a sound of any rate: its log-mel, (1, n_mels, T).

        resolution: the frame shift over the network's own.
        """
        return audio.mel_of(waveform, self.config.mel.coarser(resolution))[None]

    def check_settings(self, settings: Sequence[LayerSettings | None] | None) -> tuple[LayerSettings | None, ...]:
        """The settings of every downsampling layer. Raises ValueError where there are more or fewer of them than layers."""
        layers = len(self.downsamplers)
        settings = tuple(settings) if settings is not None else (None,) * layers
        if len(settings) != layers:
            raise ValueError(f"expected settings for {layers} layers, got {len(settings)}")
        return settings
