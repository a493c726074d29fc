"""Trains networks on sounds: a `Source` is a data set, and `train` trains a network on it and can go on where it was stopped.

`evaluate` measures a network, `grid` runs many trainings, and `settings` says how to train for each kind of sound.
"""

from typing import TYPE_CHECKING

from adastride.clips import Clip, DataError
from adastride.training.datasets import Source

if TYPE_CHECKING:
    from adastride.training.loop import train

__all__ = ["Clip", "DataError", "Source", "train"]


def __getattr__(name: str) -> object:
    """Imports `train` only when it is asked for: it needs Accelerate, which those who only read a data set may not have."""
    if name == "train":
        from adastride.training.loop import train

        return train
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
