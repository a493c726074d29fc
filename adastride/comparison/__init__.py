"""Downsamplers side by side: `compare` runs two to four of them on one clip, or on what a network makes of it, and tells what each keeps and loses.

`ComparisonSettings` is what a person chooses on the Compare page, whose every field a link can hold.
"""

from adastride.comparison.core import Comparison, compare
from adastride.comparison.settings import ComparisonSettings

__all__ = ["Comparison", "ComparisonSettings", "compare"]
