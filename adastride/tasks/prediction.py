"""A network's answer in a form that can be shown, whatever its task: the words, bars, lanes and numbers of a `Prediction`.

A task turns a network's output into a `Prediction`; viewers, figures and exports draw what is in it and know no task.
Class probabilities are bars, a transcript is a lane of segments, a reconstruction a picture over time, and so on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from adastride.audio import Waveform

if TYPE_CHECKING:
    from adastride.tasks.attention import Patches
    from adastride.tasks.transcript import Transcript
    from adastride.tasks.workbench import Workbench


def words(label: str) -> str:
    """A label of a data set as people write it. Files keep the label itself.

    >>> words("baby_cry"), words("_silence_"), words("7")
    ('baby cry', 'silence', '7')
    """
    return " ".join(label.replace("_", " ").split()) or label


@dataclass(frozen=True)
class Bar:
    """One bar beside the picture. share: its length, from 0 to 1. text: the number that a person reads, with its unit."""

    label: str
    share: float
    text: str


@dataclass(frozen=True)
class Segment:
    """A stretch of time in a lane, with words on it.

    start, end: seconds of the clip. colour: an index into the viewer's colours; segments of the same thing have the same colour.
    strength: how strongly it is drawn, from 0, hardly visible, to 1. frames: the first and the last output frame of the uppermost layer
    that it is made of, None where it is made of none in particular. paint: its CSS colours on a light and on a dark page, where there
    are more things than the viewer has colours.
    """

    start: float
    end: float
    text: str
    colour: int = 0
    strength: float = 1.0
    frames: tuple[int, int] | None = None
    paint: tuple[str, str] | None = None


@dataclass(frozen=True)
class SegmentLane:
    """A lane of segments, such as the letters of a transcript. They are in order of time and do not overlap.

    strength: what a segment's strength is, "probability" for instance; "" where all are equally strong and it says nothing.
    """

    title: str
    segments: tuple[Segment, ...]
    strength: str = "strength"


@dataclass(frozen=True)
class PictureLane:
    """A lane that shows values over time as a picture, such as a reconstructed spectrogram or attention.

    values: (rows, frames) float with row 0 at the bottom. edges: (frames + 1,) seconds at which the frames begin, and the end of the
    last. low, high: the values that get the lowest and the highest colour, in `unit`. sequential: whether to use the colours of
    levels, or else those of weights, which begin at the background's colour. ticks: (text, row) along the axis of rows. patches: whether
    the values are those of the prediction's patches, which can then be pointed at.
    """

    title: str
    values: np.ndarray
    edges: np.ndarray
    low: float
    high: float
    unit: str
    sequential: bool = True
    ticks: tuple[tuple[str, float], ...] = ()
    patches: bool = False


@dataclass(frozen=True)
class CurveLane:
    """A lane that shows one number over time as a curve, such as a pitch or an error.

    times: (n,) seconds, rising. values: (n,) in `unit`, NaN where there is none.
    """

    title: str
    times: np.ndarray
    values: np.ndarray
    unit: str


Lane = SegmentLane | PictureLane | CurveLane


@dataclass(frozen=True)
class Audible:
    """A sound that a network answers with, made when somebody wants to hear it.

    title: what its button says. key: the same for sounds that are the same, so that what was heard is not made again. make: makes it, at
    any rate and as loud as the clip; it may take a second.
    """

    title: str
    key: str
    make: Callable[[], Waveform]


@dataclass(frozen=True)
class Followed:
    """Which of a prediction's `values` says how good it is, where they are no probabilities: the less, the better.

    label: its key. name, unit: for people, "Mel error" and "dB".
    """

    label: str
    name: str
    unit: str


@dataclass(frozen=True)
class Rate:
    """A number that the uppermost layer's stride divides, such as bits a second.

    title, unit: its name. undivided: its value with a stride of 1 there, and all other settings as they are.
    """

    title: str
    unit: str
    undivided: float


@dataclass(frozen=True)
class Prediction:
    """A network's answer to one clip.

    headline: what a person reads first, such as "seven". detail: the number beside it, such as "82 %". bars_title: says what the bars are.
    lanes: what is drawn, in this order, on the time axis of the clip. sounds: what can be heard besides the clip, at the clip's times.
    arrays: arrays that the export adds, by name. values: numbers that a sweep follows, by label, such as class probabilities. transcript:
    what was written, by a network that writes; it is shown with what can be said of a text. workbench: what was coded, by a network that
    codes, where it can be edited. followed: of `values` that are no probabilities, the one to look at. rate: what a person may set in place
    of the uppermost layer's stride. patches: what the answer was made of, by a network that cuts a mel into patches.
    """

    headline: str
    detail: str = ""
    bars_title: str = ""
    bars: tuple[Bar, ...] = ()
    lanes: tuple[Lane, ...] = ()
    sounds: tuple[Audible, ...] = ()
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)
    transcript: Transcript | None = None
    workbench: Workbench | None = None
    rate: Rate | None = None
    followed: Followed | None = None
    patches: Patches | None = None

    @property
    def top(self) -> str:
        """The label of the largest of `values`, or the headline where there are no values or they are no probabilities."""
        return max(self.values, key=self.values.__getitem__) if self.values and self.followed is None else self.headline
