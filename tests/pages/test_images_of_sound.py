"""The Images page with sound, without a browser: clips of all lengths, which second is looked at, links, and networks of either kind."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path

import made_up_pictures as made_up
import numpy as np
import pytest
from app_pages import opened, said, set_
from made_up_codecs import codec
from sound_made_here import LOUD_FROM, RATE, samples, wav
from streamlit.testing.v1 import AppTest

from adastride import checkpoints
from adastride.downsampling import METHODS
from adastride.inspection.pictures import as_trained, trace_image
from adastride.inspection.sound_windows import sound_window
from adastride.models.spectrograms import SpectrogramClassifier
from adastride.samples import samples as bundled
from adastride.ui import resources
from adastride.ui.images.comparison import response
from adastride.ui.images.link import KIND_OF, parse
from adastride.ui.images.sound_comparison import TIME, names_of
from adastride.ui.images.viewer import Shown, _packed, _request, _turn_to
from adastride.ui.live import Channel

PAGE = "pages/images.py"
KNOWN = {"images": ("a", "b"), "spectrogram": ("c",)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up.write_sound(made_up.write(tmp_path_factory.mktemp("sound"), ("adastride",)))


@pytest.fixture
def networks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page's networks are made-up ones, of pictures and of sound."""
    entries = made_up.catalogue(folder)
    monkeypatch.setattr(checkpoints, "picture_catalogue", lambda: entries)
    return folder


def trace(app: AppTest):
    return app.session_state["images_viewer_state"]["trace"]


def with_sound(data: bytes, name: str = "mine.wav") -> AppTest:
    app = set_(opened(PAGE, what="sound").segmented_control(key="source_kind"), "upload")
    return set_(app.file_uploader(key="source_upload"), (name, data, "audio/wav"))


def second(app: AppTest) -> float:
    return app.slider(key="images_second").value


def test_sound_is_chosen_and_pictures_come_back(networks: Path):
    app = opened(PAGE)
    assert app.selectbox(key="images_checkpoint").options == ["AdaStride · 10.0 %"], "networks of sound are not among those of pictures"
    app = set_(app.segmented_control(key="images_what"), "sound")
    assert not app.error
    assert app.selectbox(key="source_sample").value == "three"
    assert len(app.selectbox(key="images_sound_checkpoint").options) == 2
    found = trace(app)
    assert found.pixels.shape == (64, 100, 3)
    assert [task for task, _, _ in found.answers] == list(made_up.TASKS)
    app = set_(app.selectbox(key="images_sound_checkpoint"), "sound-strided-conv")
    assert trace(app).method == "strided-conv"
    app = set_(app.segmented_control(key="images_what"), "pictures")
    assert trace(app).pixels.shape == (32, 32, 3)
    app = set_(app.segmented_control(key="images_what"), "sound")
    assert trace(app).method == "strided-conv", "what was chosen of sound is kept while pictures are shown"


def test_without_a_network_of_sound_the_page_says_how_to_train_one(folder: Path, monkeypatch: pytest.MonkeyPatch):
    entries = {name: entry for name, entry in made_up.catalogue(folder).items() if entry.kind == "images"}
    monkeypatch.setattr(checkpoints, "picture_catalogue", lambda: entries)
    app = opened(PAGE, what="sound")
    assert "train --task spectrogram" in app.info[0].value
    assert not app.error


def test_it_begins_at_the_loudest_second_and_follows_the_slider(networks: Path):
    app = with_sound(wav(samples()))
    assert second(app) == pytest.approx(LOUD_FROM, abs=0.02)
    loud = trace(app).pixels
    app = set_(app.slider(key="images_second"), 0.0)
    assert trace(app).pixels.mean() < loud.mean() - 5
    assert trace(app).pixels.shape == loud.shape
    app = set_(app.file_uploader(key="source_upload"), ("other.wav", wav(samples(5.0)), "audio/wav"))
    assert second(app) == pytest.approx(LOUD_FROM, abs=0.02), "another clip begins at its own loudest second"
    assert app.slider(key="images_second").max == pytest.approx(4.0)


@pytest.mark.parametrize(("data", "words"), [
    (wav(samples(0.3)), "0.30 s in the middle of silence"), (wav(samples(1.0)), "All of it is looked at: the network takes windows of 1 s"),
    (wav(np.zeros(160, np.float32)), "0.01 s in the middle of silence"), (wav(samples(0.3, 0.0), 48_000), "0.10 s in the middle of silence"),
], ids=["short", "one second", "ten milliseconds", "another rate"])
def test_short_clips_need_no_slider(networks: Path, data: bytes, words: str):
    app = with_sound(data)
    assert not app.error
    assert words in said(app)
    assert not app.main.slider
    assert not app.sidebar.slider
    assert trace(app).pixels.shape == (64, 100, 3)


