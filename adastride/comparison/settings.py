"""The settings that a person chooses on the Compare page, and the limits that they are checked against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adastride.downsampling import METHODS
from adastride.models.network import MOST_LAYERS
from adastride.ranges import SIGMA_RANGE, STRIDE_RANGE

MOST_METHODS, FEWEST_METHODS = 4, 2
SCORES = {
    "checkpoint": "A trained checkpoint’s score",
    "energy": "Frame energy",
    "flux": "Spectral flux",
    "uniform": "Uniform",
    "drawn": "Drawn by hand",
}
DRAWN_POINTS = 64  # of a curve drawn by hand, evenly over the clip
DRAWN_RANGE = (-3.0, 3.0)  # ln of a displacement: from a twentieth to twenty times
WHOLE_FRAMES = 4096  # input frames that every method is run on
WINDOW_FRAMES = 2048  # of a longer clip, for methods that are too slow for all of it


@dataclass(frozen=True)
class Pin:
    """The settings that a pinned column keeps while the others follow; see `ComparisonSettings` for what they mean.

    Raises ValueError, one sentence, for a value out of range or scores that are unknown.
    """

    stride: float
    sigma: float
    scores: str = "checkpoint"
    drawn: tuple[float, ...] = ()

    def __post_init__(self):
        object.__setattr__(self, "stride", _between("stride", self.stride, STRIDE_RANGE))
        object.__setattr__(self, "sigma", _between("sigma", self.sigma, SIGMA_RANGE))
        object.__setattr__(self, "drawn", check_scores(self.scores, self.drawn))


@dataclass(frozen=True)
class ComparisonSettings:
    """Everything that says what is compared and how.

    methods: two to four different keys of METHODS. stride: input frames per output frame, 1 to 8. sigma: width of an alignment
    row in output frames. source: a key of `sources`. scores: a key of SCORES, which says where the adaptive methods get their
    displacements from. drawn: with the scores "drawn", DRAWN_POINTS values of ln(displacement), spread evenly over the clip.
    both_axes: whether the methods that can downsample the mel along time and frequency do so, with the same stride. pins: for
    each method the settings that it keeps, or None where it follows the common ones; () where no method is pinned.
    Raises ValueError, one sentence, for anything else.
    """

    methods: tuple[str, ...]
    stride: float = 4.0
    sigma: float = 5**-0.5
    source: str = "mel"
    scores: str = "checkpoint"
    drawn: tuple[float, ...] = ()
    both_axes: bool = False
    pins: tuple[Pin | None, ...] = ()

    def __post_init__(self):
        methods = tuple(self.methods)
        for method in methods:
            if method not in METHODS:
                raise ValueError(f"there is no method {method!r}: choose from {', '.join(METHODS)}")
        if not FEWEST_METHODS <= len(methods) <= MOST_METHODS or len(set(methods)) != len(methods):
            raise ValueError(f"choose {FEWEST_METHODS} to {MOST_METHODS} different methods to compare, not {len(methods)}")
        if self.source not in sources(MOST_LAYERS):
            raise ValueError(f"there is no source {self.source!r}: choose from {', '.join(sources(MOST_LAYERS))}")
        pins = tuple(self.pins) or (None,) * len(methods)
        if len(pins) != len(methods):
            raise ValueError(f"expected one pin or None for each of {len(methods)} methods, got {len(pins)}")
        object.__setattr__(self, "methods", methods)
        object.__setattr__(self, "stride", _between("stride", self.stride, STRIDE_RANGE))
        object.__setattr__(self, "sigma", _between("sigma", self.sigma, SIGMA_RANGE))
        object.__setattr__(self, "drawn", check_scores(self.scores, self.drawn))
        object.__setattr__(self, "pins", pins)

    def of(self, column: int) -> Pin:
        """The settings that a column runs with: those of its pin, or else the common ones."""
        return self.pins[column] or Pin(self.stride, self.sigma, self.scores, self.drawn)


def _between(name: str, value: float, limits: tuple[float, float]) -> float:
    """The value as a float; ValueError, with its name, unless it lies within the limits."""
    value = float(value)
    if not limits[0] <= value <= limits[1]:
        raise ValueError(f"{name} must be a number from {limits[0]:g} to {limits[1]:g}, got {value:g}")
    return value


def check_scores(scores: str, drawn: Sequence[float]) -> tuple[float, ...]:
    """Checks scores and returns the drawn curve: () unless the scores are "drawn", and a flat line where nothing was drawn yet.

    Raises ValueError for scores that are not in SCORES or a curve of another length or range.
    """
    if scores not in SCORES:
        raise ValueError(f"there are no scores {scores!r}: choose from {', '.join(SCORES)}")
    if scores != "drawn":
        return ()
    values = tuple(float(value) for value in drawn) or (0.0,) * DRAWN_POINTS
    low, high = DRAWN_RANGE
    if len(values) != DRAWN_POINTS or not all(low <= value <= high for value in values):
        raise ValueError(f"a drawn curve has {DRAWN_POINTS} values from {low:g} to {high:g}")
    return values


def sources(layers: int) -> dict[str, str]:
    """The sources that can be downsampled with a network of so many layers: names for people, by key.

    >>> sources(1)
    {'mel': 'Log-mel of the clip', 'layer 1': 'Before layer 1'}
    """
    return {"mel": "Log-mel of the clip", **{f"layer {layer}": f"Before layer {layer}" for layer in range(1, layers + 1)}}
