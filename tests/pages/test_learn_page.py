"""The Learn page without a browser: its steps, its links, and what it does with a browser's requests."""

from __future__ import annotations

import functools

import app_pages
import pytest
from written_links import written_bars

from adastride.lesson import NUMBER, STEPS, Step
from adastride.lesson.training import MOST_STEPS
from adastride.ui.component import pack
from adastride.ui.learn import viewer as learn_viewer
from adastride.ui.learn.link import parse
from adastride.ui.learn.pictures import STEPS_A_RUN, picture

opened = functools.partial(app_pages.opened, "pages/learn.py")


@pytest.mark.parametrize("number", range(1, len(STEPS) + 1))
def test_every_step_opens(number: int):
    """Its title, prose, formula with one term in play, question, and no word of an error."""
    app, step = opened(step=str(number)), STEPS[number - 1]
    assert not app.exception
    assert not app.error
    assert not app.toast
    assert app.subheader[0].value == f"{number} · {step.title}"
    (formula,) = app.latex
    assert "textcolor" in formula.value
    assert step.prose in [each.value for each in app.markdown]
    assert app.caption[0].value == next(iter(step.terms.values())).meaning
    assert step.question in app.expander[0].label
    assert app.expander[0].markdown[0].value == step.answer


def test_forward_back_and_a_choice():
    app = opened()
    assert app.button(key="learn_back").disabled
    app.button(key="learn_next").click().run()
    assert app.subheader[0].value.startswith("2 · ")
    app.button(key="learn_step_11").click().run()
    assert app.subheader[0].value.startswith("11 · ")
    assert app.button(key="learn_next").disabled
    app.button(key="learn_back").click().run()
    assert app.subheader[0].value.startswith("10 · ")
    assert [each.label for each in app.button if each.key.startswith("learn_step_") and each.proto.type == "primary"] == ["10"]


def test_presenting():
    """Larger, and the prose is left to the person who speaks."""
    app = opened(step="4", presenter="1")
    assert app.session_state["presenting"]
    assert app.header[0].value == f"4 · {STEPS[3].title}"
    assert STEPS[3].prose not in [each.value for each in app.markdown]
    app.session_state["presenting"] = False
    app.run()
    assert STEPS[3].prose in [each.value for each in app.markdown]


# ------------------------------------------------------------------ links


def test_a_link_restores_a_step():
    link = parse({"step": "4", "sigma": "1.5", "stage": "exp", "stride": "3"})
    assert (link.step, link.problems) == (4, ())
    assert link.settings == {"stage": "exp", "sigma": 1.5, "stride": 3.0}


def test_bars_travel_in_links():
    bars = tuple(round(-3 + 0.1 * n, 1) for n in range(24))
    link = parse({"step": "3", "bars": written_bars(bars)})
    assert link.settings["bars"] == pytest.approx(bars)
    assert link.problems == ()


@pytest.mark.parametrize("step", ["0", "12", "-1", "four", "", "1.5", "[x](http://y)", "9" * 400, "²"])
def test_a_step_that_is_none_gets_one_sentence(step: str):
    app = opened(step=step)
    assert not app.exception
    assert app.subheader[0].value.startswith("1 · ")
    (toast,) = app.toast
    assert toast.value.endswith("not a number from 1 to 11: the first is shown.")
    assert len(toast.value) <= 100


@pytest.mark.parametrize(
    ("number", "name", "value"),
    [
        (number, control.name, value)
        for number, step in enumerate(STEPS, 1)
        for control in step.controls
        for value in ("nan", "1e999", "-4", "", "[x](http://y)" * 9)
    ],
)
def test_a_setting_that_cannot_be_gets_one_sentence(number: int, name: str, value: str):
    """It names the setting, fits a toast, and the usual one is shown."""
    link = parse({"step": str(number), name: value})
    assert link.step == number
    assert link.settings == STEPS[number - 1].opening_settings
    (problem,) = link.problems
    assert f"has {name} = " in problem
    assert problem.endswith(".")
    assert len(problem) <= 100
    assert "[" not in problem


def test_a_link_of_another_step_says_nothing():
    """What a step has no use for is left out of it without a word."""
    assert parse({"step": "2", "bars": "no", "sigma": "x"}).problems == ()


# ------------------------------------------------------------------ requests

GOOD = {
    "client": "a", "sequence": 1, "step": "softmax", "settings": {"stage": "exp", "sigma": 1.0, "stride": 2.0}, "term": "sigma", "action": "",
}
WRONG = [
    {"step": "nothing"}, {"step": None}, {"sequence": -1}, {"sequence": "x"}, {"sequence": float("inf")}, {"settings": {}},
    {"settings": {"stage": "exp", "sigma": float("nan"), "stride": 2.0}}, {"settings": {"stage": ["exp"], "sigma": 1.0, "stride": 2.0}}, {"settings": 3},
]


@pytest.mark.parametrize("wrong", WRONG)
def test_only_requests_that_can_be_run_count(wrong: dict):
    assert learn_viewer._request(GOOD).settings["sigma"] == 1.0
    assert learn_viewer._request({**GOOD, **wrong}) is None


def test_nothing_is_trained_unless_asked_and_never_past_the_end():
    state, learning = {}, STEPS[NUMBER["learning"] - 1]

    def trained(action: str, stride: float = 8.0) -> int:
        header, arrays = picture(learning, {"stride": stride}, action, state)
        assert header["trained"] == len(arrays["losses"])
        return header["trained"]

    assert trained("") == 0
    assert trained("train") == STEPS_A_RUN
    assert trained("one") == STEPS_A_RUN + 1
    assert trained("") == STEPS_A_RUN + 1
    assert trained("", stride=6.0) == 0, "another stride is another network"
    trained("train")
    assert trained("reset") == 0
    state["training"].advance(10_000)
    assert trained("train") == MOST_STEPS


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.key)
def test_every_step_packs_for_the_browser(step: Step):
    header, arrays = picture(step, step.opening_settings)
    assert pack(header, arrays)
    assert all(array.dtype.itemsize in (1, 4) for array in arrays.values())
