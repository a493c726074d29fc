"""What every network is: its fingerprint, and that it can be copied, sent and run by others."""

import copy
import pickle

import torch
from made_up_networks import loudness_network

from adastride.models import Classifier, ClassifierConfig


def classifier(**options) -> Classifier:
    torch.manual_seed(0)
    return Classifier(ClassifierConfig(("yes", "no"), width=8, **options)).eval()


def test_the_fingerprint_follows_weights_statistics_and_configuration():
    network = classifier()
    same = network.fingerprint
    assert same == classifier().fingerprint == copy.deepcopy(network).fingerprint == pickle.loads(pickle.dumps(network)).fingerprint
    network.norm.running_mean += 1
    assert network.fingerprint != same
    network.norm.running_mean -= 1
    assert network.fingerprint == same
    network.load_state_dict({name: value.clone() for name, value in network.state_dict().items()}, assign=True)
    assert network.fingerprint == same
    assert classifier(strides=(2.0, 2.0, 3.0)).fingerprint != same
    assert loudness_network().fingerprint != same


def test_a_step_of_training_changes_the_fingerprint():
    network = classifier().train()
    before, optimiser = network.fingerprint, torch.optim.AdamW(network.parameters(), lr=1e-2)
    network(torch.randn(4, 80, 20)).head.sum().backward()
    optimiser.step()
    assert network.fingerprint != before


def test_the_fingerprint_is_not_worked_out_twice(monkeypatch):
    network = classifier()
    before = network.fingerprint
    monkeypatch.setattr("hashlib.sha256", None)
    assert network.fingerprint == before
