"""Audio spectrogram transformers: ElasticAST, which takes clips of any length, and the standard AST, which crops and pads.

Source: "ElasticAST: An Audio Spectrogram Transformer for All Length and Resolutions", section 2. A mel is cut into square patches, which
are its tokens. Clips of their own lengths are packed into rows of tokens ("sequence packing"), attention is masked so that no token
sees another clip ("mask self-attention"), and each clip is pooled by one learned query ("mask attention pooling") in place of AST's
class token.

Rows and masks are how a GPU gets one large product out of clips of many lengths. A CPU gains nothing by it: it works out every masked
number before it is thrown away, which took four times as long for clips of 64 to 1200 tokens. So the tokens of a batch stand one after
the other in one line, (tokens, width), with no padding at all. What treats each token by itself sees that line; attention sees rows and
masks on a GPU, and on a CPU the clips of each length by themselves. Both are the same numbers.
"""

from __future__ import annotations

import functools
import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adastride.models.squeezeformer import alike

ROW_TOKENS = 2048  # of a row, the paper's default
PATCH = 16  # mel bands and frames of a patch
MOST_TOKENS = 1 << 16  # of one clip: attention compares each with each, and this many take minutes
# Of a learned position at the beginning, about as large as a patch's projection is. The usual 0.02 is for weights that were trained before:
# with it, nothing says at first which band a patch is of.
_POSITION = 0.3
# Of one clip whose attention is looked at: tokens, and bytes of all queries and keys with one byte a number.
MOST_ATTENDED, MOST_ATTENDED_BYTES = 2_000, 4_000_000
_EPSILON = 1e-6  # of layer normalisations, as in the official code


class TooManyTokensError(ValueError):
    """A clip of more than MOST_TOKENS tokens. clip: its place in the list. tokens: how many it has."""

    def __init__(self, clip: int, tokens: int):
        super().__init__(f"clip {clip} has {tokens} tokens, more than {MOST_TOKENS}: cut it, or use a larger frame shift")
        self.clip, self.tokens = clip, tokens


def _check_whole(**values: object) -> None:
    """Raises ValueError for a value that is no whole number of at least 1. values: by the names that are said of them."""
    for name, value in values.items():
        if not _is_whole(value):
            raise ValueError(f"{name} must be a whole number, got {value}")
        if cast(int, value) < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")


def _is_whole(value: object) -> bool:
    """Whether a value counts something: whole numbers of NumPy and PyTorch do, 2.0 does not."""
    try:
        operator.index(cast(int, value))
    except TypeError:
        return False
    return True


# --- packing


def pack_rows(token_counts: Sequence[int], limit: int = ROW_TOKENS, best_fit: bool = False) -> list[int]:
    """The row of each clip when clips of these numbers of tokens are packed into rows of at most `limit` tokens. No clip is cut.

    Next-fit, as published (section 2.2, "sequence packing"): clips come in their order, and one that does not fit into the newest row
    opens the next. best_fit: best-fit decreasing instead: the longest clip comes first, and goes to the row in which it leaves the least
    room. It mostly needs fewer rows, but there are batches for which it needs more, the last example among them. Rows are numbered
    in the order of their first clips.
    Raises ValueError for a limit below 1, a clip without tokens, a clip that is longer than a row, and what is no whole number.

    >>> pack_rows([6, 10, 2, 16, 8, 14], 24)
    [0, 0, 0, 1, 1, 2]
    >>> pack_rows([9, 12, 9, 12], 21), pack_rows([9, 9, 12, 12], 21), pack_rows([9, 9, 12, 12], 21, best_fit=True)
    ([0, 0, 1, 1], [0, 0, 1, 2], [0, 1, 0, 1])
    >>> pack_rows([5, 3, 2, 4, 3, 3], 10), pack_rows([5, 3, 2, 4, 3, 3], 10, best_fit=True)
    ([0, 0, 0, 1, 1, 1], [0, 1, 2, 0, 1, 1])
    """
    if not _is_whole(limit):
        raise ValueError(f"a row has a whole number of tokens, got {limit}")
    if limit < 1:
        raise ValueError(f"a row must have room for at least one token, got {limit}")
    for clip, count in enumerate(token_counts):
        if not _is_whole(count):
            raise ValueError(f"clip {clip} must have a whole number of tokens, got {count}")
        if count < 1:
            raise ValueError(f"clip {clip} has no tokens: leave it out")
        if count > limit:
            raise ValueError(f"clip {clip} has {count} tokens, more than the {limit} of a row: cut it, or pack into longer rows")
    row, room = [0] * len(token_counts), list[int]()
    order = sorted(range(len(row)), key=lambda clip: -token_counts[clip]) if best_fit else range(len(row))
    for clip in order:
        open_rows = range(len(room)) if best_fit else range(len(room))[-1:]
        fitting = [number for number in open_rows if room[number] >= token_counts[clip]]
        if not fitting:
            fitting = [len(room)]
            room.append(limit)
        row[clip] = min(fitting, key=room.__getitem__)
        room[row[clip]] -= token_counts[clip]
    numbers = {old: new for new, old in enumerate(dict.fromkeys(row))}
    return [numbers[old] for old in row]


