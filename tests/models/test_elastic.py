"""ElasticAST packs as published, gives the official code's numbers, and answers for each clip as if it stood alone.

tests/data/elastic_reference.npz holds inputs, weights and outputs of the official code in float32, `pooled64` in float64. Its fields are
explained beside the tests that read them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from adastride.models.elastic import AST, ElasticAST, Packing, attend, pack_rows, patches_of, sinusoids

DATA = Path(__file__).parents[1] / "data" / "elastic_reference.npz"
with np.load(DATA) as file:
    REFERENCE = {name: torch.from_numpy(file[name]) for name in file.files}
CLIPS = range(len(REFERENCE["small_token_counts"]))
PACKINGS = sorted(name.removesuffix("_row") for name in REFERENCE if name.endswith("_row"))
# Sums of other orders, in float32: the official code itself differs by 1.5e-7 between packed and alone.
TOLERANCE = 2e-6
both_ways = pytest.mark.parametrize("by_rows", [False, True], ids=["clip by clip", "rows and masks"])


# --- packing


@pytest.mark.parametrize("name", PACKINGS)
def test_rows_are_those_of_the_official_code(name: str):
    assert pack_rows(REFERENCE[f"{name}_token_counts"].tolist(), int(REFERENCE[f"{name}_limit"])) == REFERENCE[f"{name}_row"].tolist()


def test_there_are_packings_to_compare_with():
    assert len(PACKINGS) == 5


def test_layout_and_masks_are_those_of_the_official_code():
    packing = Packing(REFERENCE["small_token_counts"].tolist(), int(REFERENCE["small_limit"]))
    assert packing.slot == REFERENCE["small_slot"].tolist()
    assert packing.offset == REFERENCE["small_offset"].tolist()
    assert packing.sample_ids.equal(REFERENCE["small_sample_ids"].long())
    assert packing.attention_mask.equal(REFERENCE["small_attn_mask"])
    assert packing.pool_mask.equal(REFERENCE["small_pool_mask"])


batches = st.integers(1, 60).flatmap(lambda limit: st.tuples(st.lists(st.integers(1, limit), max_size=25), st.just(limit)))


@given(batches, st.booleans())
def test_every_clip_stands_whole_in_a_row_and_in_order(batch: tuple[list[int], int], best_fit: bool):
    counts, limit = batch
    packing = Packing(counts, limit, best_fit)
    assert packing.rows == len(set(packing.row))
    assert packing.tokens <= limit
    assert list(dict.fromkeys(packing.row)) == list(range(packing.rows))  # rows are numbered by their first clips
    for number in range(packing.rows):
        clips = [clip for clip, row in enumerate(packing.row) if row == number]
        assert [packing.slot[clip] for clip in clips] == list(range(len(clips)))
        expected = [slot for slot, clip in enumerate(clips) for _ in range(counts[clip])]
        assert packing.sample_ids[number].tolist() == expected + [-1] * (packing.tokens - len(expected))
        assert [packing.offset[clip] for clip in clips] == [expected.index(slot) for slot in range(len(clips))]
    padding = int((packing.sample_ids < 0).sum())
    assert packing.pad_ratio == pytest.approx(padding / (packing.rows * packing.tokens) if counts else 0.0)


@given(batches)
def test_next_fit_looks_at_the_newest_row_alone(batch: tuple[list[int], int]):
    counts, limit = batch
    row, filled, expected = -1, limit, []
    for count in counts:
        if filled + count > limit:
            row, filled = row + 1, 0
        filled += count
        expected.append(row)
    assert pack_rows(counts, limit) == expected


@given(batches)
def test_best_fit_leaves_no_two_rows_that_would_fit_into_one(batch: tuple[list[int], int]):
    counts, limit = batch
    rows = pack_rows(counts, limit, best_fit=True)
    filled = sorted(sum(count for count, row in zip(counts, rows, strict=True) if row == number) for number in set(rows))
    assert len(filled) < 2 or filled[0] + filled[1] > limit


def test_best_fit_mostly_needs_fewer_rows_but_not_always():
    generator = np.random.default_rng(0)
    drawn = [np.exp(generator.uniform(np.log(60), np.log(1700), 64)).astype(int).tolist() for _ in range(50)]  # about as speakers' clips
    rows = [(max(pack_rows(counts, 2048)), max(pack_rows(counts, 2048, best_fit=True))) for counts in drawn]
    assert all(best < newest for newest, best in rows)
    unlucky = [5, 3, 2, 4, 3, 3]
    assert (max(pack_rows(unlucky, 10)), max(pack_rows(unlucky, 10, best_fit=True))) == (1, 2)


def product_ways(counts: list[int], packing: Packing, pooling: bool) -> list[Tensor]:
    """What `attend` gives for random numbers, and the gradients of a weighted sum of it."""
    generator = torch.Generator().manual_seed(len(counts))
    sizes = [len(counts) if pooling else sum(counts), sum(counts), sum(counts)]
    parts = [torch.randn(size, 2, 3, generator=generator, dtype=torch.float64, requires_grad=True) for size in sizes]
    result = attend(parts[0], parts[1], parts[2], packing, scale=0.7, pooling=pooling)
    weights = torch.randn(result.shape, generator=generator, dtype=torch.float64)
    return [result.detach(), *torch.autograd.grad((result * weights).sum(), parts)]


@given(batches.filter(lambda batch: batch[0]), st.booleans(), st.booleans())
def test_attention_in_rows_with_masks_is_attention_in_each_clip(batch: tuple[list[int], int], best_fit: bool, pooling: bool):
    ways = [product_ways(batch[0], Packing(*batch, best_fit, by_rows=by_rows), pooling) for by_rows in (False, True)]
    for ours, expected in zip(*ways, strict=True):
        torch.testing.assert_close(ours, expected, rtol=0, atol=1e-12)


def test_rows_and_masks_are_for_clips_of_many_lengths_on_a_gpu():
    assert Packing([3, 4], device="meta").by_rows
    assert not Packing([3, 3], device="meta").by_rows
    assert not Packing([3, 4]).by_rows


@given(batches, st.booleans())
def test_lines_and_rows_are_each_other_s_opposite(batch: tuple[list[int], int], best_fit: bool):
    packing = Packing(*batch, best_fit)
    line, clips = torch.randn(sum(batch[0]), 2), torch.randn(len(batch[0]), 3)
    rows, slots = packing.to_rows(line), packing.to_slots(clips)
    assert (rows.shape, slots.shape) == ((packing.rows, packing.tokens, 2), (packing.rows, packing.slots, 3))
    assert packing.to_line(rows).equal(line)
    assert packing.to_clips(slots).equal(clips)
    assert not rows[packing.sample_ids < 0].any()


@pytest.mark.parametrize("best_fit", [False, True])
@pytest.mark.parametrize(("counts", "limit", "said"), [
    ([5, 9, 3], 8, "clip 1 has 9 tokens, more than the 8 of a row: cut it, or pack into longer rows"),
    ([5, 0], 8, "clip 1 has no tokens: leave it out"),
    ([5], 0, "a row must have room for at least one token, got 0"),
    ([float("nan")], 10, "clip 0 must have a whole number of tokens, got nan"),
    ([1], float("nan"), "a row has a whole number of tokens, got nan"),
    ([2, 3.5], 10, "clip 1 must have a whole number of tokens, got 3.5"), ([1], 2.5, "a row has a whole number of tokens, got 2.5"),
])
def test_what_can_not_be_packed_is_said(counts: list[int], limit: int, said: str, best_fit: bool):
    with pytest.raises(ValueError, match=f"^{said}$"):
        pack_rows(counts, limit, best_fit)


# --- the official code's numbers

# Official names of modules and ours.
NAMES = {
    "pos_embed_freq": "embedding.frequency", "pos_embed_time": "embedding.time", "patch_embed.0": "embedding.projection",
    "attn_pool_queries": "pooling.query", "attn_pool.": "pooling.attention.", "mlp_norm": "pooled_norm", "blocks.modules_list.": "blocks.",
    ".attn.": ".attention.", "to_q.": "query.", "to_kv.": "key_value.", "proj.": "output.", "mlp.fc1": "inner", "mlp.fc2": "outer",
}


def official(by_rows: bool) -> tuple[ElasticAST, Packing]:
    """The official code's network with its weights, and the packing of its clips."""
    weights = {}
    for name, value in REFERENCE.items():
        if name.startswith("small_state/"):
            name = name.removeprefix("small_state/")
            for theirs, ours in NAMES.items():
                name = name.replace(theirs, ours)
            weights[name] = value
    outputs, width = weights["head.weight"].shape
    network = ElasticAST(
        outputs, bands=8, patch=int(REFERENCE["small_patch_size"]), width=width, blocks=2, heads=int(REFERENCE["small_heads"]),
        row_tokens=int(REFERENCE["small_limit"]), scaled=False, time_table=len(weights["embedding.time"]),
    )
    network.load_state_dict(weights)
    return network.eval(), network.packing([REFERENCE[f"small_sample{clip}"].shape[2] for clip in CLIPS], by_rows)


