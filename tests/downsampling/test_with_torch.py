"""Layers among torch's own tools: copies, pickles, hooks, precision, compilers, functional calls, and how often they wait for a device."""

from __future__ import annotations

import copy
import io
import pickle
from collections import Counter
from multiprocessing.reduction import ForkingPickler

import pytest
import torch
from torch import Tensor
from torch.nn.utils import parametrizations, prune
from waiting import waits as waits

from adastride.alignment import Alignment, check_lengths, known_lengths, output_lengths, unit_positions, whole_numbers
from adastride.downsampling import METHODS, AdaStride, Downsampler, build
from adastride.downsampling.lowpass import LowPassAdaStride
from adastride.models import Classifier, ClassifierConfig

PLACING = ["adastride", "adastride-f", "lpf-adastride"]
SCORED = [*PLACING, "cif"]
EVERY_METHOD = pytest.mark.parametrize("key", METHODS)
LENGTHS = torch.tensor([40, 25])


def make(key: str, **parameters) -> Downsampler:
    torch.manual_seed(0)
    layer = METHODS[key].build(4, stride=2.5, **parameters)
    if layer.scored:
        torch.nn.init.normal_(layer.score.weight)
    return layer


def signal() -> Tensor:
    return torch.randn(2, 4, 40, generator=torch.Generator().manual_seed(1))


def gradients(layer: Downsampler, run=None) -> list[Tensor]:
    """Of the values and the position loss, to the input and all parameters."""
    x = signal().requires_grad_()
    down = (layer if run is None else run)(x, LENGTHS)
    return list(torch.autograd.grad(down.values.square().sum() + down.position_loss, [x, *layer.parameters()], allow_unused=True))


def agree(ours: list[Tensor | None], theirs: list[Tensor | None], tolerance: float = 1e-4) -> None:
    for one, other in zip(ours, theirs, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance / 10)


# --- a learned sigma


@pytest.mark.parametrize("key", PLACING)
def test_a_layer_with_a_learned_sigma_can_be_copied_and_pickled(key: str):
    layer = make(key, sigma=0.7, learn_sigma=True)
    assert set(layer.state_dict()) == {"log_sigma", "score.weight"}
    layer.log_sigma.data += 0.5
    kept = io.BytesIO()
    torch.save(layer, kept)
    kept.seek(0)
    copies = (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), pickle.loads(ForkingPickler.dumps(layer)), torch.load(kept, weights_only=False))
    for other in copies:
        assert type(other) is type(layer)
        assert other.sigma == layer.sigma == pytest.approx(0.7 * 1.6487213, rel=1e-6)
        torch.testing.assert_close(other(signal(), LENGTHS).values, layer(signal(), LENGTHS).values, rtol=0, atol=0)
        agree(gradients(other), gradients(layer))
        assert other.log_sigma is not layer.log_sigma


def test_a_network_with_learned_sigmas_can_be_copied_and_pickled():
    network = Classifier(ClassifierConfig(("a", "b"), ("adastride", "adastride-f", "lpf-adastride"), width=4, learn_sigma=True)).eval()
    mel = torch.randn(1, network.config.mel.n_mels, 30)
    for other in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        torch.testing.assert_close(other(mel).head, network(mel).head, rtol=0, atol=0)


class WithNetwork(torch.utils.data.Dataset):
    """Sounds that a network shortens, as a loader's worker would."""

    def __init__(self, layer: Downsampler):
        self.layer = layer

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Tensor:
        with torch.inference_mode():
            return self.layer(signal()[index : index + 1]).values[0].clone()


def test_a_data_loader_with_workers_holds_a_layer_with_a_learned_sigma():
    dataset = WithNetwork(make("adastride", learn_sigma=True))
    (batch,) = torch.utils.data.DataLoader(dataset, batch_size=2, num_workers=1, multiprocessing_context="fork")
    torch.testing.assert_close(batch, torch.stack([dataset[0], dataset[1]]))


def test_a_sigma_can_be_set_on_either_kind_of_layer():
    for learn in (False, True):
        layer = LowPassAdaStride(4, learn_sigma=learn)
        layer.sigma = 2.0
        assert layer.sigma == pytest.approx(2.0)
        with pytest.raises(ValueError, match="sigma must be"):
            layer.sigma = -1.0