class Packing:
    """Where the tokens of a batch stand: in a line, clip behind clip, and in padded rows.

    token_counts: of each clip, at least one each. limit, best_fit: see `pack_rows`. by_rows: whether attention works on padded rows with
    a mask or on the clips of each length by themselves; None for what is faster: the latter on a CPU, and where all have one length.

    row, slot, offset: of each clip, its row, its place among the row's clips, and the place of its first token in the row. Clips of a row
    stand in their order. rows, tokens, slots: the size of the padded rows, B', N' and n in the paper: how many there are, and the most
    tokens and clips that one has.

    >>> packing = Packing([2, 3, 4], limit=5)
    >>> packing.row, packing.slot, packing.offset
    ([0, 0, 1], [0, 1, 0], [0, 2, 0])
    >>> packing.sample_ids.tolist()
    [[0, 0, 1, 1, 1], [0, 0, 0, 0, -1]]
    """

    def __init__(
        self, token_counts: Sequence[int], limit: int = ROW_TOKENS, best_fit: bool = False, device: torch.device | str = "cpu",
        by_rows: bool | None = None,
    ):
        self.token_counts, self.limit, self.device = list(token_counts), limit, torch.device(device)
        self.by_rows = self.device.type != "cpu" and len(set(self.token_counts)) > 1 if by_rows is None else by_rows
        self.row = pack_rows(self.token_counts, limit, best_fit)
        self.rows = 1 + max(self.row, default=-1)
        filled, clips = [0] * self.rows, [0] * self.rows
        self.slot, self.offset = list[int](), list[int]()
        for row, count in zip(self.row, self.token_counts, strict=True):
            self.slot.append(clips[row])
            self.offset.append(filled[row])
            clips[row] += 1
            filled[row] += count
        self.tokens, self.slots = max(filled, default=0), max(clips, default=0)

    @property
    def pad_ratio(self) -> float:
        """The share of the padded rows that is padding (the paper's table 1), 0 for no rows."""
        size = self.rows * self.tokens
        return 1 - sum(self.token_counts) / size if size else 0.0

    @functools.cached_property
    def sample_ids(self) -> Tensor:
        """The slot whose token stands in each place: (rows, tokens) int64, -1 for padding."""
        slots = torch.tensor(self.slot, dtype=torch.int64).repeat_interleave(torch.tensor(self.token_counts, dtype=torch.int64))
        ids = torch.full((self.rows * self.tokens,), -1, device=self.device)
        return ids.index_copy(0, self._token_places, slots.to(self.device)).view(self.rows, self.tokens)

    @property
    def attention_mask(self) -> Tensor:
        """M of "mask self-attention": whether token i of a row sees token j, (rows, tokens, tokens). Padding sees nothing."""
        ids = self.sample_ids
        return (ids[:, :, None] == ids[:, None]) & (ids >= 0)[:, None]

    @property
    def pool_mask(self) -> Tensor:
        """M of "mask attention pooling": whether token j belongs to the clip in slot i, (rows, slots, tokens)."""
        return torch.arange(self.slots, device=self.device)[:, None] == self.sample_ids[:, None]

    def to_rows(self, line: Tensor) -> Tensor:
        """(tokens of all clips, ...) -> (rows, tokens, ...), zero where there is padding."""
        padded = line.new_zeros(self.rows * self.tokens, *line.shape[1:]).index_copy(0, self._token_places, line)
        return padded.view(self.rows, self.tokens, *line.shape[1:])

    def to_line(self, rows: Tensor) -> Tensor:
        """The opposite of `to_rows`."""
        return rows.flatten(0, 1).index_select(0, self._token_places)

    def to_slots(self, clips: Tensor) -> Tensor:
        """(clips, ...) -> (rows, slots, ...), zero in slots without a clip."""
        padded = clips.new_zeros(self.rows * self.slots, *clips.shape[1:]).index_copy(0, self._slot_places, clips)
        return padded.view(self.rows, self.slots, *clips.shape[1:])

    def to_clips(self, slots: Tensor) -> Tensor:
        """The opposite of `to_slots`: each clip's own, in the order of the clips."""
        return slots.flatten(0, 1).index_select(0, self._slot_places)

    @functools.cached_property
    def _token_places(self) -> Tensor:
        starts = [row * self.tokens + offset for row, offset in zip(self.row, self.offset, strict=True)]
        places = [torch.arange(start, start + count) for start, count in zip(starts, self.token_counts, strict=True)]
        return torch.cat([torch.arange(0), *places]).to(self.device)

    @functools.cached_property
    def _slot_places(self) -> Tensor:
        places = [row * self.slots + slot for row, slot in zip(self.row, self.slot, strict=True)]
        return torch.tensor(places, dtype=torch.int64).to(self.device)

    @functools.cached_property
    def allowed(self) -> Tensor:
        """`attention_mask` as a product wants it: (rows, 1, tokens, tokens)."""
        return _never_blind(self.attention_mask)

    @functools.cached_property
    def allowed_in_pooling(self) -> Tensor:
        """`pool_mask` as a product wants it: (rows, 1, slots, tokens)."""
        return _never_blind(self.pool_mask)


