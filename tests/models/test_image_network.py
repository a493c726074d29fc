"""The residual network of pictures: against plain torch, its sizes, what-if runs, learned strides and their cost."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adastride.downsampling import METHODS, LayerSettings
from adastride.models.images import ImageClassifier, ImageConfig

LABELS = ("cat", "dog", "frog")


def network_of(method: str, **options: object) -> ImageClassifier:
    """A small network whose statistics are not those of an untrained one, and whose positions bend."""
    torch.manual_seed(0)
    network = ImageClassifier(ImageConfig(LABELS, method, **{"width": 4, "blocks": 1, **options}))
    for name, parameter in network.named_parameters():
        if "score" in name:
            nn.init.normal_(parameter, std=0.5)
    network.train()(pictures(4))
    return network.eval()


def pictures(batch: int = 2, height: int = 32, width: int = 32, channels: int = 3) -> Tensor:
    return torch.randn(batch, channels, height, width, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("method", list(METHODS))
def test_every_method_makes_a_network(method: str):
    network = network_of(method)
    output = network(pictures())
    assert output.head.shape == (2, 3)
    assert output.head.isfinite().all()
    assert len(output.downsampled) == len(output.resumes) == len(network.layers) == 3
    sizes = [32, *(down.values.shape[2] for down in output.downsampled)]
    assert sizes == sorted(sizes, reverse=True)
    assert [down.values.shape[1] for down in output.downsampled] == [8, 16, 32]
    torch.testing.assert_close(network(pictures()[:1]).head, output.head[:1], atol=1e-5, rtol=1e-5)


def test_the_network_is_this_loop():
    """Pre-activation blocks as published; with strided convolutions, which widen both paths themselves."""
    network = network_of("strided-conv", blocks=2, strides=((2, 2), (1, 3), (2, 1)))
    weights, x = dict(network.state_dict()), pictures(2, 20, 24)

    def norm(x: Tensor, name: str) -> Tensor:
        statistics = (weights[f"{name}.{each}"] for each in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(x, *statistics, training=False).relu()

    x = F.conv2d(x, weights["stem.weight"], padding=1)
    for place in range(8):
        name, strides = f"blocks.{place}", {2: (2, 2), 4: (1, 3), 6: (2, 1)}.get(place)
        active = norm(x, f"{name}.norm1")
        if strides is None:
            hidden, shortcut = F.conv2d(active, weights[f"{name}.conv1.weight"], padding=1), x
        else:
            hidden = F.conv2d(active, weights[f"{name}.layer.convolution.weight"], padding=1, stride=strides)
            shortcut = F.conv2d(active, weights[f"{name}.layer.projection.weight"], stride=strides)
        x = shortcut + F.conv2d(norm(hidden, f"{name}.norm2"), weights[f"{name}.conv2.weight"], padding=1)
    expected = F.linear(norm(x, "norm").mean(dim=(2, 3)), weights["classifier.weight"], weights["classifier.bias"])
    output = network(pictures(2, 20, 24))
    torch.testing.assert_close(output.head, expected, atol=1e-5, rtol=1e-5)
    assert [tuple(down.values.shape[2:]) for down in output.downsampled] == [(10, 12), (10, 4), (5, 4)]


def test_main_path_and_shortcut_share_the_layer():
    """DiffStride's figure 2b: a convolution without stride on each path, and then one and the same layer."""
    network = network_of("diffstride")
    block, x = network.blocks[1], torch.randn(1, 4, 32, 32)
    active = F.relu(block.norm1(x))
    strides = tuple(block.layer.module.strides)
    hidden = block.layer.module(block.conv1(active), strides)
    expected = block.layer.module(block.widen(active), strides) + block.conv2(F.relu(block.norm2(hidden)))
    resume = block.before(x)
    down = block.layer(resume.hidden)
    torch.testing.assert_close(block.after(down.values, block.layer.shortcut(resume.shortcut, down)), expected)


@pytest.mark.parametrize("method", ["adastride", "diffstride", "strided-conv", "avg-pool"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_resumed_run_is_a_whole_one(method: str, place: int):
    network = network_of(method)
    before = network(pictures())
    settings = [None, None, None]
    settings[place] = (LayerSettings(stride=3.0), LayerSettings(stride=1.0))
    whole = network(pictures(), settings)
    resumed = network(torch.zeros(0), settings, before.resumes[: place + 1])
    torch.testing.assert_close(resumed.head, whole.head)
    assert len(resumed.downsampled) == 3 - place
    assert len(resumed.resumes) == 3
    assert not whole.head.equal(before.head)
    assert network(pictures()).head.equal(before.head)


@pytest.mark.parametrize("method", ["diffstride", "dct-diffstride"])
def test_strides_are_learned_from_answers_and_from_cost(method: str):
    network = network_of(method, strides=((2.0, 2.0), (1.5, 3.0), (2.5, 1.0))).train()
    strides = [layer.module.strides for layer in network.layers]
    F.cross_entropy(network(pictures()).head, torch.tensor([0, 2])).backward()
    assert all((each.grad != 0).any() for each in strides)
    network.zero_grad()
    cost = network.cost()
    shares = [1 / 4, 1 / 4 / 4.5, 1 / 4 / 4.5 / 2.5]
    assert float(cost.detach()) == pytest.approx(sum(shares))
    cost.backward()
    assert strides[0].grad.tolist() == pytest.approx([-sum(shares) / 2] * 2)  # d/dS of a sum of products of 1 / S
    assert strides[2].grad.tolist() == pytest.approx([-shares[2] / 2.5, -shares[2]])


def test_a_spectrogram_has_one_channel_and_any_size():
    network = network_of("adastride", channels=3, strides=((1.0, 2.0),) * 3)
    output = network(pictures(1, 20, 77))
    assert [tuple(down.values.shape[2:]) for down in output.downsampled] == [(20, 39), (20, 20), (20, 10)]
    assert [along.alignment.axis for along in output.downsampled[0].along] == ["height", "width"]
    single = ImageClassifier(ImageConfig(LABELS, "avg-pool", width=2, blocks=1, channels=1)).eval()
    assert single(pictures(1, 1, 1, 1)).head.isfinite().all()


@pytest.mark.parametrize(("options", "complaint"), [
    ({"method": "adastrid"}, "unknown method"), ({"strides": ((2.0, 2.0),)}, "expected a stride for the height and one for the width"),
    ({"strides": ((2.0,), (2.0,), (2.0,))}, "expected a stride for the height"), ({"strides": ((0.5, 2.0),) * 3}, "stride"),
    ({"labels": ("a",)}, "at least two different names"), ({"labels": ("a", "a")}, "at least two"), ({"width": 0}, "width must be a whole"),
    ({"width": True}, "width must be"), ({"blocks": 99}, "blocks must be"), ({"channels": 0}, "channels must be"),
    ({"sigma": 0.0}, "sigma"), ({"parameters": {"smoothness": 2.0}}, "takes a parameter 'smoothness'"),
])
def test_wrong_configurations_are_refused(options: dict, complaint: str):
    with pytest.raises(ValueError, match=complaint):
        ImageConfig(**{"labels": LABELS, **options})


def test_wrong_calls_are_refused():
    network = network_of("avg-pool")
    with pytest.raises(ValueError, match=r"expected \(batch, 3, height, width\)"):
        network(torch.zeros(1, 1, 8, 8))
    with pytest.raises(ValueError, match="expected settings for 3 layers, got 1"):
        network(pictures(), [None])
    assert network_of("diffstride", parameters={"smoothness": 2.0}).layers[0].module.smoothness == 2.0
