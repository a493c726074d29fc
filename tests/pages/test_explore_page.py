"""The Explore page without a browser: widgets, uploads, links, and what goes to and comes from the viewer."""

from __future__ import annotations

import functools
import io
import json
import re
import struct
import tempfile
from dataclasses import replace
from pathlib import Path

import app_pages
import numpy as np
import pytest
import recordings
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load, save
from streamlit.testing.v1 import AppTest

from adastride import checkpoints
from adastride.checkpoints import CatalogueEntry, catalogue, save_checkpoint
from adastride.downsampling import METHODS, LayerSettings
from adastride.inspection.tracing import EVERYTHING, Hearing
from adastride.models import Classifier, ClassifierConfig
from adastride.samples import samples
from adastride.tasks import Prediction
from adastride.ui import checkpoint_picker, resources
from adastride.ui.component import frontend_version, pack
from adastride.ui.explore import link as permalink
from adastride.ui.explore import viewer
from adastride.ui.explore.viewer import _request

open_page = functools.partial(app_pages.opened, "adastride/ui/main.py")
NOTHING = LayerSettings()
TRAINED = (LayerSettings(sigma=5**-0.5, stride=2.0, variant="adastride"),) * 3


def tone(seconds: float = 0.5, rate: int = 8000) -> bytes:
    """A WAV file."""
    buffer = io.BytesIO()
    soundfile.write(buffer, 0.3 * np.sin(np.arange(int(seconds * rate)) * 0.3), rate, format="WAV")
    return buffer.getvalue()


def settings_on_screen(app: AppTest) -> tuple[LayerSettings, ...]:
    """What the viewer was last run with."""
    return app.session_state["explore_viewer_state"]["settings"]


# ------------------------------------------------------------------ the page


def test_first_run_is_clean():
    """A first visit: no exception, no complaint, the first sample and checkpoint, as trained."""
    app = open_page()
    assert not app.exception
    assert not app.error
    assert not app.toast
    assert app.selectbox(key="source_sample").value == next(iter(samples()))
    assert app.selectbox(key="explore_task").value == "digits"
    assert app.selectbox(key="explore_checkpoint").value == "digits-adastride"
    assert app.session_state["explore_viewer_state"]["trace"].top == "7"


def test_choosing_a_sample_runs_it():
    """The trace on screen is of the chosen sample, and its caption is shown."""
    app = open_page()
    name = list(samples())[-1]
    app.selectbox(key="source_sample").select(name).run()
    assert not app.exception
    assert samples()[name].description in [caption.value for caption in app.caption]
    assert app.session_state["source_last"].sample == name


def upload(app: AppTest, name: str, data: bytes) -> AppTest:
    """Turns to the uploader and gives it a file."""
    app.segmented_control(key="source_kind").set_value("upload").run()
    app.file_uploader[0].set_value((name, data, "audio/wav")).run()
    assert not app.exception
    return app


def test_a_good_upload_is_the_clip():
    """An uploaded file is decoded and shown under its name."""
    app = upload(open_page(), "tone.wav", tone())
    assert not app.error
    clip = app.session_state["source_last"]
    assert (clip.title, clip.sample, clip.link) == ("tone.wav", None, "upload:tone.wav")
    assert clip.waveform.original_rate == 8000
    assert app.session_state["explore_viewer_state"]["trace"].waveform.sha256 == clip.waveform.sha256


@pytest.mark.parametrize("name", ["memo.m4a", "browser.webm", "clip.mp4"])
def test_a_phone_s_or_a_browser_s_recording_is_the_clip(name: str):
    kind = recordings.KINDS[name]
    wave = np.sin(2 * np.pi * 440 * np.arange(kind.rate) / kind.rate).astype(np.float32) / 4
    app = upload(open_page(), name, recordings.recording(wave, kind))
    assert not app.error
    assert app.session_state["source_last"].title == name


@pytest.mark.parametrize("data", [b"", b"hello", tone()[:30]], ids=["empty", "text", "header only"])
def test_a_bad_upload_is_explained(data: bytes):
    """One sentence, and the last clip stays."""
    app = upload(open_page(), "bad.wav", data)
    assert len(app.error) == 1
    assert "bad.wav" in app.error[0].value.replace("\\", "")  # Markdown's escapes
    assert app.session_state["source_last"].sample == next(iter(samples()))


