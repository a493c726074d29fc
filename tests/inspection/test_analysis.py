"""Numbers that compare downsamplers: against closed forms, and on signals whose answer is known."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from adastride import alignment as maths
from adastride.alignment import Alignment
from adastride.downsampling import METHODS, Downsampler, LayerSettings, build
from adastride.downsampling.effective import chunks, normalise_rows, operator_rows
from adastride.inspection.analysis import aliased_energy, error_db, frame_energy, loud_mask, reconstruct, shift_change

EVERY_METHOD = pytest.mark.parametrize("key", METHODS)
CHANNELS = 3
SLOPES = 1 << 22  # elements worked out at a time


def effective_alignment(
    layer: Downsampler, x: Tensor, lengths: Tensor | None = None, settings: LayerSettings | None = None,
) -> Tensor:
    """|dy_i / dx_j| of a layer at x, summed over channels and normalised per row, by automatic differentiation.

    Weights that depend on x, AdaStride's positions for one, are held fixed; the result is then A (LPF + AdaStride: A after
    the filter). Max pooling and SoftPool have no weights apart from their slopes, which are what is returned.
    `Downsampled.alignment` has the same numbers, found without differentiation.

    Shape: x (batch, channels, time), lengths (batch,) -> (batch, L, time). A row sums to 1, or to 0 where nothing comes in.
    """
    with torch.inference_mode(False):
        x = x.detach().clone()  # what inference mode made can't be differentiated; a copy can
        lengths = maths.check_lengths(lengths, x)
        if layer.linear:
            with torch.no_grad():
                down = layer(x, lengths, settings)
            parts = [
                operator_rows(lambda z: layer.shortcut(z, lengths, down), x[:, :1], frames.to(x.device))
                for frames in chunks(down.values.shape[2], x.shape[0] * x.shape[2])
            ]
            return normalise_rows(torch.cat(parts, dim=1))
        with torch.enable_grad():
            values = layer(x.requires_grad_(), lengths, settings).values
            batch, channels, frames = values.shape
            result = x.new_zeros(batch, frames, x.shape[2])
            places = torch.cartesian_prod(torch.arange(frames), torch.arange(channels)).to(x.device)
            for part in places.split(max(1, SLOPES // (x.numel() + values.numel()))):
                chosen = values.new_zeros(len(part), *values.shape)
                chosen[torch.arange(len(part), device=x.device), :, part[:, 1], part[:, 0]] = 1.0
                (slopes,) = torch.autograd.grad(values, x, chosen, retain_graph=True, is_grads_batched=True)
                result.index_add_(1, part[:, 0], slopes.abs().sum(dim=2).transpose(0, 1))
        return normalise_rows(result)


def make(key: str, stride: float = 2.0, channels: int = CHANNELS, **parameters: float) -> Downsampler:
    layer = build(key, channels, stride, **parameters).double()
    generator = torch.Generator().manual_seed(1)
    for name, parameter in layer.named_parameters():
        if name != "learned_stride":
            parameter.data.normal_(std=0.5, generator=generator)
    return layer


def picking(stride: float, channels: int = 1) -> Downsampler:
    """A strided convolution that takes every stride-th frame as it is."""
    layer = build("strided-conv", channels, stride).double()
    layer.convolution.weight.data.zero_()
    layer.convolution.weight.data[range(channels), range(channels), 1] = 1.0
    return layer


def signal(*lengths: int, channels: int = CHANNELS, seed: int = 0) -> Tensor:
    return torch.randn(len(lengths), channels, max(lengths), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def smooth(length: int, channels: int = 1) -> Tensor:
    """Slow waves that fade in and out."""
    time = torch.arange(length, dtype=torch.float64)
    waves = torch.stack([torch.sin(2 * math.pi * (2 + k) * time / length + k) for k in range(channels)])
    return (waves * torch.hann_window(length, dtype=torch.float64))[None]


# --- effective alignments


@EVERY_METHOD
@pytest.mark.parametrize("stride", [1.0, 2.0, 2.6])
def test_the_effective_alignment_is_the_alignment(key: str, stride: float):
    """By automatic differentiation and in closed form; LPF + AdaStride's has the filter in front."""
    layer, x, lengths = make(key, stride), signal(17, 17), torch.tensor([17, 9])
    found = effective_alignment(layer, x, lengths)
    dense = layer(x, lengths).alignment.dense().detach()
    assert found.shape == dense.shape
    sums = found.sum(dim=2)
    assert ((sums - 1).abs() < 1e-9).logical_or(sums == 0).all()
    if key == "lpf-adastride":
        for example, length in enumerate(lengths.tolist()):
            bins = torch.fft.rfft(torch.eye(length, dtype=torch.float64))
            filter_ = torch.fft.irfft(bins * (torch.arange(bins.shape[1]) <= length / 4), n=length)
            dense[example, :, :length] = (dense[example, :, :length] @ filter_).abs()
        dense = dense / dense.sum(dim=2, keepdim=True).clamp(min=1e-30)
    torch.testing.assert_close(found, dense)


