"""The maths of the alignment: numbers of an independent implementation, and properties that hold for any input.

data/adastride_reference.npz holds inputs and float64 outputs of the AdaStride papers' own code.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from adastride.alignment import (
    Alignment,
    check_lengths,
    check_sigma,
    check_stride,
    length_mask,
    output_lengths,
    position_loss,
    unit_positions,
)
from adastride.downsampling import AdaStride, AdaStrideF

REFERENCE = np.load(Path(__file__).parents[1] / "data" / "adastride_reference.npz")
CASES = sorted({name.split("_")[0] for name in REFERENCE.files})
SIGMA = 5**-0.5
VARIANTS = pytest.mark.parametrize("nearest", [False, True], ids=["adastride", "adastride-f"])


def align(
    scores: Tensor, lengths: list[int] | None = None, stride: float = 2.0, sigma: float | Tensor = SIGMA, nearest: bool = False
) -> Alignment:
    """The alignment of scores (batch, time), float64 throughout."""
    counts = torch.tensor(lengths or [scores.shape[1]] * scores.shape[0])
    return Alignment(unit_positions(scores, counts), counts, output_lengths(counts, stride), sigma, nearest, torch.float64)


@st.composite
def alignments(draw: st.DrawFn) -> tuple[Alignment, Tensor]:
    """Any lengths, stride, sigma and unevenness, and a float64 signal (batch, 3, time) in [-1, 1] to pool."""
    lengths = draw(st.lists(st.integers(1, 200), min_size=1, max_size=3))
    stride, sigma = draw(st.floats(1, 12)), 10 ** draw(st.floats(-2, 2))
    scale = draw(st.sampled_from([0.0, 0.1, 1.0, 5.0, 30.0, 300.0]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    scores = torch.randn(len(lengths), max(lengths), generator=generator, dtype=torch.float64) * scale
    x = torch.rand(len(lengths), 3, max(lengths), generator=generator, dtype=torch.float64) * 2 - 1
    return align(scores, lengths, stride, sigma, draw(st.booleans())), x


def rounding(aligned: Alignment) -> float:
    """What float64 itself costs a weight: a distance of up to L carries an error of L eps, and the exponent its square / sigma^2."""
    return 8 * 2.2e-16 * (aligned.frames / float(aligned.sigma)) ** 2


def naive_pool(aligned: Alignment, x: Tensor) -> Tensor:
    """Equations 4 and 7 as two plain loops over output and input frames."""
    result = torch.zeros(x.shape[0], x.shape[1], aligned.frames, dtype=torch.float64)
    for b in range(x.shape[0]):
        positions = aligned.positions[b, : int(aligned.lengths[b])].tolist()
        for i in range(int(aligned.output_lengths[b])):
            distances = {j: abs(p - i) for j, p in enumerate(positions) if not aligned.nearest or round(p) == i}
            closest = min(distances.values(), default=0.0)
            weights = {j: math.exp(-(d - closest) * (d + closest) / float(aligned.sigma) ** 2) for j, d in distances.items()}
            for j, weight in weights.items():
                result[b, :, i] += weight / math.fsum(weights.values()) * x[b, :, j]
    return result


def exact_positions(scores: list[float], frames: int) -> np.ndarray:
    """Equation 3 in whole numbers of 2^-100, which sum without any error: (time,) float64 from 0 to frames - 1."""
    top = max(scores[1:])
    path = list(accumulate([0] + [int(math.ldexp(math.exp(score - top), 100)) for score in scores[1:]]))
    return np.array([step * (frames - 1) / path[-1] for step in path])


class Work(TorchDispatchMode):
    """Counts what every operation writes: `elements` in all, and the `largest` single tensor. The same on every run."""

    elements = largest = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor) and not function.is_view:
                self.elements += leaf.numel()
                self.largest = max(self.largest, leaf.numel())
        return result


# --- numbers of the papers' own code


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("case", CASES)
def test_adastride_gives_the_reference_numbers(case: str, dtype: torch.dtype):
    ours, theirs, x, weight = run_reference(case, AdaStride, dtype)
    (ours.values.square().sum()).backward()
    tolerance = 1e-8 if dtype == torch.float64 else 1e-4
    result_tolerance = 1e-3 if case == "case8" and dtype == torch.float32 else tolerance  # ill-conditioned, says the reference
    frames = ours.values.shape[2]
    close(ours.alignment.positions, theirs("positions64"), tolerance)
    close(ours.values, theirs("z64")[..., :frames], result_tolerance)
    close(ours.position_loss, theirs("position_loss64"), tolerance)
    close(x.grad, theirs("grad_x_z2_64"), result_tolerance, relative=True)
    close(weight.grad, theirs("grad_w_z2_64"), result_tolerance, relative=True)
    assert (ours.lengths.numpy() == theirs("z_lengths")).all()
    if f"{case}_alignment64" in REFERENCE:
        close(ours.alignment.dense(), theirs("alignment64")[:, :frames], result_tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("case", CASES)
def test_adastride_f_gives_the_reference_numbers(case: str, dtype: torch.dtype):
    ours, theirs, _, _ = run_reference(case, AdaStrideF, dtype)
    tolerance = 1e-8 if dtype == torch.float64 else 1e-3 if case == "case8" else 1e-4
    close(ours.values, theirs("f_z64")[..., : ours.values.shape[2]], tolerance)
    dense = ours.alignment.dense()
    for b, (length, frames) in enumerate(zip(theirs("lengths"), theirs("z_lengths"), strict=True)):
        expected = np.zeros((ours.values.shape[2], length))
        expected[theirs("f_index64")[b, :length], np.arange(length)] = theirs("f_weight64")[b, :length]
        close(dense[b, :, :length], expected, tolerance)
        assert int((dense[b, :frames].sum(dim=1) == 0).sum()) == theirs("f_empty_bins")[b]


def run_reference(case: str, kind: type[AdaStride], dtype: torch.dtype):
    def theirs(name: str) -> np.ndarray:
        return REFERENCE[f"{case}_{name}"]

    x = torch.from_numpy(theirs("x")).to(dtype).requires_grad_()
    layer = kind(x.shape[1], stride=float(theirs("stride")), sigma=float(theirs("sigma_inv2")) ** -0.5).to(dtype)
    with torch.no_grad():
        layer.score.weight.copy_(torch.from_numpy(theirs("score_weight")))
    return layer(x, torch.from_numpy(theirs("lengths"))), theirs, x, layer.score.weight


def close(ours: Tensor, theirs: np.ndarray | Tensor, tolerance: float, relative: bool = False) -> None:
    theirs = torch.as_tensor(theirs, dtype=torch.float64)
    scale = max(1.0, float(theirs.abs().max())) if relative else 1.0
    torch.testing.assert_close(ours.detach().to(torch.float64), theirs, rtol=tolerance, atol=tolerance * scale)


# --- pooling, upsampling, composing: fast equals plain


@given(alignments())
def test_pool_in_float32_is_the_dense_matrix_times_the_signal(drawn):
    aligned, x = drawn
    assert (aligned.pool(x.float()).double() - x @ aligned.dense().transpose(1, 2)).abs().max() < 1e-5


@given(alignments())
def test_pool_in_float64_is_the_dense_matrix_times_the_signal(drawn):
    aligned, x = drawn
    assert (aligned.pool(x) - x @ aligned.dense().transpose(1, 2)).abs().max() < 1e-10 + rounding(aligned)


@settings(max_examples=15)
@given(alignments())
def test_pool_is_the_formula_written_as_loops(drawn):
    aligned, x = drawn
    assert (aligned.pool(x) - naive_pool(aligned, x)).abs().max() < 1e-10 + rounding(aligned)


@given(alignments())
def test_rows_sum_to_one_or_are_empty(drawn):
    aligned, _ = drawn
    sums, inside = aligned.dense().sum(dim=2), length_mask(aligned.output_lengths, aligned.frames)
    assert (sums[~inside] == 0).all()
    kept = sums[inside]
    assert ((kept - 1).abs() < 1e-12).logical_or((kept == 0) & aligned.nearest).all()


@given(alignments())
def test_upsample_is_the_softmax_over_output_frames(drawn):
    aligned, _ = drawn
    y = torch.rand(len(aligned.lengths), 3, aligned.frames, dtype=torch.float64) * 2 - 1
    distance = aligned.positions[:, :, None] - torch.arange(aligned.frames, dtype=torch.float64)
    keep = length_mask(aligned.output_lengths, aligned.frames)[:, None, :].expand_as(distance)
    if aligned.nearest:
        keep = keep & (aligned.positions.round()[:, :, None] == torch.arange(aligned.frames))
    weights = torch.softmax((-distance.square() / aligned.sigma**2).masked_fill(~keep, -math.inf), dim=2)
    weights = weights * length_mask(aligned.lengths, distance.shape[1])[:, :, None]
    plain = y @ weights.transpose(1, 2)
    assert (aligned.upsample(y) - plain).abs().max() < 1e-10 + rounding(aligned)
    assert (aligned.upsample(y.float()) - plain).abs().max() < 1e-5


@given(alignments(), st.integers(1, 5))
def test_compose_is_the_matrix_product(drawn, count: int):
    aligned, _ = drawn
    rows = torch.rand(len(aligned.lengths), count, aligned.frames, dtype=torch.float64)
    assert (aligned.compose(rows) - rows @ aligned.dense()).abs().max() < (1e-10 + rounding(aligned)) * aligned.frames


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_compose_takes_half_precision(dtype: torch.dtype):
    aligned = align(torch.randn(1, 9))
    rows = torch.eye(aligned.frames, dtype=dtype)[None]
    assert (aligned.compose(rows).double() - aligned.dense()).abs().max() < 1e-2


@given(alignments(), st.data())
def test_window_is_a_part_of_the_dense_matrix(drawn, data):
    aligned, _ = drawn
    example = data.draw(st.integers(0, len(aligned.lengths) - 1))
    length = int(aligned.lengths[example])
    start = data.draw(st.integers(0, length - 1))
    stop = data.draw(st.integers(start + 1, length))
    first, rows = aligned.window(start, stop, example)
    last = first + rows.shape[0]
    assert (rows - aligned.dense()[example, first:last, start:stop]).abs().max() < 1e-10 + rounding(aligned)
    edges = aligned.boundaries()[example]
    assert 0 <= first < last <= int(aligned.output_lengths[example])
    assert edges[first] <= start < edges[first + 1], "the first row is the one that stands for the first frame"
    assert edges[last - 1] < stop <= edges[last], "the last row is the one that stands for the last frame"


@given(alignments())
def test_entropy_is_that_of_the_rows(drawn):
    aligned, _ = drawn
    plain = torch.special.entr(aligned.dense()).sum(dim=2)
    assert (aligned.entropy() - plain).abs().max() < 1e-6 + 100 * rounding(aligned)


@pytest.mark.parametrize(("seed", "batch", "time"), [(39, 8, 149), (0, 6, 300)])
def test_nearest_windows_of_a_batch_are_exact(seed: int, batch: int, time: int):
    """Whole numbers are compared, so an example's place in the batch must not round them (it did, in the first case)."""
    generator = torch.Generator().manual_seed(seed)
    lengths = [time, *torch.randint(1, time, (batch,), generator=generator).tolist()[1:]]
    for scale in (0.0, 0.1, 1.0):
        scores = scale * torch.randn(batch, time, generator=generator, dtype=torch.float64)
        aligned = align(scores, lengths, 2.85, 10.0, nearest=True)
        torch.testing.assert_close(aligned.entropy(), torch.special.entr(aligned.dense()).sum(dim=2), atol=1e-9, rtol=0)


