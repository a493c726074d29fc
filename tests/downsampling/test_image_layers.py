"""Downsampling of pictures: what a layer does to both axes, its alignments, its shortcut, and what-if settings."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adastride.downsampling import METHODS, DiffStride2d, LayerSettings, build
from adastride.downsampling.images import Along, BothAxesAtOnce, ImageDownsampler, StridedConvolutionOfImages, build_image_layer

EVERY = pytest.mark.parametrize("key", list(METHODS))
SPECTRAL = ("spectral-pool", "diffstride", "dct-diffstride")
POOLING = [key for key in METHODS if METHODS[key].kind == "adaptive" or key in ("avg-pool", "blur-pool")]


def layer_of(key: str, strides: tuple[float, float] = (2.0, 3.0), channels: int = 3) -> ImageDownsampler:
    """A layer whose positions bend."""
    torch.manual_seed(0)
    layer = build_image_layer(key, channels, strides)
    for name, parameter in layer.named_parameters():
        if "strides" not in name and parameter.dim() > 1:
            nn.init.normal_(parameter, std=0.4)
    return layer.eval()


def picture(batch: int = 2, height: int = 17, width: int = 20, channels: int = 3) -> Tensor:
    return torch.randn(batch, channels, height, width, generator=torch.Generator().manual_seed(1))


@EVERY
def test_both_paths_and_alignments_fit_together(key: str):
    layer, x = layer_of(key), picture()
    down = layer(x)
    height, width = down.values.shape[2:]
    assert 1 <= height < 17
    assert 1 <= width < 20
    assert layer.shortcut(torch.zeros_like(x), down).shape == down.values.shape
    for along, axis, size, shorter in zip(down.along, ("height", "width"), (17, 20), (height, width), strict=True):
        assert along.alignment.axis == axis
        assert along.lengths.tolist() == [shorter, shorter]
        matrix = along.alignment.dense()
        assert matrix.shape == (2, shorter, size)
        torch.testing.assert_close(matrix.sum(dim=2), torch.ones(2, shorter), atol=1e-4, rtol=0)
    assert [along.values.shape[2] for along in down.along] == [height, width]


@pytest.mark.parametrize("key", [key for key in POOLING if key not in ("lpf-adastride",)])
def test_pooling_is_a_product_with_both_matrices(key: str):
    """Y = A_height X A_width^T, the outer product of figure 12; the shortcut too."""
    layer, x = layer_of(key), picture()
    down = layer(x)
    vertical, horizontal = (along.alignment.dense()[:, None] for along in down.along)
    torch.testing.assert_close(down.values, vertical @ x @ horizontal.transpose(2, 3), atol=1e-4, rtol=1e-4)
    other = picture(channels=5)
    torch.testing.assert_close(layer.shortcut(other, down), vertical @ other @ horizontal.transpose(2, 3), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("key", SPECTRAL)
def test_a_spectral_alignment_is_what_happens_to_a_picture_that_changes_along_one_axis(key: str):
    layer = layer_of(key)
    lit = torch.eye(17)[:, None, :, None].expand(17, 1, 17, 20)  # picture j is white in row j
    single = build_image_layer(key, 1, (2.0, 3.0)).eval()
    response = single(lit).values[:, 0, :, 0].abs().T
    expected = response / response.sum(dim=1, keepdim=True)
    torch.testing.assert_close(layer(picture()).along[0].alignment.dense()[0], expected.detach(), atol=1e-5, rtol=0)
    torch.testing.assert_close(layer(picture()).values, layer.module(picture()))  # nothing but the module's own work
    lit = torch.eye(20)[:, None, None, :].expand(20, 1, 17, 20)
    response = single(lit).values[:, 0, 0].abs().T
    expected = response / response.sum(dim=1, keepdim=True)
    torch.testing.assert_close(layer(picture()).along[1].alignment.dense()[0], expected.detach(), atol=1e-5, rtol=0)


def test_a_strided_convolution_is_torchs():
    layer, x = layer_of("strided-conv"), picture()
    down = layer(x)
    torch.testing.assert_close(down.values, F.conv2d(x, layer.convolution.weight, stride=(2, 3), padding=1))
    torch.testing.assert_close(layer.shortcut(x, down), F.conv2d(x, layer.projection.weight, stride=(2, 3)))
    taps = layer.convolution.weight.detach().abs().sum(dim=(0, 1, 3))
    torch.testing.assert_close(down.along[0].alignment.dense()[0, 2, 3:6], taps / taps.sum())


@EVERY
def test_along_the_height_is_along_the_width_of_the_picture_on_its_side(key: str):
    layer = build(key, 3, 2.0).eval()
    upright, down = Along("height", layer)(picture())
    sideways, _ = Along("width", layer)(picture().transpose(2, 3))
    torch.testing.assert_close(upright, sideways.transpose(2, 3))
    assert upright.is_contiguous()
    assert down.alignment.axis == "height"


@EVERY
def test_a_picture_of_one_row_is_a_sequence(key: str):
    layer = build(key, 3, 2.0).eval()
    row = picture(height=1)
    values, down = Along("width", layer)(row)
    expected = layer(row[:, :, 0])
    torch.testing.assert_close(values[:, :, 0], expected.values, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(down.alignment.dense(), expected.alignment.dense())


def test_adastride_places_lines_by_the_mean_of_their_scores():
    layer, x = layer_of("adastride"), 10 * picture()
    down = layer(x)
    score = layer.height.layer.score.weight
    scores = torch.einsum("c,bchw->bhw", score[0, :, 0], x).mean(dim=2)
    own = layer.height.layer.align(x.mean(dim=3), torch.tensor([17, 17]))
    assert own.unit_positions.equal(down.along[0].alignment.unit_positions)
    torch.testing.assert_close(layer.height.layer.scores(x.mean(dim=3)), scores)
    torch.testing.assert_close(down.position_loss, down.along[0].position_loss + down.along[1].position_loss)
    assert down.position_loss > 0


@EVERY
def test_settings_hold_for_one_run_and_one_axis(key: str):
    layer, x = layer_of(key), picture(1)
    before = layer(x)
    changed = layer(x, (LayerSettings(stride=4.0), None))
    assert changed.values.shape[2] < before.values.shape[2]
    assert changed.values.shape[3] == before.values.shape[3]
    assert layer.shortcut(x, changed).shape == changed.values.shape
    assert layer(x).values.equal(before.values)
    if "sigma" in METHODS[key].parameters:
        sharp = layer(x, (None, LayerSettings(sigma=0.1)))
        assert sharp.along[0].values.equal(before.along[0].values)
        assert not sharp.values.equal(before.values)


@pytest.mark.parametrize("key", ["diffstride", "dct-diffstride"])
def test_learned_strides_get_a_gradient_and_stay_above_one(key: str):
    layer = layer_of(key, (1.5, 3.0)).train()
    down = layer(picture())
    (down.values.square().mean() + layer.shortcut(picture(), down).square().mean()).backward()
    assert (layer.module.strides.grad.abs() > 0).all()
    with torch.no_grad():
        layer.module.strides[0] = 0.4
    assert layer.strides == (1.0, 3.0)
    shape = layer(picture()).values.shape
    assert layer.module.strides.tolist() == [1.0, 3.0]
    assert shape[2] >= 16


def test_one_stride_for_both_axes():
    layer = BothAxesAtOnce(3, DiffStride2d((2.0, 2.0), shared=True))
    assert layer.strides == (2.0, 2.0)
    assert layer(torch.zeros(1, 3, 32, 32)).values.shape == (1, 3, 24, 24)


@pytest.mark.parametrize("key", ["adastride", "avg-pool", "strided-conv", "diffstride"])
def test_gradients(key: str):
    layer = layer_of(key, (2.2, 2.7), channels=1).double().train()
    x = picture(1, 12, 13, 1).double().requires_grad_()
    names, parameters = zip(*[(name, each.detach().clone().requires_grad_()) for name, each in layer.named_parameters()], strict=True) \
        if list(layer.parameters()) else ((), ())

    def run(x: Tensor, *values: Tensor) -> Tensor:
        down = torch.func.functional_call(layer, dict(zip(names, values, strict=True)), (x,))
        return down.values if key != "adastride" else down.values + down.position_loss

    assert torch.autograd.gradcheck(run, (x, *parameters), atol=1e-4)


@EVERY
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (2, 3)])
def test_small_and_narrow_pictures(key: str, size: tuple[int, int]):
    layer = layer_of(key)
    down = layer(picture(1, *size))
    assert down.values.isfinite().all()
    assert all(down.values.shape[2:])


@pytest.mark.parametrize("x", [torch.zeros(3, 8, 8), torch.zeros(1, 4, 8, 8), torch.zeros(1, 3, 0, 8)], ids=lambda x: str(tuple(x.shape)))
@pytest.mark.parametrize("key", ["adastride", "diffstride", "strided-conv"])
def test_another_shape_is_refused(key: str, x: Tensor):
    with pytest.raises(ValueError, match=r"expected \(batch, 3, height, width\) with at least one row and column"):
        layer_of(key)(x)


def test_wrong_calls_are_refused():
    with pytest.raises(ValueError, match="unknown method 'adastrid'"):
        build_image_layer("adastrid", 3)
    with pytest.raises(ValueError, match="takes no parameter sigma"):
        build_image_layer("avg-pool", 3, sigma=1.0)
    with pytest.raises(ValueError, match="axis must be"):
        Along("time", build("avg-pool", 3, 2.0))
    for key in ("adastride", "diffstride", "strided-conv"):
        with pytest.raises(ValueError, match="stride"):
            build_image_layer(key, 3, (0.5, 2.0))
    assert StridedConvolutionOfImages(3, (1.6, 2.4)).strides == (2, 2)
    assert layer_of("strided-conv").nearest_stride(2.6) == 3
    assert layer_of("adastride").nearest_stride(2.6) == 2.6
