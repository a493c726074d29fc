"""How right networks are by the length of what they hear, by resolution and by number of tokens: the points of a lengths file as lines.

The file has a line for each run, length, resolution and stride (`adastride.length_points`), and the results beside it say what each run is.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from adastride.length_points import LengthPoint
from adastride.models.audio_transformer import AudioTransformerConfig
from adastride.results.core import kind as kind_of_method
from adastride.results.core import label, order_of
from adastride.results.reading import Run
from adastride.subjects import SUBJECTS
from adastride.tasks.patches import AST_SECONDS

# What several tasks of the grid are about, and what sets a network of one apart from those of the others.
_SUBJECTS = {
    "speakers": ("speakers", ""), "speakers-convolutional": ("speakers", ""),
    "scenes-elastic": ("scenes", "trained at all resolutions"), "scenes-fixed": ("scenes", "trained at one"),
}
_ORANGE, _BLUE, _OTHERS = 0, 1, (2, 3, 4, 5, 6, 7)
_ELASTIC, _FRONT, _AST = "elastic", "elastic-", re.compile(r"ast(?:-(\d+(?:\.\d)?)s)?")
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
    pads to, None for networks that take clips as they are.
    """

    name: str
    colour: int
    runs: int
    front: str | None
    trained: float | None
    marks: tuple[Mark, ...]

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
    return _SUBJECTS.get(task, (task, ""))[0]


def subjects_of(points: Iterable[LengthPoint], runs: Iterable[Run]) -> list[str]:
    """What there are points of, in the order of `SUBJECTS`."""
    measured = {point.run for point in points}
    found = {subject_of(run.task) for run in runs if run.run in measured}
    first = [subject for subject in ("speakers", "scenes") if subject in found]
    return list(dict.fromkeys([*first, *(subject for subject in SUBJECTS if subject in found), *sorted(found)]))


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
    tasks = {(kind, method): {task for other, same, task in keys if (other, same) == (kind, method)} for kind, method, _ in keys}
    curves, free = list[Curve](), iter(_OTHERS)
    for kind, method, task in keys:
        with_points = [measured[name] for name in groups[kind, method, task] if name in measured]
        note = _SUBJECTS.get(task, ("", ""))[1] if len(tasks[kind, method]) > 1 else ""
        name = network_name(kind, method) + (f", {note or task}" if len(tasks[kind, method]) > 1 else "")
        wanted = _ORANGE if method == _ELASTIC else _BLUE if front_of(kind, method) == "adastride" else -1
        colour = wanted if wanted >= 0 and wanted not in {curve.colour for curve in curves} else next(free, _OTHERS[-1])
        curves.append(Curve(name, colour, len(with_points), front_of(kind, method), trained_seconds(kind, method), _marks(with_points)))
    return curves


def network_name(kind: str, method: str) -> str:
    """What people call a network.

    >>> network_name("audio-transformer", "elastic-adastride"), network_name("audio-transformer", "ast-2s")
    ('AdaStride + ElasticAST', 'AST of 2 s')
    >>> network_name("classifier", "strided-conv")
    'Convolutional classifier'
    """
    if kind != AudioTransformerConfig.kind:
        return "Convolutional classifier" if method == "strided-conv" else f"Convolutional classifier, {label(method)}"
    if method == _ELASTIC:
        return "ElasticAST"
    front = front_of(kind, method)
    return f"AST of {trained_seconds(kind, method):g} s" if front is None else f"{label(front)} + ElasticAST"


def trained_seconds(kind: str, method: str) -> float | None:
    """The length that a standard AST crops and pads to, by its name; None for other networks."""
    found = _AST.fullmatch(method) if kind == AudioTransformerConfig.kind else None
    return float(found[1] or AST_SECONDS) if found else None


def front_of(kind: str, method: str) -> str | None:
    """The method in front of an ElasticAST's patches, by its name; None where there is none, and for other networks."""
    if kind != AudioTransformerConfig.kind or method == _ELASTIC or _AST.fullmatch(method):
        return None
    return method.removeprefix(_FRONT)


def _order(key: tuple[str, str, str]) -> tuple[object, ...]:
    kind, method, task = key
    front = front_of(kind, method)
    place = 3 if kind != AudioTransformerConfig.kind else 2 if trained_seconds(kind, method) else 1 if front else 0
    return place, kind_of_method(front or "") != "adaptive", order_of(front or method), task


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