# --- hooks, parametrisations, pruning


@pytest.mark.parametrize("key", SCORED)
def test_hooks_on_the_score_are_called_and_count(key: str):
    layer = make(key)
    plain = layer(signal(), LENGTHS).alignment.positions
    doubled = make(key)
    doubled.score.weight.data *= 2
    expected = doubled(signal(), LENGTHS).alignment.positions
    assert not torch.allclose(plain, expected)
    with layer.score.register_forward_hook(lambda module, inputs, output: output * 2):
        torch.testing.assert_close(layer(signal(), LENGTHS).alignment.positions, expected)
    with layer.score.register_forward_pre_hook(lambda module, inputs: (inputs[0] * 2,)):
        torch.testing.assert_close(layer(signal(), LENGTHS).alignment.positions, expected)
    torch.testing.assert_close(layer(signal(), LENGTHS).alignment.positions, plain)


@pytest.mark.parametrize("key", SCORED)
def test_a_score_can_be_pruned_and_parametrised(key: str):
    layer, masked = make(key), make(key)
    mask = torch.tensor([1.0, 0.0, 1.0, 0.0]).view(1, 4, 1)
    masked.score.weight.data *= mask
    prune.custom_from_mask(layer.score, "weight", mask)
    torch.testing.assert_close(layer(signal(), LENGTHS).values, masked(signal(), LENGTHS).values)
    normed = make(key)
    parametrizations.weight_norm(normed.score)
    torch.testing.assert_close(normed(signal(), LENGTHS).values, make(key)(signal(), LENGTHS).values)
    normed.score.parametrizations.weight.original0.data *= 2
    assert not torch.allclose(normed(signal(), LENGTHS).values, make(key)(signal(), LENGTHS).values)


@pytest.mark.parametrize("key", SCORED)
def test_a_score_keeps_its_name_in_a_state_dict(key: str):
    assert list(make(key).state_dict()) == ["score.weight"]
    assert make(key).score.weight.shape == (1, 4, 1)


# --- precision


@EVERY_METHOD
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
def test_the_position_loss_is_float32_at_least(key: str, dtype: torch.dtype):
    layer = make(key).to(dtype)
    down = layer(signal().to(dtype), LENGTHS)
    assert down.position_loss.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert down.values.dtype == dtype


# --- what changes behind torch's back


@pytest.mark.parametrize("nearest", [False, True])
def test_positions_changed_between_forward_and_backward_are_noticed(nearest: bool):
    counts = torch.tensor([30])
    aligned = Alignment(unit_positions(torch.zeros(1, 30, requires_grad=True), counts), counts, output_lengths(counts, 2.0), 0.5, nearest)
    result = aligned.pool(torch.randn(1, 2, 30)).sum()
    with torch.no_grad():
        aligned.positions.mul_(0.5)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        result.backward()


def test_positions_changed_between_two_products_count():
    counts = torch.tensor([30])
    aligned = Alignment(unit_positions(torch.zeros(1, 30), counts), counts, output_lengths(counts, 2.0), 0.5)
    x = torch.randn(1, 2, 30)
    aligned.pool(x)
    aligned.positions.mul_(0.5)
    torch.testing.assert_close(aligned.pool(x), (x.double() @ aligned.dense().double().transpose(1, 2)).float(), rtol=1e-4, atol=1e-4)


def test_lengths_remember_their_numbers_until_they_change():
    lengths = known_lengths([3, 5], torch.device("cpu"))
    assert whole_numbers(lengths) == (3, 5)
    lengths[0] = 4
    assert whole_numbers(lengths) == (4, 5)
    given = torch.tensor([3, 5])
    checked = check_lengths(given, torch.zeros(2, 1, 5))
    given[0] = 1
    assert checked.tolist() == [3, 5]


# --- compilers and functional calls


