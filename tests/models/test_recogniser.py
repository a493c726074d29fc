"""The recogniser keeps the contract of networks: padding, settings, resumed runs, sizes, configurations and checkpoints."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from made_up_networks import unsettle
from torch import Tensor, nn

from adastride import checkpoints
from adastride.downsampling import METHODS, LayerSettings
from adastride.models import Recogniser, RecogniserConfig
from adastride.models.recogniser import recogniser_options
from adastride.models.squeezeformer import Squeezeformer

TOKENS = ("one", "two", "three")
ENCODERS = ("squeezeformer", "conformer")
LENGTHS = [23, 40, 9, 31]
SCORED = {"adastride", "adastride-f", "lpf-adastride", "cif"}


def config(method: str = "adastride", **options: Any) -> RecogniserConfig:
    fields = {"width": 16, "blocks": 3, "heads": 2, "kernel_size": 7, **recogniser_options(method), **options}
    return RecogniserConfig("words", TOKENS, **fields)


def recogniser(method: str = "adastride", **options: Any) -> Recogniser:
    """An untrained network whose positions are not those of a fixed stride, and whose biases are not 0."""
    torch.manual_seed(0)
    network = Recogniser(config(method, **options)).eval()
    unsettle(network)
    return network


def mels(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 5


every_method = pytest.mark.parametrize("method", METHODS)
NETWORKS = [*((method, "squeezeformer") for method in METHODS), ("adastride", "conformer")]
every_network = pytest.mark.parametrize(("method", "encoder"), NETWORKS)


# --- padding


def gradients(network: Recogniser, signal: Tensor, lengths: Tensor | None, weights: Tensor) -> list[Tensor]:
    """Of a weighted sum of the logits: the gradients of all parameters, 0 where there is none."""
    head = network(signal, lengths).head
    valid = weights[:, : head.shape[1]]
    return list(torch.autograd.grad((head * valid).sum(), list(network.parameters()), allow_unused=True, materialize_grads=True))


@every_network
def test_padding_never_changes_a_letter(method: str, encoder: str):
    network, signal = recogniser(method, encoder=encoder), mels(len(LENGTHS), 80, max(LENGTHS))
    output = network(signal, torch.tensor(LENGTHS))
    last = output.downsampled[-1].lengths.tolist()
    assert output.head.shape == (len(LENGTHS), max(last), 1 + len(TOKENS))
    weights, alone = mels(*output.head.shape, seed=2), []
    for row, length in enumerate(LENGTHS):
        weights[row, last[row] :] = 0
        single = network(signal[row : row + 1, :, :length])
        assert single.downsampled[-1].lengths.tolist() == [last[row]] == [single.head.shape[1]]
        torch.testing.assert_close(output.head[row, : last[row]], single.head[0], atol=1e-4, rtol=1e-4)
        alone.append(gradients(network, signal[row : row + 1, :, :length], None, weights[row : row + 1]))
    for together, parts in zip(gradients(network, signal, torch.tensor(LENGTHS), weights), zip(*alone, strict=True), strict=True):
        expected = torch.stack(parts).sum(dim=0)
        torch.testing.assert_close(together, expected, atol=1e-4 * max(1.0, float(expected.abs().max())), rtol=1e-3)


@every_network
def test_what_lies_past_a_clip_does_not_matter(method: str, encoder: str):
    network, signal, lengths = recogniser(method, encoder=encoder), mels(len(LENGTHS), 80, max(LENGTHS)), torch.tensor(LENGTHS)
    expected = network(signal, lengths)
    longer = F.pad(signal, (0, 5))
    for row, length in enumerate(LENGTHS):
        longer[row, :, length:] = 1e3
    output = network(longer, lengths)
    assert torch.equal(output.downsampled[-1].lengths, expected.downsampled[-1].lengths)
    for row, length in enumerate(expected.downsampled[-1].lengths.tolist()):
        torch.testing.assert_close(output.head[row, :length], expected.head[row, :length], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(output.position_loss, expected.position_loss)


@every_network
@pytest.mark.parametrize("frames", [1, 2, 3])
def test_the_shortest_clips_work(method: str, encoder: str, frames: int):
    network = recogniser(method, encoder=encoder)
    for mode in (network.eval(), network.train()):
        output = mode(mels(2, 80, 3), torch.tensor([3, frames]))
        assert output.head.isfinite().all()
        alone = mode(mels(1, 80, frames))
        assert alone.head.isfinite().all()
        assert alone.head.shape[1] == int(alone.downsampled[-1].lengths[0]) >= 1
        (alone.head.sum() + alone.position_loss).backward()
        assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in network.parameters())


# --- runs


@every_method
def test_the_head_has_a_frame_for_each_of_the_last_layer(method: str):
    network = recogniser(method)
    lengths = torch.tensor(LENGTHS)
    output = network(mels(len(LENGTHS), 80, max(LENGTHS)), lengths)
    first, second = network.downsamplers
    expected = second.output_lengths(first.output_lengths(lengths))
    assert torch.equal(output.downsampled[-1].lengths, expected)
    assert output.head.shape[1] == int(expected.max())
    assert [down.lengths.tolist() for down in output.downsampled] == [first.output_lengths(lengths).tolist(), expected.tolist()]


OTHER_SETTINGS = [LayerSettings(stride=3.0), LayerSettings(sigma=1.5), LayerSettings(variant="adastride-f"), None]


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("settings", OTHER_SETTINGS)
def test_a_resumed_run_is_a_run_from_the_start(settings: LayerSettings | None, encoder: str):
    network, lengths = recogniser(encoder=encoder), torch.tensor(LENGTHS)
    signal = mels(len(LENGTHS), 80, max(LENGTHS))
    first = network(signal, lengths)
    assert len(first.resumes) == 2
    for below in (None, LayerSettings(stride=1.5)):
        expected = network(signal, lengths, [below, settings])
        resumed = network(torch.empty(0), None, [below, settings], network(signal, lengths, [below, None]).resumes)
        torch.testing.assert_close(resumed.head, expected.head)
        assert [len(output.downsampled) for output in (resumed, expected)] == [1, 2]
        torch.testing.assert_close(resumed.downsampled[0].values, expected.downsampled[1].values)
        again = network(torch.empty(0), None, [below, settings], first.resumes[:1])
        torch.testing.assert_close(again.head, expected.head)
        assert len(again.downsampled) == len(again.resumes) == 2


def test_a_run_watches_each_layer_and_changes_nothing():
    network, seen = recogniser(), []
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}

    def watch(layer: int) -> Any:
        seen.append(layer)
        return torch.no_grad()

    output = network(mels(1, 80, 30), settings=[LayerSettings(sigma=2.0), LayerSettings(stride=4.0)], watch=watch)
    assert seen == [0, 1]
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    torch.testing.assert_close(output.position_loss, output.downsampled[0].position_loss + output.downsampled[1].position_loss)
    with pytest.raises(ValueError, match="expected settings for 2 layers, got 3"):
        network(mels(1, 80, 30), settings=[None] * 3)
    with pytest.raises(ValueError, match="length"):
        network(mels(1, 80, 30), torch.tensor([31]))


# --- parts


@every_method
def test_a_norm_stands_exactly_in_front_of_what_places_frames_by_scores(method: str):
    """And a layer that convolves itself takes the place of its block's convolution."""
    network = Recogniser(config(method))
    for block, key in zip(network.subsampling, network.config.methods, strict=True):
        assert (block.norm is not None) == (key in SCORED) == block.downsampler.scored
        assert (block.convolution is None) == (key == "strided-conv")
    hidden = network(mels(1, 80, 30)).resumes[1].hidden
    if method in SCORED:
        torch.testing.assert_close(hidden.mean(dim=1), torch.zeros(1, hidden.shape[2]), atol=1e-5, rtol=0)
        torch.testing.assert_close(hidden.var(dim=1, correction=0), torch.ones(1, hidden.shape[2]), atol=1e-2, rtol=0)


