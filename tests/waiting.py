"""Counts waits for an accelerator on a machine without one: a look at a tensor's numbers is a wait."""

from collections import Counter

import pytest
from torch import Tensor


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Counter:
    """How often a tensor's numbers were asked for, in code that runs as on an accelerator."""
    monkeypatch.setattr("adastride.alignment.product._sliced", lambda values: False)
    for module in ("adastride.alignment.positions", "adastride.alignment.product"):
        monkeypatch.setattr(f"{module}.array", Tensor.detach)
    counts: Counter = Counter()
    for name in ("tolist", "item", "__int__", "__float__", "__bool__", "__index__", "cpu", "numpy", "nonzero", "unique"):
        plain = getattr(Tensor, name)

        def asked(self, *args, name=name, plain=plain, **kwargs):
            counts[name] += 1
            return plain(self, *args, **kwargs)

        monkeypatch.setattr(Tensor, name, asked)
    return counts
