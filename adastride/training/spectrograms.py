"""Trains and measures networks of spectrograms, on one task or on several at once; see `training.picture_loop`.

Source: DiffStride's section 3.1: "as examples vary in length, we train models on random 1 s windows", and "evaluation is run by splitting
full sequences into 1 s non-overlapping windows and averaging the logits over windows". Shorter clips stand at a random place in silence,
and in the middle of it where they are measured. Where the paper's batches are drawn, all tasks have as many windows in each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from adastride import audio
from adastride.audio import MelPreset
from adastride.clips import Clip, DataError
from adastride.models.picture_network import Head, PictureNetwork, standardised
from adastride.models.spectrograms import SpectrogramClassifier, SpectrogramConfig, picture_of_mel
from adastride.training.datasets import Source, as_source
from adastride.training.picture_loop import Lesson, PictureProgress, PictureTraining, fit

_VALID_BATCH = 128
_STEP_DB = 0.43  # of a picture's 8 bits, see `picture_of_mel`


@dataclass(frozen=True)
class SpectrogramTraining(PictureTraining):
    """How to train a network of spectrograms: as `PictureTraining` says, and

    batch_size: windows of all tasks together. steps: batches of an epoch. gain_db: by how many decibels a window is louder or quieter at most.
    time_mask, frequency_mask: the most frames and bands that SpecAugment takes out of a window.
    Raises ValueError for numbers out of range.
    """

    epochs: int = 12
    batch_size: int = 64
    learning_rate: float = 0.05
    steps: int = 60
    gain_db: float = 10.0
    time_mask: int = 15
    frequency_mask: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.steps < 1 or min(self.gain_db, self.time_mask, self.frequency_mask) < 0:
            raise ValueError("an epoch needs at least 1 step, and changes of windows at least a size of 0")


@dataclass(frozen=True, eq=False)
class Spectrograms:
    """The clips of a split. pictures: of each clip (bands, frames) uint8, see `picture_of_mel`. labels: (clips,) int64."""

    pictures: tuple[np.ndarray, ...]
    labels: np.ndarray


@dataclass(frozen=True, eq=False)
class SpectrogramTask:
    """A data set as spectrograms. task: what the network's head for it is called. classes: in the order of labels."""

    task: str
    classes: tuple[str, ...]
    splits: dict[str, Spectrograms]

    @property
    def head(self) -> Head:
        """The network's question."""
        return Head(self.task, self.classes)


@dataclass(frozen=True)
class SpectrogramEvaluation:
    """What was measured of a head. accuracy: the share of clips that is right. loss: cross-entropy, nats. confusion: (classes, classes)
    counts of (true, predicted)."""

    task: str
    clips: int
    accuracy: float
    loss: float
    confusion: np.ndarray


def read_spectrograms(
    folder: str | Path | Source, mel: MelPreset, task: str = "", splits: Sequence[str] = ("train", "valid", "test"),
    classes: tuple[str, ...] | None = None,
) -> SpectrogramTask:
    """Reads a labelled data set of sounds in any form that `training.datasets` knows.

    task: a name; the folder's where it is "". classes: that are told apart; those of the train split where they are None.
    Raises DataError for a split without clips, for fewer than two classes, and for a label that is none of them.
    """
    source = as_source(folder)
    clips = {split: source.clips(split, mel.sample_rate) for split in splits}
    if classes is None:
        classes = tuple(sorted({clip.label for clip in clips["train"]} - {""}))
    if len(classes) < 2:
        raise DataError(f"{source.folder} has fewer than two labels to tell apart: give labelled recordings.")
    return SpectrogramTask(task or source.name, classes, {split: _spectrograms(each, classes, mel) for split, each in clips.items()})


def _spectrograms(clips: Sequence[Clip], classes: tuple[str, ...], mel: MelPreset) -> Spectrograms:
    places = {label: place for place, label in enumerate(classes)}
    for clip in clips:
        if clip.label not in places:
            raise DataError(f"{clip.path} has the label {clip.label!r}, which is not one of {', '.join(classes[:8])}{', …' if len(classes) > 8 else ''}.")
    pictures = tuple(picture_of_mel(audio.log_mel(torch.from_numpy(clip.samples.copy()), mel)).numpy() for clip in clips)
    return Spectrograms(pictures, np.array([places[clip.label] for clip in clips], np.int64))


def window_of(picture: np.ndarray, frames: int, begin: int) -> np.ndarray:
    """`frames` frames of a spectrogram (bands, T) from the frame `begin` on, which may lie before the first; silence where there is none.

    >>> window_of(np.array([[7, 8, 9]], np.uint8), 4, -2)
    array([[0, 0, 7, 8]], dtype=uint8)
    """
    window = np.zeros((picture.shape[0], frames), np.uint8)
    first, last = max(0, begin), min(picture.shape[1], begin + frames)
    window[:, first - begin : last - begin] = picture[:, first:last]
    return window


