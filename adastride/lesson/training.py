"""A small network that learns where to look (step 10): its toy task, its training, and what is shown of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adastride.alignment import Alignment
from adastride.downsampling import AdaStride, Downsampled

BURST_TIME, BURST_LENGTH, MOST_STEPS = 96, 12, 240
HELD_OUT = 64  # clips that the network is tried on and never trained with
_BATCH, _RATE = 32, 0.01
_HELD_OUT_SEED = 99
_PATTERNS = torch.tensor([
    [1.0, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1],
    [1, 1, 1, -1, -1, -1, 1, 1, 1, -1, -1, -1],
    [1, 1, -1, -1, 1, 1, -1, -1, 1, 1, -1, -1],
    [1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1],
])
CLASSES = len(_PATTERNS)


def bursts(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Clips of the toy task: silence with faint noise and one burst whose pattern is the class.

    Returns the clips (count, 3, BURST_TIME), whose channels are the pattern, the pattern one frame later, and the loudness; the classes
    (count,); and the frames at which the bursts begin (count,).
    """
    begin = torch.randint(4, BURST_TIME - BURST_LENGTH - 4, (count,), generator=generator)
    label = torch.randint(0, CLASSES, (count,), generator=generator)
    clips = 0.15 * torch.randn(count, 3, BURST_TIME, generator=generator)
    inside = begin[:, None] + torch.arange(BURST_LENGTH)
    pattern = _PATTERNS[label]
    shapes = torch.stack([pattern, pattern.roll(1, dims=1), torch.ones_like(pattern)], dim=1)
    return clips.scatter_add(2, inside[:, None].expand(-1, 3, -1), shapes), label, begin


class BurstNetwork(nn.Module):
    """A convolution that looks at single frames, AdaStride, a convolution, the mean over time, and a score for each class."""

    def __init__(self, stride: float):
        super().__init__()
        self.embed = nn.Conv1d(3, 12, kernel_size=1)
        self.downsample = AdaStride(12, stride=stride)
        self.convolve = nn.Conv1d(12, 24, kernel_size=3, padding=1)
        self.classify = nn.Linear(24, CLASSES)

    def forward(self, clips: Tensor) -> tuple[Tensor, Downsampled]:
        """Runs clips (batch, 3, time). Returns the scores of the classes (batch, CLASSES), and what AdaStride returned."""
        shorter = self.downsample(F.relu(self.embed(clips)))
        return self.classify(F.relu(self.convolve(shorter.values)).mean(dim=2)), shorter


@dataclass
class Training:
    """One person's network in training. It lives in that person's session and is shared with nobody.

    stride: input frames per output frame. seed: of weights and clips; two networks with the same seed are trained alike. losses,
    ratios: a number for every step so far; a ratio is the mean stride outside of the bursts over that inside, see `stride_ratio`.
    """

    stride: float
    seed: int = 0
    losses: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)

    def __post_init__(self):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.network = BurstNetwork(self.stride)
        self._optimiser = torch.optim.Adam(self.network.parameters(), lr=_RATE)
        self._generator = torch.Generator().manual_seed(self.seed)
        self._held_out = bursts(HELD_OUT, torch.Generator().manual_seed(_HELD_OUT_SEED))

    @property
    def finished(self) -> bool:
        return len(self.losses) >= MOST_STEPS

    def advance(self, steps: int) -> None:
        """Takes a few steps of the optimiser, but no more than `MOST_STEPS` in all."""
        for _ in range(min(steps, MOST_STEPS - len(self.losses))):
            clips, labels, begin = bursts(_BATCH, self._generator)
            scores, shorter = self.network(clips)
            loss = F.cross_entropy(scores, labels) + shorter.position_loss
            self._optimiser.zero_grad()
            loss.backward()
            self._optimiser.step()
            self.losses.append(float(loss.detach()))
            self.ratios.append(stride_ratio(shorter.alignment, begin))

    @torch.no_grad()
    def look(self) -> dict:
        """Runs the clips that are held out and returns what is shown of them.

        Of the first clip these are its channels "clip" (3, time), the frame "begin" of its burst, its positions "unit" (time,) from 0
        to 1, its class "label", and the network's "guess"; of all `HELD_OUT` clips the "accuracy", the "ratio" of strides and the
        "position_loss".
        """
        clips, labels, begin = self._held_out
        scores, shorter = self.network(clips)
        correct = scores.argmax(dim=1) == labels
        return {
            "clip": clips[0].numpy(),
            "begin": int(begin[0]),
            "unit": shorter.alignment.unit_positions[0].numpy(),
            "label": int(labels[0]),
            "guess": int(scores[0].argmax()),
            "accuracy": float(correct.float().mean()),
            "ratio": stride_ratio(shorter.alignment, begin),
            "position_loss": float(shorter.position_loss),
        }


def stride_ratio(alignment: Alignment, begin: Tensor) -> float:
    """The mean stride in silence over the mean stride in the burst, for a batch. It is 1 where strides are uniform.

    begin: (batch,) first frame of each burst. A mean stride is the number of input frames over that of the output frames that they
    cover, both summed over the batch.
    """
    positions = alignment.positions.detach()
    first, last = (positions.gather(1, (begin + offset)[:, None])[:, 0] for offset in (0, BURST_LENGTH - 1))
    inside = float((last - first).mean())
    outside = float(positions[:, -1].mean()) - inside
    return ((BURST_TIME - BURST_LENGTH) / max(outside, 1e-6)) / ((BURST_LENGTH - 1) / max(inside, 1e-6))
