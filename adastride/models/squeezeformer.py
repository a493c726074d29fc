"""The Squeezeformer encoder (Kim et al., "Squeezeformer: An Efficient Transformer for Automatic Speech Recognition", 2022).

What is the paper's is named where it is built: the order of a block's modules and post-normalisation with scaling (its figure 3 and
section 3.2), one activation, Swish, for all of them (section 3.2.2), depthwise-separable subsampling (section 3.2.4) and the
temporal U-Net (section 3.1). Relative positions are Transformer-XL's (Dai et al., 2019), as in the Conformer.

All of it works on the valid frames of a batch and nothing else: the frames of all clips stand one after the other in one long
line, (frames, width). Feed-forward modules see that line, convolutions see it with gaps of zeros between clips, and attention sees
one clip at a time. So padding can't change a letter, and costs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

CONTEXT = 512  # output frames that attention sees to either side: 20 s at an overall stride of 4
# How many times as long as the shortest the longest clip of a group may be whose attention is computed at once. On a CPU only clips
# of one length save time that way; elsewhere a call costs more than the padding does.
_ALIKE_ON_CPU, _ALIKE = 1.0, 1.5


def alike(lengths: Sequence[int], factor: float) -> list[list[int]]:
    """Groups clips of about equal length: lists of their places, each with no clip more than `factor` times as long as its shortest.

    >>> alike([4, 10, 5, 4], 1.25)
    [[0, 3, 2], [1]]
    """
    groups: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lambda place: (lengths[place], place)):
        if groups and lengths[place] <= factor * lengths[groups[-1][0]]:
            groups[-1].append(place)
        else:
            groups.append([place])
    return groups


class Lines:
    """Where the clips of a batch stand in a line of frames, without gaps and with them.

    lengths: frames of each clip, at least one each.
    """

    def __init__(self, lengths: Sequence[int], device: torch.device | str = "cpu"):
        self.lengths, self.device = list(lengths), device

    def join(self, x: Tensor) -> Tensor:
        """Puts the valid frames of (batch, channels, time) into a line: (frames, channels)."""
        return x.transpose(1, 2).reshape(-1, x.shape[1]).index_select(0, self._places(x.shape[2]))

    def split(self, line: Tensor, time: int | None = None) -> Tensor:
        """The opposite of `join`: (batch, time, channels), zero past each clip's length. time: as long as the longest clip if None."""
        time = max(self.lengths) if time is None else time
        padded = line.new_zeros(len(self.lengths) * time, line.shape[1]).index_copy(0, self._places(time), line)
        return padded.view(len(self.lengths), time, -1)

    def _places(self, time: int) -> Tensor:
        """Where the frames of the line stand in a batch that is padded to `time` frames."""
        return torch.cat([torch.arange(length) + number * time for number, length in enumerate(self.lengths)]).to(self.device)

    def convolve(self, line: Tensor, convolution: nn.Conv1d) -> Tensor:
        """Runs a padded convolution of odd kernel over each clip: (frames, channels) -> (frames / stride, rounded up, channels).

        It sees zeros before and behind a clip, as if the clip stood alone.
        """
        (kernel,), (stride,) = convolution.kernel_size, convolution.stride
        gap = kernel // 2
        # Clips begin where the convolution has an output, so that it is centred on their first frame.
        places = [-(-(length + gap) // stride) * stride for length in self.lengths]
        starts = [0, *accumulate(places)][:-1]
        if len(self.lengths) == 1:
            return convolution(line.T[None])[0].T
        spread = line.new_zeros(line.shape[1], starts[-1] + self.lengths[-1])
        inside = torch.cat([torch.arange(start, start + length) for start, length in zip(starts, self.lengths, strict=True)]).to(self.device)
        spread = spread.index_copy(1, inside, line.T)
        outputs = [range(start // stride, start // stride + -(-length // stride)) for start, length in zip(starts, self.lengths, strict=True)]
        kept = torch.cat([torch.arange(frames.start, frames.stop) for frames in outputs]).to(self.device)
        return convolution(spread[None])[0].index_select(1, kept).T

    def halved(self) -> Lines:
        """The clips after a stride of 2."""
        return Lines([-(-length // 2) for length in self.lengths], self.device)


class Scaling(nn.Module):
    """Scales and shifts each channel: y = gamma * x + beta (Squeezeformer's section 3.2.3). Shape: (frames, width), the same out."""

    def __init__(self, width: int):
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        return torch.addcmul(self.beta, x, self.gamma)


def distance_encodings(first: int, last: int, width: int, like: Tensor) -> Tensor:
    """Sines and cosines of the distances first, first - 1, ..., last in frames: (first - last + 1, width), width even."""
    distances = torch.arange(first, last - 1, -1, device=like.device, dtype=torch.float32)
    rates = torch.exp(torch.arange(0, width, 2, device=like.device, dtype=torch.float32) * (-math.log(10_000) / width))
    angles = distances[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1).to(like.dtype)


class RelativeAttention(nn.Module):
    """Multi-head attention with relative positions (Dai et al., 2019, section 3.3): the weight of key j for query i follows from

        (q_i + u) . k_j + (q_i + v) . W r_{i - j}

    over sqrt(width / heads), where r are sines and cosines. A query sees the frames up to `context` to either side, so that memory
    grows with the length of a clip and not with its square.

    Shape: (frames, width) of one clip or of several in a line -> the same.
    """

    def __init__(self, width: int, heads: int, context: int = CONTEXT):
        super().__init__()
        self.heads, self.context = heads, context
        self.inputs, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.positions = nn.Linear(width, width, bias=False)
        self.content_bias, self.position_bias = (nn.Parameter(torch.zeros(heads, 1, width // heads)) for _ in range(2))
        nn.init.xavier_uniform_(self.content_bias)
        nn.init.xavier_uniform_(self.position_bias)

    def forward(self, x: Tensor, lines: Lines) -> Tensor:
        width, reach = x.shape[1], min(max(lines.lengths) - 1, 2 * self.context)
        encodings = self.positions(distance_encodings(reach, -reach, width, x)).view(-1, self.heads, width // self.heads).transpose(0, 1)
        clips: list[Tensor] = list(self.inputs(x).split(lines.lengths))
        for places in alike(lines.lengths, _ALIKE_ON_CPU if x.device.type == "cpu" else _ALIKE):
            attended = self._clips([clips[place] for place in places], encodings, reach)
            for place, rows in zip(places, attended, strict=True):
                clips[place] = rows[: lines.lengths[place]]
        return self.output(torch.cat(clips))

    def _clips(self, projected: Sequence[Tensor], encodings: Tensor, reach: int) -> Tensor:
        """Clips of about one length. projected: (frames, 3 * width) each. encodings: (heads, 2 * reach + 1, width / heads), distances
        reach ... -reach. Returns (clips, most frames, width), where what stands behind a shorter clip means nothing.
        """
        padded, frames = pad_sequence(list(projected), batch_first=True), max(map(len, projected))
        query, key, value = padded.view(len(projected), frames, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        absent = None
        if any(len(clip) < frames for clip in projected):
            lengths = torch.tensor([len(clip) for clip in projected], device=padded.device)
            absent = (torch.arange(frames, device=padded.device) >= lengths[:, None])[:, None, None]
        if frames <= self.context + 1:
            return self._block(query, key, value, 0, 0, encodings, reach, absent)
        # A block of queries and the keys that any of them can see.
        starts = range(0, frames, self.context)
        blocks = [(start, min(start + self.context, frames), max(0, start - self.context), min(start + 2 * self.context, frames)) for start in starts]
        return torch.cat([
            self._block(
                query[:, :, begin:end], key[:, :, first:last], value[:, :, first:last], begin, first, encodings, reach,
                None if absent is None else absent[..., first:last],
            )
            for begin, end, first, last in blocks
        ], dim=1)

    def _block(
        self, query: Tensor, key: Tensor, value: Tensor, begin: int, first: int, encodings: Tensor, reach: int, absent: Tensor | None,
    ) -> Tensor:
        """Attention of the queries of frames begin ... to the keys of frames first ...: (clips, queries, width).

        query, key, value: (clips, heads, frames, width / heads). absent: which keys are padding, (clips, 1, 1, keys); None for none.
        """
        clips, heads, queries, size = query.shape
        keys, scale = key.shape[2], 1 / math.sqrt(size)
        # Distances from that of the last query to the first key down to that of the first query to the last key.
        largest, smallest = begin + queries - 1 - first, begin - (first + keys - 1)
        distances = (query + self.position_bias) @ encodings[:, reach - largest : reach - smallest + 1].transpose(1, 2)
        # Row i wants columns queries - 1 - i onwards: in a row that is one column shorter they stand below each other. A single query
        # wants the row as it is.
        columns = queries + keys - 1
        if queries > 1:
            shifted = distances.reshape(clips, heads, -1)[:, :, queries - 1 : queries - 1 + queries * (columns - 1)]
            distances = shifted.view(clips, heads, queries, columns - 1)[..., :keys]
        bias = distances * scale
        if max(largest, -smallest) > self.context:
            frames = torch.arange(begin, begin + queries, device=query.device)[:, None] - torch.arange(first, first + keys, device=query.device)
            far = frames.abs() > self.context
            # A query behind the end of its clip may see nothing but padding; it may see that, for nobody looks at its answer.
            absent = far if absent is None else far | (absent & ~(far | absent).all(dim=3, keepdim=True))
        if absent is not None:
            bias = bias.masked_fill(absent, -math.inf)
        attended = F.scaled_dot_product_attention(query + self.content_bias, key, value, bias, scale=scale)
        return attended.transpose(1, 2).reshape(clips, queries, heads * size)


class FeedForward(nn.Module):
    """Two linear layers with a Swish between them, four times as wide inside. Shape: (frames, width), the same out."""

    def __init__(self, width: int):
        super().__init__()
        self.inner, self.outer = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor, lines: Lines) -> Tensor:
        return self.outer(F.silu(self.inner(x)))


class ConvolutionModule(nn.Module):
    """Pointwise convolution, depthwise convolution, batch normalisation, pointwise convolution, with Swish for the Conformer's gated
    linear unit (Squeezeformer's section 3.2.2). Shape: (frames, width), the same out; statistics are of valid frames.
    """

    def __init__(self, width: int, kernel_size: int):
        super().__init__()
        self.inner, self.outer = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.depthwise = nn.Conv1d(2 * width, 2 * width, kernel_size, padding=kernel_size // 2, groups=2 * width)
        self.norm = nn.BatchNorm1d(2 * width)

    def forward(self, x: Tensor, lines: Lines) -> Tensor:
        x = lines.convolve(F.silu(self.inner(x)), self.depthwise)
        # Batch statistics of a single frame do not exist; then the running ones have to do.
        alone = self.training and len(x) == 1
        x = F.batch_norm(x, self.norm.running_mean, self.norm.running_var, self.norm.weight, self.norm.bias) if alone else self.norm(x)
        return self.outer(F.silu(x))


class SqueezeformerBlock(nn.Module):
    """Attention, feed-forward, convolution, feed-forward (figure 3 on the right): each of them scales its input, is added to it,
    and is normalised after that. dropout: of what is added. Shape: (frames, width), the same out.
    """

    def __init__(self, width: int, heads: int, kernel_size: int, dropout: float = 0.0):
        super().__init__()
        self.modules_in_order = nn.ModuleList([
            RelativeAttention(width, heads), FeedForward(width), ConvolutionModule(width, kernel_size), FeedForward(width),
        ])
        self.scalings = nn.ModuleList(Scaling(width) for _ in self.modules_in_order)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in self.modules_in_order)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, lines: Lines) -> Tensor:
        for module, scaling, norm in zip(self.modules_in_order, self.scalings, self.norms, strict=True):
            x = norm(x + self.dropout(module(scaling(x), lines)))
        return x


class Squeezeformer(nn.Module):
    """A stack of blocks with the temporal U-Net: after about two fifths of the blocks the rate is halved by a depthwise-separable
    convolution, and before the last block frames are doubled again and added to those before the halving (section 3.1, figure 1).

    width: channels. blocks: at least one; fewer than three have no U-Net. kernel_size: of the depthwise convolutions, odd.
    Shape: (batch, width, time) and lengths (batch,) -> (batch, time, width), zero past each clip's length.
    """

    def __init__(self, width: int, blocks: int, heads: int, kernel_size: int, dropout: float = 0.0):
        super().__init__()
        self.blocks = nn.ModuleList(SqueezeformerBlock(width, heads, kernel_size, dropout) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        # Of 16 blocks the paper reduces before the eighth and recovers before the last.
        self.reduced, self.recovered = (round(blocks * 7 / 16), blocks - 1) if blocks >= 3 else (blocks, blocks)
        if blocks >= 3:
            self.depthwise = nn.Conv1d(width, width, 3, stride=2, padding=1, groups=width)
            self.pointwise, self.recovery = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor, lengths: Sequence[int]) -> Tensor:
        lines = whole = Lines(lengths, x.device)
        line = kept = self.norm(lines.join(x))
        for index, block in enumerate(self.blocks):
            if index == self.reduced and index < self.recovered:
                kept, line, lines = line, self.pointwise(lines.convolve(line, self.depthwise)), lines.halved()
            if index == self.recovered and lines is not whole:
                doubled = [part.repeat_interleave(2, dim=0)[:length] for part, length in zip(line.split(lines.lengths), whole.lengths, strict=True)]
                line, lines = kept + self.recovery(torch.cat(doubled)), whole
            line = block(line, lines)
        return whole.split(line)
