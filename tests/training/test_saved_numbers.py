"""What a checkpoint keeps of a network's numbers: half precision only where that is exact enough."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from adastride import checkpoints
from adastride.models import Classifier, ClassifierConfig


@pytest.fixture
def network() -> Classifier:
    torch.manual_seed(0)
    return Classifier(ClassifierConfig(("a", "b"), width=8)).eval()


def saved(network: Classifier, folder: Path) -> Classifier:
    checkpoints.save_checkpoint(network, folder / "m.safetensors", {})
    return checkpoints.load(folder / "m.safetensors")


def test_statistics_beyond_half_precision_survive(network: Classifier, tmp_path: Path):
    """A variance of 1e5 is more than float16 holds: it would come back as infinity, and the file as diverged."""
    network.norm.running_var.fill_(1e5)
    network.norm.running_mean.fill_(12345.678)
    again = saved(network, tmp_path)
    assert torch.equal(again.norm.running_var, network.norm.running_var)
    assert torch.equal(again.norm.running_mean, network.norm.running_mean)


@pytest.mark.parametrize("value", [1e6, 1e-9])
def test_weights_beyond_half_precision_survive(network: Classifier, tmp_path: Path, value: float):
    network.classifier.weight.data.fill_(value)
    assert torch.equal(saved(network, tmp_path).classifier.weight, network.classifier.weight)


def test_a_whole_network_comes_back(network: Classifier, tmp_path: Path):
    """Matrices lose less than a thousandth and take half the room; everything else is as it was."""
    again, weights = saved(network, tmp_path), dict(network.named_parameters())
    stored = load_file(tmp_path / "m.safetensors")
    for name, tensor in network.state_dict().items():
        if name in weights and tensor.dim() >= 2 and bool(tensor.any()):
            assert stored[name].dtype == torch.float16
            torch.testing.assert_close(again.state_dict()[name], tensor, rtol=1e-3, atol=1e-4)
        else:
            assert torch.equal(again.state_dict()[name], tensor)
    x = torch.randn(1, 80, 50)
    torch.testing.assert_close(again(x).head, network(x).head, rtol=0, atol=5e-3)