@both_ways
@torch.no_grad()
def test_every_stage_gives_the_official_code_s_numbers(by_rows: bool):
    """encoder_in and context are rows of tokens before the blocks and after the last normalisation, pooled and logits are of clips."""
    network, packing = official(by_rows)
    tokens = network.embedding([REFERENCE[f"small_sample{clip}"][0] for clip in CLIPS])
    valid = packing.sample_ids >= 0
    torch.testing.assert_close(packing.to_rows(tokens)[valid], REFERENCE["small_encoder_in"][valid], rtol=0, atol=TOLERANCE)
    encoded = network.encode(tokens, packing)
    torch.testing.assert_close(packing.to_rows(encoded)[valid], REFERENCE["small_context"][valid], rtol=0, atol=TOLERANCE)
    pooled = network.pooling(encoded, packing)
    torch.testing.assert_close(pooled, REFERENCE["small_pooled"], rtol=0, atol=TOLERANCE)
    torch.testing.assert_close(network.answer(encoded, packing), REFERENCE["small_logits"], rtol=0, atol=TOLERANCE)


@both_ways
@torch.no_grad()
def test_pooling_in_float64(by_rows: bool):
    """Of the official code's context, which it has in float32 alone."""
    network, packing = official(by_rows)
    pooled = network.double().pooling(packing.to_line(REFERENCE["small_context"].double()), packing)
    torch.testing.assert_close(pooled, REFERENCE["small_pooled64"], rtol=0, atol=1e-12)