@pytest.mark.parametrize(("key", "backend"), [("adastride", "eager"), ("adastride-f", "eager"), ("cif", "eager"), ("adastride", "aot_eager")])
def test_compiled_layers_give_the_same_numbers(key: str, backend: str):
    torch.compiler.reset()
    layer = make(key)
    compiled = torch.compile(layer, backend=backend)
    torch.testing.assert_close(compiled(signal(), LENGTHS).values, layer(signal(), LENGTHS).values)
    agree(gradients(layer, compiled), gradients(layer), tolerance=1e-3)  # a compiler sums in another order


def test_a_compiled_network_gives_the_same_numbers():
    torch.compiler.reset()
    network = Classifier(ClassifierConfig(("a", "b"), width=4, learn_sigma=True)).eval()
    mel = torch.randn(1, network.config.mel.n_mels, 30)
    compiled = torch.compile(network, backend="eager")
    torch.testing.assert_close(compiled(mel).head, network(mel).head)
    expected = torch.autograd.grad(network(mel).head.sum(), list(network.parameters()))
    agree(list(torch.autograd.grad(compiled(mel).head.sum(), list(network.parameters()))), list(expected), tolerance=1e-3)


@EVERY_METHOD
def test_functional_calls_use_the_weights_they_are_given(key: str):
    layer, other = make(key), make(key)
    for parameter in other.parameters():
        parameter.data *= 1.5
    replaced = dict(other.named_parameters())
    torch.testing.assert_close(torch.func.functional_call(layer, replaced, (signal(), LENGTHS)).values, other(signal(), LENGTHS).values)
    x = signal().requires_grad_()
    down = torch.func.functional_call(layer, replaced, (x, LENGTHS))
    got = torch.autograd.grad(down.values.square().sum() + down.position_loss, [x, *replaced.values()], allow_unused=True)
    agree(list(got), gradients(other))


@pytest.mark.parametrize("key", [*SCORED, "a-tome"])
def test_vmap_and_functional_gradients_are_refused_in_a_sentence(key: str):
    layer = make(key)
    with pytest.raises(RuntimeError, match=r"neither torch\.vmap nor the transforms of torch\.func"):
        torch.vmap(lambda x: layer(x[None]).values)(signal())
    if key != "a-tome":
        with pytest.raises(RuntimeError, match=r"neither torch\.vmap nor the transforms of torch\.func"):
            torch.func.grad(lambda x: layer(x).values.sum())(signal())


@pytest.mark.parametrize("key", SCORED)
def test_second_derivatives_are_refused_in_a_sentence(key: str):
    x = signal().requires_grad_()
    (slope,) = torch.autograd.grad(make(key)(x, LENGTHS).values.square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="differentiate twice"):
        slope.sum().backward()


# --- waits


def test_what_is_counted(waits: Counter):
    assert int(torch.tensor(1)) == float(torch.tensor(1.0)) == torch.tensor([1]).tolist()[0] == 1
    assert waits == {"__int__": 1, "__float__": 1, "tolist": 1}


WITHOUT_WAITS = ["strided-conv", "avg-pool", "max-pool", "soft-pool", "blur-pool", "spectral-pool", *SCORED]


@pytest.mark.parametrize("key", WITHOUT_WAITS)
def test_a_layer_waits_once_for_lengths_and_never_without(key: str, waits: Counter):
    layer, x, lengths = make(key), signal(), torch.tensor([40, 25])
    waits.clear()
    layer(x)
    assert not waits
    down = layer(x, lengths)
    assert waits.total() == 1
    layer.shortcut(x, check_lengths(None, x), down)
    build("adastride", 4, 2.0)(down.values, down.lengths)
    assert waits.total() == 1, "what a layer returns is known to the next"


def test_a_long_clip_waits_once_for_its_windows(waits: Counter):
    layer = AdaStride(2)
    layer(torch.randn(1, 2, 4000))
    assert waits.total() == 1


@pytest.mark.parametrize("lengths", [None, [40, 25]])
def test_gradients_come_without_waits(lengths: list[int] | None, waits: Counter):
    layer, x = make("adastride"), signal().requires_grad_()
    down = layer(x, None if lengths is None else torch.tensor(lengths))
    waits.clear()
    (down.values.sum() + down.position_loss).backward()
    assert not waits