def test_a_good_upload_after_a_bad_one():
    """The explanation goes away with the file it was about."""
    app = upload(open_page(), "bad.wav", b"hello")
    app.file_uploader[0].set_value(("tone.wav", tone(), "audio/wav")).run()
    assert not app.error
    assert app.session_state["source_last"].title == "tone.wav"


def test_an_upload_is_there_again_after_a_look_at_the_samples():
    """Streamlit forgets a file while its widget is not on the page; the visitor should not have to give it again."""
    app = upload(open_page(), "tone.wav", tone())
    app.segmented_control(key="source_kind").set_value("sample").run()
    assert app.session_state["source_last"].sample == next(iter(samples()))
    app.segmented_control(key="source_kind").set_value("upload").run()
    assert not app.exception
    assert app.file_uploader[0].value is None
    assert app.session_state["source_last"].title == "tone.wav"


def test_an_upload_is_decoded_once(monkeypatch: pytest.MonkeyPatch):
    """A rerun, which every widget makes, must not decode 100 MB again."""
    from adastride import audio

    calls = []
    decode = audio.decode
    monkeypatch.setattr(audio, "decode", lambda *args, **options: calls.append(1) or decode(*args, **options))
    app = upload(open_page(), "tone.wav", tone(0.6))
    app.run()
    app.run()
    assert len(calls) == 1


def test_a_link_is_followed():
    """Clip and settings of a link are what the first run shows; what it leaves open is as trained."""
    app = open_page(clip="birds", sigma="0.2,,4", stride="3", variant=",adastride-f,")
    assert not app.exception
    assert not app.toast
    assert app.selectbox(key="source_sample").value == "birds"
    one, two, three = settings_on_screen(app)
    assert one == LayerSettings(0.2, 3.0, "adastride")
    assert (two.sigma, two.variant) == (pytest.approx(5**-0.5), "adastride-f")
    assert three.sigma == 4.0


def test_a_link_counts_once():
    """Choosing another sample on a linked page is not undone by the link that is still in the address bar."""
    app = open_page(clip="birds")
    app.selectbox(key="source_sample").select("noise").run()
    app.run()
    assert app.selectbox(key="source_sample").value == "noise"


@pytest.mark.parametrize(
    "query",
    [
        {"sigma": "0"}, {"sigma": "abc"}, {"checkpoint": "nope"}, {"clip": "nope"}, {"clip": "../../etc/passwd"}, {"stride": "1e999"},
        {"variant": "xyz"},
    ],
)
def test_a_bad_link_is_explained(query: dict[str, str]):
    """A toast, no exception, and the default."""
    app = open_page(**query)
    assert not app.exception
    assert len(app.toast) == 1
    assert next(iter(query)) in app.toast[0].value
    assert settings_on_screen(app) == open_page().session_state["explore_viewer_state"]["settings"]
    app.run()
    assert not app.toast  # it is said once


# ------------------------------------------------------------------ networks


def trained(*methods: str, **config: object) -> bytes:
    """A checkpoint file of a small network with random weights."""
    torch.manual_seed(0)
    model = Classifier(ClassifierConfig(**{"labels": tuple("abcd"), "methods": methods, "width": 16, **config})).eval()
    for layer in model.downsamplers:
        if hasattr(layer, "score"):
            torch.nn.init.normal_(layer.score.weight)
    with tempfile.TemporaryDirectory() as folder:
        save_checkpoint(model, Path(folder) / "small.safetensors", {})
        return (Path(folder) / "small.safetensors").read_bytes()


def load_own(app: AppTest, data: bytes, name: str = "mine.safetensors") -> AppTest:
    """Turns to "Your own file" and gives the uploader a file."""
    app.selectbox(key="explore_task").select("own").run()
    app.file_uploader(key="explore_own").set_value((name, data, "application/octet-stream")).run()
    assert not app.exception
    return app


