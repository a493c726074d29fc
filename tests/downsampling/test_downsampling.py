"""The contract every method of the registry keeps, whatever it does inside, and the settings of one run."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from adastride import downsampling
from adastride.downsampling import (
    METHODS,
    AdaStride,
    AdaStrideF,
    Downsampled,
    Downsampler,
    LayerSettings,
    Method,
    StridedConvolution,
    build,
    register,
)

EVERY_METHOD = pytest.mark.parametrize("key", METHODS)
CHANNELS = 3


def make(key: str, stride: float = 2.0) -> Downsampler:
    """A layer in float64 with weights that are not those of the start (a score of zero would hide most of AdaStride)."""
    torch.manual_seed(0)
    layer = build(key, CHANNELS, stride).double()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return layer


def signal(*lengths: int) -> Tensor:
    return torch.randn(len(lengths), CHANNELS, max(lengths), generator=torch.Generator().manual_seed(max(lengths)), dtype=torch.float64)


# --- the registry


@EVERY_METHOD
def test_an_entry_says_all_that_pages_show(key: str):
    method = METHODS[key]
    assert method.key == key
    assert key == key.lower().strip()
    assert " " not in key
    for text in (method.label, method.idea, method.formula, method.citation):
        assert text.strip() == text
        assert text
    assert method.idea.endswith(".")
    assert method.complexity.startswith("O(")
    assert method.kind in {"fixed", "learned", "adaptive"}
    for lowest, highest, default in method.parameters.values():
        assert lowest <= default <= highest


@EVERY_METHOD
def test_every_layer_explains_itself_with_an_example(key: str):
    text = type(build(key, CHANNELS, 2.0)).__doc__
    assert "shape" in text.lower()
    assert ">>>" in text


def test_labels_differ():
    assert len({method.label for method in METHODS.values()}) == len(METHODS)


def test_the_papers_methods_are_there():
    assert {"adastride", "adastride-f", "strided-conv"} <= METHODS.keys()
    assert [METHODS[key].kind for key in ("adastride", "adastride-f", "strided-conv")] == ["adaptive", "adaptive", "fixed"]
    assert METHODS["strided-conv"].replaces_convolution


def test_all_names_of_the_package_exist():
    assert all(hasattr(downsampling, name) for name in downsampling.__all__)


@EVERY_METHOD
def test_build_takes_the_parameters_an_entry_names(key: str):
    for name, (lowest, highest, default) in METHODS[key].parameters.items():
        for value in (lowest, highest, default):
            assert getattr(build(key, CHANNELS, 2.0, **{name: value}), name) == value


def test_build_refuses_an_unknown_method():
    with pytest.raises(ValueError, match=r"unknown method 'fourier'; choose one of .*adastride"):
        build("fourier", 4, 2.0)


@EVERY_METHOD
def test_build_refuses_an_unknown_parameter(key: str):
    with pytest.raises(ValueError, match=f"{key} takes no parameter colour, taste"):
        build(key, 4, 2.0, taste=1.0, colour=1.0)


@EVERY_METHOD
@pytest.mark.parametrize("stride", [0.5, 0, -1, math.nan, math.inf])
def test_build_refuses_a_bad_stride(key: str, stride: float):
    with pytest.raises(ValueError, match="stride"):
        build(key, 4, stride)


@pytest.mark.parametrize("kind", [AdaStride, AdaStrideF])
@pytest.mark.parametrize("sigma", [0, -1, math.nan, math.inf])
def test_layers_refuse_a_bad_sigma(kind: type[AdaStride], sigma: float):
    with pytest.raises(ValueError, match="sigma"):
        kind(4, sigma=sigma)


def test_an_even_kernel_is_refused():
    with pytest.raises(ValueError, match="odd"):
        StridedConvolution(4, kernel_size=2)


def test_a_key_is_registered_once():
    with pytest.raises(ValueError, match="already registered"):
        register(METHODS["adastride"])


def test_a_registered_method_can_be_built(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(METHODS, "adastride-f")  # so that the registry is as before when the test is over
    register(Method("adastride-f", "Mine", "An idea.", "y = x", "Me", "O(T)", "adaptive", {}, AdaStrideF))
    assert isinstance(build("adastride-f", 4, 2.0), AdaStrideF)


# --- the contract


@EVERY_METHOD
@settings(max_examples=25)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=3), st.floats(1, 9))
def test_shapes_and_lengths(key: str, lengths: list[int], stride: float):
    layer = make(key, stride)
    x = signal(*lengths)
    down = layer(x, torch.tensor(lengths))
    expected = layer.output_lengths(torch.tensor(lengths)).tolist()  # ceil(T / s), spectral methods excepted
    assert isinstance(down, Downsampled)
    assert down.lengths.tolist() == expected
    assert down.lengths.dtype == torch.int64
    assert down.values.shape == (len(lengths), CHANNELS, max(expected))
    assert down.values.dtype == x.dtype
    assert down.position_loss.shape == ()
    for b, frames in enumerate(expected):
        assert (down.values[b, :, frames:] == 0).all()
    shortcut = layer.shortcut(x, torch.tensor(lengths), down)
    assert shortcut.shape == down.values.shape
    aligned = down.alignment
    assert aligned.dense().shape == (len(lengths), max(expected), max(lengths))
    assert aligned.positions.shape == (len(lengths), max(lengths))
    assert aligned.boundaries().shape == (len(lengths), max(expected) + 1)
    assert aligned.entropy().shape == (len(lengths), max(expected))
    torch.testing.assert_close(aligned.strides().sum(dim=1), torch.tensor(lengths, dtype=torch.float64))


@EVERY_METHOD
def test_no_lengths_means_all_frames(key: str):
    layer, x = make(key), signal(13, 13)
    torch.testing.assert_close(layer(x).values, layer(x, torch.tensor([13, 13])).values, rtol=0, atol=0)


@EVERY_METHOD
@settings(max_examples=25)
@given(st.integers(1, 40), st.integers(0, 40), st.floats(1, 9))
def test_padding_never_changes_a_result(key: str, length: int, more: int, stride: float):
    layer = make(key, stride)
    alone, batch = signal(length), signal(length + more, length + more, length + more)
    batch[0, :, :length], batch[0, :, length:] = alone[0], 100.0
    lengths = torch.tensor([length, length + more, 1])
    alone.requires_grad_()
    batch.requires_grad_()
    one, all_ = layer(alone), layer(batch, lengths)
    frames = one.values.shape[2]
    pairs = {
        "values": (one.values, all_.values[:1, :, :frames]),
        "shortcut": (layer.shortcut(alone, torch.tensor([length]), one), layer.shortcut(batch, lengths, all_)[:1, :, :frames]),
    }
    for what, (expected, ours) in pairs.items():
        torch.testing.assert_close(ours, expected, msg=lambda text, what=what: f"{what}: {text}")
    torch.testing.assert_close(all_.alignment.dense()[:1, :frames, :length], one.alignment.dense())
    torch.testing.assert_close(all_.alignment.strides()[:1, :frames], one.alignment.strides())
    (pairs["values"][0].square().sum() + pairs["shortcut"][0].square().sum()).backward()
    (pairs["values"][1].square().sum() + pairs["shortcut"][1].square().sum()).backward()
    torch.testing.assert_close(batch.grad[:1, :, :length], alone.grad)
    assert (batch.grad[0, :, length:] == 0).all()


@EVERY_METHOD
def test_lengths_shorter_than_the_tensor_are_as_good_as_a_cut(key: str):
    layer, x = make(key), signal(20)
    lengths = torch.tensor([7])
    cut = layer(x[..., :7])
    down = layer(x, lengths)
    torch.testing.assert_close(down.values, cut.values)
    torch.testing.assert_close(layer.shortcut(x, lengths, down), layer.shortcut(x[..., :7], lengths, cut))


@EVERY_METHOD
@pytest.mark.parametrize("stride", [1.0, 1.5, 2.0, 3.7, 40.0])
@pytest.mark.parametrize("length", [1, 2, 17])
def test_gradients_reach_the_input_and_every_parameter(key: str, length: int, stride: float):
    layer, x = make(key, stride), signal(length).requires_grad_()
    down = layer(x)
    (down.values.square().sum() + layer.shortcut(x, torch.tensor([length]), down).square().sum() + down.position_loss).backward()
    assert x.grad.isfinite().all()
    assert (x.grad != 0).any()
    for name, parameter in layer.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@EVERY_METHOD
def test_gradients_are_right(key: str):
    layer = make(key)
    assert torch.autograd.gradcheck(lambda x: layer(x, torch.tensor([9, 6])).values, (signal(9, 9).requires_grad_(),))


@EVERY_METHOD
@pytest.mark.parametrize("shape", [(2, CHANNELS + 1, 8), (CHANNELS, 8), (2, CHANNELS, 0)])
def test_another_shape_is_refused(key: str, shape: tuple[int, ...]):
    with pytest.raises(ValueError, match="expected"):
        make(key)(torch.zeros(shape, dtype=torch.float64))


@EVERY_METHOD
def test_the_effective_alignment_is_where_the_output_comes_from(key: str):
    """Rows are weights, sum to one (or are empty), and are zero where the input changes nothing."""
    if key == "lpf-adastride":  # its alignment is where the filtered frames went; tests/inspection/test_analysis.py puts the filter in front
        return
    layer, x = make(key), signal(15)
    with torch.no_grad():
        layer(x)
    if hasattr(layer, "score"):
        torch.nn.init.zeros_(layer.score.weight)  # so that positions don't depend on x and only A is left of the slope
    jacobian = torch.autograd.functional.jacobian(lambda x: layer(x).values, x).abs().sum(dim=(0, 1, 3, 4))
    dense = layer(x).alignment.dense()[0].detach()
    assert (dense >= 0).all()
    sums = dense.sum(dim=1)
    assert ((sums - 1).abs() < 1e-6).logical_or(sums == 0).all()
    plain = jacobian / jacobian.sum(dim=1, keepdim=True).clamp(min=1e-30)
    torch.testing.assert_close(dense, plain, rtol=1e-6, atol=1e-6)


# --- settings of one run


@pytest.mark.parametrize("bad", [{"sigma": 0}, {"sigma": -1}, {"sigma": math.nan}, {"sigma": math.inf}, {"sigma": "abc"}, {"sigma": ""},
                                 {"stride": 0.5}, {"stride": 0}, {"stride": math.nan}, {"stride": math.inf}, {"stride": "abc"},
                                 {"variant": "max-pool"}, {"variant": "strided-conv"}, {"variant": ""}, {"variant": 3}], ids=str)
def test_settings_refuse_what_cannot_be(bad: dict):
    with pytest.raises(ValueError, match=r"sigma|stride|variant|could not convert"):
        LayerSettings(**bad)


@pytest.mark.parametrize("good", [{}, {"sigma": 0.01}, {"sigma": 100}, {"stride": 1}, {"stride": 7.3}, {"variant": "adastride-f"}], ids=str)
def test_settings_are_frozen_and_hashable(good: dict):
    """They key caches, so equal settings must be equal keys."""
    one = LayerSettings(**good)
    assert one == LayerSettings(**good)
    assert hash(one) == hash(LayerSettings(**good))
    with pytest.raises(AttributeError):
        one.sigma = 2.0


OVERRIDES = [LayerSettings(sigma=3.0), LayerSettings(stride=3.5), LayerSettings(variant="adastride"), LayerSettings(variant="adastride-f"),
             LayerSettings(0.05, 1.2, "adastride-f")]


@EVERY_METHOD
@pytest.mark.parametrize("override", OVERRIDES, ids=str)
def test_a_run_with_settings_leaves_the_layer_as_it_was(key: str, override: LayerSettings):
    layer, x = make(key), signal(21, 21)
    lengths = torch.tensor([21, 8])
    before = layer(x, lengths).values
    weights = {name: value.clone() for name, value in layer.state_dict().items()}
    attributes = {name: value for name, value in vars(layer).items() if not name.startswith("_")}
    down = layer(x, lengths, override)
    layer.shortcut(x, lengths, down)
    assert layer.state_dict().keys() == weights.keys()
    assert all(torch.equal(value, weights[name]) for name, value in layer.state_dict().items())
    assert {name: value for name, value in vars(layer).items() if not name.startswith("_")} == attributes
    assert torch.equal(layer(x, lengths).values, before)
    assert torch.equal(layer(x, lengths, LayerSettings()).values, before)


@pytest.mark.parametrize("trained", [AdaStride, AdaStrideF])
@pytest.mark.parametrize(("variant", "kind"), [("adastride", AdaStride), ("adastride-f", AdaStrideF)])
def test_settings_give_what_a_layer_built_that_way_gives(trained: type[AdaStride], variant: str, kind: type[AdaStride]):
    layer, x = trained(CHANNELS, 2.0).double(), signal(25)
    torch.nn.init.normal_(layer.score.weight)
    wanted = kind(CHANNELS, stride=3.3, sigma=0.2).double()
    wanted.load_state_dict(layer.state_dict())
    down = layer(x, settings=LayerSettings(sigma=0.2, stride=3.3, variant=variant))
    torch.testing.assert_close(down.values, wanted(x).values, rtol=0, atol=0)
    torch.testing.assert_close(down.position_loss, wanted(x).position_loss, rtol=0, atol=0)


def test_positions_depend_on_neither_sigma_nor_stride():
    """The browser redraws a dragged layer from this one row of numbers."""
    layer, x = make("adastride"), signal(25)
    trained = layer(x).alignment.unit_positions
    for override in OVERRIDES:
        assert torch.equal(layer(x, settings=override).alignment.unit_positions, trained)


def test_at_the_start_strides_are_uniform():
    strides = AdaStride(4)(torch.randn(1, 4, 41)).alignment.strides()[0]
    torch.testing.assert_close(strides[1:-1], torch.full((19,), 2.0, dtype=torch.float64))


@pytest.mark.parametrize(("asked", "whole"), [(1.0, 1), (1.4, 1), (1.6, 2), (2.6, 3), (7.0, 7)])
def test_a_strided_convolution_rounds_its_stride(asked: float, whole: int):
    x = signal(20)
    assert make("strided-conv", asked).stride == whole
    assert make("strided-conv")(x, settings=LayerSettings(stride=asked)).values.shape[2] == math.ceil(20 / whole)


def test_a_strided_convolution_is_every_strideth_frame_of_a_convolution():
    layer, x = make("strided-conv", 3.0), signal(20)
    whole = torch.nn.functional.conv1d(x, layer.convolution.weight, padding=1)
    torch.testing.assert_close(layer(x).values, whole[..., ::3])
    torch.testing.assert_close(layer.shortcut(x, torch.tensor([20]), layer(x)), (layer.projection.weight[..., 0] @ x)[..., ::3])
