"""Numbers that compare downsamplers: what a reconstruction misses, what has aliased, and what changes when the input moves.

All functions are pure, take (batch, channels, time) signals and any `Downsampler`, and work in no-grad and inference
mode. Where a method adapts to its input, its weights are held as they are for the input at hand, unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from adastride import alignment as maths
from adastride.alignment import AnyAlignment, Reversible
from adastride.downsampling.base import Downsampler, LayerSettings, by_length, zero_padding

# Quantiles of the frames' levels that count as quiet and loud; outliers beyond them don't move the threshold.
_QUIET, _LOUD = 0.05, 0.95


def reconstruct(values: Tensor, alignment: AnyAlignment, time: int) -> Tensor:
    """Brings a downsampled signal back to input time.

    Where the alignment can upsample, it does. Otherwise the output frames, each at its centre in input time, are joined by lines;
    before the first centre and after the last one the value stays.

    Shape: values (batch, channels, L) -> (batch, channels, time), zero past each example's length.
    Raises ValueError if the alignment has another number of input frames than `time`.

    >>> from adastride.downsampling import build
    >>> down = build("avg-pool", 1, 2.0)(torch.tensor([[[0.0, 2.0, 4.0, 6.0]]]))
    >>> reconstruct(down.values, down.alignment, 4)
    tensor([[[1., 2., 4., 5.]]])
    """
    expected = alignment.positions.shape[1]
    if time != expected:
        raise ValueError(f"expected the alignment's {expected} input frames, got {time}")
    if isinstance(alignment, Reversible):
        return alignment.upsample(values)
    centres = alignment.centres()
    frame = torch.arange(time, dtype=torch.float64, device=centres.device).expand(len(values), -1).contiguous()
    last = (alignment.output_lengths - 1)[:, None]
    reached = centres.masked_fill(~maths.length_mask(alignment.output_lengths, centres.shape[1]), torch.inf)
    high = torch.searchsorted(reached, frame).minimum(last)
    low = (high - 1).clamp(min=0)
    gap = centres.gather(1, high) - centres.gather(1, low)
    share = ((frame - centres.gather(1, low)) / gap.masked_fill(gap == 0, 1.0)).clamp(0, 1)[:, None]
    share = share.to(values.dtype).to(values.device)
    index = [neighbour[:, None].expand(-1, values.shape[1], -1).to(values.device) for neighbour in (low, high)]
    lines = values.gather(2, index[0]) * (1 - share) + values.gather(2, index[1]) * share
    return zero_padding(lines, alignment.lengths)


def frame_energy(x: Tensor, logarithmic: bool = False) -> Tensor:
    """The energy of every frame, a mean over channels. Shape: x (batch, channels, time) -> (batch, time).

    logarithmic: whether x holds natural logs of amplitudes, as our mel front end makes them, or the amplitudes themselves.

    >>> frame_energy(torch.tensor([[[1.0, 0.0], [3.0, 2.0]]]))
    tensor([[5., 2.]])
    """
    return ((2 * x).exp() if logarithmic else x.square()).mean(dim=1)


def loud_mask(energy: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Says which frames are loud: those whose level in dB lies above the middle of the clip's range.

    The range goes from the 5th to the 95th percentile of the levels. Valid frames that are not loud are quiet. A clip whose level
    never changes is loud throughout.
    Shape: energy (batch, time), lengths (batch,) -> (batch, time) bool, False past each example's length.

    >>> loud_mask(torch.tensor([[1e-4, 2e-4, 1.0, 0.5]]))
    tensor([[False, False,  True,  True]])
    """
    lengths = maths.check_lengths(lengths, energy[:, None])
    level = 10 * energy.to(torch.float64).clamp(min=1e-30).log10()
    valid = maths.length_mask(lengths, energy.shape[1])
    ends = torch.tensor([_QUIET, _LOUD], dtype=torch.float64, device=energy.device)
    middle = torch.stack([row[keep].quantile(ends).mean() for row, keep in zip(level, valid, strict=True)])
    return valid & (level >= middle[:, None] - 1e-9)


