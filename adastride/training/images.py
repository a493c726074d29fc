"""Trains and measures networks of pictures. Training can be stopped at any time and goes on where it was.

Sources: DiffStride's section 3.2 (stochastic gradient descent with momentum 0.9 from a rate of 0.1, random crops and flips) and its
equation 6. Where the paper has 400 epochs with steps in the rate, there is one rise and one cosine here over as many epochs as there is
time for, which comes closer to the end of a long training than a part of its steps would.

All randomness of an epoch comes from (seed, epoch): a run that was interrupted gives the numbers of one that was not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from adastride import checkpoints
from adastride.clips import DataError
from adastride.device import device_name
from adastride.models.images import ImageClassifier, ImageConfig, standardised
from adastride.training.image_datasets import ImageData, LabelledImages
from adastride.training.measure import PeakMemory, stopwatch
from adastride.training.optimising import parameter_groups, rise_and_fall
from adastride.training.run_state import RunState

_WARM_UP, _FIRST = 0.2, 0.1  # of all steps; of the learning rate
_VALID_BATCH = 250
_LONGEST_GRADIENT = 5.0


@dataclass(frozen=True)
class ImageTraining:
    """How to train a network of pictures.

    cost_weight: lambda of DiffStride's equation 6, how much the cost of the network counts beside its errors. crop: by how many pixels a
    picture is moved at most, up or down and to a side; what comes in is grey. flip: whether pictures are mirrored at random, left to
    right. score_factor: what places rows and columns learns so many times as fast as the rest.
    Raises ValueError for numbers out of range.
    """

    epochs: int = 12
    batch_size: int = 128
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    position_loss_weight: float = 1.0
    cost_weight: float = 0.0
    crop: int = 4
    flip: bool = True
    score_factor: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 2 or self.crop < 0:
            raise ValueError("training needs at least 1 epoch, 2 pictures to a batch and a crop of at least 0 pixels")
        if not (self.learning_rate > 0 and self.cost_weight >= 0):
            raise ValueError("the learning rate must be above 0 and the weight of the cost at least 0")


@dataclass
class ImageProgress:
    """What is reported after an epoch.

    loss, position_loss: means over the epoch's batches. valid: accuracy on the valid split. seconds: of training, without validation, by
    `measure.stopwatch`. best_epoch: the epoch whose weights are kept. history: a row for every epoch so far, with the keys epoch, loss,
    position_loss, valid_accuracy, valid_loss, strides ([height, width] of every layer, lowest first, at the end of the epoch), cost
    (equation 6), seconds and peak_memory_mb. The row of epoch 0 has the strides and the cost before training alone.
    """

    epoch: int
    epochs: int
    loss: float
    position_loss: float
    valid: float
    seconds: float
    best_epoch: int
    history: list[dict[str, Any]] = field(default_factory=list)


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
    report: Callable[[ImageProgress], None] = lambda _: None, licence: list[str] | None = None,
) -> ImageClassifier:
    """Trains on a data set's train split and writes the network of the epoch that is best on its valid split to the checkpoint `out`.

    config: its labels must be the data set's classes. report: called after every epoch. licence: sentences for the checkpoint's header.
    The state of an unfinished run lies beside `out` with the suffix .state, and a call with the same settings goes on from its last
    whole epoch. Raises DataError for labels that are not the data's, a state that belongs to other settings, or a loss that is no longer
    a number.
    """
    out, device = Path(out), torch.device(device)
    if config.labels != data.classes:
        raise DataError(f"{data.name} has the classes {', '.join(data.classes[:5])} …, and the network tells {', '.join(config.labels[:5])} … apart.")
    torch.manual_seed(settings.seed)
    model = ImageClassifier(config).to(device)
    groups = parameter_groups(model, settings.learning_rate, settings.weight_decay, settings.score_factor)
    optimizer = torch.optim.SGD(groups, lr=settings.learning_rate, momentum=settings.momentum, nesterov=True)
    identity = {"config": config.to_dict(), "settings": asdict(settings), "data": [data.name, len(data.splits["train"].labels)]}
    state = RunState(out.with_suffix(".state"), identity, {"model": model, "optimizer": optimizer}, asdict(ImageTraining()))
    epoch, history = state.load()
    history = history or [{"epoch": 0, "strides": _strides(model), "cost": float(model.cost().detach())}]
    train = data.splits["train"]
    steps = max(1, len(train.labels) // settings.batch_size)
    warm = max(1, round(_WARM_UP * settings.epochs * steps))
    schedule = rise_and_fall(optimizer, settings.epochs * steps, epoch * steps, warm, begin=_FIRST, lowest=0.0)
    memory = PeakMemory(device)
    while epoch < settings.epochs:
        began, terms = stopwatch(device), list[Tensor]()
        model.train()
        for pictures, labels in image_batches(train, settings, epoch):
            output = model(standardised(pictures.to(device)))
            errors = F.cross_entropy(output.head, labels.to(device))
            loss = errors + settings.position_loss_weight * output.position_loss
            if settings.cost_weight:
                loss = loss + settings.cost_weight * model.cost()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), _LONGEST_GRADIENT)
            optimizer.step()
            schedule.step()
            terms.append(torch.stack([errors.detach(), output.position_loss.detach()]))
        errors_mean, position_mean = torch.stack(terms).mean(dim=0).tolist()
        seconds, peak = stopwatch(device) - began, memory.megabytes()
        if not math.isfinite(errors_mean + position_mean):
            raise DataError(f"training of {out.name} diverged in epoch {epoch + 1}, its loss is no longer a number: give a lower learning rate.")
        valid = evaluate_images(model.eval(), data.splits["valid"])
        epoch += 1
        history.append({
            "epoch": epoch, "loss": errors_mean, "position_loss": position_mean, "valid_accuracy": valid.accuracy, "valid_loss": valid.loss,
            "strides": _strides(model), "cost": float(model.cost().detach()), "seconds": seconds, "peak_memory_mb": peak,
        })
        best = max(history[1:], key=lambda row: (row["valid_accuracy"], -row["valid_loss"]))["epoch"]
        if best == epoch:
            _save(model, out, data, settings, history, licence or [])
        state.save(epoch, history)
        report(ImageProgress(epoch, settings.epochs, errors_mean, position_mean, valid.accuracy, seconds, best, history))
    if state.path.exists():
        checkpoints.save_checkpoint(checkpoints.load_pictures(out), out, {**checkpoints.details(out)["details"], "history": history})
        state.path.unlink()
    return checkpoints.load_pictures(out, device)


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
def evaluate_images(network: ImageClassifier, split: LabelledImages) -> ImageEvaluation:
    """Measures a network on all pictures of a split. Raises DataError for a label that the network does not have."""
    classes = len(network.config.labels)
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


def finished_image_history(out: str | Path) -> list[dict[str, Any]] | None:
    """The epochs of the finished run that wrote `out`, as in `ImageProgress.history`; None where `out` is not from a finished run."""
    out = Path(out)
    if not out.is_file() or out.with_suffix(".state").exists():
        return None
    return checkpoints.details(out).get("details", {}).get("history")


def _strides(model: ImageClassifier) -> list[list[float]]:
    return [[round(stride, 5) for stride in layer.strides] for layer in model.layers]


def _save(
    model: ImageClassifier, out: Path, data: ImageData, settings: ImageTraining, history: list[dict[str, Any]], licence: list[str],
) -> None:
    metrics = {name: history[-1][name] for name in ("epoch", "valid_accuracy", "valid_loss")}
    checkpoints.save_checkpoint(model, out, {
        "data": [data.name], "licence": licence, "training": asdict(settings), "metrics": metrics,
        "device": device_name(model.device), "versions": {"torch": torch.__version__},
    })
