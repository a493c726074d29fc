"""Clips in rows of tokens, as ElasticAST packs them: which clips, how long each is in tokens, and what of the rows is padding."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from adastride.audio import PRESETS
from adastride.clip_seconds import ClipSeconds
from adastride.models.audio_transformer import AudioTransformerConfig
from adastride.models.elastic import PATCH, ROW_TOKENS, Packing

MOST_CLIPS, MOST_SECONDS = 64, 60.0  # of a batch that is packed for people to look at, and of a clip of it
ROW_SIZES = (256, 512, 1024, ROW_TOKENS, 4096, 8192)
METHODS = {False: "First come", True: "Best fit"}  # by whether best fit


class PackError(ValueError):
    """Clips that can't be packed; the message is one sentence that says what to type."""


@dataclass(frozen=True)
class Packed:
    """Some clips in rows.

    seconds, tokens, row, offset: of each clip, its length, its row, and the place of its first token in the row. limit: the tokens that a
    row has room for. width: the tokens of the longest row, to which all are padded (N').
    """

    seconds: tuple[float, ...]
    tokens: tuple[int, ...]
    row: tuple[int, ...]
    offset: tuple[int, ...]
    limit: int
    width: int
    best_fit: bool

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return 1 + max(self.row, default=-1)

    @property
    def pad_ratio(self) -> float:
        """The share of the padded rows that is padding (the paper's table 1)."""
        size = self.rows * self.width
        return 1 - sum(self.tokens) / size if size else 0.0

    @property
    def seen(self) -> float:
        """The share of the pairs of tokens in the padded rows that the mask lets see each other, from 0 to 1."""
        pairs = self.rows * self.width**2
        return sum(count**2 for count in self.tokens) / pairs if pairs else 0.0

    @property
    def filled(self) -> list[int]:
        """How many tokens of each row belong to clips."""
        filled = [0] * self.rows
        for row, count in zip(self.row, self.tokens, strict=True):
            filled[row] += count
        return filled


def tokens_of(seconds: float) -> int:
    """How many tokens a clip has: a column of them for each 16 frames of its mel that have begun.

    >>> tokens_of(2.0), tokens_of(0.01)
    (104, 8)
    """
    mel = PRESETS[AudioTransformerConfig.front_end]
    frames = 1 + int(seconds * mel.sample_rate) // mel.hop
    return mel.n_mels // PATCH * -(-frames // PATCH)


def pack(seconds: Sequence[float], limit: int = ROW_TOKENS, best_fit: bool = False) -> Packed:
    """Packs clips of these lengths. Where one is longer than a row, rows are as long as it is, as in the network.

    >>> packed = pack([2.0, 8.0, 0.5], 512)
    >>> packed.tokens, packed.row, packed.width, round(packed.pad_ratio, 3)
    ((104, 408, 32), (0, 0, 1), 512, 0.469)
    """
    tokens = [tokens_of(each) for each in seconds]
    packing = Packing(tokens, max([limit, *tokens]), best_fit)
    return Packed(tuple(seconds), tuple(tokens), tuple(packing.row), tuple(packing.offset), packing.limit, packing.tokens, best_fit)


def sources_of(lines: Iterable[ClipSeconds]) -> dict[str, list[float]]:
    """The lengths of the training clips of each data set, in its order."""
    sources: dict[str, list[float]] = {}
    for line in lines:
        own = sources.setdefault(line.source, [])
        if line.split == "train":
            own.append(line.seconds)
    return {source: seconds for source, seconds in sources.items() if seconds}


def draw(seconds: Sequence[float], count: int, seed: int) -> list[float]:
    """Some clips of a data set at random, none twice as long as there are enough of them; the same for the same seed."""
    generator = random.Random(seed)
    return generator.sample(seconds, count) if count <= len(seconds) else generator.choices(seconds, k=count)


def typed_seconds(text: str) -> list[float]:
    """The lengths that somebody has typed: numbers with commas, semicolons or blanks between them. Raises PackError for anything else.

    >>> typed_seconds("1.5, 3, 12 s")
    [1.5, 3.0, 12.0]
    """
    parts = re.sub(r"(?<=[\d.])\s*s(ec(onds?)?)?\b", " ", text).replace(",", " ").replace(";", " ").split()
    if not parts:
        raise PackError("Type how long the clips are, in seconds, such as 1.5, 3, 12.")
    if len(parts) > MOST_CLIPS:
        raise PackError(f"These are {len(parts)} clips: type at most {MOST_CLIPS}.")
    return [_seconds(part) for part in parts]


def _seconds(part: str) -> float:
    try:
        value = float(part)
    except ValueError:
        raise PackError(f"“{part[:20]}” is no number: type seconds with a point and commas between them, such as 1.5, 3, 12.") from None
    if not 0 < value <= MOST_SECONDS:
        raise PackError(f"A clip has more than 0 and at most {MOST_SECONDS:g} seconds, not {part[:20]}.")
    return value
