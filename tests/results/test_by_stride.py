"""The headline metric against the overall stride: the file of a sweep as a chart."""

from __future__ import annotations

from pathlib import Path

import pytest

from adastride.checkpoints import catalogue
from adastride.inspection.charts import export_figure, plotly_panel
from adastride.results.by_stride import STRIDES, StrideScore, by_stride_chart, read_strides
from adastride.results.reading import ResultsError
from adastride.sweep.core import Setting
from adastride.sweep.scores import Score, scores_csv
from adastride.tasks import KINDS

RATE = KINDS["recogniser"].task.headline


def score(name: str, stride: float, errors: float) -> Score:
    return Score(name, Setting(None, stride), stride, RATE, errors, errors * 3, 50, 0.3, 200.0, 900.0, errors * 5)


def test_a_file_of_a_sweep_is_read(tmp_path: Path):
    """Written by `sweep`, read here: the same numbers."""
    scores = [score("digits-string-strided-conv", 4.0, 10.0), score("digits-string-adastride", 8.0, 30.0)]
    (tmp_path / "strides.csv").write_text(scores_csv(scores), encoding="utf-8")
    read = read_strides(tmp_path / "strides.csv")
    assert [(one.checkpoint, one.stride, one.clips) for one in read] == [("digits-string-strided-conv", 4, 50), ("digits-string-adastride", 8, 50)]
    for one, other in zip(read, scores, strict=True):
        assert (one.value, one.low, one.high) == pytest.approx((other.value, *other.bounds), rel=1e-4)


def test_no_file_and_another_file(tmp_path: Path):
    assert read_strides(tmp_path / "none.csv") == []
    (tmp_path / "other.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(ResultsError, match=r"other\.csv is no file of `python -m adastride sweep --stride`: write it again\."):
        read_strides(tmp_path / "other.csv")
    (tmp_path / "broken.csv").write_text("checkpoint,stride,clips,error_rate,low,high\nx,fast,3,0.1,0,1\n", encoding="utf-8")
    with pytest.raises(ResultsError):
        read_strides(tmp_path / "broken.csv")


def test_the_chart_has_a_line_for_each_network_in_the_order_of_methods():
    made = [StrideScore(name, stride, 0.01 * stride, 0.005 * stride, 0.02 * stride, 450) for name in
            ("digits-string-adastride", "digits-string-strided-conv", "digits-adastride", "gone") for stride in (8.0, 4.0)]
    (panel,) = by_stride_chart(made, "recogniser").panels
    assert panel.title == "Strings of digits"
    assert [series.name for series in panel.series] == ["Strided convolution", "AdaStride, σ⁻² = 5"]
    assert [(point.x, point.y, point.low, point.high) for point in panel.series[0].points] == [(4, 4, 2, 8), (8, 8, 4, 16)]
    assert "overall stride 8: 8.0 % on 450 clips" in panel.series[1].points[1].text
    assert panel.y.low == 0
    drawn = plotly_panel(panel).data[0]
    assert (drawn.error_y.visible, list(drawn.error_y.array), list(drawn.error_y.arrayminus)) == (True, [4, 8], [2, 4])
    assert export_figure(by_stride_chart(made, "recogniser")) is not None


def test_lines_of_one_colour_are_told_apart():
    methods = ("strided-conv", "spectral-pool", "diffstride", "adastride", "adastride-f")
    made = [StrideScore(f"digits-string-{method}", 4.0, 0.1, 0.05, 0.2, 450) for method in methods]
    (panel,) = by_stride_chart(made, "recogniser").panels
    assert len({(series.colour, series.dash) for series in panel.series}) == 5


def test_the_caption_says_who_makes_fewer_errors_where():
    values = {"strided-conv": (0.05, 0.3, 0.6), "adastride": (0.06, 0.25, 0.4)}
    made = [StrideScore(f"digits-string-{method}", stride, value, value - 0.04, value + 0.04, 450)
            for method, own in values.items() for stride, value in zip((4.0, 8.0, 16.0), own, strict=True)]
    assert by_stride_chart(made, "recogniser").facts.endswith(
        "Strings of digits: AdaStride makes more errors than strided convolution at 4 and fewer at 8, 16; the intervals lie apart at 16."
    )
    assert "errors than" not in by_stride_chart([score for score in made if "adastride" in score.checkpoint], "recogniser").facts


def test_what_is_shipped_was_measured():
    """Every recogniser of strings at strides from 4 to 16, and fewer frames are never much better."""
    names = {name for name, entry in catalogue().items() if entry.task == "digits-string"}
    scores = read_strides(STRIDES)
    assert {score.checkpoint for score in scores} == names
    for name in names:
        own = {score.stride: score for score in scores if score.checkpoint == name}
        assert {4, 6, 8, 12, 16} <= set(own)
        assert own[4].value == pytest.approx(catalogue()[name].metrics["error_rate"], abs=0.002)
        assert own[16].value > own[4].value
