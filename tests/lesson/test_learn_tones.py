"""Tones through four methods (step 2)."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from adastride.downsampling import METHODS
from adastride.lesson.tones import GAIN_POINTS, TONE_FRAMES, tone, tone_gains, tone_layers


@pytest.mark.parametrize("stride", [2, 3, 4, 5, 6])
def test_tones_are_what_the_layers_make_of_them(stride: int):
    wave = tone(0.13)
    x = torch.from_numpy(wave).float()[None, None]
    outputs = {key: (times, matrix @ wave) for key, (times, matrix) in tone_layers(stride).items()}
    assert outputs["every-s-th"][1].tolist() == wave[::stride].tolist()
    for key in ("avg-pool", "blur-pool", "spectral-pool"):
        expected = METHODS[key].build(1, stride=stride)(x).values[0, 0]
        np.testing.assert_allclose(outputs[key][1], expected, atol=1e-6)
    for times, values in outputs.values():
        assert len(times) == len(values)
        assert times[0] >= 0
        assert times[-1] <= TONE_FRAMES - 1


@pytest.mark.parametrize("stride", [2, 4, 6])
def test_gains_are_those_of_the_filters(stride: int):
    """Taking frames leaves everything, a window's mean and the binomial filter what theory says, spectral pooling a step."""
    gains, f = tone_gains(stride), np.linspace(0, 0.5, GAIN_POINTS)
    np.testing.assert_allclose(gains["every-s-th"], 1, atol=1e-4)
    with np.errstate(invalid="ignore"):
        window = np.where(f == 0, 1, np.abs(np.sin(np.pi * f * stride) / (stride * np.sin(np.pi * f))))
    np.testing.assert_allclose(gains["avg-pool"], window, atol=1e-3)
    np.testing.assert_allclose(gains["blur-pool"], np.cos(np.pi * f) ** 2, atol=1e-3)
    assert gains["spectral-pool"][f < 0.9 / (2 * stride)].min() > 0.9
    assert gains["spectral-pool"][f > 1.3 / (2 * stride)].max() < 0.1


def test_a_tone_folds_to_where_the_formula_says():
    """Every fourth frame of a tone at 0.2 has its peak at |0.8 - 1| = 0.2 cycles per output frame."""
    values = tone_layers(4)["every-s-th"][1] @ tone(0.2)
    spectrum = np.abs(np.fft.rfft(values * np.hanning(len(values)), 1024))
    assert spectrum.argmax() / 1024 == pytest.approx(0.2, abs=0.01)