def test_odd_clips_are_shown_or_refused_in_a_sentence(networks: Path):
    app = with_sound(wav(np.zeros(1, np.float32)))
    assert "holds 1 sample" in app.error[0].value
    assert trace(app).pixels.shape == (64, 100, 3), "the last clip stays"
    silence = with_sound(wav(np.zeros(3 * RATE, np.float32)))
    assert not silence.error
    assert second(silence) == 0
    assert trace(silence).pixels.max() == 0
    assert np.isfinite(trace(silence).probabilities).all()
    long = np.tile(samples(3.0, 0.0), 200)
    long[500 * RATE : 501 * RATE] += samples(1.0, 0.0) * 100
    app = with_sound(wav(long))
    assert not app.error
    assert second(app) == pytest.approx(500, abs=0.02)
    app = set_(app.slider(key="images_second"), 599.0)
    assert not app.error


def test_a_link_restores_clip_second_network_and_strides(networks: Path):
    clip = list(bundled())[4]
    app = opened(PAGE, what="sound", clip=clip, second="0.5", checkpoint="sound-diffstride", height="3,,1.5,", width="2.5", layer="4")
    assert app.selectbox(key="source_sample").value == clip
    assert second(app) == 0.5
    assert [both[0].stride for both in trace(app).settings] == pytest.approx([3, 2, 1.5, 2])
    assert {both[1].stride for both in trace(app).settings} == {2.5}
    assert not app.toast
    wrong = opened(
        PAGE, what="sound", clip="unicorn", second="-3", checkpoint="made-up-adastride", height="0.5", width="1,2,3", sigma="x", layer="5",
    )
    assert len(wrong.toast) == 7
    assert "layer from 1 to 4" in wrong.toast[-1].value
    assert trace(wrong).settings == as_trained(made_up.spectrogram_network("diffstride"))
    late = opened(PAGE, what="sound", second="800")
    assert "last window begins at" in late.toast[0].value
    assert second(late) == late.slider(key="images_second").max


def test_links_are_read():
    link = parse({"what": "sound", "clip": "seven", "second": "1.25", "checkpoint": "c", "picture": "nothing"}, ("ship",), ("seven",), KNOWN)
    assert (link.what, link.clip, link.second, link.checkpoint, link.picture) == ("sound", "seven", 1.25, "c", None)
    assert len(link.settings) == 4
    assert not link.problems
    link = parse({"what": "smell", "checkpoint": "c", "second": "x"}, ("ship",), ("seven",), KNOWN)
    assert (link.what, link.checkpoint, link.second) == ("pictures", None, None)
    assert len(link.problems) == 2, "which second is asked for does not matter to pictures"
    assert set(KIND_OF) == {"pictures", "sound"}


def test_a_file_of_a_person_s_own_belongs_to_its_kind(networks: Path, tmp_path: Path):
    checkpoints.save_checkpoint(made_up.spectrogram_network("dct-diffstride", ("digits",)), tmp_path / "mine.safetensors", {})
    mine = ("mine.safetensors", (tmp_path / "mine.safetensors").read_bytes(), "application/octet-stream")
    app = set_(opened(PAGE, what="sound").file_uploader(key="images_sound_own"), [mine])
    assert not app.error
    assert trace(app).method == "dct-diffstride"
    assert "digits: 4 classes, 64 mel bands and 100 frames" in said(app)
    app = set_(app.segmented_control(key="images_what"), "pictures")
    assert not app.error
    assert len(app.selectbox(key="images_checkpoint").options) == 1
    app = set_(app.file_uploader(key="images_own"), [mine])
    assert "choose Sound above" in app.error[0].value
    of_pictures = ("made-up-adastride.safetensors", (networks / "made-up-adastride.safetensors").read_bytes(), "application/octet-stream")
    app = set_(opened(PAGE, what="sound").file_uploader(key="images_sound_own"), [of_pictures])
    assert "choose Pictures above" in app.error[0].value
    assert trace(app).method == "diffstride"
    checkpoints.save_checkpoint(codec("adastride"), tmp_path / "codec.safetensors", {})
    heard = ("codec.safetensors", (tmp_path / "codec.safetensors").read_bytes(), "application/octet-stream")
    app = set_(opened(PAGE, what="sound").file_uploader(key="images_sound_own"), [heard])
    assert "open it on the Explore page" in app.error[0].value


