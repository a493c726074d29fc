"""Vector quantisation: every vector is replaced by the nearest one of a codebook.

Sources: van den Oord et al., 2017, and the AdaStride paper's appendix B.

- Straight-through: the gradient of the result goes to the input as if nothing had been replaced.
- Commitment (equation 9): the squared distance between an input and its code, whose gradient pulls the input alone.
- The codebook is no parameter. Its vectors are running means of what they stand for, in place of the gradient of equation 8.
- Restart (Dhariwal et al., 2020): a code that is hardly used any more becomes a vector of the batch.

lucidrains' vector-quantize-pytorch does these as well, but it is not used here: its commitment is a mean over channels where equation 9
has a sum; its Laplace smoothing moves every code towards zero; it keeps a one-hot matrix of frames × codes and a flag that is no number,
which checkpoints refuse; and it would bring einx, einops and loguru into an installation that only wants to run a network.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Quantised:
    """What a quantiser returns.

    values: (batch, width, L), the codes' vectors, zero past each example's length; gradients go to the quantiser's input. indices:
    (batch, L) int64, which codes they are, -1 past each example's length. commitment: a scalar, equation 9 over all valid frames.
    """

    values: Tensor
    indices: Tensor
    commitment: Tensor


class Quantiser(nn.Module):
    """A codebook. In training each run moves its vectors; in evaluation a run changes nothing.

    codes: how many there are. width: channels of a vector. decay: of the running counts and sums, for a step. restart_below: a code
    is restarted when its running count is below this share of what it would be were all codes used evenly.

    `codebook` (codes, width), `counts` (codes,) and `sums` (codes, width) are buffers, which a checkpoint keeps in float32. Before the
    first step all counts are zero, so that every code begins as a vector of the data. Of several processes all take the first one's
    codebook, which DistributedDataParallel sends around; it is learned from that one's share of the batches.

    >>> quantiser = Quantiser(codes=4, width=2).eval()
    >>> quantised = quantiser(torch.zeros(1, 2, 5))
    >>> quantised.values.shape, quantised.indices.shape
    (torch.Size([1, 2, 5]), torch.Size([1, 5]))
    """

    codebook: Tensor
    counts: Tensor
    sums: Tensor

    def __init__(self, codes: int, width: int, decay: float = 0.99, restart_below: float = 0.1):
        super().__init__()
        self.decay, self.restart_below = decay, restart_below
        self.register_buffer("codebook", torch.randn(codes, width))
        self.register_buffer("counts", torch.zeros(codes))
        self.register_buffer("sums", torch.zeros(codes, width))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Quantised:
        """Quantises the valid frames of x (batch, width, L). mask: (batch, L), None where all are valid."""
        batch, width, time = x.shape
        frames = x.transpose(1, 2)
        valid = (frames.reshape(-1, width) if mask is None else frames[mask]).float()
        if self.training:
            self._restart(valid.detach())
        found = self.nearest(valid.detach())
        vectors = self.vectors(found)
        if self.training:
            self._learn(valid.detach(), found)
        # Not a mean over channels: the norm of equation 9.
        commitment = (valid - vectors).square().sum(dim=1).mean()
        through = (vectors + (valid - valid.detach())).to(x.dtype)  # exactly the code's vector
        if mask is None:
            values, indices = through.view(batch, time, width), found.view(batch, time)
        else:
            values = frames.new_zeros(frames.shape).masked_scatter(mask[:, :, None], through)
            indices = found.new_full((batch, time), -1).masked_scatter(mask, found)
        return Quantised(values.transpose(1, 2), indices, commitment)

    def nearest(self, frames: Tensor) -> Tensor:
        """The code nearest to each frame, the first of equals: (n, width) -> (n,) int64."""
        # |x - c|² without |x|², which is the same for all codes.
        return (self.codebook.square().sum(dim=1) - 2 * frames @ self.codebook.T).argmin(dim=1)

    def vectors(self, indices: Tensor) -> Tensor:
        """The vectors of some codes: (...,) -> (..., width)."""
        return F.embedding(indices, self.codebook)

    @torch.no_grad()
    def _restart(self, frames: Tensor) -> None:
        """Gives every code that is hardly used a vector of the batch, or as many of them as the batch has vectors."""
        even = len(frames) / len(self.counts)
        dead = (self.counts < self.restart_below * even).nonzero()[:, 0]
        if not len(dead):
            return
        dead = dead[torch.randperm(len(dead), device=dead.device)[: len(frames)]]
        self.codebook[dead] = frames[torch.randperm(len(frames), device=frames.device)[: len(dead)]]
        self.counts[dead] = even
        self.sums[dead] = even * self.codebook[dead]

    @torch.no_grad()
    def _learn(self, frames: Tensor, found: Tensor) -> None:
        """Moves the running counts and sums, and with them the codebook."""
        counts = torch.bincount(found, minlength=len(self.counts)).to(self.counts.dtype)
        sums = torch.zeros_like(self.sums).index_add_(0, found, frames)
        self.counts.mul_(self.decay).add_(counts, alpha=1 - self.decay)
        self.sums.mul_(self.decay).add_(sums, alpha=1 - self.decay)
        learned = self.counts > 0  # a code that has not begun yet keeps its place
        self.codebook[learned] = self.sums[learned] / self.counts[learned, None]
