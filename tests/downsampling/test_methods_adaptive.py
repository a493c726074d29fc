"""Integrate-and-fire and merging against plain loops that follow their definitions step by step."""

from __future__ import annotations

import math
import time
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from adastride.downsampling import METHODS, build
from adastride.downsampling.cif import integrate_and_fire
from adastride.downsampling.merging import merge_sizes

CHANNELS = 3


def signal(*lengths: int, seed: int = 0) -> Tensor:
    return torch.randn(len(lengths), CHANNELS, max(lengths), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# --- integrate and fire


def fire(x: Tensor, weights: list[float], count: int) -> Tensor:
    """The paper's loop for one example: x (channels, T), the weights scaled to add up to `count`. The last frame fires at the end."""
    total, outputs, sum_so_far, frame = sum(weights), [], 0.0, torch.zeros(x.shape[0], dtype=torch.float64)
    for j, weight in enumerate(weights):
        left = weight / total * count
        while sum_so_far + left >= 1 and len(outputs) < count - 1:
            used = 1 - sum_so_far
            outputs.append(frame + used * x[:, j])
            frame, sum_so_far, left = torch.zeros_like(frame), 0.0, left - used
        frame, sum_so_far = frame + left * x[:, j], sum_so_far + left
    return torch.stack([*outputs, frame], dim=1)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=3), st.floats(1, 9), st.integers(0, 10**6), st.sampled_from([0.0, 0.3, 2.0, 8.0]))
def test_firing_is_the_loop_of_the_paper(lengths: list[int], stride: float, seed: int, spread: float):
    """Weights from uniform to a few frames having it all, some of which then span several outputs."""
    generator = torch.Generator().manual_seed(seed)
    logarithms = torch.randn(len(lengths), max(lengths), generator=generator, dtype=torch.float64) * spread
    x, sizes = signal(*lengths, seed=seed), torch.tensor(lengths)
    counts = torch.ceil(sizes / stride).long()
    ours = integrate_and_fire(logarithms, sizes, counts, torch.float64).pool(x)
    for example, (length, count) in enumerate(zip(lengths, counts.tolist(), strict=True)):
        expected = fire(x[example, :, :length], logarithms[example, :length].exp().tolist(), count)
        torch.testing.assert_close(ours[example, :, :count], expected, rtol=1e-7, atol=1e-7)
        assert (ours[example, :, count:] == 0).all()


def test_at_the_start_integrate_and_fire_is_average_pooling():
    """Uniform weights over T frames span T / L of them each; where that is the stride, its windows are average pooling's."""
    x = signal(40)
    torch.testing.assert_close(build("cif", CHANNELS, 2.5).double()(x).values, build("avg-pool", CHANNELS, 2.5)(x).values)


@pytest.mark.parametrize("logarithm", [0.0, 1e4, -1e4])
def test_no_weight_overflows_or_vanishes(logarithm: float):
    alignment = integrate_and_fire(torch.full((1, 12), logarithm), torch.tensor([12]), torch.tensor([4]))
    torch.testing.assert_close(alignment.dense().sum(dim=2), torch.ones(1, 4))
    extreme = torch.tensor([[0.0, -1e4, 1e4, -1e4, 0.0]], dtype=torch.float64, requires_grad=True)
    alignment = integrate_and_fire(extreme, torch.tensor([5]), torch.tensor([3]), torch.float64)
    dense = alignment.dense()
    torch.testing.assert_close(dense[0, :, 2], torch.ones(3, dtype=torch.float64))
    dense.square().sum().backward()
    assert extreme.grad.isfinite().all()
    assert alignment.upsample(alignment.pool(signal(5))).isfinite().all()


def test_slopes_where_cuts_coincide_are_those_of_one_side():
    """Uniform weights at stride 2 end every second frame on a whole number, as at the start of training."""
    x = torch.arange(8, dtype=torch.float64)[None, None]

    def slopes(logarithms: Tensor) -> Tensor:
        return torch.autograd.functional.jacobian(
            lambda z: integrate_and_fire(z, torch.tensor([8]), torch.tensor([4]), torch.float64).pool(x), logarithms)

    uniform = torch.zeros(1, 8, dtype=torch.float64)
    nearby = uniform + 1e-9 * torch.arange(8)  # frames end just before the whole numbers
    torch.testing.assert_close(slopes(uniform), slopes(nearby), rtol=1e-6, atol=1e-6)


def test_boundaries_are_where_frames_fire():
    weights = torch.tensor([1.0, 1.0, 2.0, 4.0]).log()
    alignment = integrate_and_fire(weights[None], torch.tensor([4]), torch.tensor([2]))
    torch.testing.assert_close(alignment.boundaries(), torch.tensor([[0.0, 3.0, 4.0]], dtype=torch.float64))
    torch.testing.assert_close(alignment.positions, torch.tensor([[0.0, 0.0, 0.25, 1.0]], dtype=torch.float64))
    alignment = integrate_and_fire(torch.zeros(1, 5), torch.tensor([5]), torch.tensor([2]))
    torch.testing.assert_close(alignment.boundaries(), torch.tensor([[0.0, 2.5, 5.0]], dtype=torch.float64))