def windows_of(picture: np.ndarray, frames: int) -> np.ndarray:
    """A clip's windows for measuring it, (windows, bands, frames): one after the other, what is left over in the middle of the last.

    >>> windows_of(np.ones((1, 7), np.uint8), 5)[:, 0].tolist()
    [[1, 1, 1, 1, 1], [0, 1, 1, 0, 0]]
    """
    time = picture.shape[1]
    whole = time // frames
    windows = [window_of(picture, frames, number * frames) for number in range(whole)]
    rest = time - whole * frames
    # A last frame alone, which a clip of a whole number of seconds has, says nothing about it.
    if rest and (rest > 1 or not whole):
        windows.append(window_of(picture[:, whole * frames :], frames, -((frames - rest) // 2)))
    return np.stack(windows)


def train_spectrograms(
    data: Sequence[SpectrogramTask], out: str | Path, config: SpectrogramConfig, settings: SpectrogramTraining,
    device: str | torch.device = "cpu", report: Callable[[PictureProgress], None] = lambda _: None, licence: list[str] | None = None,
) -> SpectrogramClassifier:
    """Trains on the train splits of all tasks and writes the network that is best on the valid splits, on average over the tasks, to `out`.

    config: its heads must be those of the data, in their order. Everything else is as in `fit`.
    Raises DataError for other heads and a task without train or valid clips, and as `fit` does.
    """
    if config.heads != tuple(each.head for each in data):
        raise DataError(f"the network's tasks are {', '.join(config.tasks)}, and the data's {', '.join(each.task for each in data)}, with labels of their own.")
    for each in data:
        missing = [split for split in ("train", "valid") if split not in each.splits]
        if missing:
            raise DataError(f"{each.task} has no {missing[0]} clips: add some.")
    torch.manual_seed(settings.seed)
    model = SpectrogramClassifier(config).to(torch.device(device))
    return cast(SpectrogramClassifier, fit(model, Windows(data, config, settings), out, settings, report, licence))


class Windows(Lesson):
    """Windows of the train splits of all tasks. A label's place is that among the labels of all heads."""

    def __init__(self, data: Sequence[SpectrogramTask], config: SpectrogramConfig, settings: SpectrogramTraining):
        self.data, self.size = [each.task for each in data], sum(len(each.splits["train"].labels) for each in data)
        self.steps = settings.steps
        self._tasks, self._config, self._settings = data, config, settings
        counts = [len(head.labels) for head in config.heads]
        self._begins = np.concatenate([[0], np.cumsum(counts)[:-1]])
        self._task_of = torch.repeat_interleave(torch.tensor(counts))

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """As many windows of every task to a batch; the clips of a task come in a random order, all of them before one comes again."""
        generator, settings = np.random.default_rng((self._settings.seed, epoch)), self._settings
        share = max(1, settings.batch_size // len(self._tasks))
        orders = [_endless(len(task.splits["train"].labels), generator) for task in self._tasks]
        for _ in range(settings.steps):
            pictures, labels = [], []
            for begin, task, order in zip(self._begins, self._tasks, orders, strict=True):
                train = task.splits["train"]
                for number in (next(order) for _ in range(share)):
                    pictures.append(self._window(train.pictures[number], generator))
                    labels.append(begin + train.labels[number])
            yield torch.from_numpy(np.stack(pictures))[:, None], torch.from_numpy(np.array(labels))

    def _window(self, picture: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """A window of a clip at a random place, a little louder or quieter, and without some frames and bands."""
        settings, frames = self._settings, self._config.frames
        spare = picture.shape[1] - frames
        begin = int(generator.integers(min(0, spare), max(0, spare) + 1))
        window = window_of(picture, frames, begin).astype(np.int16)
        heard = window > 0  # the floor stays where it is
        window += np.int16(round(generator.uniform(-settings.gain_db, settings.gain_db) / _STEP_DB))
        window = np.where(heard, window.clip(0, 255), 0).astype(np.uint8)
        for axis, most in ((1, settings.time_mask), (0, settings.frequency_mask)):
            width = int(generator.integers(0, min(most, window.shape[axis] - 1) + 1))
            first = int(generator.integers(0, window.shape[axis] - width + 1))
            window[(slice(None),) * axis + (slice(first, first + width),)] = 0
        return window

    def errors(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy of each window's own head: the others' labels are no answers to its question."""
        tasks = self._task_of.to(labels.device)
        return F.cross_entropy(logits.masked_fill(tasks != tasks[labels][:, None], -torch.inf), labels)

    def validate(self, network: PictureNetwork) -> tuple[float, float]:
        found = [evaluate_spectrograms(cast(SpectrogramClassifier, network), task, "valid") for task in self._tasks]
        return float(np.mean([each.accuracy for each in found])), float(np.mean([each.loss for each in found]))


def _endless(count: int, generator: np.random.Generator) -> Iterator[int]:
    while True:
        yield from generator.permutation(count).tolist()


@torch.inference_mode()
def evaluate_spectrograms(network: SpectrogramClassifier, data: SpectrogramTask, split: str = "test") -> SpectrogramEvaluation:
    """Measures one head of a network on all clips of a split, logits averaged over a clip's windows.

    Raises DataError where the network has no such head.
    """
    if data.head not in network.config.heads:
        raise DataError(f"{network.name} does not tell the classes of {data.task} apart: its tasks are {', '.join(network.config.tasks)}.")
    place, found = network.config.heads.index(data.head), data.splits[split]
    begin = sum(len(head.labels) for head in network.config.heads[:place])
    windows = [windows_of(picture, network.config.frames) for picture in found.pictures]
    owner = torch.repeat_interleave(torch.tensor([len(each) for each in windows]))
    together, logits = torch.from_numpy(np.concatenate(windows)), []
    with network.evaluating():
        for part in together.split(_VALID_BATCH):
            logits.append(network(standardised(part[:, None].to(network.device))).head[:, begin : begin + len(data.classes)].cpu())
    sums = torch.zeros(len(windows), len(data.classes)).index_add_(0, owner, torch.cat(logits))
    means = sums / torch.bincount(owner)[:, None]
    labels, answers = torch.from_numpy(found.labels), means.argmax(dim=1)
    confusion = np.zeros((len(data.classes),) * 2, int)
    np.add.at(confusion, (found.labels, answers.numpy()), 1)
    return SpectrogramEvaluation(data.task, len(windows), float((answers == labels).float().mean()), float(F.cross_entropy(means, labels)), confusion)
