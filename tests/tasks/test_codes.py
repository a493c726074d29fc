"""Codes and durations: they sum to the clip, survive JSON, give back what the network made of the clip, and can be edited."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_codecs import codec, speech

from adastride.downsampling import LayerSettings
from adastride.models import Codec
from adastride.tasks.codes import Codes, CodesError, check_written, decode, encode

METHODS = ("strided-conv", "spectral-pool", "adastride", "adastride-f", "cif", "a-tome", "diffstride")
ADASTRIDE = codec("adastride")


def reconstruction(network: Codec, waveform: Any, settings: LayerSettings | None = None) -> np.ndarray:
    with torch.inference_mode():
        return network(network.signal(waveform), settings=[None, None, settings]).head[0].numpy()


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=15)
@given(st.integers(1, 12_000), st.integers(0, 50))
def test_a_round_trip_gives_what_the_network_makes(method: str, samples: int, seed: int):
    """Of clips of any length, through the text of a file."""
    network, waveform = codec(method), speech(samples / 22_050, seed)
    made = encode(network, waveform)
    assert sum(made.durations) == made.mel_frames == 1 + samples // 256
    again = Codes.from_json(made.to_json())
    assert again == made
    np.testing.assert_allclose(decode(network, again), reconstruction(network, waveform), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("chosen", [
    LayerSettings(stride=1.0), LayerSettings(stride=5.5), LayerSettings(sigma=2.0), LayerSettings(sigma=0.05, stride=1.3),
    LayerSettings(variant="adastride-f"),
])
def test_a_round_trip_with_other_settings(chosen: LayerSettings):
    waveform = speech(0.9)
    made = encode(ADASTRIDE, waveform, chosen)
    mel = decode(ADASTRIDE, Codes.from_json(made.to_json()))
    np.testing.assert_allclose(mel, reconstruction(ADASTRIDE, waveform, chosen), atol=1e-4, rtol=1e-4)


def test_codes_that_last_for_no_frame_are_kept_apart():
    made = encode(ADASTRIDE, speech(0.9), LayerSettings(stride=1.0))
    assert made.skipped
    assert min(made.durations) >= 1
    assert made.count == len(made.codes) + len(made.skipped)


def test_what_is_in_the_file():
    made = encode(ADASTRIDE, speech())
    values = json.loads(made.to_json())
    assert values["codes"] == list(made.codes)
    assert values["mel_frames"] == sum(values["durations"])
    assert (values["checkpoint"], values["fingerprint"]) == ("teller", ADASTRIDE.fingerprint)
    assert values["strides"] == [2, 2]
    assert "positions" in values
    assert json.loads(encode(codec("strided-conv"), speech()).to_json())["positions"] == []


# --- edits


def test_durations_alone_come_close_to_the_positions():
    """They say where a code ends to a frame below the adaptive layer, so what is made of them is near, and nearer than a uniform stride."""
    waveform = speech(1.5)
    made = encode(ADASTRIDE, waveform)
    expected, alone = reconstruction(ADASTRIDE, waveform), decode(ADASTRIDE, made.with_durations(made.durations))
    even = [made.mel_frames // len(made.codes)] * len(made.codes)
    even[-1] += made.mel_frames - sum(even)
    uniform = decode(ADASTRIDE, made.with_durations(even))
    assert 0 < np.abs(alone - expected).mean() < 0.5 * np.abs(uniform - expected).mean()


def test_a_replaced_code_keeps_its_place():
    made = encode(ADASTRIDE, speech(1.5))
    place = len(made.codes) // 2
    other = replace(made, codes=(*made.codes[:place], (made.codes[place] + 1) % 16, *made.codes[place + 1 :]))
    changed = np.abs(decode(ADASTRIDE, other) - decode(ADASTRIDE, made)).max(axis=0)
    begin = sum(made.durations[:place])
    assert changed[begin : begin + made.durations[place]].max() > 0.1
    assert changed[: max(0, begin - 80)].max(initial=0) < 1e-5
    assert changed[begin + 120 :].max(initial=0) < 1e-5


@pytest.mark.parametrize("method", ["strided-conv", "adastride", "cif"])
@settings(max_examples=15)
@given(st.data())
def test_any_durations_can_be_decoded(method: str, data: st.DataObject):
    network = codec(method)
    made = encode(network, speech(0.3))
    durations = data.draw(st.lists(st.integers(1, 30), min_size=len(made.codes), max_size=len(made.codes)))
    mel = decode(network, made.with_durations(durations))
    assert mel.shape == (80, sum(durations))
    assert np.isfinite(mel).all()


def test_a_stretched_code_lasts_longer():
    network = codec("strided-conv")
    made = encode(network, speech(0.9))
    longer = list(made.durations)
    longer[4] += 80
    mel = decode(network, made.with_durations(longer))
    inside = mel[:, 4 * 8 + 32 : 4 * 8 + 56]  # far from its neighbours
    assert np.abs(np.diff(inside, n=1, axis=1)[:, 8:] - np.diff(inside, n=1, axis=1)[:, :-8]).max() < 1e-3, "the same every 8 frames"
    before = decode(network, made)
    np.testing.assert_allclose(mel[:, :8], before[:, :8], atol=1e-4)


@given(st.lists(st.integers(1, 20), min_size=1, max_size=30), st.floats(0.5, 3.0))
def test_everything_stretched(durations: list[int], factor: float):
    made = Codes(tuple([0] * len(durations)), tuple(durations), (2, 2), "x", "y").stretched(factor)
    assert min(made.durations) >= 1
    assert made.mel_frames >= round(factor * sum(durations))
    if factor >= 1:
        assert made.mel_frames == round(factor * sum(durations))


# --- what is refused


def edited(**changes: Any) -> str:
    values = json.loads(encode(ADASTRIDE, speech(0.3)).to_json())
    return json.dumps({name: value for name, value in {**values, **changes}.items() if value != "out"})


def first(name: str, value: Any) -> dict[str, Any]:
    values = json.loads(encode(ADASTRIDE, speech(0.3)).to_json())[name]
    return {name: [value, *values[1:]]}


@pytest.mark.parametrize(("text", "said"), [
    ("", "is not JSON"), ("{", "is not JSON"), ("[" * 100_000, "is not JSON"), ("[1, 2]", "holds no codes and durations"),
    ("{}", "holds no codes"), (edited(format=2), "another version"), (edited(format=True), "another version"),
    (edited(format="out"), "another version"), (edited(codes=[]), "no code left"), (edited(codes="abc"), "codes must be a list"),
    (edited(**first("codes", 1.5)), "codes must be whole numbers, got 1.5"),
    (edited(**first("codes", None)), "codes must be whole numbers"),
    (edited(**first("durations", 0)), "the code in place 0 lasts for 0 mel frames"),
    (edited(**first("durations", -3)), "lasts for -3 mel frames"),
    (edited(**first("durations", 2**40)), "durations must be whole numbers"),
    (edited(**first("durations", 2**30)), "more than the 1000000 allowed"),
    (edited(durations=[1]), "and 1 duration can't go together"),
    (edited(mel_frames=5), "make them equal"), (edited(mel_frames="out"), "mel_frames is None"),
    (edited(strides=[0, 2]), "strides must be"), (edited(sigma=-1.0), "sigma"), (edited(sigma="wide"), "sigma must be numbers"),
    (edited(**first("positions", -1.0)), "positions do not rise"),
    (edited(**first("positions", float("nan"))), "positions must be numbers"),
    (edited(**first("positions", 1e9)), "positions do not rise"), (edited(skipped=[[0]]), "pairs of a place and a code"),
    (edited(skipped=[[900, 1]]), "not in order"), (edited(sigma="out"), "there is no sigma"), (edited(sigma=None), "there is no sigma"),
    (edited(skipped=[[3, 1]], positions=[]), "no positions that say where"), (edited(skipped=[[1, 1]]), "skipped where the positions have"),
    (edited(skipped=[[0, 1]]), "skipped where the positions have"), (edited(checkpoint=7), "checkpoint must be a text"),
    (edited(fingerprint="out"), "fingerprint must be a text"),
])
def test_a_file_that_cannot_be(text: str, said: str):
    with pytest.raises(CodesError, match=said) as caught:
        Codes.from_json(text, "edited.json")
    sentence = str(caught.value)
    assert sentence.startswith("edited.json")
    assert sentence.endswith(".")
    assert len(sentence) < 250
    assert "\n" not in sentence


def test_codes_that_this_network_cannot_decode():
    made = encode(ADASTRIDE, speech(0.3))
    with pytest.raises(CodesError, match=r"of another training of teller, whose fingerprint is \w{11}… and not \w{11}…, and mean"):
        decode(codec("strided-conv"), made)
    with pytest.raises(CodesError, match="these codes are of other and mean nothing to teller, whose weights are others"):
        decode(codec("strided-conv"), replace(made, checkpoint="other"))
    with pytest.raises(CodesError, match=r"the code 16 in place 0 is not in the codebook of teller: its codes are 0 to 15\."):
        decode(ADASTRIDE, replace(made, codes=(16, *made.codes[1:])))
    with pytest.raises(CodesError, match="the code -1 in place 0"):
        decode(ADASTRIDE, replace(made, codes=(-1, *made.codes[1:])))
    fast = encode(ADASTRIDE, speech(0.9), LayerSettings(stride=1.0))
    place, _ = fast.skipped[0]
    with pytest.raises(CodesError, match=f"the skipped code 16 of place {place} is not in the codebook of teller: its codes are 0 to 15"):
        decode(ADASTRIDE, replace(fast, skipped=((place, 16), *fast.skipped[1:])))
    with pytest.raises(CodesError, match="more than the 900 s"):
        decode(ADASTRIDE, made.with_durations([20_000] * len(made.codes)))
    with pytest.raises(CodesError, match="name 1 stride and teller has 2"):
        decode(ADASTRIDE, replace(made, strides=(2,)))


@pytest.mark.parametrize("method", METHODS)
def test_what_encode_writes_passes_for_a_file(method: str):
    """Of clips so short that a layer has fewer frames than its stride, too, and with another stride and sigma of the upper layer."""
    network = codec(method)
    for seconds in (1e-4, 0.012, 0.03, 0.5):
        for chosen in (None, LayerSettings(stride=1.0), LayerSettings(stride=3.0, sigma=2.0)):
            check_written(network, encode(network, speech(seconds), chosen))


def test_a_sigma_and_strides_that_encode_would_not_write():
    """Any of them would be decoded to another sound."""
    made, hard = encode(ADASTRIDE, speech(0.3)), encode(codec("strided-conv"), speech(0.3))
    with pytest.raises(CodesError, match=r"no sigma, which teller needs \(as trained 1\): put it back"):
        check_written(ADASTRIDE, replace(made, sigma=None, positions=(), skipped=()))
    with pytest.raises(CodesError, match="no layer of teller has one: set sigma to null"):
        decode(codec("strided-conv"), replace(hard, sigma=1.0))
    adastride_f = codec("adastride-f")
    with pytest.raises(CodesError, match="teller repeats frames without one: set it to null"):
        check_written(adastride_f, replace(encode(adastride_f, speech(0.3)), sigma=1.0))
    for strides in ((4, 4), (10_000, 10_000), (2, 1), (1, 2)):
        for network, codes in ((ADASTRIDE, made), (codec("strided-conv"), hard)):
            with pytest.raises(CodesError, match=r"the strides are \[.*\] and those of teller are \[2, 2\]: set them to these"):
                check_written(network, replace(codes, strides=strides))
    with pytest.raises(CodesError, match="name 3 strides"):
        check_written(ADASTRIDE, replace(made, strides=(2, 2, 2)))


def test_positions_that_no_longer_fit_are_not_used():
    """Durations were edited by hand and the positions forgotten: the durations count."""
    made = encode(ADASTRIDE, speech(0.9))
    durations = [made.durations[0] + 8, *made.durations[1:]]
    by_hand = replace(made, durations=tuple(durations))
    np.testing.assert_array_equal(decode(ADASTRIDE, by_hand), decode(ADASTRIDE, made.with_durations(durations)))


def test_silence_and_one_sample():
    for samples in (1, 22_050):
        waveform = replace(speech(0.1), samples=np.zeros(samples, np.float32), seconds=samples / 22_050)
        made = encode(ADASTRIDE, waveform)
        np.testing.assert_allclose(decode(ADASTRIDE, made), reconstruction(ADASTRIDE, waveform), atol=1e-4)


def test_a_clip_that_is_too_long_is_refused():
    with pytest.raises(CodesError, match="lasts 901 s, more than the 900 s"):
        encode(ADASTRIDE, replace(speech(0.1), seconds=901.0))
