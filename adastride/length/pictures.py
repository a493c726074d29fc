"""Rows of packed clips with their attention masks beside them: by Plotly for the page, by Matplotlib for files.

Each row is as high as the mask that stands beside it: a square of N' by N' tokens, in which the tokens of a clip see each other and
nothing else.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from adastride.inspection.charts import COLOURS, INK, colour_of
from adastride.inspection.figures import styled
from adastride.length.packs import METHODS, Packed

_BAR = 0.86  # of a row's height that is drawn
_ROWS_END, _MASKS_BEGIN = 0.74, 0.79  # of the width: where rows end and masks begin
_MOST_HEIGHT, _LEAST_HEIGHT, _ALL_ROWS = 92, 30, 420  # CSS pixels of a row, and of all rows together before they get lower
_PAD = {False: "#C4C8CC", True: "#4A5364"}
_TICKS = 4
_LABELLED = 0.07  # of a row: a clip with less has no room for its seconds


@dataclass(frozen=True)
class Block:
    """A rectangle of a picture.

    left, width: in tokens. middle, height: in rows. clip: whose it is, None for padding. text: for the pointer. label: what is written
    into it where there is room.
    """

    left: float
    width: float
    middle: float
    height: float
    clip: int | None
    text: str
    label: str = ""


def row_blocks(packed: Packed) -> list[Block]:
    """What stands in the rows, padding last."""
    blocks = [
        Block(
            packed.offset[clip], tokens, packed.row[clip], _BAR, clip,
            f"Clip {clip + 1}: {_seconds_text(seconds, 2)}, {tokens:,} tokens in row {packed.row[clip] + 1}",
            _seconds_text(seconds) if tokens > _LABELLED * packed.limit else "",
        )
        for clip, (seconds, tokens) in enumerate(zip(packed.seconds, packed.tokens, strict=True))
    ]
    return blocks + [
        Block(filled, rest, row, _BAR, None, f"Row {row + 1}: {rest:,} of {packed.width:,} tokens are padding")
        for row, filled in enumerate(packed.filled) if (rest := packed.width - filled)
    ]


def mask_blocks(packed: Packed) -> list[Block]:
    """The mask of each row: a square that sees nothing, and on its diagonal a block for each clip."""
    blocks = [
        Block(0, packed.width, row, _BAR, None, f"Row {row + 1}: tokens of different clips, and padding, see nothing of each other")
        for row in range(packed.rows)
    ]
    for clip, (tokens, row, offset) in enumerate(zip(packed.tokens, packed.row, packed.offset, strict=True)):
        share, middle = tokens / packed.width, (offset + tokens / 2) / packed.width
        size = f"{packed.width:,} × {packed.width:,}"
        text = f"Clip {clip + 1}: its {tokens:,} tokens see each other, {100 * share**2:.1f} % of the {size} of row {row + 1}"
        blocks.append(Block(offset, tokens, row + _BAR * (middle - 0.5), _BAR * share, clip, text))
    return blocks


def colours_of(packs: Sequence[Packed]) -> list[int]:
    """A place in the palette for each clip, the same in all of these packings of the same clips.

    Clips that lie beside each other differ, in a row or above each other, in each of the packings: the clip whose neighbours have most
    colours is next (DSATUR), and gets the colour that its neighbours have least often. As many clips as there are colours all differ.
    """
    count = len(packs[0].tokens)
    if count <= COLOURS:
        return list(range(count))
    beside: list[set[int]] = [set() for _ in range(count)]
    for one, other in _neighbours(packs):
        beside[one].add(other)
        beside[other].add(one)
    colours = dict[int, int]()
    while len(colours) < count:
        waiting = (clip for clip in range(count) if clip not in colours)
        clip = max(waiting, key=lambda clip: (len({colours[each] for each in beside[clip] if each in colours}), len(beside[clip])))
        taken = [colours[each] for each in beside[clip] if each in colours]
        turned = [(clip + step) % COLOURS for step in range(COLOURS)]  # so that all of the palette is used
        colours[clip] = min(turned, key=taken.count)
    return [colours[clip] for clip in range(count)]


def _neighbours(packs: Sequence[Packed]) -> Iterator[tuple[int, int]]:
    """The pairs of clips that lie beside each other in one of the packings: in a row, or in part above each other."""
    for packed in packs:
        places = list(zip(packed.row, packed.offset, packed.tokens, strict=True))
        for one, (row, begin, tokens) in enumerate(places):
            for other, (its_row, its_begin, its_tokens) in enumerate(places):
                above = its_row == row + 1 and begin < its_begin + its_tokens and its_begin < begin + tokens
                if above or (its_row == row and its_begin == begin + tokens):
                    yield one, other


def colour_sentence(packs: Sequence[Packed], colours: Sequence[int]) -> str:
    """What the colours of clips mean."""
    if len(colours) <= COLOURS:
        return "A colour is a clip."
    apart = all(colours[one] != colours[other] for one, other in _neighbours(packs))
    differ = "have different colours" if apart else f"have different colours as far as {COLOURS} are enough"
    return f"Clips beside and above each other {differ}; clips further apart may share one."


def plotly_rows(packed: Packed, colours: Sequence[int], most_rows: int, dark: bool = False) -> go.Figure:
    """The picture for the page, as wide as its place.

    colours: of each clip. most_rows: of all pictures beside it, so that their rows are equally high.
    """
    ink, quiet, grid = INK[dark]
    height = max(_LEAST_HEIGHT, min(_MOST_HEIGHT, _ALL_ROWS // most_rows))
    figure = go.Figure()
    for blocks, axis in ((row_blocks(packed), "x"), (mask_blocks(packed), "x2")):
        for padding in (True, False):
            own = [block for block in blocks if (block.clip is None) == padding]
            figure.add_trace(_bars(own, colours, axis, padding, dark))
    for axis, domain, last in (("xaxis", (0.0, _ROWS_END), packed.limit), ("xaxis2", (_MASKS_BEGIN, 1.0), packed.width)):
        rows = axis == "xaxis"
        figure.update_layout({axis: {
            "domain": domain, "range": [0, last], "fixedrange": True, "showgrid": False, "zeroline": False, "automargin": True,
            "tickvals": [round(last * step / _TICKS) for step in range(_TICKS + 1)] if rows else [], "tickformat": ",d", "ticks": "",
            "tickfont": {"size": 12, "color": ink}, "showline": rows, "linecolor": grid,
            "title": {"text": "Tokens of a row" if rows else "Mask", "font": {"size": 12, "color": quiet}, "standoff": 4 if rows else 22},
        }})
    figure.update_yaxes(
        range=[packed.rows - 0.5, -0.5], tickvals=list(range(packed.rows)), ticktext=[f"{row + 1}" for row in range(packed.rows)],
        fixedrange=True, showgrid=False, zeroline=False, automargin=True, tickfont={"size": 12, "color": ink}, ticks="",
        ticklabelstandoff=5,
        title={"text": "Row", "font": {"size": 12, "color": quiet}, "standoff": 4},
    )
    return figure.update_layout(
        title={"text": f"<b>{title(packed)}</b>", "x": 0, "xanchor": "left", "y": 1, "yref": "container", "yanchor": "top",
               "pad": {"t": 6, "l": 4}, "font": {"size": 14, "color": ink}},
        height=height * packed.rows + 92, margin={"l": 8, "r": 12, "t": 36, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
        font={"family": '"Source Sans", sans-serif', "size": 12, "color": ink}, barmode="overlay", hovermode="closest", showlegend=False,
        hoverlabel={"bgcolor": "#1A1F2B" if dark else "#FFFFFF", "font": {"color": ink}, "align": "left"},
    )


def _bars(blocks: Sequence[Block], colours: Sequence[int], axis: str, padding: bool, dark: bool) -> go.Bar:
    ground = "#0F121A" if dark else "#FFFFFF"
    marker: dict[str, object] = {"line": {"width": 1, "color": ground}}
    if padding:
        marker |= {"color": _PAD[dark] if axis == "x" else INK[dark][2]}
        if axis == "x":  # the paper's picture of padding, and the only thing here that is no colour of a clip
            marker |= {"color": ground, "pattern": {"shape": "/", "fgcolor": _PAD[dark], "bgcolor": ground, "size": 7, "solidity": 0.35}}
    else:
        marker |= {"color": [colour_of(colours[block.clip], dark) for block in blocks if block.clip is not None]}
    return go.Bar(
        base=[block.left for block in blocks], x=[block.width for block in blocks], y=[block.middle for block in blocks],
        width=[block.height for block in blocks], orientation="h", xaxis=axis, marker=marker, hoverinfo="text",
        hovertext=[block.text for block in blocks],
        text=[block.label for block in blocks], textposition="inside", insidetextanchor="middle",
        insidetextfont={"color": "#0F121A" if dark else "#FFFFFF"}, constraintext="inside", cliponaxis=True,
    )


def title(packed: Packed) -> str:
    """What a picture of rows is called, with what it shows in numbers."""
    return f"{METHODS[packed.best_fit]}: {_rows(packed)}, {100 * packed.pad_ratio:.1f} % padding"


def _rows(packed: Packed) -> str:
    return "1 row" if packed.rows == 1 else f"{packed.rows} rows"


def _seconds_text(seconds: float, digits: int = 1) -> str:
    """Seconds with so many digits after the point, and with two that are not 0 where that would say nothing of it.

    >>> _seconds_text(2.0), _seconds_text(0.012)
    ('2.0 s', '0.012 s')
    """
    return f"{seconds:.{digits}f} s" if seconds >= 10**-digits else f"{seconds:.2g} s"


def sentence(first: Packed, best: Packed) -> str:
    """What packing does with these clips, against padding each to the longest."""
    count, total = len(first.seconds), f"{sum(first.tokens):,} tokens"
    if count == 1:
        return f"1 clip, {total}: it has a row of its own without padding, and all of its tokens see each other."
    shortest, last = _seconds_text(min(first.seconds)), _seconds_text(max(first.seconds))
    clips = f"{count} clips of {last}" if shortest == last else f"{count} clips of {shortest.removesuffix(' s')} to {last}"
    longest = 1 - sum(first.tokens) / (count * max(first.tokens))
    apart = round(100 * (first.pad_ratio - best.pad_ratio), 1)
    saved = "the same" if not apart else f"{abs(apart):.1f} points {'less' if apart > 0 else 'more'}"
    return (
        f"{clips}, {total}: each padded to the longest, {100 * longest:.1f} % of {count} rows would be padding. "
        f"Packed as they come, {100 * first.pad_ratio:.1f} % of {_rows(first)}; "
        f"by best fit, {100 * best.pad_ratio:.1f} % of {_rows(best)}, {saved}. "
        f"The mask lets {100 * first.seen:.0f} % of a row’s pairs of tokens see each other (best fit: {100 * best.seen:.0f} %)."
    )


def export_rows(packs: Sequence[Packed], caption: str) -> Figure:
    """The pictures under each other on one page, for a paper or a slide; `figures.render` makes a file of it."""
    colours = colours_of(packs)
    with styled():
        heights = [min(0.55 * packed.rows, 5.0) + 0.75 for packed in packs]
        figure = Figure(figsize=(7.2, sum(heights) + 0.35), dpi=200)
        FigureCanvasAgg(figure)
        total, top = figure.get_size_inches()[1], 0.0
        for packed, height in zip(packs, heights, strict=True):
            bottom = 1 - (top + height - 0.45) / total
            rows, masks = (row_blocks(packed), 0.07, 0.7, packed.limit), (mask_blocks(packed), 0.8, 0.18, packed.width)
            for blocks, left, width, last in (rows, masks):
                ax = figure.add_axes((left, bottom, width, (height - 0.75) / total))
                _draw(ax, packed, blocks, colours, last, rows=width > 0.5)
            top += height
        lines = textwrap.fill(caption, 140)
        figure.text(0.012, 0.06 / total, lines, va="bottom", fontsize=6.5, color="#5A6372", parse_math=False)
        return figure


def _draw(ax: Axes, packed: Packed, blocks: Sequence[Block], colours: Sequence[int], last: float, rows: bool) -> None:
    for block in blocks:
        place = (block.left, block.middle - block.height / 2)
        patch = Rectangle(place, block.width, block.height, facecolor="white" if rows else INK[False][2], edgecolor="white", linewidth=0.5)
        if block.clip is not None:
            patch.set_facecolor(colour_of(colours[block.clip], False))
        elif rows:
            patch.set(edgecolor=_PAD[False], hatch="////")
        ax.add_patch(patch)
        if block.label:
            ax.text(block.left + block.width / 2, block.middle, block.label, ha="center", va="center", color="white", fontsize=6.5)
    ax.set_xlim(0, last)
    ax.set_ylim(packed.rows - 0.5, -0.5)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.set_yticks(range(packed.rows) if rows else [], labels=[f"{row + 1}" for row in range(packed.rows)] if rows else [])
    ax.tick_params(left=False)
    if rows:
        ax.set_xlabel("Tokens of a row", color="#5A6372")
        ax.set_title(title(packed), loc="left", fontweight="bold", parse_math=False)
    else:
        ax.set_xticks([])
        ax.spines["bottom"].set_visible(False)
        ax.set_title("Mask", loc="left", parse_math=False)
