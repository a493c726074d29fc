"""Audio transformers keep the contract of networks: padding, settings, resumed runs, sizes and configurations."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from made_up_networks import unsettle
from torch import Tensor

from adastride import audio
from adastride.downsampling import METHODS, LayerSettings
from adastride.models import AST, AudioTransformer, AudioTransformerConfig, ElasticAST
from adastride.models.elastic import pack_rows

LABELS = ("one", "two", "three")
LENGTHS = [37, 70, 5, 48]
BANDS = 128
FRONTS = [None, *METHODS]
every_front = pytest.mark.parametrize("front", FRONTS, ids=str)


def config(**options: Any) -> AudioTransformerConfig:
    if "front" in options:  # None for none, as parametrised tests have it
        front, stride = options.pop("front"), options.pop("stride", 2.0)
        options = {"methods": () if front is None else (front,), "strides": () if front is None else (stride,), **options}
    return AudioTransformerConfig(LABELS, **{"width": 16, "blocks": 2, "heads": 2, "row_tokens": 40, **options})


def transformer(**options: Any) -> AudioTransformer:
    """An untrained network whose positions are not those of a fixed stride, and whose biases are not 0."""
    torch.manual_seed(0)
    network = AudioTransformer(config(**options)).eval()
    unsettle(network)
    if hasattr(network.front, "score"):
        torch.nn.init.normal_(network.front.score.weight, std=0.1)
    return network


def mels(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 5


# --- padding


@every_front
@pytest.mark.parametrize("frames", [None, 24])
def test_a_clip_in_a_batch_is_a_clip_alone(front: str | None, frames: int | None):
    """Values and gradients, whatever the padding holds, NaN included."""
    network, lengths, weights = transformer(front=front, frames=frames), torch.tensor(LENGTHS), mels(len(LENGTHS), len(LABELS), seed=2)
    signal = mels(len(LENGTHS), BANDS, max(LENGTHS) + 3)
    for row, length in enumerate(LENGTHS):
        signal[row, :, length:] = torch.nan
    output = network(signal, lengths)
    alone = [network(signal[row : row + 1, :, :length]) for row, length in enumerate(LENGTHS)]
    torch.testing.assert_close(output.head, torch.cat([one.head for one in alone]), atol=1e-5, rtol=1e-5)
    together, parts = (
        torch.autograd.grad((head * weights).sum(), list(network.parameters()), allow_unused=True, materialize_grads=True)
        for head in (output.head, torch.cat([one.head for one in alone]))
    )
    for ours, expected in zip(together, parts, strict=True):
        torch.testing.assert_close(ours, expected, atol=1e-4 * max(1.0, float(expected.abs().max())), rtol=1e-4)


@every_front
@pytest.mark.parametrize("frames", [1, 2, 3])
def test_the_shortest_clips_work(front: str | None, frames: int):
    network = transformer(front=front, dropout=0.1)
    for mode in (network.eval(), network.train()):
        output = mode(mels(2, BANDS, 3), torch.tensor([3, frames]))
        (output.head.sum() + output.position_loss).backward()
        assert output.head.isfinite().all()
        assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in network.parameters())


# --- runs


def test_the_head_is_the_transformer_s_answer_for_centred_mels():
    network, signal = transformer(), mels(len(LENGTHS), BANDS, max(LENGTHS))
    output = network(signal, torch.tensor(LENGTHS))
    expected = network.transformer([(signal[row, :, :length] + 5) / 4 for row, length in enumerate(LENGTHS)])
    torch.testing.assert_close(output.head, expected)
    assert (output.downsampled, output.resumes, float(output.position_loss), network.downsamplers) == ((), (), 0.0, [])
    assert pack_rows([network.transformer.tokens_of(length) for length in LENGTHS], 40) == [0, 1, 2, 2]  # two clips share a row


@pytest.mark.parametrize("front", METHODS)
def test_the_layer_in_front_makes_the_mel_shorter_in_time(front: str):
    network, lengths = transformer(front=front, stride=3.0), torch.tensor(LENGTHS)
    (layer,) = network.downsamplers
    output = network(mels(len(LENGTHS), BANDS, max(LENGTHS)), lengths)
    assert (layer.channels, network.config.methods, network.config.strides) == (BANDS, (front,), (3.0,))
    (down,) = output.downsampled
    assert down.lengths.equal(layer.output_lengths(lengths))
    assert down.values.shape[1] == BANDS
    expected = network.transformer([values[:, :length] for values, length in zip(down.values, down.lengths.tolist(), strict=True)])
    torch.testing.assert_close(output.head, expected)
    torch.testing.assert_close(output.position_loss, down.position_loss)


@pytest.mark.parametrize("front", ["avg-pool", "adastride"])
def test_what_is_in_front_leaves_a_steady_mel_as_it_is(front: str):
    """Half the frames of a mel that doesn't change are the same mel, and half of its tokens say the same."""
    network, mel = transformer(front=front), mels(1, BANDS, 1).expand(1, BANDS, 64)
    output = network(mel)
    torch.testing.assert_close(output.downsampled[0].values, (mel[:, :, :32] + 5) / 4, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(output.head, network.transformer([(mel[0, :, :32] + 5) / 4]), atol=1e-4, rtol=1e-4)


def test_adastride_in_front_is_uniform_at_first_and_learns_to_be_otherwise():
    torch.manual_seed(0)
    network, signal = AudioTransformer(config(front="adastride")), mels(2, BANDS, 64)
    (down,) = network(signal).downsampled
    torch.testing.assert_close(down.alignment.positions.float(), torch.linspace(0, 31, 64).expand(2, -1))
    weight = network.front.score.weight
    output = network(signal)
    (gradient,) = torch.autograd.grad(F.cross_entropy(output.head, torch.tensor([0, 1])) + output.position_loss, weight)
    with torch.no_grad():
        weight -= 0.1 * gradient / gradient.abs().max()
    (down,) = network(signal).downsampled
    assert (down.alignment.positions.float() - torch.linspace(0, 31, 64)).abs().max() > 0.1


OTHER_SETTINGS = [LayerSettings(stride=3.0), LayerSettings(sigma=1.5), LayerSettings(variant="adastride-f"), None]


@pytest.mark.parametrize("settings", OTHER_SETTINGS, ids=str)
def test_a_resumed_run_is_a_run_from_the_start(settings: LayerSettings | None):
    network, lengths, signal = transformer(front="adastride"), torch.tensor(LENGTHS), mels(len(LENGTHS), BANDS, max(LENGTHS))
    first, expected = network(signal, lengths), network(signal, lengths, [settings])
    resumed = network(torch.empty(0), None, [settings], first.resumes)
    torch.testing.assert_close(resumed.head, expected.head)
    torch.testing.assert_close(resumed.position_loss, expected.position_loss)
    assert len(resumed.resumes) == len(resumed.downsampled) == 1
    assert settings is None or not torch.equal(resumed.head, first.head)


def test_a_run_watches_the_layer_and_changes_nothing():
    network, seen = transformer(front="adastride"), []
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}

    def watch(layer: int) -> Any:
        seen.append(layer)
        return nullcontext()

    network(mels(1, BANDS, 30), settings=[LayerSettings(sigma=2.0, stride=4.0)], watch=watch)
    transformer()(mels(1, BANDS, 30), watch=watch)
    assert seen == [0]
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize(("front", "layers"), [(None, 0), ("adastride", 1)])
def test_settings_of_another_number_of_layers_are_refused(front: str | None, layers: int):
    with pytest.raises(ValueError, match=f"expected settings for {layers} layers, got 2"):
        transformer(front=front)(mels(1, BANDS, 30), settings=[None] * 2)
    with pytest.raises(ValueError, match="length"):
        transformer(front=front)(mels(1, BANDS, 30), torch.tensor([31]))