# --- merging


def merge_plainly(frames: np.ndarray, count: int) -> list[int]:
    """Looks at all neighbours, merges the most similar two into their mean, and starts over."""
    groups = [(frame, 1) for frame in frames]
    while len(groups) > count:
        best = None
        for index, ((a, m), (b, n)) in enumerate(pairwise(groups)):
            scale = np.linalg.norm(a) * np.linalg.norm(b)
            similarity = a @ b / scale if scale > 0 else float(np.linalg.norm(a) == np.linalg.norm(b))
            key = (-round(float(similarity), 9), m + n, index)
            best = min(best, (key, index)) if best else (key, index)
        (a, m), (b, n) = groups[best[1]], groups[best[1] + 1]
        groups[best[1] : best[1] + 2] = [((m * a + n * b) / (m + n), m + n)]
    return [size for _, size in groups]


@settings(max_examples=80)
@given(st.integers(1, 60), st.integers(1, 4), st.floats(1, 9), st.integers(0, 10**6))
def test_merging_is_the_plain_search(length: int, channels: int, stride: float, seed: int):
    generator = np.random.default_rng(seed)
    frames = generator.standard_normal((length, channels)).cumsum(axis=0)
    frames[generator.random(length) < 0.1] = 0.0
    count = math.ceil(length / stride)
    sizes = merge_sizes(frames, count)
    assert sizes.tolist() == merge_plainly(frames, count)
    assert sizes.sum() == length


def test_a_constant_signal_is_merged_evenly():
    assert merge_sizes(np.ones((12, 3)), 6).tolist() == [2] * 6
    assert merge_sizes(np.zeros((12, 3)), 3).tolist() == [4] * 3
    assert merge_sizes(np.ones((313, 2)) * 0.1, 157).tolist() == [2] * 156 + [1]


def test_what_is_alike_is_merged_and_what_differs_is_kept():
    x = torch.tensor([[[1.0, 1.0, 1.0, 1.0, 0.0, -1.0], [0.0, 0.0, 0.0, 0.0, 1.0, 0.0]]])
    down = build("a-tome", 2, 2.0)(x)
    torch.testing.assert_close(down.values, torch.tensor([[[1.0, 0.0, -1.0], [0.0, 1.0, 0.0]]]))
    assert down.alignment.boundaries().tolist() == [[0.0, 4.0, 5.0, 6.0]]
    torch.testing.assert_close(down.alignment.upsample(down.values), x)


def test_means_count_every_frame_once():
    x = signal(37)
    down = build("a-tome", CHANNELS, 3.3)(x)
    sizes = down.alignment.strides()
    torch.testing.assert_close((down.values * sizes[:, None]).sum(dim=2), x.sum(dim=2))


@pytest.mark.parametrize("key", METHODS)
@pytest.mark.parametrize("nonsense", [math.nan, math.inf, -math.inf])
def test_nonsense_gives_nonsense_but_ends(key: str, nonsense: float):
    x = signal(20)
    x[0, :, 7] = nonsense
    down = build(key, CHANNELS, 2.0).double()(x)
    assert down.values.shape[2] == int(down.lengths)
    down.alignment.dense()


def test_merging_ten_minutes_of_frames_is_no_hang():
    frames = np.random.default_rng(0).standard_normal((60_000, 80))
    began = time.perf_counter()
    sizes = merge_sizes(frames, 30_000)
    assert len(sizes) == 30_000
    assert time.perf_counter() - began < 15  # about 0.5 s where nothing else runs


@pytest.mark.parametrize("key", ["cif", "a-tome"])
@settings(max_examples=20)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=3), st.floats(1, 6))
def test_pool_and_upsample_are_products_with_the_dense_matrix(key: str, lengths: list[int], stride: float):
    layer, x, sizes = build(key, CHANNELS, stride).double(), signal(*lengths), torch.tensor(lengths)
    if key == "cif":
        torch.nn.init.normal_(layer.score.weight)
    aligned = layer(x, sizes).alignment
    dense = aligned.dense()
    torch.testing.assert_close(aligned.pool(x), x @ dense.transpose(1, 2))
    y = signal(*aligned.output_lengths.tolist(), seed=1)
    back = dense / dense.sum(dim=1, keepdim=True).clamp(min=1e-300)
    torch.testing.assert_close(aligned.upsample(y), y @ back, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("key", ["cif", "a-tome"])
def test_other_shapes_are_refused(key: str):
    aligned = build(key, CHANNELS, 2.0).double()(signal(10)).alignment
    with pytest.raises(ValueError, match="10 time"):
        aligned.pool(signal(9))
    with pytest.raises(ValueError, match="5 output frames"):
        aligned.upsample(signal(9))