def _never_blind(mask: Tensor) -> Tensor:
    """A query that may see nothing would make NaN of 0 / 0; it may see everything instead, for nobody looks at its answer."""
    return (mask | ~mask.any(dim=2, keepdim=True))[:, None]


# --- attention


def attend(query: Tensor, key: Tensor, value: Tensor, packing: Packing, scale: float, pooling: bool = False) -> Tensor:
    """Attention inside each clip: softmax(Mask(scale * Q K^T)) V, equations of section 2.2.

    key, value: (tokens of all clips, heads, size). query: the same, or for `pooling` one of each clip, (clips, heads, size).
    Shape: -> that of the query.
    """
    if packing.by_rows:
        mask = packing.allowed_in_pooling if pooling else packing.allowed
        rows = packing.to_slots(query) if pooling else packing.to_rows(query)
        attended = _product(rows, packing.to_rows(key), packing.to_rows(value), scale, mask)
        return packing.to_clips(attended) if pooling else packing.to_line(attended)
    counts = packing.token_counts
    queries = query.split([1] * len(counts) if pooling else counts)
    keys, values = key.split(counts), value.split(counts)
    results = list(queries)
    for places in alike(counts, 1.0):
        query, key, value = (torch.stack([parts[place] for place in places]) for parts in (queries, keys, values))
        for place, result in zip(places, _product(query, key, value, scale), strict=True):
            results[place] = result
    return torch.cat(results) if results else query


def _product(query: Tensor, key: Tensor, value: Tensor, scale: float, mask: Tensor | None = None) -> Tensor:
    """Attention of (batch, queries, heads, size) to (batch, keys, heads, size)."""
    query, key, value = (part.transpose(1, 2) for part in (query, key, value))
    return F.scaled_dot_product_attention(query, key, value, mask, scale=scale).transpose(1, 2)


