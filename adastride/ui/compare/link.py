"""Links that restore a comparison: ?clip=seven&methods=avg-pool,adastride&stride=4&sigma=0.447&source=mel&scores=energy.

There are also checkpoint, axes=2 (time and frequency), drawn (a letter for each point of a curve drawn by hand), pin
(method~stride~sigma~scores, with a drawn curve as fifth part, and commas between pins) and view (begin and end in seconds, with a
comma). A link with networks compares trained networks instead, such as ?clip=seven&networks=digits-adastride,digits-strided-conv&upper=3,
where upper is the stride of their uppermost layers; it may have a view, too. The browser writes links (frontend/compare/viewer.js and
networks.js).
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, replace

from adastride import letters
from adastride.audio import MAX_SECONDS
from adastride.comparison.networks import MOST
from adastride.comparison.settings import DRAWN_POINTS, DRAWN_RANGE, FEWEST_METHODS, MOST_METHODS, SCORES, ComparisonSettings, Pin, sources
from adastride.downsampling import METHODS
from adastride.ranges import SIGMA_RANGE, STRIDE_RANGE
from adastride.ui.query import LayersOf, Query, number, one_of

# What the page opens with: the oldest methods, the one that loses nothing below the limit, and the one that adapts.
DEFAULT = ComparisonSettings(methods=("strided-conv", "avg-pool", "spectral-pool", "adastride"))
_STEPS = 62  # between the lowest and the highest drawn value: with an even number, zero is one of them


@dataclass(frozen=True)
class ComparisonLink:
    """What a link asks for. A field is None where the link says nothing usable. problems: a sentence for each parameter that was wrong.

    networks: names of shipped checkpoints to compare, None where methods are compared; () where the link names none that is here. upper:
    the stride of their uppermost layers, None for as trained.
    """

    clip: str | None
    checkpoint: str | None
    settings: ComparisonSettings
    view: tuple[float, float] | None
    problems: tuple[str, ...]
    networks: tuple[str, ...] | None = None
    upper: float | None = None


def decode_drawn(text: str) -> tuple[float, ...]:
    """Reads a drawn curve of a letter for each value. Raises ValueError for anything but DRAWN_POINTS of these letters."""
    if len(text) != DRAWN_POINTS:
        raise ValueError("not a drawn curve")
    return letters.decode(text, *DRAWN_RANGE, _STEPS)


def parse(parameters: Mapping[str, str], clips: Container[str], checkpoints: Container[str], layers_of: LayersOf) -> ComparisonLink:
    """Reads the page's query parameters. Whatever is missing or wrong gets its default, and what is wrong is reported as a problem."""
    query = Query(parameters)
    clip, checkpoint = query.clip(clips), query.checkpoint(checkpoints)
    link_settings = {
        "methods": query.read("methods", _methods, "four others are shown"),
        "stride": query.read("stride", number(STRIDE_RANGE), f"{DEFAULT.stride:g} is used"),
        "sigma": query.read("sigma", number(SIGMA_RANGE), f"{DEFAULT.sigma:.3g} is used"),
        "source": query.read("source", one_of(sources(layers_of(checkpoint)), "a source here"), "the log-mel is used"),
        "scores": query.read("scores", one_of(SCORES, "a score here"), "the checkpoint’s is used"),
        "both_axes": query.read("axes", lambda text: one_of(("1", "2"), "1 or 2")(text) == "2", "time alone is used"),
    }
    settings = replace(DEFAULT, pins=(), **{name: value for name, value in link_settings.items() if value is not None})
    curve = query.read("drawn", _drawn, "a flat curve is used")
    if settings.scores == "drawn":
        settings = replace(settings, drawn=curve or ())
    pinned = query.read("pin", _pins, "nothing is pinned") or {}
    settings = replace(settings, pins=tuple(pinned.get(method) for method in settings.methods))
    view = query.read("view", _seconds, f"{'all of the clip' if 'networks' in parameters else 'the loudest part'} is shown")
    networks = query.checkpoints("networks", checkpoints, MOST) if "networks" in parameters else None
    upper = query.read("upper", number(STRIDE_RANGE), "the strides are as trained")
    return ComparisonLink(clip, checkpoint, settings, view, tuple(query.problems), networks, upper)


def _methods(text: str) -> tuple[str, ...]:
    keys = tuple(text.split(","))
    if not METHODS.keys() >= set(keys) or not FEWEST_METHODS <= len(keys) <= MOST_METHODS or len(set(keys)) < len(keys):
        raise ValueError(f"{FEWEST_METHODS} to {MOST_METHODS} known methods")
    return keys


def _drawn(text: str) -> tuple[float, ...]:
    try:
        return decode_drawn(text)
    except ValueError:
        raise ValueError(f"{DRAWN_POINTS} letters") from None


def _pins(text: str) -> dict[str, Pin]:
    pins = {}
    for column in text.split(",")[:MOST_METHODS]:
        try:
            method, stride, sigma, scores, *curve = column.split("~")
            pins[one_of(METHODS, "a method here")(method)] = Pin(float(stride), float(sigma), scores, decode_drawn(curve[0]) if curve else ())
        except ValueError:
            raise ValueError("a column’s settings") from None
    return pins


def _seconds(text: str) -> tuple[float, float]:
    try:
        begin, end = map(float, text.split(","))
    except ValueError:
        begin, end = 0.0, 0.0
    if not 0 <= begin < end <= MAX_SECONDS:
        raise ValueError("two rising times")
    return begin, end