def error_db(x: Tensor, reconstruction: Tensor, mask: Tensor | None = None, lengths: Tensor | None = None) -> Tensor:
    """How far a reconstruction is from x, in dB: the mean squared error over the clip's variance.

    The variance is taken about each channel's mean over the whole clip, even where a mask picks a part of it, so that parts can be
    compared with each other. At 0 dB a reconstruction is as good as that mean, at -20 dB its error has a tenth of the amplitude.
    Shape: x and reconstruction (batch, channels, time), mask (batch, time) bool or None for all frames, lengths (batch,)
    -> (batch,) float64; -inf where nothing differs, NaN where x does not vary or the mask is empty.
    Raises ValueError if the shapes differ.

    >>> error_db(torch.tensor([[[1.0, -1.0]]]), torch.tensor([[[0.9, -0.9]]]))
    tensor([-20.0000], dtype=torch.float64)
    """
    if reconstruction.shape != x.shape:
        raise ValueError(f"expected a reconstruction of {tuple(x.shape)}, got {tuple(reconstruction.shape)}")
    valid = maths.length_mask(maths.check_lengths(lengths, x), x.shape[2])
    counted = valid if mask is None else mask & valid
    error = _frame_mean((reconstruction - x).to(torch.float64).square(), counted)
    return _level(error, _variation(x, valid))


def _frame_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Means over the channels and the frames of a mask. Shape: values (batch, channels, time), mask (batch, time) -> (batch,)."""
    return values.masked_fill(~mask[:, None], 0.0).sum(dim=(1, 2)) / (mask.sum(dim=1) * values.shape[1])


def _variation(x: Tensor, valid: Tensor) -> Tensor:
    """The variance of x about each channel's mean, (batch,) float64; 0 where it is no more than rounding error of the mean."""
    x = x.to(torch.float64).masked_fill(~valid[:, None], 0.0)
    mean = x.sum(dim=2, keepdim=True) / valid.sum(dim=1)[:, None, None]
    variance = _frame_mean((x - mean).square(), valid)
    return variance.masked_fill(variance <= 1e-12 * _frame_mean(x.square(), valid), 0.0)


def _level(energy: Tensor, reference: Tensor) -> Tensor:
    """The level of an energy in dB relative to a reference; NaN where the reference is 0."""
    return 10 * (energy / reference.masked_fill(reference == 0, torch.nan)).log10()


def aliased_energy(layer: Downsampler, x: Tensor, lengths: Tensor | None = None, settings: LayerSettings | None = None) -> Tensor:
    """How much of the output's energy has aliased, in percent.

    L output frames can carry frequencies of up to L / 2 cycles a clip. Whatever faster parts of the input put into the output
    is therefore at a wrong frequency there. So the input is split at L / 2 by an ideal filter at the clip's own length, and the
    output is compared with what the slow part alone would have given:

        100 * |y(x) - y(slow part of x)|^2 / |y(x) - its mean over time|^2.

    For linear methods the difference is the response to the fast part. For methods that adapt, weights are held as x made
    them, and L / 2 is the limit at their mean stride. Spectral pooling has 0 %; picking every s-th frame of white noise
    has about 100 (s - 1) / s %.
    Shape: x (batch, channels, time), lengths (batch,) -> (batch,) float64; NaN where the output does not vary.

    >>> from adastride.downsampling import build
    >>> x = torch.tensor([[[1.0, -1.0, 1.0, -1.0, 2.0, 0.0, 2.0, 0.0]]])
    >>> aliased_energy(build("spectral-pool", 1, 2.0), x) < 1e-6, aliased_energy(build("max-pool", 1, 2.0), x) > 50
    (tensor([True]), tensor([True]))
    """
    lengths = maths.check_lengths(lengths, x)
    with torch.no_grad():
        downsampled = layer(x, lengths, settings)
        frames = dict(zip(lengths.tolist(), downsampled.lengths.tolist(), strict=True))
        slow = by_length(x, lengths, lambda group: _slower(group, frames[group.shape[2]]))
        slow = torch.nn.functional.pad(slow, (0, x.shape[2] - slow.shape[2]))
        aliased = (
            layer.shortcut(x - slow, lengths, downsampled) if layer.linear else downsampled.values - layer(slow, lengths, settings).values
        )
        valid = maths.length_mask(downsampled.lengths, downsampled.values.shape[2])
        variation = _variation(downsampled.values, valid)
        return 100 * _frame_mean(aliased.to(torch.float64).square(), valid) / variation.masked_fill(variation == 0, torch.nan)


