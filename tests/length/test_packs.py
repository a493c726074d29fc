"""Clips in rows: the network's own packing, what people may type, what padding costs, and the picture of it."""

from __future__ import annotations

import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from adastride import audio
from adastride.clip_seconds import FILE, ClipSeconds, read_seconds
from adastride.files import bundled
from adastride.inspection.figures import render
from adastride.length import packs, pictures, token_use
from adastride.models.audio_transformer import AudioTransformer, AudioTransformerConfig
from adastride.models.elastic import Packing

LENGTHS = st.lists(st.floats(0.01, 60), min_size=1, max_size=64)


def test_tokens_are_those_of_the_network():
    network = AudioTransformer(AudioTransformerConfig(("a", "b"), width=8, heads=2, blocks=1))
    for seconds in (0.05, 0.5, 1.0, 1.99, 2.0, 7.3):
        mel = audio.log_mel(torch.zeros(int(16_000 * seconds)), network.config.mel)
        assert packs.tokens_of(seconds) == network.effort(mel.shape[-1])[0]


@given(LENGTHS, st.sampled_from(packs.ROW_SIZES), st.booleans())
def test_every_clip_is_there_once_and_whole(seconds: list[float], limit: int, best_fit: bool):
    packed = packs.pack(seconds, limit, best_fit)
    clips = zip(packed.row, packed.offset, packed.tokens, strict=True)
    places = {(row, offset + n) for row, offset, tokens in clips for n in range(0, tokens, 8)}
    assert 8 * len(places) == sum(packed.tokens), "no two clips have a place in common"
    assert max(packed.filled) == packed.width <= packed.limit
    packing = Packing(packed.tokens, packed.limit, best_fit)
    assert packed.pad_ratio == pytest.approx(packing.pad_ratio)
    assert 0 < packed.seen <= 1


def test_what_is_seen_is_the_masks_share():
    packed = packs.pack([2.0, 1.0, 0.5, 3.0], 256)
    mask = Packing(packed.tokens, packed.limit).attention_mask
    assert packed.seen == pytest.approx(float(mask.float().mean()))


@pytest.mark.parametrize(("text", "seconds"), [
    ("1.123456789012345 seconds, " * 64, [1.123456789012345] * 64),
    ("1.5, 3, 12", [1.5, 3, 12]), ("1.5;3  12s", [1.5, 3, 12]), ("2 sec 0.25 seconds", [2, 0.25]), ("60", [60]),
])
def test_what_people_type(text: str, seconds: list[float]):
    assert packs.typed_seconds(text) == seconds


@pytest.mark.parametrize(("text", "said"), [
    ("", "Type how long"), (" , ; ", "Type how long"), ("a", "“a” is no number"), ("1.5, three", "“three” is no number"),
    ("0", "more than 0"), ("-1", "more than 0"), ("61", "at most 60"), ("nan", "more than 0"), ("inf", "at most 60"),
    ("1 " * 65, "These are 65 clips"), ("1:30", "no number"), ("9" * 400, "at most 60"),
])
def test_what_people_should_not_type_gets_a_sentence(text: str, said: str):
    with pytest.raises(packs.PackError, match=said) as raised:
        packs.typed_seconds(text)
    assert str(raised.value).count(". ") == 0
    assert len(str(raised.value)) < 140


@given(st.text(max_size=40))
def test_whatever_is_typed_is_clips_or_a_sentence(text: str):
    try:
        seconds = packs.typed_seconds(text)
    except packs.PackError:
        return
    assert seconds
    assert all(0 < each <= packs.MOST_SECONDS for each in seconds)


def test_draws_come_back_with_their_seed():
    seconds = [0.1 * n for n in range(1, 50)]
    assert packs.draw(seconds, 12, 3) == packs.draw(seconds, 12, 3) != packs.draw(seconds, 12, 4)
    assert len(set(packs.draw(seconds, 49, 0))) == 49, "none twice while there are enough"
    assert len(packs.draw(seconds[:3], 12, 0)) == 12


