"""Checkpoints: what is saved comes back, and every file that is not a whole checkpoint gives one sentence."""

from __future__ import annotations

import json
import pickle
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import ClassVar, Literal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save

from adastride import checkpoints
from adastride.audio import PRESETS, MelPreset
from adastride.checkpoints import CheckpointError, load, load_bytes, save_checkpoint
from adastride.models import Classifier, ClassifierConfig
from adastride.models.network import NetworkConfig
from checkpoints.ship import CALLED

CONFIG = ClassifierConfig(("no", "yes"), ("strided-conv", "adastride-f", "adastride"), (2, 2.5, 3), sigma=0.3, width=4)
DETAILS = {"licence": ["A line."], "metrics": {"accuracy": 0.5}}


@pytest.fixture
def model() -> Classifier:
    torch.manual_seed(0)
    return Classifier(CONFIG).eval()


@pytest.fixture
def path(tmp_path: Path, model: Classifier) -> Path:
    """A whole checkpoint."""
    save_checkpoint(model, tmp_path / "good.safetensors", DETAILS)
    return tmp_path / "good.safetensors"


def edit(path: Path, tensors: dict | None = None, header: object = ..., **config: object) -> Path:
    """A copy of a checkpoint with tensors replaced (None leaves one out), settings changed, or another header."""
    with safe_open(path, framework="pt") as file:
        whole = json.loads(file.metadata()["adastride"])
    whole["config"].update(config)
    changed = {name: t for name, t in {**load_file(path), **(tensors or {})}.items() if t is not None}
    text = json.dumps(whole if header is ... else header)
    path.with_stem("edited").write_bytes(save(changed, {"adastride": text}))
    return path.with_stem("edited")


def refuses(name_or_path: str | Path, says: str) -> None:
    with pytest.raises(CheckpointError, match=says) as caught:
        load(name_or_path)
    text = str(caught.value)
    assert text.endswith(".")
    assert "\n" not in text
    assert ". " not in text


# --- there and back


def test_a_saved_model_comes_back(path: Path, model: Classifier):
    loaded = load(path)
    assert loaded.config == CONFIG
    assert loaded.name == "good"
    assert not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())
    for name, value in model.state_dict().items():
        ours = loaded.state_dict()[name]
        assert ours.dtype == (torch.float32 if value.is_floating_point() else value.dtype)
        torch.testing.assert_close(ours, value, rtol=1e-3, atol=1e-6)
    mel = torch.randn(1, 80, 30) - 5
    torch.testing.assert_close(loaded(mel).head, model(mel).head.detach(), rtol=1e-2, atol=1e-2)


def test_weights_take_half_the_room_on_disk(path: Path):
    kept = load_file(path)
    assert {t.dtype for t in kept.values() if t.dim() > 1} == {torch.float16}
    assert {t.dtype for t in kept.values() if t.dim() <= 1} == {torch.float32, torch.int64}


def test_details_are_read_without_the_weights(path: Path):
    header = checkpoints.details(path)
    assert header["details"] == DETAILS
    assert header["format"] == checkpoints.FORMAT
    assert ClassifierConfig(**header["config"]) == CONFIG


def test_the_same_model_makes_the_same_file(path: Path, model: Classifier):
    again = path.with_stem("again")
    save_checkpoint(model, again, DETAILS)
    assert again.read_bytes() == path.read_bytes()


def test_saving_leaves_the_model_as_it_was(tmp_path: Path, model: Classifier):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    save_checkpoint(model, tmp_path / "new" / "folder" / "m.safetensors", {})
    assert all(torch.equal(value, before[name]) and value.dtype == before[name].dtype for name, value in model.state_dict().items())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_weights_of_another_precision_are_welcome(path: Path, dtype: torch.dtype):
    wide = edit(path, {name: t.to(dtype) for name, t in load_file(path).items() if t.is_floating_point()})
    assert {t.dtype for t in load(wide).state_dict().values()} == {torch.float32, torch.int64}


def test_a_path_may_be_a_string(path: Path):
    assert load(str(path)).config == CONFIG


def test_the_catalogue_lists_files_that_load():
    for name, entry in checkpoints.catalogue().items():
        assert entry.name == name
        assert entry.title
        assert entry.description
        usual = f"{entry.task}-{entry.method}"
        assert name == CALLED.get(usual, usual) or entry.sigma_inv2 is not None
        (value,) = entry.metrics.values()
        assert 0 < value <= 1
        assert entry.clips > 0
        assert load(name).name == name


