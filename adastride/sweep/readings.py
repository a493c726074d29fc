"""What a recogniser reads in one clip at a point of a sweep, against what was said or against what it reads as trained.

A recogniser gives no label a probability: what a sweep follows in place of one is how many errors there are in the reading.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from adastride.inspection.tracing import Trace
from adastride.inspection.transcripts import transcript_of
from adastride.models.network import Network
from adastride.tasks import task_of
from adastride.tasks.recognition import Recognition
from adastride.tasks.transcript import frames_needed
from adastride.text import Vocabulary, compare
from adastride.wording import one_line

_MOST_LETTERS = 90  # of a text in a sentence


@dataclass(frozen=True)
class Reference:
    """The text that readings are compared with. typed: whether somebody has typed it, or else it is the reading as trained.

    tokens: its indices in the vocabulary. error_label: what the error rate is called, "Word error rate". unit_name: what errors are
    counted in, "words".
    """

    text: str
    tokens: tuple[int, ...]
    typed: bool
    error_label: str
    unit_name: str

    @property
    def against(self) -> str:
        """What the error rate is against, in words."""
        return "what was said" if self.typed else "the reading as trained"

    @property
    def shown(self) -> str:
        """The text as a sentence has it, see `Reading.shown`."""
        return _shown(self.text)


@dataclass(frozen=True)
class Reading:
    """What was read in a clip.

    text: "" for nothing. errors: insertions, deletions and substitutions that lie between it and the reference. units: how many the
    reference has. frames: output frames of the uppermost layer. needed: how many of them CTC needs to write the reference.
    """

    reference: Reference
    text: str
    errors: int
    units: int
    frames: int
    needed: int

    @property
    def rate(self) -> float:
        """Errors for each unit of the reference; NaN where the reference is empty."""
        return self.errors / self.units if self.units else math.nan

    @property
    def unreadable(self) -> bool:
        """Whether there are too few output frames for the reference, whatever the network hears."""
        return self.frames < self.needed

    @property
    def shown(self) -> str:
        """The text as a sentence has it: "“three one nine”", or "nothing"; a long one is cut off."""
        return _shown(self.text)

    @property
    def rate_text(self) -> str:
        """The error rate as a person reads it: "33.3 % (1 error in 3 words)"."""
        errors = "1 error" if self.errors == 1 else f"{self.errors} errors"
        units = self.reference.unit_name.removesuffix("s") if self.units == 1 else self.reference.unit_name
        return f"{100 * self.rate:.1f} % ({errors} in {self.units} {units})"


def reads_texts(model: Network) -> bool:
    """Whether a network writes what was said, so that its readings can be compared with a text."""
    return task_of(model).texts


def reader(model: Network, source: str | Trace) -> Callable[[Trace], Reading]:
    """Returns what compares the reading of a trace with a text.

    source: what was said, or the trace of the network as trained, whose reading then is the text. Raises TextError, one sentence, for
    what was said where the network can't write it or no word is in it.
    """
    vocabulary, typed = _vocabulary(model), isinstance(source, str)
    tokens = tuple(vocabulary.encode(source) if isinstance(source, str) else transcript_of(source).indices)
    reference = Reference(vocabulary.decode(tokens), tokens, typed, vocabulary.error_label, vocabulary.unit_name)
    counted, needed = vocabulary.counted(tokens), frames_needed(tokens)

    def read(trace: Trace) -> Reading:
        transcript = transcript_of(trace)
        (edits,) = compare([counted], [vocabulary.counted(transcript.indices)])
        return Reading(reference, transcript.text, edits.errors, len(counted), trace.layers[-1].output_frames, needed)

    return read


def _shown(text: str) -> str:
    return f"“{one_line(text, _MOST_LETTERS)}”" if text else "nothing"


def _vocabulary(model: Network) -> Vocabulary:
    task = task_of(model)
    assert isinstance(task, Recognition)
    assert task.vocabulary is not None
    return task.vocabulary

