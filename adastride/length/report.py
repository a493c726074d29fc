"""What the lines say, in sentences that are worked out from their numbers, whichever way they came out."""

from __future__ import annotations

import math
from collections.abc import Sequence

from adastride.length.curves import WHOLE, Curve, Mark

_SAME_BUDGET = 0.06  # by how much numbers of tokens may differ that count as the same


def length_sentences(curves: Sequence[Curve]) -> list[str]:
    """What each AST loses or wins at half and at double the length it was trained at, and what ElasticAST does there; and which network
    is right most often on the shortest parts and on the longest."""
    lengths = sorted({mark.seconds for curve in curves for mark in curve.by_length()})
    measured = [curve for curve in curves if curve.trained in lengths]
    flexible = [curve for curve in curves if curve.trained is None]
    texts = [_beside(curve, flexible[:1]) for curve in measured]
    if not measured:  # whole clips are as long as what an AST of them crops and pads to
        longest = next((curve.trained for curve in curves if curve.trained), math.inf)
        halves = [value for value in lengths if value <= longest / 2][-1:]
        texts = [_changes(f"With {half:g} s in place of whole clips", _moved(curves, WHOLE, half)) for half in halves]
    for seconds in dict.fromkeys([*lengths[:1], *lengths[-1:]]):
        found = [(curve, mark) for curve in curves for mark in curve.by_length() if mark.seconds == seconds]
        if len(found) > 1:
            texts.append(_best(found, f"On {seconds_text(seconds)}"))
    return [text for text in texts if text]


def _beside(ast: Curve, others: Sequence[Curve]) -> str:
    """What an AST does at half and at double its length, with what another does."""
    trained, parts = ast.trained or 0.0, []
    for other in (trained / 2, 2 * trained):
        own, rest = _moved([ast], trained, other), _moved(others, trained, other)
        if own:
            beside = f" ({', '.join(f'{name} {change}' for name, change in rest.items())})" if rest else ""
            parts.append(f"{own[ast.name]} points at {other:g} s{beside}")
    return f"**{ast.name}**, against {trained:g} s: {'; '.join(parts)}." if parts else ""


def resolution_sentences(curves: Sequence[Curve]) -> list[str]:
    """What each network loses or wins at the lowest resolution."""
    steps = max((mark.resolution for curve in curves for mark in curve.by_resolution()), default=1.0)
    changes = {}
    for curve in curves:
        marks = {mark.resolution: mark for mark in curve.by_resolution()}
        if steps > 1 and 1.0 in marks and steps in marks:
            changes[curve.name] = _signed(marks[steps].accuracy - marks[1.0].accuracy)
    text = _changes(f"At {steps:g} times the frame shift", changes)
    return [text] if text else []


def budget_sentences(curves: Sequence[Curve]) -> list[str]:
    """At each number of tokens that both have, how far a network with a layer in front is from uniform resolution."""
    uniform = next((curve for curve in curves if curve.front is None and curve.by_tokens()), None)
    texts = []
    for curve in curves:
        if uniform is None or curve.front is None:
            continue
        pairs = [pair for mark in curve.by_tokens() if (pair := _same_budget(mark, uniform.by_tokens()))]
        if not pairs:
            continue
        ahead = [ours.accuracy > theirs.accuracy for ours, theirs in pairs]
        surely = sum(ours.low > theirs.high or ours.high < theirs.low for ours, theirs in pairs)
        said = ", ".join(f"{_signed(ours.accuracy - theirs.accuracy)} ({ours.tokens:.0f})" for ours, theirs in pairs)
        texts.append(
            f"**{curve.name}** against uniform resolution ({uniform.name}), in points with so many tokens: {said}. It is ahead at "
            f"{sum(ahead)} of {len(pairs)} budgets; the intervals {f'lie apart at {surely}' if surely else 'overlap at all budgets'}."
        )
    return texts


