"""A look into networks of pictures: against the layers' own operations, what resumed runs share, and what can be had back."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from made_up_pictures import network

from adastride.downsampling import METHODS, LayerSettings
from adastride.inspection import picture_exports
from adastride.inspection.pictures import PictureError, PictureTrace, as_trained, trace_image
from adastride.models.picture_network import standardised

LOOKED_AT = ("adastride", "adastride-f", "diffstride", "dct-diffstride", "spectral-pool", "avg-pool", "blur-pool", "strided-conv", "max-pool")
SEPARABLE = ("adastride", "avg-pool", "blur-pool", "dct-diffstride")  # linear, and one axis after the other


def picture(height: int = 32, width: int = 32) -> np.ndarray:
    """Waves, an edge and some noise."""
    rows, columns = np.mgrid[:height, :width]
    waves = 120 + 60 * np.sin(rows / 3)[..., None] + 40 * np.cos(columns / 4)[..., None] * np.array([1.0, 0.5, -0.5])
    waves[: height // 3] += 30
    return np.clip(waves + np.random.default_rng(0).normal(0, 8, waves.shape), 0, 255).astype(np.uint8)


def other(layer: int = 1, axis: int = 0, **settings: float) -> list[list[LayerSettings]]:
    asked = [[LayerSettings(), LayerSettings()] for _ in range(3)]
    asked[layer][axis] = LayerSettings(**settings)
    return asked


@pytest.mark.parametrize("method", LOOKED_AT)
def test_sizes_rows_and_edges(method: str):
    found = trace_image(network(method), picture())
    assert found.probabilities.sum() == pytest.approx(1, abs=1e-5)
    sizes = [32, 32]
    for layer in found.layers:
        for place, (axis, name) in enumerate(zip(layer.along, ("height", "width"), strict=True)):
            assert axis.axis == name
            assert axis.input_size == sizes[place]
            assert axis.composite.shape == (axis.output_size, 32)
            sums = axis.alignment.sum(axis=1)
            assert np.all(np.isclose(sums, 1, atol=1e-4) | (np.isclose(sums, 0, atol=1e-6) & (method == "adastride-f")))
            assert (axis.edges[0], axis.edges[-1]) == (0, 32)
            assert np.all(np.diff(axis.edges) >= 0)
            assert axis.density.sum() == pytest.approx(axis.composite.sum(), rel=1e-4)
            sizes[place] = axis.output_size
        assert layer.seen.shape == (*sizes, 3)
        assert layer.features.shape == tuple(sizes)
        assert layer.spectrum.shape == (layer.along[0].input_size, layer.along[1].input_size)
        assert np.isfinite(layer.spectrum).all()


@pytest.mark.parametrize("method", SEPARABLE)
def test_the_operators_one_after_another_are_what_the_layers_do(method: str):
    """C_h X C_w^T with the products of the operators is every layer's `shortcut` applied to the picture."""
    pixels, made = picture(), network(method)
    found = trace_image(made, pixels, other(stride=2.5))
    down = torch.from_numpy(pixels).permute(2, 0, 1)[None].float()
    products = [np.eye(32), np.eye(32)]
    with torch.no_grad():
        results = made(standardised(torch.from_numpy(pixels).permute(2, 0, 1)[None]), found.settings).downsampled
        for layer, result, own in zip(made.layers, results, found.layers, strict=True):
            down = layer.shortcut(down, result)
            products = [axis.operator @ product for axis, product in zip(own.along, products, strict=True)]
            expected = np.einsum("ih,hwc,jw->ijc", products[0], pixels.astype(float), products[1])
            np.testing.assert_allclose(down[0].permute(1, 2, 0), expected, atol=0.01)
            assert np.abs(own.seen - np.clip(expected, 0, 255)).max() <= 0.51


@pytest.mark.parametrize("method", ["adastride", "avg-pool"])
def test_composites_are_products_of_alignments(method: str):
    found = trace_image(network(method), picture())
    product = np.eye(32)
    for layer in found.layers:
        product = layer.along[1].alignment @ product
        np.testing.assert_allclose(layer.along[1].composite, product, atol=1e-5)
        np.testing.assert_allclose(product.sum(axis=1), 1, atol=1e-4)


@pytest.mark.parametrize("method", LOOKED_AT)
def test_a_run_from_an_earlier_one_is_a_run_from_the_beginning(method: str):
    made, pixels = network(method), picture()
    first = trace_image(made, pixels)
    for layer in range(3):
        asked = other(layer, 1, stride=3.0)
        again, anew = trace_image(made, pixels, asked, first), trace_image(made, pixels, asked)
        assert again.layers[:layer] == first.layers[:layer]  # the same objects: they were not looked at again
        np.testing.assert_allclose(again.probabilities, anew.probabilities, atol=1e-5)
        for one, two in zip(again.layers, anew.layers, strict=True):
            assert np.abs(one.seen.astype(int) - two.seen).max() <= 1
            np.testing.assert_allclose(one.along[1].edges, two.along[1].edges, atol=1e-4)
    assert trace_image(made, pixels, first.settings, first) is first
    assert trace_image(made, pixels[::-1].copy(), None, first).pixels[0, 0, 0] == pixels[-1, 0, 0]


