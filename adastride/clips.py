"""Recordings with what is known of them, and the error for data that can't be used; tasks, sweeps and training share them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SEVERAL = "several"  # the group of a clip whose words come from more than one speaker


class DataError(ValueError):
    """Raised for data or a run that can't be used; the message is one sentence that names the file."""


@dataclass(frozen=True)
class Clip:
    """One recording.

    samples: (n,) mono float32 at the network's sample rate. label: "" where there is none. path: where it is from, for messages. group:
    its speaker, session or fold; "" where none is known, `SEVERAL` where it is of more than one. text: what is said; "" where nothing
    is, or nobody knows. part: the corpus, or the part of one, that it was taken from; "" where there is only one.
    """

    samples: np.ndarray
    label: str
    path: str
    group: str = ""
    text: str = ""
    part: str = ""
