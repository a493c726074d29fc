"""The Compare page without a browser: what it says when something is wrong, and its links."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from adastride.checkpoints import catalogue
from adastride.comparison import DRAWN_POINTS, Pin
from adastride.downsampling import METHODS
from adastride.samples import samples
from adastride.ui.comparison_link import DEFAULT, decode_drawn, encode_drawn, parse

PAGE = str(Path(__file__).resolve().parents[1] / "pages" / "compare.py")


def opened(**query: str) -> AppTest:
    app = AppTest.from_file(PAGE, default_timeout=60)
    for name, value in query.items():
        app.query_params[name] = value
    return app.run()


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


# ------------------------------------------------------------------ links alone


def read(**query: str):
    return parse(query, samples(), catalogue())


def test_no_link_is_the_default():
    link = read()
    assert link.settings == DEFAULT
    assert link.problems == ()


def test_a_full_link():
    curve = tuple(decode_drawn(encode_drawn(tuple(-3 + 6 * n / (DRAWN_POINTS - 1) for n in range(DRAWN_POINTS)))))
    link = read(
        clip="seven",
        methods="cif,adastride",
        stride="2.5",
        sigma="0.1",
        source="layer 2",
        scores="drawn",
        drawn=encode_drawn(curve),
        axes="2",
        pin=f"adastride~4~0.5~drawn~{encode_drawn(curve)}",
        view="1.5,2.5",
    )
    assert link.problems == ()
    assert link.settings.drawn == curve
    assert link.settings.pins == (None, Pin(4, 0.5, "drawn", curve))
    assert (link.settings.stride, link.settings.sigma, link.settings.source, link.view) == (2.5, 0.1, "layer 2", (1.5, 2.5))


def test_zero_can_be_drawn():
    assert decode_drawn(encode_drawn((0.0,) * DRAWN_POINTS)) == (0.0,) * DRAWN_POINTS


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
    "checkpoint": ["nope"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_a_bad_link_gets_one_sentence(name: str, value: str):
    """It names the parameter, ends in a full stop, and everything else is the default."""
    link = read(**{name: value})
    assert len(link.problems) == 1
    assert f"has {name} = " in link.problems[0]
    assert link.problems[0].endswith(".")
    assert link.settings == DEFAULT
    assert "[" not in link.problems[0]