def test_a_sound_of_another_rate_is_heard():
    """The front end is the paper's: 128 bands, a window of 25 ms and a frame shift of 10 ms."""
    tone = np.sin(2 * np.pi * 440 * np.arange(22_050) / 22_050).astype(np.float32)
    network = transformer()
    signal = network.signal(audio.from_samples(tone, 22_050, 22_050))
    assert signal.shape == (1, BANDS, 101)
    assert network(signal).head.shape == (1, len(LABELS))


# --- sizes


def test_frames_choose_between_elastic_and_the_standard_ast():
    assert isinstance(transformer().transformer, ElasticAST)
    standard = transformer(frames=32).transformer
    assert isinstance(standard, AST)
    assert standard.frames == 32


@pytest.mark.parametrize("frames", [None, 40])
@pytest.mark.parametrize("options", [{}, {"front": "adastride", "learn_sigma": True}, {"front": "diffstride"}], ids=str)
def test_every_part_learns(options: dict[str, Any], frames: int | None):
    network = transformer(frames=frames, **options).train()
    output = network(mels(4, BANDS, max(LENGTHS)), torch.tensor(LENGTHS))
    (output.head.square().sum() + output.position_loss).backward()
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None or not parameter.grad.any()] == []


def test_the_share_of_work_is_that_of_multiply_adds():
    network = transformer(front="avg-pool", stride=2.0)
    tokens = [network.transformer.tokens_of(frames) for frames in (160, 80)]
    assert tokens == [80, 40]
    each = [count * (12 * 16 + 2 * count) for count in tokens]
    assert network.work_share([160, 80]) == pytest.approx(each[1] / each[0])
    assert (network.work_share([160, 160]), transformer().work_share([160]), transformer(frames=32).work_share([160])) == (1.0, 1.0, 1.0)


