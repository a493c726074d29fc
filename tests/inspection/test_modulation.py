"""Strides in people's units: DiffStride's table 2, and that rates follow what layers really keep."""

from __future__ import annotations

import pytest
from made_up_pictures import spectrogram_network
from sound_made_here import waveform

from adastride.inspection.modulation import modulations, modulations_of
from adastride.inspection.pictures import trace_image
from adastride.inspection.sound_windows import sound_window


@pytest.mark.parametrize(("stride", "rate", "cut_off"), [
    (1.89, 100, 26.25), (1.29, 100, 38.33), (1.97, 100, 25.00), (1.46, 100, 34.17), (1.99, 1, 0.2448), (2.12, 1, 0.2292), (1.61, 1, 0.3021),
    (1.79, 1, 0.2708),
])
def test_cut_offs_are_those_of_the_paper_s_table_2(stride: float, rate: float, cut_off: float):
    """Its cut-offs are those of whole bins of the spectrum, means of three runs: within a bin."""
    (found,) = modulations(rate, [stride], [stride])
    assert found.cut_off == pytest.approx(cut_off, abs=rate / 40)
    assert found.step == pytest.approx(stride / rate)


def test_a_layer_s_rate_is_what_the_layers_below_it_leave():
    first, second, third = modulations(100, [2, 2, 4], [1.6, 1.25, 4])
    assert (first.step, second.step, third.step) == pytest.approx((0.016, 0.02, 0.08))
    assert (first.cut_off, second.cut_off, third.cut_off) == pytest.approx((25, 62.5 / 4, 50 / 8))
    assert modulations(100, [], []) == ()


@pytest.mark.parametrize(("rate", "strides", "actual"), [(0, [2], [2]), (100, [0], [2]), (100, [2], [-1]), (100, [2], [2, 2])])
def test_what_is_no_stride_is_refused(rate: float, strides: list[float], actual: list[float]):
    with pytest.raises(ValueError, match=r"expected a rate|shorter|longer"):
        modulations(rate, strides, actual)


@pytest.mark.parametrize("method", ["diffstride", "dct-diffstride", "strided-conv", "adastride"])
def test_steps_are_those_between_the_columns_of_a_run(method: str):
    network = spectrogram_network(method)
    trace = trace_image(network, sound_window(waveform(), network.config.mel, 100, 0).pixels)
    for axis, rate, size in ((0, 1.0, 64), (1, 100.0, 100)):
        for layer, found in zip(trace.layers, modulations_of(trace, axis, rate), strict=True):
            outputs = layer.along[axis].output_size
            assert (outputs - 1) * found.step * rate < size <= outputs * found.step * rate + 1e-6
        bottom = modulations_of(trace, axis, rate)[0]
        assert bottom.cut_off == pytest.approx(rate / 2 / trace.settings[0][axis].stride)