@EVERY_METHOD
def test_the_effective_alignment_is_the_slope_itself(key: str):
    """Against a plain Jacobian, with scores of zero so that nothing but the weights has a slope."""
    layer, x = make(key), signal(12)
    if hasattr(layer, "score"):
        torch.nn.init.zeros_(layer.score.weight)
    slopes = torch.autograd.functional.jacobian(lambda x: layer(x).values, x).abs().sum(dim=(0, 1, 3, 4))
    torch.testing.assert_close(effective_alignment(layer, x)[0], slopes / slopes.sum(dim=1, keepdim=True).clamp(min=1e-30))


def test_the_effective_alignment_of_adastride_at_fixed_positions_is_a():
    """Against the formula of A, for positions that depend on x."""
    layer, x = make("adastride", 2.3, sigma=0.8), signal(21)
    scores = (layer.score.weight[0, :, 0] @ x[0]).detach()
    positions = maths.unit_positions(scores[None], torch.tensor([21]))[0] * 9
    plain = torch.softmax(-(0.8**-2) * (positions - torch.arange(10)[:, None]).square(), dim=1)
    torch.testing.assert_close(effective_alignment(layer, x)[0], plain, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("key", "parameters", "expected"), [
    ("avg-pool", {}, [[0.4, 0.4, 0.2, 0, 0], [0, 0, 0.2, 0.4, 0.4]]),
    ("blur-pool", {"filter_size": 3}, [[0.5, 0.5, 0, 0, 0], [0, 0.25, 0.5, 0.25, 0], [0, 0, 0, 0.5, 0.5]]),
    ("blur-pool", {"filter_size": 5}, [[3 / 8, 0.5, 1 / 8, 0, 0], [1 / 16, 1 / 4, 3 / 8, 1 / 4, 1 / 16], [0, 0, 1 / 8, 0.5, 3 / 8]]),
], ids=str)
def test_closed_forms(key: str, parameters: dict, expected: list[list[float]]):
    stride = 2.5 if key == "avg-pool" else 2.0
    found = effective_alignment(make(key, stride, **parameters), signal(5))
    torch.testing.assert_close(found[0], torch.tensor(expected, dtype=torch.float64))


