"""The classifier: padding, settings and resumed runs never change what a clip gives, and threads can share the network."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor

from adastride.downsampling import METHODS, AdaStride, LayerSettings, StridedConvolution
from adastride.models import Classifier, ClassifierConfig
from adastride.models.classifier import MaskedBatchNorm, network_options

LABELS = ("no", "perhaps", "yes")
ADASTRIDE_S = ("strided-conv", "strided-conv", "adastride")
MIXED = ("adastride-f", "strided-conv", "adastride")
METHODS_OF_THREE = pytest.mark.parametrize("methods", [*((key,) * 3 for key in METHODS), ADASTRIDE_S, MIXED], ids=str)
SETTINGS = [
    (LayerSettings(sigma=2.0), None, None),
    (None, LayerSettings(stride=3.3), None),
    (None, None, LayerSettings(variant="adastride-f")),
    (LayerSettings(0.05, 1.0, "adastride"), LayerSettings(1.0, 5.0, "adastride-f"), LayerSettings(3.0, 1.5)),
]


def make(methods: tuple[str, ...] = ("adastride",) * 3, **changes) -> Classifier:
    """A small network in float64 whose every weight and statistic is away from its start."""
    torch.manual_seed(0)
    model = Classifier(ClassifierConfig(LABELS, methods, **{"width": 8, **changes})).double().eval()
    for name, value in model.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 2.0)
        elif value.is_floating_point():
            value.normal_(std=0.3)
    return model


def mels(*lengths: int) -> tuple[Tensor, Tensor]:
    """Made-up log-mels with rubbish past each length, and the lengths."""
    mel = torch.randn(len(lengths), 80, max(lengths), generator=torch.Generator().manual_seed(sum(lengths)), dtype=torch.float64) * 2 - 5
    for b, length in enumerate(lengths):
        mel[b, :, length:] = 50.0
    return mel, torch.tensor(lengths)


@METHODS_OF_THREE
def test_shapes(methods: tuple[str, ...]):
    model = make(methods, strides=(2, 3, 1.5) if "strided-conv" not in methods else (2, 3, 2))
    mel, lengths = mels(40, 13)
    output = model(mel, lengths)
    assert output.head.shape == (2, 3)
    assert output.position_loss.shape == ()
    assert len(output.downsampled) == len(output.resumes) == 3
    frames = [(40, 13)]
    for layer, down in zip(model.downsamplers, output.downsampled, strict=True):
        frames.append(tuple(layer.output_lengths(torch.tensor(frames[-1])).tolist()))
        assert tuple(down.lengths.tolist()) == frames[-1]
        assert down.values.shape == (2, 8, frames[-1][0])
    assert output.position_loss == sum(down.position_loss for down in output.downsampled)


def test_the_paper_s_network():
    model = make()
    assert len(model.blocks) == 6
    assert [block.downsampler is not None for block in model.blocks] == [True, False, True, False, True, False]
    assert model.projection.kernel_size == (1,)
    assert all(block.conv2.kernel_size == (3,) for block in model.blocks)
    assert model.config.mel.n_mels == 80


def test_adastride_s_has_strided_convolutions_below_the_last():
    kinds = [type(layer) for layer in make(ADASTRIDE_S).downsamplers]
    assert kinds == [StridedConvolution, StridedConvolution, AdaStride]
    assert [block.conv1 is None for block in make(ADASTRIDE_S).blocks] == [True, False, True, False, False, False]


def test_main_path_and_shortcut_share_the_alignment(monkeypatch: pytest.MonkeyPatch):
    """The score is read once a block; a shortcut with strides of its own would mix frames of different times."""
    calls = []
    align = AdaStride.align
    monkeypatch.setattr(AdaStride, "align", lambda self, *rest: calls.append(self) or align(self, *rest))
    model = make()
    model(*mels(40))
    assert calls == model.downsamplers


def test_configured_sigma_and_strides_reach_the_layers():
    layers = make(("adastride", "adastride-f", "strided-conv"), strides=(1.5, 2.5, 4), sigma=0.7).downsamplers
    assert [layer.stride for layer in layers] == [1.5, 2.5, 4]
    assert [layer.sigma for layer in layers[:2]] == [0.7, 0.7]


@pytest.mark.parametrize("bad", [
    {"labels": ("one",)}, {"labels": ("a", "a")}, {"labels": ()}, {"methods": ("adastride",)}, {"methods": ("adastride", "adastride", "x")},
    {"strides": (2.0, 2.0)}, {"strides": (0.5, 2.0, 2.0)}, {"sigma": 0.0}, {"width": 0}, {"width": 5000}, {"front_end": "telephone"},
], ids=str)
def test_a_configuration_that_cannot_be_is_refused(bad: dict):
    with pytest.raises(ValueError, match=r"label|method|stride|sigma|width|front end"):
        ClassifierConfig(**{"labels": LABELS, **bad})


@pytest.mark.parametrize("width", [16.5, "16", None])
def test_a_width_is_a_whole_number(width):
    with pytest.raises((TypeError, ValueError)):
        ClassifierConfig(LABELS, width=width)


def test_a_configuration_survives_its_dictionary():
    config = ClassifierConfig(LABELS, ADASTRIDE_S, (2, 4, 1.5), 0.3, 32)
    assert ClassifierConfig(**config.to_dict()) == config
    assert hash(config) == hash(ClassifierConfig(**config.to_dict()))


# --- padding


@METHODS_OF_THREE
@pytest.mark.parametrize("strides", [(2.0, 2.0, 2.0), (3.0, 1.0, 4.0), (1.3, 2.7, 1.0)], ids=str)
def test_padding_never_changes_a_result(methods: tuple[str, ...], strides: tuple[float, ...]):
    model = make(methods, strides=strides)
    lengths = (37, 5, 61, 1)
    mel, counts = mels(*lengths)
    together = model(torch.nn.functional.pad(mel, (0, 9), value=50.0), counts)
    for b, length in enumerate(lengths):
        alone = model(mel[b : b + 1, :, :length])
        torch.testing.assert_close(together.head[b], alone.head[0], msg=lambda text, length=length: f"{length} frames: {text}")


@METHODS_OF_THREE
def test_padding_gets_no_gradient_and_changes_none(methods: tuple[str, ...]):
    model = make(methods)
    mel, counts = mels(30, 11)
    mel.requires_grad_()
    model(mel, counts).head[1].square().sum().backward()
    assert (mel.grad[1, :, 11:] == 0).all()
    assert (mel.grad[0] == 0).all()
    alone = mel.detach()[1:, :, :11].clone().requires_grad_()
    model(alone).head.square().sum().backward()
    torch.testing.assert_close(mel.grad[1:, :, :11], alone.grad)


def test_batch_norm_counts_valid_frames_only():
    torch.manual_seed(0)
    x, mask = torch.randn(3, 4, 10), torch.arange(10) < torch.tensor([[10], [4], [1]])
    x = torch.where(mask[:, None], x, 1e6)
    masked, plain = MaskedBatchNorm(4).train(), torch.nn.BatchNorm1d(4).train()
    frames = x.transpose(1, 2)[mask]
    torch.testing.assert_close(masked(x, mask).transpose(1, 2)[mask], plain(frames))
    torch.testing.assert_close(masked.running_mean, plain.running_mean)
    torch.testing.assert_close(masked.running_var, plain.running_var)
    assert (masked(x, mask).transpose(1, 2)[~mask] == 0).all()
    torch.testing.assert_close(masked.eval()(x, mask), torch.nn.BatchNorm1d.forward(masked, x))


@METHODS_OF_THREE
def test_training_statistics_ignore_padding(methods: tuple[str, ...]):
    model, wide = make(methods).train(), make(methods).train()
    mel, counts = mels(30, 11)
    model(mel, counts).head.sum().backward()
    wide(torch.nn.functional.pad(mel, (0, 20), value=-300.0), counts).head.sum().backward()
    for name, value in model.state_dict().items():
        torch.testing.assert_close(wide.state_dict()[name], value, msg=lambda text, name=name: f"{name}: {text}")
    for (name, ours), theirs in zip(wide.named_parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, msg=lambda text, name=name: f"{name}: {text}")


# --- settings of one run


@METHODS_OF_THREE
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_a_run_with_settings_leaves_the_network_as_it_was(methods: tuple[str, ...], settings: tuple):
    model = make(methods)
    mel, counts = mels(40, 13)
    before = model(mel, counts).head
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    attributes = [{name: value for name, value in vars(layer).items() if not name.startswith("_")} for layer in model.downsamplers]
    model(mel, counts, settings)
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    assert [{name: value for name, value in vars(layer).items() if not name.startswith("_")} for layer in model.downsamplers] == attributes
    assert torch.equal(model(mel, counts).head, before)


def test_settings_give_what_a_network_built_that_way_gives():
    model = make()
    wanted = make(strides=(2.0, 3.3, 2.0), sigma=1.0)
    wanted.load_state_dict(model.state_dict())
    mel, counts = mels(40, 13)
    ours = model(mel, counts, [LayerSettings(sigma=1.0), LayerSettings(sigma=1.0, stride=3.3), LayerSettings(sigma=1.0)])
    torch.testing.assert_close(ours.head, wanted(mel, counts).head, rtol=0, atol=0)


def test_settings_are_one_for_each_layer():
    with pytest.raises(ValueError, match="expected settings for 3 layers, got 2"):
        make()(mels(9)[0], settings=[None, None])


def test_another_number_of_mel_bands_is_refused():
    with pytest.raises((ValueError, RuntimeError), match="80"):
        make()(torch.zeros(1, 40, 9, dtype=torch.float64))


@METHODS_OF_THREE
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("place", [0, 1, 2])
@torch.inference_mode()
def test_resuming_gives_what_a_whole_run_gives(methods: tuple[str, ...], settings: tuple, place: int):
    """Only settings of the resumed layer and those above may differ from the earlier run's."""
    model = make(methods)
    mel, counts = mels(40, 13)
    earlier = model(mel, counts)
    changed = (None,) * place + settings[place:]
    whole, resumed = model(mel, counts, changed), model(mel, counts, changed, earlier.resumes[: place + 1])
    assert torch.equal(resumed.head, whole.head)
    assert len(resumed.resumes) == 3
    assert len(resumed.downsampled) == 3 - place
    for ours, theirs in zip(resumed.downsampled, whole.downsampled[place:], strict=True):
        assert torch.equal(ours.values, theirs.values)
        assert torch.equal(ours.lengths, theirs.lengths)
    for ours, theirs in zip(resumed.resumes, whole.resumes, strict=True):
        assert torch.equal(ours.hidden, theirs.hidden)
        assert torch.equal(ours.carried[0], theirs.carried[0])


