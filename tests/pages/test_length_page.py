"""The Length page without a browser: what it says with and without measurements, and the batch to play with."""

from __future__ import annotations

from pathlib import Path

import made_up_lengths as made_up
import made_up_results
import pytest
from app_pages import opened, said, set_, unopened
from streamlit.testing.v1 import AppTest

from adastride.results.reading import RESULTS_VARIABLE

PAGE = "pages/length.py"


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of made-up results that the page reads."""
    monkeypatch.setenv(RESULTS_VARIABLE, str(made_up.write(tmp_path)))
    return tmp_path


def titles(app: AppTest) -> list[str]:
    return [heading.value for heading in (*app.header, *app.subheader)]


def test_without_measurements_it_says_what_makes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What needs none is there all the same."""
    monkeypatch.setenv(RESULTS_VARIABLE, str(tmp_path / "results.csv"))
    app = opened(PAGE)
    assert "`python -m adastride grid results/elastic.toml` trains them" in app.info[0].value
    assert titles(app) == ["Do networks work at any length?", "How much of a batch is padding?", "Pack a batch"]
    assert len(app.get("plotly_chart")) == 3
    assert not app.error


def test_everything_is_there(measured: Path):
    app = opened(PAGE)
    assert len(app.get("plotly_chart")) == 6
    assert "**AST of 2 s**, against 2 s: −4.0 points at 1 s (ElasticAST −4.0)" in said(app)
    assert "156 test clips, 1 run of each network" in said(app)
    assert "Trained from scratch, where the papers begin with pretrained weights." in said(app)
    assert "against uniform resolution (ElasticAST), in points with so many tokens" in said(app)
    assert "850 training clips, 1.5 to 32.6 s" in said(app)
    assert "16 clips of" in said(app)
    set_(app.segmented_control(key="length_task"), "scenes")
    assert "40 test clips" in said(app)
    assert "**AST of 5 s** −5.3" in said(app)


def test_one_subject_needs_no_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(RESULTS_VARIABLE, str(made_up.write(tmp_path, (("speakers", made_up.TRANSFORMER, "elastic"),))))
    app = opened(PAGE)
    assert "length_task" not in [control.key for control in app.segmented_control]
    assert len(app.get("plotly_chart")) == 5
    assert "Where should few tokens go?" not in titles(app)
    assert "is right most often" not in said(app), "there is nothing to compare with"


@pytest.mark.parametrize("name", ["lengths.csv", "results.csv"])
def test_a_broken_file_is_one_sentence(measured: Path, name: str):
    (measured / name).write_text("colour\nblue\n", encoding="utf-8")
    app = opened(PAGE)
    assert len(app.error) == 1
    assert name in app.error[0].value
    assert "Pack a batch" in titles(app)


def test_runs_that_the_results_do_not_know_are_named(measured: Path):
    lines = (measured / "results.csv").read_text(encoding="utf-8").splitlines()
    (measured / "results.csv").write_text("\n".join(line for line in lines if "ast-1s" not in line) + "\n", encoding="utf-8")
    assert "Left out, because the results have no line of them: speakers-ast-1s-s0." in said(opened(PAGE))


def test_padding_follows_the_fixed_length_and_the_data_set(measured: Path):
    app = opened(PAGE)
    shown = next(each.value for each in app.table if "Cut" in each.value.columns)
    assert shown["Clips at once"][1].replace("\N{NO-BREAK SPACE}", " ") == "Cropped and padded to 7.5 s"
    assert shown["64"].to_list()[-1] == "14.4", "the paper's"
    set_(app.number_input(key="length_fixed_speakers"), 30.0)
    shown = next(each.value for each in app.table if "Cut" in each.value.columns)
    assert float(shown["Cut"][1]) < 1
    set_(app.selectbox(key="length_data"), "fsdd")
    assert app.number_input(key="length_fixed_fsdd").value == 0.5
    assert "of 1,100 clips drawn from the data set at random" in said(app)
    set_(app.selectbox(key="length_data"), "commands")
    assert "All clips are equally long" in said(app)
    set_(app.selectbox(key="length_data"), "speakers")
    assert app.number_input(key="length_fixed_speakers").value == 30.0


