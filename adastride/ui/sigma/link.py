"""Links that restore a sweep: ?clip=seven&checkpoint=digits-adastride&sweep=clip&over=sigma&sigmas=0.05,100,25&at=0.8.

sigmas and strides hold the first value, the last value and the number of values. at is the value that is looked at. said is what was
said in the clip, where somebody has typed it. sigma, stride
and variant are what the viewer there was moved to, as in links to the Explore page. The browser writes these three, and
`write_address` the others.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping
from dataclasses import dataclass

from adastride.downsampling import LayerSettings
from adastride.sweep.core import MOST_VALUES
from adastride.ui.explore import link
from adastride.ui.query import LayersOf, Query, one_of

Range = tuple[float, float, int]  # first value, last value, number of values
MOST_SAID = 500  # letters of what somebody types to have been said
RANGES = {"sigma": "sigmas", "stride": "strides"}  # what is swept to the name of its range in a link


@dataclass(frozen=True)
class SweepLink:
    """What a link asks for. A field is None, and `ranges` lacks a range, where the link says nothing usable.

    subject: one clip or many. kind: what is swept. at: the value that is looked at. said: what was said in the clip, "" where nobody
    says so. settings: what the viewer was moved to. problems: a sentence for each parameter that was wrong.
    """

    clip: str | None
    checkpoint: str | None
    subject: str | None
    kind: str | None
    ranges: Mapping[str, Range]
    at: float | None
    said: str
    settings: tuple[LayerSettings, ...]
    problems: tuple[str, ...]


def parse(
    parameters: Mapping[str, str], clips: Container[str], checkpoints: Container[str], subjects: Mapping[str, object], kinds: Mapping[str, object],
    layers_of: LayersOf,
) -> SweepLink:
    """Reads the page's query parameters. Whatever is missing or wrong gets its default, and what is wrong is reported as a problem."""
    query = Query(parameters)
    clip, checkpoint = query.clip(clips), query.checkpoint(checkpoints)
    moved = link.settings(query, layers_of(checkpoint))
    ranges = {quantity: query.read(name, _range, "the usual is used") for quantity, name in RANGES.items()}
    return SweepLink(
        clip,
        checkpoint,
        query.read("sweep", one_of(subjects, " or ".join(subjects)), "the usual is used"),
        query.read("over", one_of(kinds, f"one of {', '.join(kinds)}"), "the usual is used"),
        {quantity: swept for quantity, swept in ranges.items() if swept},
        query.read("at", _positive, "the usual is used"),
        query.read("said", _text, "nothing is taken as said") or "",
        moved,
        tuple(query.problems),
    )


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise ValueError("a number above 0")
    return value


def _text(text: str) -> str:
    if len(text) > MOST_SAID or not text.isprintable():
        raise ValueError(f"a text of up to {MOST_SAID} letters")
    return text


def _range(text: str) -> Range:
    try:
        low, high, count = text.split(",")
        ends, values = (float(low), float(high)), int(count)
    except ValueError:
        ends, values = (math.nan, math.nan), 0
    if not (all(map(math.isfinite, ends)) and 2 <= values <= MOST_VALUES):
        raise ValueError(f"two numbers and 2 to {MOST_VALUES}")
    return *ends, values


def write(ranges: Mapping[str, Range]) -> dict[str, str | None]:
    """Writes ranges as query parameters, with None for what is not swept.

    >>> write({"sigma": (0.05, 100.0, 25)})
    {'sigmas': '0.05,100,25', 'strides': None}
    """
    return {name: ",".join(f"{value:g}" for value in ranges[quantity]) if quantity in ranges else None for quantity, name in RANGES.items()}