@torch.inference_mode()
def test_resumed_runs_can_be_resumed():
    """A drag resumes from the run before, again and again."""
    model, (mel, counts) = make(), mels(40)
    resumes = model(mel, counts).resumes
    for sigma in (0.1, 1.0, 10.0):
        settings = (None, LayerSettings(sigma=sigma), None)
        output = model(mel, counts, settings, resumes[:2])
        assert torch.equal(output.head, model(mel, counts, settings).head)
        resumes = output.resumes


def test_threads_share_a_network():
    """Two sessions dragging sigma never see each other's values."""
    model, (mel, counts) = make(), mels(60)
    settings = [
        (LayerSettings(sigma=0.05 * 1.3**i, stride=1 + i / 8), None, LayerSettings(variant=variant))
        for i in range(16) for variant in ("adastride", "adastride-f")
    ]

    @torch.inference_mode()
    def run(chosen: tuple) -> Tensor:
        return model(mel, counts, chosen).head

    expected = [run(chosen) for chosen in settings]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(run, settings * 3))
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(found, expected * 3, strict=True))
    assert len({tuple(logits[0].tolist()) for logits in expected}) == len(settings), "the settings make a difference"


def test_outputs_are_frozen():
    output = make()(mels(9)[0])
    with pytest.raises(dataclasses.FrozenInstanceError):
        output.head = None


