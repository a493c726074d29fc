"""The columns of the two files of networks of pictures, which the grid writes and pages read: a line for each run, and one for each epoch.

Learned strides are those of DiffStride's tables 3 and figures 3 and 4; `cost` is its equation 6.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from adastride.tables import lines_text, read_lines
from adastride.wording import one_line

FILE, EPOCHS_FILE = "images.csv", "image_epochs.csv"
_COMMAND = "python -m adastride grid results/images.toml"


@dataclass(frozen=True)
class ImageRunLine:
    """A finished run on the test split of its data set.

    data: the data set. method: a registry key. start, strides: the strides of height and width of the three layers as built and as trained,
    "2x2 2x2 2x2", see `strides_text`. sigma_inv2: 0 for a method without sigma. cost_weight: lambda of equation 6. cost: of the trained
    strides. pictures: of the test split. accuracy, loss (nats): on it. valid_accuracy: of the best epoch. seconds_per_epoch: the median.
    inference_ms: of one picture alone, the median. note: what has to be said beside the numbers.
    """

    run: str
    data: str
    method: str
    sigma_inv2: float
    start: str
    cost_weight: float
    seed: int
    width: int
    blocks: int
    epochs: int
    best_epoch: int
    pictures: int
    accuracy: float
    loss: float
    valid_accuracy: float
    strides: str
    cost: float
    parameters: int
    seconds_per_epoch: float
    peak_memory_mb: float
    inference_ms: float
    device: str
    threads: int
    torch: str
    version: str
    git: str
    finished: str
    note: str = ""


@dataclass(frozen=True)
class ImageEpochLine:
    """An epoch of a run; epoch 0 is before training and has NaN for what was not measured. strides: see `ImageRunLine`."""

    run: str
    epoch: int
    loss: float
    valid_accuracy: float
    cost: float
    strides: str


def strides_text(strides: Iterable[Iterable[float]]) -> str:
    """The strides of layers, lowest first, as height x width.

    >>> strides_text([(2.0, 2.0), (1.53, 1.0), (3.0, 2.5)])
    '2x2 1.53x1 3x2.5'
    """
    return " ".join("x".join(f"{stride:.4g}" for stride in pair) for pair in strides)


def strides_of(text: str) -> tuple[tuple[float, float], ...]:
    """What `strides_text` has written. Raises ValueError for any other text.

    >>> strides_of("2x2 1.53x1")
    ((2.0, 2.0), (1.53, 1.0))
    """
    try:
        pairs = [tuple(map(float, layer.split("x"))) for layer in text.split()]
    except ValueError:
        pairs = []
    if not pairs or any(len(pair) != 2 or not 1 <= min(pair) <= max(pair) < 1000 for pair in pairs):
        raise ValueError(f"{one_line(text, 60)!r} is no list of strides of at least 1 such as 2x2 3x1 2x2")
    return tuple((height, width) for height, width in pairs)


def read_image_runs(path: str | Path) -> list[ImageRunLine]:
    """The runs of a file; none where there is none. Raises ValueError, one sentence, for any other file."""

    def valid(line: ImageRunLine) -> bool:
        shares = 0 <= line.accuracy <= 1 and 0 <= line.valid_accuracy <= 1
        return shares and line.pictures > 0 and len(strides_of(line.strides)) == len(strides_of(line.start)) > 0 and line.cost_weight >= 0

    return read_lines(path, ImageRunLine, valid, "runs of networks of pictures", _COMMAND)


def image_runs_text(lines: Iterable[ImageRunLine]) -> str:
    """The runs as a file, of the columns that `ImageRunLine` lists."""
    return lines_text(ImageRunLine, lines)


def read_image_epochs(path: str | Path) -> list[ImageEpochLine]:
    """The epochs of a file; none where there is none. Raises ValueError, one sentence, for any other file."""
    return read_lines(path, ImageEpochLine, lambda line: line.epoch >= 0 and len(strides_of(line.strides)) > 0, "epochs of networks of pictures", _COMMAND)


def image_epochs_text(lines: Iterable[ImageEpochLine]) -> str:
    """The epochs as a file, of the columns that `ImageEpochLine` lists."""
    return lines_text(ImageEpochLine, lines)