NETWORKS = {key: (key,) * 3 for key in METHODS} | {"adastride-s": ("strided-conv", "strided-conv", "adastride")}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What goes to the browser, newest last."""
    seen: list[bytes] = []
    monkeypatch.setattr(viewer, "pack", lambda header, arrays: seen.append(pack(header, arrays)) or seen[-1])
    return seen


@pytest.mark.parametrize("key", NETWORKS)
def test_every_method_is_sent(key: str, sent: list[bytes]):
    """A network of any method is traced and all its layers go to the browser: positions, taps, or a matrix that is not empty."""
    app = load_own(open_page(), trained(*NETWORKS[key]))
    assert not app.error
    trace = app.session_state["explore_viewer_state"]["trace"]
    assert [layer.method for layer in trace.layers] == list(NETWORKS[key])
    header, arrays = unpack(sent[-1])
    for index, layer in enumerate(trace.layers):
        if f"u{index}" in arrays or f"taps{index}" in arrays:
            continue
        picture = header["layers"][index]["picture"]
        matrix = arrays[f"matrix{index}"].reshape(-1, picture["rows"]).T
        dense = layer.alignment.dense()[0].numpy()
        assert picture["whole"]
        np.testing.assert_allclose(matrix / 255, dense / dense.max(axis=1, keepdims=True), atol=0.003)
        np.testing.assert_allclose(arrays[f"edges{index}"], layer.boundaries, rtol=1e-6)
    assert len(sent[-1]) < 1_000_000


def test_an_own_network_takes_the_place_of_the_shipped_one():
    """Its labels and settings are shown, the link names the file, and choosing a task brings a shipped one back."""
    app = load_own(open_page(), trained("cif", "cif", "cif"))
    assert list(app.session_state["explore_viewer_state"]["trace"].prediction.values) == list("abcd")
    assert any("mine.safetensors" in caption.value and "link" in caption.value for caption in app.caption)
    app.selectbox(key="explore_task").select("digits").run()
    assert app.selectbox(key="explore_checkpoint").value == "digits-adastride"
    assert app.session_state["explore_viewer_state"]["trace"].checkpoint == "digits-adastride"


def test_another_file_of_the_same_name_is_another_network():
    """What is kept of a network goes by its content."""
    app = load_own(open_page(), trained("cif", "cif", "cif"))
    load_own(app, trained("cif", "cif", "cif", labels=("yes", "no")))
    assert list(app.session_state["explore_viewer_state"]["trace"].prediction.values) == ["yes", "no"]


def test_settings_of_an_own_network_stay_with_it():
    """A new network begins as it was trained, whatever the last one was dragged to."""
    app = load_own(open_page(sigma="3"), trained("adastride", "adastride", "adastride", sigma=0.5, strides=(2, 3, 4)))
    assert settings_on_screen(app) == tuple(LayerSettings(0.5, stride, "adastride") for stride in (2.0, 3.0, 4.0))


def test_sessions_do_not_see_each_others_networks():
    """A file belongs to the session that loaded it; another one can't name it."""
    one = load_own(open_page(), trained("cif", "cif", "cif"), "secret.safetensors")
    own = one.session_state["own_checkpoint"]["good"]
    for name in ("secret", "secret.safetensors", own.id, own.sha256, "own"):
        other = open_page(checkpoint=name)
        assert other.session_state["explore_viewer_state"]["trace"].checkpoint == "digits-adastride"
        assert len(other.toast) == 1
        other.selectbox(key="explore_task").select("own").run()
        assert other.session_state["explore_viewer_state"]["trace"].checkpoint == "digits-adastride"


