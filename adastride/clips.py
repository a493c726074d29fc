"""Labelled recordings, and the error of data that can't be used: what tasks, sweeps and training have in common."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


class DataError(ValueError):
    """Data or a run that can't be used; the message is one sentence that names the file."""


@dataclass(frozen=True)
class Clip:
    """One labelled recording: mono float32 samples (n,) at the model's rate. group: who or where it is from, or ""."""

    samples: np.ndarray
    label: str
    path: str
    group: str = ""
