"""Sentences that say in words what a sweep has shown, each with the rule it was made by."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from adastride.inspection.glance import percent
from adastride.sweep.core import SIGMA, STRIDE, Column, nearest, rounded, swept
from adastride.sweep.readings import Reading
from adastride.sweep.scores import Score
from adastride.tasks import words
from adastride.tasks.prediction import Followed


@dataclass(frozen=True)
class Answer:
    """A sentence about a sweep, and the rule it was made by."""

    text: str
    rule: str


def clip_answers(columns: Sequence[Column], quantity: str, trained: float) -> list[Answer]:
    """Says what a sweep of one clip has shown.

    columns: the results in rising order of the swept value, with details. quantity: what was swept, `SIGMA` or `STRIDE`.
    trained: the value of it that the network was trained with.
    """
    values = [swept(column.setting, column.stride) for column in columns]
    names, top = [rounded(value) for value in values], len(columns[0].layers)
    low, high = _named(quantity, values[0]), _named(quantity, values[-1])
    start = nearest(values, trained)
    readings = [column.reading for column in columns if column.reading is not None]
    if readings:
        answers = _reading_answers(readings, values, quantity, start, trained)
    elif (followed := columns[0].prediction.followed) is not None:
        answers = _followed_answers(columns, values, quantity, start, followed)
    else:
        answers = _label_answers(columns, values, quantity, start, trained)

    def say(text: str, rule: str) -> None:
        answers.append(Answer(text, rule))

    averaged = [rounded(columns[place].layers[0].effective_frames) for place in (0, -1)]
    say(
        f"Each output frame of layer 1 averages {averaged[0]} input frames at {low} and {averaged[1]} at {names[-1]}.",
        "e to the power of the mean entropy of the alignment’s rows: n where a row is the plain mean of n frames.",
    )
    lost = np.array([column.layers[-1].lost for column in columns])
    if np.isfinite(lost).any():
        best, worst = int(np.nanargmin(lost)), int(np.nanargmax(lost))
        say(
            f"Layer {top} loses least of its input at {_named(quantity, values[best])} ({lost[best]:.0f} %) "
            f"and most at {names[worst]} ({lost[worst]:.0f} %).",
            "Lost is what the layer’s output, brought back to input time, misses of the input: mean squared error over the input’s variance.",
        )
    moved = [columns[place].layers[-1].moved for place in (0, -1)]
    if all(map(math.isfinite, moved)):
        say(
            f"Input one frame later changes the output of layer {top} by {moved[0]:.0f} % at {low} and by {moved[1]:.0f} % at {names[-1]}.",
            "The layer’s input moved by a frame, its output brought back to input time and moved back: root mean square of the difference to the "
            "unmoved one, over the standard deviation of that.",
        )
    if quantity == STRIDE:
        say(
            f"At {high} the network does {100 * columns[-1].work:.0f} % of the work it does without strides.",
            f"{'Multiply-adds for each frame' if readings else 'Frames that go through each of the network’s convolutions'}, added up, "
            "over the same sum with a stride of 1 everywhere.",
        )
    return answers


def _label_answers(columns: Sequence[Column], values: Sequence[float], quantity: str, start: int, trained: float) -> list[Answer]:
    """Where a clip's most probable label changes, and where it is surest. start: the index of the value nearest to the trained one."""
    names, label = [rounded(value) for value in values], columns[start].top
    low, answers = _named(quantity, values[0]), list[Answer]()
    first, last = _stretch([column.top == label for column in columns], start)

    def say(text: str, rule: str) -> None:
        answers.append(Answer(text, rule))

    turns = [f"at {names[place]} it becomes “{words(columns[place].top)}”" for place in (first - 1, last + 1) if 0 <= place < len(columns)]
    always = f"is “{words(label)}” from {low} to {names[-1]}, at every value"
    stable = f"“{words(label)}” is stable from {_named(quantity, values[first])} to {names[last]}" if turns else always
    say(
        f"The prediction {'; '.join([stable, *turns])}.",
        f"From the value nearest to the trained one ({rounded(trained)}), as far up and down as the most probable label stays the same.",
    )
    chances = [column.value(label) for column in columns]
    if all(map(math.isfinite, chances)):
        surest, least_sure = int(np.argmax(chances)), int(np.argmin(chances))
        say(
            f"“{words(label)}” is surest at {_named(quantity, values[surest])} with {percent(chances[surest])} "
            f"and least sure at {names[least_sure]} with {percent(chances[least_sure])}.",
            "The largest and the smallest probability of the label that is predicted nearest to the trained value.",
        )
    return answers


