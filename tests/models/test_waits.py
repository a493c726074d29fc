"""A network that runs on an accelerator waits for it at most once: a look at a tensor's numbers is a wait."""

from collections import Counter

import pytest
import torch
from waiting import waits as waits

from adastride.models import Classifier, ClassifierConfig


@pytest.mark.parametrize("method", ["adastride", "adastride-f", "strided-conv", "cif"])
def test_a_whole_network_waits_once_for_lengths_and_never_without(waits: Counter, method: str):
    network = Classifier(ClassifierConfig(("yes", "no"), (method,) * 3, width=8)).eval()
    signal = torch.randn(2, 80, 40)
    waits.clear()
    network(signal)
    assert not waits
    network(signal, torch.tensor([40, 25]))
    assert waits.total() == 1
