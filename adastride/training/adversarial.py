"""Adversarial training: a discriminator learns to tell originals from reconstructions, and the network to be taken for an original.

Sources: the AdaStride paper's appendix B (figure 6, equations 11 to 16), least-squares GAN (Mao et al., 2017), spectral normalisation
(Miyato et al., 2018) and weight normalisation (Salimans and Kingma, 2016). In a step the discriminator learns first, and what it has
learned then judges the same reconstruction.

The loss that a codec is trained with (equation 10) is a mean of absolute errors, whose best answer where the codes leave something open
is the median of what it may be: a blur. A discriminator sees a blur as one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from adastride import alignment as maths
from adastride.clips import DataError
from adastride.models.blocks import centred, masked, padding_mask
from adastride.models.network import Network
from adastride.tasks import Reconstructed, task_of
from adastride.training.settings import TrainingSettings

BETA, GAMMA = 1.0, 1.0  # weights of equation 16, table 7
WIDTH = 128  # channels, as many as a codec's
_KERNEL, _DILATIONS, _SLOPE = 3, (1, 1, 2, 2, 4), 0.2
_MOST_NORM = 5.0  # of the discriminator's gradient


class Judgement(NamedTuple):
    """What a discriminator says of log-mels.

    scores: (batch, T), about 1 where it takes a frame for the original's and about 0 where not. features: of each of its layers,
    (batch, width, T). All are zero past each example's length.
    """

    scores: Tensor
    features: tuple[Tensor, ...]


class Discriminator(nn.Module):
    """Judges every frame of a log-mel by the frames around it.

    bands: of the log-mel. width: channels.

    Five convolutions over time with spectral normalisation, all but the first of which add what they find to what they were given, with
    leaky ReLUs in between; then a 1x1 convolution with weight normalisation to a score. Spectral normalisation keeps the gain of every
    convolution at 1, of its strongest direction at that: five of them behind one another leave little of a mel, so they add instead, and
    the last one may scale. Five layers and both normalisations are figure 6's, whose picture says more than its caption; the rest is ours:
    that layers add (Choi et al., 2021, whom the paper follows, have residual blocks), kernels of 3 frames as in table 7, their
    dilations (a score hears 21 frames, 0.24 s of the codec's front end), the slope of 0.2, and which layer has which normalisation.

    Shape: (batch, bands, T), (batch,) lengths -> see `Judgement`.

    >>> judgement = Discriminator(bands=80, width=8)(torch.zeros(2, 80, 50), torch.tensor([50, 30]))
    >>> judgement.scores.shape, len(judgement.features)
    (torch.Size([2, 50]), 5)
    """

    def __init__(self, bands: int, width: int):
        super().__init__()
        sizes = [bands, *[width] * (len(_DILATIONS) - 1)]
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv1d(size, width, _KERNEL, padding=dilation, dilation=dilation))
            for size, dilation in zip(sizes, _DILATIONS, strict=True)
        )
        self.score = weight_norm(nn.Conv1d(width, 1, 1))

    def forward(self, mel: Tensor, lengths: Tensor) -> Judgement:
        mask = padding_mask(lengths, mel.shape[2])
        x, features = masked(centred(mel), mask), list[Tensor]()
        for layer in self.layers:
            x = masked(x + layer(F.leaky_relu(x, _SLOPE)) if features else layer(x), mask)
            features.append(x)
        return Judgement(masked(self.score(F.leaky_relu(x, _SLOPE)), mask)[:, 0], tuple(features))


def _mean(values: Tensor, lengths: Tensor) -> Tensor:
    """The expectation over sounds: the mean over each example's valid frames, then over examples.

    values: (batch, T), or (batch, channels, T), which is averaged over channels as well. lengths: (batch,).
    """
    valid = maths.length_mask(lengths, values.shape[-1])
    frames = values.mean(dim=1) if values.dim() == 3 else values
    return ((frames * valid).sum(dim=1) / lengths).mean()


def discriminator_loss(original: Tensor, reconstruction: Tensor, lengths: Tensor) -> Tensor:
    """Equation 11, a scalar. original, reconstruction: the scores of both, (batch, T). lengths: (batch,).

    >>> discriminator_loss(torch.tensor([[0.5, 1.0]]), torch.tensor([[0.0, 1.0]]), torch.tensor([2]))  # (0.25 + 0)/2 + (0 + 1)/2
    tensor(0.6250)
    """
    return _mean((original - 1).square() + reconstruction.square(), lengths)


def adversarial_loss(reconstruction: Tensor, lengths: Tensor) -> Tensor:
    """Equation 12, a scalar. reconstruction: its scores, (batch, T). lengths: (batch,).

    >>> adversarial_loss(torch.tensor([[0.0, 1.0]]), torch.tensor([2]))
    tensor(0.5000)
    """
    return _mean((reconstruction - 1).square(), lengths)


def feature_matching_loss(original: Sequence[Tensor], reconstruction: Sequence[Tensor], lengths: Tensor) -> Tensor:
    """Equation 13, a scalar. original, reconstruction: the features of each layer, (batch, width, T). lengths: (batch,).

    >>> layer = torch.zeros(1, 1, 2)
    >>> feature_matching_loss([layer, layer], [layer + 1, layer - 2], torch.tensor([2]))
    tensor(3.)
    """
    return torch.stack([_mean((ours - theirs).abs(), lengths) for ours, theirs in zip(original, reconstruction, strict=True)]).sum()


class Terms(NamedTuple):
    """The terms of one step, scalars: what the discriminator learned from, and what is added to the network's loss."""

    discriminator_loss: Tensor
    adversarial_loss: Tensor
    feature_matching_loss: Tensor

    @property
    def loss(self) -> Tensor:
        """What the network's loss is in equation 16 besides equation 10."""
        return BETA * self.adversarial_loss + GAMMA * self.feature_matching_loss


class Adversary:
    """A discriminator that learns beside a network, and its optimiser. It belongs to the training and to no checkpoint.

    bands: of the log-mels. learning_rate: of its optimiser, Adam, which decays no weight, since normalised weights have no size of their
    own. width: its channels.
    """

    def __init__(self, bands: int, learning_rate: float, width: int = WIDTH):
        self.discriminator = Discriminator(bands, width)
        self.optimizer = torch.optim.Adam(self.discriminator.parameters(), lr=learning_rate)

    @classmethod
    def beside(cls, network: Network, settings: TrainingSettings) -> Adversary:
        """The adversary of a network. Raises DataError for one whose answers are no reconstructions."""
        task = task_of(network)
        if not task.reconstructs:
            raise DataError(f"networks for {task.name} make nothing that could be taken for an original: train them without adversarial.")
        return cls(network.config.mel.n_mels, settings.learning_rate)

    @property
    def parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        """What learns and has to be kept where training is interrupted, by its name."""
        return {"discriminator": self.discriminator, "discriminator_optimizer": self.optimizer}

    def prepare(self, accelerator: Accelerator) -> None:
        """Moves it to the accelerator's device, and makes one of the discriminators of several processes. Call it before the first step."""
        self._accelerator = accelerator
        self._shared, self._prepared = accelerator.prepare(self.discriminator.to(accelerator.device), self.optimizer)

    def step(self, pair: Reconstructed) -> Terms:
        """The discriminator learns from originals and reconstructions, and then judges these for the network.

        Gradients of the first loss go to the discriminator alone, and those of the other two to the reconstruction alone.
        """
        learned = self._learn(pair)
        # Without gradients of its own, and in evaluation mode, where spectral normalisation goes on with no estimate of its own.
        judge = self.discriminator.requires_grad_(False).eval()
        original, reconstruction = (judge(mel, pair.lengths) for mel in (pair.original, pair.reconstruction))
        judge.requires_grad_(True).train()
        return Terms(
            learned, adversarial_loss(reconstruction.scores, pair.lengths),
            feature_matching_loss(original.features, reconstruction.features, pair.lengths),
        )

    def _learn(self, pair: Reconstructed) -> Tensor:
        """One step of the discriminator, equation 15. Returns its loss, detached."""
        both = torch.cat([pair.original, pair.reconstruction]).detach()  # one run: several processes average gradients after each
        original, reconstruction = cast(Judgement, self._shared(both, pair.lengths.repeat(2))).scores.chunk(2)
        loss = discriminator_loss(original, reconstruction, pair.lengths)
        self._prepared.zero_grad(set_to_none=True)
        self._accelerator.backward(loss)
        self._accelerator.clip_grad_norm_(self._shared.parameters(), _MOST_NORM)
        self._prepared.step()
        return loss.detach()