@pytest.mark.parametrize("tasks", [("digits",), made_up.TASKS])
def test_the_browser_is_told_units_and_an_answer_to_each_task(tasks: tuple[str, ...]):
    network = made_up.spectrogram_network("diffstride", tasks)
    window = sound_window(resources.sample_waveform("seven"), network.config.mel, 100, 180)
    state = {"trace": trace_image(network, window.pixels), "revision": "r", "milliseconds": 1.0}
    shown = Shown("id", "seven", window.pixels, {"what": "sound", "clip": "seven", "second": "1.8"}, "seven", sound=window)
    data = _packed(shown, state, as_trained(network), "c", None, Channel())
    header = json.loads(data[4 : 4 + struct.unpack("<I", data[:4])[0]])
    assert header["link"] == {"what": "sound", "clip": "seven", "second": "1.8", "checkpoint": "c"}
    assert header["arrays"]["pixels"]["count"] == 6400
    (frequency, time), *above = header["sound"]["modulations"]
    assert (frequency["cutOff"], time["cutOff"]) == (0.25, 25)
    assert above[0][1]["cutOff"] < 25
    prediction = header["prediction"]
    if len(tasks) == 1:
        assert (len(prediction["bars"]), prediction["heads"]) == (4, [])
    else:
        assert [len(head["bars"]) for head in prediction["heads"]] == [3] * 4
        assert prediction["heads"][0]["barsTitle"] == "Spoken digits"
        assert all(head["headline"] in prediction["headline"] for head in prediction["heads"])


def test_requests_of_another_network_count_as_none():
    network = made_up.spectrogram_network()
    request = {"sequence": 4, "revision": "r", "settings": [{"strides": [2, 3.5], "sigma": None}] * 4}
    assert _request(request, network, as_trained(network)) is not None
    assert _request({**request, "settings": request["settings"][:3]}, network, as_trained(network)) is None


def test_networks_of_sound_side_by_side(networks: Path):
    app = opened(PAGE, what="sound", view="compare", networks="sound-diffstride,sound-strided-conv", clip="seven", second="1.8")
    assert not app.error
    assert tuple(app.multiselect(key="images_sound_networks").value) == ("sound-diffstride", "sound-strided-conv")
    text = said(app)
    assert text.count(" dB**") == 8, "how far what can be had back is off, for each layer of each network"
    assert "20 ms a column, up to 25 Hz" in text
    assert text.count("Spoken digits: **") == 2
    app = set_(app.multiselect(key="images_sound_networks"), ["sound-diffstride"])
    assert "Choose 2 to 4 networks" in app.info[0].value
    app = set_(app.segmented_control(key="images_view"), "one")
    assert trace(app).method == "diffstride"


def strides(app: AppTest) -> list[float]:
    return [both[0].stride for both in trace(app).settings]


def test_strides_are_kept_while_something_else_is_shown(networks: Path):
    app = opened(PAGE, what="sound", checkpoint="sound-diffstride", height="3,3,3,3", layer="2")
    assert strides(app) == [3, 3, 3, 3]
    state = app.session_state["images_viewer_state"]
    state["settings"] = as_trained(made_up.spectrogram_network("diffstride"))
    set_(app.selectbox(key="images_sound_checkpoint"), "sound-strided-conv")
    set_(app.selectbox(key="images_sound_checkpoint"), "sound-diffstride")
    assert strides(app) == [2, 2, 2, 2], "a link's strides count once"
    state["settings"] = tuple((replace(down, stride=1.5), along) for down, along in state["settings"])
    set_(app.segmented_control(key="images_what"), "pictures")
    assert len(strides(app)) == 3
    set_(app.segmented_control(key="images_what"), "sound")
    assert strides(app) == [1.5] * 4


def test_settings_of_so_many_networks_are_kept():
    trained = as_trained(made_up.spectrogram_network())
    moved = tuple((replace(down, stride=3.0), along) for down, along in trained)
    state: dict = {}
    for number in range(12):
        _turn_to(state, str(number), moved, trained)
    assert list(state["kept"]) == [str(number) for number in range(3, 11)]
    _turn_to(state, "3", trained, trained)
    assert state["settings"] is moved
    _turn_to(state, "0", moved, trained)
    assert state["settings"] is trained, "it began once"


@pytest.fixture
def short_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, SpectrogramClassifier]:
    """Networks of sound with windows of 1 s and of 0.6 s, and with frames of 12.5 ms. No other test has networks of these names, which are cached."""
    mel = replace(made_up.spectrogram_network().config.mel, hop=200)
    made = {
        "avg-pool": made_up.spectrogram_network("avg-pool", ("digits",)), "dct-diffstride": made_up.spectrogram_network("dct-diffstride", frames=60),
        "adastride": made_up.spectrogram_network("adastride", ("digits",), mel=mel),
    }
    for method, network in made.items():
        checkpoints.save_checkpoint(network, tmp_path / f"sound-{method}.safetensors", {})
    entries = made_up.catalogue(tmp_path)
    monkeypatch.setattr(checkpoints, "picture_catalogue", lambda: entries)
    return made


