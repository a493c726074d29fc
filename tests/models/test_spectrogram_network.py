"""The network of spectrograms: its sizes, its heads, resumed runs, its strided convolutions, and what it refuses."""

from __future__ import annotations

import math

import pytest
import torch

from adastride import checkpoints
from adastride.downsampling import LayerSettings
from adastride.inspection.pictures import trace_image
from adastride.models.spectrograms import SpectrogramClassifier, SpectrogramConfig, picture_of_mel

TASKS, LABELS = ("word", "mood"), (("no", "yes"), ("calm", "glad", "sad"))
METHODS = ["strided-conv", "spectral-pool", "diffstride", "dct-diffstride", "avg-pool", "adastride"]


def network_of(method: str, **options: object) -> SpectrogramClassifier:
    torch.manual_seed(0)
    network = SpectrogramClassifier(SpectrogramConfig(TASKS, LABELS, method, **{"width": 2, **options}))
    with torch.no_grad():  # statistics as of a network that has seen something
        network.train()(torch.randn(4, 1, 64, 100))
    return network.eval()


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_an_answer_to_every_question(method: str):
    network = network_of(method)
    output = network(torch.randn(2, 1, 64, 100))
    assert output.head.shape == (2, 5)
    assert len(output.downsampled) == len(network.layers) == len(output.resumes) == 4
    sizes = [tuple(down.values.shape[2:]) for down in output.downsampled]
    if method in ("diffstride", "dct-diffstride"):  # which keep the slope of their mask as well
        assert all(a >= b for (a, _), b in zip(sizes, (32, 16, 8, 4), strict=True))
    elif method != "spectral-pool":  # whose sizes are whole numbers of pairs of waves
        assert sizes == [(32, 50), (16, 25), (8, 13), (4, 7)]
    for down in output.downsampled:
        assert [each.alignment.axis for each in down.along] == ["height", "width"]
        assert [each.alignment.dense().shape[1] for each in down.along] == list(down.values.shape[2:])


@pytest.mark.parametrize("method", METHODS)
def test_a_run_that_goes_on_is_the_run_from_the_start(method: str):
    network, pictures = network_of(method), torch.randn(1, 1, 64, 100)
    settings = [None, (LayerSettings(stride=2.0), LayerSettings(stride=3.0)), None, (LayerSettings(stride=3.0), LayerSettings(stride=2.0))]
    whole, usual = network(pictures, settings), network(pictures)
    for kept in (1, 2):
        torch.testing.assert_close(network(pictures, settings, usual.resumes[:kept]).head, whole.head)
    assert not torch.allclose(whole.head, usual.head)
    assert [down.values.shape[2] for down in whole.downsampled] != [down.values.shape[2] for down in usual.downsampled]


def test_strided_convolutions_are_those_of_the_block():
    """Its alignment says where the answer comes from: what a row of the picture changes is what the alignment has at that row."""
    network = network_of("strided-conv")
    layer = network.layers[1]
    x = torch.randn(1, 2, 20, 30, requires_grad=True)
    down = layer(x, (LayerSettings(stride=2.0), LayerSettings(stride=3.0)))
    assert down.values.shape == (1, 4, 10, 10)
    down.values[0, :, 4].sum().backward()
    touched = x.grad[0].abs().sum(dim=(0, 2)) > 0
    assert touched.nonzero().flatten().tolist() == (down.along[0].alignment.dense()[0, 4] > 0).nonzero().flatten().tolist() == [7, 8, 9]


def test_strides_are_learned_in_both_axes():
    network = network_of("diffstride").train()
    output = network(torch.randn(4, 1, 64, 100))
    torch.nn.functional.cross_entropy(output.head, torch.tensor([0, 1, 3, 4])).backward()
    for layer in network.layers:
        grads = [p.grad for name, p in layer.named_parameters() if "stride" in name]
        assert grads
        assert all(grad is not None and bool((grad != 0).all()) for grad in grads)


def test_a_picture_of_sound_has_its_highest_band_on_top():
    mel = torch.full((64, 3), math.log(1e-5))
    mel[60, 1] = 0.0
    picture = picture_of_mel(mel)
    assert picture.dtype == torch.uint8
    assert picture.nonzero().tolist() == [[3, 1]]


def test_a_checkpoint_comes_back(tmp_path):
    network = network_of("diffstride")
    checkpoints.save_checkpoint(network, tmp_path / "a.safetensors", {})
    back = checkpoints.load_pictures(tmp_path / "a.safetensors")
    assert back.config == network.config
    assert [head.task for head in back.config.heads] == ["word", "mood"]
    picture = picture_of_mel(torch.randn(64, 100) - 4).numpy()[:, :, None].repeat(3, axis=2)
    trace = trace_image(back, picture)
    assert [(task, label in labels) for (task, label, _), labels in zip(trace.answers, LABELS, strict=True)] == [("word", True), ("mood", True)]
    assert trace.probabilities[:2].sum() == pytest.approx(1, abs=1e-5)
    assert trace.probabilities[2:].sum() == pytest.approx(1, abs=1e-5)
    assert trace.labels == ("no", "yes", "calm", "glad", "sad")


@pytest.mark.parametrize(("wrong", "said"), [
    ({"method": "nothing"}, "unknown method"), ({"strides": ((2.0, 2.0),) * 3}, "each of 4 layers"), ({"tasks": ()}, "tasks"),
    ({"tasks": ("a", "a")}, "no two alike"), ({"labels": (("a", "b"),)}, "its labels"), ({"labels": (("a", "a"), ("b", "c"))}, "different names"),
    ({"width": 0}, "width"), ({"frames": 500}, "frames"), ({"strides": ((0.5, 2.0),) * 4}, "stride"), ({"parameters": {"nothing": 1.0}}, "nothing"),
])
def test_what_can_not_be_built(wrong: dict, said: str):
    with pytest.raises(ValueError, match=said):
        SpectrogramConfig(**{"tasks": TASKS, "labels": LABELS, **wrong})


def test_pictures_of_another_shape():
    network = network_of("avg-pool")
    with pytest.raises(ValueError, match=r"got \(1, 3, 64, 100\)"):
        network(torch.zeros(1, 3, 64, 100))
    with pytest.raises(ValueError, match="4 layers"):
        network(torch.zeros(1, 1, 64, 100), [None])
