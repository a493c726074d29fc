"""Networks of pictures in tables, charts and sentences: AdaStride's table 13, DiffStride's table 3, figures 3 and 4, and ours beside them.

Everything is worked out from the runs: no conclusion is written down here.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch

from adastride.image_runs import ImageEpochLine, ImageRunLine, strides_of
from adastride.inspection.charts import COLOURS, PAPER, Axis, Chart, Panel, Point, Series
from adastride.intervals import wilson
from adastride.models.images import ImageClassifier, ImageConfig
from adastride.results.core import in_words, label, order_of
from adastride.results.core import kind as kind_of_method
from adastride.results.paper_tables import PaperPictures, papers
from adastride.wording import counted

USUAL_START = "2x2 2x2 2x2"
_COLOURS = {"fixed": 0, "learned": 2, "adaptive": 1}
_PAPER_DATA = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}


@dataclass(frozen=True)
class Kept:
    """What a layer makes of its input at some strides. height, width: its strides. size: rows and columns of its output. share: the part of
    its input's pixels that its output has as many of."""

    height: float
    width: float
    size: tuple[int, int]
    share: float


def groups_of(runs: Sequence[ImageRunLine]) -> dict[tuple[str, int], list[ImageRunLine]]:
    """The runs that can be compared, by data set and number of epochs, the group with the most runs first."""
    groups: dict[tuple[str, int], list[ImageRunLine]] = {}
    for run in runs:
        groups.setdefault((run.data, run.epochs), []).append(run)
    return dict(sorted(groups.items(), key=lambda item: -len(item[1])))


def usual(runs: Sequence[ImageRunLine]) -> dict[str, list[ImageRunLine]]:
    """The runs that begin with strides of 2 and pay nothing for their cost, by method in the order of methods."""
    own = [run for run in runs if run.start == USUAL_START and not run.cost_weight]
    methods = sorted({run.method for run in own}, key=order_of)
    return {method: [run for run in own if run.method == method] for method in methods}


def basis(runs: Sequence[ImageRunLine]) -> str:
    """What the numbers of one group stand on, in a sentence or two."""
    first = runs[0]
    seeds = len({run.seed for run in runs})
    notes = "; ".join(dict.fromkeys(run.note for run in runs if run.note))
    machines = " and ".join(dict.fromkeys(run.device for run in runs))
    sentence = (
        f"{title_of(first.data)}{f' ({notes})' if notes else ''}, {first.pictures:,} test pictures; {counted(first.epochs, 'epoch')} of a residual "
        f"network that begins with {first.width} channels, {counted(first.blocks, 'block')} to a stage, on {machines}; {counted(seeds, 'seed')}."
    )
    return f"{sentence} The papers train a network of 64 channels for up to 400 epochs: compare the order, not the numbers."


def story(runs: Sequence[ImageRunLine]) -> list[str]:
    """What the runs of one group say, in sentences: who is best, whether that is more than chance, and what bad starts do."""
    by_method, sentences = {method: _mean(own) for method, own in usual(runs).items()}, []
    if len(by_method) > 1:
        ranked = sorted(by_method, key=lambda method: -by_method[method])
        best, second = ranked[:2]
        low, high = wilson(by_method[best], runs[0].pictures)
        apart = "outside of" if by_method[second] < low else "inside of"
        sentences.append(
            f"{_capital(in_words(best))} is right about {100 * by_method[best]:.1f} % of the test pictures, {in_words(second)} about "
            f"{100 * by_method[second]:.1f} %, {apart} the first one’s 95 % interval of {100 * low:.1f} to {100 * high:.1f} %."
        )
        if "adastride" in by_method and "strided-conv" in by_method:
            gain = 100 * (by_method["adastride"] - by_method["strided-conv"])
            printed = next((table for table in _printed(runs[0].data) if table.paper == "AdaStride"), None)
            theirs = "" if printed is None else f"; in the paper {printed.values['adastride'][0] - printed.values['strided-conv'][0]:+.1f}"
            sentences.append(f"AdaStride along both axes, against strided convolution: {gain:+.1f} points{theirs}.")
    spread = {method: values for method in by_method if len(values := _by_start(runs, method)) > 1}
    if len(spread) > 1:
        parts = [f"{in_words(method)} {100 * (max(values.values()) - min(values.values())):.1f}" for method, values in spread.items()]
        sentences.append(f"Between the best and the worst start there are so many points: {', '.join(parts)}.")
    return sentences