def _slower(x: Tensor, frames: int) -> Tensor:
    """The part of x (..., time) up to the Nyquist limit of `frames` frames, the limit itself included."""
    exact = x if x.dtype == torch.float64 else x.float()
    bins = torch.fft.rfft(exact)
    bins[..., frames // 2 + 1 :] = 0
    return torch.fft.irfft(bins, n=x.shape[-1]).to(x.dtype)


@dataclass(frozen=True)
class ShiftChange:
    """How much a result changes when its input moves.

    shifts: by how many input frames it moves. changes: (shifts, batch), in percent of the result's own standard deviation over time.
    """

    shifts: tuple[int, ...]
    changes: Tensor

    @property
    def mean(self) -> Tensor:
        """The mean change in percent, (batch,), over all shifts but that by 0 frames, which changes nothing."""
        return self.changes[[shift != 0 for shift in self.shifts]].mean(dim=0)

    @property
    def worst(self) -> Tensor:
        """The largest change in percent, (batch,)."""
        return self.changes.amax(dim=0)


def shift_change(layer: Downsampler, x: Tensor, shifts: Iterable[int] = range(11), settings: LayerSettings | None = None) -> ShiftChange:
    """How much a method's result changes when its input comes a few frames later.

    The clip is moved later by `shift` frames. Its first frame is repeated before it and its last frame after it, so that the
    whole clip is there whatever the shift, and all inputs have one length. Each result is worked out anew, its weights included,
    brought back to input time and moved back. The change is

        100 * |moved - unmoved| / |unmoved - its mean over time|.

    Shape: x (batch, channels, time), every frame valid -> `ShiftChange` with changes (shifts, batch) float64, NaN where the
    result does not vary. Raises ValueError for no shift at all or a negative one.

    >>> from adastride.downsampling import build
    >>> x = torch.sin(torch.arange(40.0))[None, None]
    >>> shift_change(build("avg-pool", 1, 1.0), x).worst
    tensor([0.], dtype=torch.float64)
    """
    shifts = tuple(int(shift) for shift in shifts)
    if not shifts or min(shifts) < 0:
        raise ValueError(f"expected shifts of at least 0 frames, got {list(shifts)}")
    longest, time = max(shifts), x.shape[2]

    def moved(shift: int) -> Tensor:
        later = torch.cat([x[..., :1].expand(-1, -1, shift), x, x[..., -1:].expand(-1, -1, longest - shift)], dim=2)
        downsampled = layer(later, settings=settings)
        return reconstruct(downsampled.values, downsampled.alignment, time + longest)[..., shift : shift + time].to(torch.float64)

    with torch.no_grad():
        still = moved(0)
        everything = torch.ones(len(x), time, dtype=torch.bool, device=x.device)
        variation = _variation(still, everything)
        variation = variation.masked_fill(variation == 0, torch.nan)
        changes = [100 * (_frame_mean((moved(shift) - still).square(), everything) / variation).sqrt() for shift in shifts]
    return ShiftChange(shifts, torch.stack(changes))
