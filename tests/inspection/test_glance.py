"""The sentence above the picture: what is sound, what share of the output frames it gets, and what is said where nothing adapts."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from adastride import audio, checkpoints
from adastride.downsampling import LayerSettings
from adastride.inspection import trace
from adastride.inspection.glance import Glance, Sound, glance, sound_mask, sound_of
from adastride.models import Classifier, ClassifierConfig
from adastride.samples import samples


def burst(begin: float, end: float, seconds: float = 4.0, level: float = 0.3) -> np.ndarray:
    """Noise of an amplitude between two moments, and a thousandth of it elsewhere."""
    noise = np.random.default_rng(0).standard_normal(int(16_000 * seconds)).astype(np.float32)
    loud = np.zeros_like(noise)
    loud[int(16_000 * begin) : int(16_000 * end)] = 1
    return level * noise * np.maximum(loud, 1e-3)


@pytest.fixture(scope="module")
def digits() -> Classifier:
    return checkpoints.load("digits-adastride")


def seen(network: Classifier, clip: np.ndarray | audio.Waveform, **settings) -> Glance:
    run = trace(network, clip, LayerSettings(**settings))
    return glance(run, sound_of(run))


@pytest.mark.parametrize(("begin", "end"), [(0.0, 1.0), (1.5, 1.9), (2.0, 4.0), (0.2, 3.6)])
def test_sound_is_where_the_burst_is(digits: Classifier, begin: float, end: float):
    sound = sound_of(trace(digits, burst(begin, end)))
    assert sound.share == pytest.approx((end - begin) / 4, abs=0.02)
    assert np.interp([begin, end], sound.edges, sound.until) == pytest.approx([0, sound.until[-1]], abs=0.07)


def test_stretches_of_sound_begin_and_end_where_the_bursts_do(digits: Classifier):
    sound = sound_of(trace(digits, burst(0.5, 1) + burst(2.5, 4)))
    (first, second), until = sound.spans(), sound.until[-1]
    assert [*first, *second] == pytest.approx([0.5, 1, 2.5, 4], abs=0.07)
    assert np.diff(sound.spans()).sum() == pytest.approx(until)
    assert sound_of(trace(digits, burst(1, 2, level=1e-6))).spans().shape == (0, 2)


@pytest.mark.parametrize("level", [1.0, 0.1, 0.01])
def test_sound_does_not_depend_on_how_loud_a_clip_is(digits: Classifier, level: float):
    assert sound_of(trace(digits, burst(1, 2, level=level))).share == pytest.approx(0.25, abs=0.02)


def test_an_adaptive_network_gives_sound_more_frames_than_its_share(digits: Classifier):
    result = seen(digits, audio.read(samples()["seven"].path))
    assert result.layer == 3
    assert result.sound == pytest.approx(0.13, abs=0.02)
    assert result.frames > 4 * result.sound
    assert result.text == (
        f"The sound fills {100 * result.sound:.0f} % of the clip and gets {100 * result.frames:.0f} % of layer 3’s output frames; "
        f"a uniform stride would give it {100 * result.sound:.0f} %."
    )


def test_the_share_is_that_of_the_highest_layers_frames(digits: Classifier):
    """Counted frame by frame, in steps of a tenth of a millisecond."""
    run = trace(digits, burst(1.5, 1.9))
    sound, edges = sound_of(run), run.boundary_seconds(2)
    times = np.arange(0, 4, 1e-4)
    heard = np.diff(np.interp(np.append(times, 4.0), sound.edges, sound.until)) > 5e-5
    frame = np.clip(np.searchsorted(edges, times, "right") - 1, 0, len(edges) - 2)
    shares = [heard[frame == i].mean() for i in range(len(edges) - 1)]
    assert glance(run, sound).frames == pytest.approx(np.mean(shares), abs=0.005)


def test_where_no_layer_adapts_the_sentence_says_so():
    result = seen(checkpoints.load("digits-strided-conv"), audio.read(samples()["seven"].path))
    assert result.frames == pytest.approx(result.sound, abs=0.01)
    assert result.text.endswith("of layer 3’s output frames: no layer of this network adapts its stride.")


@pytest.mark.parametrize(("clip", "words"), [
    (np.zeros(32_000, np.float32), "silent throughout"),
    (1e-5 * np.random.default_rng(0).standard_normal(32_000).astype(np.float32), "silent throughout"),
    (0.1 * np.random.default_rng(0).standard_normal(32_000).astype(np.float32), "fills the whole clip"),
    (np.zeros(1, np.float32), "silent throughout"),
], ids=["zeros", "faint noise", "noise", "one sample"])
def test_where_there_is_nothing_to_adapt_to_the_sentence_says_so(digits: Classifier, clip: np.ndarray, words: str):
    assert words in seen(digits, clip).text


def test_the_sentence_follows_the_settings(digits: Classifier):
    clip = audio.read(samples()["seven"].path)
    usual, long = seen(digits, clip), seen(digits, clip, stride=6.0)
    assert usual.sound == long.sound
    assert usual.text != long.text


@given(st.lists(st.floats(0.01, 3), min_size=1, max_size=30), st.lists(st.booleans(), min_size=1, max_size=30))
def test_a_uniform_stride_gives_sound_its_share_of_the_clip(widths: list[float], heard: list[bool]):
    edges = np.concatenate([[0], np.cumsum(np.resize(widths, len(heard)))])
    sound = Sound(edges, np.concatenate([[0], np.cumsum(np.diff(edges) * heard)]))
    shares = sound.shares(np.linspace(0, edges[-1], 8))
    assert shares.mean() == pytest.approx(sound.share)
    assert ((shares >= -1e-9) & (shares <= 1 + 1e-9)).all()


def test_a_frame_that_stands_for_no_time_counts_as_what_it_lies_in():
    sound = Sound(np.array([0.0, 1.0, 2.0]), np.array([0.0, 0.0, 1.0]))
    assert sound.shares(np.array([0.0, 0.5, 0.5, 1.5, 1.5, 2.0])).tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]


def test_levels_a_third_of_the_way_up_are_sound():
    """From a floor at -60 dB to a peak at 0 dB, the threshold lies at -40 dB."""
    levels = np.array([-60.0] * 40 + [-41.0, -39.0, -20.0, 0.0])
    assert sound_mask(np.log(10 ** (levels / 20))[None]).tolist() == [False] * 41 + [True] * 3


def test_it_costs_an_answer_little():
    """A fraction of a millisecond for a clip of five seconds; the best of many, because the machine may be busy."""
    torch.manual_seed(0)
    run = trace(Classifier(ClassifierConfig(("yes", "no"), width=8)), burst(1, 2, seconds=5.0))
    sound = sound_of(run)

    def took() -> float:
        began = time.perf_counter()
        glance(run, sound)
        return time.perf_counter() - began

    assert min(took() for _ in range(30)) < 0.3e-3
