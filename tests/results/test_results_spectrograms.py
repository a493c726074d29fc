"""Networks of spectrograms on the Results page: tables beside the paper's, charts, and sentences that follow from the runs."""

from __future__ import annotations

import math
from pathlib import Path

import app_pages
import made_up_results
import pytest
from app_pages import said

from adastride.image_runs import ImageEpochLine, image_epochs_text
from adastride.inspection.charts import export_figure, plotly_panel
from adastride.results import spectrograms
from adastride.results.reading import RESULTS_VARIABLE
from adastride.spectrogram_runs import EPOCHS_FILE, FILE, SpectrogramRunLine, spectrogram_runs_text

START = "2x2 2x2 2x2 2x2"
ACCURACIES = {"strided-conv": 0.80, "diffstride": 0.84}
BOTH = "digits+emotion"


def run(method: str = "diffstride", task: str = "digits", together: str = "", **changes) -> SpectrogramRunLine:
    """A made-up run: DiffStride is better, alone is better than together, and digits are easier than emotion."""
    together = together or task
    values = {
        "run": f"{together}-{method}-e12-s0", "task": task, "together": together, "method": method, "sigma_inv2": 0.0, "start": START,
        "cost_weight": 0.0, "seed": 0, "width": 16, "epochs": 12, "best_epoch": 12, "clips": 200,
        "accuracy": ACCURACIES[method] - (0.2 if task == "emotion" else 0.0) - (0.02 if "+" in together else 0.0), "loss": 0.6,
        "valid_accuracy": 0.8, "strides": "1.79x1.46 2x2 2x2 2x2" if method == "diffstride" else START, "cost": 0.3, "parameters": 1000,
        "seconds_per_epoch": 10.0, "peak_memory_mb": 400.0, "inference_ms": 3.0, "device": "CPU x86_64", "threads": 1, "torch": "2",
        "version": "1", "git": "", "finished": "",
    }
    return SpectrogramRunLine(**{**values, **changes})


def many() -> list[SpectrogramRunLine]:
    return [run(method, task, together) for together in ("digits", "emotion", BOTH) for task in together.split("+") for method in ACCURACIES]


def epochs(line: SpectrogramRunLine) -> list[ImageEpochLine]:
    first = ImageEpochLine(line.run, 0, math.nan, math.nan, 0.3, START)
    return [first, *(ImageEpochLine(line.run, number, 1.0 / number, 0.8, 0.3, START if number < 3 else line.strides) for number in (1, 2, 3))]


RUNS, EPOCHS = many(), [one for line in many() if line.task == line.tasks[0] for one in epochs(line)]


def test_table_1_has_a_network_for_each_task_and_one_for_all():
    rows = spectrograms.accuracy_table(RUNS)
    assert [row["Task"] for row in rows] == ["Spoken digits", "Emotion in speech", "All of them"]
    assert rows[0]["DiffStride, alone (%)"] == "84.0"
    assert rows[1]["DiffStride, all tasks (%)"] == "62.0"
    assert rows[2]["Strided convolution, alone (%)"] == "70.0"
    missing = [run for run in RUNS if (run.task, run.together) != ("emotion", "emotion")]
    assert spectrograms.accuracy_table(missing)[2]["Strided convolution, alone (%)"] == "–", "a mean over some tasks is not one over all"
    assert spectrograms.accuracy_table(RUNS[:1])[0]["Strided convolution, alone (%)"] == "80.0"
    printed = spectrograms.paper_accuracy_table()
    assert printed[-1]["DiffStride, alone (%)"] == "88.3"
    assert list(printed[0]) == ["Task", *(f"{method}, {how} (%)" for how in ("alone", "all tasks") for method in
                                          ("Strided convolution", "Spectral pooling", "DiffStride"))]