def test_only_training_clips_are_drawn():
    lines = [ClipSeconds("a", "train", 1.0), ClipSeconds("a", "test", 2.0), ClipSeconds("b", "test", 3.0)]
    assert packs.sources_of(lines) == {"a": [1.0]}


def slow_use(seconds: list[float], size: int, fixed: float) -> tuple[float, float]:
    """Padding of clips padded to the longest of their batch in the order of `token_use`, and what a fixed length cuts, token by token."""
    tokens, generator = [packs.tokens_of(each) for each in seconds], random.Random(0)
    padding = total = 0
    for _ in range(3):
        order = generator.sample(tokens, len(tokens))
        for begin in range(0, len(order) - size + 1, size):
            batch = order[begin : begin + size]
            for count in batch:
                total += max(batch)
                padding += max(batch) - count
    length = packs.tokens_of(fixed)
    cut = sum(max(0, count - length) for count in tokens)
    return padding / total, cut / sum(tokens)


def test_padding_and_cuts_are_counted():
    generator = random.Random(1)
    seconds = [generator.uniform(0.5, 20) for _ in range(100)]
    uses = token_use.token_use(seconds, 5.0)
    assert set(uses["first"].pads) == {1, 8, 12, 16, 32, 64}, "no batch is larger than the data"
    for size in (1, 8, 64):
        padding, cut = slow_use(seconds, size, 5.0)
        assert uses["longest"].pads[size] == pytest.approx(padding)
        assert uses["fixed"].cut == pytest.approx(cut)
    assert uses["longest"].pads[1] == uses["first"].pads[1] == 0
    assert uses["first"].cut == uses["best"].cut == 0
    assert len(set(uses["fixed"].pads.values())) == 1


def test_the_real_lengths_pad_as_the_paper_says():
    """Read sentences are about as long as VoxCeleb's, and packing as published pads within a point of the paper's table 1."""
    seconds = packs.sources_of(read_seconds(bundled("results") / FILE))["speakers"]
    uses = token_use.token_use(seconds, 10.0)
    for printed in token_use.PAPER:
        if printed.packed:
            assert 100 * uses["first"].pads[printed.batch] == pytest.approx(printed.pad, abs=1.0)
    assert uses["best"].pads[128] < uses["first"].pads[128] < uses["longest"].pads[128]
    assert "nothing is cut" in token_use.use_sentence(uses)
    rows = token_use.use_table(uses)
    assert list(rows[0]) == ["Clips at once", "1", "8", "12", "16", "32", "64", "128", "Cut"]
    assert rows[-1]["64"] == "14.4"
    assert rows[-2]["Cut"] == "15.2"


def test_clips_of_one_length_need_no_padding():
    uses = token_use.token_use([1.0] * 200, 1.0)
    assert uses["longest"].pads[128] == 0
    assert token_use.use_sentence(uses).startswith("All clips are equally long")


def test_the_picture_has_every_clip_and_its_padding():
    packed = packs.pack([5.0, 3.0, 12.0, 0.5], 1024)
    blocks = pictures.row_blocks(packed)
    assert [block.clip for block in blocks if block.clip is not None] == [0, 1, 2, 3]
    for row in range(packed.rows):
        assert sum(block.width for block in blocks if block.middle == row) == packed.width, "rows are equally long"
    assert "0.50 s" in blocks[3].text
    masks = [block for block in pictures.mask_blocks(packed) if block.clip is not None]
    for block in masks:
        assert block.height / 0.86 == pytest.approx(block.width / packed.width), "a block is square where the mask is"
    figure = pictures.plotly_rows(packed, range(4), packed.rows, dark=True)
    assert figure.data[0].marker.pattern.shape == "/"
    assert len(figure.data) == 4
    assert render(pictures.export_rows([packed, packs.pack([5.0], 256, True)], "what it is"), "png").startswith(b"\x89PNG")