def test_a_name_of_the_catalogue(path: Path, monkeypatch: pytest.MonkeyPatch):
    entry = checkpoints.CatalogueEntry("small", path, "Small", "A small one.", "digits", "adastride", 5, 0.9, 100)
    monkeypatch.setattr(checkpoints, "catalogue", lambda: {"small": entry})
    assert load("small").name == "small"
    refuses("large", "there is no checkpoint 'large': choose small")


def test_the_checkout_has_every_checkpoint_of_the_catalogue():
    entries = json.loads((checkpoints.FOLDER / "catalogue.json").read_text(encoding="utf-8"))
    assert [*checkpoints.catalogue(), *checkpoints.picture_catalogue()] == [entry["name"] for entry in entries]


def test_a_checkpoint_that_is_not_here_is_not_listed(monkeypatch: pytest.MonkeyPatch):
    """An installed wheel: the whole catalogue, and the files of one checkpoint."""
    shipped = checkpoints.shipped()
    here = {name: entry if name == "digits-adastride" else replace(entry, path=Path("elsewhere") / entry.path.name) for name, entry in shipped.items()}
    monkeypatch.setattr(checkpoints, "shipped", lambda: here)
    checkpoints.catalogue.cache_clear()
    try:
        assert list(checkpoints.catalogue()) == ["digits-adastride"]
        assert load("digits-adastride").name == "digits-adastride"
        refuses("commands-adastride", "is not part of this installation: get checkpoints/commands-adastride.safetensors")
    finally:
        checkpoints.catalogue.cache_clear()


# --- what is not a checkpoint


def test_wrong_shape(path: Path):
    edited = edit(path, {"projection.weight": torch.zeros(4, 81, 1)})
    refuses(edited, r"projection\.weight with shape \(4, 81, 1\) where its settings need \(4, 80, 1\)")


def test_other_width_than_it_says(path: Path):
    refuses(edit(path, width=8), r"with shape .* where its settings need")


def test_missing_tensor(path: Path):
    refuses(edit(path, {"classifier.bias": None}), r"lacks tensor classifier\.bias")


def test_unknown_tensor(path: Path):
    refuses(edit(path, {"extra": torch.zeros(1)}), "has an unknown tensor extra")


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_weights_that_are_not_numbers(path: Path, value: float):
    weights = load_file(path)["classifier.weight"]
    weights[0, 0] = value
    refuses(edit(path, {"classifier.weight": weights}), r"classifier\.weight that are not numbers")


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.complex64, torch.float8_e4m3fn], ids=str)
def test_weights_of_a_type_no_network_has(path: Path, dtype: torch.dtype):
    refuses(edit(path, {"classifier.weight": load_file(path)["classifier.weight"].to(dtype)}), r"edited\.safetensors")


@pytest.mark.parametrize("header", [None, {}, [], "text", 3, {"config": None}, {"format": 1}, {"format": 1, "config": []}], ids=str)
def test_missing_settings(path: Path, header: object):
    refuses(edit(path, header=header), "carries no AdaStride settings")


def test_no_header_at_all(path: Path):
    path.write_bytes(save(load_file(path)))
    refuses(path, "carries no AdaStride settings")


def test_a_header_that_is_not_json(path: Path):
    path.write_bytes(save(load_file(path), {"adastride": "{"}))
    refuses(path, "can't be read")


def test_a_header_nested_without_end(path: Path):
    path.write_bytes(save(load_file(path), {"adastride": "[" * 100_000}))
    refuses(path, r"good\.safetensors")


@pytest.mark.parametrize("version", [checkpoints.FORMAT + 1, 99])
def test_newer_format(path: Path, version: int):
    header = checkpoints.details(path)
    refuses(edit(path, header={**header, "format": version}), "newer version of this program")


@pytest.mark.parametrize("config", [
    {"labels": []}, {"labels": None},
    {"methods": ["adastride"]}, {"methods": ["adastride", "adastride", "fourier"]}, {"methods": [[], [], []]},
    {"strides": [2, 2]}, {"strides": [2, 2, 0]}, {"strides": ["a", "b", "c"]}, {"strides": None},
    {"sigma": 0}, {"sigma": "abc"}, {"sigma": None},
    {"width": 0}, {"width": "4"}, {"width": 4.5}, {"width": 10**9}, {"front_end": "telephone"}, {"front_end": []}, {"colour": "blue"},
    {"strides": [10**400, 2, 2]}, {"sigma": 10**400}, {"width": 10**400}, {"sigma": "0.4"}, {"strides": ["2", "2", "2"]},
    {"labels": "ab"}, {"labels": [1, 2]},
    {"strides": [True, 2, 2]}, {"learn_sigma": 1}, {"parameters": {"smoothness": "3"}}, {"parameters": []},
    {"labels": {"a": 1, "b": 2}}, {"labels": [[], []]},
    {"parameters": {"sigma": {}}}, {"kind": "classifier"}, {"labels": ["a", "b" * 20_000]}, {"__class__": 1}, {"methods": 3},
    {"sigma": -0.0},
], ids=lambda config: str(config)[:40])
def test_settings_that_cannot_be(path: Path, config: dict):
    refuses(edit(path, **config), "settings this version can't use")