@pytest.mark.parametrize("wrong", [(2, 3, 9), (1, 3, 8), (3, 9)])
def test_pool_refuses_another_shape(wrong: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"expected \(1, channels, 9 time\)"):
        align(torch.zeros(1, 9)).pool(torch.zeros(wrong))


# --- positions, boundaries, strides, position loss


@given(alignments())
def test_positions_start_at_zero_never_fall_and_end_at_the_last_output_frame(drawn):
    aligned, _ = drawn
    assert (aligned.positions[:, 0] == 0).all()
    assert (aligned.positions.diff(dim=1) >= 0).all()
    last = aligned.output_lengths - 1
    assert (aligned.positions.gather(1, aligned.lengths[:, None] - 1)[:, 0] == last).all()
    assert (aligned.positions[:, -1] == last).all(), "the last position repeats"


@given(alignments())
def test_strides_are_positive_and_sum_to_the_input_length(drawn):
    aligned, _ = drawn
    strides, inside = aligned.strides(), length_mask(aligned.output_lengths, aligned.frames)
    assert strides.shape == inside.shape
    assert (strides[inside] > 0).all()
    assert (strides[~inside] == 0).all()
    torch.testing.assert_close(strides.sum(dim=1), aligned.lengths.double(), rtol=0, atol=1e-9)