def accuracy_table(runs: Sequence[ImageRunLine]) -> list[dict[str, str]]:
    """The methods beside each other and beside the papers' (AdaStride's table 13, DiffStride's table 3), for starts of 2."""
    printed = [table for table in _printed(runs[0].data) if table.start == USUAL_START]
    rows = []
    for method, own in usual(runs).items():
        low, high = wilson(_mean(own), own[0].pictures)
        rows.append({
            "Method": label(method), "Ours (%)": f"{100 * _mean(own):.1f}", "95 % interval over pictures (%)": f"{100 * low:.1f} to {100 * high:.1f}",
            "Runs": f"{len(own)}",
            **{f"{table.paper} paper, {table.table} (%)": table.text(method) if method in table.values else "–" for table in printed},
            "Strides, height × width": _shown(own[0].strides), "Cost (equation 6)": f"{own[0].cost:.3f}",
            "Training (s per epoch)": f"{statistics.median(run.seconds_per_epoch for run in own):.0f}",
            "One picture (ms)": f"{statistics.median(run.inference_ms for run in own):.1f}", "Parameters": f"{own[0].parameters:,}",
        })
    return rows


def start_table(runs: Sequence[ImageRunLine]) -> list[dict[str, str]]:
    """DiffStride's table 3: accuracies by the strides that networks begin with, ours and the paper's; none where all begin alike."""
    own = [run for run in runs if not run.cost_weight]
    starts = list(dict.fromkeys([USUAL_START, *(run.start for run in own)]))
    methods = [method for method in usual(runs) if len(_by_start(runs, method)) > 1]
    if not methods:
        return []
    printed, rows = {table.start: table for table in _printed(runs[0].data) if table.paper == "DiffStride"}, []
    for start in starts:
        row = {"Strides at the start": _shown(start)}
        for method in methods:
            values = _by_start(runs, method)
            row[f"{label(method)}, ours (%)"] = f"{100 * values[start]:.1f}" if start in values else "–"
        for method in methods:
            there = start in printed and method in printed[start].values
            row[f"{label(method)}, paper (%)"] = printed[start].text(method) if there else "–"
        learned = [run for run in own if run.start == start and kind_of_method(run.method) == "learned" and run.method in methods]
        row["Learned strides"] = _shown(learned[0].strides) if learned else "–"
        rows.append(row)
    return rows


def accuracy_chart(runs: Sequence[ImageRunLine]) -> Chart:
    """The methods' accuracies with their intervals, and the papers', a row for each method."""
    by_method, panels = usual(runs), []
    if by_method:
        methods = [*by_method][::-1]
        ours = []
        for place, method in enumerate(methods):
            value = _mean(by_method[method])
            low, high = wilson(value, runs[0].pictures)
            said = f"{label(method)}: {100 * value:.1f} %, 95 % interval {100 * low:.1f} to {100 * high:.1f} %"
            ours.append(Point(100 * value, place, said, 100 * low, 100 * high))
        series = [Series("Ours, with 95 % intervals over pictures", 1, tuple(ours), thin=True)]
        for table in _printed(runs[0].data):
            points = [
                Point(table.values[method][0], place, f"{label(method)}: {table.text(method)} % ({table.source})")
                for place, method in enumerate(methods) if method in table.values
            ]
            if table.start == USUAL_START and points:
                series.append(Series(f"{table.paper} paper, {table.table}", PAPER - len(series) + 1, tuple(points), "hollow"))
        values = [point.x for each in series for point in each.points] + [point.low for point in ours]
        x = Axis("Accuracy (%)", math.floor(min(values)) - 1, math.ceil(max(values)) + 1)
        y = Axis("", -0.6, len(methods) - 0.4, tuple((place, label(method)) for place, method in enumerate(methods)))
        panels.append(Panel(title_of(runs[0].data), x, y, tuple(series), rows=True))
    return Chart("pictures", "Accuracy on pictures by method", tuple(panels), basis(runs) if runs else "")


