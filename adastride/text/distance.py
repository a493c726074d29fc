"""How far a text is from another: the fewest insertions, deletions and substitutions between them, by jiwer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

Operation = Literal["equal", "substitute", "insert", "delete"]


@dataclass(frozen=True)
class Edits:
    """What makes one sequence of units out of another.

    pairs: (operation, unit of the reference or "", unit of the hypothesis or "") in order. units: how many the reference has.
    """

    pairs: tuple[tuple[Operation, str, str], ...]
    units: int

    def count(self, operation: Operation) -> int:
        """How often an operation is needed."""
        return sum(operation == pair[0] for pair in self.pairs)

    @property
    def errors(self) -> int:
        """Insertions, deletions and substitutions together."""
        return sum(pair[0] != "equal" for pair in self.pairs)

    @property
    def rate(self) -> float:
        """Errors for each unit of the reference; infinite for an empty reference with errors."""
        return self.errors / self.units if self.units else float("inf") if self.errors else 0.0


def compare(references: Sequence[Sequence[str]], hypotheses: Sequence[Sequence[str]]) -> list[Edits]:
    """Aligns each hypothesis with its reference so that the errors are as few as can be.

    references, hypotheses: units, such as words or phonemes.

    >>> [edits.errors for edits in compare([["one", "two"]], [["one", "nine", "two"]])]
    [1]
    """
    import jiwer

    if not references:
        return []
    # jiwer splits at blanks, and a unit may be or have one, so each gets a number for a name.
    names: dict[str, str] = {}
    texts = [[" ".join(names.setdefault(unit, str(len(names))) for unit in units) for units in side] for side in (references, hypotheses)]
    result = jiwer.process_words(texts[0], texts[1], jiwer.Compose([jiwer.ReduceToListOfListOfWords()]), jiwer.Compose([jiwer.ReduceToListOfListOfWords()]))
    every = []
    for reference, hypothesis, chunks in zip(references, hypotheses, result.alignments, strict=True):
        pairs: list[tuple[Operation, str, str]] = []
        for chunk in chunks:
            length = max(chunk.ref_end_idx - chunk.ref_start_idx, chunk.hyp_end_idx - chunk.hyp_start_idx)
            for step in range(length):
                before = "" if chunk.type == "insert" else reference[chunk.ref_start_idx + step]
                after = "" if chunk.type == "delete" else hypothesis[chunk.hyp_start_idx + step]
                pairs.append((cast(Operation, chunk.type), before, after))
        every.append(Edits(tuple(pairs), len(reference)))
    return every