def basis(curves: Sequence[Curve]) -> str:
    """How many clips and runs the lines stand on, and what sets them apart from the paper's."""
    return (
        f"{tested(curves)} They know nothing of how another run would turn out. Of a clip its beginning, middle and end are heard; shorter "
        "clips are as they are. Trained from scratch, where the papers begin with pretrained weights."
    )


def tested(curves: Sequence[Curve]) -> str:
    """How many clips and runs the lines stand on."""
    clips = " or ".join(f"{number:,}" for number in sorted({mark.clips for curve in curves for mark in curve.marks}))
    runs = sorted({curve.runs for curve in curves})
    count = f"{runs[0]}" if len(runs) == 1 else f"{runs[0]} to {runs[-1]}"
    trained = f"{count} {'run' if runs[-1] == 1 else 'runs'} of each network"
    return f"{clips} test clips, {trained}. Bands: 95 % intervals by bootstrap over clips."


def seconds_text(seconds: float) -> str:
    """A length for people.

    >>> seconds_text(0.5), seconds_text(WHOLE)
    ('parts of 0.5 s', 'whole clips')
    """
    return "whole clips" if seconds == WHOLE else f"parts of {seconds:g} s"


def accuracy_table(curves: Sequence[Curve]) -> list[dict[str, str]]:
    """A row for each network: the accuracy on parts of each length and on whole clips, with its interval."""
    lengths = sorted({mark.seconds for curve in curves for mark in curve.by_length()})
    rows = []
    for curve in curves:
        marks = {mark.seconds: mark for mark in curve.by_length()}
        cells = {
            "Whole clips (%)" if seconds == WHOLE else f"{seconds:g} s (%)": _with_interval(marks[seconds]) if seconds in marks else "–"
            for seconds in lengths
        }
        rows.append({"Network": curve.name, **cells})
    return rows


def _with_interval(mark: Mark) -> str:
    return f"{100 * mark.accuracy:.1f} ({100 * mark.low:.0f}–{100 * mark.high:.0f})"


def _signed(difference: float) -> str:
    """A difference of shares in points, "−5.1"."""
    value = round(100 * difference, 1)
    return f"{'−' if value < 0 else '+' if value > 0 else ''}{abs(value):.1f}"


def _moved(curves: Sequence[Curve], first: float, last: float) -> dict[str, str]:
    """By how many points the accuracy changes between two lengths, by the network's name; only of those that have both."""
    changes = {}
    for curve in curves:
        marks = {mark.seconds: mark for mark in curve.by_length()}
        if first in marks and last in marks:
            changes[curve.name] = _signed(marks[last].accuracy - marks[first].accuracy)
    return changes


def _changes(where: str, changes: dict[str, str]) -> str:
    """A sentence of changes; "" where there are none."""
    return f"{where}, in points: {', '.join(f'**{name}** {change}' for name, change in changes.items())}." if changes else ""


def _best(found: Sequence[tuple[Curve, Mark]], where: str) -> str:
    (first, best), (second, next_best) = sorted(found, key=lambda each: -each[1].accuracy)[:2]
    if best.accuracy == next_best.accuracy:
        return f"{where}, {first.name} and {second.name} are right as often: {100 * best.accuracy:.1f} %."
    surely = "the intervals lie apart" if best.low > next_best.high else "the intervals overlap"
    ahead = f"{100 * (best.accuracy - next_best.accuracy):.1f} points ahead of {second.name} ({surely})"
    return f"{where}, **{first.name}** is right most often, {100 * best.accuracy:.1f} %, {ahead}."


def _same_budget(mark: Mark, others: Sequence[Mark]) -> tuple[Mark, Mark] | None:
    nearest = min(others, key=lambda other: abs(other.tokens - mark.tokens), default=None)
    close = nearest is not None and abs(nearest.tokens - mark.tokens) <= _SAME_BUDGET * mark.tokens
    return (mark, nearest) if nearest is not None and close else None
