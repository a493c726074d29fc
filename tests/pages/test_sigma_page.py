"""The Sigma page without a browser: sweeps of a clip and of labelled clips, and what it says when something is wrong."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from app_pages import opened, said, set_
from streamlit.testing.v1 import AppTest

from adastride import checkpoints
from adastride.models.classifier import Classifier, ClassifierConfig
from adastride.sweep import core as sweep
from adastride.training.datasets import DATA_ROOT_VARIABLE
from tests.zips import zipped

PAGE = "pages/sigma.py"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page looks for data sets in an empty folder."""
    monkeypatch.setenv(DATA_ROOT_VARIABLE, str(tmp_path))
    return tmp_path


def tone(pitch: float) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, 0.1 * np.sin(2 * np.pi * pitch * np.arange(4000) / 8000), 8000, format="WAV")
    return buffer.getvalue()


def uploaded(app: AppTest, data: bytes) -> AppTest:
    app = set_(app.selectbox(key="sigma_source"), "upload")
    return set_(app.file_uploader(key="sigma_upload"), ("clips.zip", data, "application/zip"))


def many(kind: str = "sigma", count: int = 3) -> AppTest:
    """The page on labelled clips, a few values of each range."""
    app = opened(PAGE)
    if kind != "sigma":
        app = set_(app.segmented_control(key="sigma_kind"), kind)
    app = set_(app.segmented_control(key="sigma_subject"), "many")
    for name in ("sigma", "stride") if kind == "both" else (kind,):
        app = set_(app.number_input(key=f"sigma_many_{kind}_{name}_count"), count)
    return app


def test_the_page_opens_on_a_finished_sweep():
    app = opened(PAGE)
    assert not app.error
    assert "The prediction “7” is stable from σ⁻²" in said(app)
    assert "e to the power of the mean entropy" in said(app)
    assert len(app.get("plotly_chart")) == 1 + 7  # the strip, curves
    assert app.select_slider[0].value == pytest.approx(5, rel=0.2)
    link = app.get("link_button")[0].proto.url
    assert link.startswith("./?clip=seven&checkpoint=digits-adastride&sigma=0.4")


def test_the_cursor_picks_a_value():
    app = opened(PAGE)
    app.select_slider[0].set_value(0.05).run()
    assert not app.exception
    assert "**At σ⁻² 0.05**" in said(app)
    assert "sigma=4.4721%2C" in app.get("link_button")[0].proto.url


def test_a_link_restores_the_sweep_and_the_cursor():
    app = opened(PAGE, clip="three", checkpoint="digits-adastride", sweep="clip", over="stride", strides="2,6,5", at="5.1")
    assert app.select_slider[0].value == 5
    assert [app.number_input(key=f"sigma_clip_stride_stride_{part}").value for part in ("low", "high", "count")] == [2, 6, 5]
    assert "clip=three" in app.get("link_button")[0].proto.url
    assert not app.toast
    app = set_(app.segmented_control(key="sigma_kind"), "sigma")  # and from there on the visitor's choice counts
    assert app.select_slider[0].value == pytest.approx(5, rel=0.2)


def test_nonsense_in_a_link_is_said_and_the_page_opens():
    app = opened(PAGE, clip="seven", over="colour", sigmas="9,1,x", at="-3", sigma="cold")
    assert len(app.toast) == 4
    assert app.select_slider[0].value == pytest.approx(5, rel=0.2)
    app = opened(PAGE, over="sigma", sigmas="100,0.05,9")  # numbers, and no range
    assert "upside down" in app.error[0].value


def test_stride_and_map():
    app = set_(opened(PAGE).segmented_control(key="sigma_kind"), "stride")
    assert "an overall stride of 8 the network does" in said(app)
    app = set_(app.segmented_control(key="sigma_kind"), "both")
    assert len(app.get("plotly_chart")) == 1
    assert "Ring: as trained, σ⁻² 5 and an overall stride of 8." in said(app)
    assert "of 96 points, and is surest at" in said(app)


@pytest.mark.parametrize(("low", "high", "sentence"), [(10.0, 1.0, "upside down"), (5.0, 5.0, "has no length"), (0.0, 5.0, "must lie between")])
def test_a_range_that_is_none(low: float, high: float, sentence: str):
    app = opened(PAGE)
    set_(app.number_input(key="sigma_clip_sigma_sigma_high"), high)
    app = set_(app.number_input(key="sigma_clip_sigma_sigma_low"), low)
    assert len(app.error) == 1
    assert sentence in app.error[0].value
    assert not app.get("plotly_chart")


def test_a_map_of_too_many_points_gets_one_sentence():
    app = set_(opened(PAGE).segmented_control(key="sigma_kind"), "both")
    app = set_(app.number_input(key="sigma_clip_both_sigma_count"), 2)
    app = set_(app.number_input(key="sigma_clip_both_stride_count"), 200)
    app = set_(app.number_input(key="sigma_clip_both_sigma_count"), 200)
    assert len(app.error) == 1
    assert "choose fewer values" in app.error[0].value


def test_a_network_without_sigma_is_swept_over_its_stride(tmp_path: Path):
    torch.manual_seed(0)
    model = Classifier(ClassifierConfig(labels=("no", "yes"), methods=("strided-conv",) * 3, width=16)).eval()
    checkpoints.save_checkpoint(model, tmp_path / "mine.safetensors", {})
    app = set_(opened(PAGE).selectbox(key="sigma_task"), "own")
    data = (tmp_path / "mine.safetensors").read_bytes()
    app = set_(app.file_uploader(key="sigma_own"), ("mine.safetensors", data, "application/octet-stream"))
    assert "This network has no σ" in said(app)
    assert "overall stride" in said(app)
    assert not app.error


