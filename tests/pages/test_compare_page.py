"""The Compare page without a browser: what it says when something is wrong, and its links."""

from __future__ import annotations

import functools

import app_pages
import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest
from written_links import written_curve

from adastride.checkpoints import catalogue, save_checkpoint
from adastride.comparison.core import compare
from adastride.comparison.features import mel_features
from adastride.comparison.settings import DRAWN_POINTS, ComparisonSettings, Pin
from adastride.downsampling import METHODS
from adastride.models.classifier import Classifier, ClassifierConfig
from adastride.samples import samples
from adastride.ui import resources
from adastride.ui.compare import viewer as compare_viewer
from adastride.ui.compare.link import DEFAULT, decode_drawn, parse
from adastride.ui.source import Clip
from adastride.ui.text import plain

PAGE = "pages/compare.py"
opened = functools.partial(app_pages.opened, PAGE)


@pytest.fixture(scope="module")
def app() -> AppTest:
    return opened()


def test_the_page_opens(app: AppTest):
    """Four methods, their cards, and no word of an error."""
    assert not app.exception
    assert not app.error
    assert app.multiselect(key="compare_methods").value == list(DEFAULT.methods)
    cards = " ".join(each.value for each in app.markdown)
    for key in DEFAULT.methods:
        assert METHODS[key].label in cards
        assert METHODS[key].idea in cards
    assert len(app.latex) == 4


def test_long_formulas_are_broken_between_their_parts():
    """A card is narrow: no line of a formula holds two equations."""
    app = opened(methods="diffstride,cif,a-tome,adastride")
    assert all(r"\\" in each.value and r"\quad" not in each.value for each in app.latex)


def test_a_network_of_ones_own_lends_its_scores_and_features(tmp_path):
    """It is chosen as on Explore, its features have its own width, and the link names the file."""
    torch.manual_seed(0)
    model = Classifier(ClassifierConfig(labels=("no", "yes"), methods=("adastride",) * 3, width=16)).eval()
    torch.nn.init.normal_(model.downsamplers[1].score.weight)
    save_checkpoint(model, tmp_path / "mine.safetensors", {})
    app = opened(source="layer 2", methods="avg-pool,adastride")
    app.selectbox(key="compare_task").select("own").run()
    app.file_uploader(key="compare_own").set_value(("mine.safetensors", (tmp_path / "mine.safetensors").read_bytes(), "application/octet-stream")).run()
    assert not app.exception
    assert not app.error
    features = app.session_state["compare_viewer_state"]["comparison"].features
    assert features.values.shape[1] == 16
    assert np.ptp(features.learned) > 0.1
    app.selectbox(key="compare_task").select("digits").run()
    assert app.session_state["compare_viewer_state"]["comparison"].features.values.shape[1] > 16


@pytest.mark.parametrize(
    ("methods", "said"), [(["avg-pool"], "at least two"), ([], "at least two"), (list(METHODS)[:5], "at most four methods, not 5")]
)
def test_too_few_or_too_many_methods(methods: list[str], said: str):
    app = opened()
    app.multiselect(key="compare_methods").set_value(methods).run()
    assert not app.exception
    assert [said in each.value for each in app.info] == [True]
    app.multiselect(key="compare_methods").set_value(["avg-pool", "cif"]).run()
    assert not app.info
    assert not app.exception


@pytest.mark.parametrize("source", ["layer 1", "layer 3"])
@pytest.mark.parametrize("scores", ["checkpoint", "flux", "drawn"])
def test_sources_and_scores(source: str, scores: str):
    app = opened(source=source, scores=scores, methods="adastride,cif,lpf-adastride,a-tome")
    assert not app.exception
    assert not app.error
    assert app.selectbox(key="compare_source").value == source


def test_a_link_chooses(app: AppTest):
    app = opened(clip="birds", methods="max-pool,spectral-pool", scores="energy", axes="2")
    assert app.multiselect(key="compare_methods").value == ["max-pool", "spectral-pool"]
    assert app.selectbox(key="source_sample").value == "birds"
    assert app.toggle(key="compare_both_axes").value
    assert not app.toast


@pytest.mark.parametrize("source", ["mel", "layer 2"])
def test_a_pin_may_have_other_scores_than_the_rest(source: str):
    """A column pinned with the checkpoint's score stays when the others go by energy, also from a link."""
    app = opened(source=source, scores="energy", pin="adastride~4~0.447~checkpoint")
    assert not app.error
    assert not app.exception
    app = opened(source=source, pin="adastride~4~0.447~checkpoint")
    app.selectbox(key="compare_scores").set_value("flux").run()
    assert not app.error
    assert not app.exception


@pytest.mark.parametrize("stride", ["0.3", "nan", "inf", "-inf", "1e999", "four"])
def test_a_stride_that_cannot_be_gets_one_sentence(stride: str):
    app = opened(stride=stride)
    assert not app.exception
    assert not app.error
    assert [each.value for each in app.toast] == [f"This link has stride = “{stride}”, not a number from 1 to 8: 4 is used."]


def test_without_scores_there_is_a_sentence_and_nothing_to_export(monkeypatch: pytest.MonkeyPatch):
    """A checkpoint that does not adapt has none; the page says what to do, and does not offer a figure of nothing."""
    monkeypatch.setattr(resources, "features", lambda checkpoint, clip, source, learned: mel_features(clip))
    app = opened()
    assert not app.exception
    assert ["no learned scores" in each.value for each in app.error] == [True]
    assert not [each for each in app.markdown if "Take it away" in each.value]