@pytest.mark.parametrize("kind", [3, None, [], {}, ["classifier"], True, "tower", 10**400], ids=lambda kind: str(kind)[:20])
def test_a_kind_that_is_none(path: Path, kind: object):
    refuses(edit(path, header={**checkpoints.details(path), "kind": kind}), "newer version of this program")


@pytest.mark.parametrize("version", [True, 1.0, "1", None, []], ids=str)
def test_a_format_that_is_none(path: Path, version: object):
    refuses(edit(path, header={**checkpoints.details(path), "format": version}), "newer version of this program")


def test_a_number_of_more_digits_than_python_reads(path: Path):
    path.write_bytes(save(load_file(path), {"adastride": '{"format": ' + "9" * 5000 + "}"}))
    refuses(path, "can't be read")
    refuses_bytes(path.read_bytes(), "can't be read")


def test_a_tensor_with_an_odd_name(path: Path):
    refuses(edit(path, {"a\n\u202e" + "b" * 1000: torch.zeros(1)}), "has an unknown tensor")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from([10**400, -(10**400), 1e308, "3", "adastride"]),
    lambda values: st.lists(values, max_size=4) | st.dictionaries(st.text(max_size=5), values, max_size=3), max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([field.name for field in fields(ClassifierConfig)] + ["kind", "other"]), JSON, min_size=1, max_size=3))
def test_any_settings_are_a_network_or_one_error(values: dict):
    """The error is ValueError alone, which `load` tells of as CheckpointError."""
    with suppress(ValueError):
        config = ClassifierConfig.from_dict({**CONFIG.to_dict(), **values})
        assert ClassifierConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@dataclass(frozen=True)
class Part:
    size: int
    share: float = 0.5


@dataclass(frozen=True)
class OtherConfig(NetworkConfig):
    """Fields of every type that a kind of network may have."""

    kind: ClassVar[str] = "other"

    parts: tuple[Part, ...]
    pair: tuple[int, str] = (1, "a")
    mode: Literal["slow", "fast"] = "slow"
    limit: float | None = None
    by_name: dict[str, float] = field(default_factory=dict, hash=False)

    @property
    def methods(self) -> tuple[str, ...]:
        return ("adastride",)

    @property
    def mel(self) -> MelPreset:
        return PRESETS["classification"]


def test_settings_of_another_kind_are_checked_by_their_types():
    config = OtherConfig((Part(3), Part(4, 0.25)), (2, "b"), "fast", 0.5, {"a": 1.5})
    assert OtherConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert OtherConfig.from_dict({"parts": []}) == OtherConfig(())
    good = config.to_dict()
    for wrong in (
        {"parts": [{"size": "3"}]}, {"parts": [{}]}, {"parts": [3]}, {"parts": [{"size": 3, "colour": 1}]}, {"pair": [1]},
        {"pair": ["a", 1]},
        {"mode": "other"}, {"limit": "x"}, {"limit": 10**400}, {"by_name": {"a": None}}, {"parts": [{"size": 2**40}]},
    ):
        with pytest.raises(ValueError, match=r"can't be|unknown field|missing|expected fields"):
            OtherConfig.from_dict({**good, **wrong})


def test_every_kind_s_settings_come_back():
    """A field of a type that `from_dict` does not know would be refused."""
    for name in checkpoints.catalogue():
        config = load(name).config
        assert type(config).from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_missing_labels(path: Path):
    header = checkpoints.details(path)
    del header["config"]["labels"]
    refuses(edit(path, header=header), "settings this version can't use")


