"""What if σ or the stride were another? `sweep_clip` runs one clip at every value of a range, `sweep_clips` measures many labelled ones.

Both are generators that yield results as they are worked out; `points` makes the settings that they go through.
"""

from adastride.sweep.core import Setting, SweepError, points, sweep_clip
from adastride.sweep.scores import sweep_clips

__all__ = ["Setting", "SweepError", "points", "sweep_clip", "sweep_clips"]