def test_every_parameter_learns():
    model = make().train()
    output = model(*mels(40, 13))
    (output.head.square().sum() + output.position_loss).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.isfinite().all(), name
        assert (parameter.grad != 0).any(), name


@METHODS_OF_THREE
@pytest.mark.parametrize("length", [1, 2, 3])
def test_very_short_clips(methods: tuple[str, ...], length: int):
    assert make(methods)(mels(length)[0]).head.isfinite().all()


# --- options that came later


def test_a_learned_sigma_gets_a_gradient_and_reads_as_a_number():
    model = make(learn_sigma=True, sigma=0.5)
    for layer in model.downsamplers:
        layer.sigma = 0.5
    mel, lengths = mels(40, 23)
    output = model(mel, lengths)
    output.head[:, 0].sum().backward()
    for layer, down in zip(model.downsamplers, output.downsampled, strict=True):
        assert type(layer.sigma) is float
        assert layer.sigma == pytest.approx(0.5, rel=1e-6)
        assert down.alignment.sigma.requires_grad
        assert layer.log_sigma.grad is not None
        assert float(layer.log_sigma.grad) != 0


def test_a_learned_sigma_is_what_the_layers_run_with():
    model = make(learn_sigma=True)
    fixed = make()
    values = {name: value for name, value in model.state_dict().items() if not name.endswith("log_sigma")}
    fixed.load_state_dict(values)
    for one, other, sigma in zip(model.downsamplers, fixed.downsamplers, (0.2, 0.7, 2.0), strict=True):
        one.log_sigma.data.fill_(sigma).log_()
        other.sigma = sigma
    torch.testing.assert_close(model(*mels(40, 23)).head, fixed(*mels(40, 23)).head)


