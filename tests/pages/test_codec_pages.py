"""A codec is a network like any other to the pages: somebody's own can be explored and lends its features to Compare."""

from __future__ import annotations

from pathlib import Path

import pytest
from app_pages import opened
from made_up_codecs import codec
from streamlit.testing.v1 import AppTest

from adastride import checkpoints


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
    assert not with_own(str(Path("pages") / "sigma.py"), "sigma", data).error
