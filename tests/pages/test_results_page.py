"""The Results page without a browser: what it says with no, few, many and broken results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import app_pages
import made_up_results as made_up
import pytest
from app_pages import said
from streamlit.testing.v1 import AppTest

from adastride.results.reading import RESULTS_VARIABLE

SECTIONS = ("sigma", "pooled", "shift", "cost", "strides", "coverage")


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Opens the page on a results file with these lines; None for no file."""

    def run(lines: list[dict[str, object]] | None) -> AppTest:
        path = tmp_path / "results.csv"
        if lines is not None:
            made_up.write(path, lines, (*made_up.COLUMNS, "kind"))
        monkeypatch.setenv(RESULTS_VARIABLE, str(path))
        app = app_pages.opened("pages/results.py")
        assert not app.exception
        return app

    return run


def table(app: AppTest, column: str):
    """The table that has a column of this name, as a data frame with plain spaces."""
    shown = next(each.value for each in app.table if column in each.value.columns)
    return shown.replace({"\N{NO-BREAK SPACE}": " ", "\N{WORD JOINER}": ""}, regex=True)


def show(app: AppTest, section: str) -> AppTest:
    app.segmented_control(key="results_section").set_value(section).run()
    assert not app.exception
    return app


def test_no_file(opened: Callable[..., AppTest]):
    """It says how to make one, and shows the papers' numbers."""
    app = opened(None)
    assert "There are no results yet" in app.info[0].value
    assert "python -m adastride grid" in app.info[0].value
    assert "52.2 ± 1.0" in table(app, "Method").to_string()


def test_a_broken_file_gets_one_sentence(opened: Callable[..., AppTest]):
    app = opened([made_up.row(), made_up.row(method="adastride", accuracy="high")])
    assert len(app.error) == 1
    assert "line 3" in app.error[0].value
    assert not app.header


def test_one_run(opened: Callable[..., AppTest]):
    """Nothing is claimed, and everything opens."""
    app = opened([made_up.row()])
    assert "AdaStride has no finished run yet" in said(app)
    assert "1 of 240 planned runs" in said(app)
    assert "No difference is tested" in said(app)
    for section in SECTIONS:
        show(app, section)
    assert "Nothing yet on emotion." in said(app)


def test_one_seed_is_not_tested(opened: Callable[..., AppTest]):
    app = opened(made_up.many(seeds=1, tasks=("commands",)))
    assert "one run: difference untested" in said(app)
    assert set(table(app, "Test")["Test"]) == {"compared with", "one run: difference untested"}
    assert "Thin bars: one run only, Wilson" in said(app)
    assert "1 seed each (the paper: 5)" in said(app)
    assert "width 128 (the paper’s networks: 256)" in said(app)
    assert "no GPU" in said(app)


def test_everything_is_there(opened: Callable[..., AppTest]):
    app = opened(made_up.many())
    assert "240 of 240 planned runs are finished" in said(app)
    assert "On **commands**, AdaStride is 2.0 points above strided convolution" in said(app)
    assert "Welch’s t-test" in said(app)
    assert "Holm because 11 methods" in said(app)
    assert len(app.get("plotly_chart")) == 4 + 4
    for section in SECTIONS:
        show(app, section)
        assert not app.error
    app.segmented_control(key="results_task").set_value("emotion").run()
    assert "Difference in the paper, IEMOCAP (points)" in table(app, "Test").columns


def test_two_widths_are_not_mixed(opened: Callable[..., AppTest]):
    lines = [made_up.row(method=method, seed=seed) for method in ("strided-conv", "adastride") for seed in range(2)]
    app = opened([*lines, made_up.row(width=256, accuracy=0.99)])
    assert app.selectbox(key="results_width").value == 128
    assert "width 128 (" in said(app)
    app.selectbox(key="results_width").set_value(256).run()
    assert not app.exception
    assert "width 256;" in said(app)
    assert "99.0" in table(app, "Test")["Accuracy (%)"].to_list()