def test_settings_replace_a_learned_sigma():
    model = make(learn_sigma=True)
    chosen = model(*mels(40), settings=(LayerSettings(sigma=3.0),) * 3)
    assert [down.alignment.sigma for down in chosen.downsampled] == [3.0] * 3


@pytest.mark.parametrize("methods", [("adastride",) * 3, ("adastride-f",) * 3, ("lpf-adastride",) * 3, ADASTRIDE_S], ids=str)
def test_every_layer_with_a_sigma_can_learn_it(methods: tuple[str, ...]):
    names = [name for name, _ in Classifier(ClassifierConfig(LABELS, methods, width=4, learn_sigma=True)).named_parameters() if "log_sigma" in name]
    assert len(names) == sum("sigma" in METHODS[method].parameters for method in methods)


def test_other_parameters_reach_the_layers_that_take_them():
    config = ClassifierConfig(LABELS, ("diffstride", "blur-pool", "adastride"), width=4, parameters={"smoothness": 6.0, "filter_size": 5})
    layers = Classifier(config).downsamplers
    assert (layers[0].smoothness, layers[1].filter_size) == (6.0, 5)
    assert ClassifierConfig(**config.to_dict()) == config
    assert hash(ClassifierConfig(**config.to_dict())) == hash(config)


@pytest.mark.parametrize(("changes", "says"), [
    ({"parameters": {"smoothness": 4.0}}, "takes a parameter 'smoothness'"),
    ({"parameters": {"sigma": 1.0}}, "takes a parameter 'sigma'"),
    ({"methods": ("diffstride",) * 3, "parameters": {"smoothness": 99.0}}, "smoothness must be a number from 1 to 16, got 99"),
    ({"methods": ("diffstride",) * 3, "parameters": {"smoothness": float("nan")}}, "smoothness must be"),
    ({"methods": ("blur-pool",) * 3, "parameters": {"filter_size": 2.5}}, "filter_size must be a whole number from 2 to 7"),
    ({"methods": ("diffstride",) * 3, "learn_sigma": True}, "no sigma to learn in diffstride"),
    ({"learn_sigma": 1}, "learn_sigma must be true or false"),
], ids=str)
def test_options_that_cannot_be_are_refused(changes: dict, says: str):
    with pytest.raises(ValueError, match=says):
        ClassifierConfig(LABELS, **changes)


def test_a_configuration_of_before_still_builds():
    """Checkpoints written earlier say nothing of learn_sigma and parameters."""
    older = {name: value for name, value in ClassifierConfig(LABELS).to_dict().items() if name not in ("learn_sigma", "parameters")}
    assert ClassifierConfig(**older) == ClassifierConfig(LABELS)


def test_names_of_networks():
    assert network_options("blur-pool") == {"methods": ("blur-pool",) * 3}
    assert ClassifierConfig(LABELS, **network_options("adastride-sigma")).learn_sigma
    assert network_options("adastride-s")["methods"] == ADASTRIDE_S
    with pytest.raises(ValueError, match="there is no method 'magic': choose one of strided-conv"):
        network_options("magic")
