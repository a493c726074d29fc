"""Where the output frames of a recogniser went: how many each letter, phoneme or word got, and how many silence got."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from adastride.downsampling import METHODS
from adastride.inspection.glance import Sound
from adastride.inspection.tracing import Trace
from adastride.tasks.transcript import Transcript, frames_between_equals, frames_needed

RULE = (
    "A word, letter or phoneme reaches half-way to the ones beside it, as far as the clip is sound. Its output frames are those of the highest layer in "
    "this stretch; a uniform stride would give it frames by its time alone. Spread is the standard deviation over the mean."
)


@dataclass(frozen=True)
class Shares:
    """What each token of a transcript got.

    seconds: (n,) of sound that it reaches over. frames: (n,) output frames of the highest layer in them. even: (n,) the frames that the
    same number of output frames would give it if they were spread evenly over the clip. silent: the share of all output frames that
    lie in silence.
    """

    seconds: np.ndarray
    frames: np.ndarray
    even: np.ndarray
    silent: float

    @property
    def spread(self) -> float:
        """The standard deviation of the tokens' frames over their mean; NaN for fewer than two tokens."""
        return _spread(self.frames)

    @property
    def even_spread(self) -> float:
        """The same for frames that are spread evenly over the clip."""
        return _spread(self.even)


def _spread(values: np.ndarray) -> float:
    return float(values.std() / values.mean()) if len(values) > 1 and values.mean() > 0 else float("nan")


def shares(trace: Trace, transcript: Transcript, sound: Sound) -> Shares:
    """What each token of a trace's transcript got. sound: of the clip, see `glance.sound_of`."""
    edges, tokens = transcript.edges, transcript.tokens
    heard = sound.shares(edges)
    before = np.concatenate([[0.0], np.cumsum(heard)])  # output frames of sound before each edge
    # Half-way between two tokens, in output frames; the first and the last reach to the ends of the clip.
    between = [(one.last + 1 + other.first) / 2 for one, other in itertools.pairwise(tokens)]
    bounds = np.array([0.0, *between, float(len(heard))]) if tokens else np.zeros(1)
    places = np.interp(bounds, np.arange(len(edges)), edges)
    seconds = np.diff(np.interp(places, sound.edges, sound.until))
    frames = np.diff(np.interp(bounds, np.arange(len(before)), before))
    return Shares(seconds, frames, seconds * (len(heard) / trace.waveform.seconds), float(1 - heard.mean()))


def facts(trace: Trace, transcript: Transcript, found: Shares) -> list[tuple[str, str]]:
    """What matters to recognition, as names and values for people. found: what the tokens got, see `shares`."""
    vocabulary = transcript.vocabulary
    unit, frames, rows = vocabulary.unit_name.removesuffix("s"), len(transcript.log_probabilities), []
    if transcript.tokens:
        rows.append((f"Output frames for each {unit}", f"{found.frames.mean():.1f} on average, {found.frames.min():.1f} to {found.frames.max():.1f}"))
    if len(transcript.tokens) > 1:
        adaptive = any(METHODS[layer.method].kind == "adaptive" for layer in trace.layers)
        uniform = f"; a uniform stride: {100 * found.even_spread:.0f} %" if adaptive else ""
        rows.append(("Their spread", f"{100 * found.spread:.0f} % of the mean{uniform}"))
    rows.append(("Output frames in silence", f"{100 * found.silent:.0f} % of {frames}"))
    apart = frames_between_equals(transcript.tokens)
    if apart is not None:
        rows.append((f"Between two equal {unit}s", f"{apart} output frame{'s' * (apart != 1)} at least; CTC needs 1"))
    needed = frames_needed(transcript.indices)
    if needed:
        most = trace.mel.shape[1] / needed
        rows.append(("Can be read up to", f"an overall stride of {most:.1f}: it needs {needed} frame{'s' * (needed != 1)}"))
    return rows
