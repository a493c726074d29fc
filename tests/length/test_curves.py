"""Lines by length, resolution and tokens: which points belong to which network, and what is said of them, whichever way they came out."""

from __future__ import annotations

import itertools
import tomllib
from dataclasses import replace
from pathlib import Path

import made_up_lengths as made_up
import plotly.graph_objects as go
import pytest

from adastride.inspection.charts import export_figure, plotly_panel
from adastride.inspection.figures import render
from adastride.length.curves import MANY_SHIFTS, WHOLE, Curve, by_length_shown, curves_of, subjects_of, unknown_runs
from adastride.length.figures import budget_chart, length_chart
from adastride.length.report import accuracy_table, basis, budget_sentences, length_sentences, resolution_sentences
from adastride.length_points import LengthPoint, read_points
from adastride.results.reading import Run, read


@pytest.fixture
def measured(tmp_path: Path) -> tuple[list[LengthPoint], list[Run]]:
    path = made_up.write(tmp_path)
    return read_points(tmp_path / "lengths.csv"), read(path)


def named(curves: list[Curve]) -> dict[str, Curve]:
    return {curve.name: curve for curve in curves}


def test_a_classifier_of_the_same_split_is_one_more_line(measured: tuple[list[LengthPoint], list[Run]]):
    assert subjects_of(*measured) == ["speakers", "scenes"]
    curves = curves_of(*measured, "speakers")
    assert [curve.name for curve in curves] == [
        "ElasticAST", "AdaStride + ElasticAST", "A-ToMe (adjacent merging) + ElasticAST", "Average pooling + ElasticAST",
        "AST of 1 s", "AST of 2 s", "AST of 4 s", "Convolutional classifier",
    ]
    assert [curve.trained for curve in curves] == [None, None, None, None, 1.0, 2.0, 4.0, None]
    shown = by_length_shown(curves)
    assert len(shown) == 6
    assert len({curve.colour for curve in shown}) == 6
    assert [curve.colour for curve in shown[:2]] == [0, 1], "uniform is orange and adaptive is blue, as everywhere"
    fronts = [curve for curve in curves if len(curve.by_tokens()) > 1]
    assert len({curve.colour for curve in fronts}) == len(fronts) == 4


def test_points_stand_where_they_belong(measured: tuple[list[LengthPoint], list[Run]]):
    curves = named(curves_of(*measured, "speakers"))
    elastic, adaptive = curves["ElasticAST"], curves["AdaStride + ElasticAST"]
    assert [mark.seconds for mark in elastic.by_length()] == [0.5, 1, 2, 4, 8, WHOLE]
    assert [(mark.seconds, mark.resolution) for mark in elastic.by_resolution()] == [(2, 1), (2, 1.5), (2, 2), (2, 3), (2, 4)]
    assert [mark.tokens for mark in elastic.by_tokens()] == sorted(mark.tokens for mark in elastic.by_resolution())
    assert [mark.stride for mark in adaptive.by_tokens()] == [6, 4, 3, 2, 1.5, 1], "of the layer, and not of the frame shift"
    assert curves["AST of 2 s"].by_tokens() == [], "it always has as many"
    assert curves["Convolutional classifier"].by_tokens() == curves["Convolutional classifier"].by_resolution() == []


def test_whole_clips_are_the_length_of_resolutions_where_they_were_measured_on_them(measured: tuple[list[LengthPoint], list[Run]]):
    elastic = named(curves_of(*measured, "scenes"))["ElasticAST"]
    assert [mark.seconds for mark in elastic.by_resolution()] == [WHOLE] * 5


def test_several_runs_are_one_line(tmp_path: Path):
    path = made_up.write(tmp_path, (("speakers", made_up.TRANSFORMER, "elastic"),), seeds=2)
    points, runs = read_points(tmp_path / "lengths.csv"), read(path)
    (both,) = curves_of(points, runs, "speakers")
    single = [curves_of([point for point in points if point.run.endswith(f"s{seed}")], runs, "speakers")[0] for seed in (0, 1)]
    assert both.runs == 2
    assert "2 runs of each network" in basis([both])
    for mark, first, second in zip(both.marks, single[0].marks, single[1].marks, strict=True):
        assert mark.accuracy == pytest.approx((first.accuracy + second.accuracy) / 2)
    assert len(both.marks) == len(single[0].marks)


