"""Patches and attention as they are shown: rows are those of the network's own softmax, patches lie where their sound is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_up_codecs import speech
from made_up_transformers import audio_transformer
from torch import Tensor

from adastride import checkpoints
from adastride.downsampling import LayerSettings
from adastride.inspection.glance import Glance, glance, sound_of
from adastride.inspection.tracing import EVERYTHING, Hearing, Trace, is_known, trace
from adastride.models import AudioTransformer
from adastride.models.audio_transformer import Seen
from adastride.models.blocks import centred
from adastride.tasks.attention import Heads, Patches, large

CLIP = speech(1.3, rate=16_000)
KINDS = ["elastic", "ast", "front", "pooled"]


def seen(network: AudioTransformer) -> Seen:
    with torch.no_grad():
        return network.looked_at(network.signal(CLIP))


def patches(kind: str, hearing: Hearing = EVERYTHING, **options: object) -> Patches:
    found = trace(audio_transformer(kind, **options), CLIP, hearing=hearing).prediction.patches
    assert found is not None
    return found


def softmax(output: Seen, layer: int, token: int) -> Tensor:
    """What a token attends to in a layer, (heads, tokens), by the plain formula."""
    query, key = output.attended.queries[layer], output.attended.keys[layer]
    return torch.softmax(output.attended.scale * torch.einsum("hd,thd->ht", query[token], key), dim=1)


# --- the numbers


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_is_looked_at_has_the_same_answer(kind: str):
    network = audio_transformer(kind)
    with torch.no_grad():
        assert torch.equal(seen(network).head, network(network.signal(CLIP)).head)


@pytest.mark.parametrize("kind", KINDS)
def test_queries_and_keys_are_those_of_the_blocks(kind: str):
    """Attention worked out of them, times the values of the block, is what the block's attention gives."""
    network = audio_transformer(kind)
    inputs, outputs = [], []

    def keep(module: object, arguments: tuple[Tensor, ...], result: Tensor) -> None:
        inputs.append(arguments[0])
        outputs.append(result)

    for block in network.transformer.blocks:
        block.attention.register_forward_hook(keep)
    output = seen(network)
    for layer, block in enumerate(network.transformer.blocks):
        values = block.attention.key_value(inputs[layer]).chunk(2, dim=1)[1].unflatten(1, (block.attention.heads, -1))
        weights = torch.stack([softmax(output, layer, token) for token in range(len(values))])
        mixed = block.attention.output(torch.einsum("iht,thd->ihd", weights, values).flatten(1))
        assert torch.allclose(mixed, outputs[layer], atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_is_the_softmax_to_a_byte(kind: str):
    """These networks attend far more sharply than trained ones, for which a hundredth is the most."""
    output = seen(audio_transformer(kind))
    heads = Heads.of(output.attended.queries, output.attended.keys, output.attended.scale)
    for layer, token in ((0, 0), (1, 5), (2, 3)):
        exact = softmax(output, layer, token).double().numpy()
        for head in (0, 1):
            assert np.abs(heads.row(token, layer, head) - exact[head]).max() < 0.05
        assert np.abs(heads.row(token, layer) - exact.mean(axis=0)).max() < 0.03
        assert heads.row(token, layer).sum() == pytest.approx(1)


def test_the_answer_comes_from_where_the_pooling_looks():
    """ElasticAST: its learned query's attention. All patches together have 1."""
    network, found = audio_transformer("elastic"), patches("elastic")
    mel = network.signal(CLIP)
    with torch.no_grad():
        tokens = network.transformer.embedding([centred(mel)[0]])
        packing = network.transformer.packing([mel.shape[2]])
        weights = network.transformer.pooling.weights(network.transformer.encode(tokens, packing), packing).mean(dim=1)
    assert np.allclose(found.weights, weights.view(8, -1).numpy(), atol=1e-6)
    assert found.weights.sum() == pytest.approx(1, abs=1e-6)


def test_the_answer_of_an_ast_comes_from_its_class_token():
    """The first token's row in the last block; what it attends to in itself and in padding is no patch of the clip."""
    output, found = seen(audio_transformer("ast")), patches("ast")
    row = softmax(output, 2, 0).mean(dim=0).numpy()
    assert np.allclose(found.weights, row[1:].reshape(8, 13)[:, : found.columns], atol=1e-6)
    assert found.weights.sum() < 1


# --- where they lie


def test_patches_lie_where_their_frames_are():
    found = patches("elastic")
    assert found.edges[:3] == pytest.approx([0, 0.155, 0.315])
    assert found.edges[-1] == pytest.approx(1.3)
    assert len(found.edges) == found.columns + 1 == 10
    assert found.hertz[[0, -1]].tolist() == [0, 8000]
    assert (np.diff(found.hertz) > 0).all()


def test_patches_of_a_layer_in_front_lie_where_its_output_frames_are():
    run = trace(audio_transformer("front"), CLIP)
    found = run.prediction.patches
    edges = run.boundary_seconds(0)
    assert found.edges == pytest.approx(edges[np.minimum(np.arange(found.columns + 1) * 16, len(edges) - 1)])
    assert np.ptp(np.diff(found.edges[:-1])) > 0.02, "they gather somewhere"


def test_an_ast_says_what_it_cuts_off_and_what_it_pads():
    short, long = patches("ast"), patches("ast", frames=64)
    assert (short.cut, short.padding, short.tokens) == (0, 8 * (13 - 9), 105)
    tokens = "105 = 8 × 13 patches + 1"
    assert dict(short.facts) == {"Tokens": tokens, "Multiply-adds": "3.76 million, blocks", "Padding": "32 tokens, 30 %"}
    assert long.padding == 0
    assert long.cut == pytest.approx(1.3 - 0.635)
    assert dict(long.facts)["Cut off"] == "0.67 s at the end"


def test_a_token_is_found_by_row_and_column():
    found = patches("ast")
    tokens = found.picture(np.arange(found.tokens))
    assert tokens[2, 3] == found.token(2, 3) == 1 + 2 * 13 + 3
    row, column = found.strongest
    assert found.weights[row, column] == found.weights.max()
    lane = found.attention_lane()
    assert lane.values == pytest.approx(100 * found.picture(found.attention.row(found.token(row, column), 2)))


def test_beyond_a_bound_no_attention_is_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("adastride.models.elastic.MOST_ATTENDED", 50)
    found = patches("elastic")
    assert found.attention is None
    assert found.attention_lane() is None
    counts = "What a patch attends to is shown for up to 50 tokens, and here are 72"
    assert found.left_out == f"{counts}: shorten the length or coarsen the resolution."
    monkeypatch.setattr("adastride.models.elastic.MOST_ATTENDED_BYTES", 100)
    assert patches("elastic").most_tokens == 0
    assert patches("ast").weights.sum() > 0.5, "where the answer comes from is known all the same"
    assert set(found.arrays()) == {"patch_edges_seconds", "patch_edges_hertz", "patch_weights", "patch_tokens"}


def test_large_numbers_are_words():
    assert [large(value) for value in (0, 12, 1234, 999_999, 3.5e12)] == ["0", "12", "1.23 thousand", "1 million", "3.5 trillion"]


# --- what is heard


@pytest.mark.parametrize("kind", KINDS)
def test_a_beginning_that_is_heard_is_that_beginning_alone(kind: str):
    network, half = audio_transformer(kind), replace(CLIP, samples=CLIP.samples[:8000], seconds=0.5)
    heard, alone = trace(network, CLIP, hearing=Hearing(0.5)), trace(network, half)
    assert heard.prediction.values == alone.prediction.values
    assert np.array_equal(heard.mel, alone.mel)
    assert heard.waveform is CLIP
    assert heard.heard_seconds == heard.prediction.patches.edges[-1] == 0.5


def test_a_coarser_resolution_has_fewer_frames_of_the_same_sound():
    network = audio_transformer("elastic")
    fine, coarse = (trace(network, CLIP, hearing=Hearing(resolution=c)) for c in (1.0, 2.0))
    assert coarse.mel.shape[1] == -(-fine.mel.shape[1] // 2)
    inside = coarse.mel[:, 2:-2]
    assert np.allclose(inside, fine.mel[:, 4:-4:2][:, : inside.shape[1]], atol=1e-3), "every other frame: the window stays"
    assert coarse.prediction.patches.edges[1] == pytest.approx(0.31)
    assert coarse.prediction.patches.tokens < fine.prediction.patches.tokens
    assert coarse.prediction.patches.multiply_adds < fine.prediction.patches.multiply_adds


def test_what_is_heard_is_part_of_what_runs_share():
    network = audio_transformer("front")
    first = trace(network, CLIP, hearing=Hearing(0.5))
    assert is_known(network, CLIP, None, first, Hearing(0.5))
    assert not is_known(network, CLIP, None, first)
    assert trace(network, CLIP, None, first, Hearing(0.5)) is first
    other = trace(network, CLIP, LayerSettings(stride=3.0), first, Hearing(0.5))
    assert other.mel is first.mel
    assert other.prediction.values == trace(network, CLIP, LayerSettings(stride=3.0), hearing=Hearing(0.5)).prediction.values
    assert trace(network, CLIP, None, first).mel.shape[1] > first.mel.shape[1]


def test_a_length_beyond_the_end_is_all_of_the_clip():
    assert trace(audio_transformer("elastic"), CLIP, hearing=Hearing(60.0, 2.0)).hearing == Hearing(None, 2.0)


@pytest.mark.parametrize(("seconds", "resolution"), [(0, 1), (-1, 1), (float("nan"), 1), (None, 0), (None, float("inf"))])
def test_what_leaves_no_frame_is_refused(seconds: float | None, resolution: float):
    with pytest.raises(ValueError, match=r"give a (length|resolution) above 0"):
        Hearing(seconds, resolution)


@pytest.mark.parametrize("kind", KINDS)
def test_less_than_a_patch_is_one_column(kind: str):
    """A clip of two samples, as coarse as a slider goes."""
    tiny = replace(CLIP, samples=CLIP.samples[:2], seconds=2 / 16_000)
    for run in (trace(audio_transformer(kind), tiny), trace(audio_transformer(kind), CLIP, hearing=Hearing(1e-5, 4.0))):
        assert run.prediction.patches.columns == 1
        assert 0 < run.prediction.patches.edges[-1] <= 2 / 16_000
        assert np.isfinite(run.prediction.patches.weights).all()


def test_a_network_of_another_kind_hears_whole_clips():
    with pytest.raises(ValueError, match="hears whole clips at one resolution: choose a network of patches"):
        trace(checkpoints.load("digits-adastride"), CLIP, hearing=Hearing(0.5))


def test_too_long_a_clip_is_refused():
    """More tokens than attention can be worked out for in minutes; the viewer says what to choose."""
    network = audio_transformer("elastic", width=4, heads=1, blocks=1)
    with pytest.raises(ValueError, match="more than 65536"), torch.no_grad():
        network.looked_at(torch.zeros(1, 128, 16 * 8193))


def glance_of(run: Trace) -> Glance:
    return glance(run, sound_of(run))


def test_the_sentence_says_where_the_answer_comes_from():
    silence = np.zeros(24_000, np.float32)
    silence[8000:16000] = speech(0.5, rate=16_000).samples
    run = trace(audio_transformer("elastic"), silence)
    found = glance_of(run)
    assert found.layer == 0
    share = run.prediction.patches.weights.sum(axis=0)
    assert found.weight == pytest.approx(share[4:6].sum(), abs=0.15)
    assert found.text == (
        f"The sound fills {found.sound:.0%} of the clip; no layer of this network has a stride to adapt. "
        f"{found.weight:.0%} of the answer comes from the sound."
    ).replace("%", " %")
    assert glance_of(trace(audio_transformer("front"), silence, hearing=Hearing(0.9))).text.startswith("The sound fills 4")


def test_what_an_ast_attends_to_in_its_padding_is_no_part_of_the_sound():
    """Half a second of sound alone, where the AST of two seconds looks at three times as much padding."""
    loud = 0.3 * np.random.default_rng(0).standard_normal(8_000).astype(np.float32)
    run = trace(audio_transformer("ast"), loud)
    patches = run.prediction.patches
    assert patches.weights.sum() < 0.9
    found = glance_of(run)
    assert found.weight == pytest.approx(patches.weights.sum(), abs=0.01)
    assert found.text == f"The sound fills the whole clip. {found.weight:.0%} of the answer comes from the sound.".replace("%", " %")
    assert glance_of(trace(audio_transformer("elastic"), 0 * loud)).text == "The clip is silent throughout."
