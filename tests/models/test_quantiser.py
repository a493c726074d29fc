"""The quantiser against a naive loop: nearest codes, running means, restarts, the straight-through gradient, and padding."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from adastride.models.quantiser import Quantiser


def quantiser(codes: int = 6, width: int = 3, **options: float) -> Quantiser:
    """One that has learned something, so that no code is about to be restarted."""
    torch.manual_seed(0)
    made = Quantiser(codes, width, **options)
    made.counts += 5.0
    made.sums += 5.0 * made.codebook
    return made


def noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def naive_nearest(codebook: Tensor, frame: Tensor) -> int:
    return min(range(len(codebook)), key=lambda code: float((codebook[code].double() - frame.double()).square().sum()))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(0, 1000))
def test_against_a_naive_loop(lengths: list[int], seed: int):
    """Look-up, commitment, counts, sums and codebook after a step of training, frame by frame; padding takes no part."""
    made, x = quantiser(decay=0.9), noise(len(lengths), 3, max(lengths), seed=seed)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    codebook, counts, sums = made.codebook.clone(), made.counts.clone(), made.sums.clone()
    x[~mask[:, None].expand_as(x)] = 1e6
    quantised = made.train()(x, mask)
    distances, seen, total = [], torch.zeros(6), torch.zeros(6, 3)
    for row, length in enumerate(lengths):
        for place in range(max(lengths)):
            if place >= length:
                assert quantised.indices[row, place] == -1
                assert not quantised.values[row, :, place].any()
                continue
            frame = x[row, :, place]
            code = naive_nearest(codebook, frame)
            assert quantised.indices[row, place] == code
            torch.testing.assert_close(quantised.values[row, :, place], codebook[code])
            distances.append((frame - codebook[code]).square().sum())
            seen[code] += 1
            total[code] += frame
    torch.testing.assert_close(quantised.commitment, torch.stack(distances).mean())
    for code in range(6):
        expected_count, expected_sum = 0.9 * counts[code] + 0.1 * seen[code], 0.9 * sums[code] + 0.1 * total[code]
        torch.testing.assert_close(made.counts[code], expected_count)
        torch.testing.assert_close(made.sums[code], expected_sum)
        torch.testing.assert_close(made.codebook[code], expected_sum / expected_count)


def test_the_gradient_goes_straight_through():
    x, weights = noise(2, 3, 5).requires_grad_(), noise(2, 3, 5, seed=2)
    quantised = quantiser().eval()(x)
    (through,) = torch.autograd.grad((quantised.values * weights).sum(), x, retain_graph=True)
    torch.testing.assert_close(through, weights)
    (pulled,) = torch.autograd.grad(quantised.commitment, x)
    torch.testing.assert_close(pulled, 2 * (x - quantised.values).detach() / 10)


def test_nothing_is_learned_in_evaluation():
    made = quantiser().eval()
    before = {name: tensor.clone() for name, tensor in made.state_dict().items()}
    made(noise(2, 3, 5))
    assert all(torch.equal(tensor, before[name]) for name, tensor in made.state_dict().items())


def test_every_code_begins_as_a_vector_of_the_data():
    torch.manual_seed(0)
    made, x = Quantiser(6, 3), noise(1, 3, 40)
    quantised = made.train()(x)
    frames = x[0].T
    assert quantised.indices.unique().tolist() == list(range(6))
    assert {tuple(frame.tolist()) for frame in quantised.values[0].T} <= {tuple(frame.tolist()) for frame in frames}


def test_a_code_that_nobody_uses_is_restarted_and_others_are_not():
    made, x = quantiser(restart_below=0.5), noise(1, 3, 12)
    made.codebook[4], made.counts[4], made.sums[4] = 1e3, 0.9, 0.9 * 1e3  # below half of the even 12 / 6
    others = made.codebook[[0, 1, 2, 3, 5]].clone()
    made._restart(x[0].T)
    torch.testing.assert_close(made.codebook[[0, 1, 2, 3, 5]], others, rtol=0, atol=0)
    assert tuple(made.codebook[4].tolist()) in {tuple(frame.tolist()) for frame in x[0].T}
    assert made.counts[4] == 2.0
    torch.testing.assert_close(made.sums[4], 2.0 * made.codebook[4])


def test_no_more_codes_are_restarted_than_there_are_vectors():
    torch.manual_seed(0)
    made, frames = Quantiser(6, 3), noise(2, 3)
    made._restart(frames)
    assert int((made.counts > 0).sum()) == 2
    assert {tuple(code.tolist()) for code in made.codebook[made.counts > 0]} == {tuple(frame.tolist()) for frame in frames}


def test_a_codebook_learns_clusters():
    """Four far points: after some steps each has a code on it."""
    torch.manual_seed(0)
    centres, made = 10 * noise(4, 3), Quantiser(8, 3, decay=0.8).train()
    for step in range(60):
        picked = centres[torch.arange(64) % 4] + 0.01 * noise(64, 3, seed=step)
        last = made(picked.T[None])
    assert float(last.commitment) < 1e-3


@pytest.mark.parametrize("time", [1, 2])
def test_a_batch_without_padding_needs_no_mask(time: int):
    made, x = quantiser().eval(), noise(2, 3, time)
    with_mask, without = made(x, torch.ones(2, time, dtype=torch.bool)), made(x)
    torch.testing.assert_close(with_mask.values, without.values)
    assert torch.equal(with_mask.indices, without.indices)
