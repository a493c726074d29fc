"""Sweeps of recognisers: error rates of many clips with their interval, and what is read in one clip."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import replace

import made_up_recognisers as made_up
import numpy as np
import pytest

from adastride.clips import Clip, DataError
from adastride.inspection import tracing
from adastride.intervals import PairSums, normal, ratio
from adastride.models import Classifier, ClassifierConfig, Recogniser
from adastride.sweep import core as sweep
from adastride.sweep import figures as sweep_figures
from adastride.sweep.answers import clip_answers, map_answers, score_answers, score_map_answers
from adastride.sweep.core import SIGMA, STRIDE, Column, LayerNumbers, Setting, SweepError
from adastride.sweep.readings import Reading, Reference
from adastride.sweep.scores import Score, scores_csv, sweep_clips
from adastride.tasks import Prediction
from adastride.tasks.recognition import Recognition
from adastride.text import Vocabulary, compare

WORDS = Recognition(Vocabulary("words", made_up.DIGITS)).headline


@pytest.fixture(scope="module")
def model() -> Recogniser:
    return made_up.recogniser()


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    return made_up.spoken()


# ------------------------------------------------------------------ the interval of a rate


def sums_of(errors: np.ndarray, units: np.ndarray) -> PairSums:
    return PairSums(errors.sum(), units.sum(), (errors**2).sum(), (units**2).sum(), (errors * units).sum(), len(errors))


@pytest.mark.parametrize(("rate", "clips", "alike"), [(0.05, 300, 3), (0.3, 60, 2), (0.3, 400, 2), (0.9, 60, 6), (0.02, 60, 6)])
def test_the_interval_of_a_rate_holds_the_rate(rate: float, clips: int, alike: float):
    """Clips of different lengths, and errors that come together: some speakers are hardly understood.

    About 95 of 100 intervals hold the rate, and a few fewer where few clips have errors, or few have none. alike: the smaller, the more
    a clip is all right or all wrong.
    """
    draw, held = np.random.default_rng(0), []
    for _ in range(1500):
        units = draw.integers(1, 12, clips)
        chance = draw.beta(alike * rate, alike * (1 - rate), clips)  # of an error, by clip: its mean is the rate
        errors = draw.binomial(units, chance).astype(float)
        low, high = ratio(sums_of(errors, units.astype(float)))
        held.append(low <= rate <= high)
    assert 0.915 <= np.mean(held) <= 0.965


def test_the_interval_of_a_rate_is_that_of_a_ratio_where_errors_are_many():
    """The textbook's formula, and not the interval of as many independent words, which would be too narrow."""
    draw = np.random.default_rng(0)
    units = draw.integers(1, 12, 5000).astype(float)
    errors = np.where(draw.random(5000) < 0.4, units, 0.0)  # a clip is right or all wrong
    rate = errors.sum() / units.sum()
    half = 1.96 * math.sqrt(5000 / 4999 * ((errors - rate * units) ** 2).sum()) / units.sum()
    low, high = ratio(sums_of(errors, units))
    assert (low, high) == pytest.approx((rate - half, rate + half), abs=1e-3)
    assert high - low > 2 * 2 * 1.96 * math.sqrt(rate * (1 - rate) / units.sum())


def test_the_interval_of_a_rate_at_its_ends():
    """None of a hundred words wrong is not certain, more errors than words are possible, and nothing has no rate."""
    low, high = ratio(PairSums(0, 100, 0, 400, 0, 25))
    assert low == 0
    assert 0.03 < high < 0.05
    low, high = ratio(PairSums(100, 100, 400, 400, 400, 25))  # every clip all wrong
    assert low < 1 < high
    low, high = ratio(PairSums(150, 100, 1000, 400, 600, 25))
    assert low < 1.5 < high
    assert all(map(math.isfinite, ratio(PairSums(1, 3, 1, 9, 3, 1))))
    assert all(map(math.isnan, ratio(PairSums(2, 0, 2, 0, 0, 2))))


