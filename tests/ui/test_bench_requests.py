"""What a browser may say of an edit, and what it gets: anything that our viewer could not have sent counts as no request."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from made_up_codecs import codec, speech

from adastride.inspection.tracing import as_trained, trace
from adastride.tasks.workbench import Edit
from adastride.ui.explore.viewer import _request, _workbench

NETWORK = codec()
TRAINED = as_trained(NETWORK)
BENCH = trace(NETWORK, speech(0.9)).prediction.workbench


def request(**said: Any) -> dict:
    settings = [{"sigma": each.sigma, "stride": each.stride, "variant": each.variant} for each in TRAINED]
    return {"sequence": 1, "revision": "r", "have": "", "settings": settings, "view": None, "pixels": [800, 100], **said}


def test_an_edit_comes_through():
    said = {"codes": [1, 2], "durations": [3, 4], "stretch": 1.5, "like": {"codes": [5], "durations": [6]}}
    found = _request(json.loads(json.dumps(request(edit=said, book="b", hear=["x"]))), TRAINED)
    assert found["edit"] == Edit((1, 2), (3, 4), 1.5, ((5,), (6,)))
    assert (found["book"], found["hear"]) == ("b", {"x"})
    assert _request(request(), TRAINED)["edit"] is None


@pytest.mark.parametrize("edit", [
    5, "codes", [], {}, {"codes": [1]}, {"codes": [1.5], "durations": [1]}, {"codes": ["1"], "durations": [1]}, {"codes": [True], "durations": [1]},
    {"codes": [10**9], "durations": [1]}, {"codes": [1] * 6000, "durations": [1]}, {"codes": {"0": 1}, "durations": [1]},
    {"codes": [1], "durations": [1], "stretch": "fast"}, {"codes": [1], "durations": [1], "like": [1]},
    {"codes": [1], "durations": [1], "like": {"codes": [1]}},
])
def test_anything_else_is_no_request(edit: Any):
    assert _request(request(edit=edit), TRAINED) is None


def test_the_answer_holds_what_is_asked_for_and_no_more():
    codes, durations = BENCH.codes.codes, BENCH.codes.durations
    first, arrays = _workbench(BENCH, None)
    assert (len(first["paints"]), arrays["bookPoints"].shape) == (16, (16, 2))
    known, arrays = _workbench(BENCH, _request(request(book=first["book"]), TRAINED))
    assert not arrays
    assert "paints" not in known
    assert "edited" not in known
    edit = {"codes": list(codes), "durations": [durations[0] + 4, *durations[1:]]}
    answer, arrays = _workbench(BENCH, _request(request(book=first["book"], edit=edit), TRAINED))
    assert sum(answer["edited"]["durations"]) == sum(durations) + 4
    assert set(arrays) == {"editedMel"}
    assert (arrays["editedMel"].dtype, arrays["editedMel"].shape) == (np.dtype("u1"), (sum(durations) + 4, 80))
    heard, arrays = _workbench(BENCH, _request(request(book=first["book"], edit=edit, hear=[answer["edited"]["key"]]), TRAINED))
    assert arrays["editedSound"].size == (sum(durations) + 4) * 256
    assert heard["rate"] == 22_050
    json.dumps([first, known, answer, heard])


def test_what_can_not_be_is_said():
    answer, arrays = _workbench(BENCH, _request(request(book=BENCH.codes.fingerprint, edit={"codes": [77], "durations": [1]}), TRAINED))
    assert answer["problem"].startswith("the code 77 in place 0 is not in the codebook")
    assert not arrays
