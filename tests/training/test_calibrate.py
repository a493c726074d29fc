"""Calibration: no prediction changes, and a network is as sure as it is right."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from adastride.clips import Clip
from adastride.models.classifier import Classifier, ClassifierConfig
from adastride.training.calibrate import calibrated, fit_temperature


def drawn(temperature: float, clips: int = 20_000) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of a network that is wrong by this temperature, and targets that its true probabilities were drawn from."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(clips, 5, generator=generator)
    targets = torch.multinomial(torch.softmax(logits, dim=1), 1, generator=generator)[:, 0]
    return logits * temperature, targets


@pytest.mark.parametrize("temperature", [0.2, 1.0, 4.0])
def test_the_temperature_that_the_targets_were_drawn_with_is_found(temperature: float):
    assert fit_temperature(*drawn(temperature)) == pytest.approx(temperature, rel=0.03)


def test_it_is_the_best_of_all():
    logits, targets = drawn(0.5, 200)
    best = fit_temperature(logits, targets)
    losses = [float(torch.nn.functional.cross_entropy(logits / t, targets)) for t in (0.5 * best, 0.95 * best, best, 1.05 * best, 2 * best)]
    assert min(losses) == losses[2]


def test_without_clips_there_is_nothing_to_fit():
    with pytest.raises(ValueError, match="at least one clip"):
        fit_temperature(torch.zeros(0, 3), torch.zeros(0, dtype=torch.long))


def test_no_prediction_changes():
    """And the network that was handed in stays as it was."""
    torch.manual_seed(0)
    generator = np.random.default_rng(0)
    model = Classifier(ClassifierConfig(labels=("a", "b"), width=8)).eval()
    clips = [Clip(generator.standard_normal(4000).astype(np.float32), "ab"[n % 2], f"{n}.wav") for n in range(10)]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    made, temperature = calibrated(model, clips, (0.5, 1.0))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    mel = torch.randn(3, model.config.mel.n_mels, 40)
    with torch.no_grad():
        torch.testing.assert_close(made(mel).head * temperature, model(mel).head)
    assert temperature > 1, "a network that guesses is as unsure as can be"
