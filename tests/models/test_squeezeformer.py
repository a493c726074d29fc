"""The Squeezeformer encoder against plain code: one clip at a time, and attention with a loop over every query, key and head."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from unittest.mock import patch

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from adastride.models import squeezeformer
from adastride.models.squeezeformer import ConvolutionModule, Lines, RelativeAttention, Squeezeformer, SqueezeformerBlock, alike

lengths_of_clips = st.lists(st.integers(1, 40), min_size=1, max_size=5)


def seeded(module: nn.Module, seed: int = 0) -> nn.Module:
    """The module in float64 and evaluation mode, every weight and statistic drawn at random, so that none is still 0 or 1."""
    generator = torch.Generator().manual_seed(seed)
    module = module.double().eval()
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            drawn = torch.randn(tensor.shape, generator=generator, dtype=torch.float64) * (0.3 if tensor.dim() > 1 else 0.5)
            tensor.copy_(drawn.abs() + 0.5 if name.endswith("running_var") else drawn)
    return module


def noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# --- plain code


def plain_distance(distance: int, width: int) -> list[float]:
    """Sines and cosines of a distance, one after the other, the fastest first."""
    values = []
    for pair in range(width // 2):
        angle = distance / 10_000 ** (2 * pair / width)
        values += [math.sin(angle), math.cos(angle)]
    return values


def plain_attention(attention: RelativeAttention, x: Tensor) -> Tensor:
    """Equation of Transformer-XL's section 3.3 for one clip (frames, width), softmax over the keys within the context."""
    frames, width = x.shape
    size = width // attention.heads
    weights, biases = attention.inputs.weight.chunk(3), attention.inputs.bias.chunk(3)
    query, key, value = (x @ weight.T + bias for weight, bias in zip(weights, biases, strict=True))
    result = torch.zeros(frames, width, dtype=torch.float64)
    for head in range(attention.heads):
        own = slice(head * size, (head + 1) * size)
        u, v = attention.content_bias[head, 0], attention.position_bias[head, 0]
        for i in range(frames):
            scores, keys = [], [j for j in range(frames) if abs(i - j) <= attention.context]
            for j in keys:
                position = attention.positions.weight[own] @ torch.tensor(plain_distance(i - j, width), dtype=torch.float64)
                scores.append(((query[i, own] + u) @ key[j, own] + (query[i, own] + v) @ position) / math.sqrt(size))
            for weight, j in zip(torch.stack(scores).softmax(dim=0), keys, strict=True):
                result[i, own] += weight * value[j, own]
    return result @ attention.output.weight.T + attention.output.bias


def plain_normalised(x: Tensor, norm: nn.LayerNorm) -> Tensor:
    centred = x - x.mean(dim=1, keepdim=True)
    return centred / (centred.square().mean(dim=1, keepdim=True) + norm.eps).sqrt() * norm.weight + norm.bias


def plain_convolution(x: Tensor, convolution: nn.Conv1d) -> Tensor:
    """One clip (frames, channels), each channel on its own, zeros around it."""
    (kernel,), (stride,) = convolution.kernel_size, convolution.stride
    rows = []
    for middle in range(0, len(x), stride):
        row = convolution.bias.clone()
        for tap in range(kernel):
            frame = middle + tap - kernel // 2
            if 0 <= frame < len(x):
                row = row + convolution.weight[:, 0, tap] * x[frame]
        rows.append(row)
    return torch.stack(rows)


def plain_swish(x: Tensor) -> Tensor:
    return x / (1 + (-x).exp())


def plain_block(block: SqueezeformerBlock, x: Tensor) -> Tensor:
    """Attention, feed-forward, convolution, feed-forward, each behind a scaling, added, and normalised after that."""
    attention, first, module, second = block.modules_in_order

    def forward(feed, x: Tensor) -> Tensor:
        return plain_swish(x @ feed.inner.weight.T + feed.inner.bias) @ feed.outer.weight.T + feed.outer.bias

    def convolve(x: Tensor) -> Tensor:
        x = plain_convolution(plain_swish(x @ module.inner.weight.T + module.inner.bias), module.depthwise)
        x = (x - module.norm.running_mean) / (module.norm.running_var + module.norm.eps).sqrt() * module.norm.weight + module.norm.bias
        return plain_swish(x) @ module.outer.weight.T + module.outer.bias

    steps = (lambda x: plain_attention(attention, x), lambda x: forward(first, x), convolve, lambda x: forward(second, x))
    for step, scaling, norm in zip(steps, block.scalings, block.norms, strict=True):
        x = plain_normalised(x + step(x * scaling.gamma + scaling.beta), norm)
    return x