def broken(value: float = 60_000.0) -> bytes:
    """A whole checkpoint whose weights are so large that its results are not numbers."""
    tensors = load(trained("cif", "cif", "cif"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.safetensors"
        path.write_bytes(trained("cif", "cif", "cif"))
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
    return save({name: torch.full_like(t, value) if t.is_floating_point() else t for name, t in tensors.items()}, metadata)


WRONG = {
    "nothing": b"", "text": b"hello" * 100, "cut": trained("cif", "cif", "cif")[:-9], "no settings": save({"a": torch.zeros(3)}),
    "many classes": trained("cif", "cif", "cif", labels=tuple(map(str, range(1000)))), "infinite": broken(),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_checkpoint_gets_a_sentence(kind: str):
    """It names the file and says what to do; the last network stays."""
    app = load_own(open_page(), WRONG[kind], "wrong [file].safetensors")
    assert len(app.error) == 1
    text = app.error[0].value.replace("\\", "")  # Markdown's escapes
    assert "wrong [file].safetensors" in text
    assert text.endswith(".")
    assert app.session_state["explore_viewer_state"]["trace"].checkpoint == "digits-adastride"


def test_results_that_are_not_numbers_are_explained(monkeypatch: pytest.MonkeyPatch):
    """A network may fail on one clip alone: a sentence, and no picture of it."""
    run = resources.sample_trace
    broken = Prediction("yes", values={"yes": float("nan"), "no": float("nan")})
    monkeypatch.setattr(resources, "sample_trace", lambda *of: replace(run(*of), prediction=broken))
    app = open_page()
    assert not app.exception
    assert "are not numbers" in app.error[0].value


def test_a_link_to_an_own_network_names_the_file():
    """A colleague learns which file to ask for, and sees the clip at the linked settings."""
    app = open_page(checkpoint="upload:mine.safetensors", clip="birds", sigma="2")
    assert "checkpoint" in app.toast[0].value
    assert "mine.safetensors" in app.toast[0].value
    assert settings_on_screen(app)[0].sigma == 2.0


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch):
    """A catalogue as long as it will be: four tasks with eight networks, and digits at four values of sigma."""
    path = catalogue()["digits-adastride"].path
    methods = ["strided-conv", "spectral-pool", "diffstride", "dct-diffstride", "adastride", "adastride-f", "adastride-s"]
    known = {}
    for task in ("commands", "digits", "emotion", "scenes"):
        for method in methods:
            sigma = 5 if "adastride" in method else None
            known[f"{task}-{method}"] = CatalogueEntry(f"{task}-{method}", path, "A title", "What it does.", task, method, sigma, {"accuracy": 0.912}, 1234)
    for sigma in (0.1, 1, 10):
        known[f"digits-{sigma}"] = CatalogueEntry(f"digits-{sigma}", path, "A title", "What it does.", "digits", "adastride", sigma, {"accuracy": 0.8}, 180)
    for module in (checkpoints, checkpoint_picker):
        monkeypatch.setattr(module, "catalogue", lambda: known)
    return known


def test_the_picker_goes_by_task_method_and_sigma(many: dict[str, CatalogueEntry]):
    """Four tasks and one's own file; of a task, its networks with sigma and accuracy; the default is not the first."""
    app = open_page()
    assert app.selectbox(key="explore_task").options == ["Spoken commands", "Spoken digits", "Emotion in speech", "Environmental sounds", "Your own file"]
    assert app.selectbox(key="explore_checkpoint").value == "digits-adastride"
    options = app.selectbox(key="explore_checkpoint").options
    assert len(options) == 10
    assert "AdaStride · σ⁻² = 0.1 · 80.0 %" in options
    assert "Strided convolution · 91.2 %" in options  # all of one width: it isn't said
    assert "AdaStride-S · σ⁻² = 5 · 91.2 %" in options
    assert any("91.2 % of 1,234 test clips" in caption.value for caption in app.caption)
    app.selectbox(key="explore_task").select("scenes").run()
    options = app.selectbox(key="explore_checkpoint").options
    assert any(option.startswith("AdaStride · ") for option in options)
    assert not any("σ⁻²" in option for option in options)  # of one σ each: it isn't said either


def test_another_task_keeps_method_and_clip(many: dict[str, CatalogueEntry]):
    """Somebody who looks at DiffStride goes on looking at DiffStride, on the same sound."""
    app = open_page(clip="birds")
    app.selectbox(key="explore_checkpoint").select("digits-diffstride").run()
    app.selectbox(key="explore_task").select("scenes").run()
    assert not app.exception
    assert app.selectbox(key="explore_checkpoint").value == "scenes-diffstride"
    assert app.session_state["source_last"].sample == "birds"


def test_a_link_chooses_the_task_too(many: dict[str, CatalogueEntry]):
    """A link names the checkpoint alone."""
    app = open_page(checkpoint="digits-adastride")
    assert (app.selectbox(key="explore_task").value, app.selectbox(key="explore_checkpoint").value) == ("digits", "digits-adastride")


# ------------------------------------------------------------------ links


def parse(**query: str) -> permalink.Link:
    return permalink.parse(query, {"seven": 0, "birds": 0}, {"digits": 0}, lambda name: 3)


def test_no_link_is_no_wish():
    """The plain address asks for nothing and complains about nothing."""
    assert parse() == permalink.Link(None, None, (NOTHING,) * 3, ())


def test_one_value_is_for_all_layers():
    """A short link: sigma=2 stands for 2,2,2."""
    assert parse(sigma="2").settings == parse(sigma="2,2,2").settings == (LayerSettings(sigma=2.0),) * 3


def test_an_empty_place_is_as_trained():
    """sigma=1,,3 leaves the second layer alone."""
    assert [each.sigma for each in parse(sigma="1,,3").settings] == [1.0, None, 3.0]


@pytest.mark.parametrize(("name", "lowest", "highest"), [("sigma", 0.01, 100.0), ("stride", 1.0, 8.0)])
def test_limits_belong_to_the_range(name: str, lowest: float, highest: float):
    """The slider's ends are good values, and nothing beyond them is."""
    link = parse(**{name: f"{lowest},{highest},{lowest}"})
    assert [getattr(each, name) for each in link.settings] == [lowest, highest, lowest]
    assert not link.problems
    for value in (lowest * 0.99, highest * 1.01, -lowest, float("inf"), float("nan")):
        assert len(parse(**{name: str(value)}).problems) == 1


@pytest.mark.parametrize("text", ["", "abc", "1,2", "1,2,3,4", "0x10", "1;2;3", "1 2 3", "--", "1,abc,2"])
def test_a_malformed_list_is_one_problem(text: str):
    """One sentence that quotes what the link said, and the trained value for every layer."""
    link = parse(sigma=text)
    assert link.settings == (NOTHING,) * 3
    assert len(link.problems) == 1
    assert "sigma" in link.problems[0]


def test_an_uploads_link_names_the_file():
    """The colleague learns which file to ask for."""
    link = parse(clip="upload:my song.wav")
    assert link.clip is None
    assert "my song.wav" in link.problems[0]
    assert "upload" in link.problems[0]


@given(st.dictionaries(st.sampled_from(["clip", "checkpoint", "sigma", "stride", "variant", "other"]), st.text(max_size=300)))
def test_no_link_breaks_the_page(query: dict[str, str]):
    """Whatever stands in the address bar: usable settings, short sentences, nothing that Markdown or HTML would act on."""
    link = parse(**query)
    assert link.clip in (None, "seven", "birds")
    assert link.checkpoint in (None, "digits")
    for each in link.settings:
        assert each.sigma is None or 0.01 <= each.sigma <= 100
        assert each.stride is None or 1 <= each.stride <= 8
    assert len(link.problems) <= 5
    for problem in link.problems:
        assert len(problem) < 260
        assert problem.endswith(".")
        assert not set("<>[]*$|\\\n\r") & set(re.sub(r"\\[^\w\s]", "", problem))  # but for what is escaped


# ------------------------------------------------------------------ to the browser


def unpack(data: bytes) -> tuple[dict, dict[str, np.ndarray]]:
    """What frontend/explore/viewer.js does."""
    (size,) = struct.unpack_from("<I", data)
    header = json.loads(data[4 : 4 + size])
    types = {"f4": "<f4", "i2": "<i2", "u1": "u1"}
    described = header.pop("arrays").items()
    return header, {name: np.frombuffer(data, types[each["type"]], each["count"], 4 + size + each["offset"]) for name, each in described}


def test_pack_can_be_unpacked():
    """Header and arrays arrive as they were, at addresses a Float32Array can be laid on."""
    arrays = {
        "odd": np.arange(7, dtype="u1"), "sound": np.array([-32768, 0, 32767], "<i2"), "empty": np.zeros(0, "<f4"),
        "u": np.linspace(0, 1, 313, dtype="<f4"), "mel": np.arange(12, dtype="u1").reshape(3, 4).T,
    }
    data = pack({"title": "σ „quoted“ \"x\" 🎵", "n": 1}, arrays)
    header, found = unpack(data)
    assert header == {"title": "σ „quoted“ \"x\" 🎵", "n": 1, "frontend": frontend_version()}
    for name, array in arrays.items():
        assert np.array_equal(found[name], array.ravel()), name
    (size,) = struct.unpack_from("<I", data)
    described = json.loads(data[4 : 4 + size])["arrays"]
    assert size % 4 == 0
    assert all(each["offset"] % 4 == 0 for each in described.values())


def test_pack_refuses_what_json_can_not_say():
    """A NaN would arrive as a word that JSON.parse throws on: better a clear error here."""
    with pytest.raises(ValueError, match="JSON"):
        pack({"loss": float("nan")}, {})


# ------------------------------------------------------------------ from the browser


def good() -> dict:
    """A request as frontend/explore/viewer.js sends it."""
    layer = {"sigma": 1.0, "stride": 2.0, "variant": "adastride"}
    settings = [dict(layer) for _ in range(3)]
    return {"sequence": 3, "revision": "digits", "have": "abc", "settings": settings, "view": [0.5, 1.25], "pixels": [900, 112]}


def test_a_good_request_is_read():
    """What the viewer sends is understood."""
    request = _request(good(), TRAINED)
    assert request == {
        **good(), "settings": (LayerSettings(1.0, 2.0, "adastride"),) * 3, "view": (0.5, 1.25), "pixels": (900, 112), "said": None, "beams": 0,
        "hear": set(), "book": "", "edit": None, "attend": False, "hearing": EVERYTHING,
    }


def test_what_is_to_be_heard_is_read():
    """Nothing that a slider could not have sent."""
    request = _request({**good(), "hearing": {"seconds": 2.5, "resolution": 1.4}, "attend": True}, TRAINED)
    assert (request["hearing"], request["attend"]) == (Hearing(2.5, 1.4), True)
    assert _request({**good(), "hearing": {"seconds": None, "resolution": 4}}, TRAINED)["hearing"] == Hearing(None, 4.0)
    wrong = [(0, 1), (-1, 1), ("x", 1), (float("nan"), 1), ([], 1), (1, 0.5), (1, 9), (1, float("nan")), (1, None)]
    for seconds, resolution in wrong:
        assert _request({**good(), "hearing": {"seconds": seconds, "resolution": resolution}}, TRAINED) is None, (seconds, resolution)
    assert _request({**good(), "hearing": 3}, TRAINED) is None


def test_what_was_said_and_beams_stay_within_bounds():
    """Of a text more is not taken than is compared, and no more beams than are offered; what is no number of beams is no request."""
    request = _request({**good(), "said": "one " * 10_000, "beams": 10**6}, TRAINED)
    assert (len(request["said"]), request["beams"]) == (12_000, 50)
    assert _request({**good(), "beams": -3}, TRAINED)["beams"] == 0
    assert _request({**good(), "beams": "many"}, TRAINED) is None
    assert len(_request({**good(), "hear": [*range(100)]}, TRAINED)["hear"]) == 8
    assert _request({**good(), "hear": 5}, TRAINED) is None
    assert _request({**good(), "said": {"a": 1}}, TRAINED)["said"] == "{'a': 1}"


def test_slider_ends_are_good_requests():
    """Rounding in the browser must not make the very ends of σ unusable."""
    for sigma in (0.01, 0.0099999, 100.0, 100.0001):
        value = good()
        value["settings"][0]["sigma"] = sigma
        assert _request(value, TRAINED) is not None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sigma", 0), ("sigma", -1), ("sigma", 1e9), ("sigma", 1e-9), ("sigma", float("nan")), ("sigma", float("inf")),
        ("sigma", "x"), ("sigma", [1]), ("sigma", {}),
        ("stride", 0), ("stride", 0.5), ("stride", 8.5), ("stride", 1e300), ("stride", float("nan")), ("stride", "x"), ("stride", [2]),
        ("variant", "xyz"), ("variant", 1), ("variant", []), ("variant", {"a": 1}), ("variant", "__class__"),
    ],
)
def test_a_hostile_setting_is_refused(name: str, value: object):
    """Anybody can send anything over a web socket; the network only runs on what the sliders can say."""
    request = good()
    request["settings"][1][name] = value
    assert _request(request, TRAINED) is None