# ------------------------------------------------------------------ many clips


def test_error_rates_are_sums_over_sums(model: Recogniser, clips: list[Clip]):
    """They are what single runs of the network give, and not the mean of the clips' rates."""
    points = sweep.points((0.5, 5.0), (2.0, 6.0))
    *_, last = sweep_clips([model], clips, points)
    vocabulary = model.config.vocabulary
    for score in last.scores:
        settings = sweep.layer_settings(model, score.setting)
        texts = [tracing.trace(model, clip.samples, settings).prediction.arrays["tokens"].tolist() for clip in clips]
        edits = compare([clip.text.split() for clip in clips], texts)
        errors, units = (np.array([getattr(each, name) for each in edits], float) for name in ("errors", "units"))
        assert score.value == pytest.approx(errors.sum() / units.sum())
        assert score.value != pytest.approx((errors / units).mean(), abs=1e-3)
        assert score.bounds == pytest.approx(ratio(sums_of(errors, units)))
        assert score.basis == f"{units.sum():.0f} words in 40 clips"
    assert vocabulary.unit_name == score.metric.per
    assert score.metric.label == "Word error rate"


def test_plain_metrics_are_what_they_were(clips: list[Clip]):
    metric = replace(WORDS, per=None, unit="dB", scale=1.0)
    score = Score("a", Setting(0.5), 8.0, metric, 30.0, 100.0, 10, 0.25)
    assert score.value == 3.0
    assert score.bounds == normal(3.0, 1.0, 10)


def test_the_csv_of_a_rate():
    score = Score("a", Setting(0.5), 8.0, WORDS, 12, 20, 10, 0.25, 48, 250, 60)
    (row,) = csv.DictReader(io.StringIO(scores_csv([score])))
    low, high = ratio(PairSums(12, 48, 20, 250, 60, 10))
    assert row == {"checkpoint": "a", "sigma_inv2": "0.5", "stride": "8", "clips": "10", "words": "48", "error_rate": "0.25",
                   "low": f"{low:.6g}", "high": f"{high:.6g}", "work": "0.25"}


def test_checkpoints_of_different_metrics_are_not_swept_together(model: Recogniser, clips: list[Clip]):
    """A classifier's accuracy and an error rate, or words and phonemes, would stand on one axis."""
    phonemes = made_up.recogniser("phonemes", "phonemes", ("AH", "N", "W"))
    with pytest.raises(SweepError, match=r"different numbers \(word error rate and phoneme error rate\): sweep them one by one"):
        sweep_clips([model, phonemes], clips, [Setting(5.0)])
    with pytest.raises(SweepError, match="accuracy and word error rate"):
        sweep_clips([Classifier(ClassifierConfig(("a", "b"), width=8)), model], clips, [Setting(5.0)])


def test_clips_without_a_text_that_fits_get_a_sentence(model: Recogniser, clips: list[Clip]):
    with pytest.raises(DataError, match="no clip has a text"):
        sweep_clips([model], [replace(clips[0], text="")], [Setting(5.0)])
    with pytest.raises(DataError, match=r"“ten” is not in this network's vocabulary"):
        sweep_clips([model], [replace(clips[0], text="ten")], [Setting(5.0)])


def test_clips_too_short_for_their_text_are_all_wrong_and_nothing_breaks(model: Recogniser):
    clip = Clip(made_up.sound(0.1).samples, "", "a.wav", text="one one two three four five")
    *_, last = sweep_clips([model], [clip], sweep.points((), (1.0, 64.0)))
    assert all(math.isfinite(value) for score in last.scores for value in (score.value, *score.bounds))


def rates(errors: dict[float, float], units: float = 100) -> list[Score]:
    """Scores of clips of one word each."""
    return [Score("net", Setting(value), 4.0, WORDS, count, count, 100, 0.4, units, units, count) for value, count in errors.items()]