@torch.no_grad()
def test_clips_in_a_list_give_the_official_code_s_logits():
    network, _ = official(by_rows=False)
    logits = network([REFERENCE[f"small_sample{clip}"][0] for clip in CLIPS])
    torch.testing.assert_close(logits, REFERENCE["small_logits"], rtol=0, atol=TOLERANCE)


# --- packed and one at a time

FRAMES = [33, 5, 96, 17, 33, 16, 61, 1]  # in patches of 16: 3, 1, 6, 2, 3, 1, 4, 1


def elastic(**options) -> ElasticAST:
    """An untrained network whose biases and positions are not about 0."""
    torch.manual_seed(0)
    network = ElasticAST(5, **{"bands": 32, "width": 24, "blocks": 2, "heads": 3, "row_tokens": 14, **options}).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith(("bias", "query", "frequency")):
                parameter.normal_(0, 0.5)
    return network


def mels(frames: list[int] = FRAMES, bands: int = 32) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(bands, count, generator=generator) for count in frames]


def run(network: ElasticAST, clips: list[Tensor], by_rows: bool) -> Tensor:
    packing = network.packing([clip.shape[1] for clip in clips], by_rows)
    return network.answer(network.encode(network.embedding(clips), packing), packing)


def gradients(network: nn.Module, answers: Tensor, clips: list[Tensor], weights: Tensor) -> list[Tensor]:
    """Of a weighted sum of the answers: the gradients of all clips and parameters."""
    return list(torch.autograd.grad((answers * weights).sum(), [*clips, *network.parameters()]))