def test_a_method_that_fails_gets_a_sentence(monkeypatch: pytest.MonkeyPatch):
    """It names the clip as it is called, whatever its name would mean in Markdown."""

    def fail(*args):
        raise RuntimeError("out of luck")

    monkeypatch.setattr(compare_viewer, "_compare", fail)
    waveform = resources.sample_waveform("seven")
    app = app_pages.unopened(PAGE)
    app.session_state["source_kind"] = "upload"
    app.session_state["source_last"] = Clip("one", "[a](http://b).wav", waveform, "upload:a.wav")
    app.run()
    assert not app.exception
    (error,) = app.error
    assert error.value.startswith(f"A method could not run on {plain('[a](http://b).wav')}: choose a shorter clip")


# ------------------------------------------------------------------ requests and devices


GOOD = {
    "stride": 2.5,
    "sigma": 1.0,
    "drawn": [0.0] * DRAWN_POINTS,
    "pins": {},
    "view": [0, 1],
    "sequence": 1,
    "revision": "link",
    "have": "",
    "settled": False,
}
WRONG = [
    {"stride": 0.3},
    {"stride": float("nan")},
    {"sigma": 0},
    {"view": [2, 1]},
    {"view": [0, float("inf")]},
    {"drawn": [1.0]},
    {"pins": {"adastride": {"stride": 0.3, "sigma": 1, "scores": "energy", "drawn": []}}},
]


@pytest.mark.parametrize("wrong", WRONG)
def test_only_requests_that_can_be_run_count(wrong: dict):
    assert compare_viewer._request(GOOD)["live"]["stride"] == 2.5
    assert compare_viewer._request({**GOOD, **wrong}) is None


def test_a_gpu_without_memory_hands_over_to_the_cpu(monkeypatch: pytest.MonkeyPatch):
    """The result is there, and the same features do not try the GPU again."""
    features, tried = mel_features(resources.sample_waveform("seven")), []

    def full(*args, device: torch.device = compare_viewer.CPU):
        tried.append(device.type)
        if device.type == "cuda":
            raise torch.OutOfMemoryError("CUDA out of memory")
        return compare(*args, device=device)

    monkeypatch.setattr(compare_viewer, "compare", full)
    monkeypatch.setattr(compare_viewer, "best_device", lambda: torch.device("cuda"))
    state, settings = {}, ComparisonSettings(("avg-pool", "max-pool"))
    for _ in range(2):
        result = compare_viewer._compare(state, features, settings, (0.0, 5.0), False)
    assert result.device_name == "CPU"
    assert tried == ["cuda", "cpu", "cpu"]


# ------------------------------------------------------------------ links alone


def read(**query: str):
    return parse(query, samples(), catalogue(), lambda name: 3)


def test_no_link_is_the_default():
    link = read()
    assert link.settings == DEFAULT
    assert link.problems == ()


def test_a_full_link():
    curve = tuple(decode_drawn(written_curve(tuple(-3 + 6 * n / (DRAWN_POINTS - 1) for n in range(DRAWN_POINTS)))))
    link = read(
        clip="seven",
        methods="cif,adastride",
        stride="2.5",
        sigma="0.1",
        source="layer 2",
        scores="drawn",
        drawn=written_curve(curve),
        axes="2",
        pin=f"adastride~4~0.5~drawn~{written_curve(curve)}",
        view="1.5,2.5",
    )
    assert link.problems == ()
    assert link.settings.drawn == curve
    assert link.settings.pins == (None, Pin(4, 0.5, "drawn", curve))
    assert (link.settings.stride, link.settings.sigma, link.settings.source, link.view) == (2.5, 0.1, "layer 2", (1.5, 2.5))


def test_zero_can_be_drawn():
    assert decode_drawn(written_curve((0.0,) * DRAWN_POINTS)) == (0.0,) * DRAWN_POINTS


BAD = {
    "methods": ["avg-pool", "", "avg-pool,nope", ",".join(list(METHODS)[:5]), "avg-pool,avg-pool"],
    "stride": ["0", "9", "nan", "x", ""],
    "sigma": ["0", "1e999", "-1"],
    "source": ["layer 4", "[x](http://y)"],
    "scores": ["loud"],
    "axes": ["3"],
    "drawn": ["abc", "é" * DRAWN_POINTS, "_" * DRAWN_POINTS],
    "pin": ["adastride", "nope~1~1~energy", "adastride~9~1~energy", "adastride~nan~1~energy", "adastride~4~0.4~drawn~abc"],
    "view": ["1", "2,1", "nan,nan", "-1,3", "0,inf"],
    "clip": ["nope", "upload:my file.wav"],
    "checkpoint": ["nope", "upload:my file.wav"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_a_bad_link_gets_one_sentence(name: str, value: str):
    """It names the parameter or the file, ends in a full stop, fits a toast, and everything else is the default."""
    link = read(**{name: value})
    assert len(link.problems) == 1
    assert f"has {name} = " in link.problems[0] or "file “my file.wav”" in link.problems[0]
    assert len(link.problems[0]) <= 100
    assert link.problems[0].endswith(".")
    assert link.settings == DEFAULT
    assert "[" not in link.problems[0]