@pytest.mark.parametrize(
    "value",
    [
        None, 0, 1.5, True, "", "settings", b"x", [], [1], {},
        *({**good(), "settings": each} for each in (None, [], [None] * 3, "abc", {}, 3)),
    ],
)
def test_what_is_no_request_is_none(value: object):
    """Malformed values count as no request, never as an error."""
    assert _request(value, TRAINED) is None


@pytest.mark.parametrize(
    "view", [[], [1], [1, 1], [2, 1], [-1, 1], [0, float("inf")], [float("nan"), 1], [0, float("nan")], ["a", 1], 3, "all", {}, [None, None]],
)
def test_a_hostile_window_is_refused(view: object):
    """A window ends after it begins, and both are numbers."""
    assert _request({**good(), "view": view}, TRAINED) is None


def test_a_screen_is_bounded():
    """No browser makes the server draw more than a large screen has."""
    assert _request({**good(), "pixels": [10**9, 10**9], "view": None}, TRAINED)["pixels"] == (2048, 256)
    assert _request({**good(), "pixels": [-5, 0]}, TRAINED)["pixels"] == (16, 16)
    for pixels in (None, [], [1], ["a", 2], [float("nan"), 2], [float("inf"), 2], {}):
        assert _request({**good(), "pixels": pixels}, TRAINED) is None


