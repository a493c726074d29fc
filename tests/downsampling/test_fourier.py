"""Pictures through masks: the matrices of small pictures do what the transform of large ones does."""

from __future__ import annotations

import pytest
import torch

from adastride.downsampling import DiffStride2d, SpectralPool2d, fourier

SIZES = [(32, 32), (9, 8), (8, 9), (1, 7), (7, 1), (1, 1), (2, 2), (3, 80), (31, 17)]
LAYERS = {
    "spectral-pool": lambda: SpectralPool2d((1.5, 2.7)), "whole": lambda: SpectralPool2d((1.0, 1.0)), "diffstride": lambda: DiffStride2d((2.3, 1.7), 2.0),
    "filtered": lambda: DiffStride2d((2.3, 1.7), 2.0, cropping=False),
}


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("size", SIZES)
def test_matrices_and_transforms_agree(layer: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch):
    """Values, and gradients to the picture and to learned strides."""
    x, results = torch.randn(2, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(1)), []
    for side in (fourier.MATRIX_SIDE, 0):
        monkeypatch.setattr(fourier, "MATRIX_SIDE", side)
        module, picture = LAYERS[layer]().double(), x.clone().requires_grad_()
        values = module(picture)
        (values**3).sum().backward()
        results.append((values.detach(), picture.grad, *(p.grad for p in module.parameters())))
    for by_matrix, by_transform in zip(*results, strict=True):
        torch.testing.assert_close(by_matrix, by_transform)


def test_gradients_of_matrices_are_exact():
    layer = DiffStride2d((2.3, 1.7), 2.0).double()
    x = torch.randn(1, 1, 9, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    assert torch.autograd.gradcheck(lambda picture, strides: layer(picture, (strides[0], strides[1])), (x, layer.strides.detach().clone().requires_grad_()))


def test_half_precision_and_empty_batches():
    x = torch.randn(1, 2, 16, 16, generator=torch.Generator().manual_seed(0))
    assert SpectralPool2d((2.0, 2.0))(x.half()).dtype == torch.half
    assert DiffStride2d((2.0, 2.0))(x[:0]).shape == (0, 2, 16, 16)
