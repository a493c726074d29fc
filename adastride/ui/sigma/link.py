"""Links that restore a sweep: ?clip=seven&checkpoint=digits-adastride&sweep=clip&over=sigma&sigmas=0.05,100,25&at=0.8.

sigmas and strides are from, to and number of values; at is the value that is looked at, and sigma, stride and variant what
the viewer there was moved to, as in links to the Explore page. The browser writes those three, `write_address` the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from adastride.downsampling import LayerSettings
from adastride.sweep.core import MOST_VALUES
from adastride.ui.explore import link as permalink
from adastride.ui.explore.link import quoted

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
    query: Mapping[str, str], clips: Mapping, checkpoints: Mapping, subjects: Mapping, kinds: Mapping, layers_of: Callable[[str | None], int],
) -> SweepLink:
    """Reads a page's query parameters. What is missing or wrong falls back to the default and is reported."""
    link = permalink.parse(query, clips, checkpoints, layers_of)
    problems = list(link.problems)

    def read(name: str, convert, expected: str):
        text = query.get(name)
        try:
            return None if text is None else convert(text)
        except (ValueError, OverflowError):
            problems.append(f"This link has {name} = {quoted(text)}, not {expected}: the usual is used.")
            return None

    def one_of(choices: Mapping):
        def convert(text: str) -> str:
            if text not in choices:
                raise ValueError
            return text

        return convert

    found = {what: read(name, _range, f"two numbers and 2 to {MOST_VALUES}") for what, name in RANGES.items()}
    return SweepLink(
        link.clip,
        link.checkpoint,
        read("sweep", one_of(subjects), " or ".join(subjects)),
        read("over", one_of(kinds), "one of " + ", ".join(kinds)),
        {what: each for what, each in found.items() if each},
        read("at", _positive, "a number above 0"),
        link.settings,
        tuple(problems),
    )


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value


def _positive(text: str) -> float:
    value = _finite(text)
    if value <= 0:
        raise ValueError
    return value


def _range(text: str) -> Range:
    low, high, count = text.split(",")
    if not 2 <= int(count) <= MOST_VALUES:
        raise ValueError
    return _finite(low), _finite(high), int(count)


def write(ranges: Mapping[str, Range]) -> dict[str, str | None]:
    """The parameters of ranges, None for one that is not swept.

    >>> write({"sigma": (0.05, 100.0, 25)})
    {'sigmas': '0.05,100,25', 'strides': None}
    """
    return {name: ",".join(f"{value:g}" for value in ranges[what]) if what in ranges else None for what, name in RANGES.items()}