@given(alignments())
def test_positions_pass_i_plus_a_half_at_the_boundaries(drawn):
    aligned, _ = drawn
    for b, edges in enumerate(aligned.boundaries().numpy()):
        length, frames = int(aligned.lengths[b]), int(aligned.output_lengths[b])
        centres = np.arange(length) + 0.5
        passed = np.interp(edges[1:frames], centres, aligned.positions[b, :length].numpy())
        # Where positions jump, a boundary rounded to 1e-14 of a frame is off by that much of the jump.
        np.testing.assert_allclose(passed, np.arange(frames - 1) + 0.5, atol=1e-9)


@given(st.integers(2, 300), st.floats(1, 12))
def test_uniform_positions_have_uniform_strides(time: int, stride: float):
    strides = align(torch.zeros(1, time), stride=stride).strides()[0]
    if len(strides) > 2:
        torch.testing.assert_close(strides[1:-1], torch.full_like(strides[1:-1], (time - 1) / (len(strides) - 1)))


@given(alignments())
def test_position_loss_is_the_mean_of_the_examples_losses(drawn):
    aligned, _ = drawn
    each = []
    for positions, length in zip(aligned.positions.tolist(), aligned.lengths.tolist(), strict=True):
        each.append(math.fsum(max(b - a - 1, 0.0) for a, b in pairwise(positions[:length])) / max(length - 1, 1))
    assert float(position_loss(aligned.positions, aligned.lengths)) == pytest.approx(sum(each) / len(each), abs=1e-12)


