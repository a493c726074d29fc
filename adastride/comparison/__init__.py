"""Compares downsamplers: `compare` runs two to four of them on one sequence and measures what each keeps and loses.

The sequence is the log-mel of a clip or the features inside a network. `ComparisonSettings` holds what a person chooses on the
Compare page; a link can hold every field of it.
"""

from adastride.comparison.core import Comparison, compare
from adastride.comparison.settings import ComparisonSettings

__all__ = ["Comparison", "ComparisonSettings", "compare"]
