"""The columns of the files of networks of spectrograms, which the grid writes and pages read: a line for each run and task, and one for
each epoch, as networks of pictures have them (`image_runs`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from adastride.image_runs import strides_of
from adastride.tables import lines_text, read_lines

FILE, EPOCHS_FILE = "spectrograms.csv", "spectrogram_epochs.csv"
_COMMAND = "python -m adastride grid results/spectrograms.toml"


@dataclass(frozen=True)
class SpectrogramRunLine:
    """What a finished run does on the test split of one of its tasks.

    task: it. together: all tasks that the network has learned, "digits" or "digits+commands". method: a registry key. sigma_inv2: 0 for a
    method without sigma. start, strides: the strides of frequency and time of the layers as built and as trained, see
    `image_runs.strides_text`. cost_weight: lambda of equation 6. cost: of the trained strides. clips: of the test split. accuracy, loss
    (nats): on it. valid_accuracy: of the best epoch, the mean over tasks. seconds_per_epoch: the median. inference_ms: of one window
    alone, the median. note: what has to be said beside the numbers.
    """

    run: str
    task: str
    together: str
    method: str
    sigma_inv2: float
    start: str
    cost_weight: float
    seed: int
    width: int
    epochs: int
    best_epoch: int
    clips: int
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

    @property
    def tasks(self) -> tuple[str, ...]:
        """All tasks that the network has learned."""
        return tuple(self.together.split("+"))


def read_spectrogram_runs(path: str | Path) -> list[SpectrogramRunLine]:
    """The lines of a file; none where there is none. Raises ValueError, one sentence, for any other file."""

    def valid(line: SpectrogramRunLine) -> bool:
        shares = 0 <= line.accuracy <= 1 and 0 <= line.valid_accuracy <= 1
        return shares and line.clips > 0 and line.task in line.tasks and len(strides_of(line.strides)) == len(strides_of(line.start)) > 0

    return read_lines(path, SpectrogramRunLine, valid, "runs of networks of spectrograms", _COMMAND)


def spectrogram_runs_text(lines: Iterable[SpectrogramRunLine]) -> str:
    """The lines as a file, of the columns that `SpectrogramRunLine` lists."""
    return lines_text(SpectrogramRunLine, lines)