@pytest.mark.parametrize("spread", [0.0, 0.5, 2.0, 5.0])
def test_positions_stay_exact_over_an_hour_of_sound(spread: float):
    scores = torch.randn(1, 150_000, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * spread
    aligned = align(scores)
    expected = exact_positions(scores[0].tolist(), aligned.frames)
    assert np.abs(aligned.positions[0].numpy() - expected).max() < 1e-6


@pytest.mark.parametrize("spread", [0.1, 0.5, 1.0])
def test_a_float32_layer_keeps_positions_to_1e_4_over_an_hour_of_sound(spread: float):
    """What counts is the layer's float32 input and weight as they are: nothing on the way may round them further."""
    torch.manual_seed(0)
    layer, x = AdaStride(8), torch.randn(1, 8, 150_000)
    torch.nn.init.normal_(layer.score.weight, std=spread)
    scores = layer.score.weight[0, :, 0].detach().double().numpy() @ x[0].double().numpy()
    aligned = layer.align(x, torch.tensor([x.shape[2]]))
    expected = exact_positions(scores.tolist(), aligned.frames)
    assert np.abs(aligned.positions[0].detach().numpy() - expected).max() < 1e-4


# --- padding


@settings(max_examples=25)
@given(st.integers(1, 80), st.integers(1, 80), st.floats(1, 6), st.floats(-2, 2), st.booleans(), st.integers(0, 2**31))
def test_padding_never_changes_a_result(length: int, other: int, stride: float, log_sigma: float, nearest: bool, seed: int):
    """An example alone and the same one padded with rubbish next to a longer one: values, positions, loss, gradients."""
    torch.manual_seed(seed)
    layer = (AdaStrideF if nearest else AdaStride)(4, stride, sigma=10**log_sigma).double()
    torch.nn.init.normal_(layer.score.weight, std=0.5)
    alone = torch.randn(1, 4, length, dtype=torch.float64, requires_grad=True)
    batch = torch.full((2, 4, length + other), 1e3, dtype=torch.float64)
    batch[0, :, :length], batch[1] = alone.detach()[0], torch.randn(4, length + other)
    batch.requires_grad_()
    one, both = layer(alone), layer(batch, torch.tensor([length, length + other]))
    frames = one.values.shape[2]
    tolerance = {"rtol": 1e-9, "atol": 1e-9 + rounding(one.alignment)}
    torch.testing.assert_close(both.values[0, :, :frames], one.values[0], **tolerance)
    assert (both.values[0, :, frames:] == 0).all()
    torch.testing.assert_close(both.alignment.positions[0, :length], one.alignment.positions[0], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(both.alignment.strides()[0, :frames], one.alignment.strides()[0])
    (one.values.square().sum() + position_loss(one.alignment.positions, one.alignment.lengths)).backward()
    (both.values[:1].square().sum() + position_loss(both.alignment.positions[:1], both.alignment.lengths[:1])).backward()
    gradient_tolerance = {"rtol": 1e-8, "atol": 1e-8 + 1e3 * rounding(one.alignment)}
    torch.testing.assert_close(batch.grad[0, :, :length], alone.grad[0], **gradient_tolerance)
    assert (batch.grad[0, :, length:] == 0).all()
    assert (batch.grad[1] == 0).all()


# --- inputs at the edge


EDGES = {
    "one frame": ([0.3], 2.0),
    "one frame, stride 1": ([-400.0], 1.0),
    "two frames": ([5.0, -5.0], 2.0),
    "two frames, stride 1": ([0.0, 0.0], 1.0),
    "one output frame": ([0.1, 0.2, 0.3], 3.0),
    "stride larger than T": ([0.0, 1.0, 2.0, 3.0], 50.0),
    "all frames equal": ([0.7] * 30, 2.0),
    "a gap larger than 1": ([0.0] * 10 + [4.0] + [0.0] * 30, 2.0),
    "a gap of nearly everything": ([0.0] * 20 + [40.0] + [0.0] * 20, 2.0),
    "one score of 89": ([0.0] * 20 + [89.0] + [0.0] * 20, 2.0),
    "one score of 89, first": ([89.0] + [0.0] * 20, 2.0),
    "all at -110": ([-110.0] * 40, 2.5),
    "one at 89, all others at -110": ([-110.0] * 20 + [89.0] + [-110.0] * 20, 2.0),
    "all in the 1000s": ([1000.0 + t % 3 for t in range(40)], 2.0),
    "from -5000 to 5000": ([(-1) ** t * 5000.0 for t in range(40)], 2.0),
    "from -1e30 to 1e30": ([(-1) ** t * 1e30 for t in range(9)], 2.0),
}


@VARIANTS
@pytest.mark.parametrize("sigma", [0.01, SIGMA, 100.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("edge", EDGES)
def test_edges_are_finite_and_right(edge: str, dtype: torch.dtype, sigma: float, nearest: bool):
    scores, stride = EDGES[edge]
    layer = (AdaStrideF if nearest else AdaStride)(2, stride, sigma).to(dtype)
    with torch.no_grad():
        layer.score.weight[0, :, 0] = torch.tensor([1.0, 0.0])
    x = torch.stack([torch.tensor(scores, dtype=dtype), torch.linspace(-1, 1, len(scores), dtype=dtype)])[None].requires_grad_()
    down = layer(x)
    values = naive_pool(down.alignment, x.detach().double())
    size = max(1.0, *map(abs, scores))  # the scores are a channel of the signal too
    close(down.values[:, 0] / size, values[:, 0] / size, 1e-5)
    close(down.values[:, 1], values[:, 1], 1e-5)
    frames = math.ceil(len(scores) / stride)
    if len(scores) > 1:
        np.testing.assert_allclose(down.alignment.positions[0].detach().numpy(), exact_positions(scores, frames), atol=1e-9)
    (down.values[:, 1].square().sum() + down.position_loss).backward()
    assert down.position_loss.isfinite()
    assert x.grad.isfinite().all()
    assert layer.score.weight.grad.isfinite().all()


@VARIANTS
@pytest.mark.parametrize("sigma", [0.01, SIGMA, 100.0])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("whole", [False, True], ids=["input in half", "layer in half"])
def test_half_precision_is_right_to_half_precision(dtype: torch.dtype, sigma: float, nearest: bool, whole: bool):
    torch.manual_seed(0)
    layer = (AdaStrideF if nearest else AdaStride)(4, 2.5, sigma)
    torch.nn.init.normal_(layer.score.weight, std=0.5)
    layer.score.weight.data = layer.score.weight.data.to(dtype).float()
    x, lengths = torch.randn(2, 4, 60).to(dtype), torch.tensor([60, 23])
    exact = layer.double()(x.double(), lengths)
    layer.to(dtype if whole else torch.float32)
    x.requires_grad_()
    down = layer(x, lengths)
    assert down.values.dtype == dtype
    # The exact result comes from the same rounded input, so only the last rounding and float32 sums are left.
    tolerance = torch.finfo(dtype).eps * float(exact.values.detach().abs().max())
    if sigma == 0.01:
        tolerance += 1e-3  # a row that two frames compete for amplifies the float32 scores' rounding
    assert (down.values.double() - exact.values).abs().max() < tolerance
    assert (down.alignment.positions - exact.alignment.positions).abs().max() < 1e-4
    (down.values.float().square().sum() + down.position_loss.float()).backward()
    assert x.grad.isfinite().all()
    assert layer.score.weight.grad.isfinite().all()


@pytest.mark.parametrize("sigma", [1e-200, 1e-20, 1e20, 1e200])
def test_a_sigma_is_either_refused_or_works(sigma: float):
    try:
        check_sigma(sigma)
    except ValueError:
        return
    assert align(torch.randn(1, 20), sigma=sigma).pool(torch.randn(1, 2, 20)).isfinite().all()


@pytest.mark.parametrize("sigma", [0, -1, math.nan, math.inf, -math.inf, "abc"])
def test_bad_sigma(sigma):
    with pytest.raises(ValueError, match=r"sigma|abc"):
        check_sigma(sigma)


@pytest.mark.parametrize("stride", [0.99, 0, -2, math.nan, math.inf, "abc"])
def test_bad_stride(stride):
    with pytest.raises(ValueError, match=r"stride|abc"):
        check_stride(stride)


@pytest.mark.parametrize("lengths", [[0], [6], [-1], [1, 2], [2.0], [[3]]])
def test_bad_lengths(lengths):
    with pytest.raises(ValueError, match="lengths"):
        check_lengths(torch.tensor(lengths), torch.zeros(1, 2, 5))


@pytest.mark.parametrize("shape", [(2, 5), (1, 2, 0), (1, 1, 2, 5)])
def test_bad_shapes(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match="expected"):
        check_lengths(None, torch.zeros(shape))


@given(st.integers(1, 10**6), st.floats(1, 50))
def test_output_length_is_the_ceiling(length: int, stride: float):
    assert output_lengths(torch.tensor([length]), stride).tolist() == [math.ceil(length / stride)]


# --- linear in time


def pool_and_back(time: int, sigma: float, nearest: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(1, time, generator=generator, requires_grad=True)
    x = torch.randn(1, 8, time, generator=generator, requires_grad=True)
    align(scores, sigma=sigma, nearest=nearest).pool(x).square().sum().backward()


@settings(max_examples=20)
@given(alignments())
def test_products_can_be_repeated_in_any_order(drawn):
    """An alignment keeps what it has worked out, apart for each type and direction, and nobody may change it."""
    aligned, x = drawn
    fresh = replace(aligned)
    values, single = aligned.pool(x), aligned.pool(x.float())
    aligned.entropy(), aligned.upsample(values), aligned.compose(values), aligned.compose(single)
    x.requires_grad_()
    aligned.pool(x).square().sum().backward()
    assert torch.equal(aligned.pool(x), values)
    assert torch.equal(aligned.pool(x.float()), single)
    assert torch.equal(fresh.pool(x.float()), single)


@VARIANTS
@pytest.mark.parametrize("sigma", [0.01, SIGMA, 20.0])
def test_work_grows_with_the_input_and_memory_stays_small(sigma: float, nearest: bool):
    work = {}
    for length in (20_000, 80_000):
        with Work() as work[length]:
            pool_and_back(length, sigma, nearest)
    # 4 times, and weights short enough to be kept for the backward pass count once there; a whole matrix would be 16 times.
    assert work[80_000].elements < 8 * work[20_000].elements
    assert work[80_000].largest < 4_000_000, "the whole matrix would have 3 200 000 000"


def test_time_grows_with_the_input():
    def fastest(length: int) -> float:
        times = []
        for _ in range(3):
            began = time.perf_counter()
            pool_and_back(length, SIGMA, False)
            times.append(time.perf_counter() - began)
        return min(times)

    pool_and_back(1000, SIGMA, False)
    assert fastest(160_000) < 10 * fastest(40_000)


def test_the_layer_is_of_the_speed_of_average_pooling():
    """The benchmark holds it to 2 times; 5 leaves room for a busy machine and still sees a slow path (subnormal weights cost 14)."""
    layer, x = AdaStride(256), torch.randn(1, 256, 4096)
    runs = {"adastride": lambda: layer(x), "average": lambda: torch.nn.functional.avg_pool1d(x, 2)}
    fastest = dict.fromkeys(runs, math.inf)
    with torch.inference_mode():
        for _ in range(8):
            for name, run in runs.items():
                began = time.perf_counter()
                run()
                fastest[name] = min(fastest[name], time.perf_counter() - began)
    assert fastest["adastride"] < 5 * fastest["average"]


def test_an_hour_of_sound_pools_in_bounded_memory():
    with Work() as work:
        pool_and_back(150_000, SIGMA, False)
    assert work.largest <= 8 * 150_000


def test_a_window_of_an_hour_of_sound_does_not_build_the_rest():
    aligned = align(torch.randn(1, 150_000, generator=torch.Generator().manual_seed(0)))
    with Work() as work:
        _, rows = aligned.window(70_000, 70_600)
    assert rows.shape[1] == 600
    assert work.largest < 10 * 150_000


@VARIANTS
@pytest.mark.parametrize("sigma", [0.01, SIGMA, 100.0])
def test_frames_bunched_at_two_ends_finish(sigma: float, nearest: bool):
    """Nearly all output frames lie inside one gap: the worst case for windows of sorted positions."""
    length = 12_000
    scores = torch.randn(1, length, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 30
    scores[0, length // 3] = 30.0
    aligned = align(scores, sigma=sigma, nearest=nearest)
    x = torch.linspace(-1, 1, length, dtype=torch.float64).expand(1, 2, -1)
    with Work() as work:
        values = aligned.pool(x)
    assert work.largest < 4_000_000
    rows = [0, 1, 2, aligned.frames // 3, aligned.frames // 2, aligned.frames - 1]
    for row in rows:
        positions = aligned.positions[0].numpy()
        keep = positions.round() == row if nearest else np.full(length, True)
        distance = np.abs(positions - row)[keep]
        weights = np.exp(-(distance - distance.min(initial=math.inf)) * (distance + distance.min(initial=math.inf)) / sigma**2)
        expected = float((weights * x[0, 0].numpy()[keep]).sum() / weights.sum()) if keep.any() else 0.0
        assert float(values[0, 0, row]) == pytest.approx(expected, abs=1e-8)


# --- gradients


SCORES = [[0.3, -1.2, 0.8, 0.1, 2.0, -0.4, 0.9, 1.1], [0.5, 0.2, -0.3, 1.4, -0.6, 0.0, 0.0, 0.0]]


@VARIANTS
@pytest.mark.parametrize("sigma", [0.3, 1.0, 5.0])
def test_gradients_of_pool(sigma: float, nearest: bool):
    torch.manual_seed(0)
    x = torch.randn(2, 2, 8, dtype=torch.float64, requires_grad=True)
    scores = torch.tensor(SCORES, dtype=torch.float64, requires_grad=True)
    width = torch.tensor(sigma, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, s, w: align(s, [8, 5], 2.0, w, nearest).pool(x), (x, scores, width))


@VARIANTS
def test_gradients_of_upsample(nearest: bool):
    torch.manual_seed(0)
    y = torch.randn(2, 2, 4, dtype=torch.float64, requires_grad=True)
    scores = torch.tensor(SCORES, dtype=torch.float64, requires_grad=True)
    width = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda y, s, w: align(s, [8, 5], 2.0, w, nearest).upsample(y), (y, scores, width))


def test_gradients_of_position_loss():
    scores = torch.tensor(SCORES, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda s: position_loss(align(s, [8, 5], 1.0).positions, torch.tensor([8, 5])), (scores,))


@pytest.mark.parametrize("kind", [AdaStride, AdaStrideF])
def test_gradients_of_the_layers(kind: type[AdaStride]):
    torch.manual_seed(0)
    layer = kind(3, stride=1.7).double()
    x = torch.randn(2, 3, 9, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(1, 3, 1, dtype=torch.float64, requires_grad=True)

    def run(x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        down = torch.func.functional_call(layer, {"score.weight": weight}, (x, torch.tensor([9, 6])))
        return down.values, down.position_loss

    assert torch.autograd.gradcheck(run, (x, weight))


@settings(max_examples=20)
@given(alignments())
def test_gradients_are_those_of_the_dense_matrix(drawn):
    """Long rows, several blocks, wide windows: autograd through the plain softmax gives the same gradients."""
    aligned, x = drawn
    weights = torch.randn(x.shape[0], x.shape[1], aligned.frames, dtype=torch.float64)

    def gradients(pool: Callable[[Alignment, Tensor], Tensor]) -> tuple[Tensor, ...]:
        leaves = x, aligned.unit_positions, torch.tensor(float(aligned.sigma), dtype=torch.float64)
        values, unit, sigma = (leaf.clone().requires_grad_() for leaf in leaves)
        pooled = pool(replace(aligned, unit_positions=unit, sigma=sigma), values)
        return torch.autograd.grad((pooled * weights).sum(), (values, unit, sigma))

    fast, plain = gradients(Alignment.pool), gradients(lambda a, values: values @ a.dense().transpose(1, 2))
    # The plain gradient to sigma is a difference of terms d^2 / sigma^3 and loses what those lose.
    lost = 1e-15 * aligned.frames**2 * max(1.0, float(weights.abs().max())) * x.shape[1] / float(aligned.sigma) ** 3
    for ours, theirs, extra in zip(fast, plain, (0.0, 0.0, lost), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=(1e-10 + rounding(aligned)) * max(1.0, float(theirs.abs().max())) + extra)


@pytest.mark.parametrize("before", [3.0, 5.6, 6.3, 9.0])
def test_a_row_far_from_all_frames_is_exact(before: float):
    """Few frames on one side of a gap, many on the other: their exponents are so small that where they are cut off would count."""
    rows, gap = 40, 14.0
    left = (rows - 1) / 2 - before
    positions = torch.cat([torch.zeros(1), torch.full((40,), left), torch.full((400,), left + gap), torch.full((1,), rows - 1.0)]).double()
    aligned = Alignment(positions[None] / (rows - 1), torch.tensor([442]), torch.tensor([rows]), 1.0, False, torch.float64)
    x = torch.rand(1, 2, 442, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    softmax = torch.softmax(-((torch.arange(rows)[:, None] - positions) ** 2), 1)
    torch.testing.assert_close(aligned.pool(x), x @ softmax.T, rtol=0, atol=1e-13)


def test_a_learnable_sigma_gets_a_gradient():
    sigma = torch.nn.Parameter(torch.tensor(0.8))
    aligned = align(torch.randn(1, 30, generator=torch.Generator().manual_seed(0)), sigma=sigma)
    aligned.pool(torch.linspace(-1, 1, 30).expand(1, 2, -1)).square().sum().backward()
    assert sigma.grad.isfinite()
    assert sigma.grad != 0


# --- accelerators


def every_product(scores: Tensor, x: Tensor, lengths: Tensor, sigma: float, nearest: bool) -> list[Tensor]:
    """Pooling, its gradients, upsampling and composition of one alignment, on the CPU."""
    leaf, values = scores.clone().requires_grad_(), x.clone().requires_grad_()
    aligned = Alignment(unit_positions(leaf, lengths), lengths, output_lengths(lengths, 2.5), sigma, nearest)
    pooled = aligned.pool(values)
    pooled.square().sum().backward()
    rows = aligned.compose(pooled.detach())
    return [t.cpu() for t in (pooled.detach(), aligned.upsample(pooled).detach(), rows, values.grad, leaf.grad)]


def agree(ours: list[Tensor], theirs: list[Tensor]) -> None:
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4 * max(1.0, float(other.abs().max())))


PRODUCTS = [
    VARIANTS, pytest.mark.parametrize("sigma", [0.01, SIGMA, 100.0]), pytest.mark.parametrize("lengths", [[700], [700, 301, 1]], ids=str),
    pytest.mark.parametrize("channels", [1, 5]),
]


def products(test: Callable) -> Callable:
    """The cases in which both ways of multiplying windows are compared."""
    for mark in PRODUCTS:
        test = mark(test)
    return test


@products
def test_gathered_windows_give_the_numbers_of_sliced_ones(monkeypatch, lengths: list[int], channels: int, sigma: float, nearest: bool):
    """What an accelerator computes in batches, computed in batches on the CPU."""
    torch.manual_seed(0)
    scores, x, counts = torch.randn(len(lengths), 700), torch.rand(len(lengths), channels, 700) * 2 - 1, torch.tensor(lengths)
    sliced = every_product(scores, x, counts, sigma, nearest)
    monkeypatch.setattr("adastride.alignment.product._sliced", lambda values: False)
    for module in ("adastride.alignment.positions", "adastride.alignment.product"):
        monkeypatch.setattr(f"{module}.array", Tensor.detach)
    agree(every_product(scores, x, counts, sigma, nearest), sliced)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@products
def test_cuda_gives_the_numbers_of_the_cpu(lengths: list[int], channels: int, sigma: float, nearest: bool):
    torch.manual_seed(0)
    scores, x, counts = torch.randn(len(lengths), 700), torch.rand(len(lengths), channels, 700) * 2 - 1, torch.tensor(lengths)
    agree(every_product(scores.cuda(), x.cuda(), counts.cuda(), sigma, nearest), every_product(scores, x, counts, sigma, nearest))