def _followed_answers(columns: Sequence[Column], values: Sequence[float], quantity: str, start: int, followed: Followed) -> list[Answer]:
    """How good an answer without probabilities is, and where it is best. start: as for `_label_answers`."""
    numbers = [column.value(followed.label) for column in columns]
    best, worst = int(np.argmin(numbers)), int(np.argmax(numbers))
    near, unit = _named(quantity, values[start]), f" {followed.unit}" if followed.unit else ""
    text = (
        f"The {followed.name.lower()} is {numbers[start]:.2f}{unit} at {near}, nearest to the trained value; smallest at "
        f"{_named(quantity, values[best])} with {numbers[best]:.2f}{unit} and largest at {rounded(values[worst])} with {numbers[worst]:.2f}{unit}."
    )
    return [Answer(text, f"The clip’s “{followed.label}” at each value, and its smallest and largest.")]


def _reading_answers(readings: Sequence[Reading], values: Sequence[float], quantity: str, start: int, trained: float) -> list[Answer]:
    """Where what a recogniser reads changes, how wrong it is, and where it can't be read. start: as for `_label_answers`."""
    names, usual, low = [rounded(value) for value in values], readings[start], _named(quantity, values[0])
    reference, answers = usual.reference, list[Answer]()
    first, last = _stretch([reading.text == usual.text for reading in readings], start)
    turns = [f"at {names[place]} it becomes {readings[place].shown}" for place in (first - 1, last + 1) if 0 <= place < len(readings)]
    where = f"from {_named(quantity, values[first])} to {names[last]}" if last > first else f"at {_named(quantity, values[first])}"
    stays = f"What is read stays {usual.shown} {where}" if last > first else f"What is read is {usual.shown} {where}"
    always = f"What is read is {usual.shown} from {low} to {names[-1]}, at every value"
    answers.append(Answer(
        f"{'; '.join([stays, *turns]) if turns else always}.",
        f"From the value nearest to the trained one ({rounded(trained)}), as far up and down as the text stays the same.",
    ))
    label = f"The {reference.error_label.lower()} against {reference.against}"
    rule = (
        f"{reference.unit_name.capitalize()} that are inserted, left out or replaced, over those of {reference.against}; "
        "it may be more than 100 %, and says nothing of how sure the network is."
    )
    if not usual.units:
        answers.append(Answer(
            f"The network as trained reads nothing in this clip, so there is no {reference.error_label.lower()}: "
            "type what was said to get one.",
            f"An error rate is counted per {reference.unit_name.removesuffix('s')} of a text.",
        ))
    else:
        rates = [reading.rate for reading in readings]
        best, worst = int(np.argmin(rates)), int(np.argmax(rates))
        if rates[best] == rates[worst]:
            answers.append(Answer(f"{label} is {usual.rate_text} at every value.", rule))
        else:
            near = min((place for place, rate in enumerate(rates) if rate == rates[best]), key=lambda place: abs(place - start))
            first, last = _stretch([rate == rates[best] for rate in rates], near)
            where = f"from {_named(quantity, values[first])} to {names[last]}" if last > first else f"at {_named(quantity, values[near])}"
            answers.append(Answer(
                f"{label} is lowest {where} with {readings[near].rate_text} "
                f"and highest at {names[worst]} with {readings[worst].rate_text}.", rule,
            ))
    unreadable = [place for place, reading in enumerate(readings) if reading.unreadable]
    if unreadable:
        place = unreadable[0]
        frames = f"{readings[place].frames} output {'frame' if readings[place].frames == 1 else 'frames'}"
        answers.append(Answer(
            f"{'From' if place else 'Already at'} {_named(quantity, values[place])}{' on' if place else ''} "
            f"the clip can’t be read as {reference.shown}, "
            f"whatever the network hears: it has {frames}, and that text needs {readings[place].needed}.",
            "The network writes at most one token at an output frame, and needs a frame without one between two equal tokens.",
        ))
    return answers


def _named(quantity: str, value: float) -> str:
    """A value with the name of its quantity, as it stands in a sentence: "σ⁻² 5", "an overall stride of 8"."""
    return f"{quantity if quantity == SIGMA else f'an {quantity} of'} {rounded(value)}"


def _stretch(same: Sequence[bool], start: int) -> tuple[int, int]:
    """The indices of the first and the last in the unbroken run of True values around the index `start`."""
    first = last = start
    while first > 0 and same[first - 1]:
        first -= 1
    while last + 1 < len(same) and same[last + 1]:
        last += 1
    return first, last


