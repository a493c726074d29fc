"""A codec is a network like any other to the pages: somebody's own can be explored and lends its features to Compare."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import soundfile
from app_pages import opened, said, set_
from made_up_codecs import codec, speech
from streamlit.testing.v1 import AppTest

from adastride import checkpoints
from adastride.training.datasets import DATA_ROOT_VARIABLE
from tests.zips import zipped

SIGMA = "pages/sigma.py"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("own") / "m.safetensors"
    checkpoints.save_checkpoint(codec(), path, {})
    return path.read_bytes()


def with_own(page: str, key: str, data: bytes) -> AppTest:
    app = opened(page)
    app.selectbox(key=f"{key}_task").select("own").run()
    app.file_uploader(key=f"{key}_own").set_value(("teller.safetensors", data, "application/octet-stream")).run()
    assert not app.exception
    return app


def test_explore_shows_it(data: bytes):
    app = with_own(str(Path("pages") / "explore.py"), "explore", data)
    assert not app.error
    trace = app.session_state["explore_viewer_state"]["trace"]
    said = " ".join(caption.value for caption in app.caption)
    assert "16 codes" in said
    assert [lane.title for lane in trace.prediction.lanes] == ["Codes", "Reconstruction", "Mel error, mean over bands"]
    assert [sound.title for sound in trace.prediction.sounds] == ["Decoded", "Mel only"]
    assert trace.waveform.sample_rate == 16_000
    assert trace.mel.shape[1] == 1 + round(trace.waveform.seconds * 22_050) // 256, "as it is heard at 22 050 Hz"


def test_compare_takes_its_mel_and_its_layers(data: bytes):
    app = with_own(str(Path("pages") / "compare.py"), "compare", data)
    assert ["no learned scores" in error.value for error in app.error] == [True], "its lowest layer is a strided convolution"
    assert len(app.selectbox(key="compare_source").options) == 4, "the mel and three layers"
    app.selectbox(key="compare_source").select("layer 3").run()
    assert not app.exception
    assert not app.error


def test_sigma_sweeps_it(data: bytes):
    assert not with_own(SIGMA, "sigma", data).error


def wav(seed: int) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, speech(0.4, seed).samples, 22_050, format="WAV")
    return buffer.getvalue()


def test_sigma_measures_it_on_clips_without_labels(data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """From a zip, and from a folder that is offered to nobody who needs labels."""
    monkeypatch.setenv(DATA_ROOT_VARIABLE, str(tmp_path))
    (tmp_path / "voice").mkdir()
    (tmp_path / "voice" / "a.wav").write_bytes(wav(0))
    (tmp_path / "voice" / "manifest.csv").write_text("path,split\na.wav,test\n", encoding="utf-8")
    app = set_(with_own(SIGMA, "sigma", data).segmented_control(key="sigma_subject"), "many")
    app = set_(app.number_input(key="sigma_many_sigma_sigma_count"), 3)
    assert app.selectbox(key="sigma_source").options == ["Test split of voice", "Spoken digits that come with the app", "Upload a zip"]
    app.button(key="sigma_begin_many").click().run()
    assert not app.exception
    assert "values in 1 clip)" in said(app)
    app = set_(app.selectbox(key="sigma_source"), "upload")
    assert app.file_uploader(key="sigma_upload").label == "Zip with folders of sounds, or with a manifest.csv (path)"
    own = ("clips.zip", zipped({"a.wav": wav(0), "b.wav": wav(1), "manifest.csv": "path\na.wav\nb.wav\n"}), "application/zip")
    app = set_(app.file_uploader(key="sigma_upload"), own)
    app.button(key="sigma_begin_many").click().run()
    assert not app.exception
    assert not app.error
    assert "values in 2 clips)" in said(app)

    app = set_(opened(SIGMA).segmented_control(key="sigma_subject"), "many")
    assert app.selectbox(key="sigma_source").options == ["Spoken digits that come with the app", "Upload a zip"]
    app = set_(app.selectbox(key="sigma_source"), "upload")
    app = set_(app.file_uploader(key="sigma_upload"), own)
    app.button(key="sigma_begin_many").click().run()
    assert not app.exception
    sentence = "The clip a.wav has no label: the manifest needs a column label with what is to be told apart."
    assert [error.value for error in app.error] == [sentence]
