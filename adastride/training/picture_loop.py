"""Trains networks of pictures, whatever their pictures are of. Training can be stopped at any time and goes on where it was.

Sources: DiffStride's section 3.2 (stochastic gradient descent with momentum 0.9 from a rate of 0.1) and its equation 6. Where the paper
has 400 epochs with steps in the rate, there is one rise and one cosine here over as many epochs as there is time for, which comes closer
to the end of a long training than a part of its steps would.

All randomness of an epoch comes from (seed, epoch): a run that was interrupted gives the numbers of one that was not.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from adastride import checkpoints
from adastride.clips import DataError
from adastride.device import device_name
from adastride.models.picture_network import PictureNetwork, standardised
from adastride.training.measure import PeakMemory, stopwatch
from adastride.training.optimising import parameter_groups, rise_and_fall
from adastride.training.run_state import RunState

_WARM_UP, _FIRST = 0.2, 0.1  # of all steps; of the learning rate
_LONGEST_GRADIENT = 5.0


@dataclass(frozen=True)
class PictureTraining:
    """How to train a network of pictures.

    cost_weight: lambda of DiffStride's equation 6, how much the cost of the network counts beside its errors. score_factor: what places
    rows and columns learns so many times as fast as the rest.
    Raises ValueError for numbers out of range.
    """

    epochs: int = 12
    batch_size: int = 128
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    position_loss_weight: float = 1.0
    cost_weight: float = 0.0
    score_factor: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 2:
            raise ValueError("training needs at least 1 epoch and 2 pictures to a batch")
        if not (self.learning_rate > 0 and self.cost_weight >= 0):
            raise ValueError("the learning rate must be above 0 and the weight of the cost at least 0")


@dataclass
class PictureProgress:
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


class Lesson(ABC):
    """What a network learns from. data: the names of the data sets, for the checkpoint. size: the number of training examples. steps: batches
    of an epoch."""

    data: list[str]
    size: int
    steps: int

    @abstractmethod
    def batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of an epoch: pictures (batch, channels, height, width) uint8, and the places (batch,) int64 of their labels."""

    @abstractmethod
    def errors(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch, a scalar: logits (batch, classes), labels as in `batches`."""

    @abstractmethod
    def validate(self, network: PictureNetwork) -> tuple[float, float]:
        """Accuracy and loss on the valid split, of a network in evaluation mode."""


def fit(
    model: PictureNetwork, lesson: Lesson, out: str | Path, settings: PictureTraining,
    report: Callable[[PictureProgress], None] = lambda _: None, licence: list[str] | None = None,
) -> PictureNetwork:
    """Trains a network where it is and writes that of the epoch that is best on the valid split to the checkpoint `out`.

    report: called after every epoch. licence: sentences for the checkpoint's header. The state of an unfinished run lies beside `out` with
    the suffix .state, and a call with the same settings goes on from its last whole epoch. Returns the network of the checkpoint. Raises
    DataError for a state that belongs to other settings, or a loss that is no longer a number.
    """
    out, device = Path(out), model.device
    groups = parameter_groups(model, settings.learning_rate, settings.weight_decay, settings.score_factor)
    optimizer = torch.optim.SGD(groups, lr=settings.learning_rate, momentum=settings.momentum, nesterov=True)
    identity = {"config": model.config.to_dict(), "settings": asdict(settings), "data": [*lesson.data, lesson.size]}
    state = RunState(out.with_suffix(".state"), identity, {"model": model, "optimizer": optimizer}, asdict(type(settings)()))
    epoch, history = state.load()
    history = history or [{"epoch": 0, "strides": _strides(model), "cost": float(model.cost().detach())}]
    warm = max(1, round(_WARM_UP * settings.epochs * lesson.steps))
    schedule = rise_and_fall(optimizer, settings.epochs * lesson.steps, epoch * lesson.steps, warm, begin=_FIRST, lowest=0.0)
    memory = PeakMemory(device)
    while epoch < settings.epochs:
        began, terms = stopwatch(device), list[Tensor]()
        model.train()
        for pictures, labels in lesson.batches(epoch):
            output = model(standardised(pictures.to(device)))
            errors = lesson.errors(output.head, labels.to(device))
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
        accuracy, valid_loss = lesson.validate(model.eval())
        epoch += 1
        history.append({
            "epoch": epoch, "loss": errors_mean, "position_loss": position_mean, "valid_accuracy": accuracy, "valid_loss": valid_loss,
            "strides": _strides(model), "cost": float(model.cost().detach()), "seconds": seconds, "peak_memory_mb": peak,
        })
        best = max(history[1:], key=lambda row: (row["valid_accuracy"], -row["valid_loss"]))["epoch"]
        if best == epoch:
            _save(model, out, lesson, settings, history, licence or [])
        state.save(epoch, history)
        report(PictureProgress(epoch, settings.epochs, errors_mean, position_mean, accuracy, seconds, best, history))
    if state.path.exists():
        checkpoints.save_checkpoint(checkpoints.load_pictures(out), out, {**checkpoints.details(out)["details"], "history": history})
        state.path.unlink()
    return checkpoints.load_pictures(out, device)


def finished_history(out: str | Path) -> list[dict[str, Any]] | None:
    """The epochs of the finished run that wrote `out`, as in `PictureProgress.history`; None where `out` is not from a finished run."""
    out = Path(out)
    if not out.is_file() or out.with_suffix(".state").exists():
        return None
    return checkpoints.details(out).get("details", {}).get("history")


def _strides(model: PictureNetwork) -> list[list[float]]:
    return [[round(stride, 5) for stride in layer.strides] for layer in model.layers]


def _save(
    model: PictureNetwork, out: Path, lesson: Lesson, settings: PictureTraining, history: list[dict[str, Any]], licence: list[str],
) -> None:
    metrics = {name: history[-1][name] for name in ("epoch", "valid_accuracy", "valid_loss")}
    checkpoints.save_checkpoint(model, out, {
        "data": lesson.data, "licence": licence, "training": asdict(settings), "metrics": metrics,
        "device": device_name(model.device), "versions": {"torch": torch.__version__},
    })
