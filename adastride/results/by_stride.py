"""How far down in output frames each network can go: the headline metric against the overall stride, from a file of `sweep`.

The file, strides.csv beside the results, is what `python -m adastride sweep --stride ... --csv` writes: a line for each
checkpoint and stride.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from adastride.checkpoints import shipped
from adastride.inspection.charts import Axis, Chart, Panel, Point, Series
from adastride.results.core import kind as kind_of_method
from adastride.results.core import order_of
from adastride.results.reading import FOLDER, ResultsError
from adastride.subjects import title_of
from adastride.tasks import KINDS

STRIDES = FOLDER / "strides.csv"
_COLOURS = {"fixed": 0, "learned": 2, "adaptive": 1}


@dataclass(frozen=True)
class StrideScore:
    """What a checkpoint was measured to do at one overall stride, on test clips.

    stride: input frames of the lowest layer per output frame of the highest. value, low, high: the headline metric and the ends of its
    95 % interval, in the metric's own scale. clips: how many clips it stands on.
    """

    checkpoint: str
    stride: float
    value: float
    low: float
    high: float
    clips: int


def read_strides(path: str | Path = STRIDES) -> list[StrideScore]:
    """The lines of a file, in its order; none where there is no file. Raises ResultsError, one sentence, for any other file."""
    path = Path(path)
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            before_low = (reader.fieldnames or [])[(reader.fieldnames or []).index("low") - 1]
            return [
                StrideScore(row["checkpoint"], *(float(row[name]) for name in ("stride", before_low, "low", "high")), int(row["clips"]))
                for row in reader
            ]
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError):
        raise ResultsError(f"{path} is no file of `python -m adastride sweep --stride`: write it again.") from None


def by_stride_chart(scores: Sequence[StrideScore], kind: str) -> Chart:
    """The metric against the overall stride, a panel for each task of this kind of network and a line for each of its checkpoints."""
    known = shipped()
    own = [score for score in scores if score.checkpoint in known and known[score.checkpoint].kind == kind]
    metric, panels = KINDS[kind].task.headline, []
    for task in dict.fromkeys(known[score.checkpoint].task for score in own):
        of_task = [score for score in own if known[score.checkpoint].task == task]
        names = sorted(dict.fromkeys(score.checkpoint for score in of_task), key=lambda name: order_of(known[name].method))
        colours = [_COLOURS[kind_of_method(known[name].method)] for name in names]
        series = tuple(
            Series(known[name].title.split(" · ")[-1], colours[place], tuple(
                Point(
                    score.stride, metric.scale * score.value,
                    f"{known[name].title}, overall stride {score.stride:g}: {metric.text(score.value)} on {score.clips} clips",
                    metric.scale * score.low, metric.scale * score.high,
                )
                for score in _once(of_task, name)
            ), "line", thin=True, dash=colours[place] in colours[:place])
            for place, name in enumerate(names)
        )
        strides = [score.stride for score in of_task]
        most = max(metric.scale * score.high for score in of_task if math.isfinite(score.high))
        x = Axis("Overall stride (input frames per output frame)", min(strides) - 0.5, max(strides) + 0.5)
        y = Axis(f"{metric.label} (%)", 0.0, max(1.05 * most, 5.0))
        panels.append(Panel(title_of(task), x, y, series))
    clips = ", ".join(dict.fromkeys(f"{score.clips} test clips" for score in own))
    facts = (
        f"Trained at an overall stride of 4 and run at others, on {clips}. Bars: 95 % intervals over clips. Strided convolution takes whole strides "
        "in each layer, so it keeps the ones that are nearest."
    )
    facts += "".join(f" {sentence}" for task in dict.fromkeys(known[score.checkpoint].task for score in own) if (sentence := _against_fixed(own, task)))
    return Chart("by-stride", f"{metric.label} by overall stride", tuple(panels), facts)


def _against_fixed(scores: Sequence[StrideScore], task: str) -> str:
    """At which strides AdaStride makes more errors than strided convolution and at which fewer; "" where they have none in common."""
    known = shipped()
    of_method = {
        method: {score.stride: score for score in scores if (known[score.checkpoint].task, known[score.checkpoint].method) == (task, method)}
        for method in ("adastride", "strided-conv")
    }
    adaptive, fixed = of_method["adastride"], of_method["strided-conv"]
    common = sorted(set(adaptive) & set(fixed))
    parts = []
    for said, sign in (("more", 1), ("fewer", -1)):
        strides = [stride for stride in common if sign * (adaptive[stride].value - fixed[stride].value) > 0]
        if strides:
            than = "" if parts else " errors than strided convolution"
            parts.append(f"{said}{than} at {', '.join(f'{stride:g}' for stride in strides)}")
    apart = [stride for stride in common if max(adaptive[stride].low, fixed[stride].low) > min(adaptive[stride].high, fixed[stride].high)]
    if not parts:
        return ""
    surely = f"; the intervals lie apart at {', '.join(f'{stride:g}' for stride in apart)}" if apart else "; the intervals overlap everywhere"
    return f"{title_of(task)}: AdaStride makes {' and '.join(parts)}{surely}."


def _once(scores: Sequence[StrideScore], checkpoint: str) -> list[StrideScore]:
    """A checkpoint's scores by rising stride, one for each: strides that were asked for may have become the same whole ones."""
    return [score for _, score in sorted({score.stride: score for score in scores if score.checkpoint == checkpoint}.items())]