@pytest.mark.usefixtures("short_windows")
def test_the_second_is_kept_for_a_network_with_other_windows():
    app = with_sound(wav(samples(5.0)))
    set_(app.selectbox(key="images_sound_checkpoint"), "sound-avg-pool")
    set_(app.slider(key="images_second"), 0.53)
    app = set_(app.selectbox(key="images_sound_checkpoint"), "sound-dct-diffstride")
    assert second(app) == 0.53
    app = set_(app.selectbox(key="images_sound_checkpoint"), "sound-adastride")
    assert second(app) == pytest.approx(0.525), "the nearest frame of 12.5 ms"
    app = set_(app.selectbox(key="images_sound_checkpoint"), "sound-dct-diffstride")
    app = set_(app.slider(key="images_second"), app.slider(key="images_second").max)
    app = set_(app.selectbox(key="images_sound_checkpoint"), "sound-avg-pool")
    assert second(app) == app.slider(key="images_second").max == pytest.approx(4.0)
    app = set_(app.file_uploader(key="source_upload"), ("short.wav", wav(samples(0.8)), "audio/wav"))
    assert not app.main.slider
    app = set_(app.selectbox(key="images_sound_checkpoint"), "sound-dct-diffstride")
    assert 0 <= second(app) <= app.slider(key="images_second").max


def test_names_say_which_network_is_which(short_windows: dict[str, SpectrogramClassifier]):
    seen = np.zeros((64, 100, 3), np.uint8)
    digits, several = (trace_image(short_windows[method], seen) for method in ("avg-pool", "dct-diffstride"))
    own = trace_image(made_up.spectrogram_network("avg-pool", ("a task of my own",)), seen)
    pooling, spectral = (METHODS[each.method].label for each in (digits, several))
    assert names_of([digits, several], ["a", "b"]) == [f"{pooling}, Spoken digits", f"{spectral}, 4 tasks"]
    assert names_of([digits, digits, own], ["a", "b", "c"]) == [f"{pooling}, Spoken digits, a", f"{pooling}, Spoken digits, b", f"{pooling}, a task of my own"]
    assert len(set(names_of([digits, digits], ["a", "a"]))) == 2


def test_frequencies_of_each_network_are_those_of_its_own_front_end(short_windows: dict[str, SpectrogramClassifier]):
    pair = [short_windows[method] for method in ("adastride", "avg-pool")]
    traces = [trace_image(network, np.zeros((64, 100, 3), np.uint8)) for network in pair]
    panel = response(traces, ["a", "b"], 0, TIME, [network.config.mel.frames_per_second for network in pair])
    assert [series.points[-1].x for series in panel.series] == pytest.approx([40, 50])
    assert panel.x.high == 50


@pytest.mark.usefixtures("short_windows")
def test_the_charts_of_a_comparison_have_the_rates_of_its_networks():
    app = opened(PAGE, what="sound", view="compare", networks="sound-adastride,sound-avg-pool", clip="seven", second="0.5")
    assert not app.error
    chart = json.loads(app.get("plotly_chart")[0].proto.spec)
    assert chart["layout"]["xaxis"]["range"] == pytest.approx([0, 50])
    assert "Spoken digits**" in said(app)


def test_one_network_of_sound_asks_for_another_and_a_loaded_one_joins(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    entries = {name: entry for name, entry in made_up.catalogue(folder).items() if name in ("made-up-adastride", "sound-diffstride")}
    monkeypatch.setattr(checkpoints, "picture_catalogue", lambda: entries)
    app = opened(PAGE, what="sound", view="compare")
    assert "load another .safetensors file in the sidebar" in app.info[0].value
    files = []
    for width in (2, 3, 4, 5):
        path = tmp_path / f"mine-{width}.safetensors"
        checkpoints.save_checkpoint(made_up.spectrogram_network("avg-pool", ("digits",), width=width), path, {})
        files.append((path.name, path.read_bytes(), "application/octet-stream"))
    app = set_(app.file_uploader(key="images_sound_own"), files[:1])
    assert not app.error
    assert not app.info
    assert len(app.multiselect(key="images_sound_networks").value) == 2
    app = set_(app.file_uploader(key="images_sound_own"), files)
    assert len(app.multiselect(key="images_sound_networks").value) == 4
    assert app.multiselect(key="images_sound_networks").value[0] == "sound-diffstride"
    app = set_(app.multiselect(key="images_sound_networks"), ["sound-diffstride"])
    assert "Choose 2 to 4 networks" in app.info[0].value, "what was taken out stays out"
