"""Two to four trained networks on one clip: their answers side by side, on shared scales, whatever their tasks are.

What is shown of a network is its `Prediction`, and nothing here asks which kind of network made it. All follow one stride of their
uppermost layers, so that what they write down a second can be compared.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from adastride.audio import LOG_FLOOR, mel_band_ticks
from adastride.comparison.features import DECIBELS
from adastride.comparison.settings import FEWEST_METHODS, MOST_METHODS
from adastride.downsampling import LayerSettings
from adastride.inspection.tracing import Trace
from adastride.models.network import Network
from adastride.tables import csv_text
from adastride.tasks.classification import percent
from adastride.tasks.prediction import Audible, Lane, PictureLane, Prediction, words

FEWEST, MOST = FEWEST_METHODS, MOST_METHODS
_SHOWN_DECIBELS = 90.0
MOST_NUMBERS = 40  # of one network that a table has
_NONE = "none"


@dataclass(frozen=True)
class Answer:
    """What one network made of the clip. name: what tells it apart from the others here."""

    name: str
    trace: Trace

    @property
    def prediction(self) -> Prediction:
        return self.trace.prediction


@dataclass(frozen=True)
class Numbers:
    """A row of the table: one number of every network. texts: as people read it, "none" where a network has no such number."""

    label: str
    texts: tuple[str, ...]


def short_names(titles: Sequence[str]) -> tuple[str, ...]:
    """Titles without the parts at their beginning that all of them have, and without the ending of files; equal ones are numbered.

    >>> short_names(["Spoken digits · AdaStride", "Spoken digits · CIF"])
    ('AdaStride', 'CIF')
    >>> short_names(["mine.safetensors", "mine.safetensors"])
    ('mine', 'mine (2)')
    """
    parts = [title.removesuffix(".safetensors").split(" · ") for title in titles]
    while all(len(own) > 1 for own in parts) and len({own[0] for own in parts}) == 1:
        parts = [own[1:] for own in parts]
    names, seen = [], Counter[str]()
    for own in parts:
        name = " · ".join(own)
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(names)


def settings_with(network: Network, stride: float | None) -> tuple[LayerSettings | None, ...]:
    """The settings of a network whose uppermost layer has a stride of input frames per output frame; None for all as trained.

    A network without layers has none.
    """
    if not network.downsamplers:
        return ()
    return (*(None for _ in network.downsamplers[1:]), None if stride is None else LayerSettings(stride=stride))


def on_shared_scales(predictions: Sequence[Prediction]) -> list[Prediction]:
    """The same answers, where pictures in one unit have the same ends of their scales, so that one colour is one value in all of them.

    Weights of another title weigh something else: their scales are theirs.
    """
    pictures = [lane for prediction in predictions for lane in prediction.lanes if isinstance(lane, PictureLane)]
    ends: dict[tuple[str, str], tuple[float, float]] = {}
    for lane in pictures:
        low, high = ends.get(_measure(lane), (lane.low, lane.high))
        ends[_measure(lane)] = min(low, lane.low), max(high, lane.high)

    def scaled(lane: Lane) -> Lane:
        if not isinstance(lane, PictureLane):
            return lane
        low, high = ends[_measure(lane)]
        return replace(lane, low=low, high=high)

    return [replace(prediction, lanes=tuple(map(scaled, prediction.lanes))) for prediction in predictions]


def _measure(lane: PictureLane) -> tuple[str, str]:
    """What the values of a picture measure: those that measure the same can be compared."""
    return lane.unit, "" if lane.sequential else lane.title


def mel_lane(trace: Trace) -> PictureLane:
    """What the first network is given, the log-mel of the clip."""
    values = trace.mel * DECIBELS
    high = float(values.max())
    low = min(max(math.log(LOG_FLOOR) * DECIBELS, high - _SHOWN_DECIBELS), high - 1)
    # Frame j is centred on j hops, so it spans half a hop to either side.
    edges = np.clip((np.arange(values.shape[1] + 1) - 0.5) / trace.preset.frames_per_second, 0.0, trace.waveform.seconds)
    return PictureLane("Log-mel of the clip", values, edges, low, high, "dB", ticks=mel_band_ticks(trace.preset))


def in_groups(predictions: Sequence[Prediction]) -> list[tuple[int, int]]:
    """Which lanes stand under each other: (network, lane) for each row.

    Those of one kind and title are together, in the networks' order.
    """
    groups: dict[tuple[type, str], list[tuple[int, int]]] = {}
    for owner, prediction in enumerate(predictions):
        for place, lane in enumerate(prediction.lanes):
            groups.setdefault((type(lane), lane.title), []).append((owner, place))
    return [row for group in groups.values() for row in group]


def sounds_of(names: Sequence[str], predictions: Sequence[Prediction]) -> tuple[Audible, ...]:
    """What can be heard of all networks, each with a title that says whose it is. A sound that several have is there once, at the end.

    A network that has one sound of its own lends it its name.
    """
    every = [audible.key for prediction in predictions for audible in {one.key: one for one in prediction.sounds}.values()]
    mutual = {key for key, times in Counter(every).items() if times > 1}
    own, common = list[Audible](), dict[str, Audible]()
    for name, prediction in zip(names, predictions, strict=True):
        alone = [audible for audible in prediction.sounds if audible.key not in mutual]
        own += [replace(audible, title=name if len(alone) == 1 else f"{name}: {audible.title}") for audible in alone]
        common |= {audible.key: audible for audible in prediction.sounds if audible.key in mutual}
    return (*own, *common.values())


def table_of(answers: Sequence[Answer]) -> list[Numbers]:
    """The rows of the table: how each uppermost layer ran, and what each network answers."""
    ran = Numbers("Uppermost layer", tuple(facts(answer.trace) for answer in answers))
    return [ran, *numbers_of([answer.prediction for answer in answers])]


def facts(trace: Trace) -> str:
    """How the uppermost layer ran, for people."""
    patches = trace.prediction.patches
    tokens = "" if patches is None else f", {patches.tokens:,} tokens"
    if not trace.layers:
        return f"no downsampling layer{tokens}"
    top = trace.layers[-1]
    return f"{top.label}, stride {top.settings.stride:.3g}, {top.output_frames} output frames{tokens}"


def numbers_of(predictions: Sequence[Prediction]) -> list[Numbers]:
    """The table: what each network answers, its numbers and, where nothing stands among them that a bar says, its bars.

    The number that is followed is one of the bars, and stands there. Numbers have as many digits as a person compares by. There are at
    most `MOST_NUMBERS` rows of either.
    """
    rows = [Numbers("Answer", tuple(", ".join(filter(None, (each.headline, each.detail))) for each in predictions))]
    barred = {each.followed.label for each in predictions if each.followed and each.bars}
    own_numbers = [_texts(each) for each in predictions]
    labels = [label for label in dict.fromkeys(label for own in own_numbers for label in own) if label not in barred][:MOST_NUMBERS]
    rows += [Numbers(label, tuple(own.get(label, _NONE) for own in own_numbers)) for label in labels]
    return rows + _bars_of(predictions)


def _bars_of(predictions: Sequence[Prediction]) -> list[Numbers]:
    """The rows of bars that say what does not stand among the numbers already, `MOST_NUMBERS` at most."""
    bars = [
        {", ".join(filter(None, (each.bars_title, bar.label))): bar.text for bar in each.bars if bar.label not in own}
        for each, own in zip(predictions, map(_texts, predictions), strict=True)
    ]
    named = list(dict.fromkeys(label for own in bars for label in own))[:MOST_NUMBERS]
    return [Numbers(label, tuple(own.get(label, _NONE) for own in bars)) for label in named]


def _texts(prediction: Prediction) -> dict[str, str]:
    """The numbers of an answer as people read them: probabilities of classes in percent, by the classes' names in words."""
    if prediction.followed is None:
        return {words(label): percent(value) for label, value in prediction.values.items()}
    return {label: _number(value) for label, value in prediction.values.items()}