class Malicious:
    """A pickle that would leave a file if anything unpickled it."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


def test_a_pickle_renamed_is_refused_and_not_opened(tmp_path: Path):
    file, mark = tmp_path / "m.safetensors", tmp_path / "was-opened"
    file.write_bytes(pickle.dumps(Malicious(mark)))
    refuses(file, "can't be read as safetensors")
    torch.save({"weight": torch.zeros(3)}, file)
    refuses(file, "can't be read as safetensors")
    assert not mark.exists()


@pytest.mark.parametrize("data", [b"", b"x", b"This is a text.\n" * 100, b"\xff" * 100, bytes(100)], ids=len)
def test_not_safetensors(tmp_path: Path, data: bytes):
    (tmp_path / "m.safetensors").write_bytes(data)
    refuses(tmp_path / "m.safetensors", "can't be read as safetensors|carries no AdaStride settings")


@pytest.mark.parametrize("kept", [0.01, 0.5, 0.99])
def test_truncated(path: Path, kept: float):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    refuses(path, "can't be read as safetensors")


def test_a_file_too_large_is_not_opened(tmp_path: Path):
    with (tmp_path / "m.safetensors").open("wb") as file:
        file.truncate(checkpoints.MAX_BYTES + 1)  # sparse: takes no room on disk
    refuses(tmp_path / "m.safetensors", "has 200 MB, more than the 200 MB")


@pytest.mark.parametrize("name", [
    "unknown", "", " ", ".", "..", "/", "../../etc/passwd", "/etc/passwd", "..\\..\\secrets", "../checkpoints", "catalogue.json", "~",
    "none.safetensors", "../none.safetensors", "a\0b.safetensors", "a\nb", "\ud800.safetensors", "x" * 5000, "x" * 5000 + ".safetensors",
    "https://example.org/m.safetensors",
], ids=lambda name: ascii(name[:20]))
def test_names_that_lead_nowhere(name: str):
    refuses(name, "there is no checkpoint")


def test_a_folder_is_not_a_checkpoint(tmp_path: Path):
    (tmp_path / "m.safetensors").mkdir()
    refuses(tmp_path / "m.safetensors", "there is no checkpoint")


# --- what somebody sends to the page


def refuses_bytes(data: bytes, says: str) -> None:
    with pytest.raises(CheckpointError, match=says) as caught:
        load_bytes(data, "mine.safetensors")
    text = str(caught.value)
    assert text.startswith("mine.safetensors ")
    assert text.endswith(".")
    assert "\n" not in text


def test_bytes_are_the_network_of_their_file(path: Path):
    from_bytes, from_file = load_bytes(path.read_bytes(), "mine.safetensors"), load(path)
    assert from_bytes.config == from_file.config
    assert not from_bytes.training
    assert all(torch.equal(value, from_file.state_dict()[name]) for name, value in from_bytes.state_dict().items())


def test_bytes_are_named_by_their_content(path: Path):
    one, again = (load_bytes(path.read_bytes(), name).name for name in ("digits-adastride", "other.safetensors"))
    other = load_bytes(edit(path, {"classifier.bias": torch.ones(2)}).read_bytes(), "digits-adastride").name
    assert one == again != other
    assert one not in checkpoints.catalogue()


def test_bytes_are_checked_as_files_are(path: Path):
    data = path.read_bytes()
    for broken in (b"", b"x", b"\xff" * 100, data[:-1], data[: len(data) // 2], pickle.dumps({"a": 1})):
        refuses_bytes(broken, "can't be read as safetensors")
    refuses_bytes(save({"a": torch.zeros(1)}), "carries no AdaStride settings")
    refuses_bytes(edit(path, header=[]).read_bytes(), "carries no AdaStride settings")
    refuses_bytes(edit(path, {"classifier.bias": None}).read_bytes(), r"lacks tensor classifier\.bias")
    refuses_bytes(edit(path, {"classifier.bias": torch.full((2,), torch.nan)}).read_bytes(), "not numbers")
    refuses_bytes(edit(path, width=8).read_bytes(), "with shape")


def test_bytes_too_many_are_not_read(path: Path):
    refuses_bytes(bytes(checkpoints.MAX_OWN_BYTES + 1_000_000), "has 41 MB, more than the 40 MB")


@pytest.mark.parametrize("labels", [tuple(map(str, range(201))), ("a", "b" * 101)], ids=["many", "long"])
def test_more_classes_than_a_page_shows(tmp_path: Path, labels: tuple[str, ...]):
    save_checkpoint(Classifier(ClassifierConfig(labels, width=4)), tmp_path / "m.safetensors", {})
    assert load(tmp_path / "m.safetensors").config.labels == labels
    refuses_bytes((tmp_path / "m.safetensors").read_bytes(), "more than the 200 of 100 letters")
