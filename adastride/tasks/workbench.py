"""Codes and durations in a person's hands: edited, decoded, heard, and their codebook as a map.

A codebook's vectors have as many axes as the network has channels. Of these the two along which its codes differ most (principal
components) make a map, and a code's colour comes from its place there: codes that are alike look alike, in every picture.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from adastride.models.codec import Codec
from adastride.tasks.codes import Codes, CodesError, decode, with_durations_of
from adastride.tasks.mel_sound import mel_sound, power
from adastride.tasks.prediction import Audible

MOST_EDITED = 1_000  # codes
MOST_SECONDS = 60.0  # of an edited clip: its sound takes a tenth of that to make
_LIGHT, _DARK, _CHROMA = 0.82, 0.47, 0.13  # OKLab lightness on a light and on a dark page, and the most chroma
# OKLab to linear sRGB (B. Ottosson, 2020): cube roots of cone responses first.
_TO_ROOTS = np.array([[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.2914855480]])
_TO_RGB = np.array([
    [4.0767416621, -3.3077115913, 0.2309699292], [-1.2684380046, 2.6097574011, -0.3413193965], [-0.0041960863, -0.7034186147, 1.7076147010],
])


@dataclass(frozen=True)
class CodebookMap:
    """A codebook of K codes in two dimensions.

    points: (K, 2) along the two largest principal components, each from -1 to 1 at its farthest code. explained: the share of the
    codes' variance that both have together. paints: (K, 2) CSS colours on a light and on a dark page.
    """

    points: np.ndarray
    explained: float
    paints: tuple[tuple[str, str], ...]


def map_of(network: Codec) -> CodebookMap:
    """The map of a network's codebook."""
    codebook = network.quantiser.codebook.detach().float().cpu().numpy()
    return _map(codebook.tobytes(), codebook.shape)


@functools.lru_cache(maxsize=16)
def _map(data: bytes, shape: tuple[int, int]) -> CodebookMap:
    centred = np.frombuffer(data, np.float32).reshape(shape).astype(np.float64)
    centred = centred - centred.mean(axis=0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    places = np.zeros((len(centred), 2))
    count = min(2, len(sizes))
    places[:, :count] = left[:, :count] * sizes[:count]
    # A component's sign is arbitrary: the farthest code lies at 1.
    farthest = places[np.abs(places).argmax(axis=0), [0, 1]]
    points = places / np.where(np.abs(farthest) > 1e-12, farthest, 1.0)
    total = float(np.square(sizes).sum())
    # Ranks, because a few far codes would leave grey to all others.
    ranks = points.argsort(axis=0).argsort(axis=0) / max(len(points) - 1, 1) * 2 - 1
    hexes = [_hexes(np.column_stack([np.full(len(ranks), light), _CHROMA * ranks])) for light in (_LIGHT, _DARK)]
    return CodebookMap(points, float(np.square(sizes[:count]).sum()) / total if total else 0.0, tuple(zip(*hexes, strict=True)))


def _hexes(oklab: np.ndarray) -> list[str]:
    """CSS colours of OKLab ones (n, 3), cut to what a screen has."""
    linear = np.clip((oklab @ _TO_ROOTS.T) ** 3 @ _TO_RGB.T, 0, 1)
    values = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return ["#" + "".join(f"{round(255 * value):02x}" for value in colour) for colour in values]


@dataclass(frozen=True)
class Edit:
    """What a person asks for: codes and durations, then everything `stretch` times as long or as long as in `like`."""

    codes: tuple[int, ...]
    durations: tuple[int, ...]
    stretch: float | None = None
    like: tuple[tuple[int, ...], tuple[int, ...]] | None = None


@dataclass(frozen=True)
class Edited:
    """What an edit gives: its codes, their natural-log mel (n_mels, mel_frames), and the sound of it."""

    codes: Codes
    mel: np.ndarray
    sound: Audible


@dataclass(frozen=True)
class Workbench:
    """The codes of a run, to be edited.

    network: whose codes they are. codes: as the network made them. louder: by how much the clip's power is more than that of its decoded
    mel; what is edited is heard as loud as that.
    """

    network: Codec
    codes: Codes
    louder: Callable[[], float]

    @property
    def map(self) -> CodebookMap:
        return map_of(self.network)

    def apply(self, edit: Edit) -> Edited:
        """Raises CodesError, one sentence, for what can't be."""
        codes = self.codes.edited(_few(edit.codes), _few(edit.durations))
        if edit.like is not None:
            other, durations = edit.like
            codes = with_durations_of(self.network, codes, self.codes.edited(_few(other), _few(durations)))
        if edit.stretch is not None:
            if not 0.1 <= edit.stretch <= 10:
                raise CodesError(f"a speed of 1/{edit.stretch:g} can't be played: give one from 0.1 to 10.")
            codes = codes.stretched(edit.stretch)
        seconds = codes.mel_frames / self.network.config.mel.frames_per_second
        if seconds > MOST_SECONDS:
            raise CodesError(f"this would last {seconds:.0f} s, more than the {MOST_SECONDS:.0f} s that can be edited: shorten it.")
        mel, preset = decode(self.network, codes), self.network.config.mel
        return Edited(codes, mel, mel_sound("Edited", mel, preset, lambda: self.louder() * power(mel, preset)))


def _few(numbers: Sequence[int]) -> Sequence[int]:
    if len(numbers) > MOST_EDITED:
        raise CodesError(f"there are {len(numbers)} codes, more than the {MOST_EDITED} that can be edited: take a shorter clip.")
    return numbers