def test_the_lowest_rate_is_the_best():
    (answer,) = score_answers(rates({0.1: 60, 1.0: 6, 5.0: 4, 10.0: 4, 100.0: 55}), SIGMA)
    assert answer.text == (
        "net is best from σ⁻² 5 to 10 with a word error rate of 4.0 % (100 words in 100 clips); it keeps up from 1 to 10, "
        "and is highest with 60.0 % at 0.1."
    )
    assert "of a ratio of sums over clips, by the delta method" in answer.rule
    scores = [replace(score, work=work) for score, work in zip(rates({1.0: 4, 5.0: 6, 10.0: 60}), (1.0, 0.5, 0.4), strict=True)]
    (answer,) = score_map_answers(scores)
    assert answer.text == (
        "net is best at σ⁻² 1 and an overall stride of 4 with a word error rate of 4.0 % (100 words in 100 clips); the cheapest point that keeps up is "
        "σ⁻² 5 and an overall stride of 4 with 6.0 % and 50 % of the work without strides."
    )


def test_texts_without_a_word_have_no_rate():
    """The first clips may all be silence: nothing is drawn, and nothing breaks."""
    scores = rates({0.1: 0, 5.0: 0}, units=0)
    (answer,) = score_answers(scores, SIGMA)
    assert answer.text == "net has no word error rate yet: the texts of these clips have no words."
    assert score_map_answers(scores)[0].text == answer.text
    assert not sweep_figures.quality(scores, SIGMA, {}, False).data


def test_an_axis_of_errors_begins_at_none():
    """It reaches as far as the bands, and beyond 100 % only where they do."""
    small, large = (sweep_figures.quality(rates(errors), SIGMA, {"net": (5.0,)}, False) for errors in ({0.1: 9, 5.0: 4}, {0.1: 120, 5.0: 4}))
    assert small.layout.yaxis.title.text == "Word error rate (%)"
    low, high = small.layout.yaxis.range
    assert -2 < low <= 0
    assert 9 < high < 25
    assert large.layout.yaxis.range[1] > 120
    assert "a word error rate of 9.0 % (100 words in 100 clips)" in next(trace for trace in small.data if trace.hovertext).hovertext[0]
    heat, _ = sweep_figures.quality_map([replace(score, setting=replace(score.setting, stride=4.0)) for score in rates({0.1: 9, 5.0: 4})], (0.1, 5.0),
                                        (1.0, 4.0), ((5.0,), 4.0), False).data
    assert (heat.zmin, heat.zmax) == (0, 9)


# ------------------------------------------------------------------ one clip


def test_readings_are_compared_with_the_reading_as_trained(model: Recogniser):
    clip, vocabulary = made_up.sound(), model.config.vocabulary
    usual = tracing.trace(model, clip).prediction.arrays["tokens"].tolist()
    assert usual
    columns = list(sweep.sweep_clip(model, clip, sweep.points((), (1.0, 4.0, 100.0)), details=False))
    for column in columns:
        seen = tracing.trace(model, clip, sweep.layer_settings(model, column.setting))
        read = seen.prediction.arrays["tokens"].tolist()
        (edits,) = compare([usual], [read])
        assert (column.reading.text, column.reading.errors, column.reading.units) == (" ".join(read), edits.errors, len(usual))
        assert column.reading.frames == seen.layers[-1].output_frames
        assert not column.reading.reference.typed
    assert (columns[1].reading.errors, columns[1].reading.unreadable) == (0, False)
    assert columns[2].reading.unreadable, "one frame can’t hold it"
    assert math.isfinite(columns[2].reading.rate)
    assert vocabulary.decode(columns[0].reading.reference.tokens) == " ".join(usual)


