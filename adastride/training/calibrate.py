"""Calibration: makes a classifier as sure as it is right.

Label smoothing and the mean over time leave a network that hears a word in seconds of silence right, but unsure. One number mends that,
the temperature (Guo et al., "On calibration of modern neural networks", 2017, section 4.2): logits are divided by it, so that no
prediction changes, only how sure it is.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor

from adastride.clips import Clip
from adastride.models.classifier import Classifier
from adastride.tasks import task_of
from adastride.training.evaluate import Prepared, placed

COLDEST, HOTTEST = 0.02, 50.0


def fit_temperature(logits: Tensor, targets: Tensor) -> float:
    """The temperature with which softmax(logits / temperature) gives the targets the highest likelihood.

    Shape: logits (clips, classes), targets (clips,) int64. Raises ValueError where there are no clips.

    >>> logits = torch.tensor([[0.1, 0.0]] * 9 + [[0.0, 0.1]])
    >>> targets = torch.zeros(10, dtype=torch.long)  # nine of ten are right, far more than logits like these say
    >>> temperature = fit_temperature(logits, targets)
    >>> round(float(torch.softmax(logits / temperature, dim=1)[0, 0]), 2)
    0.9
    """
    if len(targets) == 0:
        raise ValueError("a temperature needs at least one clip")
    logits = logits.detach().to(torch.float64)

    def loss(log_temperature: float) -> float:
        return float(torch.nn.functional.cross_entropy(logits / math.exp(log_temperature), targets))

    return math.exp(minimize_scalar(loss, bounds=(math.log(COLDEST), math.log(HOTTEST)), method="bounded").x)


def calibrated(model: Classifier, clips: Sequence[Clip], seconds: Sequence[float], seed: int = 0) -> tuple[Classifier, float]:
    """A copy of a classifier with a temperature in its last layer, and the temperature.

    clips: to fit it on, of the valid split; each as it is, and once in as many seconds of quiet noise as each of `seconds` says.
    seed: of the places and the noise.
    """
    targets = task_of(model).targets(model, clips)
    versions = [[clip.samples for clip in clips], *(placed(clips, model.config.mel, length, seed=seed)[0] for length in seconds)]
    logits, answers = [], []
    with torch.no_grad():
        for sounds in versions:
            for batch in Prepared.of(model, sounds, targets).batches:
                logits.append(model(batch.signal, batch.lengths).head)
                answers.append(batch.targets[0])
    temperature = fit_temperature(torch.cat(logits).cpu(), torch.cat(answers).cpu())
    made = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in made.classifier.parameters():
            parameter.div_(temperature)
    return made, temperature