def _number(value: float) -> str:
    """A number with three digits, or all before the point.

    >>> _number(12.3456), _number(0.012345), _number(1234.5), _number(512.0)
    ('12.3', '0.0123', '1234', '512')
    """
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def to_csv(answers: Sequence[Answer]) -> str:
    """A line for each network: its name, how its uppermost layer ran, all its numbers, and the bars of the table.

    Probabilities of classes are in percent. A bar's unit stands in the head of its column, where all networks have the same, and its
    number has the digits of the table.
    """
    numbers = [_plain_numbers(answer.prediction) for answer in answers]
    labels = list(dict.fromkeys(label for own in numbers for label in own))
    bars = [_with_unit_in_label(row) for row in _bars_of([answer.prediction for answer in answers])]
    top_columns = ["stride of the uppermost layer", "output frames of the uppermost layer"]
    rows: list[list[object]] = [["network", *top_columns, "answer", *labels, *(row.label for row in bars)]]
    for place, (answer, own) in enumerate(zip(answers, numbers, strict=True)):
        layers = answer.trace.layers
        top = (f"{layers[-1].settings.stride:.6g}", layers[-1].output_frames) if layers else ("", "")
        cells = (f"{own[label]:.6g}" if label in own else "" for label in labels)
        rows.append([answer.name, *top, answer.prediction.headline, *cells, *(row.texts[place] for row in bars)])
    return csv_text(rows)


def _plain_numbers(prediction: Prediction) -> dict[str, float]:
    """The numbers of an answer by names that say their unit."""
    if prediction.followed is None:
        return {f"{words(label)} (%)": 100 * value for label, value in prediction.values.items()}
    return dict(prediction.values)


def _with_unit_in_label(row: Numbers) -> Numbers:
    """A row as a file has it: an empty text for none, and bare numbers where all texts have one unit.

    >>> _with_unit_in_label(Numbers("Error", ("1.5 dB", "none", "12.0 dB")))
    Numbers(label='Error (dB)', texts=('1.5', '', '12.0'))
    """
    units = {text.partition(" ")[2] for text in row.texts if text != _NONE}
    if len(units) == 1 and "" not in units:
        return Numbers(f"{row.label} ({units.pop()})", tuple("" if text == _NONE else text.partition(" ")[0] for text in row.texts))
    return Numbers(row.label, tuple("" if text == _NONE else text for text in row.texts))
