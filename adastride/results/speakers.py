"""Error rates by speaker: their intervals, their differences, and on how many words and speakers they stand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from adastride.intervals import cluster_difference, cluster_ratio
from adastride.results.reading import Run
from adastride.speaker_counts import SpeakerCount

# LibriSpeech's words for speakers who are easier and harder to recognise, which the names of its parts have in them.
CONDITIONS = ("clean", "other")


def counts_of(runs: Iterable[Run], condition: str = "") -> list[SpeakerCount]:
    """The lines of some runs for one of `CONDITIONS`, or for all test clips; none where a run of them has none."""
    own = [within(run.counts, condition) for run in runs]
    return [count for lines in own for count in lines] if all(own) else []


def within(counts: Iterable[SpeakerCount], condition: str) -> list[SpeakerCount]:
    """Those of one of `CONDITIONS`; all of them for "".

    >>> within([SpeakerCount("a", "speech", "dev-clean-mp3", "1272", "", 1, 0, 9, "words")], "other")
    []
    """
    return [count for count in counts if not condition or condition in count.part.split("-")]


def rate(counts: Iterable[SpeakerCount]) -> float:
    """Errors per unit; NaN where there are no units."""
    errors, units = _sums(counts).sum(axis=0)
    return float(errors / units) if units else float("nan")


def interval(counts: Sequence[SpeakerCount]) -> tuple[float, float] | None:
    """The 95 % interval of `rate` over speakers, None where they are too few. Lines of several runs are their mean."""
    return cluster_ratio(*_sums(counts).T)


def difference(ours: Sequence[SpeakerCount], theirs: Sequence[SpeakerCount]) -> tuple[float, tuple[float, float] | None]:
    """By how much our rate is lower than theirs for the speakers that both have, and its 95 % interval, None where they are too few."""
    mutual = {count.cluster for count in ours} & {count.cluster for count in theirs}
    own, other = ([count for count in counts if count.cluster in mutual] for counts in (ours, theirs))
    order = sorted(mutual)
    return rate(other) - rate(own), cluster_difference(*_sums(other, order).T, *_sums(own, order).T)


def _sums(counts: Iterable[SpeakerCount], order: Sequence[tuple[str, str, str]] = ()) -> np.ndarray:
    """Errors and units of each speaker, (speakers, 2), in the order given or else their own."""
    sums = {cluster: np.zeros(2) for cluster in order}
    for count in counts:
        sums.setdefault(count.cluster, np.zeros(2))[:] += count.errors, count.units
    return np.array(list(sums.values())).reshape(-1, 2)


def speakers_text(counts: Iterable[SpeakerCount]) -> str:
    """How many speakers there are, and clips that are of no one speaker.

    >>> one = SpeakerCount("a", "speech", "", "1272", "", 9, 0, 9, "words")
    >>> speakers_text([one, SpeakerCount("a", "speech", "", "", "x.wav", 1, 0, 9, "words")])
    'one speaker and one clip of several speakers'
    """
    clusters = {count.cluster for count in counts}
    named = sum(bool(speaker) for _, speaker, _ in clusters)
    alone = len(clusters) - named
    speakers = "one speaker" if named == 1 else f"{named} speakers"
    clips = "one clip" if alone == 1 else f"{alone} clips"
    texts = [speakers] * (named > 0) + [f"{clips} of {'several' if named else 'unknown'} speakers"] * (alone > 0)
    return " and ".join(texts)


def basis_of(runs: Sequence[Run]) -> str:
    """How many words of how many speakers some runs of a task were tested on, "1,946 words of 26 speakers"; "" where nobody has counted."""
    counts = [count for run in {run.fold: run for run in runs}.values() for count in run.counts]
    return f"{sum(count.units for count in counts):,} {counts[0].unit} of {speakers_text(counts)}" if counts else ""