@both_ways
@pytest.mark.parametrize("options", [{}, {"best_fit": True}, {"row_tokens": 1}, {"scaled": False}, {"time_table": 6}], ids=str)
def test_packed_clips_are_clips_one_at_a_time(options: dict, by_rows: bool):
    """Values and gradients, to 1e-5. row_tokens = 1: rows are as long as the longest clip."""
    network, clips, weights = elastic(**options), [clip.requires_grad_() for clip in mels()], torch.randn(len(FRAMES), 5)
    packing = network.packing(FRAMES, by_rows)
    assert 1 < packing.rows < len(FRAMES)
    packed, alone = run(network, clips, by_rows), torch.cat([network([clip]) for clip in clips])
    torch.testing.assert_close(packed, alone, rtol=1e-5, atol=1e-5)
    both = [gradients(network, answers, clips, weights) for answers in (packed, alone)]
    for ours, expected in zip(*both, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5 * max(1.0, float(expected.abs().max())))


@both_ways
def test_no_clip_sees_another(by_rows: bool):
    """The gradient of its answer reaches its own frames and no others."""
    network, clips = elastic(), [clip.requires_grad_() for clip in mels()]
    answers = run(network, clips, by_rows)
    for clip in range(len(clips)):
        found = torch.autograd.grad(answers[clip].sum(), clips, retain_graph=True)
        assert [bool(gradient.any()) for gradient in found] == [other == clip for other in range(len(clips))]


@torch.no_grad()
def test_nan_in_a_clip_stays_there():
    network, clips = elastic(), mels()
    expected = network(clips)
    clips[2][3, 7] = torch.nan
    broken = network(clips)
    others = [clip for clip in range(len(clips)) if clip != 2]
    assert broken[2].isnan().all()
    torch.testing.assert_close(broken[others], expected[others], rtol=1e-5, atol=1e-5)


@both_ways
@torch.no_grad()
def test_every_token_of_a_clip_counts_and_its_place_too(by_rows: bool):
    network, clips = elastic(), mels([40])
    answer = run(network, clips, by_rows)
    turned, upside_down, late = clips[0].roll(16, dims=1), clips[0].roll(16, dims=0), clips[0].clone()
    late[0, 39] += 1
    for other in (turned, upside_down, late):
        assert (run(network, [other], by_rows) - answer).abs().max() > 1e-4


@both_ways
def test_one_clip_in_a_row_and_rows_of_one_token(by_rows: bool):
    network = elastic(bands=16, row_tokens=1)
    clips = mels([3, 16, 9], bands=16)
    assert network.packing([3, 16, 9]).row == [0, 1, 2]
    torch.testing.assert_close(run(network, clips, by_rows), torch.cat([network([clip]) for clip in clips]), rtol=1e-5, atol=1e-5)


@both_ways
def test_no_clips(by_rows: bool):
    network = elastic()
    answers = run(network, [], by_rows)
    assert answers.shape == network([]).shape == (0, 5)
    answers.sum().backward()
    assert network.packing([]).pad_ratio == 0


@torch.no_grad()
def test_a_clip_shorter_than_a_patch_is_filled_up_with_zeros():
    network, (clip,) = elastic(), mels([5])
    torch.testing.assert_close(network([clip]), network([F.pad(clip, (0, 11))]), rtol=1e-5, atol=1e-5)
    assert (network([clip]) - network([F.pad(clip, (0, 12))])).abs().max() > 1e-4


