"""Links that restore a comparison: ?clip=seven&methods=avg-pool,adastride&stride=4&sigma=0.447&source=mel&scores=energy.

Beside these: checkpoint, axes=2 (time and frequency), drawn (a letter for each point of a curve drawn by hand) and pin
(method~stride~sigma~scores, with a drawn curve as fifth part; commas between pins), view (seconds from and to, with a
comma). The browser writes them, too
(frontend/compare/viewer.js).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from adastride import letters
from adastride.audio import MAX_SECONDS
from adastride.comparison.core import (
    DRAWN_POINTS,
    DRAWN_RANGE,
    FEWEST_METHODS,
    MOST_METHODS,
    SCORES,
    ComparisonSettings,
    Pin,
    sources,
)
from adastride.downsampling import METHODS
from adastride.ranges import SIGMA_RANGE, STRIDE_RANGE
from adastride.ui.explore.link import quoted

# What the page opens with: the oldest methods, the one that loses nothing below the limit, and the one that adapts.
DEFAULT = ComparisonSettings(methods=("strided-conv", "avg-pool", "spectral-pool", "adastride"))
_STEPS = 62  # between the lowest and the highest drawn value: with an even number, zero is one of them


@dataclass(frozen=True)
class ComparisonLink:
    """What a link asks for; None where it says nothing usable. problems: a sentence for each thing it got wrong."""

    clip: str | None
    checkpoint: str | None
    settings: ComparisonSettings
    view: tuple[float, float] | None
    problems: tuple[str, ...]


def encode_drawn(values: tuple[float, ...]) -> str:
    """A letter for each value, to the nearest of 63 steps."""
    return letters.encode(values, *DRAWN_RANGE, _STEPS)


def decode_drawn(text: str) -> tuple[float, ...]:
    """The values again. Raises ValueError for anything that is not DRAWN_POINTS of the letters."""
    if len(text) != DRAWN_POINTS:
        raise ValueError("not a drawn curve")
    return letters.decode(text, *DRAWN_RANGE, _STEPS)


def parse(query: Mapping[str, str], clips: Mapping, checkpoints: Mapping, layers_of: Callable[[str | None], int]) -> ComparisonLink:
    """Reads a page's query parameters. What is missing or wrong falls back to the default and is reported.

    layers_of: how many layers a checkpoint of a name has; None stands for the one that is shown where a link names none.
    """
    problems: list[str] = []

    def read(name: str, convert, instead: str):
        """What `convert` makes of a parameter; None where it is missing or, with a problem told, wrong. `convert` raises
        ValueError with what was expected, in a few words: a toast shows a hundred letters."""
        text = query.get(name)
        if text is None:
            return None
        try:
            return convert(text)
        except ValueError as error:
            problems.append(f"This link has {name} = {quoted(text)}, not {error}: {instead}.")
            return None

    def one_of(choices: Mapping, what: str):
        def convert(text: str) -> str:
            if text not in choices:
                raise ValueError(what)
            return text

        return convert

    def methods(text: str) -> tuple[str, ...]:
        keys = tuple(text.split(","))
        if not METHODS.keys() >= set(keys) or not FEWEST_METHODS <= len(keys) <= MOST_METHODS or len(set(keys)) < len(keys):
            raise ValueError(f"{FEWEST_METHODS} to {MOST_METHODS} known methods")
        return keys

    def number(limits: tuple[float, float]):
        def convert(text: str) -> float:
            expected = f"a number from {limits[0]:g} to {limits[1]:g}"
            try:
                value = float(text)
            except ValueError:
                raise ValueError(expected) from None
            if not limits[0] <= value <= limits[1]:
                raise ValueError(expected)
            return value

        return convert

    def drawn(text: str) -> tuple[float, ...]:
        try:
            return decode_drawn(text)
        except ValueError:
            raise ValueError(f"{DRAWN_POINTS} letters") from None

    def pins(text: str) -> dict[str, Pin]:
        found = {}
        for part in text.split(",")[:MOST_METHODS]:
            try:
                method, stride, sigma, scores, *curve = part.split("~")
                found[one_of(METHODS, "a method here")(method)] = Pin(float(stride), float(sigma), scores, decode_drawn(curve[0]) if curve else ())
            except ValueError:
                raise ValueError("a column’s settings") from None
        return found

    def seconds(text: str) -> tuple[float, float]:
        try:
            begin, end = map(float, text.split(","))
        except ValueError:
            begin, end = 0.0, 0.0
        if not 0 <= begin < end <= MAX_SECONDS:
            raise ValueError("two rising times")
        return begin, end

    known = query.get("checkpoint") if query.get("checkpoint") in checkpoints else None
    chosen = {
        "methods": read("methods", methods, "four others are shown"),
        "stride": read("stride", number(STRIDE_RANGE), f"{DEFAULT.stride:g} is used"),
        "sigma": read("sigma", number(SIGMA_RANGE), f"{DEFAULT.sigma:.3g} is used"),
        "source": read("source", one_of(sources(layers_of(known)), "a source here"), "the log-mel is used"),
        "scores": read("scores", one_of(SCORES, "a score here"), "the checkpoint’s is used"),
        "both_axes": read("axes", lambda text: one_of({"1": None, "2": None}, "1 or 2")(text) == "2", "time alone is used"),
    }
    settings = replace(DEFAULT, pins=(), **{name: value for name, value in chosen.items() if value is not None})
    curve = read("drawn", drawn, "a flat curve is used")
    if settings.scores == "drawn":
        settings = replace(settings, drawn=curve or ())
    pinned = read("pin", pins, "nothing is pinned") or {}
    settings = replace(settings, pins=tuple(pinned.get(method) for method in settings.methods))
    files = [name for name in ("clip", "checkpoint") if query.get(name, "").startswith("upload:")]
    for name in files:
        problems.append(f"This link was made with the file {quoted(query[name][7:])}: upload it to see the same.")
    return ComparisonLink(
        None if "clip" in files else read("clip", one_of(clips, "a clip here"), "the first sample is shown"),
        None if "checkpoint" in files else read("checkpoint", one_of(checkpoints, "here"), "the usual one is used"),
        settings,
        read("view", seconds, "the loudest part is shown"),
        tuple(problems),
    )