def test_readings_are_compared_with_what_was_said(model: Recogniser):
    (column,) = sweep.sweep_clip(model, made_up.sound(), [Setting(5.0)], said="Three, 1 nine!")
    reading = column.reading
    assert (reading.reference.text, reading.units, reading.needed) == ("three one nine", 3, 3)
    assert reading.reference.typed
    (edits,) = compare([["three", "one", "nine"]], [reading.text.split()])
    assert reading.errors == edits.errors


@pytest.mark.parametrize(("said", "sentence"), [("banana", "“banana” is not in this network's vocabulary"), ("?!", "has no word in it")])
def test_what_can_t_have_been_said_gets_a_sentence(model: Recogniser, said: str, sentence: str):
    with pytest.raises(SweepError, match=sentence) as caught:
        sweep.sweep_clip(model, made_up.sound(), [Setting(5.0)], said=said)
    assert str(caught.value).endswith(".")


def test_phonemes_and_characters(model: Recogniser):
    phonemes = made_up.recogniser("phonemes", "phonemes", ("AH", "EY", "K", "N", "T", "UW", "W"))
    (column,) = sweep.sweep_clip(phonemes, made_up.sound(), [Setting(5.0)], said="one eight two", details=False)
    assert column.reading.reference.text == "W AH N EY T T UW"
    assert column.reading.needed == 8, "two T need a blank between them"
    assert column.reading.reference.error_label == "Phoneme error rate"
    letters = made_up.recogniser("letters", "characters", (" ", *"abcdefghijklmnopqrstuvwxyz"))
    (column,) = sweep.sweep_clip(letters, made_up.sound(), [Setting(5.0)], said="one two", details=False)
    assert column.reading.units == 7


def test_the_csv_of_readings(model: Recogniser):
    columns = list(sweep.sweep_clip(model, made_up.sound(), sweep.points((), (4.0, 36.0)), details=False, said="one two"))
    rows = list(csv.DictReader(io.StringIO(sweep.clip_csv(columns))))
    assert [(row["reference"], row["text"], row["units"], row["frames_needed"]) for row in rows] == [
        ("one two", column.reading.text, "2", "2") for column in columns
    ]
    assert [int(row["output_frames"]) for row in rows] == [13, 2]
    assert float(rows[0]["error_rate"]) == pytest.approx(columns[0].reading.rate, abs=1e-5)
    assert "probability" not in rows[0]


def column(
    value: float | None, text: str, errors: int, frames: int = 20, reference: str = "three one nine", typed: bool = False, stride: float | None = None,
) -> Column:
    """A point at which `text` is read."""
    words = reference.split()
    target = Reference(reference, tuple(made_up.DIGITS.index(word) for word in words), typed, "Word error rate", "words")
    numbers = LayerNumbers(1.0, 3.0, 0.0, 10.0, 1.0, 5.0)
    reading = Reading(target, text, errors, len(words), frames, len(words))
    setting = Setting(value) if stride is None else Setting(value, stride)
    return Column(setting, stride or 4.0, 1 / (stride or 4.0), 1.0, Prediction("x"), (numbers,) * 2, (np.ones((4, 4), np.uint8),) * 2, reading)


def test_what_is_read_is_said_in_sentences():
    columns = [column(0.05, "", 3), column(0.5, "three nine", 1), column(1.0, "three one nine", 0), column(5.0, "three one nine", 0),
               column(12.0, "three one nine", 0), column(25.0, "three one nine nine", 1)]
    said = [each.text for each in clip_answers(columns, SIGMA, 5.0)]
    assert said[:2] == [
        "What is read stays “three one nine” from σ⁻² 1 to 12; at 0.5 it becomes “three nine”; at 25 it becomes “three one nine nine”.",
        "The word error rate against the reading as trained is lowest from σ⁻² 1 to 12 with 0.0 % (0 errors in 3 words) and highest at 0.05 with 100.0 % "
        "(3 errors in 3 words).",
    ]
    assert not any(word in " ".join(said) for word in ("surest", "nan", "inf", "probab"))
    assert all(each.rule.endswith(".") for each in clip_answers(columns, SIGMA, 5.0))


