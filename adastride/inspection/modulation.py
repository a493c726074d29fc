"""The strides of a network of spectrograms in the units that people know: milliseconds, mel bands, and modulations that are kept.

Source: Riad et al. (2022), table 2, which converts learned strides "to upper cut-off frequencies (i.e. the maximum frequency kept by the
lowpass-filter)": a layer of stride S whose input has r frames in a second keeps modulations up to r / (2 S) Hz, and of r bands in a band
of the mel those up to r / (2 S) cycles per band.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adastride.inspection.pictures import AxisTrace, PictureTrace


@dataclass(frozen=True)
class Modulation:
    """What a layer's stride means along one axis, in the unit of the axis: seconds or mel bands.

    step: from one of its output columns (or rows) to the next, in units. cut_off: of what it is given it keeps modulations up to so many
    cycles per unit.
    """

    step: float
    cut_off: float


def modulations(rate: float, strides: Sequence[float], actual: Sequence[float]) -> tuple[Modulation, ...]:
    """A modulation for each layer along one axis, lowest first.

    rate: columns (or rows) of the network's input in a unit. strides: of the layers. actual: how many input columns each layer really has
    for an output column, by which the rate is smaller for the layers above it. Raises ValueError for a stride or a rate that is not
    above 0, and for lists of different lengths.

    >>> first, second = modulations(100, (1.46, 2), (1.25, 1.6))  # frames in a second
    >>> f"{first.cut_off:.1f} Hz, {1e3 * first.step:.1f} ms; {second.cut_off:.1f} Hz, {1e3 * second.step:.1f} ms"
    '34.2 Hz, 12.5 ms; 20.0 Hz, 20.0 ms'
    """
    if rate <= 0 or min([*strides, *actual], default=1) <= 0:
        raise ValueError(f"expected a rate and strides above 0, got {rate}, {tuple(strides)} and {tuple(actual)}")
    found, below = [], rate
    for stride, real in zip(strides, actual, strict=True):
        found.append(Modulation(real / below, below / (2 * stride)))
        below /= real
    return tuple(found)


def modulations_of(trace: PictureTrace, axis: int, rate: float) -> tuple[Modulation, ...]:
    """`modulations` of the layers of a run. axis: 0 or 1, height or width."""
    along = [layer.along[axis] for layer in trace.layers]
    return modulations(rate, [float(each.settings.stride or 1.0) for each in along], [_actual(each) for each in along])


def _actual(axis: AxisTrace) -> float:
    """Input columns for an output column. What a soft mask lets through has more columns than a stride says: its slope is kept, too."""
    return axis.input_size / axis.output_size if axis.mask is not None else float(axis.settings.stride or 1.0)