def test_what_was_learned_is_a_good_request():
    """DiffStride may have learned a stride that no slider reaches; the reset button must still work."""
    learned = (LayerSettings(stride=9.5), *TRAINED[1:])
    value = good()
    value["settings"][0] = {"sigma": None, "stride": 9.5, "variant": None}
    assert _request(value, learned) is not None
    value["settings"][0]["stride"] = 9.6
    assert _request(value, learned) is None


@pytest.mark.parametrize("missing", ["sequence", "revision", "have", "settings", "view", "pixels"])
def test_an_incomplete_request_is_refused(missing: str):
    """Every part is needed."""
    request = good()
    del request[missing]
    assert _request(request, TRAINED) is None


@pytest.mark.parametrize("sequence", ["x", None, float("inf"), float("nan"), [], {}, "9" * 5000])
def test_a_hostile_sequence_is_refused(sequence: object):
    """The sequence number goes back in the answer, so it must be one."""
    assert _request({**good(), "sequence": sequence}, TRAINED) is None


def test_the_number_of_layers_must_fit():
    """Settings for two or four layers are not for this network."""
    for layers in (0, 1, 2, 4, 1000):
        assert _request({**good(), "settings": good()["settings"][:1] * layers}, TRAINED) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
LAYER = st.fixed_dictionaries({"sigma": JSON, "stride": JSON, "variant": JSON | st.just("adastride")})