def test_the_batch_follows_what_is_chosen(measured: Path):
    app = opened(PAGE)
    before = said(app)
    set_(app.number_input(key="length_seed"), 1)
    assert said(app) != before
    set_(app.number_input(key="length_clips"), 1)
    assert "1 clip," in said(app)
    set_(app.number_input(key="length_clips"), 64)
    set_(app.selectbox(key="length_row"), 256)
    assert "because the longest clip has so many: no clip is cut" in said(app)
    assert not app.error


@pytest.mark.parametrize(("text", "sentence"), [
    ("", "Type how long the clips are"), ("1.5, three", "“three” is no number"), ("0", "more than 0"),
    ("*, [x](http://a.b)", "is no number"),
])
def test_what_can_not_be_packed_is_one_sentence(measured: Path, text: str, sentence: str):
    app = opened(PAGE)
    set_(app.segmented_control(key="length_how"), "typed")
    assert "7 clips of 0.5 to 20.0 s" in said(app)
    set_(app.text_input(key="length_seconds"), text)
    assert len(app.error) == 1
    assert sentence in app.error[0].value
    set_(app.text_input(key="length_seconds"), "2, 4")
    assert not app.error
    assert "2 clips of 2.0 to 4.0 s" in said(app)


def test_a_link_restores_the_choices(measured: Path):
    app = opened(PAGE, task="scenes", data="fsdd", fixed="1.5", clips="7", row="512", seed="5")
    assert app.segmented_control(key="length_task").value == "scenes"
    assert app.selectbox(key="length_data").value == "fsdd"
    assert app.number_input(key="length_fixed_fsdd").value == 1.5
    assert [app.number_input(key=f"length_{name}").value for name in ("clips", "seed")] == [7, 5]
    assert app.selectbox(key="length_row").value == 512
    assert not app.toast


def test_a_link_with_seconds_shows_them(measured: Path):
    app = opened(PAGE, seconds="1.5,3,12")
    assert app.segmented_control(key="length_how").value == "typed"
    assert "3 clips of 1.5 to 12.0 s" in said(app)


def test_a_wrong_link_says_so(measured: Path):
    app = unopened(PAGE, task="letters", clips="1000").run()
    assert not app.exception
    assert len(app.toast) == 2
    assert app.number_input(key="length_clips").value == 16


def test_our_own_files_open(monkeypatch: pytest.MonkeyPatch):
    """Whatever the repository has measured so far."""
    monkeypatch.delenv(RESULTS_VARIABLE, raising=False)
    app = opened(PAGE)
    assert not app.error
    assert "Pack a batch" in titles(app)


def test_results_of_other_kinds_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Lines of classifiers that nobody has measured at other lengths are no reason for a picture."""
    monkeypatch.setenv(RESULTS_VARIABLE, str(made_up_results.write(tmp_path / "results.csv", made_up_results.many(1))))
    assert "Nobody has measured yet" in opened(PAGE).info[0].value


def test_many_clips_may_be_written_at_length(measured: Path):
    """Text over 500 letters used to be dropped."""
    app = opened(PAGE, seconds="1")
    set_(app.text_input(key="length_seconds"), ", ".join(["12.3456789 seconds"] * 64))
    assert not app.text_input(key="length_seconds").proto.max_chars
    assert "64 clips of 12.3 s" in said(app)
    set_(app.text_input(key="length_seconds"), "1 " * 3000)
    assert [each.value for each in app.error] == ["These are 3000 clips: type at most 64."]


def test_an_emptied_number_is_the_usual_one(measured: Path):
    app = opened(PAGE, fixed="20", clips="3")
    assert app.number_input(key="length_fixed_speakers").proto.HasField("default") is False, "a browser would put it where nothing is typed"
    for key, usual in (("length_fixed_speakers", 7.5), ("length_clips", 16), ("length_seed", 0)):
        set_(app.number_input(key=key), None)
        assert app.number_input(key=key).value == usual


def test_what_was_typed_wrong_is_there_again(measured: Path):
    app = opened(PAGE, seconds="1, x")
    assert app.segmented_control(key="length_how").value == "typed"
    assert app.text_input(key="length_seconds").value == "1, x"
    assert "“x” is no number" in app.error[0].value
    assert not app.toast


def test_the_colours_are_explained_for_many_clips(measured: Path):
    app = opened(PAGE, clips="8")
    assert "A colour is a clip." in said(app)
    set_(app.number_input(key="length_clips"), 40)
    assert "A colour is a clip." not in said(app)
    assert "Clips beside and above each other have different colours" in said(app)