def test_a_clip_of_another_packing_keeps_its_colour():
    seconds = [5.0, 3.0, 12.0, 0.5, 9.0]
    colours = [
        dict(zip(figure.data[1].hovertext, figure.data[1].marker.color, strict=True))
        for figure in (pictures.plotly_rows(packs.pack(seconds, 1024, best_fit), range(5), 4) for best_fit in (False, True))
    ]
    by_clip = [{text.split(":")[0]: colour for text, colour in each.items()} for each in colours]
    assert by_clip[0] == by_clip[1]


def test_many_rows_get_lower_and_stay_readable():
    heights = []
    for count in (4, 16, 64):
        packed = packs.pack([30.0] * count)
        heights.append((pictures.plotly_rows(packed, pictures.colours_of([packed]), packed.rows).layout.height - 92) / packed.rows)
    assert heights == sorted(heights, reverse=True)
    assert heights[-1] >= 30


def test_the_sentence_says_which_is_better():
    same = packs.pack([2.0, 2.0]), packs.pack([2.0, 2.0], best_fit=True)
    assert "the same" in pictures.sentence(*same)
    assert pictures.sentence(packs.pack([2.0]), packs.pack([2.0], best_fit=True)).startswith("1 clip, 104 tokens")
    seconds = [9, 9, 12, 12]
    better = packs.pack(seconds, 1200), packs.pack(seconds, 1200, best_fit=True)
    assert "points less" in pictures.sentence(*better)


@pytest.mark.parametrize("limit", [256, 2048, 8192])
@pytest.mark.parametrize("seed", range(3))
def test_clips_beside_each_other_differ_in_colour(limit: int, seed: int):
    """In both pictures, in which a clip has one colour; two neighbours of one colour used to look like one clip."""
    generator = random.Random(seed)
    for count in (9, 16, 33, 64):
        seconds = [generator.choice([0.5, 1, 2, 3, 5, 8, 13, 20]) for _ in range(count)]
        packings = [packs.pack(seconds, limit, best_fit) for best_fit in packs.METHODS]
        colours = pictures.colours_of(packings)
        for packed in packings:
            for one in range(count):
                for other in range(one):
                    apart = packed.row[one] - packed.row[other]
                    (begin, end), (its_begin, its_end) = ((packed.offset[n], packed.offset[n] + packed.tokens[n]) for n in (one, other))
                    meet, touch = begin < its_end and its_begin < end, begin == its_end or its_begin == end
                    if (abs(apart) == 1 and meet) or (apart == 0 and touch):
                        assert colours[one] != colours[other]
        assert pictures.colour_sentence(packings, colours).startswith("Clips beside and above each other have different colours;")


def test_what_a_colour_means_is_true():
    few, many = [packs.pack([1.0] * 8)], [packs.pack([1.0] * 9)]
    assert pictures.colours_of(few) == list(range(8))
    assert pictures.colour_sentence(few, range(8)) == "A colour is a clip."
    assert "as far as 8 are enough" in pictures.colour_sentence(many, [0] * 9)
    assert "may share one" in pictures.colour_sentence(many, pictures.colours_of(many))


@pytest.mark.parametrize(("seconds", "said"), [
    ([60], "1 clip, 3,008 tokens: it has a row of its own without padding, and all of its tokens see each other."),
    ([0.01, 60, 3, 4], "4 clips of 0.01 to 60.0 s, "), ([1.0] * 64, "64 clips of 1.0 s, "),
    ([2.0, 3.0], "% of 1 row; by best fit, 0.0 % of 1 row, the same."),
])
def test_the_sentence_is_one_for_any_clips(seconds: list[float], said: str):
    assert said in pictures.sentence(packs.pack(seconds, 4096), packs.pack(seconds, 4096, best_fit=True))
    assert "Clip 1: 0.005 s, 8 tokens" in pictures.row_blocks(packs.pack([0.005]))[0].text
