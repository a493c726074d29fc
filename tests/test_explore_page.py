"""The Explore page without a browser: widgets, uploads, links, and what goes to and comes from the viewer."""

from __future__ import annotations

import io
import json
import re
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from adastride.checkpoints import catalogue
from adastride.downsampling import LayerSettings
from adastride.samples import samples
from adastride.ui import permalink
from adastride.ui.viewer import _request, pack

APP = Path(__file__).resolve().parents[1] / "app.py"
NOTHING = LayerSettings()
TRAINED = (LayerSettings(sigma=5**-0.5, stride=2.0, variant="adastride"),) * 3


def open_page(**query: str) -> AppTest:
    """The app as a first visitor's browser runs it."""
    app = AppTest.from_file(str(APP), default_timeout=60)
    for name, value in query.items():
        app.query_params[name] = value
    return app.run()


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
    assert app.selectbox(key="explore_checkpoint").value == next(iter(catalogue()))
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


# ------------------------------------------------------------------ links


def parse(**query: str) -> permalink.Link:
    return permalink.parse(query, {"seven": 0, "birds": 0}, {"digits": 0})


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
    """What viewer.js does."""
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
    assert header == {"title": "σ „quoted“ \"x\" 🎵", "n": 1}
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
    """A request as viewer.js sends it."""
    layer = {"sigma": 1.0, "stride": 2.0, "variant": "adastride"}
    return {"sequence": 3, "revision": "digits", "have": "abc", "settings": [dict(layer) for _ in range(3)]}


def test_a_good_request_is_read():
    """What the viewer sends is understood."""
    request = _request(good(), TRAINED)
    assert request == {**good(), "settings": (LayerSettings(1.0, 2.0, "adastride"),) * 3}


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


@pytest.mark.parametrize("missing", ["sequence", "revision", "have", "settings"])
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


@given(st.fixed_dictionaries({"sequence": JSON, "revision": JSON, "have": JSON, "settings": JSON | LAYERS}))
def test_no_browser_value_breaks_the_server(value: dict):
    """Whatever arrives: none, or settings that the network can run on and that JSON can carry back."""
    request = _request(value, TRAINED)
    if request is not None:
        assert all(each.sigma is None or 0.009 < each.sigma < 102 for each in request["settings"])
        assert all(each.stride is None or 1 <= each.stride <= 8 for each in request["settings"])
        json.dumps(request["sequence"], allow_nan=False)
