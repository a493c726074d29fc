"""How right networks are by the length of what they hear, by resolution and by number of tokens: the points of a lengths file as lines.

The file has a line for each run, length, resolution and stride (`adastride.length_points`), and the results beside it say what each run is.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from adastride.audio import PRESETS
from adastride.length_points import LengthPoint
from adastride.models.audio_transformer import AudioTransformerConfig, transformer_options
from adastride.results.core import kind as kind_of_method
from adastride.results.core import label, order_of
from adastride.results.reading import Run
from adastride.subjects import SUBJECTS, title_of

# What tasks of the grid are about whose name is not that of a subject.
_SUBJECTS = {"speakers-convolutional": "speakers", "scenes-patches": "scenes"}
# Tasks whose networks for any length learned from clips of many frame shifts; of the others, from their own alone.
MANY_SHIFTS = ("scenes-patches",)
_FIRST = ("speakers", "scenes", "digits")  # the subjects whose clips are cut into parts come first
# Places in the palette: uniform is orange and adaptive blue, as everywhere. What other layers in front have, no network beside them has.
_ORANGE, _BLUE, _OTHERS, _OTHER_FRONTS = 0, 1, (2, 3, 4, 7, 6, 5), (6, 7, 3, 2, 4, 5)
_FRONT = "adastride"
_MEANS = ("accuracy", "low", "high", "tokens", "multiply_adds")
WHOLE = math.inf  # seconds of whole clips, so that they come after every part


@dataclass(frozen=True)
class Mark:
    """One point of a line, over the runs of a network.

    seconds: of the parts, WHOLE for whole clips. resolution: the frame shift over the network's own. stride: of the layer in front, 0 as
    trained. accuracy, low, high: the means over runs of the share that is right and of the ends of its 95 % interval. tokens,
    multiply_adds: of a part, the latter in millions; 0 for a network without tokens.
    """

    seconds: float
    resolution: float
    stride: float
    accuracy: float
    low: float
    high: float
    clips: int
    tokens: float
    multiply_adds: float


@dataclass(frozen=True)
class Curve:
    """All points of one network. name: for people. colour: a place in the palette. runs: how many there are.

    front: the method in front of an ElasticAST's patches, None for none and in other networks. trained: the seconds that an AST crops and
    pads to, None for networks that take clips as they are. many_shifts: whether it learned from clips of many frame shifts.
    """

    name: str
    colour: int
    runs: int
    front: str | None
    trained: float | None
    marks: tuple[Mark, ...]
    many_shifts: bool = False

    def by_length(self) -> list[Mark]:
        """By rising length, at the network's own resolution and stride."""
        return sorted((mark for mark in self.marks if mark.resolution == 1 and not mark.stride), key=lambda mark: mark.seconds)

    def by_resolution(self) -> list[Mark]:
        """By rising resolution, on parts of the length on which it was measured; none where it was not."""
        lengths = {mark.seconds for mark in self.marks if mark.resolution != 1}
        return sorted((mark for mark in self.marks if mark.seconds in lengths and not mark.stride), key=lambda mark: mark.resolution)

    def by_tokens(self) -> list[Mark]:
        """By rising number of tokens, which the layer in front changes, or the resolution where there is none; none for an AST, which
        always has as many."""
        if self.trained is not None:
            return []
        found = [mark for mark in self.marks if mark.stride] if self.front else self.by_resolution()
        return sorted((mark for mark in found if mark.tokens), key=lambda mark: mark.tokens)


def subject_of(task: str) -> str:
    """What a task of the grid is about: the key of its title in `subjects`."""
    return _SUBJECTS.get(task, task)


def subjects_of(points: Iterable[LengthPoint], runs: Iterable[Run]) -> list[str]:
    """What there are points of, in the order of `SUBJECTS`."""
    measured = {point.run for point in points}
    found = {subject_of(run.task) for run in runs if run.run in measured}
    return [*(subject for subject in dict.fromkeys((*_FIRST, *SUBJECTS)) if subject in found), *sorted(found - {*_FIRST, *SUBJECTS})]


