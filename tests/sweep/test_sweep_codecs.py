"""A codec is swept like any other network: its error stands where others have a probability."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pytest
from made_up_codecs import codec, speech

from adastride.inspection.tracing import trace
from adastride.sweep import core, figures
from adastride.sweep.answers import clip_answers, map_answers
from adastride.sweep.core import SIGMA, Setting, layer_settings, sweep_clip

NETWORK, CLIP = codec("adastride", sigma=1.0), speech(0.9)
SIGMAS = [0.05, 1.0, 100.0]


def swept(settings: list[Setting], details: bool = True) -> list[core.Column]:
    return list(sweep_clip(NETWORK, CLIP, settings, details))


@pytest.fixture(scope="module")
def columns() -> list[core.Column]:
    return swept([Setting(sigma_inv2=value) for value in SIGMAS])


def errors(columns: list[core.Column]) -> list[float]:
    return [trace(NETWORK, CLIP, layer_settings(NETWORK, column.setting)).prediction.values["mel error in dB"] for column in columns]


def test_the_sentence_says_where_the_error_is_smallest(columns: list[core.Column]):
    numbers = errors(columns)
    assert len({round(number, 2) for number in numbers}) > 1
    best, worst = SIGMAS[int(np.argmin(numbers))], SIGMAS[int(np.argmax(numbers))]
    said = clip_answers(columns, SIGMA, 1.0)[0].text
    assert said == (
        f"The mel error is {numbers[1]:.2f} dB at σ⁻² 1, nearest to the trained value; smallest at σ⁻² {best:g} with {min(numbers):.2f} dB "
        f"and largest at {worst:g} with {max(numbers):.2f} dB."
    )
    assert not any(word in text.text for text in clip_answers(columns, SIGMA, 1.0) for word in ("surest", "prediction", "nan"))


def test_the_file_has_the_error_and_how_many_codes(columns: list[core.Column]):
    rows = list(csv.DictReader(io.StringIO(core.clip_csv(columns))))
    assert len(rows) == 3 * 3
    for row, number in zip(rows[::3], errors(columns), strict=True):
        assert float(row["mel error in dB"]) == pytest.approx(number, rel=1e-5)
        assert "codes" in row["answer"]


def test_curves_and_the_map_show_the_error(columns: list[core.Column]):
    shown = figures.curves(columns, SIGMAS, SIGMA, (1.0,), dark=False)
    assert next(iter(shown)) == "Mel error"
    np.testing.assert_allclose(shown["Mel error"].data[0].y, errors(columns), rtol=1e-6)
    assert "dB" in figures.strip(columns, SIGMAS, SIGMA, (1.0,), None, False).to_json()
    pairs = swept([Setting(sigma, stride) for sigma in SIGMAS for stride in (8.0, 16.0)], details=False)
    found = figures.probability_map(pairs, "", SIGMAS, [8.0, 16.0], ((1.0,), 8.0), False)
    values = np.array(found.data[0].z, float)
    assert np.isfinite(values).all()
    assert values.max() == pytest.approx(max(errors(pairs)), rel=1e-6)
    (answer,) = map_answers(pairs, "")
    assert re_number(answer.text) == pytest.approx(min(errors(pairs)), abs=0.006)
    assert "an overall stride of" in answer.text


def re_number(text: str) -> float:
    """The number in front of " dB"."""
    return float(text.split(" dB")[0].rsplit(" ", 1)[1])


def test_what_a_codec_answers_is_no_label():
    prediction = trace(NETWORK, CLIP).prediction
    assert prediction.top == prediction.headline
    assert math.isfinite(prediction.values[prediction.followed.label])
