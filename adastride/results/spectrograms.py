"""Networks of spectrograms in tables, charts and sentences: DiffStride's tables 1 and 2, and ours beside them.

Everything is worked out from the runs: no conclusion is written down here.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from adastride.image_runs import ImageEpochLine, strides_of
from adastride.inspection.charts import Axis, Chart, Panel, Point, Series
from adastride.inspection.modulation import modulations
from adastride.intervals import wilson
from adastride.models.spectrograms import SpectrogramConfig
from adastride.results.core import in_words, label, order_of
from adastride.results.core import kind as kind_of_method
from adastride.results.paper_tables import papers
from adastride.results.pictures import stride_panels
from adastride.spectrogram_runs import SpectrogramRunLine
from adastride.subjects import title_of
from adastride.wording import counted

ALL = "All of them"
_MEL = SpectrogramConfig(("task",), (("a", "b"),)).mel


@dataclass(frozen=True)
class Group:
    """What runs have in common that can be compared: epochs, channels of the first block, strides at the start, and lambda of equation 6."""

    epochs: int
    width: int
    start: str
    cost_weight: float

    @property
    def title(self) -> str:
        """It in words, without what is usual."""
        start = "" if all(pair == (2.0, 2.0) for pair in strides_of(self.start)) else f", from {self.start}"
        return f"{counted(self.epochs, 'epoch')}, {self.width} channels{start}{f', λ = {self.cost_weight:g}' if self.cost_weight else ''}"


def groups_of(runs: Sequence[SpectrogramRunLine]) -> dict[Group, list[SpectrogramRunLine]]:
    """The runs that can be compared, the group with the most of them first. Of networks of several tasks those of the most tasks are in it."""
    groups: dict[Group, list[SpectrogramRunLine]] = {}
    for run in runs:
        groups.setdefault(Group(run.epochs, run.width, run.start, run.cost_weight), []).append(run)
    for group, own in groups.items():
        most = max((run.tasks for run in own), key=len)
        groups[group] = [run for run in own if len(run.tasks) == 1 or run.tasks == most]
    return dict(sorted(groups.items(), key=lambda item: -len(item[1])))


def basis(runs: Sequence[SpectrogramRunLine]) -> str:
    """What the numbers of one group stand on, in a sentence or two."""
    first, seeds = runs[0], len({run.seed for run in runs})
    clips = {run.task: run.clips for run in runs}
    tests = ", ".join(f"{title_of(task)} {count:,}" for task, count in clips.items())
    notes = "".join(f" {note}." for note in dict.fromkeys(run.note for run in runs if run.note))
    return (
        f"Test clips: {tests}; {counted(first.epochs, 'epoch')} of a network that begins with {first.width} channels, on "
        f"{' and '.join(dict.fromkeys(run.device for run in runs))}; {counted(seeds, 'seed')}. A network for several tasks sees as many windows "
        f"in all as one for one task, so fewer of each. The paper trains 64 channels on other data for a million steps: compare the order, "
        f"not the numbers.{notes}"
    )


def story(runs: Sequence[SpectrogramRunLine]) -> list[str]:
    """What the runs of one group say, in sentences: which method, one network or several, and where strides went."""
    sentences = []
    for together in (True, False):
        means = _means(runs, together)
        if {"diffstride", "strided-conv"} <= set(means):
            gain = means["diffstride"] - means["strided-conv"]
            where = "One network for all tasks" if together else "A network for each task"
            printed = next(entry for entry in papers().spectrograms if entry.task == ALL)
            theirs = printed.together if together else printed.single
            sentences.append(
                f"{where}, on average over {counted(len(_tasks(runs)), 'task')}: {in_words('diffstride')} {means['diffstride']:.1f} %, "
                f"{in_words('strided-conv')} {means['strided-conv']:.1f} %, {gain:+.1f} points; in the paper "
                f"{theirs['diffstride'] - theirs['strided-conv']:+.1f} on its tasks."
            )
    learned = [row for row in _first_strides(runs) if row[1] is not None]
    if learned:
        run = learned[0][1]
        frequency, time = strides_of(run.strides)[0]
        whom = "the network of all tasks" if len(run.tasks) > 1 else f"the network of {title_of(run.task).lower()}"
        sentences.append(
            f"In {whom} the first layer learned a stride of {time:.2f} over time and {frequency:.2f} over frequency, "
            f"so that it lets modulations of up to {_cut_off(time, _MEL.frames_per_second):.0f} Hz through."
        )
    return sentences


def accuracy_table(runs: Sequence[SpectrogramRunLine]) -> list[dict[str, str]]:
    """DiffStride's table 1 with our tasks: accuracies of a network for each task, and of one for all."""
    rows, methods = [], _methods(runs)
    for task in [*_tasks(runs), ALL]:
        row = {"Task": title_of(task)}
        for together in (False, True):
            for method in methods:
                row[f"{label(method)}, {'all tasks' if together else 'alone'} (%)"] = _accuracy_text(runs, task, method, together)
        rows.append(row)
    return rows


def paper_accuracy_table() -> list[dict[str, str]]:
    """DiffStride's table 1."""
    return [
        {"Task": entry.task} | {
            f"{label(method)}, {'all tasks' if together else 'alone'} (%)": f"{value:.1f}"
            for together, values in ((False, entry.single), (True, entry.together)) for method, value in values.items()
        }
        for entry in papers().spectrograms
    ]