def test_settings_are_those_that_the_method_can_do():
    assert as_trained(network("strided-conv"))[0][0] == LayerSettings(None, 2.0)
    assert as_trained(network("adastride"))[0][0].sigma == pytest.approx(5**-0.5)
    assert trace_image(network("strided-conv"), picture(), other(0, 0, stride=2.7)).settings[0][0].stride == 3
    blunt = trace_image(network("adastride"), picture(), [[LayerSettings(sigma=3.0)] * 2] * 3)
    sharp = trace_image(network("adastride"), picture(), [[LayerSettings(sigma=0.1)] * 2] * 3)
    assert blunt.layers[0].along[0].alignment.max() < 0.3 < sharp.layers[0].along[0].alignment.max()
    with pytest.raises(ValueError, match="3 layers"):
        trace_image(network("adastride"), picture(), [None])


@pytest.mark.parametrize("method", [name for name in METHODS if name in ("diffstride", "dct-diffstride", "spectral-pool")])
def test_a_mask_is_what_the_method_lets_through(method: str):
    """Waves along the width are multiplied by the mask at their frequency, in the middle of the spectrum or counted from its corner."""
    found = trace_image(network(method), picture()).layers[0]
    mask, operator = found.along[1].mask, found.along[1].operator
    assert found.along[0].mask is not None
    assert mask is not None
    middle = 0 if found.cosine else 16
    assert mask[middle] == 1
    assert found.cosine == (method == "dct-diffstride")
    for k in range(1, 16):
        wave = np.cos(np.pi * k * (np.arange(32) + 0.5) / 32) if found.cosine else np.cos(2 * np.pi * k * np.arange(32) / 32)
        out = operator @ wave
        share = np.sqrt((out**2).mean() / (wave**2).mean())
        if abs(2 * k - operator.shape[0]) > 1 or found.cosine:  # the highest frequency of the result has but one phase
            assert share == pytest.approx(mask[middle + k], abs=0.02)


def test_what_can_be_had_back():
    """Where nothing is lost all comes back; more is lost above, and of what varies slowly less."""
    pixels = picture()
    whole = trace_image(network("avg-pool"), pixels, [[LayerSettings(stride=1.0)] * 2] * 3)
    assert all(back.psnr > 50 for back in whole.reconstructions)
    assert np.allclose(whole.reconstructions[2].response[0], 1, atol=0.01)
    backs = trace_image(network("avg-pool"), pixels).reconstructions
    assert backs[0].psnr > backs[1].psnr > backs[2].psnr > 5
    error = np.mean((backs[0].pixels.astype(float) - pixels) ** 2)
    assert backs[0].psnr == pytest.approx(10 * np.log10(255**2 / error))
    for response in backs[0].response:
        assert response[0] == pytest.approx(1, abs=1e-6)
        assert response[-1] < 0.1
    flat = np.full((32, 32, 3), 77, np.uint8)
    assert trace_image(network("adastride"), flat).reconstructions[2].psnr == np.inf


def test_what_can_not_be_looked_at_is_said_in_a_sentence():
    with pytest.raises(PictureError, match="300 × 10 pixels"):
        trace_image(network("avg-pool"), np.zeros((10, 300, 3), np.uint8))
    with pytest.raises(ValueError, match="uint8"):
        trace_image(network("avg-pool"), np.zeros((32, 32, 3)))
    diverged = network("avg-pool")
    diverged.classifier.bias.data.fill_(float("nan"))
    with pytest.raises(PictureError, match="not numbers"):
        trace_image(diverged, picture())
    with pytest.raises(PictureError, match="5 channels"):
        trace_image(network("avg-pool", channels=5), picture())
    assert trace_image(network("avg-pool", channels=1), picture()).answer[0]


@pytest.mark.parametrize("stride", [1.0, 8.0])
@pytest.mark.parametrize("method", LOOKED_AT)
def test_the_ends_of_the_sliders_and_a_single_pixel(method: str, stride: float):
    for pixels in (picture(), picture(1, 1), picture(2, 40)):
        found = trace_image(network(method), pixels, [[LayerSettings(stride=stride)] * 2] * 3)
        assert all(layer.seen.size for layer in found.layers)
        assert all(back.pixels.shape == pixels.shape for back in found.reconstructions)


def exported() -> PictureTrace:
    return trace_image(network("diffstride"), picture())


def test_exports_hold_the_same_numbers():
    found = exported()
    arrays = np.load(io.BytesIO(picture_exports.to_npz(found)))
    np.testing.assert_array_equal(arrays["composite_2_width"], found.layers[2].along[1].composite)
    np.testing.assert_array_equal(arrays["mask_0_height"], found.layers[0].along[0].mask)
    assert float(arrays["psnr_1"]) == found.reconstructions[1].psnr
    lines = picture_exports.to_csv(found).splitlines()
    assert len(lines) == 1 + sum(axis.output_size for layer in found.layers for axis in layer.along)
    assert lines[1].startswith("1,height,0,0.0000,")
    assert picture_exports.figure_png(found, "A picture").startswith(b"\x89PNG")


def test_a_title_with_signs_of_formulas_is_drawn_as_it_is():
    trained = network("adastride")
    found = trace_image(trained, np.zeros((32, 32, 3), np.uint8), as_trained(trained))
    assert picture_exports.figure_png(found, r"$\nothing$").startswith(b"\x89PNG")