def unknown_runs(points: Iterable[LengthPoint], runs: Iterable[Run]) -> list[str]:
    """The runs that have points and no line of the results, so that nobody knows what they are."""
    known = {run.run for run in runs}
    return [run for run in dict.fromkeys(point.run for point in points) if run not in known]


def curves_of(points: Sequence[LengthPoint], runs: Sequence[Run], subject: str) -> list[Curve]:
    """The networks of a subject that have points: ElasticAST first, then what stands in front of it, AST, and others."""
    own = [run for run in runs if subject_of(run.task) == subject and run.usual_sigma]
    groups: dict[tuple[str, str, str], list[str]] = {}
    for run in own:
        groups.setdefault((run.kind, run.method, run.task), []).append(run.run)
    measured = {run: [point for point in points if point.run == run] for run in {point.run for point in points}}
    keys = sorted((key for key, names in groups.items() if any(name in measured for name in names)), key=_order)
    curves = list[Curve]()
    for kind, method, task in keys:
        with_points = [measured[name] for name in groups[kind, method, task] if name in measured]
        several = sum((other, same) == (kind, method) for other, same, _ in keys) > 1
        name = network_name(kind, method) + (f", {title_of(task)}" if several else "")
        front, trained = front_of(kind, method), trained_seconds(kind, method)
        wanted = [_BLUE] * (front == _FRONT) + [_ORANGE] * (kind == AudioTransformerConfig.kind and method == "elastic")
        apart = front not in (None, _FRONT)
        taken = {curve.colour for curve in curves if (curve.front not in (None, _FRONT)) == apart}
        places = (*wanted, *(_OTHER_FRONTS if apart else _OTHERS))
        colour = next((place for place in places if place not in taken), places[-1])
        curves.append(Curve(name, colour, len(with_points), front, trained, _marks(with_points), task in MANY_SHIFTS and trained is None))
    return curves


def by_length_shown(curves: Sequence[Curve]) -> list[Curve]:
    """Those that a picture by length has room for: layers in front other than AdaStride are about the number of tokens."""
    return [curve for curve in curves if curve.front in (None, _FRONT)]


def network_name(kind: str, method: str) -> str:
    """What people call a network.

    >>> network_name("audio-transformer", "ast-2s"), network_name("classifier", "strided-conv")
    ('AST of 2 s', 'Convolutional classifier')
    """
    if kind == AudioTransformerConfig.kind:
        return label(method)
    return "Convolutional classifier" if method == "strided-conv" else f"Convolutional classifier, {label(method)}"


def trained_seconds(kind: str, method: str) -> float | None:
    """The length that a standard AST crops and pads to, by its name; None for other networks."""
    frames = _options(kind, method).get("frames")
    return None if frames is None else float(frames / PRESETS[AudioTransformerConfig.front_end].frames_per_second)


def front_of(kind: str, method: str) -> str | None:
    """The method in front of an ElasticAST's patches, by its name; None where there is none, and for other networks."""
    return next(iter(_options(kind, method).get("methods", ())), None)


def _options(kind: str, method: str) -> dict[str, Any]:
    try:
        return transformer_options(method) if kind == AudioTransformerConfig.kind else {}
    except ValueError:  # of another version
        return {}


def _order(key: tuple[str, str, str]) -> tuple[object, ...]:
    kind, method, task = key
    front = front_of(kind, method)
    place = 3 if kind != AudioTransformerConfig.kind else 2 if trained_seconds(kind, method) else 1 if front else 0
    return place, kind_of_method(front or "") != "adaptive", trained_seconds(kind, method) or 0.0, order_of(front or method), task


def _marks(runs: Sequence[Sequence[LengthPoint]]) -> tuple[Mark, ...]:
    """The means over runs, of the settings that all of them have points of."""
    by_run = [{(point.seconds or WHOLE, point.resolution, point.stride): point for point in points} for points in runs]
    marks = []
    for setting in by_run[0]:
        points = [own[setting] for own in by_run if setting in own]
        if len(points) == len(by_run):
            accuracy, low, high, tokens, work = (statistics.fmean(getattr(point, name) for point in points) for name in _MEANS)
            marks.append(Mark(*setting, accuracy, low, high, points[0].clips, tokens, work))
    return tuple(marks)