def plain_encoder(encoder: Squeezeformer, x: Tensor, halving: int | None) -> Tensor:
    """One clip (frames, width). halving: the block in front of which the rate is halved; it is doubled in front of the last one."""
    x = plain_normalised(x, encoder.norm)
    whole = x
    for index, block in enumerate(encoder.blocks):
        if index == halving:
            whole = x
            x = plain_convolution(x, encoder.depthwise) @ encoder.pointwise.weight.T + encoder.pointwise.bias
        if halving is not None and index == len(encoder.blocks) - 1:
            recovered = x @ encoder.recovery.weight.T + encoder.recovery.bias
            x = torch.stack([whole[frame] + recovered[frame // 2] for frame in range(len(whole))])
        x = plain_block(block, x)
    return x


# --- attention


@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize("frames", [1, 2, 3, 7, 12])
def test_attention_is_transformer_xl(frames: int, heads: int):
    attention, x = seeded(RelativeAttention(6, heads)), noise(frames, 6)
    # Distances are worked out in float32, as everywhere in the network.
    torch.testing.assert_close(attention(x, Lines([frames])), plain_attention(attention, x), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("context", [1, 2, 4])
def test_attention_in_blocks_sees_the_context_and_no_more(context: int):
    attention = seeded(RelativeAttention(4, 2, context))
    for frames in range(1, 21 if context == 4 else 10):
        x = noise(frames, 4, seed=frames)
        torch.testing.assert_close(attention(x, Lines([frames])), plain_attention(attention, x), atol=1e-6, rtol=1e-6)


@given(lengths_of_clips)
@settings(max_examples=25)
def test_clips_of_a_line_do_not_see_each_other(lengths: list[int]):
    attention, x = seeded(RelativeAttention(4, 2, context=5)), noise(sum(lengths), 4)
    alone = torch.cat([attention(clip, Lines([len(clip)])) for clip in x.split(lengths)])
    torch.testing.assert_close(attention(x, Lines(lengths)), alone)


@given(lengths_of_clips, st.sampled_from([2, 5, 99]))
@settings(max_examples=40)
def test_attention_of_clips_of_unequal_lengths_at_once_is_each_clips_own(lengths: list[int], context: int):
    """This is how it is done on a GPU."""
    attention, x = seeded(RelativeAttention(4, 2, context)), noise(sum(lengths), 4).requires_grad_()
    alone = torch.cat([attention(clip, Lines([len(clip)])) for clip in x.split(lengths)])
    weights = noise(sum(lengths), 4, seed=1)
    (expected,) = torch.autograd.grad((alone * weights).sum(), x)
    with patch.object(squeezeformer, "_ALIKE_ON_CPU", 100.0):
        together = attention(x, Lines(lengths))
    (gradient,) = torch.autograd.grad((together * weights).sum(), x)
    torch.testing.assert_close(together, alone)
    torch.testing.assert_close(gradient, expected)


def test_clips_are_alike_where_the_longest_is_not_much_longer_than_the_shortest():
    assert alike([10, 14, 15, 16, 24, 10], 1.5) == [[0, 5, 1, 2], [3, 4]]
    assert alike([3, 3, 4], 1.0) == [[0, 1], [2]]


# --- lines


@given(lengths_of_clips, st.sampled_from([1, 2]), st.sampled_from([1, 3, 31]))
def test_convolving_a_line_is_convolving_each_clip_alone(lengths: list[int], stride: int, kernel: int):
    convolution = seeded(nn.Conv1d(2, 2, kernel, stride=stride, padding=kernel // 2, groups=2))
    line = noise(sum(lengths), 2)
    alone = torch.cat([plain_convolution(clip, convolution) for clip in line.split(lengths)])
    lines = Lines(lengths)
    torch.testing.assert_close(lines.convolve(line, convolution), alone)
    if stride == 2:
        assert len(alone) == sum(lines.halved().lengths)


@given(lengths_of_clips, st.integers(0, 3))
def test_a_line_is_split_as_it_was_joined(lengths: list[int], padding: int):
    x = noise(len(lengths), 3, max(lengths) + padding)
    lines = Lines(lengths)
    line = lines.join(x)
    torch.testing.assert_close(line, torch.cat([clip[:, :length].T for clip, length in zip(x, lengths, strict=True)]))
    for clip, row, length in zip(x, lines.split(line), lengths, strict=True):
        assert torch.equal(row[:length], clip[:, :length].T)
        assert not row[length:].any()


# --- the encoder


def test_a_block_is_that_of_the_paper():
    block, x = seeded(SqueezeformerBlock(8, 2, 5)), noise(11, 8)
    torch.testing.assert_close(block(x, Lines([11])), plain_block(block, x), atol=1e-5, rtol=1e-5)


# Seven of sixteen blocks, as in the paper, rounded; fewer than three blocks have no U-Net.
HALVINGS = {1: None, 2: None, 3: 1, 4: 2, 5: 2}


@pytest.mark.parametrize("blocks", HALVINGS)
def test_the_encoder_is_a_loop_over_clips(blocks: int):
    encoder = seeded(Squeezeformer(4, blocks, 2, 3))
    lengths = [6, 1, 2, 9]
    x = noise(len(lengths), 4, 10)  # one frame more than the longest has
    result = encoder(x, lengths)
    assert result.shape == (4, 9, 4)
    for clip, row, length in zip(x, result, lengths, strict=True):
        torch.testing.assert_close(row[:length], plain_encoder(encoder, clip[:, :length].T, HALVINGS[blocks]), atol=1e-5, rtol=1e-5)
        assert not row[length:].any()


def test_sixteen_blocks_halve_where_the_paper_does():
    encoder = Squeezeformer(2, 16, 1, 1)
    assert (encoder.reduced, encoder.recovered) == (7, 15)


def gradients(encoder: nn.Module, x: Tensor, lengths: Sequence[int], weights: Tensor) -> list[Tensor]:
    """Of a weighted sum of what the encoder returns: the gradients of its parameters."""
    time = max(lengths)
    return list(torch.autograd.grad((encoder(x, lengths) * weights[:, :time]).sum(), list(encoder.parameters())))


def test_the_gradient_of_a_batch_is_the_sum_of_those_of_its_clips():
    encoder = seeded(Squeezeformer(4, 3, 2, 5))
    lengths = [7, 3, 1, 8]
    x, weights = noise(4, 4, 8), noise(4, 8, 4, seed=2)
    alone = [gradients(encoder, x[row : row + 1, :, :length], [length], weights[row : row + 1]) for row, length in enumerate(lengths)]
    for together, parts in zip(gradients(encoder, x, lengths, weights), zip(*alone, strict=True), strict=True):
        torch.testing.assert_close(together, torch.stack(parts).sum(dim=0))


def test_statistics_are_of_valid_frames_only():
    """The running mean and variance move by a tenth towards those of the frames of all clips, of which the variance is unbiased."""
    module, lengths = seeded(ConvolutionModule(3, 5)), [4, 1, 6]
    mean, variance = module.norm.running_mean.clone(), module.norm.running_var.clone()
    line = noise(sum(lengths), 3)
    hidden = plain_swish(line @ module.inner.weight.T + module.inner.bias)
    frames = torch.cat([plain_convolution(clip, module.depthwise) for clip in hidden.split(lengths)])
    result = module.train()(line, Lines(lengths))
    torch.testing.assert_close(module.norm.running_mean, 0.9 * mean + 0.1 * frames.mean(dim=0))
    torch.testing.assert_close(module.norm.running_var, 0.9 * variance + 0.1 * frames.var(dim=0))
    normal = (frames - frames.mean(dim=0)) / (frames.var(dim=0, correction=0) + module.norm.eps).sqrt()
    normal = normal * module.norm.weight + module.norm.bias
    torch.testing.assert_close(result, plain_swish(normal) @ module.outer.weight.T + module.outer.bias)


def test_padding_does_not_change_the_statistics_of_an_encoder():
    lengths, x = [5, 2, 8], noise(3, 4, 8)
    one, other = (seeded(Squeezeformer(4, 3, 2, 5)).train() for _ in range(2))
    one(x, lengths)
    other(F.pad(x, (0, 7), value=1e3), lengths)
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name


def test_a_single_frame_in_training_has_no_statistics_of_its_own():
    encoder = seeded(Squeezeformer(4, 3, 2, 5))
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    expected = encoder(noise(1, 4, 1), [1])
    torch.testing.assert_close(encoder.train()(noise(1, 4, 1), [1]), expected)
    assert all(torch.equal(before[name], tensor) for name, tensor in encoder.state_dict().items())


def test_memory_of_attention_grows_with_the_length_and_not_with_its_square():
    attention, largest = RelativeAttention(4, 1, context=8), 0

    def measure(query: Tensor, key: Tensor, *_: object) -> Tensor:
        nonlocal largest
        largest = max(largest, query.shape[2] * key.shape[2])
        return torch.zeros(1, query.shape[2], 4)

    attention._block = measure
    sizes = []
    for frames in (64, 128, 256):
        largest = 0
        attention(torch.randn(frames, 4), Lines([frames]))
        sizes.append(largest)
    assert all(one == other for one, other in pairwise(sizes))
