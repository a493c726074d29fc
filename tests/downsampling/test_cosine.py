"""The cosine transforms against SciPy's, on both sides of the length from which they are fast ones, and what calls share."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import scipy.fft
import torch
from torch import Tensor

from adastride.downsampling import cosine
from adastride.downsampling.cosine import MATRIX_FRAMES, cosine_transform, inverse_cosine_transform
from adastride.downsampling.spectral import dct_diff_stride

# Every small size, and beyond: around the crossover, primes, powers of two, the odd size that stride 2 makes of 37 500 frames.
SIZES = [*range(1, 71), 313, MATRIX_FRAMES, MATRIX_FRAMES + 1, 521, 1009, 1024, 4097, 18_755, 37_500]


@pytest.fixture(autouse=True)
def _nothing_kept():
    cosine._matrix.cache_clear()
    cosine._tables.cache_clear()


@pytest.fixture
def matrix_frames(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Sets the size up to which the matrix is used: with 0 none is, with 1024 all are but the largest."""
    monkeypatch.setattr(cosine, "MATRIX_FRAMES", request.param)
    return request.param


BOTH_SIDES = pytest.mark.parametrize("matrix_frames", [0, 1024], indirect=True, ids=["fast", "matrix"])


def noise(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64).to(dtype)


def theirs(transform: Callable, x: Tensor) -> Tensor:
    return torch.from_numpy(transform(x.double().numpy(), norm="ortho"))


@BOTH_SIDES
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_both_transforms_are_those_of_scipy(matrix_frames: int, dtype: torch.dtype):
    for size in SIZES:
        x = noise(3, size, dtype=dtype)
        tolerance = 1e-5 if dtype == torch.float32 else 1e-12
        for transform, reference in ((cosine_transform, scipy.fft.dct), (inverse_cosine_transform, scipy.fft.idct)):
            ours, expected = transform(x), theirs(reference, x)
            assert (ours.dtype, ours.shape) == (dtype, x.shape)
            torch.testing.assert_close(ours.double(), expected, rtol=0, atol=tolerance, msg=lambda text, n=size: f"{n} frames: {text}")


