"""Every method inside the classifier: it trains, and a run of it can be traced."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from adastride.downsampling import METHODS, LayerSettings
from adastride.inspection.tracing import as_trained, trace
from adastride.models import Classifier, ClassifierConfig

EVERY_METHOD = pytest.mark.parametrize("key", METHODS)


def network(key: str, **changes) -> Classifier:
    torch.manual_seed(0)
    return Classifier(ClassifierConfig(("no", "yes"), (key,) * 3, **{"width": 16, **changes}))


@EVERY_METHOD
def test_a_step_of_training_lowers_the_loss(key: str):
    model, mel = network(key), torch.randn(4, 80, 50) * 2 - 5
    lengths, targets = torch.tensor([50, 40, 30, 20]), torch.tensor([0, 1, 0, 1])
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(4):
        output = model(mel, lengths)
        loss = torch.nn.functional.cross_entropy(output.head, targets) + output.position_loss
        optimiser.zero_grad()
        loss.backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]


@EVERY_METHOD
@pytest.mark.parametrize("chosen", [None, LayerSettings(stride=3.4), LayerSettings(sigma=1.0, stride=1.0, variant="adastride-f")], ids=str)
def test_a_run_can_be_traced(key: str, chosen: LayerSettings | None):
    model = network(key).eval()
    samples = np.random.default_rng(0).standard_normal(16_000).astype(np.float32)
    run = trace(model, samples, chosen)
    assert sum(run.prediction.values.values()) == pytest.approx(1)
    for layer, downsampler in zip(run.layers, model.downsamplers, strict=True):
        assert layer.method == (chosen.variant if chosen and chosen.variant and key in ("adastride", "adastride-f") else key)
        assert (layer.settings.sigma is None) == ("sigma" not in METHODS[key].parameters)
        assert layer.settings.stride == downsampler.nearest_stride(chosen.stride if chosen else downsampler.stride)
        assert layer.strides.sum() == pytest.approx(layer.input_frames)
        assert layer.positions.shape == (layer.input_frames,)
        assert np.isfinite(layer.entropy)
    assert np.diff(run.boundary_seconds(2)).min() >= 0


@EVERY_METHOD
def test_a_trace_as_trained_is_a_trace_without_settings(key: str):
    model = network(key).eval()
    samples = np.random.default_rng(0).standard_normal(8_000).astype(np.float32)
    plain, asked = trace(model, samples), trace(model, samples, as_trained(model))
    assert plain.settings == asked.settings
    assert plain.prediction.values == pytest.approx(asked.prediction.values, rel=1e-5)
