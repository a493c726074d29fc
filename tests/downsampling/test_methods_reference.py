"""Spectral pooling, DiffStride and BlurPool give the numbers of their papers' own code.

tests/data/methods_reference.npz holds inputs, outputs and gradients of those implementations, named family.case.field.
They divide an inverse transform by the size of the output, so a constant 1 comes out as T_in / T_out; ours keeps the
mean, hence the scale below, once for values and twice for gradients of a sum of squares. They ran in float32.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from adastride.downsampling import DiffStride2d, SpectralPool2d, build

DATA = Path(__file__).parents[1] / "data" / "methods_reference.npz"
TOLERANCE = 1e-4


def cases(family: str) -> list:
    with np.load(DATA) as file:
        names = sorted({name.split(".")[1] for name in file.files if name.startswith(f"{family}.")})
        return [pytest.param({n.split(".")[2]: torch.from_numpy(file[n]) for n in file.files if n.startswith(f"{family}.{name}.")}, id=name)
                for name in names]


def assert_near(ours: Tensor, theirs: Tensor) -> None:
    """Within the tolerance of the largest number: gradients of one case span many magnitudes."""
    assert ours.shape == theirs.shape
    assert float((ours - theirs).abs().max()) <= TOLERANCE * float(theirs.abs().max())


def run(layer: nn.Module, x: Tensor) -> Tensor:
    """The result for a signal or a picture, the gradient of its sum of squares in x.grad."""
    result = layer(x) if x.dim() == 4 else layer(x).values
    result.square().sum().backward()
    return result.detach()


@pytest.mark.parametrize("case", cases("spectral"))
def test_spectral_pooling(case: dict[str, Tensor]):
    x, strides = case["x"].requires_grad_(), case["strides"].tolist()
    layer = build("spectral-pool", x.shape[1], strides[1]) if x.dim() == 3 else SpectralPool2d(strides=strides)
    result = run(layer, x)
    scale = result[0, 0].numel() / x[0, 0].numel()
    assert_near(result, case["y"] * scale)
    assert_near(x.grad, case["grad_x"] * scale**2)


@pytest.mark.parametrize("case", cases("diffstride"))
def test_diffstride(case: dict[str, Tensor]):
    x, strides, smoothness = case["x"].requires_grad_(), case["strides_init"].tolist(), float(case["R"])
    if x.dim() == 3:
        layer = build("diffstride", x.shape[1], strides[1], smoothness=smoothness)
        learned, slope = layer.learned_stride, case["grad_strides"][1:]
    else:
        layer = DiffStride2d(strides, smoothness, cropping=bool(case["cropping"]), shared=bool(case["shared"]))
        learned, slope = layer.strides, case["grad_strides"]
    result = run(layer, x)
    scale = result[0, 0].numel() / x[0, 0].numel()
    assert_near(result, case["y"] * scale)
    assert_near(x.grad, case["grad_x"] * scale**2)
    assert_near(learned.grad, slope * scale**2)


@pytest.mark.parametrize("case", cases("blurpool"))
def test_blurpool(case: dict[str, Tensor]):
    x = case["x"].double().requires_grad_()
    layer = build("blur-pool", x.shape[1], float(case["stride"]), filter_size=int(case["filt_size"]))
    assert_near(run(layer, x), case["y"].double())
    assert_near(x.grad, case["grad_x64"])


def test_the_cases_are_what_they_should_be():
    """Odd and even sizes, raised strides, strides above half the length, and both dimensions are among them."""
    assert [len(cases(family)) for family in ("spectral", "diffstride", "blurpool")] == [14, 16, 6]