@dataclass(frozen=True)
class Attended:
    """What the attention of one clip was made of.

    queries, keys: one of each block, (tokens, heads, size); a token attends to others by the softmax of `scale` times the products of
    its query with their keys. None are kept of more than `most_attended` tokens. leading: how many tokens, the first ones, stand for no
    patch. columns: patches in time, of which each row of patches has so many. frames: how many frames of the clip these columns hold.
    weights: (heads, tokens) how much the answer is made of each token.
    """

    queries: tuple[Tensor, ...]
    keys: tuple[Tensor, ...]
    scale: float
    leading: int
    columns: int
    frames: int
    weights: Tensor


Record = list[tuple[Tensor, Tensor]]  # queries and keys of each attention, (tokens of all clips, heads, size), in their order


class Attention(nn.Module):
    """Multi-head attention inside each clip.

    scaled: whether products of queries and keys are divided by the root of a head's size, as usual. The official code and the paper's
    equation do not divide.
    Shape: x (tokens of all clips, width) -> the same; with `queries` (clips, width), one of each clip, -> (clips, width). record: is
    given what the products were made of.
    """

    def __init__(self, width: int, heads: int, scaled: bool = True):
        super().__init__()
        self.heads, self.scale = heads, (width / heads) ** -0.5 if scaled else 1.0
        self.query, self.key_value, self.output = nn.Linear(width, width), nn.Linear(width, 2 * width), nn.Linear(width, width)

    def forward(self, x: Tensor, packing: Packing, queries: Tensor | None = None, record: Record | None = None) -> Tensor:
        query = self.query(x if queries is None else queries)
        key, value = self.key_value(x).chunk(2, dim=1)
        parts = [part.unflatten(1, (self.heads, -1)) for part in (query, key, value)]
        if record is not None:
            record.append((parts[0], parts[1]))
        return self.output(attend(parts[0], parts[1], parts[2], packing, self.scale, pooling=queries is not None).flatten(1))


class AttentionPooling(nn.Module):
    """One vector of each clip, by attention of a learned query to the clip's tokens ("mask attention pooling").

    Shape: (tokens of all clips, width) -> (clips, width).
    """

    def __init__(self, width: int, heads: int, scaled: bool = True):
        super().__init__()
        self.query = nn.Parameter(torch.randn(width) * 0.02)
        self.attention = Attention(width, heads, scaled)

    def forward(self, x: Tensor, packing: Packing) -> Tensor:
        return self.attention(x, packing, self.query.expand(len(packing.token_counts), -1))

    def weights(self, x: Tensor, packing: Packing) -> Tensor:
        """How much each token counts in its clip's vector: (tokens of all clips, heads); the tokens of a clip sum to 1."""
        attention = self.attention
        keys = attention.key_value(x).chunk(2, dim=1)[0].unflatten(1, (attention.heads, -1))
        scores = (keys * attention.query(self.query).view(attention.heads, -1)).sum(dim=2) * attention.scale
        return torch.cat([scores[:0], *(part.softmax(dim=0) for part in scores.split(packing.token_counts))])


