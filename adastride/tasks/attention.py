"""What a network of patches looks at, in a form that can be shown: its patches, how much the answer is made of each, and its attention.

Attention of all tokens to all tokens grows with the square of their number. Queries and keys do not, and one row of the softmax is made
of them in a millisecond, wherever somebody points: so they are what is kept and sent, with one byte a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from adastride.tasks.prediction import PictureLane


@dataclass(frozen=True, eq=False)
class Heads:
    """The attention of every layer and head among the tokens of one clip.

    queries, keys: (layers, heads, tokens, size) int8. scales: (layers, heads) float32. A token attends to the others by the softmax of
    scale times the products of its query with their keys.
    """

    queries: np.ndarray
    keys: np.ndarray
    scales: np.ndarray

    @classmethod
    def of(cls, queries: Sequence[Tensor], keys: Sequence[Tensor], scale: float) -> Heads:
        """Rounds queries and keys, one (tokens, heads, size) tensor of each layer, to a byte a number.

        127 is the largest of a layer and head. What all keys of a head have in common moves all of a token's products alike, which its
        softmax does not notice: it is taken away first, and so costs no precision.
        """
        sizes, rounded = [], []
        stacked = [torch.stack(list(parts)).permute(0, 2, 1, 3).float() for parts in (queries, keys)]
        for values in (stacked[0], stacked[1] - stacked[1].mean(dim=2, keepdim=True)):
            step = values.abs().amax(dim=(2, 3)).clamp(min=1e-12) / 127
            rounded.append(torch.round(values / step[:, :, None, None]).to(torch.int8).cpu().numpy())
            sizes.append(step.cpu().numpy())
        return cls(rounded[0], rounded[1], (scale * sizes[0] * sizes[1]).astype(np.float32))

    def row(self, token: int, layer: int, head: int | None = None) -> np.ndarray:
        """How much a token attends to each token in a layer: (tokens,) float64, which sum to 1. head: None for the mean of all heads.

        >>> heads = Heads.of([torch.eye(3)[:, None] * 2], [torch.eye(3)[:, None]], 1.0)
        >>> heads.row(1, 0).round(2).tolist()
        [0.11, 0.79, 0.11]
        """
        chosen = slice(None) if head is None else slice(head, head + 1)
        query, keys = self.queries[layer, chosen, token].astype(np.float64), self.keys[layer, chosen].astype(np.float64)
        products = np.einsum("hd,htd->ht", query, keys) * self.scales[layer, chosen, None]
        weights = np.exp(products - products.max(axis=1, keepdims=True))
        return (weights / weights.sum(axis=1, keepdims=True)).mean(axis=0)


@dataclass(frozen=True, eq=False)
class Patches:
    """The patches of a clip, and what became of them. They lie in rows of bands and columns of frames.

    edges: (columns + 1,) seconds at which the columns begin that hold any of the clip, and the end of the last. hertz: (rows + 1,)
    frequencies at which the rows begin, the lowest first. frames: of a column. weights: (rows, columns) how much the answer is made of
    each patch; all tokens together have 1. made_by: what these weights are, in words. leading: how many tokens, the first ones, stand for
    no patch. all_columns: with those that hold nothing but padding. cut: seconds at the end of what is heard that no patch holds.
    ticks: (text, row) frequencies along the axis of rows. multiply_adds: of the blocks. attention: None where there are too many tokens;
    `most_tokens` is how many there may be.
    """

    edges: np.ndarray
    hertz: np.ndarray
    frames: int
    weights: np.ndarray
    made_by: str
    leading: int
    all_columns: int
    cut: float
    ticks: tuple[tuple[str, float], ...]
    multiply_adds: int
    attention: Heads | None
    most_tokens: int

    @property
    def rows(self) -> int:
        return self.weights.shape[0]

    @property
    def columns(self) -> int:
        return self.weights.shape[1]

    @property
    def tokens(self) -> int:
        """Of which the network is made to work: those of padding and those of no patch are among them."""
        return self.leading + self.rows * self.all_columns

    @property
    def padding(self) -> int:
        """Tokens that hold nothing of the clip."""
        return self.rows * (self.all_columns - self.columns)

    def token(self, row: int, column: int) -> int:
        """The place of a patch among the tokens."""
        return self.leading + row * self.all_columns + column

    def lane(self, title: str, weights: np.ndarray) -> PictureLane:
        """A picture of weights (rows, columns), in percent."""
        values = 100 * weights
        most = float(values.max())
        return PictureLane(title, values, self.edges, 0.0, most, "% a patch", sequential=False, ticks=self.ticks, patches=True)

    def attention_lane(self) -> PictureLane | None:
        """What the strongest patch attends to in the last layer, as the mean of its heads; None where attention is not known."""
        if self.attention is None:
            return None
        (row, column), layer = self.strongest, len(self.attention.queries) - 1
        place = f"{self.edges[column]:.2f}–{self.edges[column + 1]:.2f} s, {self.hertz[row]:.0f}–{self.hertz[row + 1]:.0f} Hz"
        weights = self.picture(self.attention.row(self.token(row, column), layer))
        return self.lane(f"What one patch attends to: the one at {place}, in layer {layer + 1}, mean of heads", weights)

    def picture(self, values: np.ndarray) -> np.ndarray:
        """What tokens have, (tokens,), as the patches lie: (rows, columns). What stands for none of the clip is left out."""
        return values[self.leading :].reshape(self.rows, self.all_columns)[:, : self.columns]

    @property
    def strongest(self) -> tuple[int, int]:
        """Row and column of the patch that the answer is made of most."""
        row, column = np.unravel_index(int(self.weights.argmax()), self.weights.shape)
        return int(row), int(column)

    @property
    def left_out(self) -> str:
        """A sentence about attention that is not shown; "" where it is."""
        if self.attention is not None:
            return ""
        counts = f"up to {self.most_tokens:,} tokens, and here are {self.tokens:,}"
        return f"What a patch attends to is shown for {counts}: shorten the length or coarsen the resolution."

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """What the patches cost, and what of the clip is lost on the way: names and numbers with their units."""
        of = f"{self.rows} × {self.all_columns} patches" + (f" + {self.leading}" if self.leading else "")
        found = [("Tokens", f"{self.tokens:,} = {of}"), ("Multiply-adds", f"{large(self.multiply_adds)}, blocks")]
        if self.padding:
            found.append(("Padding", f"{self.padding:,} tokens, {100 * self.padding / self.tokens:.0f} %"))
        if self.cut >= 0.005:
            found.append(("Cut off", f"{self.cut:.2f} s at the end"))
        return tuple(found)

    def arrays(self) -> dict[str, np.ndarray]:
        """What a file of the run has of them, by name."""
        found = {
            "patch_edges_seconds": self.edges, "patch_edges_hertz": self.hertz, "patch_weights": self.weights,
            "patch_tokens": np.array(self.tokens),
        }
        if self.attention is not None:
            found |= {
                "attention_queries": self.attention.queries, "attention_keys": self.attention.keys,
                "attention_scales": self.attention.scales, "attention_patches": self.picture(np.arange(self.tokens)),
            }
        return found


def large(number: float) -> str:
    """A large number as a person reads it.

    >>> large(451_300_000), large(12_340_000_000), large(950), large(999_999)
    ('451 million', '12.3 billion', '950', '1 million')
    """
    number = float(f"{number:.3g}")
    for unit, name in ((1e12, " trillion"), (1e9, " billion"), (1e6, " million"), (1e3, " thousand"), (1.0, "")):
        if number >= unit:
            value = number / unit
            return f"{value:.0f}{name}" if value >= 100 or unit == 1 else f"{value:.3g}{name}"
    return "0"
