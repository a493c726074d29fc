"""Links to the Sigma page: what they restore, and what they say about nonsense."""

from __future__ import annotations

import pytest

from adastride.ui.sigma import link as sweep_link

CLIPS, CHECKPOINTS = {"seven": 1}, {"digits-adastride": 1}
SUBJECTS, KINDS = {"clip": "", "many": ""}, {"sigma": "", "stride": "", "both": ""}


def parsed(**query: str) -> sweep_link.SweepLink:
    return sweep_link.parse(query, CLIPS, CHECKPOINTS, SUBJECTS, KINDS, lambda name: 3)


def test_what_is_written_is_read():
    ranges = {"sigma": (0.05, 100.0, 12), "stride": (1.0, 8.0, 8)}
    link = parsed(clip="seven", checkpoint="digits-adastride", sweep="clip", over="both", at="0.8", sigma="2,1,1", **sweep_link.write(ranges))
    assert (link.clip, link.checkpoint, link.subject, link.kind, link.at) == ("seven", "digits-adastride", "clip", "both", 0.8)
    assert link.ranges == ranges
    assert [each.sigma for each in link.settings] == [2.0, 1.0, 1.0]
    assert link.problems == ()


def test_an_empty_link_asks_for_nothing():
    link = parsed()
    assert (link.clip, link.subject, link.kind, link.ranges, link.at, link.problems) == (None, None, None, {}, None, ())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("clip", "nine"), ("checkpoint", "none"), ("sweep", "all"), ("over", "<script>"), ("at", "nan"), ("at", "-1"), ("at", "inf"), ("at", ""),
        ("sigmas", "1,2"), ("sigmas", "1,2,3,4"), ("sigmas", "a,b,c"), ("sigmas", "0.1,nan,5"), ("sigmas", "0.1,1e999,5"), ("strides", "1,8,1"),
        ("strides", "1,8,1e3"), ("strides", "1,8,201"), ("strides", ""), ("sigma", "x"), ("stride", "0"), ("variant", "y"),
    ],
)
def test_nonsense_is_named_and_the_rest_counts(name: str, text: str):
    link = parsed(**{"clip": "seven", "over": "stride", name: text})
    assert len(link.problems) == 1
    assert name in link.problems[0]
    assert "<" not in link.problems[0]
    assert name == "clip" or link.clip == "seven"
    assert name == "over" or link.kind == "stride"
    assert not link.ranges