def test_a_long_clip_waits_until_it_is_asked_for():
    app = set_(opened(PAGE).number_input(key="sigma_clip_sigma_sigma_count"), 2)
    app = set_(app.segmented_control(key="source_kind"), "upload")
    buffer = io.BytesIO()
    soundfile.write(buffer, 0.1 * np.random.default_rng(0).standard_normal(8000 * 61), 8000, format="WAV")
    app = set_(app.file_uploader(key="source_upload"), ("long.wav", buffer.getvalue(), "audio/wav"))
    assert "so its sweep takes a while" in app.info[0].value
    assert not app.get("plotly_chart")
    app.button(key="sigma_begin").click().run()
    assert not app.exception
    assert len(app.get("plotly_chart")) == 1 + 7


def test_a_zip_of_labelled_clips():
    app = set_(many().selectbox(key="sigma_source"), "upload")
    assert "Choose a zip file" in app.info[0].value
    app = uploaded(app, zipped({"1/a.wav": tone(300), "1/b.wav": tone(500), "2/c.wav": tone(700)}))
    assert not app.get("plotly_chart")  # nothing runs before it is asked for
    app.button(key="sigma_begin_many").click().run()
    assert not app.exception
    assert "of 3 clips right" in said(app)
    assert len(app.get("plotly_chart")) == 1
    app = set_(app.number_input(key="sigma_many_sigma_sigma_count"), 4)  # another sweep is asked for again
    assert not app.get("plotly_chart")


@pytest.mark.parametrize(("kind", "charts"), [("stride", 2), ("both", 1)])
def test_strides_of_labelled_clips(kind: str, charts: int):
    app = uploaded(many(kind), zipped({"1/a.wav": tone(300), "2/c.wav": tone(700)}))
    app.button(key="sigma_begin_many").click().run()
    assert not app.exception
    assert not app.error
    assert len(app.get("plotly_chart")) == charts


@pytest.mark.parametrize(
    ("files", "sentence"),
    [({"../a.wav": tone(300)}, "climbs out"), ({"a.wav": tone(300)}, "does not say what"), ({"1/a.wav": b"x"}, "can't be decoded")],
)
def test_a_bad_zip_gets_one_sentence(files: dict[str, bytes], sentence: str):
    app = uploaded(many(), zipped(files))
    assert len(app.error) == 1
    assert sentence in app.error[0].value


def test_labels_the_checkpoint_does_not_know_get_one_sentence():
    app = uploaded(many(), zipped({"banana/a.wav": tone(300)}))
    app.button(key="sigma_begin_many").click().run()
    assert not app.exception
    assert len(app.error) == 1
    assert "'banana', which digits-adastride does not know" in app.error[0].value


def test_test_sets_that_fit_are_offered(no_data: Path):
    for name, label in (("digits", "1"), ("fruit", "banana")):
        (no_data / name).mkdir()
        (no_data / name / "a.wav").write_bytes(tone(300))
        (no_data / name / "manifest.csv").write_text(f"path,label,split\na.wav,{label},test\n", encoding="utf-8")
    app = many()
    assert app.selectbox(key="sigma_source").options == ["Test split of digits", "Spoken digits that come with the app", "Upload a zip"]
    app.button(key="sigma_begin_many").click().run()
    assert not app.exception
    assert "of 1 clips right" in said(app)


def test_labelled_clips_come_with_the_app(no_data: Path):
    """On a machine without any data set the page is on eighty spoken digits, of which the network knows nearly all."""
    app = many()
    assert app.selectbox(key="sigma_source").value == "bundled"
    app.button(key="sigma_begin_many").click().run()
    assert not app.exception
    right = [float(number) for number in re.findall(r"with ([\d.]+)\s% of 80 clips right", said(app))]
    assert len(right) == 4
    assert min(right) >= 95


def test_another_task_has_no_use_for_spoken_digits(no_data: Path):
    app = set_(opened(PAGE, checkpoint="emotion-adastride").segmented_control(key="sigma_subject"), "many")
    assert app.selectbox(key="sigma_source").options == ["Upload a zip"]


def test_a_stopped_sweep_shows_what_it_has_and_can_begin_again(monkeypatch: pytest.MonkeyPatch):
    """The session's run is stopped after three values, as its button does."""
    advance = sweep.Run.advance

    def three(run: sweep.Run, seconds: float) -> None:
        for _ in range(3):
            advance(run, 0)
        run.stop()

    monkeypatch.setattr(sweep.Run, "advance", three)
    app = opened(PAGE)
    assert "Stopped after 3 of 25 points." in app.info[0].value
    assert len(app.get("plotly_chart")) == 1 + 7
    monkeypatch.setattr(sweep.Run, "advance", advance)
    app.button(key="sigma_again").click().run()
    assert not app.exception
    assert not app.info


def test_a_finished_sweep_is_not_run_again(monkeypatch: pytest.MonkeyPatch):
    app = opened(PAGE)
    monkeypatch.setattr(sweep.Run, "advance", lambda *_: pytest.fail("it was run again"))
    app.run()
    assert not app.exception


def test_the_page_does_not_load_what_only_training_needs():
    """Accelerate takes seconds to import, and every later run would wait for the collection of what it brings."""
    program = f"from streamlit.testing.v1 import AppTest; AppTest.from_file({PAGE!r}).run(timeout=60); import sys; print('accelerate' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ended.stdout.split() == ["False"], ended.stderr[-500:]
