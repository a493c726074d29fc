"""A picture through a mask over its spectrum, and back with as many frequencies as are left.

Source: DiffStride, section 2.3 and algorithm 1. Small pictures are multiplied by matrices instead of being transformed. With C the
complex operator of the height (transform, mask, crop, transform back) and Z = M + iN that of the width on a half spectrum, the result
is the real part of C X Z', which is P X M' - Q X N' with C = P + iQ: C is complex because the frequencies k and -k may have masks of
their own. Both matrices are worked out from the masks with each call, so that gradients reach these.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

# The longest side for which matrices are used. On a CPU, forward and backward take a half of the transform's time at 32, and as long at
# about 100; measured for 64 x 32 pictures.
MATRIX_SIDE = 80
_KEPT = 128  # waves of different sizes; a stride that is dragged or learned brings new ones


def through_mask(x: Tensor, above: Tensor, below: Tensor, right: Tensor, size: tuple[int, int]) -> Tensor:
    """Transforms x (..., height, width), multiplies its lowest frequencies with a mask, drops the others, and transforms back.

    The mask is an outer product. above: of the vertical frequencies 0, 1, 2, ... that stay; below: of the negative ones that stay, -1
    last. right: of the horizontal ones 0, 1, 2, ... that stay. size: (h, w) of the result; h is the number of vertical ones.
    Shape: -> (..., h, w), with the mean of x where the mask is 1 at frequency 0. x is float32 or float64.
    """
    height, width = x.shape[-2:]
    h, w = size
    if max(height, width, h, w) > MATRIX_SIDE:
        bins = torch.fft.rfft2(x)[..., : len(right)]
        bins = torch.cat([bins[..., : len(above), :], bins[..., height - len(below) :, :]], dim=-2)
        bins = bins * torch.cat([above, below])[:, None] * right
        return torch.fft.irfft2(bins, s=(h, w)) * (h * w / (height * width))
    frequencies = (*range(len(above)), *range(-len(below), 0))
    vertical = (_waves(h, frequencies, x.dtype, x.device) * (torch.cat([above, below]) / height)) @ _waves(height, frequencies, x.dtype, x.device).mH
    # A half spectrum stands for the other half, too, but for frequency 0 and for the highest one of an even width.
    twice = [1.0 if k == 0 or 2 * k == w else 2.0 for k in range(len(right))]
    frequencies = tuple(range(len(right)))
    weights = right * right.new_tensor(twice) / width
    horizontal = (_waves(w, frequencies, x.dtype, x.device) * weights) @ _waves(width, frequencies, x.dtype, x.device).mH
    lines = x @ torch.cat([horizontal.real, horizontal.imag]).mT
    return torch.cat([vertical.real, -vertical.imag], dim=1) @ torch.cat([lines[..., :w], lines[..., w:]], dim=-2)


@lru_cache(maxsize=_KEPT)
def _waves(places: int, frequencies: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """exp(2 pi i k n / places), (places, frequencies), shared by all calls: to be read only."""
    with torch.inference_mode(False):
        # Whole turns are taken off while they are still whole numbers: a large angle's cosine is less exact.
        steps = torch.arange(places)[:, None] * torch.tensor(frequencies, dtype=torch.int64) % places
        angles = steps.double() * (2 * math.pi / places)
        return torch.polar(torch.ones_like(angles), angles).to(dtype.to_complex()).to(device)