@torch.no_grad()
def test_pooling_weights_make_the_pooled_vector():
    network, clips = elastic(), mels()
    packing = network.packing(FRAMES)
    encoded = network.encode(network.embedding(clips), packing)
    weights = network.pooling.weights(encoded, packing)
    attention = network.pooling.attention
    values = attention.key_value(encoded).chunk(2, dim=1)[1].unflatten(1, (attention.heads, -1)) * weights[:, :, None]
    pooled = torch.stack([part.sum(dim=0).flatten() for part in values.split(packing.token_counts)])
    torch.testing.assert_close(attention.output(pooled), network.pooling(encoded, packing), rtol=1e-5, atol=1e-5)


def test_patches_hold_every_number_once():
    mel = torch.arange(1.0, 1 + 32 * 21).view(32, 21)
    patches = patches_of(mel)
    assert patches.shape == (4, 256)
    assert patches[0].view(16, 16).equal(mel[:16, :16])
    assert patches[3].view(16, 16)[:, :5].equal(mel[16:, 16:])
    assert not patches[3].view(16, 16)[:, 5:].any()


def test_positions_in_time_have_no_end_and_differ():
    rows = sinusoids(4000, 24)
    assert torch.cdist(rows, rows).fill_diagonal_(1).min() > 0.01


@pytest.mark.parametrize(("clip", "said"), [
    ((32, 0), r"expected mels of \(32, frames\), got \(32, 0\) for clip 1"),
    ((31, 9), r"expected mels of \(32, frames\), got \(31, 9\) for clip 1"),
    ((9,), r"expected mels of \(32, frames\), got \(9,\) for clip 1"),
    ((1, 32, 9), r"expected mels of \(32, frames\), got \(1, 32, 9\) for clip 1"),
])
def test_clips_of_another_shape_are_said(clip: tuple[int, ...], said: str):
    for network in (elastic(), AST(5, 20, bands=32, width=24, blocks=1)):
        with pytest.raises(ValueError, match=f"^{said}$"):
            network([torch.zeros(32, 9), torch.zeros(clip)])


def test_clips_that_are_too_long_are_said():
    with pytest.raises(ValueError, match="clip 0 has 65538 tokens, more than 65536: cut it, or use a larger frame shift"):
        elastic()([torch.zeros(32, 1).expand(32, 16 * 32769)])
    with pytest.raises(ValueError, match="a clip has 7 patches in time, but there are positions for 6: cut it"):
        elastic(time_table=6)(mels([97]))


@pytest.mark.parametrize(("options", "said"), [
    ({"bands": 40}, "bands must be a multiple of the 16 of a patch, got 40"),
    ({"width": 25}, "width must be a multiple of twice the 3 heads, got 25"),
    ({"heads": 0}, "heads must be at least 1, got 0"), ({"blocks": 0}, "blocks must be at least 1, got 0"),
    ({"row_tokens": 0}, "row_tokens must be at least 1, got 0"), ({"row_tokens": 99.5}, "row_tokens must be a whole number, got 99.5"),
    ({"patch": 0}, "patch must be at least 1, got 0"), ({"time_table": 0}, "time_table must be at least 1, got 0"),
    ({"width": 24.0}, "width must be a whole number, got 24.0"),
])
def test_sizes_that_do_not_go_together_are_said(options: dict, said: str):
    with pytest.raises(ValueError, match=said):
        elastic(**options)


# --- the standard AST


def standard(frames: int = 40) -> AST:
    torch.manual_seed(0)
    return AST(5, frames, bands=32, width=24, blocks=2, heads=3).eval()


