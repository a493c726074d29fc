"""What there is to see of a network's answer, in the viewer's own words.

A task turns a network's output into a `Prediction`; viewers, figures and exports draw what is in it and know no task.
Class probabilities are bars, a transcript is a lane of segments, a reconstruction a picture over time, and so on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from adastride.audio import Waveform


@dataclass(frozen=True)
class Bar:
    """One bar beside the picture. share: how long it is, from 0 to 1. text: the number a person reads, with its unit."""

    label: str
    share: float
    text: str


@dataclass(frozen=True)
class Segment:
    """A stretch of a lane. start, end: seconds of the clip. colour: index into the viewer's colours, the same one for the same
    thing. strength: from 0, hardly there, to 1."""

    start: float
    end: float
    text: str
    colour: int = 0
    strength: float = 1.0


@dataclass(frozen=True)
class SegmentLane:
    """Stretches of time with words on them, such as letters of a transcript. They rise in time and do not overlap."""

    title: str
    segments: tuple[Segment, ...]


@dataclass(frozen=True)
class PictureLane:
    """Values over time, such as a reconstructed spectrogram or attention.

    values: (rows, frames) float, row 0 at the bottom. edges: (frames + 1,) seconds at which the frames begin, and the end.
    low, high: the values that get the lowest and the highest colour, in `unit`. sequential: a colour map for levels;
    otherwise the map of weights, which begins at the background's colour. ticks: (text, row) along the rows' axis.
    """

    title: str
    values: np.ndarray
    edges: np.ndarray
    low: float
    high: float
    unit: str
    sequential: bool = True
    ticks: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class CurveLane:
    """One number over time, such as a pitch or an error. times: (n,) seconds, rising. values: (n,), NaN where there is none."""

    title: str
    times: np.ndarray
    values: np.ndarray
    unit: str


Lane = SegmentLane | PictureLane | CurveLane


@dataclass(frozen=True)
class Prediction:
    """A network's answer to one clip.

    headline: what a person reads first, "seven"; detail: the number beside it, "82 %". bars_title: what the bars are.
    lanes: on the time axis of the clip, drawn in their order. sound: a second sound to listen to, None where there is none.
    arrays: what the export adds, by name. values: the numbers a sweep follows, by label (class probabilities, an error).
    """

    headline: str
    detail: str = ""
    bars_title: str = ""
    bars: tuple[Bar, ...] = ()
    lanes: tuple[Lane, ...] = ()
    sound: Waveform | None = None
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)

    @property
    def top(self) -> str:
        """The label of the largest of `values`; the headline where there are none."""
        return max(self.values, key=self.values.__getitem__) if self.values else self.headline