def test_diffstride_has_spectral_pooling_above_it():
    assert config("diffstride").methods == ("diffstride", "spectral-pool")
    for method in METHODS.keys() - {"diffstride"}:
        assert config(method).methods == (method, method)
    with pytest.raises(ValueError, match="there is no method 'pool'"):
        recogniser_options("pool")


def test_every_part_learns():
    network = recogniser(learn_sigma=True).train()
    output = network(mels(3, 80, 40), torch.tensor([40, 22, 31]))
    (output.head.square().sum() + output.position_loss).backward()
    dead = [name for name, parameter in network.named_parameters() if parameter.grad is None or not parameter.grad.any()]
    assert dead == []


def multiply_adds(network: Recogniser, frames: int) -> tuple[int, list[int]]:
    """Those of all linear layers and convolutions for one clip, counted as they run, and the frames at every layer."""
    total = 0

    def count(module: nn.Module, _: Any, result: Tensor) -> None:
        nonlocal total
        each = module.in_features if isinstance(module, nn.Linear) else module.in_channels // module.groups * module.kernel_size[0]
        total += result.numel() * each

    hooks = [module.register_forward_hook(count) for module in network.modules() if isinstance(module, nn.Linear | nn.Conv1d)]
    output = network(mels(1, 80, frames))
    for hook in hooks:
        hook.remove()
    return total, [frames, *(int(down.lengths[0]) for down in output.downsampled)]


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("blocks", [4, 12])
@pytest.mark.parametrize("method", ["avg-pool", "adastride", "strided-conv"])
def test_the_share_of_work_is_that_of_multiply_adds(method: str, blocks: int, encoder: str):
    """It leaves out the projection, which is the same at every stride, and what does not grow with the square of the width."""
    options: dict[str, Any] = {"width": 144, "heads": 4, "blocks": blocks, "kernel_size": 31, "encoder": encoder}
    network = recogniser(method, **options)
    done, frames = multiply_adds(network, 80)
    whole, _ = multiply_adds(recogniser(method, strides=(1.0, 1.0), **options), 80)
    assert frames == [80, 40, 20]
    assert network.work_share(frames) == pytest.approx(done / whole, abs=0.015)
    assert network.work_share([80, 80, 80]) == 1.0