def learning_chart(runs: Sequence[ImageRunLine], epochs: Sequence[ImageEpochLine], at: int | None = None) -> Chart:
    """DiffStride's figure 3: the strides of each layer by epoch, a line for each start; height drawn through, width dashed.

    at: an epoch with a line through it.
    """

    def named(run: ImageRunLine) -> str:
        return f"{label(run.method)} from {_short(run.start)}{f', seed {run.seed}' if run.seed else ''}"

    panels = stride_panels({run.run: named(run) for run in learners_of(runs)}, epochs, ("height", "width"), "Stride (rows or columns)", at)
    facts = "Drawn through: along the height; dashed: along the width. A stride below 1 would add pixels, and counts as 1."
    return Chart("strides-by-epoch", "Strides while they are learned", panels, facts)


def stride_panels(
    names: Mapping[str, str], epochs: Sequence[ImageEpochLine], axes: tuple[str, str], unit: str, at: int | None,
) -> tuple[Panel, ...]:
    """The strides of each layer by epoch, a panel for each layer; the first axis drawn through, the second dashed.

    names: of runs, by their ids. axes: what they are called. unit: of strides, for the axis of the panels. at: an epoch with a line through it.
    """
    lines = {run: sorted((line for line in epochs if line.run == run), key=lambda line: line.epoch) for run in names}
    lines = {run: own for run, own in lines.items() if own}
    panels = []
    for layer in range(max((len(strides_of(own[0].strides)) for own in lines.values()), default=0)):
        series, highest = [], 2.0
        for place, (run, own) in enumerate(lines.items()):
            for axis, name in enumerate(axes):
                points = [(line.epoch, strides_of(line.strides)[layer][axis]) for line in own]
                highest = max([highest, *(stride for _, stride in points)])
                series.append(Series(
                    names[run], place % COLOURS,
                    tuple(Point(epoch, stride, f"{names[run]}: stride of the {name} {stride:.2f} after epoch {epoch}") for epoch, stride in points),
                    "line", dash=axis == 1,
                ))
        last = max(line.epoch for own in lines.values() for line in own)
        x, y = Axis("Epoch", 0, last), Axis(unit, 0.9, math.ceil(10 * highest + 1) / 10)
        panels.append(Panel(f"Layer {layer + 1}", x, y, tuple(series), guide=None if at is None else float(at)))
    return tuple(panels)


def trade_chart(runs: Sequence[ImageRunLine]) -> Chart:
    """DiffStride's figure 4: accuracy against equation 6's cost, a mark for each weight λ of the cost; nothing where there is one weight."""
    own = [run for run in runs if kind_of_method(run.method) == "learned" and run.start == USUAL_START]
    panels = []
    if len({run.cost_weight for run in own}) > 1:
        fixed = [run for run in runs if kind_of_method(run.method) != "learned" and run.start == USUAL_START]
        series = []
        for method in sorted({run.method for run in own}, key=order_of):
            points = sorted((run.cost, run) for run in own if run.method == method)
            series.append(Series(label(method), _COLOURS[kind_of_method(method)], tuple(_trade_point(run) for _, run in points), "line", thin=True))
        series += [Series(label(run.method), 0 if kind_of_method(run.method) == "fixed" else 1, (_trade_point(run),), thin=True) for run in fixed]
        lows, highs = zip(*((point.low, point.high) for each in series for point in each.points), strict=True)
        x = Axis("Cost (equation 6, 0.33 for strides of 2)", 0, 1.1 * max(point.x for each in series for point in each.points))
        y = Axis("Accuracy (%)", math.floor(min(lows)) - 1, math.ceil(max(highs)) + 1)
        panels.append(Panel(title_of(runs[0].data), x, y, tuple(series)))
    facts = "Bars: 95 % intervals over pictures. A larger λ makes strides larger and the network cheaper."
    return Chart("cost-of-pictures", "Accuracy against cost", tuple(panels), facts)


