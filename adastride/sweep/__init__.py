"""What if σ or the stride were another: `sweep_clip` follows one clip through a range of values, `sweep_clips` the accuracy on many labelled ones.

Both are generators of results as they are worked out; `points` makes the settings they go through.
"""

from adastride.sweep.core import Setting, SweepError, points, sweep_clip
from adastride.sweep.scores import sweep_clips

__all__ = ["Setting", "SweepError", "points", "sweep_clip", "sweep_clips"]