LAYERS = st.lists(LAYER, min_size=3, max_size=3)


@given(st.fixed_dictionaries({
    "sequence": JSON, "revision": JSON, "have": JSON, "settings": JSON | LAYERS,
    "view": JSON | st.lists(st.floats(), min_size=2, max_size=2), "pixels": JSON | st.just([900, 112]),
}))
def test_no_browser_value_breaks_the_server(value: dict):
    """Whatever arrives: none, or settings that the network can run on and that JSON can carry back."""
    request = _request(value, TRAINED)
    if request is not None:
        assert all(each.sigma is None or 0.009 < each.sigma < 102 for each in request["settings"])
        assert all(each.stride is None or 1 <= each.stride <= 8 for each in request["settings"])
        json.dumps(request["sequence"], allow_nan=False)


@pytest.mark.parametrize(("kind", "sentence"), [("upload", "choose your file again"), ("record", "record it again")])
def test_a_sound_that_a_restart_has_lost_is_asked_for(kind: str, sentence: str):
    """The browser tells a new session what was chosen; the sound itself went with the old one."""
    app = app_pages.unopened("pages/explore.py")
    app.session_state["source_kind"] = kind
    app.run()
    assert not app.exception
    assert sentence in app.info[0].value
    assert app.session_state["explore_viewer_state"]["trace"] is not None
    app.segmented_control(key="source_kind").set_value("sample").run()
    app.segmented_control(key="source_kind").set_value(kind).run()
    assert not app.info
