"""A network that runs on an accelerator waits for it at most once: a look at a tensor's numbers is a wait."""

from collections import Counter

import pytest
import torch
from torch import Tensor

from adastride.models import Classifier, ClassifierConfig


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Counter:
    """How often a tensor's numbers were asked for, in code that runs as on an accelerator."""
    monkeypatch.setattr("adastride.alignment.product._sliced", lambda values: False)
    for module in ("adastride.alignment.positions", "adastride.alignment.product"):
        monkeypatch.setattr(f"{module}.array", Tensor.detach)
    counts: Counter = Counter()
    for name in ("tolist", "item", "__int__", "__float__", "__bool__", "__index__", "cpu", "numpy", "nonzero", "unique"):

        def asked(self, *args, name=name, plain=getattr(Tensor, name), **kwargs):
            counts[name] += 1
            return plain(self, *args, **kwargs)

        monkeypatch.setattr(Tensor, name, asked)
    return counts


@pytest.mark.parametrize("method", ["adastride", "adastride-f", "strided-conv", "cif"])
def test_a_whole_network_waits_once_for_lengths_and_never_without(waits: Counter, method: str):
    network = Classifier(ClassifierConfig(("yes", "no"), (method,) * 3, width=8)).eval()
    signal = torch.randn(2, 80, 40)
    waits.clear()
    network(signal)
    assert not waits
    network(signal, torch.tensor([40, 25]))
    assert waits.total() == 1
