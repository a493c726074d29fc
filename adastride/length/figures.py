"""The charts of lengths, described as data. `inspection.charts` draws them: with Plotly for the page, with Matplotlib for files."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from adastride.inspection.charts import PAPER, Axis, Chart, Panel, Point, Series
from adastride.length.curves import WHOLE, Curve, Mark
from adastride.length.report import basis, seconds_text, tested
from adastride.length.token_use import PAPER as PAPER_USE
from adastride.length.token_use import TokenUse

_TOKEN_TICKS = tuple(step * 2**power for power in range(3, 13) for step in (1, 1.5))
_USE_COLOURS = {"longest": 2, "fixed": 3, "first": 0, "best": 1}


def length_chart(curves: Sequence[Curve]) -> Chart:
    """The accuracy by what is heard (the paper's figure 4) and by resolution (figure 5): a panel for each that has two points and more."""
    seconds = sorted({mark.seconds for curve in curves for mark in curve.by_length()})
    parts = [value for value in seconds if value != WHOLE]
    whole = math.log2(parts[-1]) + 1 if parts else 0.0
    places = {value: whole if value == WHOLE else math.log2(value) for value in seconds}
    ticks = tuple((places[value], "whole clips" if value == WHOLE else f"{value:g}") for value in seconds)
    trained = {curve.trained for curve in curves if curve.trained}
    y = _accuracy([mark for curve in curves for mark in (*curve.by_length(), *curve.by_resolution())])
    panels = []
    if len(seconds) > 1:
        x = _room("Length of what is heard (s, logarithmic)", ticks)
        guide = math.log2(min(trained)) if len(trained) == 1 and trained <= {*parts} else None
        lines = _lines(curves, Curve.by_length, lambda mark: places[mark.seconds])
        panels.append(Panel("By length", x, y, lines, guide=guide))
    resolutions = sorted({mark.resolution for curve in curves for mark in curve.by_resolution()})
    if len(resolutions) > 1:
        at = seconds_text(next(mark.seconds for curve in curves for mark in curve.by_resolution()))
        named = resolutions if len(resolutions) <= 8 else resolutions[:: math.ceil(len(resolutions) / 8)]
        x = _room(f"Frame shift over the network’s own, {at}", tuple((value, f"{value:g}") for value in named), resolutions[-1])
        panels.append(Panel("By resolution", x, y, _lines(curves, Curve.by_resolution, lambda mark: mark.resolution)))
    own = "" if not trained else (
        " An AST crops and pads whatever it hears to its own length, so that longer parts tell it nothing more; the paper runs its ASTs at "
        "other lengths."
    )
    if len(resolutions) > 1:
        unmeasured = [curve.name for curve in curves if not curve.by_resolution()]
        many = any(curve.many_shifts for curve in curves)
        own += " ElasticAST learned from many frame shifts, as in the paper, and an AST from one." if many else " All learned from one frame shift."
        own += f" Not measured at other resolutions: {', '.join(unmeasured)}." if unmeasured else ""
    return Chart("length", "Accuracy by length and resolution", tuple(panels), f"{basis(curves)}{own}" if curves else "")


def budget_chart(curves: Sequence[Curve]) -> Chart:
    """The accuracy by number of tokens: by resolution for ElasticAST alone, by stride for what has a layer in front.

    There is no panel where nothing stands in front of any: resolutions have a picture of their own.
    """
    own = [curve for curve in curves if len(curve.by_tokens()) > 1]
    marks = [mark for curve in own for mark in curve.by_tokens()]
    if not any(curve.front for curve in own):
        return Chart("tokens", "Accuracy by number of tokens", (), "")
    least, most = min(mark.tokens for mark in marks), max(mark.tokens for mark in marks)
    ticks = tuple((math.log2(value), f"{value:,.0f}") for value in _TOKEN_TICKS if least / 1.3 <= value <= 1.3 * most)
    name = f"Tokens of what is heard, {seconds_text(marks[0].seconds)} (logarithmic)"
    x = Axis(name, math.log2(least) - 0.25, math.log2(most) + 0.25, ticks)
    series = _lines(own, Curve.by_tokens, lambda mark: math.log2(mark.tokens))
    facts = (
        f"{tested(own)} ElasticAST alone has fewer tokens by a larger frame shift, of which it learned from "
        f"{'many' if any(curve.many_shifts for curve in own) else 'one'}; the others by a larger stride in front of the patches, of which they "
        "learned from one."
    )
    panel = Panel("By number of tokens", x, _accuracy(marks), series)
    return Chart("tokens", "Accuracy by number of tokens", (panel,), facts)


def use_chart(uses: dict[str, TokenUse], data: str) -> Chart:
    """The share of padding by batch size, with the paper's. data: what the clips are."""
    sizes = list(next(iter(uses.values())).pads)
    ticks = tuple((math.log2(size), f"{size}") for size in sizes if size != 12)
    series = [
        Series(use.name, _USE_COLOURS[name], tuple(
            Point(math.log2(size), 100 * share, f"{use.name}, {size} at once: {100 * share:.1f} % padding, {100 * use.cut:.1f} % cut")
            for size, share in use.pads.items()
        ), "line")
        for name, use in uses.items()
    ]
    printed = tuple(
        Point(math.log2(each.batch), each.pad, f"{each.name} in the paper, VoxCeleb: {each.pad:g} % padding")
        for each in PAPER_USE if each.packed
    )
    series.append(Series("ElasticAST in the paper (VoxCeleb)", PAPER, printed, "hollow"))
    highest = max(point.y for each in series for point in each.points)
    x = Axis("Clips at once (logarithmic)", -0.3, math.log2(max(128, sizes[-1])) + 0.3, ticks)
    panel = Panel("Padding by batch size", x, Axis("Share of all tokens (%)", -2.0, max(10.0, 1.1 * highest)), tuple(series))
    return Chart("padding", f"Padding by batch size, {data}", (panel,), "")


def _lines(curves: Sequence[Curve], marks: Callable[[Curve], list[Mark]], x: Callable[[Mark], float]) -> tuple[Series, ...]:
    used = set[int]()
    series = []
    for curve in curves:
        own = marks(curve)
        if own:
            drawn = (Point(x(mark), 100 * mark.accuracy, hover(curve, mark), 100 * mark.low, 100 * mark.high) for mark in own)
            series.append(Series(curve.name, curve.colour, tuple(drawn), "line", dash=curve.colour in used, band=True))
            used.add(curve.colour)
    return tuple(series)


def hover(curve: Curve, mark: Mark) -> str:
    """All that is known of a point, for whoever points at it."""
    how = [seconds_text(mark.seconds)]
    how += [f"{mark.resolution:g} times the frame shift"] * (mark.resolution != 1) + [f"stride {mark.stride:g}"] * bool(mark.stride)
    cost = f"<br>{mark.tokens:,.0f} tokens, {mark.multiply_adds:,.0f} million multiply-adds" if mark.tokens else ""
    share = f"{100 * mark.accuracy:.1f} % right ({100 * mark.low:.1f} to {100 * mark.high:.1f} %) of {mark.clips:,} clips"
    return f"{curve.name}, {', '.join(how)}<br>{share}{cost}"


def _room(label: str, ticks: tuple[tuple[float, str], ...], last: float | None = None) -> Axis:
    low, high = ticks[0][0], ticks[-1][0] if last is None else last
    return Axis(label, low - 0.06 * (high - low), high + 0.08 * (high - low), ticks)


def _accuracy(marks: Sequence[Mark]) -> Axis:
    lowest, highest = 100 * min(mark.low for mark in marks), 100 * max(mark.high for mark in marks)
    return Axis("Accuracy (%)", max(-1.0, 5 * math.floor((lowest - 1) / 5)), min(101.0, 5 * math.ceil((highest + 1) / 5)))
