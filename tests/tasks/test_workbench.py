"""Codes on the bench: durations of another recording, what can't be, and the codebook's map."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_codecs import codec, speech

from adastride.downsampling import LayerSettings
from adastride.inspection.tracing import trace
from adastride.tasks import Prediction
from adastride.tasks.codes import Codes, CodesError, _warped, decode, encode, with_durations_of
from adastride.tasks.workbench import MOST_EDITED, Edit, Workbench, map_of

NETWORK = codec("adastride")


def shown(seconds: float = 0.9, network=NETWORK, settings=None) -> Prediction:
    return trace(network, speech(seconds), settings).prediction


def bench() -> Workbench:
    return shown().workbench


def made(codes: list[int], durations: list[int]) -> Codes:
    return encode(NETWORK, speech(0.3)).edited(codes, durations)


# ------------------------------------------------------------------ durations of another recording


def naive_cost(costs: np.ndarray) -> float:
    """Of the cheapest way, by trying all of them."""

    def best(row: int, column: int) -> float:
        if (row, column) == (0, 0):
            return costs[0, 0]
        before = [(row - 1, column - 1), (row - 1, column), (row, column - 1)]
        return costs[row, column] + min(best(*cell) for cell in before if min(cell) >= 0)

    return best(costs.shape[0] - 1, costs.shape[1] - 1)


@given(st.lists(st.integers(0, 15), min_size=1, max_size=5), st.lists(st.integers(0, 15), min_size=1, max_size=5))
def test_the_way_is_the_cheapest(one: list[int], other: list[int]):
    vectors = NETWORK.quantiser.codebook.double()
    costs = torch.cdist(vectors[one], vectors[other]).numpy()
    way = _warped(costs)
    assert (way[0], way[-1]) == ((0, 0), (len(one) - 1, len(other) - 1))
    assert all(0 <= b - a <= 1 and 0 <= d - c <= 1 for (a, c), (b, d) in itertools.pairwise(way))
    assert sum(costs[cell] for cell in way) == pytest.approx(naive_cost(costs), abs=1e-9)


def test_the_same_words_take_the_other_ones_durations():
    """Word for word where the codes are the same; a code that the other one says twice gets both times, and two share one's."""
    codes = made([3, 8, 1], [4, 4, 4])
    assert with_durations_of(NETWORK, codes, made([3, 8, 1], [9, 2, 30])).durations == (9, 2, 30)
    assert with_durations_of(NETWORK, codes, made([3, 3, 8, 1], [9, 5, 2, 30])).durations == (14, 2, 30)
    assert with_durations_of(NETWORK, made([3, 3, 8, 1], [6, 2, 4, 4]), made([3, 8, 1], [12, 2, 30])).durations == (9, 3, 2, 30)


@settings(max_examples=60)
@given(st.data())
def test_it_lasts_as_long_as_the_other_one(data: st.DataObject):
    def recording() -> Codes:
        size = data.draw(st.integers(1, 30))
        codes, durations = (data.draw(st.lists(st.integers(low, high), min_size=size, max_size=size)) for low, high in ((0, 15), (1, 40)))
        return made(codes, durations)

    codes, other = recording(), recording()
    taken = with_durations_of(NETWORK, codes, other)
    assert taken.codes == codes.codes
    assert min(taken.durations) >= 1
    # A code that would get no frame gets one, which the next ones give back as soon as they have more than one.
    assert other.mel_frames <= taken.mel_frames <= other.mel_frames + len(codes.codes)


def test_a_swap_and_back():
    """Two recordings change durations, and change them back."""
    slow, fast = made([3, 8, 1, 12], [12, 10, 8, 30]), made([3, 8, 1, 12], [4, 5, 3, 9])
    slower, faster = with_durations_of(NETWORK, fast, slow), with_durations_of(NETWORK, slow, fast)
    assert (slower.durations, faster.durations) == (slow.durations, fast.durations)
    assert decode(NETWORK, slower).shape[1] == slow.mel_frames


# ------------------------------------------------------------------ edits


def test_what_is_not_edited_is_what_the_network_made():
    prediction = shown()
    found = prediction.workbench.apply(Edit(prediction.workbench.codes.codes, prediction.workbench.codes.durations))
    np.testing.assert_allclose(found.mel, prediction.arrays["reconstruction"], atol=1e-4, rtol=1e-4)
    assert found.codes is prediction.workbench.codes


def test_an_edit_changes_its_own_place_most():
    """Another code for one: the frames that it lasts for change, and those far away do not."""
    workbench = bench()
    codes, durations = workbench.codes.codes, workbench.codes.durations
    first = workbench.apply(Edit(codes, (*durations[:-1], durations[-1] + 1))).mel
    other = workbench.apply(Edit(((codes[0] + 5) % 16, *codes[1:]), (*durations[:-1], durations[-1] + 1))).mel
    moved = np.abs(other - first).mean(axis=0)
    assert moved[: durations[0]].mean() > 10 * moved[-durations[-1] :].mean()