def test_a_reading_that_never_turns_and_a_clip_without_words():
    said = [each.text for each in clip_answers([column(value, "three", 2, typed=True) for value in (0.1, 5.0)], SIGMA, 5.0)]
    assert said[:2] == [
        "What is read is “three” from σ⁻² 0.1 to 5, at every value.",
        "The word error rate against what was said is 66.7 % (2 errors in 3 words) at every value.",
    ]
    columns = [column(0.1, "one", 1, reference=""), column(5.0, "", 0, reference="")]
    said = [each.text for each in clip_answers(columns, SIGMA, 5.0)]
    assert said[:2] == [
        "What is read is nothing at σ⁻² 5; at 0.1 it becomes “one”.",
        "The network as trained reads nothing in this clip, so there is no word error rate: type what was said to get one.",
    ]
    sweep_figures.curves(columns, (0.1, 5.0), SIGMA, (5.0,), False)


def test_one_is_one_word():
    (first, second, *_) = clip_answers([column(value, "three", 1, reference="one") for value in (0.1, 5.0)], SIGMA, 5.0)
    assert "100.0 % (1 error in 1 word) at every value" in second.text
    assert Score("a", Setting(0.5), 8.0, WORDS, 1, 1, 1, 0.25, 1, 1, 1).basis == "1 word in 1 clip"
    assert "“three”" in first.text


def test_too_few_frames_are_said_and_drawn():
    columns = [column(None, "three one nine", 0, 20, stride=4.0), column(None, "three", 2, 3, stride=30.0), column(None, "", 3, 2, stride=40.0)]
    said = [each.text for each in clip_answers(columns, STRIDE, 4.0)]
    assert (
        "From an overall stride of 40 on the clip can’t be read as “three one nine”, whatever the network hears: it has 2 output frames, "
        "and that text needs 3."
    ) in said
    figure = sweep_figures.curves(columns, (4.0, 30.0, 40.0), STRIDE, (4.0,), False)["Word error rate against the reading as trained"]
    rate, unreadable = figure.data
    assert list(rate.y) == pytest.approx([0, 200 / 3])
    assert (list(unreadable.y), unreadable.name) == ([100], "unreadable: too few output frames")
    assert "unreadable as “three one nine”: 2 output frames, 3 needed" in unreadable.hovertext[0]
    assert figure.layout.yaxis.range[0] <= 0
    assert "unreadable" in sweep_figures.strip(columns, (4.0, 30.0, 40.0), STRIDE, (4.0,), None, False).data[1].hovertext[-1]


def test_a_map_of_readings():
    sigmas, strides = (1.0, 5.0), (4.0, 40.0)
    columns = [column(1.0, "three nine", 1, stride=4.0), column(5.0, "three one nine", 0, stride=4.0),
               column(1.0, "", 3, 2, stride=40.0), column(5.0, "", 3, 2, stride=40.0)]
    said = [each.text for each in map_answers(columns, "")]
    assert said == [
        "“three one nine” is read at 1 of 4 points; the cheapest of them is σ⁻² 5 and an overall stride of 4, with 25 % of the work without strides.",
        "At 2 of 4 points the clip has too few output frames to be read as “three one nine”.",
    ]
    heat, _ = sweep_figures.reading_map(columns, sigmas, strides, ((5.0,), 4.0), False).data
    assert np.allclose(heat.z, [[100 / 3, 0], [np.nan, np.nan]], equal_nan=True)
    assert "unreadable" in heat.text[1][0]
    said = [each.text for each in map_answers(columns[:1], "")]
    assert said == [
        "“three one nine” is read at 0 of 1 points; the lowest word error rate is 33.3 % (1 error in 3 words), at σ⁻² 1 and an overall stride of 4.",
    ]