class Block(nn.Module):
    """A pre-norm transformer block: attention and a feed-forward network of four times the width, each added to its input.

    dropout: of what is added. Shape: (tokens of all clips, width), the same out.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0, scaled: bool = True):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, _EPSILON), nn.LayerNorm(width, _EPSILON)
        self.attention = Attention(width, heads, scaled)
        self.inner, self.outer = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, packing: Packing, record: Record | None = None) -> Tensor:
        x = x + self.dropout(self.attention(self.norm1(x), packing, record=record))
        return x + self.dropout(self.outer(F.gelu(self.inner(self.norm2(x)))))


# --- patches


def patches_of(mel: Tensor, patch: int = PATCH) -> Tensor:
    """Cuts a mel into square patches: (bands, frames) -> (patches, patch * patch), the lowest bands first and in them the first frames.

    Nothing is cut off: the last patches are filled up with zeros, and so is a clip that is shorter than a patch. bands: a multiple
    of `patch`.

    >>> patches_of(torch.arange(8.0).view(2, 4), patch=2).tolist()
    [[0.0, 1.0, 4.0, 5.0], [2.0, 3.0, 6.0, 7.0]]
    """
    bands = mel.shape[0]
    padded = F.pad(mel, (0, -mel.shape[1] % patch))
    return padded.view(bands // patch, patch, -1, patch).transpose(1, 2).reshape(-1, patch * patch)


def sinusoids(count: int, width: int, device: torch.device | str = "cpu") -> Tensor:
    """Sines and cosines of 0, 1, ..., count - 1: (count, width), width even (Vaswani et al., 2017, section 3.5)."""
    rates = torch.exp(torch.arange(0, width, 2, device=device) * (-math.log(10_000) / width))
    angles = torch.arange(count, device=device)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class PatchEmbedding(nn.Module):
    """Makes tokens of patches: a linear projection, plus a position in frequency and one in time (section 3.2, "2D positional embeddings").

    Positions in frequency are a learned table, since the number of bands is fixed. So are those in time in the official code, which
    ends where its table does. Here they are a learned projection of sines and cosines, which has no end.
    bands: of a mel, a multiple of `patch`. width: even. time_table: the number of positions in time of a learned table, None for
    no end.
    """

    def __init__(self, bands: int, patch: int, width: int, time_table: int | None = None):
        super().__init__()
        if bands < 1 or patch < 1 or bands % patch:
            raise ValueError(f"bands must be a multiple of the {patch} of a patch, got {bands}")
        self.bands, self.patch, self.time_table = bands, patch, time_table
        self.projection = nn.Linear(patch * patch, width)
        self.frequency = nn.Parameter(torch.randn(bands // patch, width) * _POSITION)
        self.time = nn.Linear(width, width, bias=False) if time_table is None else nn.Parameter(torch.randn(time_table, width) * _POSITION)

    def tokens_of(self, frames: int) -> int:
        """How many tokens a clip of so many frames has."""
        return self.bands // self.patch * -(-frames // self.patch)

    def check(self, mels: Sequence[Tensor]) -> None:
        """Raises ValueError for a clip that is not (bands, frames) with at least one frame, or no tensor that the weights can work on."""
        dtype = self.frequency.dtype
        for clip, mel in enumerate(mels):
            if not isinstance(mel, Tensor):
                raise ValueError(f"expected mels as tensors, got {type(mel).__name__} for clip {clip}: torch.as_tensor makes one")
            if torch.promote_types(mel.dtype, dtype) != dtype:
                raise ValueError(f"the network computes in {dtype}, got {mel.dtype} for clip {clip}: convert it, or the network")
            if mel.dim() != 2 or mel.shape[0] != self.bands or not mel.shape[1]:
                raise ValueError(f"expected mels of ({self.bands}, frames), got {tuple(mel.shape)} for clip {clip}")

    def forward(self, mels: Sequence[Tensor]) -> Tensor:
        """Embeds clips of (bands, frames), (tokens of all clips, width). Raises ValueError as `check` does and for clips too long."""
        self.check(mels)
        for clip, mel in enumerate(mels):
            tokens = self.tokens_of(mel.shape[1])
            if tokens > MOST_TOKENS:
                raise TooManyTokensError(clip, tokens)
        rows, columns = self.bands // self.patch, [-(-mel.shape[1] // self.patch) for mel in mels]
        longest, device = max(columns, default=0), self.frequency.device
        if self.time_table is None:
            time = cast(nn.Linear, self.time)(sinusoids(longest, self.frequency.shape[1], device).to(self.frequency.dtype))
        elif longest <= self.time_table:
            time = cast(Tensor, self.time)
        else:
            raise ValueError(f"a clip has {longest} patches in time, but there are positions for {self.time_table}: cut it")
        patches = torch.cat([self.frequency.new_zeros(0, self.patch**2), *(patches_of(mel, self.patch) for mel in mels)])
        none = torch.arange(0)
        down = torch.cat([none, *(torch.arange(rows).repeat_interleave(count) for count in columns)]).to(device)
        along = torch.cat([none, *(torch.arange(count).repeat(rows) for count in columns)]).to(device)
        return self.projection(patches) + self.frequency[down] + time[along]


# --- networks


class _SpectrogramTransformer(nn.Module, ABC):
    """What ElasticAST and AST have in common: patches, blocks, a last normalisation and a linear head."""

    def __init__(
        self, outputs: int, bands: int, patch: int, width: int, blocks: int, heads: int, dropout: float, scaled: bool,
        time_table: int | None,
    ):
        super().__init__()
        _check_whole(outputs=outputs, bands=bands, patch=patch, width=width, blocks=blocks, heads=heads)
        if time_table is not None:
            _check_whole(time_table=time_table)
        if width % (2 * heads):
            raise ValueError(f"width must be a multiple of twice the {heads} heads, got {width}")
        self.embedding = PatchEmbedding(bands, patch, width, time_table)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(Block(width, heads, dropout, scaled) for _ in range(blocks))
        self.norm = nn.LayerNorm(width, _EPSILON)
        self.head = nn.Linear(width, outputs)

    def encode(self, tokens: Tensor, packing: Packing, record: Record | None = None) -> Tensor:
        """Runs the blocks, whose queries and keys are given to `record`. Shape: (tokens of all clips, width), the same out."""
        x = self.dropout(tokens)
        for block in self.blocks:
            x = block(x, packing, record)
        return self.norm(x)

    @abstractmethod
    def attended(self, mel: Tensor) -> tuple[Tensor, Attended]:
        """The answer to one clip of (bands, frames), (1, outputs), as `forward` gives it, and what its attention was made of."""

    def _attended(self, record: Record, leading: int, padded: int, frames: int, weights: Tensor) -> Attended:
        """padded: frames of all patches' columns. frames: those of them that the clip has."""
        queries, keys = zip(*record, strict=True) if record else ((), ())
        columns, scale = -(-padded // self.embedding.patch), cast(Block, self.blocks[0]).attention.scale
        return Attended(queries, keys, scale, leading, columns, frames, weights)

    @property
    def most_attended(self) -> int:
        """How many tokens a clip may have whose queries and keys are kept to be looked at."""
        return min(MOST_ATTENDED, MOST_ATTENDED_BYTES // (2 * len(self.blocks) * self.norm.normalized_shape[0]))

    def tokens_of(self, frames: int) -> int:
        """How many tokens the network works on for a clip of so many frames."""
        return self.embedding.tokens_of(frames)

    def multiply_adds(self, frames: int) -> int:
        """How many multiply-adds the blocks cost for a clip of so many frames: 12 width² a token, and 2 width for each two that meet."""
        tokens, width = self.tokens_of(frames), self.norm.normalized_shape[0]
        return len(self.blocks) * tokens * width * (12 * width + 2 * tokens)


class ElasticAST(_SpectrogramTransformer):
    """An audio spectrogram transformer for clips of any length, which packs them and unpacks its answers.

    outputs: numbers of an answer. bands: of a mel. patch: bands and frames of a patch. width: channels, a multiple of twice the heads.
    dropout: of what a block adds. row_tokens, best_fit: how clips are packed, see `pack_rows`; a clip that is longer than a row gets rows
    of its length. scaled: see `Attention`. time_table: see `PatchEmbedding`.
    Shape: clips of (bands, frames), mels about 0 and about as large as 1 (`blocks.centred` makes them of natural-log mels) ->
    (clips, outputs); no clips -> (0, outputs). Nothing of a clip is cut, and no clip changes the answer for another.
    Raises ValueError for sizes that are not allowed, for a clip of another shape or type, and for one of more than MOST_TOKENS.

    >>> network = ElasticAST(outputs=3, width=8, blocks=1, heads=2)
    >>> network([torch.zeros(128, 7), torch.zeros(128, 300)]).shape
    torch.Size([2, 3])
    """

    def __init__(
        self, outputs: int, *, bands: int = 128, patch: int = PATCH, width: int = 192, blocks: int = 4, heads: int = 3,
        dropout: float = 0.0, row_tokens: int = ROW_TOKENS, best_fit: bool = False, scaled: bool = True, time_table: int | None = None,
    ):
        _check_whole(row_tokens=row_tokens)
        super().__init__(outputs, bands, patch, width, blocks, heads, dropout, scaled, time_table)
        self.row_tokens, self.best_fit = row_tokens, best_fit
        self.pooling = AttentionPooling(width, heads, scaled)
        self.pooled_norm = nn.LayerNorm(width, _EPSILON)

    def packing(self, frames: Sequence[int], by_rows: bool | None = None) -> Packing:
        """How clips of so many frames are packed."""
        counts = [self.tokens_of(count) for count in frames]
        return Packing(counts, max([self.row_tokens, *counts]), self.best_fit, self.head.weight.device, by_rows)

    def forward(self, mels: Iterable[Tensor]) -> Tensor:
        mels = list(mels)
        tokens = self.embedding(mels)
        packing = self.packing([mel.shape[1] for mel in mels])
        return self.answer(self.encode(tokens, packing), packing)

    def attended(self, mel: Tensor) -> tuple[Tensor, Attended]:
        tokens, packing = self.embedding([mel]), self.packing([mel.shape[1]])
        record = Record() if len(tokens) <= self.most_attended else None  # hundreds of megabytes of ten minutes, for nothing
        encoded = self.encode(tokens, packing, record)
        weights = self.pooling.weights(encoded, packing).T
        return self.answer(encoded, packing), self._attended(record or [], 0, mel.shape[1], mel.shape[1], weights)

    def answer(self, encoded: Tensor, packing: Packing) -> Tensor:
        """What follows `encode`: (tokens of all clips, width) -> (clips, outputs)."""
        return self.head(self.pooled_norm(self.pooling(encoded, packing)))


class AST(_SpectrogramTransformer):
    """The standard audio spectrogram transformer (Gong et al., 2021; section 2.1), which crops and pads each clip to one length.

    It is made of ElasticAST's parts, with a class token for the pooling and a learned table of positions in time, and sees the zeros
    that it pads with. frames: what each clip is cropped or padded to, at its end. Others: see `ElasticAST`.
    Shape: clips of (bands, frames) -> (clips, outputs). Raises ValueError for sizes that are not allowed, and a clip of another
    shape or type.

    >>> network = AST(outputs=3, frames=100, width=8, blocks=1, heads=2)
    >>> network([torch.zeros(128, 7), torch.zeros(128, 300)]).shape
    torch.Size([2, 3])
    """

    def __init__(
        self, outputs: int, frames: int, *, bands: int = 128, patch: int = PATCH, width: int = 192, blocks: int = 4, heads: int = 3,
        dropout: float = 0.0, scaled: bool = True,
    ):
        _check_whole(frames=frames)
        super().__init__(outputs, bands, patch, width, blocks, heads, dropout, scaled, time_table=-(-frames // patch))
        self.frames = frames
        self.class_token = nn.Parameter(torch.randn(width) * 0.02)

    def tokens_of(self, frames: int) -> int:
        """How many tokens the network works on: always the same, the class token among them."""
        return 1 + self.embedding.tokens_of(self.frames)

    def forward(self, mels: Iterable[Tensor]) -> Tensor:
        return self._answer(list(mels), None)

    def attended(self, mel: Tensor) -> tuple[Tensor, Attended]:
        record = Record()
        answer, block = self._answer([mel], record), cast(Block, self.blocks[-1])
        query, key = record[-1]
        weights = torch.einsum("hd,thd->ht", query[0], key).mul(block.attention.scale).softmax(dim=1)
        kept = record if len(key) <= self.most_attended else []
        return answer, self._attended(kept, 1, self.frames, min(mel.shape[1], self.frames), weights)

    def _answer(self, mels: Sequence[Tensor], record: Record | None) -> Tensor:
        self.embedding.check(mels)
        count, width = self.tokens_of(self.frames), len(self.class_token)
        tokens = self.embedding([F.pad(mel[:, : self.frames], (0, self.frames - min(mel.shape[1], self.frames))) for mel in mels])
        x = torch.cat([self.class_token.expand(len(mels), 1, -1), tokens.view(len(mels), count - 1, width)], dim=1)
        packing = Packing([count] * len(mels), max(ROW_TOKENS, count), device=x.device)
        return self.head(self.encode(x.flatten(0, 1), packing, record).view(len(mels), count, width)[:, 0])
