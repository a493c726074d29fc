"""Costs on this machine (step 9)."""

from __future__ import annotations

from adastride.lesson.costs import measure_costs


def test_costs_are_measured():
    timings = measure_costs(8, 2.0, 0.447, frames=(100, 800))
    assert [each.frames for each in timings] == [100, 800]
    assert all(0 < value < 5000 for each in timings for value in (each.dense, each.windows, each.nearest))
    assert timings[1].dense > timings[1].windows
