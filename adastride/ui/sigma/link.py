"""Links that restore a sweep: ?clip=seven&checkpoint=digits-adastride&sweep=clip&over=sigma&sigmas=0.05,100,25&at=0.8.

sigmas and strides are from, to and number of values; at is the value that is looked at, and sigma, stride and variant what
the viewer there was moved to, as in links to the Explore page. The browser writes those three, `write_address` the others.
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
RANGES = {"sigma": "sigmas", "stride": "strides"}  # what is swept to the name of its range in a link


@dataclass(frozen=True)
class SweepLink:
    """What a link asks for; None, or nothing in `ranges`, where it says nothing usable. problems: a sentence for each thing it got wrong."""

    clip: str | None
    checkpoint: str | None
    subject: str | None
    kind: str | None
    ranges: Mapping[str, Range]
    at: float | None
    settings: tuple[LayerSettings, ...]
    problems: tuple[str, ...]


def parse(
    parameters: Mapping[str, str], clips: Container[str], checkpoints: Container[str], subjects: Mapping[str, object], kinds: Mapping[str, object],
    layers_of: LayersOf,
) -> SweepLink:
    """Reads a page's query parameters. What is missing or wrong falls back to the default and is reported."""
    query = Query(parameters)
    clip, checkpoint = query.clip(clips), query.checkpoint(checkpoints)
    moved = link.settings(query, layers_of(checkpoint))
    ranges = {what: query.read(name, _range, "the usual is used") for what, name in RANGES.items()}
    return SweepLink(
        clip,
        checkpoint,
        query.read("sweep", one_of(subjects, " or ".join(subjects)), "the usual is used"),
        query.read("over", one_of(kinds, f"one of {', '.join(kinds)}"), "the usual is used"),
        {what: swept for what, swept in ranges.items() if swept},
        query.read("at", _positive, "the usual is used"),
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
    """The parameters of ranges, None for one that is not swept.

    >>> write({"sigma": (0.05, 100.0, 25)})
    {'sigmas': '0.05,100,25', 'strides': None}
    """
    return {name: ",".join(f"{value:g}" for value in ranges[what]) if what in ranges else None for what, name in RANGES.items()}
