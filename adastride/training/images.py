"""Trains and measures networks of images; see `training.picture_loop`.

Source: DiffStride's section 3.2, random crops and flips.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from adastride.clips import DataError
from adastride.models.images import ImageClassifier, ImageConfig
from adastride.models.picture_network import PictureNetwork, standardised
from adastride.training.image_datasets import ImageData, LabelledImages
from adastride.training.picture_loop import Lesson, PictureProgress, PictureTraining, fit

_VALID_BATCH = 250


@dataclass(frozen=True)
class ImageTraining(PictureTraining):
    """How to train a network of images: as `PictureTraining` says, and

    crop: by how many pixels a picture is moved at most, up or down and to a side; what comes in is grey. flip: whether pictures are
    mirrored at random, left to right.
    Raises ValueError for numbers out of range.
    """

    crop: int = 4
    flip: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.crop < 0:
            raise ValueError("the crop must be at least 0 pixels")


@dataclass(frozen=True)
class ImageEvaluation:
    """What was measured of a network on pictures. accuracy: the share that is right. loss: cross-entropy, nats. confusion: (classes,
    classes) counts of (true, predicted)."""

    pictures: int
    accuracy: float
    loss: float
    confusion: np.ndarray


def train_images(
    data: ImageData, out: str | Path, config: ImageConfig, settings: ImageTraining, device: str | torch.device = "cpu",
    report: Callable[[PictureProgress], None] = lambda _: None, licence: list[str] | None = None,
) -> ImageClassifier:
    """Trains on a data set's train split and writes the network of the epoch that is best on its valid split to the checkpoint `out`.

    config: its labels must be the data set's classes. Everything else is as in `fit`.
    Raises DataError for labels that are not the data's, and as `fit` does.
    """
    if config.labels != data.classes:
        raise DataError(f"{data.name} has the classes {', '.join(data.classes[:5])} …, and the network tells {', '.join(config.labels[:5])} … apart.")
    torch.manual_seed(settings.seed)
    model = ImageClassifier(config).to(torch.device(device))
    return cast(ImageClassifier, fit(model, _Images(data, settings), out, settings, report, licence))


class _Images(Lesson):
    """A data set of images."""

    def __init__(self, data: ImageData, settings: ImageTraining):
        train = data.splits["train"]
        self.data, self.size = [data.name], len(train.labels)
        self.steps = max(1, len(train.labels) // settings.batch_size)
        self._train, self._valid, self._settings = train, data.splits["valid"], settings

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        return image_batches(self._train, self._settings, epoch)

    def errors(self, logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits, labels)

    def validate(self, network: PictureNetwork) -> tuple[float, float]:
        found = evaluate_images(network, self._valid)
        return found.accuracy, found.loss


def image_batches(split: LabelledImages, settings: ImageTraining, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """An epoch's batches in a random order, cropped and flipped: (batch, 3, size, size) uint8 and labels (batch,) int64.

    What is left over after the last whole batch waits for another epoch; a split smaller than a batch is one batch.
    """
    generator = np.random.default_rng((settings.seed, epoch))
    order = generator.permutation(len(split.labels))
    size, count = split.images.shape[-1], min(settings.batch_size, len(order))
    for begin in range(0, len(order) - count + 1, count):
        chosen = order[begin : begin + count]
        pictures = split.images[chosen]
        if settings.crop:
            pictures = np.pad(pictures, ((0, 0), (0, 0), (settings.crop,) * 2, (settings.crop,) * 2), constant_values=128)
            top, left = generator.integers(0, 2 * settings.crop + 1, (2, count, 1)) + np.arange(size)
            pictures = pictures[np.arange(count)[:, None, None, None], np.arange(3)[:, None, None], top[:, None, :, None], left[:, None, None, :]]
        if settings.flip:
            mirrored = generator.random(count) < 0.5
            pictures[mirrored] = pictures[mirrored, :, :, ::-1]
        yield torch.from_numpy(pictures), torch.from_numpy(split.labels[chosen])


@torch.inference_mode()
def evaluate_images(network: PictureNetwork, split: LabelledImages) -> ImageEvaluation:
    """Measures a network on all pictures of a split. Raises DataError for a label that the network does not have."""
    classes = len(network.config.heads[0].labels)
    if len(split.labels) and split.labels.max() >= classes:
        raise DataError(f"the data has more classes than the {classes} that {network.name} tells apart.")
    confusion, loss = np.zeros((classes, classes), int), 0.0
    with network.evaluating():
        for begin in range(0, len(split.labels), _VALID_BATCH):
            labels = torch.from_numpy(split.labels[begin : begin + _VALID_BATCH])
            logits = network(standardised(torch.from_numpy(split.images[begin : begin + _VALID_BATCH]).to(network.device))).head.cpu()
            loss += float(F.cross_entropy(logits, labels, reduction="sum"))
            np.add.at(confusion, (labels.numpy(), logits.argmax(dim=1).numpy()), 1)
    count = max(1, len(split.labels))
    return ImageEvaluation(len(split.labels), float(confusion.trace()) / count, loss / count, confusion)