def test_a_run_without_a_line_of_the_results_is_named(measured: tuple[list[LengthPoint], list[Run]]):
    points, runs = measured
    stray = replace(points[0], run="stray")
    assert unknown_runs([*points, stray], runs) == ["stray"]
    assert curves_of([*points, stray], runs, "speakers") == curves_of(points, runs, "speakers")


def test_a_network_of_another_version_is_shown_by_its_key(measured: tuple[list[LengthPoint], list[Run]]):
    points, runs = measured
    later = [replace(run, method="elastic-of-tomorrow") if run.method == "ast-2s" else run for run in runs]
    assert "elastic-of-tomorrow" in named(curves_of(points, later, "speakers"))


def test_what_an_ast_loses_stands_beside_what_elastic_does(measured: tuple[list[LengthPoint], list[Run]]):
    sentences = length_sentences(by_length_shown(curves_of(*measured, "speakers")))
    assert "**AST of 2 s**, against 2 s: −4.0 points at 1 s (ElasticAST −4.0); 0.0 points at 4 s (ElasticAST +4.0)." in sentences
    assert (
        "On whole clips, **Convolutional classifier** is right most often, 90.0 %, 3.0 points ahead of ElasticAST (the intervals overlap)."
    ) in sentences


def test_the_sentences_turn_round_with_the_numbers(measured: tuple[list[LengthPoint], list[Run]]):
    """Nobody has decided beforehand who wins."""
    points, runs = measured
    best = "speakers-ast-2s-s0"
    turned = [
        replace(point, accuracy=0.99, low=0.98, high=1.0) if point.run == best and point.seconds == 0.5 else point for point in points
    ]
    sentences = length_sentences(by_length_shown(curves_of(turned, runs, "speakers")))
    ahead = "25.0 points ahead of Convolutional classifier (the intervals lie apart)"
    assert f"On parts of 0.5 s, **AST of 2 s** is right most often, 99.0 %, {ahead}." in sentences
    even = [replace(point, accuracy=0.8, low=0.7, high=0.9) for point in points]
    sentences = length_sentences(by_length_shown(curves_of(even, runs, "speakers")))
    assert any("are right as often: 80.0 %." in sentence for sentence in sentences)
    assert any("0.0 points at 1 s (ElasticAST 0.0)" in sentence for sentence in sentences)


def test_where_no_length_is_that_of_an_ast_whole_clips_are(measured: tuple[list[LengthPoint], list[Run]]):
    sentences = length_sentences(curves_of(*measured, "scenes"))
    assert sentences[0] == "With 2 s in place of whole clips, in points: **ElasticAST** −8.0, **AST of 5 s** −5.3."


def test_the_lowest_resolution_and_equal_budgets(measured: tuple[list[LengthPoint], list[Run]]):
    points, runs = measured
    curves = curves_of(points, runs, "speakers")
    assert resolution_sentences(curves)[0].startswith("At 4 times the frame shift, in points: **ElasticAST** −10.0,")
    adaptive = next(text for text in budget_sentences(curves) if text.startswith("**AdaStride +"))
    assert "−2.0 (104). It is ahead at 0 of 5 budgets; the intervals overlap at all budgets." in adaptive
    ahead = [
        replace(point, accuracy=0.95, low=0.93, high=0.97) if "elastic-adastride" in point.run and point.stride > 1 else point
        for point in points
    ]
    adaptive = next(text for text in budget_sentences(curves_of(ahead, runs, "speakers")) if text.startswith("**AdaStride +"))
    assert "It is ahead at 4 of 5 budgets; the intervals lie apart at 4." in adaptive


def test_budgets_that_nobody_shares_are_not_compared(measured: tuple[list[LengthPoint], list[Run]]):
    points, runs = measured
    other = [replace(point, tokens=1.5 * point.tokens) if point.stride else point for point in points]
    few = [point for point in other if not point.stride or point.stride == 6]
    assert all("(48)" not in text for text in budget_sentences(curves_of(few, runs, "speakers")))


