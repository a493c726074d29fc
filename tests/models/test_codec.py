"""The codec keeps the contract of networks: lengths, padding, settings, resumed runs, configurations and checkpoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_codecs import codec, mels, speech

from adastride import alignment as maths
from adastride import checkpoints
from adastride.downsampling import METHODS, LayerSettings
from adastride.inspection.tracing import trace
from adastride.models import Codec, CodecConfig
from adastride.models.codec import Upsampling, codec_options, origins_of

METHODS_HERE = ("strided-conv", "spectral-pool", "adastride", "adastride-f", "diffstride", "max-pool", "cif", "a-tome")
some_methods = pytest.mark.parametrize("method", METHODS_HERE)
SOFT = {"adastride", "lpf-adastride"}


# --- lengths and padding


@pytest.mark.parametrize("method", METHODS)
def test_a_reconstruction_is_as_long_as_its_mel(method: str):
    network = codec(method)
    for frames in range(1, 41):
        output = network(mels(1, 80, frames))
        assert output.head.shape == (1, 80, frames)
        assert output.head.isfinite().all()
        count = int(output.downsampled[-1].lengths[0])
        assert output.codes.shape == (1, count)
        assert output.origins.shape == (1, frames)
        assert bool((output.origins.diff(dim=1) >= 0).all())
        assert 0 <= int(output.origins.min()) <= int(output.origins.max()) < count


@pytest.mark.parametrize("method", METHODS_HERE)
@settings(max_examples=15)
@given(st.lists(st.integers(1, 40), min_size=2, max_size=4), st.integers(0, 100), st.integers(0, 3))
def test_padding_changes_neither_codes_nor_reconstruction(method: str, lengths: list[int], seed: int, extra: int):
    network, signal = codec(method), mels(len(lengths), 80, max(lengths) + extra, seed=seed)
    for row, length in enumerate(lengths):
        signal[row, :, length:] = 1e3
    output = network(signal, torch.tensor(lengths))
    for row, length in enumerate(lengths):
        alone = network(signal[row : row + 1, :, :length])
        count = int(alone.downsampled[-1].lengths[0])
        assert int(output.downsampled[-1].lengths[row]) == count
        assert torch.equal(output.codes[row, :count], alone.codes[0])
        assert (output.codes[row, count:] == -1).all()
        assert torch.equal(output.origins[row, :length], alone.origins[0])
        assert (output.origins[row, length:] == -1).all()
        torch.testing.assert_close(output.head[row, :, :length], alone.head[0], atol=1e-3, rtol=1e-3)
        assert not output.head[row, :, length:].any()


@some_methods
def test_padding_changes_no_gradient_and_no_codebook(method: str):
    """In training: what lies past a clip enters neither the loss nor the running means."""
    lengths = torch.tensor([23, 40, 9])
    results = []
    for padding in (0.0, 1e3):
        network, signal = codec(method).train().requires_grad_(True), mels(3, 80, 40)
        for row, length in enumerate(lengths.tolist()):
            signal[row, :, length:] = padding
        torch.manual_seed(3)
        output = network(signal, lengths)
        (output.head.square().mean() + output.commitment + output.position_loss).backward()
        results.append([*(p.grad for p in network.parameters() if p.grad is not None), *network.quantiser.buffers()])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


# --- the way back


@given(st.lists(st.integers(1, 30), min_size=1, max_size=3), st.floats(1.0, 5.0), st.integers(0, 100))
def test_the_columns_of_the_way_back_sum_to_1(lengths: list[int], stride: float, seed: int):
    """Ones come back as ones, whatever the lengths: each frame is a weighted mean of output frames, and padding takes no part."""
    generator = torch.Generator().manual_seed(seed)
    counts = torch.tensor(lengths)
    positions = maths.unit_positions(torch.randn(len(lengths), max(lengths), generator=generator, dtype=torch.float64), counts)
    alignment = maths.Alignment(positions, counts, maths.output_lengths(counts, stride), 10**-0.5, dtype=torch.float64)
    upsampling = Upsampling.of(alignment, counts, max(lengths))
    ones = maths.length_mask(alignment.output_lengths, alignment.frames)[:, None].double()
    valid = maths.length_mask(counts, max(lengths))[:, None].double()
    torch.testing.assert_close(upsampling(ones), valid)
    frames = torch.randn(len(lengths), 2, alignment.frames, generator=generator, dtype=torch.float64)
    for row, (length, count) in enumerate(zip(lengths, alignment.output_lengths.tolist(), strict=True)):
        distances = (alignment.positions[row, :length, None] - torch.arange(count)).square()
        expected = frames[row, :, :count] @ torch.softmax(-10 * distances, dim=1).T
        torch.testing.assert_close(upsampling(frames)[row, :, :length], expected, atol=1e-8, rtol=1e-6)
        nearest = torch.softmax(-10 * distances, dim=1).round(decimals=9).argmax(dim=1)
        assert torch.equal(upsampling.origins[row, :length], nearest)


@some_methods
def test_only_adastride_comes_back_softly(method: str):
    network, signal = codec(method), mels(1, 80, 33)
    output = network(signal)
    down = output.downsampled[-1]
    upsampling = Upsampling.of(down.alignment, down.alignment.lengths, 9)
    assert (upsampling.alignment is not None) == (method in SOFT)


def test_fixed_strides_repeat_their_frames():
    network = codec("strided-conv")
    for stride in (1, 2, 3, 5):
        output = network(mels(1, 80, 13), settings=[LayerSettings(stride=stride), None, None])
        origins = origins_of(output.downsampled[0].alignment, 13)
        assert origins[0].tolist() == [frame // stride for frame in range(13)]


# --- runs


@some_methods
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_a_resumed_run_gives_what_a_whole_run_gives(method: str, layer: int):
    network, signal, lengths = codec(method), mels(3, 80, 37), torch.tensor([37, 20, 5])
    whole = network(signal, lengths)
    chosen = [None] * layer + [LayerSettings(stride=3.0)] + [None] * (2 - layer)
    expected = network(signal, lengths, chosen)
    resumed = network(torch.empty(0), settings=chosen, resumes=whole.resumes[: layer + 1])
    assert len(resumed.downsampled) == 3 - layer
    for name in ("head", "codes", "origins", "signal", "lengths"):
        torch.testing.assert_close(getattr(resumed, name), getattr(expected, name), msg=name)
    last, before = expected.downsampled[-1].values, whole.downsampled[-1].values
    assert last.shape != before.shape or not torch.equal(last, before)


@pytest.mark.parametrize("chosen", [
    LayerSettings(sigma=0.3), LayerSettings(stride=1.0), LayerSettings(stride=7.3), LayerSettings(variant="adastride-f"),
])
def test_the_decoder_follows_the_settings_of_the_adaptive_layer(chosen: LayerSettings):
    network, signal = codec("adastride"), mels(1, 80, 61)
    as_trained, other = network(signal), network(signal, settings=[None, None, chosen])
    assert other.head.shape == as_trained.head.shape
    assert not torch.equal(other.head, as_trained.head)


def test_a_run_in_evaluation_changes_nothing():
    network = codec()
    before = network.fingerprint
    network(mels(2, 80, 30))
    assert network.fingerprint == before


def test_layer_normalisation_stands_before_what_places_frames_and_nowhere_else():
    assert [block.norm is not None for block in codec("adastride").encoder] == [False] * 4 + [True, False]
    assert not any(block.norm is not None for block in codec("spectral-pool").encoder)


def test_a_trace_shows_codes_and_reconstruction_and_resumes():
    network, waveform = codec("adastride"), speech(0.7)
    whole = trace(network, waveform)
    coarser = trace(network, waveform, [LayerSettings(), LayerSettings(), LayerSettings(stride=4.0)], whole)
    segments, picture, _ = coarser.prediction.lanes
    assert picture.values.shape == coarser.mel.shape == whole.mel.shape
    assert len(segments.segments) < len(whole.prediction.lanes[0].segments)
    assert coarser.layers[:2] == whole.layers[:2]
    assert segments.segments[-1].end == pytest.approx(waveform.seconds)
    fresh = trace(network, waveform, [LayerSettings(), LayerSettings(), LayerSettings(stride=4.0)])
    assert (fresh.prediction.arrays["reconstruction"] == coarser.prediction.arrays["reconstruction"]).all()


def test_a_sound_of_another_rate_is_resampled():
    """Pages decode at 16 kHz, and this network hears 22 050 Hz."""
    high, low = trace(codec(), speech(0.7)), trace(codec(), speech(0.7, rate=16_000))
    assert low.mel.shape == high.mel.shape
    assert abs(low.mel - high.mel)[:60].mean() < 0.2


# --- configurations and checkpoints


def test_the_methods_take_their_places():
    assert codec_options("spectral-pool") == {"methods": ("strided-conv", "strided-conv", "spectral-pool")}
    with pytest.raises(ValueError, match="there is no method 'wavelets'"):
        codec_options("wavelets")
    config = CodecConfig()
    assert config.mel.sample_rate == 22_050
    assert config.sigma**-2 == pytest.approx(1.0)
    assert CodecConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(("fields", "said"), [
    ({"methods": ("adastride",) * 3}, "the lower methods of a codec must be strided-conv"),
    ({"methods": ("strided-conv",) * 2}, "expected 3 methods"),
    ({"methods": ("strided-conv", "strided-conv", "wavelets")}, "unknown method"),
    ({"codes": 1}, "codes must be a whole number from 2"),
    ({"width": 0}, "width must be"),
    ({"front_end": "radio"}, "unknown front end"),
    ({"sigma": -1.0}, "sigma"),
    ({"methods": ("strided-conv",) * 3, "learn_sigma": True}, "there is no sigma to learn"),
])
def test_what_a_configuration_refuses(fields: dict[str, Any], said: str):
    with pytest.raises(ValueError, match=said):
        CodecConfig(**fields)


def test_the_codebook_stays_as_exact_as_it_is_in_a_checkpoint(tmp_path: Path):
    network = codec().train()
    network(mels(2, 80, 60))
    network.eval()
    checkpoints.save_checkpoint(network, tmp_path / "m.safetensors", {})
    loaded = checkpoints.load(tmp_path / "m.safetensors")
    assert isinstance(loaded, Codec)
    for name in ("codebook", "counts", "sums"):
        assert torch.equal(getattr(loaded.quantiser, name), getattr(network.quantiser, name))
    again = checkpoints.load_bytes((tmp_path / "m.safetensors").read_bytes(), "m.safetensors")
    assert again.fingerprint == loaded.fingerprint


def test_the_work_that_is_left_at_each_stride():
    network = codec("strided-conv")
    assert network.work_share([80, 80, 80, 80]) == pytest.approx(1.0)
    assert network.work_share([80, 40, 20, 5]) < network.work_share([80, 40, 20, 10])


def test_it_learns_a_constant():
    """After training on mels that do not change in time, one comes back from one code that is repeated."""
    torch.manual_seed(0)
    network = Codec(CodecConfig(codes=8, width=16, methods=codec_options("adastride")["methods"])).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=5e-3)
    for _ in range(300):
        levels = torch.tensor([-8.0, -5.0, -3.0, -1.0])[torch.randint(0, 4, (8,))]
        signal = levels[:, None, None].expand(-1, 80, 48)
        output = network(signal)
        loss = (output.head - signal).abs().mean() + 0.1 * output.commitment + output.position_loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    network.eval()
    signal = torch.full((1, 80, 48), -3.0)
    with torch.no_grad():
        output = network(signal)
    inner = output.codes[0, 1:-1]
    assert len(inner) == 4
    assert len(set(inner.tolist())) == 1
    assert float((output.head - signal).abs().mean()) < 0.5, "the next level is 2 away"