def test_closed_form_of_spectral_pooling():
    """Dirichlet's kernel around i T / L, its highest frequency halved where L is even."""
    length, frames = 20, 10
    t = torch.arange(length, dtype=torch.float64) - torch.arange(frames, dtype=torch.float64)[:, None] * 2
    # The output's Nyquist bin holds a cosine that is sampled at its peaks, at one sign, then the other.
    kernel = 1 + 2 * sum(torch.cos(2 * math.pi * k * t / length) for k in range(1, frames // 2))
    index = torch.arange(frames, dtype=torch.float64)[:, None]
    fastest = torch.cos(2 * math.pi * (frames // 2) * torch.arange(length, dtype=torch.float64) / length)
    kernel = kernel + torch.cos(math.pi * index) * fastest
    kernel = kernel.abs() / kernel.abs().sum(dim=1, keepdim=True)
    torch.testing.assert_close(effective_alignment(make("spectral-pool"), signal(length))[0], kernel)


def test_settings_reach_the_layer_and_inference_mode_is_fine():
    layer, x = make("adastride"), signal(20)
    with torch.inference_mode():
        found = effective_alignment(layer, x.clone(), settings=LayerSettings(sigma=2.0, stride=4.0))
    torch.testing.assert_close(found, layer(x, settings=LayerSettings(sigma=2.0, stride=4.0)).alignment.dense().detach())


def test_many_rows_come_in_pieces():
    found = effective_alignment(build("spectral-pool", 1, 2.0), torch.zeros(1, 1, 5000))
    assert found.shape == (1, 2500, 5000)
    torch.testing.assert_close(found.sum(dim=2), torch.ones(1, 2500))


# --- back in input time


@EVERY_METHOD
@settings(max_examples=15)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=3), st.floats(1, 6))
def test_a_constant_comes_back(key: str, lengths: list[int], stride: float):
    if key in ("strided-conv", "adastride-f"):
        return
    sizes = torch.tensor(lengths)
    layer, x = make(key, stride), torch.full((len(lengths), CHANNELS, max(lengths)), 1.5, dtype=torch.float64)
    down = layer(x, sizes)
    back = reconstruct(down.values, down.alignment, max(lengths))
    torch.testing.assert_close(back, x * maths.length_mask(sizes, max(lengths))[:, None])


@pytest.mark.parametrize("key", sorted(set(METHODS) - {"strided-conv", "a-tome"}))
@pytest.mark.parametrize("stride", [1.0, 2.0, 3.0])
def test_a_slow_signal_comes_back_where_it_was(key: str, stride: float):
    """Merging by likeness and a random convolution are about other things; all others follow slow waves."""
    x = smooth(400)
    down = build(key, 1, stride).double()(x)
    assert float(error_db(x, reconstruct(down.values, down.alignment, 400).detach())) < -24


def test_lines_between_centres():
    layer = picking(2.0)
    x = torch.tensor([[[0.0, 9.0, 4.0, 9.0, 8.0, 9.0]]], dtype=torch.float64)
    down = layer(x)
    expected = torch.tensor([[[0.0, 2.0, 4.0, 6.0, 8.0, 8.0]]], dtype=torch.float64)
    torch.testing.assert_close(reconstruct(down.values, down.alignment, 6), expected)


def test_an_alignment_upsamples_itself():
    layer, x = make("adastride"), signal(30)
    down = layer(x)
    assert isinstance(down.alignment, Alignment)
    torch.testing.assert_close(reconstruct(down.values, down.alignment, 30), down.alignment.upsample(down.values))


@EVERY_METHOD
def test_another_time_is_refused(key: str):
    down = make(key)(signal(30))
    with pytest.raises(ValueError, match="30 input frames"):
        reconstruct(down.values, down.alignment, 31)


# --- errors


def test_error_db():
    x = torch.tensor([[[1.0, -1.0, 1.0, -1.0]], [[5.0, 5.0, 5.0, 5.0]]])
    errors = error_db(x, x * 0.9)
    assert float(errors[0]) == pytest.approx(-20)
    assert errors[1].isnan()
    assert float(error_db(x, x)[0]) == -math.inf
    assert float(error_db(x, torch.zeros_like(x))[0]) == pytest.approx(0)


def test_parts_add_up_to_the_whole():
    x, back = signal(50, 50), signal(50, 50, seed=1)
    mask = torch.rand(2, 50, generator=torch.Generator().manual_seed(0)) < 0.3
    whole, part, rest = (10 ** (error_db(x, back, chosen) / 10) for chosen in (None, mask, ~mask))
    share = mask.double().mean(dim=1)
    torch.testing.assert_close(share * part + (1 - share) * rest, whole)


def test_an_error_does_not_see_padding():
    x, back = signal(20, 20), signal(20, 20, seed=1)
    lengths = torch.tensor([20, 12])
    alone = error_db(x[1:, :, :12], back[1:, :, :12])
    torch.testing.assert_close(error_db(x, back, lengths=lengths)[1:], alone)
    assert error_db(x, back, torch.zeros(2, 20, dtype=torch.bool)).isnan().all()
    with pytest.raises(ValueError, match="reconstruction"):
        error_db(x, back[..., :19])


def test_loud_frames():
    energy = torch.tensor([[1e-6] * 6 + [1.0] * 4 + [1e9]])
    assert loud_mask(energy).tolist() == [[False] * 6 + [True] * 5]
    assert loud_mask(energy * 1e-3).tolist() == loud_mask(energy).tolist()
    assert loud_mask(torch.ones(1, 3)).all()
    assert loud_mask(torch.zeros(1, 3)).all()
    assert loud_mask(torch.tensor([[1e-3, 1.0, 5.0]]), torch.tensor([2])).tolist() == [[False, True, False]]


def test_frame_energy_of_spectra_and_amplitudes():
    x = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
    torch.testing.assert_close(frame_energy(x), torch.tensor([[5.0, 10.0]]))
    torch.testing.assert_close(frame_energy(x.log(), logarithmic=True), torch.tensor([[5.0, 10.0]]))


# --- aliasing


def test_picking_frames_of_noise_aliases_what_is_too_fast():
    """White noise has as much of everything: at stride s the share above the new limit is (s - 1) / s."""
    x = signal(4000, channels=8)
    for stride in (2.0, 4.0):
        assert float(aliased_energy(picking(stride, 8), x)) == pytest.approx(100 * (stride - 1) / stride, abs=3)


@pytest.mark.parametrize("key", ["spectral-pool", "diffstride"])
def test_nothing_aliases_where_the_band_is_cut(key: str):
    assert float(aliased_energy(make(key, 3.0), signal(300))) < 1e-20


def test_blurring_aliases_less_than_averaging_and_that_less_than_picking():
    x = signal(600)
    layers = picking(2.0, CHANNELS), make("avg-pool"), make("blur-pool"), make("blur-pool", filter_size=5), make("dct-diffstride")
    picked, averaged, blurred, wide, cosines = (float(aliased_energy(layer, x)) for layer in layers)
    assert picked > averaged > blurred > wide > cosines
    assert cosines < 1


@EVERY_METHOD
def test_slow_signals_do_not_alias(key: str):
    torch.manual_seed(0)
    slow = smooth(400, CHANNELS)
    assert float(aliased_energy(build(key, CHANNELS, 2.0).double(), slow)) < 0.01


@EVERY_METHOD
def test_aliasing_does_not_see_padding_or_an_offset(key: str):
    layer, x, lengths = make(key), signal(50, 50), torch.tensor([50, 31])
    together = aliased_energy(layer, x, lengths)
    torch.testing.assert_close(aliased_energy(layer, x[1:, :, :31]), together[1:], rtol=1e-6, atol=1e-6)
    if layer.linear and not hasattr(layer, "score") and key != "a-tome":
        torch.testing.assert_close(aliased_energy(layer, x + 100.0, lengths), together, rtol=1e-6, atol=1e-6)


def test_a_constant_output_has_no_share_that_aliased():
    assert aliased_energy(build("avg-pool", 1, 2.0), torch.ones(1, 1, 20)).isnan().all()
    assert aliased_energy(build("avg-pool", 1, 2.0), torch.ones(1, 1, 1)).isnan().all()


# --- shifts


@EVERY_METHOD
def test_a_move_by_whole_strides_of_a_fixed_grid_changes_nothing_inside(key: str):
    """A shift by the stride moves windows onto windows."""
    if METHODS[key].kind != "fixed" or key == "spectral-pool":
        return
    layer = make(key, 2.0)
    x = torch.nn.functional.pad(signal(60), (12, 12))
    assert float(shift_change(layer, x, [2, 4, 10]).worst) < 1e-9
    assert float(shift_change(layer, x, [1, 3]).mean) > 1


def test_picking_changes_more_than_blurring():
    x = signal(200)
    assert float(shift_change(picking(2.0, CHANNELS), x).mean) > 2 * float(shift_change(make("blur-pool"), x).mean)


def test_no_move_is_no_change():
    change = shift_change(make("cif"), signal(40), [0])
    assert change.changes.tolist() == [[0.0]]
    assert float(change.worst) == 0
    assert change.mean.isnan().all()


def test_shifts_are_reported_one_by_one():
    change = shift_change(make("avg-pool"), signal(40, 40))
    assert change.shifts == tuple(range(11))
    assert change.changes.shape == (11, 2)
    assert (change.changes[0] == 0).all()
    torch.testing.assert_close(change.mean, change.changes[1:].mean(dim=0))
    torch.testing.assert_close(change.worst, change.changes.amax(dim=0))


@pytest.mark.parametrize("shifts", [[], [-1], [3, -2]])
def test_bad_shifts_are_refused(shifts: list[int]):
    with pytest.raises(ValueError, match="shifts"):
        shift_change(make("avg-pool"), signal(20), shifts)


@EVERY_METHOD
def test_all_numbers_of_one_frame_are_numbers_or_nothing(key: str):
    layer, x = make(key), signal(1)
    assert effective_alignment(layer, x).shape == (1, 1, 1)
    assert aliased_energy(layer, x).shape == (1,)
    assert shift_change(layer, x).changes.shape == (11, 1)