def test_recognisers_stand_beside_classifiers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The other kind has another width, other tasks and the paper's other tables; going back and forth keeps both."""
    lines = [*made_up.many(seeds=2), *made_up.recognisers()]
    monkeypatch.setenv(RESULTS_VARIABLE, str(made_up.write(tmp_path / "results.csv", lines, made_up.RECOGNISERS)))
    app = app_pages.opened("pages/results.py")
    assert app.segmented_control(key="results_kind").options == ["Classifier", "Recogniser"]
    app.segmented_control(key="results_task").set_value("emotion").run()
    app.segmented_control(key="results_kind").set_value("recogniser").run()
    assert not app.exception
    assert "On **digits-string**, AdaStride is 2.0 points better than strided convolution" in said(app)
    assert "width 112 (the paper’s networks: 144); 1 seed each" in said(app)
    assert "one run has no interval" in said(app)
    shown = table(app, "WER test-clean (%)")
    assert "4.11" in shown["WER test-clean (%)"].to_list()
    assert "9.0" in shown["Ours (%)"].to_list()
    app.segmented_control(key="results_task").set_value("phonemes").run()
    assert any("Better by in the paper, LibriSpeech test-other, PER" in column for column in table(app, "Test").columns)
    for section in SECTIONS:
        show(app, section)
        assert not app.error
    app.segmented_control(key="results_kind").set_value("classifier").run()
    assert not app.exception
    assert "width 128 (the paper’s networks: 256)" in said(app)


def test_error_rates_say_how_far_other_speakers_could_move_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """With intervals, on how many speakers they stand, what needs no network, and what little data shows."""
    lines = made_up.recognisers(2, ("phonemes", "phonemes-third", "phonemes-tenth"))
    path = made_up.write(tmp_path / "results.csv", lines, made_up.RECOGNISERS)
    monkeypatch.setenv(RESULTS_VARIABLE, str(path))
    app = app_pages.opened("pages/results.py")
    assert "Does AdaStride help with little data?" in [heading.value for heading in app.subheader]
    assert "the file does not say" in said(app)
    made_up.write_speakers(tmp_path, lines)
    app.run()
    assert not app.exception
    shown = table(app, "Ours, clean (%)")
    assert "24.5 ± 0.7 (4 speakers)" in shown["Ours, clean (%)"].to_list()
    assert "Tested on 5,000 phonemes of 9 speakers (Read speech, phonemes; Read speech, a third; Read speech, a tenth)." in said(app)
    assert "Always empty" in shown["Method"].to_list()
    assert "in brackets, is a bootstrap’s over speakers" in said(app)
    assert said(app).count("no difference that these speakers could show") == 3
    (tmp_path / "speakers.csv").write_text("colour\n", encoding="utf-8")
    app.run()
    assert "speakers.csv is no file of errors by speaker" in app.error[0].value


def test_times_are_compared_on_one_machine(opened: Callable[..., AppTest]):
    lines = [made_up.row(), made_up.row(method="adastride"), made_up.row(method="adastride", device="NVIDIA", seconds_per_epoch=0.1)]
    app = show(opened(lines), "cost")
    assert len(app.selectbox(key="results_machine").options) == 2
    assert "1.50" in table(app, "Training time (×)")["Training time (×)"].to_list()
    app.selectbox(key="results_machine").select_index(1).run()
    assert "no run of strided convolution" in said(app)


def test_no_line_breaks_before_a_per_cent_sign(opened: Callable[..., AppTest]):
    """On a phone "73.6" stood at the end of a line and "%" at the beginning of the next."""
    app = opened(made_up.many())
    (list_shown,) = [element.value for element in app.markdown if element.value.startswith("- On ")]
    assert "\N{NO-BREAK SPACE}%" in list_shown
    assert " %" not in list_shown


def test_audio_transformers(opened: Callable[..., AppTest]):
    """They are called as people call them, ASTs stand in the order of their lengths, and a table of σ that has nothing beside σ is left out."""
    names = ("elastic", "ast", "ast-10s", "ast-2s")
    app = opened([made_up.row("speakers", name, kind="audio-transformer") for name in names])
    assert [list(each.value.columns) for each in app.table if "σ⁻²" in each.value.columns] == []
    assert list(table(app, "Difference (points)")["Method"]) == ["AST of 2 s", "AST of 5 s", "AST of 10 s", "ElasticAST"]
    app = opened([made_up.row(), made_up.row("speakers", "elastic", kind="audio-transformer")])
    assert app.segmented_control(key="results_kind").options == ["Classifier", "Audio transformer"]


def test_the_address_says_which_kind(opened: Callable[..., AppTest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = made_up.write(tmp_path / "both.csv", [
        {**made_up.row(), "kind": "classifier"}, made_up.row("speakers", "elastic", kind="audio-transformer"),
    ], (*made_up.COLUMNS, "kind"))
    monkeypatch.setenv(RESULTS_VARIABLE, str(path))
    for linked, kind in (("audio-transformer", "audio-transformer"), ("nonsense", "classifier"), (None, "classifier")):
        app = app_pages.opened("pages/results.py", **({"kind": linked} if linked else {}))
        assert app.segmented_control(key="results_kind").value == kind