def test_only_what_can_be_compared_is_averaged():
    """Other widths, starts, weights and sets of tasks are not mixed with what they stand beside."""
    others = [
        run(accuracy=0.5, together="digits+commands"), run(accuracy=0.5, width=32), run(accuracy=0.5, start="3x3 2x2 2x2 2x2"),
        run(accuracy=0.5, cost_weight=1.0),
    ]
    triple = [run(accuracy=0.7, task=task, together="digits+emotion+commands") for task in ("digits", "emotion", "commands")]
    groups = spectrograms.groups_of([*RUNS, *others])
    assert len(next(iter(groups.values()))) == len(RUNS)
    assert spectrograms.accuracy_table(next(iter(groups.values())))[0]["DiffStride, all tasks (%)"] == "82.0"
    assert [group.title for group in groups] == [
        "12 epochs, 16 channels", "12 epochs, 32 channels", "12 epochs, 16 channels, from 3x3 2x2 2x2 2x2", "12 epochs, 16 channels, λ = 1",
    ]
    assert {each.together for each in next(iter(spectrograms.groups_of([*RUNS, *triple]).values()))} == {"digits", "emotion", "digits+emotion+commands"}


def test_table_2_has_what_the_first_layer_keeps():
    rows = {row["Network"]: row for row in spectrograms.stride_table(RUNS)}
    ours = rows["One network for all, ours"]
    assert (ours["Stride over time"], ours["Stride over time (ms)"], ours["Cut-off over time (Hz)"]) == ("1.46", "14.6", "34.2")
    assert ours["Cut-off over frequency (cycles per mel band)"] == "0.279"
    assert rows["One network for all, paper"]["Cut-off over time (Hz)"] == "34.2"
    assert "Spoken digits, ours" in rows


def test_what_is_said_follows_from_the_runs():
    story = spectrograms.story(RUNS)
    assert story[0] == (
        "One network for all tasks, on average over 2 tasks: DiffStride 72.0 %, strided convolution 68.0 %, +4.0 points; in the paper +1.5 on its tasks."
    )
    assert "a stride of 1.46 over time and 1.79 over frequency" in story[-1]
    assert spectrograms.story([run("strided-conv")]) == []
    assert "Spoken digits 200" in spectrograms.basis(RUNS)


@pytest.mark.parametrize("chart", [spectrograms.accuracy_chart(RUNS), spectrograms.learning_chart(RUNS, EPOCHS, 2)], ids=lambda chart: chart.name)
def test_charts_are_drawn(chart):
    assert chart.panels
    assert all(plotly_panel(panel, dark) for panel in chart.panels for dark in (False, True))
    assert export_figure(chart).axes


def test_strides_by_epoch():
    panels = spectrograms.learning_chart(RUNS, EPOCHS).panels
    assert [panel.title for panel in panels] == ["Layer 1", "Layer 2", "Layer 3", "Layer 4"]
    assert {series.name for series in panels[0].series} == {"All tasks", "Spoken digits", "Emotion in speech"}
    assert "stride of the frequency 1.79 after epoch 3" in panels[0].series[0].points[-1].text
    assert spectrograms.learning_chart([run("strided-conv")], []).panels == ()


def test_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = made_up_results.write(tmp_path / "results.csv", made_up_results.many(1))
    (tmp_path / FILE).write_text(spectrogram_runs_text([*RUNS, run(epochs=30)]), encoding="utf-8")
    (tmp_path / EPOCHS_FILE).write_text(image_epochs_text(EPOCHS), encoding="utf-8")
    monkeypatch.setenv(RESULTS_VARIABLE, str(path))
    app = app_pages.opened("pages/results.py")
    app.segmented_control(key="results_kind").set_value("sound in two axes").run()
    assert not app.exception
    assert "DiffStride 72.0\N{NO-BREAK SPACE}%" in said(app)
    assert [each.value for each in app.subheader] == [
        "One network for each task, or one for all?", "Which modulations does the first layer keep?", "Strides while they are learned",
    ]
    app.slider(key="results_spectrogram_epoch_3").set_value(1).run()
    assert not app.exception
    app.segmented_control(key="results_spectrograms").set_value(1).run()
    assert not app.exception
    assert "30 epochs" in said(app)