def stride_table(runs: Sequence[SpectrogramRunLine]) -> list[dict[str, str]]:
    """DiffStride's table 2: strides that first layers have learned, and the modulations that they let through."""
    rows = []
    for name, run in _first_strides(runs):
        if run is not None:
            frequency, time = strides_of(run.strides)[0]
            hertz, cycles = _cut_off(time, _MEL.frames_per_second), _cut_off(frequency, 1.0)
            rows.append(_stride_row(f"{name}, ours{f', seed {run.seed}' if run.seed else ''}", time, frequency, hertz, cycles))
    for entry in papers().spectrograms:
        rows.append(_stride_row(f"{'One network for all' if entry.task == ALL else entry.task}, paper", *entry.strides, entry.hertz, entry.cycles))
    return rows


def accuracy_chart(runs: Sequence[SpectrogramRunLine]) -> Chart:
    """The accuracies with their intervals, a panel for each task and a row for each method."""
    panels, methods = [], _methods(runs)[::-1]
    for task in _tasks(runs):
        series = []
        for colour, together in enumerate((False, True)):
            points = []
            for place, method in enumerate(methods):
                own = _of(runs, task, method, together)
                if own:
                    share, clips = statistics.mean(run.accuracy for run in own), own[0].clips
                    low, high = wilson(share, clips)
                    how = "one network for all tasks" if together else "a network of its own"
                    said = f"{label(method)}, {how}: {100 * share:.1f} %, 95 % interval {100 * low:.1f} to {100 * high:.1f} %"
                    points.append(Point(100 * share, place + (0.12 if together else -0.12), said, 100 * low, 100 * high))
            if points:
                series.append(Series("One network for all tasks" if together else "A network for each task", colour, tuple(points), thin=True))
        low = min(point.low for each in series for point in each.points)
        x = Axis("Accuracy (%)", max(0, 10 * math.floor(low / 10)), 100)
        y = Axis("", -0.6, len(methods) - 0.4, tuple((place, label(method)) for place, method in enumerate(methods)))
        panels.append(Panel(title_of(task), x, y, tuple(series), rows=True))
    return Chart("spectrograms", "Accuracy of networks of spectrograms", tuple(panels), "Bars: 95 % intervals over test clips.")


def learning_chart(runs: Sequence[SpectrogramRunLine], epochs: Sequence[ImageEpochLine], at: int | None = None) -> Chart:
    """DiffStride's figure 3 for spectrograms: the strides of each layer by epoch; frequency drawn through, time dashed."""
    names = {
        run.run: f"{'All tasks' if len(run.tasks) > 1 else title_of(run.task)}{f', seed {run.seed}' if run.seed else ''}" for run in _learners(runs)
    }
    panels = stride_panels(names, epochs, ("frequency", "time"), "Stride (bands or frames)", at)
    return Chart("spectrogram-strides", "Strides while they are learned", panels, "Drawn through: along frequency; dashed: along time.")


def _cut_off(stride: float, rate: float) -> float:
    """What a first layer keeps at most, in cycles per unit."""
    return modulations(rate, [stride], [stride])[0].cut_off


def _stride_row(name: str, time: float, frequency: float, hertz: float, cycles: float) -> dict[str, str]:
    return {
        "Network": name, "Stride over time": f"{time:.2f}", "Stride over time (ms)": f"{1e3 * time / _MEL.frames_per_second:.1f}",
        "Cut-off over time (Hz)": f"{hertz:.1f}", "Stride over frequency": f"{frequency:.2f}", "Cut-off over frequency (cycles per mel band)": f"{cycles:.3f}",
    }


def _first_strides(runs: Sequence[SpectrogramRunLine]) -> list[tuple[str, SpectrogramRunLine | None]]:
    """Networks that have learned their strides, one for each run, that of all tasks first, and what they are called."""
    own = sorted(_learners(runs), key=lambda run: (-len(run.tasks), run.seed))
    return [("One network for all" if len(run.tasks) > 1 else title_of(run.task), run) for run in own]


def _learners(runs: Sequence[SpectrogramRunLine]) -> list[SpectrogramRunLine]:
    """One line for each run that learns its strides."""
    return list({run.run: run for run in runs if kind_of_method(run.method) == "learned"}.values())


def _methods(runs: Sequence[SpectrogramRunLine]) -> list[str]:
    return sorted({run.method for run in runs}, key=order_of)


def _tasks(runs: Sequence[SpectrogramRunLine]) -> list[str]:
    return list(dict.fromkeys(run.task for run in runs))


def _of(runs: Sequence[SpectrogramRunLine], task: str, method: str, together: bool) -> list[SpectrogramRunLine]:
    return [run for run in runs if (run.task, run.method, len(run.tasks) > 1) == (task, method, together)]


def _means(runs: Sequence[SpectrogramRunLine], together: bool) -> dict[str, float]:
    """The mean accuracy in percent over tasks, for the methods that have runs of all of them."""
    found = {}
    for method in _methods(runs):
        values = [_of(runs, task, method, together) for task in _tasks(runs)]
        if values and all(values):
            found[method] = 100 * statistics.mean(statistics.mean(run.accuracy for run in own) for own in values)
    return found


def _accuracy_text(runs: Sequence[SpectrogramRunLine], task: str, method: str, together: bool) -> str:
    if task == ALL:
        mean = _means(runs, together).get(method)
        return "–" if mean is None else f"{mean:.1f}"
    own = _of(runs, task, method, together)
    return f"{100 * statistics.mean(run.accuracy for run in own):.1f}" if own else "–"