@torch.no_grad()
def test_ast_crops_and_pads():
    network, clips = standard(), mels([90, 23, 40])
    answers = network(clips)
    fitted = [clips[0][:, :40], F.pad(clips[1], (0, 17)), clips[2]]
    torch.testing.assert_close(answers, torch.cat([network([clip]) for clip in fitted]), rtol=1e-5, atol=1e-5)
    clips[0][:, 40:] = torch.nan  # what is cropped is not seen
    torch.testing.assert_close(network(clips), answers, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_ast_sees_its_padding_and_elastic_has_none():
    clips = mels([24])
    longer = [F.pad(clips[0], (0, 16))]
    assert (standard(40)(clips) - standard(40)(longer)).abs().max() == 0
    assert (standard(32)(clips) - standard(64)(clips)).abs().max() > 1e-4


@torch.no_grad()
def test_ast_s_blocks_are_elastic_s():
    """With the same weights, and a class token in front, ElasticAST's blocks give what the standard AST's head sees."""
    network, other, clips = standard(), elastic(), mels([40])
    shared = {name: value for name, value in network.state_dict().items() if name.startswith(("blocks.", "norm."))}
    other.load_state_dict(shared, strict=False)
    tokens = torch.cat([network.class_token[None], network.embedding(clips)])
    encoded = other.encode(tokens, Packing([len(tokens)]))
    torch.testing.assert_close(network(clips)[0], network.head(encoded[0]), rtol=1e-5, atol=1e-5)


def test_ast_of_no_clips():
    assert standard()([]).shape == (0, 5)
    with pytest.raises(ValueError, match="frames must be at least 1, got 0"):
        standard(0)


def test_multiply_adds_are_counted_as_they_are_done(monkeypatch: pytest.MonkeyPatch):
    """Against the sizes of the matrices that are multiplied."""
    network, clips, done = elastic(), mels([61]), []
    for module in network.blocks.modules():
        if isinstance(module, nn.Linear):
            module.register_forward_hook(lambda module, inputs, output: done.append(output.numel() * module.in_features))

    def product(query: Tensor, key: Tensor, value: Tensor, *arguments, scale: float) -> Tensor:
        done.append(query[..., 0].numel() * key.shape[2] * (key.shape[3] + value.shape[3]))
        return (query @ key.transpose(2, 3) * scale).softmax(dim=3) @ value

    packing, tokens = network.packing([61]), network.embedding(clips)
    expected = network.encode(tokens, packing)
    monkeypatch.setattr(F, "scaled_dot_product_attention", product)
    done.clear()
    torch.testing.assert_close(network.encode(tokens, packing), expected, rtol=1e-5, atol=1e-5)
    assert sum(done) == network.multiply_adds(61)
    assert (network.tokens_of(61), standard(40).tokens_of(61), standard(40).tokens_of(1)) == (8, 7, 7)


def test_whole_numbers_of_other_libraries_are_packed():
    assert pack_rows(np.array([5, 3, 2]), np.int64(8)) == pack_rows([torch.tensor(5), 3, 2], 8) == [0, 0, 1]


@pytest.mark.parametrize("network", [elastic, lambda: AST(5, 20, bands=32, width=24, blocks=1)])
def test_clips_may_come_one_by_one(network):
    made, clips = network().eval(), [torch.zeros(32, 9), torch.ones(32, 30)]
    torch.testing.assert_close(made(iter(clips)), made(clips))
    assert made(iter(clips)).shape == (2, 5)


@pytest.mark.parametrize("network", [elastic, lambda: AST(5, 20, bands=32, width=24, blocks=1)])
@pytest.mark.parametrize(("clip", "said"), [
    (np.zeros((32, 9), np.float32), "expected mels as tensors, got ndarray for clip 1"),
    (torch.zeros(32, 9, dtype=torch.float64), "the network computes in torch.float32, got torch.float64 for clip 1: convert it"),
])
def test_what_is_no_mel_is_said(network, clip, said: str):
    with pytest.raises(ValueError, match=f"^{said}"):
        network()([torch.zeros(32, 9), clip])


def test_an_ast_has_whole_frames_and_outputs():
    with pytest.raises(ValueError, match="outputs must be at least 1, got 0"):
        AST(0, 20)
    with pytest.raises(ValueError, match=r"frames must be a whole number, got 2\.5"):
        AST(5, 2.5)
