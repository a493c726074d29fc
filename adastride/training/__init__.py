"""Labelled sounds and networks that learn from them: a `Source` is a data set, `train` trains a network on it and can go on where it was stopped.

`evaluate` measures a network, `grid` runs many trainings, and `settings` knows how to train for which kind of sound.
"""

from typing import TYPE_CHECKING

from adastride.clips import Clip, DataError
from adastride.training.datasets import Source

if TYPE_CHECKING:
    from adastride.training.loop import train

__all__ = ["Clip", "DataError", "Source", "train"]


def __getattr__(name: str) -> object:
    """Imports `train` when it is asked for: it needs Accelerate, and who reads a data set does not."""
    if name == "train":
        from adastride.training.loop import train

        return train
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
