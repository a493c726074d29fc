"""Compare with trained networks, without a browser: which are chosen, what is said when something is wrong, and the links."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from app_pages import opened, said, set_
from made_up_codecs import codec
from streamlit.testing.v1 import AppTest

from adastride import checkpoints
from adastride.checkpoints import catalogue
from adastride.samples import samples
from adastride.ui.compare.link import parse
from adastride.ui.compare.networks import _request

PAGE = "pages/compare.py"
TWO = ("digits-strided-conv", "digits-adastride")
Files = list[tuple[str, bytes, str]]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[str, bytes, str]]:
    """A codec as an uploaded file."""
    folder = tmp_path_factory.mktemp("own")

    def write(method: str) -> tuple[str, bytes, str]:
        checkpoints.save_checkpoint(codec(method), folder / f"{method}.safetensors", {})
        return f"{method}.safetensors", (folder / f"{method}.safetensors").read_bytes(), "application/octet-stream"

    return write


def answers(app: AppTest) -> list:
    return list(app.session_state["compare_networks_state"]["answers"])


def with_files(files: Files, **query: str) -> AppTest:
    app = opened(PAGE, networks="", **query)
    return set_(app.file_uploader(key="compare_networks_files"), files)


def test_methods_come_first_and_networks_are_one_choice_away():
    app = opened(PAGE)
    assert app.segmented_control(key="compare_what").value == "methods"
    set_(app.segmented_control(key="compare_what"), "networks")
    assert not app.error
    assert tuple(app.multiselect(key="compare_networks_chosen").value) == TWO
    assert [answer.name for answer in answers(app)] == ["Strided convolution", "AdaStride, σ⁻² = 5"]


def test_own_files_take_the_place_of_what_is_of_another_kind(written: Callable):
    app = with_files([written("strided-conv"), written("adastride"), written("spectral-pool")])
    assert not app.error
    assert [answer.name for answer in answers(app)] == ["strided-conv", "adastride", "spectral-pool"]
    chosen = app.multiselect(key="compare_networks_chosen")
    set_(chosen, [*chosen.value[:2], TWO[0]])
    assert [answer.name for answer in answers(app)] == ["strided-conv", "adastride", "Spoken digits · Strided convolution"], "kinds may be mixed"


def test_too_few_networks_get_a_sentence(written: Callable):
    app = with_files([written("adastride")])
    assert [info.value for info in app.info] == ["Choose at least two networks: a comparison needs something to compare with."]


def test_a_file_that_is_none_gets_a_sentence_and_the_others_stay(written: Callable):
    app = with_files([written("adastride"), ("a.safetensors", b"nothing", "application/octet-stream"), written("strided-conv")])
    assert ["a.safetensors can't be read" in error.value for error in app.error] == [True]
    assert len(answers(app)) == 2


def test_results_that_are_not_numbers_get_a_sentence(written: Callable, monkeypatch: pytest.MonkeyPatch):
    app = with_files([written("adastride"), written("strided-conv")])
    monkeypatch.setattr("adastride.ui.compare.networks.require_numbers", _refuse)
    app.run()
    assert ["are not numbers: choose another network." in error.value for error in app.error] == [True]
    assert "Take it away" not in said(app)


def _refuse(prediction: object) -> None:
    raise FloatingPointError


def test_links():
    link = parse({"networks": f"{TWO[0]},nothing,upload:mine,{TWO[1]}", "upper": "3.5", "clip": "seven"}, samples(), catalogue(), lambda _: 3)
    assert (link.networks, link.upper, link.clip) == (TWO, 3.5, "seven")
    assert len(link.problems) == 2
    assert "upload it" in link.problems[1]
    assert parse({}, samples(), catalogue(), lambda _: 3).networks is None
    app = opened(PAGE, networks=",".join(TWO[::-1]), upper="3")
    assert [answer.trace.layers[-1].settings.stride for answer in answers(app)] == [3.0, 3.0]
    assert tuple(app.multiselect(key="compare_networks_chosen").value) == TWO[::-1]


def test_a_link_brings_the_time_in_view():
    """Of its own clip and its own comparison; one that can't be used gets a sentence."""
    query = {"networks": ",".join(TWO), "clip": "seven", "view": "1.5,2.25"}
    app = opened(PAGE, **query)
    assert not app.toast
    assert app.session_state["compare_networks_state"]["view"] == (1.5, 2.25)
    set_(app.segmented_control(key="compare_what"), "methods")
    assert app.session_state["compare_viewer_state"]["view"] != (1.5, 2.25)
    of_methods = opened(PAGE, clip="seven", view="1.5,2.25")
    set_(of_methods.segmented_control(key="compare_what"), "networks")
    assert of_methods.session_state["compare_networks_state"]["view"] is None
    assert opened(PAGE, **query | {"clip": "nothing"}).session_state["compare_networks_state"]["view"] is None
    wrong = opened(PAGE, **query | {"view": "2,1"})
    assert [toast.value.endswith("all of the clip is shown.") for toast in wrong.toast] == [True]


def test_figures_are_offered():
    app = opened(PAGE, networks=",".join(TWO))
    assert [button.proto.label for button in app.get("download_button")] == ["PNG figure", "SVG figure", "CSV numbers"]


@pytest.mark.parametrize("change", [
    {"stride": "nan"}, {"stride": 99}, {"view": [3, 1]}, {"view": [0]}, {"hear": 3}, {"pixels": None}, {"sequence": "x"},
])
def test_requests_that_ours_never_sends_count_as_none(change: dict):
    good = {"sequence": 1, "revision": "link", "have": "", "stride": None, "view": [0, 1], "pixels": 900, "hear": ["a"]}
    assert _request(good) is not None
    assert _request(good | change) is None
    assert _request([]) is None


def test_another_subject_brings_its_own_networks():
    """Of those of the last one none stays."""
    app = opened(PAGE, networks="")
    others = [task for task in app.selectbox(key="compare_networks_task").options if task != "Spoken digits"]
    assert others
    task = next(entry.task for entry in catalogue().values() if entry.task != "digits")
    set_(app.selectbox(key="compare_networks_task"), task)
    assert not app.error
    assert {catalogue()[name].task for name in app.multiselect(key="compare_networks_chosen").value} == {task}