def test_the_sound_is_as_long_as_the_codes_and_about_as_loud_as_the_clip():
    """A codec that makes nothing of the clip's level is not what is heard: the level is the clip's."""
    prediction = shown(1.5)
    workbench, (decoded, _) = prediction.workbench, prediction.sounds
    slower = workbench.apply(Edit(workbench.codes.codes, workbench.codes.durations, stretch=1.5))
    assert slower.codes.mel_frames == pytest.approx(1.5 * workbench.codes.mel_frames, abs=1)
    heard, before = slower.sound.make(), decoded.make()
    assert heard.seconds == pytest.approx(slower.codes.mel_frames * 256 / 22_050, abs=1e-3)
    level = [float(np.sqrt(np.mean(np.square(sound.samples)))) for sound in (heard, before)]
    assert level[0] == pytest.approx(level[1], rel=0.3)


def test_equal_edits_have_one_key():
    """What was heard before is not made again."""
    workbench = bench()
    codes, durations = workbench.codes.codes, workbench.codes.durations
    longer = (durations[0] + 2, *durations[1:])
    assert workbench.apply(Edit(codes, longer)).sound.key == workbench.apply(Edit(codes, longer)).sound.key
    assert workbench.apply(Edit(codes, longer)).sound.key != workbench.apply(Edit(codes, durations)).sound.key


@pytest.mark.parametrize(("edit", "sentence"), [
    (Edit((), ()), "there is no code left: keep at least one."),
    (Edit((1, 2), (3,)), "2 codes and 1 duration can't go together: give every code one duration."),
    (Edit((1,), (0,)), "the code in place 0 lasts for 0 mel frames: give it at least 1, or take it out."),
    (Edit((16,), (4,)), "the code 16 in place 0 is not in the codebook of teller: its codes are 0 to 15."),
    (Edit((-1,), (4,)), "the code -1 in place 0 is not in the codebook of teller: its codes are 0 to 15."),
    (Edit((1,), (900_000,)), "this would last 10449 s, more than the 60 s that can be edited: shorten it."),
    (Edit((1,), (4,), stretch=11.0), "a speed of 1/11 can't be played: give one from 0.1 to 10."),
    (Edit((1,), (4,), stretch=float("nan")), "a speed of 1/nan can't be played: give one from 0.1 to 10."),
    (Edit((1,) * (MOST_EDITED + 1), (1,) * (MOST_EDITED + 1)), "there are 1001 codes, more than the 1000 that can be edited: take a shorter clip."),
    (Edit((1,), (4,), like=((99,), (4,))), "the code 99 in place 0 is not in the codebook of teller: its codes are 0 to 15."),
    (Edit((1,), (4,), like=((), ())), "there is no code left: keep at least one."),
])
def test_what_can_not_be_is_a_sentence(edit: Edit, sentence: str):
    with pytest.raises(CodesError) as caught:
        bench().apply(edit)
    assert str(caught.value) == sentence


def test_long_clips_are_not_edited():
    assert shown(31.0).workbench is None
    assert shown(31.0).sounds == ()


def test_a_rate_of_any_stride():
    """Bits a second, as the network says them at that stride."""
    for stride in (2.0, 4.0, 8.0):
        prediction = shown(2.0, settings=[None, None, LayerSettings(stride=stride)])
        assert prediction.rate.undivided / stride == pytest.approx(prediction.values["bits a second"], abs=4)  # one code of 4 bits


# ------------------------------------------------------------------ the map


def test_the_map_shows_what_lies_together():
    """Distances of a codebook that lies in a plane are those of its map, up to the scale of each axis."""
    network = codec("strided-conv", codes=40)
    generator = torch.Generator().manual_seed(3)
    axes = torch.linalg.qr(torch.randn(12, 2, generator=generator))[0]
    places = torch.randn(40, 2, generator=generator) * torch.tensor([3.0, 0.5])
    network.quantiser.codebook.copy_(places @ axes.T + 7)
    found = map_of(network)
    assert found.explained == pytest.approx(1.0)
    centred = (places - places.mean(dim=0)).double().numpy()
    for axis in (0, 1):
        assert np.abs(found.points[:, axis]).max() == pytest.approx(1.0)
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    for axis in (0, 1):
        expected = centred @ directions[axis]
        assert abs(np.corrcoef(expected, found.points[:, axis])[0, 1]) == pytest.approx(1.0)
    assert sizes[0] > sizes[1]


def test_colours_are_of_the_map_and_can_be_told_from_the_page():
    found = map_of(NETWORK)
    light, dark = (
        np.array([[int(paint[theme][at : at + 2], 16) for at in (1, 3, 5)] for paint in found.paints]) / 255 for theme in (0, 1)
    )
    luminance = [np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722] for c in (light, dark)]
    ink = [(lum + 0.05) / 0.06 for lum in luminance[:1]] + [1.0 / (lum + 0.05) for lum in luminance[1:]]
    assert min(each.min() for each in ink) > 4.5  # dark words on the light ones, light words on the dark ones
    assert len(set(found.paints)) == 16


@pytest.mark.parametrize("fill", [0.0, 1e-30, 1e30])
def test_a_codebook_of_one_vector_has_a_map(fill: float):
    network = codec("strided-conv")
    network.quantiser.codebook.fill_(fill)
    assert np.isfinite(map_of(network).points).all()
