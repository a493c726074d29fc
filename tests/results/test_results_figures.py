"""The charts of the results: what is in them, on the page and in files."""

from __future__ import annotations

import math
from pathlib import Path

import made_up_results as made_up
import pytest

from adastride.inspection import figures
from adastride.inspection.charts import Chart, export_figure, plotly_panel
from adastride.intervals import wilson
from adastride.results import core as results
from adastride.results.figures import accuracy_chart, cost_chart, pooled_chart, shift_chart, sigma_chart, stride_chart
from adastride.results.reading import Run

MACHINE = "CPU x86_64, 1 thread, width 128"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    return made_up.runs(tmp_path_factory.mktemp("results"), made_up.many(3))


def charts(runs: list[Run]) -> list[Chart]:
    return [
        accuracy_chart(runs), sigma_chart(runs), pooled_chart(runs, "adastride-s"), shift_chart(runs, results.methods_of(runs)),
        cost_chart(runs, MACHINE), stride_chart(runs),
    ]


def test_all_charts_open_in_all_forms(runs: list[Run]):
    """Light and dark on the page, PNG and SVG as files; each says on how many runs it stands."""
    for chart in charts(runs):
        assert chart.panels
        assert " runs on CPU x86_64, 1 thread; width 128 (the paper’s networks: 256); " in chart.facts
        for panel in chart.panels:
            light, dark = plotly_panel(panel), plotly_panel(panel, dark=True)
            assert light.layout.font.color != dark.layout.font.color
            assert len(light.data) == len(panel.series)
        figure = export_figure(chart)
        assert figures.render(figure, "png").startswith(b"\x89PNG")
    assert b"standard deviation over runs" in figures.render(export_figure(accuracy_chart(runs)), "svg")


def test_no_text_of_an_exported_figure_is_cut(runs: list[Run]):
    for chart in charts(runs):
        figure = export_figure(chart)
        with figures.styled():
            box = figure.get_tightbbox()
        width, height = figure.get_size_inches()
        assert box.x0 >= 0, chart.name
        assert box.x1 <= width, chart.name
        assert box.y0 >= 0, chart.name
        assert box.y1 <= height, chart.name


def test_the_same_file_every_time(runs: list[Run]):
    first, second = (figures.render(export_figure(sigma_chart(runs)), "svg") for _ in range(2))
    assert first == second


def test_accuracy_has_one_axis_and_the_papers_marks(runs: list[Run]):
    """All panels share it, everything is on it, and hollow marks are only where the data is of the paper's kind."""
    chart = accuracy_chart(runs)
    assert [panel.title for panel in chart.panels] == ["commands", "emotion", "digits", "scenes"]
    assert len({panel.x for panel in chart.panels}) == 1
    for panel in chart.panels:
        marks = [point for each in panel.series for point in each.points]
        assert all(panel.x.low <= point.low <= point.x <= point.high <= panel.x.high for point in marks)
        hollow = [each for each in panel.series if each.look == "hollow"]
        assert bool(hollow) == (panel.title in ("commands", "emotion"))
        assert all("not the same data" in each.name for each in hollow)
        assert sum(len(each.points) for each in panel.series if each.look == "dot") == 12


def test_one_run_has_the_thin_interval_of_its_clips(tmp_path: Path):
    chart = accuracy_chart(made_up.runs(tmp_path, [made_up.row("digits", accuracy=0.9)]))
    (series,) = chart.panels[0].series
    low, high = wilson(0.9, 500)
    assert series.thin
    assert (series.points[0].low, series.points[0].high) == (pytest.approx(100 * low), pytest.approx(100 * high))
    assert "Thin bars: one run only" in chart.facts
    assert "Thick bars" not in chart.facts


def test_pooled_frames_carry_their_entropy(runs: list[Run]):
    panel = pooled_chart(runs, "adastride").panels[0]
    assert panel.corner == "entropy 1.67 ± 0.01 nats"
    assert sum(point.y for point in panel.series[0].points) == pytest.approx(100)


def test_shifts_carry_their_standard_deviation(runs: list[Run]):
    panel = shift_chart(runs, ["adastride", "strided-conv"]).panels[0]
    assert [each.name for each in panel.series] == ["Strided convolution (0.12)", "AdaStride (0.04)"]
    assert len({(each.colour, each.dash) for each in shift_chart(runs, results.methods_of(runs)).panels[0].series}) == 12


def test_strides_and_sigmas(runs: list[Run]):
    """A panel for each method that learns something; the paper's stride of layer 1 on commands."""
    chart = stride_chart(runs)
    assert [panel.title for panel in chart.panels] == ["DiffStride", "DCT-DiffStride", "AdaStride, learned σ"]
    assert [panel.guide for panel in chart.panels] == [2.0, 2.0, 5.0]
    (paper,) = [each for panel in chart.panels for each in panel.series if each.look == "hollow"]
    assert [point.x for point in paper.points] == [1.97]


def test_costs(runs: list[Run]):
    chart = cost_chart(runs, MACHINE)
    assert [panel.title for panel in chart.panels] == ["Training time", "Training memory", "Inference time"]
    ours = [point.x for each in chart.panels[0].series if each.look == "dot" for point in each.points]
    assert {round(value, 2) for value in ours} == {1.0, 1.2, 1.5}


def test_nothing_is_no_chart():
    """No panel, and no file of nothing."""
    for chart in charts([]):
        assert chart.panels == ()
        with pytest.raises(ValueError, match="nothing to draw"):
            export_figure(chart)


def test_every_mark_says_what_it_is(runs: list[Run]):
    for chart in charts(runs):
        for panel in chart.panels:
            for point in (point for each in panel.series for point in each.points):
                assert point.text
                assert math.isfinite(point.x)
                assert math.isfinite(point.y)