# --- configurations


@pytest.mark.parametrize(("change", "message"), [
    ({"units": "syllables"}, "unknown units"), ({"tokens": ()}, "1 to 10000 tokens"), ({"tokens": ("a", "a")}, "twice"),
    ({"tokens": ("",)}, "a token can't be"), ({"methods": ("avg-pool",)}, "expected 2 methods and strides"),
    ({"strides": (2.0,)}, "expected 2 methods and strides"), ({"strides": (2.0, 0.5)}, "stride"),
    ({"strides": (2.0, float("nan"))}, "stride"),
    ({"methods": ("avg-pool", "pool")}, "unknown method 'pool'"), ({"sigma": 0.0}, "sigma"), ({"sigma": float("inf")}, "sigma"),
    ({"front_end": "eyes"}, "unknown front end"), ({"encoder": "lstm"}, "unknown encoder"), ({"width": 0}, "width must be a whole number"),
    ({"width": 16.0}, "width must be a whole number"), ({"width": 8192}, "width must be a whole number"),
    ({"width": 18}, "multiple of twice the 2 heads"),
    ({"blocks": 0}, "blocks must be a whole number"), ({"blocks": 65}, "blocks must be a whole number"),
    ({"heads": 0}, "heads must be a whole number"),
    ({"kernel_size": 4}, "kernel_size must be odd"), ({"kernel_size": 257}, "kernel_size must be a whole number"),
    ({"dropout": 1.0}, "dropout"),
    ({"dropout": -0.1}, "dropout"), ({"dropout": float("nan")}, "dropout"),
    ({"methods": ("avg-pool",) * 2, "learn_sigma": True}, "no sigma to learn"),
    ({"learn_sigma": 1}, "learn_sigma must be true or false"), ({"parameters": {"smoothness": 4.0}}, "takes a parameter 'smoothness'"),
    ({"parameters": {"sigma": 1.0}}, "takes a parameter 'sigma'"),
    ({"methods": ("diffstride",) * 2, "parameters": {"smoothness": 99.0}}, "smoothness must be a number from 1 to 16"),
    ({"methods": ("diffstride",) * 2, "parameters": {"smoothness": float("nan")}}, "smoothness must be a number from 1 to 16"),
    ({"methods": ("blur-pool",) * 2, "parameters": {"filter_size": 2.5}}, "filter_size must be a whole number from 2 to 7"),
])
def test_what_a_configuration_refuses(change: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        replace(config(), **change)


@pytest.mark.parametrize("whole", [
    config(), config("diffstride", parameters={"smoothness": 2.0}), config("blur-pool", parameters={"filter_size": 5}),
    config(encoder="conformer"),
    config(learn_sigma=True, strides=(1.5, 3.0), sigma=0.7, dropout=0.0, front_end="classification"),
])
def test_a_configuration_comes_back_from_json(whole: RecogniserConfig):
    assert RecogniserConfig.from_dict(json.loads(json.dumps(whole.to_dict()))) == whole
    assert hash(whole) == hash(RecogniserConfig.from_dict(whole.to_dict()))


@pytest.mark.parametrize(("field", "value"), [
    ("tokens", ["a", 1]), ("tokens", "ab"), ("tokens", ["a"] * 10_001), ("width", "16"), ("encoder", ["squeezeformer"]),
    ("encoder", "lstm"), ("blocks", 1e9),
    ("dropout", None), ("parameters", {"smoothness": "4"}), ("beam", 4),
])
def test_a_file_can_not_make_a_configuration_of_anything(field: str, value: Any):
    with pytest.raises(ValueError, match=field):
        RecogniserConfig.from_dict({**config().to_dict(), field: value})


@every_network
def test_a_checkpoint_brings_the_network_back(tmp_path: Path, method: str, encoder: str):
    """Weights are kept in float16, which a logit hardly feels."""
    network, signal = recogniser(method, encoder=encoder), mels(2, 80, 30)
    network.train()(signal)  # statistics that are not those of a new network
    network.eval()
    file = tmp_path / "network.safetensors"
    checkpoints.save_checkpoint(network, file, {})
    for loaded in (checkpoints.load(file), checkpoints.load_bytes(file.read_bytes(), file.name)):
        assert loaded.config == network.config
        assert not loaded.training
        with torch.no_grad():
            one, other = network(signal), loaded(signal)
        if METHODS[method].kind == "adaptive":  # frames at a border may fall to the other side, whole logits may move
            assert one.head.shape == other.head.shape
            assert float((one.head - other.head).abs().median()) < 0.02
        else:
            torch.testing.assert_close(other.head, one.head, atol=0.03, rtol=0)


def test_memory_follows_from_the_configuration_before_any_is_taken(tmp_path: Path):
    """A file that names sizes which its tensors do not have is refused before a network of that size is made."""
    network = recogniser()
    checkpoints.save_checkpoint(network, tmp_path / "small.safetensors", {})
    object.__setattr__(network.config, "width", 4096)
    object.__setattr__(network.config, "blocks", 64)
    checkpoints.save_checkpoint(network, tmp_path / "large.safetensors", {})
    checkpoints.load(tmp_path / "small.safetensors")
    with pytest.raises(checkpoints.CheckpointError, match="lacks tensor"):
        checkpoints.load(tmp_path / "large.safetensors")


def test_the_default_network_has_the_unet():
    encoder = Recogniser(RecogniserConfig("words", TOKENS)).encoder
    assert isinstance(encoder, Squeezeformer)
    assert encoder.reduced < encoder.recovered < len(encoder.blocks) == 4


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("method", METHODS)
def test_cuda_gives_the_numbers_of_the_cpu(method: str):
    """For clips of unequal lengths, whose attention is computed at once there; convolutions may be rounded to 10 bits (TF32)."""
    network, signal, lengths = recogniser(method), mels(5, 80, 157), torch.tensor([157, 120, 90, 31, 12])
    expected = network(signal, lengths)
    found = network.cuda()(signal.cuda(), lengths.cuda())
    assert found.downsampled[-1].lengths.tolist() == expected.downsampled[-1].lengths.tolist()
    torch.testing.assert_close(found.head.cpu(), expected.head, atol=2e-2, rtol=1e-2)