def score_answers(scores: Sequence[Score], quantity: str) -> list[Answer]:
    """Says what a sweep of labelled clips has shown, one answer for each checkpoint. quantity: what was swept, `SIGMA` or `STRIDE`."""
    answers = []
    for checkpoint in dict.fromkeys(score.checkpoint for score in scores):
        own_scores = _measured(score for score in scores if score.checkpoint == checkpoint)
        if not own_scores:
            answers.append(_nothing_measured(checkpoint, scores[0]))
            continue
        values = [swept(score.setting, score.stride) for score in own_scores]
        names = [rounded(value) for value in values]
        best, worst = max(own_scores, key=lambda score: score.merit), min(own_scores, key=lambda score: score.merit)
        start, place = own_scores.index(best), own_scores.index(worst)
        first, last = _stretch([score.value == best.value for score in own_scores], start)
        low, high = _stretch([score.keeps_up_with(best) for score in own_scores], start)
        lowest, word = f"{worst.text} at {names[place]}", "lowest" if best.metric.higher_is_better else "highest"
        where = f"from {_named(quantity, values[first])} to {names[last]}" if last > first else f"at {_named(quantity, values[first])}"
        text = f"{checkpoint} is best {where} with {best.on_clips()}"
        if (low, high) != (0, len(own_scores) - 1):
            text += f"; it keeps up from {names[low]} to {names[high]}, and is {word} with {lowest}"
        elif best.merit > worst.merit:
            text += f", and nowhere clearly worse: it is {word} with {lowest}"
        answers.append(Answer(
            f"{text}.",
            f"A value keeps up while its 95 % interval ({best.interval}) reaches that of the best value, and so do all values between them.",
        ))
    return answers


def _measured(scores: Iterable[Score]) -> list[Score]:
    """The scores that have a value: all but rates of clips without a single unit."""
    return [score for score in scores if math.isfinite(score.value)]


def _nothing_measured(checkpoint: str, score: Score) -> Answer:
    return Answer(
        f"{checkpoint} has no {score.metric.label.lower()} yet: the texts of these clips have no {score.metric.per}.",
        f"An error rate is counted per {str(score.metric.per).removesuffix('s')} of the texts.",
    )


def map_answers(columns: Sequence[Column], label: str) -> list[Answer]:
    """Says what a map of one clip over σ⁻² and stride has shown about a label or, of a recogniser, about its reading."""
    if columns[0].reading is not None:
        return _reading_map_answers(columns)
    followed = columns[0].prediction.followed
    if followed is not None:
        best = min(columns, key=lambda column: column.value(followed.label))
        return [Answer(
            f"The {followed.name.lower()} is smallest at {_place(best)} with {best.value(followed.label):.2f} {followed.unit}, "
            f"with {100 * best.work:.0f} % of the work without strides.",
            f"The clip’s “{followed.label}” at each point.",
        )]
    predicted = [column for column in columns if column.top == label]
    best = max(columns, key=lambda column: column.value(label))
    return [Answer(
        f"“{words(label)}” is predicted at {len(predicted)} of {len(columns)} points, and is surest at {_place(best)} with {percent(best.value(label))}.",
        "The label is the one predicted as trained; points are counted where it is the most probable one.",
    )]


def _reading_map_answers(columns: Sequence[Column]) -> list[Answer]:
    """At how many points of a map a text is read without an error, and what the cheapest of them is."""
    both = [(column, column.reading) for column in columns if column.reading is not None]
    reference, blind = both[0][1].reference, sum(reading.unreadable for _, reading in both)
    right = [column for column, reading in both if reading.text == reference.text]
    shown = reference.shown if reference.text else "Nothing"
    text = f"{shown} is read at {len(right)} of {len(columns)} points"
    if right:
        cheapest = min(right, key=lambda column: column.work)
        text += f"; the cheapest of them is {_place(cheapest)}, with {100 * cheapest.work:.0f} % of the work without strides"
    elif both[0][1].units:
        column, reading = min(both, key=lambda pair: pair[1].rate)
        text += f"; the lowest {reference.error_label.lower()} is {reading.rate_text}, at {_place(column)}"
    answers = [Answer(f"{text}.", f"The text is {reference.against}; points are counted where nothing is inserted, left out or replaced.")]
    if blind:
        answers.append(Answer(
            f"At {blind} of {len(columns)} points the clip has too few output frames to be read as {reference.shown}.",
            "The network writes at most one token at an output frame, and needs a frame without one between two equal tokens.",
        ))
    return answers


def score_map_answers(scores: Sequence[Score]) -> list[Answer]:
    """Says what a map of one checkpoint on labelled clips, over σ⁻² and stride, has shown."""
    if not (measured := _measured(scores)):
        return [_nothing_measured(scores[0].checkpoint, scores[0])]
    scores = measured
    best = max(scores, key=lambda score: score.merit)
    cheapest = min((score for score in scores if score.keeps_up_with(best)), key=lambda score: (score.work, -score.merit))
    return [Answer(
        f"{best.checkpoint} is best at {_place(best)} with {best.on_clips()}; the cheapest point that keeps up is "
        f"{_place(cheapest)} with {cheapest.text} and {100 * cheapest.work:.0f} % of the work without strides.",
        f"A point keeps up while its 95 % interval ({best.interval}) reaches that of the best one; "
        "the cheapest works on the fewest frames, weighted by what they cost.",
    )]


def _place(point: Column | Score) -> str:
    """Where a point of a map lies: "σ⁻² 5 and an overall stride of 8"."""
    return f"{_named(SIGMA, point.setting.sigma_inv2)} and {_named(STRIDE, point.stride)}"
