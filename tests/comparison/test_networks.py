"""Networks side by side: shared scales, whose sound is whose, and a table that says what each task says."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from made_up_codecs import codec, speech
from made_up_transformers import audio_transformer

from adastride.audio import from_samples
from adastride.comparison.networks import Answer, facts, numbers_of, on_shared_scales, settings_with, short_names, sounds_of, to_csv
from adastride.inspection.tracing import trace
from adastride.tasks.classification import percent
from adastride.tasks.prediction import Audible, Bar, CurveLane, PictureLane, Prediction, words


def picture(low: float, high: float, unit: str = "dB") -> PictureLane:
    return PictureLane("A picture", np.zeros((2, 3)), np.arange(4.0), low, high, unit)


def audible(title: str, key: str) -> Audible:
    return Audible(title, key, lambda: from_samples(np.zeros(10), 8000))


@pytest.fixture(scope="module")
def answers() -> list[Answer]:
    """Of three codecs, all at one stride."""
    networks = {method: codec(method) for method in ("strided-conv", "spectral-pool", "adastride")}
    return [Answer(method, trace(each, speech(1.0), settings_with(each, 3.0))) for method, each in networks.items()]


def test_all_follow_one_stride_of_the_uppermost_layer(answers: list[Answer]):
    """What lies below stays as trained."""
    for answer in answers:
        assert [layer.settings.stride for layer in answer.trace.layers] == [2.0, 2.0, 3.0]
    rates = [answer.prediction.values["codes a second"] for answer in answers]
    assert max(rates) - min(rates) <= 1.0
    assert settings_with(codec(), None) == (None, None, None)


def test_one_colour_is_one_value_in_all_pictures_of_a_unit():
    curve = CurveLane("A curve", np.arange(2.0), np.arange(2.0), "dB")
    first, second = on_shared_scales([
        Prediction("a", lanes=(picture(-80, 0), picture(0, 1, "of the row"))), Prediction("b", lanes=(curve, picture(-60, 5))),
    ])
    assert [(lane.low, lane.high) for lane in (*first.lanes, second.lanes[1])] == [(-80, 5), (0, 1), (-80, 5)]
    assert second.lanes[0] is curve


def test_weights_of_something_else_have_a_scale_of_their_own():
    """A class token's attention may be ten times as strong as a pooling's: beside it, nothing would be seen of the other."""
    weights = [replace(picture(0, high, "% a patch"), title=title, sequential=False) for high, title in ((2, "Pooling"), (3, "Pooling"), (18, "Token"))]
    scaled = on_shared_scales([Prediction("a", lanes=(lane,)) for lane in weights])
    assert [each.lanes[0].high for each in scaled] == [3, 3, 18]


def test_a_sound_says_whose_it_is_and_the_same_one_is_there_once(answers: list[Answer]):
    names = [answer.name for answer in answers]
    sounds = sounds_of(names, [answer.prediction for answer in answers])
    assert [sound.title for sound in sounds] == [*names, "Mel only"], "the original mel is the same for all"
    assert len({sound.key for sound in sounds}) == 4
    two, one = Prediction("a", sounds=(audible("High", "1"), audible("Low", "2"))), Prediction("b", sounds=(audible("High", "3"),))
    assert [sound.title for sound in sounds_of(("A", "B"), [two, one])] == ["A: High", "A: Low", "B"]
    assert sounds_of(("A", "B"), [Prediction("a"), Prediction("b")]) == ()


def test_the_table_has_the_tasks_own_numbers(answers: list[Answer]):
    rows = {row.label: row.texts for row in numbers_of([answer.prediction for answer in answers])}
    for place, answer in enumerate(answers):
        for label, value in answer.prediction.values.items():
            if label != "mel error in dB":  # which is a bar, to be read once
                assert float(rows[label][place]) == pytest.approx(value, rel=0.006)
        for bar in answer.prediction.bars:
            assert rows[f"Mel error, {bar.label}"][place] == bar.text
        assert rows["Answer"][place] == f"{answer.prediction.headline}, {answer.prediction.detail}"
    assert "mel error in dB" not in rows
    assert {"codes a second", "bits a second", "distinct codes", "Mel error, loud frames"} <= rows.keys()


def test_networks_of_different_kinds_share_a_table():
    probability = Prediction("seven", "82 %", "Probability", (Bar("seven", 0.82, "82 %"),), values={"seven": 0.82})
    transcript = Prediction("four two", bars_title="Certainty", bars=(Bar("four", 0.5, "50 %"),))
    rows = {row.label: row.texts for row in numbers_of([probability, transcript])}
    assert rows == {"Answer": ("seven, 82 %", "four two"), "seven": ("82.0 %", "none"), "Certainty, four": ("none", "50 %")}


def test_a_class_has_one_row_in_words_and_in_percent():
    """Names with underscores used to stand beside themselves in words, in another unit."""
    sounds = {"baby_cry": 0.00198, "dog": 0.99802}
    classes = Prediction("dog", "99.8 %", "Class probabilities", tuple(Bar(words(label), share, percent(share)) for label, share in sounds.items()),
                         values=sounds)
    speaker = Prediction("lucas", "100.0 %", "Class probabilities", (Bar("lucas", 1.0, "100.0 %"),), values={"lucas": 1.0})
    rows = {row.label: row.texts for row in numbers_of([classes, speaker])}
    assert rows == {
        "Answer": ("dog, 99.8 %", "lucas, 100.0 %"), "baby cry": ("0.2 %", "none"), "dog": ("99.8 %", "none"), "lucas": ("none", "100.0 %"),
    }
    traced = trace(codec(), speech(0.5))
    lines = list(csv.DictReader(io.StringIO(to_csv([Answer("a", replace(traced, prediction=each)) for each in (classes, speaker)]))))
    assert [(line["baby cry (%)"], line["dog (%)"], line["lucas (%)"]) for line in lines] == [("0.198", "99.802", ""), ("", "", "100")]


def test_tokens_are_said_with_and_without_a_layer_in_front():
    facts_of = {name: facts(trace(audio_transformer(name), speech(1.0))) for name in ("elastic", "front")}
    assert facts_of["elastic"] == "no downsampling layer, 56 tokens"
    assert re.fullmatch(r"AdaStride, stride 2, 51 output frames, \d+ tokens", facts_of["front"])


def test_the_file_has_a_line_for_each_network(answers: list[Answer]):
    rows = list(csv.DictReader(io.StringIO(to_csv(answers))))
    assert [row["network"] for row in rows] == ["strided-conv", "spectral-pool", "adastride"]
    for row, answer in zip(rows, answers, strict=True):
        assert float(row["mel error in dB"]) == pytest.approx(answer.prediction.values["mel error in dB"], rel=1e-5)
        top = (row["stride of the uppermost layer"], int(row["output frames of the uppermost layer"]))
        assert top == ("3", answer.trace.layers[-1].output_frames)


def test_the_file_has_the_bars_of_the_table(answers: list[Answer]):
    """Such as the errors of loud and of quiet frames, as numbers; what a network does not have is empty."""
    faint = from_samples(np.pad(speech(1.0).samples, (6000, 3000)), 22_050)
    quiet = [*answers, Answer("faint", trace(codec(), faint))]
    for row, answer in zip(csv.DictReader(io.StringIO(to_csv(quiet))), quiet, strict=True):
        for bar in answer.prediction.bars:
            assert f"{row[f'Mel error, {bar.label} (dB)']} dB" == bar.text
    assert [bar.label for bar in quiet[-1].prediction.bars] == ["all frames", "loud frames", "quiet frames"]
    word = Prediction("seven", bars_title="Certainty", bars=(Bar("seven", 0.5, "50 %"), Bar("odd", 0.5, "much")))
    mixed = [answers[0], Answer("words", replace(answers[1].trace, prediction=word))]
    first, second = csv.DictReader(io.StringIO(to_csv(mixed)))
    assert (first["Certainty, seven (%)"], second["Certainty, seven (%)"], second["Certainty, odd"]) == ("", "50", "much")
    assert second["Mel error, loud frames (dB)"] == ""


def test_names_are_short_and_differ():
    assert short_names(["Read speech · AdaStride", "Read speech · Spectral pooling"]) == ("AdaStride", "Spectral pooling")
    assert short_names(["Read speech · AdaStride", "mine.safetensors"]) == ("Read speech · AdaStride", "mine")
    assert short_names(["a.safetensors"] * 2) == ("a", "a (2)")
