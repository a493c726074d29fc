"""The Sigma page with a recogniser of somebody's own: one clip with and without what was said, and labelled clips with texts."""

from __future__ import annotations

import io
import re
from pathlib import Path

import made_up_recognisers as made_up
import pytest
import soundfile
from app_pages import opened, said, set_
from streamlit.testing.v1 import AppTest

from adastride import checkpoints
from adastride.training.datasets import DATA_ROOT_VARIABLE
from tests.zips import zipped

PAGE = "pages/sigma.py"


@pytest.fixture(autouse=True)
def no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page looks for data sets in a folder of the test's own."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv(DATA_ROOT_VARIABLE, str(folder))
    return folder


def with_recogniser(tmp_path: Path, subject: str = "clip", kind: str = "sigma", **options: object) -> AppTest:
    """The page on a made-up recogniser, few values of each range."""
    checkpoints.save_checkpoint(made_up.recogniser(**options), tmp_path / "reader.safetensors", {})
    app = set_(opened(PAGE, clip="seven").selectbox(key="sigma_task"), "own")
    app = set_(app.file_uploader(key="sigma_own"), ("reader.safetensors", (tmp_path / "reader.safetensors").read_bytes(), "application/octet-stream"))
    if subject != "clip":
        app = set_(app.segmented_control(key="sigma_subject"), subject)
    if kind != "sigma":
        app = set_(app.segmented_control(key="sigma_kind"), kind)
    for name in ("sigma", "stride") if kind == "both" else (kind,):
        app = set_(app.number_input(key=f"sigma_{subject}_{kind}_{name}_count"), 3)
    assert not app.error
    return app


def flac(seed: int) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, made_up.sound(0.3, seed).samples, 16_000, format="FLAC")
    return buffer.getvalue()


def test_one_clip_is_compared_with_its_reading_as_trained(tmp_path: Path):
    app = with_recogniser(tmp_path)
    assert "What is read" in said(app)
    assert "word error rate against the reading as trained" in said(app)
    assert not any(word in said(app) for word in ("surest", "nan %", "inf %"))
    assert len(app.get("plotly_chart")) == 1 + 7


def test_what_was_said_can_be_typed(tmp_path: Path):
    app = set_(with_recogniser(tmp_path).text_input(key="sigma_said"), "Seven, 7")
    assert "The word error rate against what was said" in said(app)
    assert "errors in 2 words" in said(app)
    app = set_(app.text_input(key="sigma_said"), "banana")
    assert [error.value for error in app.error] == [
        "“banana” is not in this network's vocabulary: it writes zero, one, two, three, four, five, six, seven, eight, nine."
    ]
    app = set_(app.text_input(key="sigma_said"), "")
    assert "the reading as trained" in said(app)


def test_a_link_brings_what_was_said(tmp_path: Path):
    app = opened(PAGE, clip="seven", said="seven")
    assert not app.toast
    assert not app.text_input  # a classifier has no use for it
    assert len(opened(PAGE, said="a" * 501).toast) == 1


def test_strides_and_the_map_of_a_clip(tmp_path: Path):
    app = with_recogniser(tmp_path, kind="stride")
    app = set_(app.number_input(key="sigma_clip_stride_stride_high"), 60.0)
    app = set_(app.text_input(key="sigma_said"), "one " * 20)  # a blank between equal words: 39 frames
    assert re.search(r"From an overall stride of 31 on the clip can’t be read as “one one .* output frames, and that text needs 39\.", said(app))
    app = set_(app.segmented_control(key="sigma_kind"), "both")
    assert not app.error
    assert re.search("“one one .*” is read at 0 of 96 points; the lowest word error rate is", said(app))
    assert "points the clip has too few output frames" not in said(app)
    assert "Empty places: too few output frames" in said(app)


def test_a_zip_with_texts(tmp_path: Path):
    app = with_recogniser(tmp_path, "many")
    assert app.selectbox(key="sigma_source").options == ["Spoken digits that come with the app", "Upload a zip"]
    app = set_(app.selectbox(key="sigma_source"), "upload")
    assert app.file_uploader(key="sigma_upload").label == "Zip with a manifest.csv (path, text)"
    data = zipped({"a.flac": flac(0), "b.flac": flac(1), "manifest.csv": "path,text\na.flac,one two\nb.flac,\n"})
    app = set_(app.file_uploader(key="sigma_upload"), ("clips.zip", data, "application/zip"))
    app.button(key="sigma_begin_many").click().run()
    assert not app.exception
    assert not app.error
    assert "(2 words in 2 clips)" in said(app)
    assert "of a ratio of sums over clips, by the delta method" in said(app)


def test_a_zip_without_texts_gets_one_sentence(tmp_path: Path):
    app = set_(with_recogniser(tmp_path, "many").selectbox(key="sigma_source"), "upload")
    app = set_(app.file_uploader(key="sigma_upload"), ("clips.zip", zipped({"1/a.flac": flac(0)}), "application/zip"))
    app.button(key="sigma_begin_many").click().run()
    assert not app.exception
    assert [error.value for error in app.error] == ["No clip has a text: the manifest needs a column text with what is said."]


def test_data_sets_whose_texts_fit_are_offered(tmp_path: Path, no_data: Path):
    for name, line in (("strings", "path,text,split\na.flac,one two,test\n"), ("fruit", "path,text,split\na.flac,banana,test\n"),
                       ("words", "path,label,split\na.flac,one,test\n")):
        (no_data / name).mkdir()
        (no_data / name / "a.flac").write_bytes(flac(0))
        (no_data / name / "manifest.csv").write_text(line, encoding="utf-8")
    app = with_recogniser(tmp_path, "many", "both")
    assert app.selectbox(key="sigma_source").options[:-2] == ["Test split of strings"]
    app.button(key="sigma_begin_many").click().run()
    assert not app.exception
    assert "(2 words in 1 clip)" in said(app)


def test_the_spoken_digits_of_the_app_are_for_networks_that_write_them(tmp_path: Path):
    app = with_recogniser(tmp_path, "many", "stride")
    app.button(key="sigma_begin_many").click().run()
    assert not app.exception
    assert "(80 words in 80 clips)" in said(app)
    app = with_recogniser(tmp_path, "many", tokens=("yes", "no"))
    assert app.selectbox(key="sigma_source").options == ["Upload a zip"]
