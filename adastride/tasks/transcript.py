"""What a recogniser has written of a clip: its tokens with their times, other readings, and how it lies beside a text that was said."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torchaudio
from torch import Tensor

from adastride.tasks.prediction import Segment
from adastride.text import Edits, TextError, Vocabulary, compare

BLANK = 0  # the class of CTC's blank; token n of the vocabulary is class n + 1
MOST_BEAMS = 50


@dataclass(frozen=True)
class Token:
    """A token that a network has written.

    index: in the vocabulary. first, last: the output frames at which it is the most probable class. probability: the largest of these
    frames.
    """

    index: int
    first: int
    last: int
    probability: float


@dataclass(frozen=True)
class Reading:
    """A text that a clip may be read as. log_probability: of all ways in which CTC can read it, as far as the beams went, in nats."""

    text: str
    log_probability: float


@dataclass(frozen=True, eq=False)
class Transcript:
    """What a network has written of a clip.

    tokens: in order of time. log_probabilities: (L, 1 + tokens of the vocabulary) float32 in nats, the blank first, for each output
    frame. edges: (L + 1,) seconds at which the output frames begin, and the end of the last.
    """

    vocabulary: Vocabulary
    tokens: tuple[Token, ...]
    log_probabilities: np.ndarray
    edges: np.ndarray

    @property
    def indices(self) -> list[int]:
        """The tokens' places in the vocabulary."""
        return [token.index for token in self.tokens]

    @property
    def text(self) -> str:
        """What was heard, "" where it was nothing."""
        return self.vocabulary.decode(self.indices)

    def segments(self) -> tuple[Segment, ...]:
        """Each token over the output frames at which the network decides for it."""
        return tuple(self._segment(token.index, token.first, token.last, token.probability) for token in self.tokens)

    def _segment(self, index: int, first: int, last: int, probability: float) -> Segment:
        return Segment(float(self.edges[first]), float(self.edges[last + 1]), shown(self.vocabulary.tokens[index]), index, probability, (first, last))

    def against(self, said: str) -> Edits:
        """How what was heard differs from what was said. Raises TextError for a text that the vocabulary can't write."""
        units = self.vocabulary.counted(self.vocabulary.encode(said))
        return compare([units], [self.vocabulary.counted(self.indices)])[0]

    def place(self, said: str) -> tuple[Segment, ...]:
        """Where each token of a text lies most probably (forced alignment, torchaudio's).

        Raises TextError for a text that the vocabulary can't write, and for one that needs more output frames than there are.
        """
        indices = self.vocabulary.encode(said)
        if not indices:
            return ()
        needed, frames = frames_needed(indices), len(self.log_probabilities)
        if needed > frames:
            raise TextError(
                f"this text needs {needed} output frames and the clip has {frames} at these strides: lower a stride, or give fewer {self.vocabulary.unit_name}."
            )
        emissions, targets = torch.from_numpy(self.log_probabilities)[None], torch.tensor([indices]) + 1
        classes, scores = torchaudio.functional.forced_align(emissions, targets, blank=BLANK)
        spans = torchaudio.functional.merge_tokens(classes[0], scores[0].exp(), blank=BLANK)
        return tuple(self._segment(span.token - 1, span.start, span.end - 1, min(1.0, span.score)) for span in spans)

    def readings(self, beams: int, most: int = 2) -> list[Reading]:
        """The most probable readings that a beam search without a lexicon finds (torchaudio's, by flashlight-text), the best first.

        beams: how many partial readings are kept, 1 to `MOST_BEAMS`. Raises TextError where the search is not installed.
        """
        decoder = _decoder(self.vocabulary.tokens, max(1, min(beams, MOST_BEAMS)), most)
        found = decoder(torch.from_numpy(self.log_probabilities)[None])[0]
        readings: dict[str, float] = {}
        for hypothesis in found:
            text = self.vocabulary.decode([index - 1 for index in hypothesis.tokens.tolist() if index != BLANK])
            readings.setdefault(text, hypothesis.score)
        return [Reading(text, score) for text, score in readings.items()]


def greedy(logits: Tensor) -> list[Token]:
    """The tokens of the most probable class at each frame, repeats together and blanks left out.

    Shape: logits or log-probabilities (frames, 1 + tokens) in nats.
    """
    probabilities, classes = torch.softmax(logits.detach().double(), dim=1).max(dim=1)
    tokens: list[Token] = []
    values, at = probabilities.tolist(), 0
    for found, run in itertools.groupby(classes.tolist()):
        first, at = at, at + len(list(run))
        if found != BLANK:
            tokens.append(Token(found - 1, first, at - 1, max(values[first:at])))
    return tokens


def frames_needed(tokens: Sequence[int]) -> int:
    """The fewest output frames from which CTC can read these tokens: one for each, and a blank between equal neighbours.

    >>> frames_needed([3, 3, 5])
    4
    """
    return len(tokens) + sum(one == other for one, other in itertools.pairwise(tokens))


def frames_between_equals(tokens: Sequence[Token]) -> int | None:
    """The fewest output frames between two equal tokens that follow each other, None where there are none; CTC needs one."""
    gaps = [other.first - one.last - 1 for one, other in itertools.pairwise(tokens) if one.index == other.index]
    return min(gaps, default=None)


def shown(token: str) -> str:
    """A token as a person sees it in a lane."""
    return "␣" if token == " " else token.removeprefix("##")


@functools.lru_cache(maxsize=16)
def _decoder(tokens: tuple[str, ...], beams: int, most: int) -> Any:
    try:
        from torchaudio.models.decoder import ctc_decoder
    except (ImportError, RuntimeError):  # torchaudio has it, and tells with either that what it uses is missing
        raise TextError("a second reading needs a beam search, which is not installed here: `pip install flashlight-text` brings it.") from None
    blank = "<blank>"
    # Tokens are named by their numbers: the search reads a blank at the end of a name as something else.
    names = [blank, *map(str, range(len(tokens)))]
    return ctc_decoder(
        lexicon=None, tokens=names, nbest=most, beam_size=beams, beam_size_token=min(len(names), 20), beam_threshold=math.inf, log_add=True,
        blank_token=blank, sil_token=blank,
    )