@BOTH_SIDES
@pytest.mark.parametrize("size", [1, 2, 9, 10, 31, 500])
def test_the_first_coefficients_alone(matrix_frames: int, size: int):
    """Below and above half of them, where the fast transform finds them in other parts of its bins; and their gradient."""
    x = noise(2, 3, size).requires_grad_()
    for count in {1, size // 2, size // 2 + 1, size // 2 + 2, size - 1, size}.intersection(range(1, size + 1)):
        kept = cosine_transform(x, count)
        torch.testing.assert_close(kept, theirs(scipy.fft.dct, x.detach())[..., :count])
        weights = noise(2, 3, count)
        padded = torch.nn.functional.pad(weights, (0, size - count))
        torch.testing.assert_close(torch.autograd.grad(kept, x, weights)[0], theirs(scipy.fft.idct, padded))


@BOTH_SIDES
@pytest.mark.parametrize("size", [1, 2, 7, 12])
def test_derivatives(matrix_frames: int, size: int):
    x = noise(2, size).requires_grad_()
    for transform in (cosine_transform, inverse_cosine_transform, lambda x: cosine_transform(x, (x.shape[-1] + 1) // 2).sin()):
        assert torch.autograd.gradcheck(transform, (x,), check_forward_ad=True)
        assert torch.autograd.gradgradcheck(transform, (x,))


@BOTH_SIDES
def test_derivatives_of_a_layer_to_its_signal_and_its_stride(matrix_frames: int):
    x, stride = noise(2, 23).requires_grad_(), torch.tensor(2.37, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, stride: dct_diff_stride(x, stride, 2.0), (x, stride))
    assert torch.autograd.gradgradcheck(lambda x, stride: dct_diff_stride(x, stride, 2.0), (x, stride))


@BOTH_SIDES
def test_the_transforms_of_torch_func(matrix_frames: int):
    x = noise(4, 3, 10)
    torch.testing.assert_close(torch.vmap(cosine_transform, in_dims=1, out_dims=1)(x), cosine_transform(x))
    row = x[0, 0]
    expected = theirs(scipy.fft.dct, torch.eye(10)).T
    for jacobian in (torch.func.jacfwd(cosine_transform)(row), torch.func.jacrev(cosine_transform)(row)):
        torch.testing.assert_close(jacobian, expected)


def test_a_long_signal_takes_transforms_of_its_own_length_and_a_short_one_none(monkeypatch: pytest.MonkeyPatch):
    lengths, rfft, irfft = [], torch.fft.rfft, torch.fft.irfft
    monkeypatch.setattr(torch.fft, "rfft", lambda x: (lengths.append(x.shape[-1]), rfft(x))[1])
    monkeypatch.setattr(torch.fft, "irfft", lambda x, n: (lengths.append(n), irfft(x, n=n))[1])
    for size in (MATRIX_FRAMES, MATRIX_FRAMES + 1):
        x = noise(2, size).requires_grad_()
        inverse_cosine_transform(cosine_transform(x)).sum().backward()
    assert lengths == 4 * [MATRIX_FRAMES + 1]  # forward and back, and the gradients of both


@BOTH_SIDES
def test_rows_are_independent_of_each_other(matrix_frames: int):
    """A loud row would drown a quiet one, and a broken one break it, if a transform took them together."""
    rows = noise(4, 45, dtype=torch.float32)
    rows[1] *= 1e12
    rows[2] = torch.nan
    for transform in (cosine_transform, inverse_cosine_transform):
        together = transform(rows)
        for row in (0, 3):
            torch.testing.assert_close(together[row], transform(rows[row]), rtol=1e-5, atol=1e-5)


@BOTH_SIDES
@pytest.mark.parametrize("size", [1, 6])
def test_no_result_shares_memory_with_what_is_kept(matrix_frames: int, size: int):
    for transform in (cosine_transform, inverse_cosine_transform):
        for x in (torch.eye(size), torch.ones(size)):
            expected = transform(x).clone()
            transform(x).fill_(5.0)
            x_with_gradient = x.clone().requires_grad_()
            torch.autograd.grad(transform(x_with_gradient).sum(), x_with_gradient)[0].fill_(5.0)
            torch.testing.assert_close(transform(x), expected, rtol=0, atol=0)


@BOTH_SIDES
def test_numbers_first_needed_in_inference_serve_training_too(matrix_frames: int):
    x = noise(3, 30)
    with torch.inference_mode():
        given = inverse_cosine_transform(cosine_transform(x))
    kept = cosine._matrix(30, x.dtype, x.device) if matrix_frames else cosine._tables(30, x.dtype, x.device).turn
    assert not kept.is_inference()
    leaf = x.clone().requires_grad_()
    back = inverse_cosine_transform(cosine_transform(leaf))
    torch.testing.assert_close(back, given)
    back.square().sum().backward()
    torch.testing.assert_close(leaf.grad, 2 * x)


@BOTH_SIDES
def test_a_bounded_number_of_sizes_is_kept(matrix_frames: int):
    for size in range(1, 101):
        cosine_transform(torch.ones(size))
    kept = (cosine._matrix if matrix_frames else cosine._tables).cache_info()
    assert 0 < kept.currsize <= cosine._KEPT < 100


@BOTH_SIDES
def test_threads_get_the_same_numbers(matrix_frames: int):
    signals = [noise(2, size) for size in range(20, 70)]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(cosine_transform, signals * 4))
    for x, result in zip(signals * 4, results, strict=True):
        torch.testing.assert_close(result, theirs(scipy.fft.dct, x))


@BOTH_SIDES
def test_autocast_does_not_round(matrix_frames: int):
    x = noise(3, 40, dtype=torch.float32).requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = cosine_transform(x)
        gradient = torch.autograd.grad(result, x, result)[0]
    assert result.dtype == torch.float32
    torch.testing.assert_close(result.detach().double(), theirs(scipy.fft.dct, x.detach()), rtol=0, atol=1e-5)
    torch.testing.assert_close(gradient, x.detach(), rtol=0, atol=1e-5)


@BOTH_SIDES
def test_signals_that_do_not_lie_in_one_piece(matrix_frames: int):
    x = noise(2, 12, 5).transpose(1, 2)
    torch.testing.assert_close(cosine_transform(x), theirs(scipy.fft.dct, x.contiguous()))
    torch.testing.assert_close(inverse_cosine_transform(x), theirs(scipy.fft.idct, x.contiguous()))


@BOTH_SIDES
@pytest.mark.parametrize("transform", [cosine_transform, inverse_cosine_transform])
def test_other_types_and_no_rows(matrix_frames: int, transform: Callable):
    for dtype in (torch.float16, torch.bfloat16, torch.int64):
        x = torch.tensor([1, 2, 4], dtype=dtype)
        torch.testing.assert_close(transform(x), transform(x.float()), rtol=0, atol=0)
    assert transform(torch.zeros(0, 3, 40)).shape == (0, 3, 40)
    assert transform(torch.zeros(3, 40, device="meta")).shape == (3, 40)


@pytest.mark.parametrize("x", [torch.zeros(3, 0), torch.tensor(1.0), torch.ones(3) + 0j], ids=["empty", "scalar", "complex"])
@pytest.mark.parametrize("transform", [cosine_transform, inverse_cosine_transform])
def test_what_has_no_transform_is_refused_in_a_sentence(transform: Callable, x: Tensor):
    with pytest.raises(ValueError, match=r"expected real numbers \(\.\.\., time\) with at least one frame"):
        transform(x)


def test_a_signal_of_no_frames_is_refused_by_the_method_too():
    with pytest.raises(ValueError, match="at least one frame"):
        dct_diff_stride(torch.zeros(2, 0), torch.tensor(2.0))


@pytest.mark.parametrize("count", [0, -1, 6])
def test_more_coefficients_than_there_are_or_none_are_refused(count: int):
    with pytest.raises(ValueError, match=f"from 1 to the 5 frames there are, got {count}"):
        cosine_transform(torch.ones(5), count)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@BOTH_SIDES
def test_cuda_gives_the_numbers_of_the_cpu(matrix_frames: int):
    for size in (1, 45, 313, 1009, 18_755):
        x = noise(3, size).requires_grad_()
        there = inverse_cosine_transform(cosine_transform(x.cuda(), (size + 1) // 2))
        here = inverse_cosine_transform(cosine_transform(x, (size + 1) // 2))
        torch.testing.assert_close(there.cpu(), here)
        torch.testing.assert_close(torch.autograd.grad(there.sum(), x)[0], torch.autograd.grad(here.sum(), x)[0])
