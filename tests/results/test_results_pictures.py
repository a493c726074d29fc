"""Networks of pictures on the Results page: tables beside the papers', charts, and sentences that follow from the runs."""

from __future__ import annotations

from pathlib import Path

import app_pages
import made_up_image_runs as made_up
import made_up_results
import pytest
from app_pages import said

from adastride.inspection.charts import export_figure, plotly_panel
from adastride.models.images import ImageClassifier, ImageConfig
from adastride.results import pictures
from adastride.results.reading import RESULTS_VARIABLE

RUNS = made_up.many()


def test_what_can_be_compared_is_together():
    other = made_up.run("strided-conv", epochs=10)
    groups = pictures.groups_of([other, *RUNS])
    assert list(groups) == [("cifar10", 5), ("cifar10", 10)]
    assert groups["cifar10", 10] == [other]
    assert list(pictures.usual(RUNS)) == ["strided-conv", "spectral-pool", "diffstride", "adastride"]
    assert all(len(own) == 1 for own in pictures.usual(RUNS).values())


def test_the_table_of_methods_has_the_papers_beside_ours():
    rows = {row["Method"]: row for row in pictures.accuracy_table([*RUNS, made_up.run("adastride", seed=1)])}
    assert rows["AdaStride"]["Ours (%)"] == "81.5"
    assert rows["AdaStride"]["Runs"] == "2"
    assert rows["AdaStride"]["AdaStride paper, table 13 (%)"] == "92.1 ± 0.1"
    assert rows["AdaStride"]["DiffStride paper, table 3 (%)"] == "–"
    assert rows["Strided convolution"]["DiffStride paper, table 3 (%)"] == "91.4 ± 0.2"
    assert rows["DiffStride"]["Strides, height × width"] == "1.4 × 1.6, 2.2 × 2.1, 2.5 × 2.4"
    assert rows["DiffStride"]["95 % interval over pictures (%)"] == "80.9 to 83.0"


def test_the_table_of_starts():
    rows = pictures.start_table(RUNS)
    assert [row["Strides at the start"] for row in rows] == ["2 × 2, 2 × 2, 2 × 2", "3 × 3, 1 × 1, 2 × 2"]
    assert rows[1]["Strided convolution, ours (%)"] == "75.0"
    assert rows[1]["Strided convolution, paper (%)"] == "86.4 ± 0.1"
    assert rows[1]["DiffStride, ours (%)"] == "82.0"
    assert rows[1]["Learned strides"] == "1.4 × 1.6, 2.2 × 2.1, 2.5 × 2.4"
    assert pictures.start_table(list(map(made_up.run, made_up.METHODS))) == []


def test_sentences_follow_from_the_runs():
    texts = pictures.story(RUNS)
    assert texts[0].startswith("DiffStride is right about 82.0 % of the test pictures, AdaStride about 81.5 %, inside of the first one’s 95 % interval")
    assert texts[1] == "AdaStride along both axes, against strided convolution: +1.5 points; in the paper +0.5."
    assert texts[2] == "Between the best and the worst start there are so many points: strided convolution 5.0, Spectral pooling 5.0, DiffStride 0.0."
    clear = pictures.story([made_up.run("strided-conv", accuracy=0.6), made_up.run("diffstride", accuracy=0.9)])
    assert "outside of" in clear[0]
    assert pictures.story([made_up.run()]) == []
    assert "re-encoded as JPEG" in pictures.basis(RUNS)
    assert "5 epochs" in pictures.basis(RUNS)
    assert "1 block to a stage" in pictures.basis(RUNS)


def test_strides_by_epoch_and_what_is_kept():
    lines = [one for run in RUNS for one in made_up.epochs(run)]
    chart = pictures.learning_chart(RUNS, lines, at=2)
    assert [panel.title for panel in chart.panels] == ["Layer 1", "Layer 2", "Layer 3"]
    assert chart.panels[0].guide == 2
    height, width, *_ = chart.panels[0].series
    assert [point.y for point in height.points] == [2, 2, 2, 1.4]
    assert [point.y for point in width.points] == [2, 2, 2, 1.6]
    assert not height.dash
    assert width.dash
    assert len(chart.panels[0].series) == 4
    run = RUNS[2]
    kept = pictures.kept_at(run, made_up.epochs(run)[-1])
    network = ImageClassifier(ImageConfig(("a", "b"), "diffstride", ((1.4, 1.6), (2.2, 2.1), (2.5, 2.4)), width=2, blocks=2))
    import torch

    with torch.no_grad():
        sizes = [tuple(down.values.shape[2:]) for down in network.eval()(torch.zeros(1, 3, 32, 32)).downsampled]
    assert [each.size for each in kept] == sizes
    assert kept[0].share == pytest.approx(sizes[0][0] * sizes[0][1] / 1024)
    row = pictures.kept_table({run.run: run}, made_up.epochs(run)[:1])[0]
    assert row["Epoch"] == "0"
    assert row["Validation accuracy (%)"] == "–"
    assert row["Layer 1: output"] == "24 × 24 (56 %)"


def test_accuracy_against_cost():
    (panel,) = pictures.trade_chart(RUNS).panels
    learned = panel.series[0]
    assert [(round(point.x, 3), round(point.y, 1)) for point in learned.points] == [(0.3, 80.0), (0.4, 82.0)]
    assert "λ = 1" in learned.points[0].text
    assert pictures.trade_chart(RUNS[:4]).panels == ()


@pytest.mark.parametrize("chart", [pictures.accuracy_chart(RUNS), pictures.learning_chart(RUNS, [one for run in RUNS for one in made_up.epochs(run)]),
                                   pictures.trade_chart(RUNS)], ids=lambda chart: chart.name)
def test_charts_are_drawn(chart):
    assert all(plotly_panel(panel, dark) for panel in chart.panels for dark in (False, True))
    assert export_figure(chart).axes


def test_no_runs_and_an_unknown_method():
    assert pictures.accuracy_chart([]).panels == ()
    assert pictures.learning_chart([], []).panels == ()
    assert pictures.accuracy_table([made_up.run("from-tomorrow")])[0]["Method"] == "from-tomorrow"


def test_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = made_up.write(made_up_results.write(tmp_path / "results.csv", made_up_results.many(1)), [*RUNS, made_up.run("strided-conv", epochs=10)])
    monkeypatch.setenv(RESULTS_VARIABLE, str(path))
    app = app_pages.opened("pages/results.py")
    app.segmented_control(key="results_kind").set_value("images").run()
    assert not app.exception
    assert "DiffStride is right about 82.0" in said(app)
    assert [each.value for each in app.subheader] == [
        "Accuracy on pictures", "Does learning mend a bad start?", "Strides while they are learned", "What does a cheaper network lose?",
    ]
    app.slider(key="results_epoch_3").set_value(0).run()
    assert not app.exception
    assert any("24 × 24" in each.value.to_string().replace("\N{NO-BREAK SPACE}", " ").replace("\N{WORD JOINER}", "") for each in app.table)
    app.segmented_control(key="results_pictures").set_value(1).run()
    assert not app.exception
    assert "10 epochs" in said(app)


def test_a_damaged_file_gets_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = made_up_results.write(tmp_path / "results.csv", made_up_results.many(1))
    (tmp_path / "images.csv").write_text("run\na\n", encoding="utf-8")
    monkeypatch.setenv(RESULTS_VARIABLE, str(path))
    app = app_pages.opened("pages/results.py")
    assert len(app.error) == 1
    assert "images.csv is no file of runs of networks of pictures" in app.error[0].value
    assert not app.exception