def _trade_point(run: ImageRunLine) -> Point:
    low, high = wilson(run.accuracy, run.pictures)
    weight = f", λ = {run.cost_weight:g}" if kind_of_method(run.method) == "learned" else ""
    said = f"{label(run.method)}{weight}: {100 * run.accuracy:.1f} % at a cost of {run.cost:.3f}, strides {_shown(run.strides)}"
    return Point(run.cost, 100 * run.accuracy, said, 100 * low, 100 * high)


def learners_of(runs: Sequence[ImageRunLine]) -> list[ImageRunLine]:
    """The runs that learn their strides and pay nothing for their cost."""
    return [run for run in runs if kind_of_method(run.method) == "learned" and not run.cost_weight]


def kept_table(runs: Mapping[str, ImageRunLine], lines: Sequence[ImageEpochLine]) -> list[dict[str, str]]:
    """What the layers of each run keep of a picture of 32 x 32 pixels at the epoch of its line. runs: by name."""
    rows = []
    for line in lines:
        run = runs[line.run]
        row = {"Run": f"{label(run.method)} from {_short(run.start)}{f', seed {run.seed}' if run.seed else ''}", "Epoch": f"{line.epoch}"}
        for number, kept in enumerate(kept_at(run, line), start=1):
            row[f"Layer {number}: strides"] = f"{kept.height:.2f} × {kept.width:.2f}"
            row[f"Layer {number}: output"] = f"{kept.size[0]} × {kept.size[1]} ({100 * kept.share:.0f} %)"
        row["Cost (equation 6)"] = f"{line.cost:.3f}"
        row["Validation accuracy (%)"] = "–" if math.isnan(line.valid_accuracy) else f"{100 * line.valid_accuracy:.1f}"
        rows.append(row)
    return rows


def kept_at(run: ImageRunLine, line: ImageEpochLine, size: int = 32) -> list[Kept]:
    """What each layer of a run's network made of a picture of size x size pixels at an epoch."""
    strides = strides_of(line.strides)
    kept, before = [], (size, size)
    for (height, width), after in zip(strides, _sizes(run.method, strides, size), strict=True):
        kept.append(Kept(height, width, after, after[0] * after[1] / (before[0] * before[1])))
        before = after
    return kept


@lru_cache(maxsize=256)
@torch.inference_mode()
def _sizes(method: str, strides: tuple[tuple[float, float], ...], size: int) -> tuple[tuple[int, int], ...]:
    network = ImageClassifier(ImageConfig(("a", "b"), method, strides, width=1, blocks=1)).eval()
    downsampled = network(torch.zeros(1, 3, size, size)).downsampled
    return tuple((down.values.shape[2], down.values.shape[3]) for down in downsampled)


def title_of(data: str) -> str:
    """The name of a data set for people."""
    return _PAPER_DATA.get(data, data)


def _printed(data: str) -> list[PaperPictures]:
    return [table for table in papers().pictures if table.data == _PAPER_DATA.get(data)]


def _by_start(runs: Sequence[ImageRunLine], method: str) -> dict[str, float]:
    own = [run for run in runs if run.method == method and not run.cost_weight]
    return {start: _mean([run for run in own if run.start == start]) for start in dict.fromkeys(run.start for run in own)}


def _mean(runs: Sequence[ImageRunLine]) -> float:
    return statistics.mean(run.accuracy for run in runs)


def _shown(strides: str) -> str:
    """Strides for people: "2 × 2, 1.53 × 1, 3 × 2.5"."""
    return ", ".join(f"{height:.3g} × {width:.3g}" for height, width in strides_of(strides))


def _short(strides: str) -> str:
    """Strides in a legend: one number for a layer whose axes are alike."""
    return ", ".join(f"{height:.3g}" if height == width else f"{height:.3g} × {width:.3g}" for height, width in strides_of(strides))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
