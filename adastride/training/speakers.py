"""Counts the errors of a trained network speaker by speaker, and those of answers that need no network, on the same test clips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

import numpy as np

from adastride.clips import SEVERAL, Clip
from adastride.models.network import Network
from adastride.speaker_counts import SpeakerCount
from adastride.tasks import task_of
from adastride.text import compare
from adastride.training.evaluate import measure

_RATES = 400  # of the units per second that are tried


def count_errors(run: str, network: Network, clips: Sequence[tuple[str, Clip]]) -> list[SpeakerCount]:
    """The errors of a network whose answers are texts.

    run: what they are counted for. clips: each with the name of its folder.
    """
    headline = task_of(network).headline
    measured = measure(network, [clip for _, clip in clips])
    return by_speaker(run, clips, measured[headline.name], measured[str(headline.per)], str(headline.per))


def by_speaker(
    run: str, clips: Sequence[tuple[str, Clip]], errors: Iterable[float], units: Iterable[float], unit: str,
) -> list[SpeakerCount]:
    """Sums what was counted clip by clip over each speaker and part; a clip of several or of somebody unknown stands alone.

    errors, units: (clips,) whole numbers. unit: what the units are, "words".
    """
    sums: dict[tuple[str, str, str, str], tuple[int, int, int]] = {}
    for (source, clip), wrong, said in zip(clips, errors, units, strict=True):
        known = clip.group not in ("", SEVERAL)
        key = source, clip.part, clip.group if known else "", "" if known else clip.path
        number, before_wrong, before_said = sums.get(key, (0, 0, 0))
        sums[key] = number + 1, before_wrong + round(wrong), before_said + round(said)
    return [SpeakerCount(run, *key, *numbers, unit) for key, numbers in sums.items()]


def count_baselines(
    runs: Mapping[str, str], network: Network, train: Sequence[Clip], clips: Sequence[tuple[str, Clip]],
) -> list[SpeakerCount]:
    """The errors of answers that listen to nothing but how long a clip is.

    runs: the name of what is counted, for each of `speaker_counts.BASELINES`: "empty" writes nothing, and "frequent" what
    `frequent_answer` learns from the training clips. network: whose units are counted. clips: those of the test, each with the name of
    its folder.
    """
    task, rate = task_of(network), network.config.mel.sample_rate
    texts = [task.written(network, task.targets(network, some)) for some in (train, [clip for _, clip in clips])]
    unit, per_second = frequent_answer(texts[0], [clip.samples.size / rate for clip in train])
    answers: dict[str, list[list[str]]] = {
        "empty": [[] for _ in clips], "frequent": [[unit] * round(per_second * clip.samples.size / rate) for _, clip in clips],
    }
    return [
        count for name, run in runs.items()
        for edits in [compare(texts[1], answers[name])]
        for count in by_speaker(run, clips, [edit.errors for edit in edits], [edit.units for edit in edits], str(task.headline.per))
    ]


def frequent_answer(texts: Sequence[Sequence[str]], seconds: Sequence[float]) -> tuple[str, float]:
    """The most frequent unit of some texts, and how many of it per second make the fewest errors in them, the lowest of equals.

    texts: the units of each clip, one of them at least. seconds: how long it is. m times the same unit are max(m, n) - min(m, c) errors
    away from a text of n units that has this one c times: what can be kept of it is kept, and the others are replaced.

    >>> frequent_answer([["a", "b", "a"], ["a"]], [1.0, 0.5])
    ('a', 1.5)
    """
    counts = Counter(chain.from_iterable(texts))
    unit = max(counts, key=lambda name: (counts[name], name))
    lengths, own = np.array([len(text) for text in texts]), np.array([list(text).count(unit) for text in texts])
    duration = np.array(seconds)
    rates = np.linspace(0, (lengths / duration).max(), _RATES + 1)
    written = np.rint(rates[:, None] * duration)
    errors = (np.maximum(written, lengths) - np.minimum(written, own)).sum(axis=1)
    return unit, float(rates[errors.argmin()])