def test_the_fingerprint_knows_how_the_network_is_put_together():
    different: list[dict[str, Any]] = [{}, {"frames": 48}, {"front": "adastride"}, {"front": "adastride-f"}]
    assert len({transformer(**options).fingerprint for options in different}) == len(different)


# --- configurations


@pytest.mark.parametrize(("change", "message"), [
    ({"methods": ("pool",)}, "unknown method 'pool'"), ({"labels": ("a",)}, "at least two different names"),
    ({"labels": ("a", "a")}, "two different names"), ({"methods": ("avg-pool",), "strides": (0.5,)}, "stride"),
    ({"methods": ("avg-pool",), "strides": (float("nan"),)}, "stride"),
    ({"strides": (2.0,)}, "at most one method and its stride"), ({"methods": ("avg-pool",) * 2}, "at most one method and its stride"),
    ({"sigma": 0.0}, "sigma"), ({"front_end": "eyes"}, "unknown front end"),
    ({"width": 0}, "width must be a whole number"), ({"width": 16.0}, "width must be a whole number"), ({"width": 18}, "twice the 2 heads"),
    ({"blocks": 0}, "blocks must be a whole number"), ({"heads": 65}, "heads must be a whole number"),
    ({"patch": 24}, "patch must divide the 128 bands of audio-transformer, got 24"), ({"patch": 0}, "patch must be a whole number"),
    ({"frames": 0}, "frames must be a whole number from 1"), ({"frames": 1.5}, "frames must be a whole number"),
    ({"row_tokens": 0}, "row_tokens must be a whole number"), ({"row_tokens": None}, "row_tokens must be a whole number"),
    ({"dropout": 1.0}, "dropout"), ({"dropout": float("nan")}, "dropout"), ({"best_fit": 1}, "best_fit must be true or false"),
    ({"learn_sigma": True}, "there is none: choose one"), ({"parameters": {"smoothness": 4.0}}, "there is none: choose one"),
    ({"methods": ("avg-pool",), "learn_sigma": True}, "no sigma to learn in avg-pool"),
    ({"methods": ("adastride",), "learn_sigma": 1}, "learn_sigma must be true or false"),
    ({"methods": ("diffstride",), "parameters": {"smoothness": 99.0}}, "smoothness must be a number from 1 to 16"),
])
def test_what_a_configuration_refuses(change: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        replace(config(), **change)


@pytest.mark.parametrize("whole", [
    config(), config(front="adastride", learn_sigma=True, stride=1.5, sigma=0.7), config(frames=1024, best_fit=True, dropout=0.0),
    config(front="diffstride", parameters={"smoothness": 2.0}), config(front_end="classification", patch=8),
], ids=str)
def test_a_configuration_comes_back_from_json(whole: AudioTransformerConfig):
    back = AudioTransformerConfig.from_dict(json.loads(json.dumps(whole.to_dict())))
    assert back == whole
    assert hash(back) == hash(whole)


@pytest.mark.parametrize(("field", "value"), [
    ("labels", ["a", 1]), ("width", "16"), ("methods", [3]), ("methods", ["lstm"]), ("frames", "32"), ("best_fit", 1), ("beam", 4),
])
def test_a_file_can_not_make_a_configuration_of_anything(field: str, value: Any):
    with pytest.raises(ValueError, match="lstm" if value == ["lstm"] else field):
        AudioTransformerConfig.from_dict({**config().to_dict(), field: value})


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("frames", [None, 24])
@every_front
def test_cuda_gives_the_numbers_of_the_cpu(front: str | None, frames: int | None):
    """There attention works on rows and masks; products may be rounded to 10 bits (TF32)."""
    network, signal, lengths = transformer(front=front, frames=frames), mels(len(LENGTHS), BANDS, max(LENGTHS)), torch.tensor(LENGTHS)
    expected = network(signal, lengths).head
    torch.testing.assert_close(network.cuda()(signal.cuda(), lengths.cuda()).head.cpu(), expected, atol=2e-2, rtol=1e-2)