def test_charts_have_bands_and_all_there_is_to_know(measured: tuple[list[LengthPoint], list[Run]]):
    curves = by_length_shown(curves_of(*measured, "speakers"))
    chart = length_chart(curves)
    length, resolution = chart.panels
    assert [name for _, name in length.x.ticks] == ["0.5", "1", "2", "4", "8", "whole clips"]
    steps = [place for place, _ in length.x.ticks]
    assert {round(b - a, 6) for a, b in itertools.pairwise(steps)} == {1.0}, "logarithmic"
    assert "Convolutional classifier" not in [series.name for series in resolution.series]
    assert all(series.band for panel in chart.panels for series in panel.series)
    assert "Trained from scratch, where the papers begin with pretrained weights." in chart.facts
    assert "156 test clips, 1 run of each network" in chart.facts
    figure = plotly_panel(length)
    bands = [trace for trace in figure.data if trace.fill == "toself"]
    assert len(bands) == len(length.series)
    assert max(bands[0].y) == pytest.approx(max(point.high for point in length.series[0].points))
    assert isinstance(figure, go.Figure)
    for kind, begins in (("png", b"\x89PNG"), ("svg", b"<?xml")):
        assert render(export_figure(chart), kind).startswith(begins)


def test_the_budget_says_what_a_part_costs(measured: tuple[list[LengthPoint], list[Run]]):
    (panel,) = budget_chart(curves_of(*measured, "speakers")).panels
    assert [series.name for series in panel.series][:2] == ["ElasticAST", "AdaStride + ElasticAST"]
    assert "million multiply-adds" in panel.series[0].points[0].text
    assert "stride 6" in panel.series[1].points[0].text
    assert panel.x.low < min(point.x for series in panel.series for point in series.points)


def test_one_length_alone_makes_no_picture(measured: tuple[list[LengthPoint], list[Run]]):
    points, runs = measured
    alone = curves_of([point for point in points if point.seconds == 2 and point.resolution == 1 and not point.stride], runs, "speakers")
    assert length_chart(alone).panels == ()
    assert budget_chart(alone).panels == ()
    assert budget_sentences(alone) == resolution_sentences(alone) == []


def test_clips_that_are_too_short_for_parts_have_resolutions_and_tokens(measured: tuple[list[LengthPoint], list[Run]]):
    """Spoken words are measured whole alone."""
    points, runs = measured
    words = [replace(run, task="digits") for run in runs if run.task == "scenes-patches"]
    whole = [point for point in points if not point.seconds]
    assert subjects_of(whole, words) == ["digits"]
    curves = curves_of(whole, words, "digits")
    assert [panel.title for panel in length_chart(curves).panels] == ["By resolution"]
    assert budget_chart(curves).panels == (), "without a layer in front it would be the same picture again"
    assert [text.split(",")[0] for text in length_sentences(curves)] == ["On whole clips"]
    assert list(accuracy_table(curves)[0]) == ["Network", "Whole clips (%)"]


def test_the_table_has_every_length(measured: tuple[list[LengthPoint], list[Run]]):
    rows = accuracy_table(curves_of(*measured, "speakers"))
    assert list(rows[0]) == ["Network", "0.5 s (%)", "1 s (%)", "2 s (%)", "4 s (%)", "8 s (%)", "Whole clips (%)"]
    assert rows[0]["2 s (%)"] == "79.0 (73–84)"


def test_what_is_said_of_frame_shifts_is_what_the_grid_does():
    """Nothing but the grid says how a run was trained."""
    tasks = tomllib.loads((Path(__file__).parents[2] / "results" / "elastic.toml").read_text(encoding="utf-8"))["tasks"]
    assert tuple(name for name, task in tasks.items() if "resolutions" in task.get("settings", {})) == MANY_SHIFTS


def test_the_caption_says_what_was_learned_from(measured: tuple[list[LengthPoint], list[Run]]):
    assert "All learned from one frame shift" in length_chart(curves_of(*measured, "speakers")).facts
    assert "of which it learned from one; the others" in budget_chart(curves_of(*measured, "speakers")).facts
    assert "ElasticAST learned from many frame shifts, as in the paper, and an AST from one" in length_chart(curves_of(*measured, "scenes")).facts


def test_the_caption_names_who_is_missing_by_resolution(measured: tuple[list[LengthPoint], list[Run]]):
    points, runs = measured
    assert "Not measured at other resolutions: Convolutional classifier." in length_chart(curves_of(*measured, "speakers")).facts
    assert "Not measured" not in length_chart(curves_of(*measured, "scenes")).facts
    gone = next(run.run for run in runs if run.task == "speakers" and run.method == "elastic")
    fewer = [point for point in points if point.run != gone or point.resolution == 1]
    facts = length_chart(curves_of(fewer, runs, "speakers")).facts
    assert "Not measured at other resolutions: ElasticAST, Convolutional classifier." in facts
