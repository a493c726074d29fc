"""How much memory a training takes is measured whatever the process did before."""

from __future__ import annotations

import pytest
import torch

from adastride.training.measure import PeakMemory


@pytest.mark.parametrize("size", [1_000, 3_000_000])
def test_memory_that_was_freed_before_hides_nothing(size: int):
    """Blocks of less than a kilobyte and of megabytes, of which the allocator keeps some when they are freed."""
    for _ in range(2):
        blocks = [torch.ones(size // 4) for _ in range(60_000_000 // size)]
        del blocks
        memory = PeakMemory("cpu")
        again = [torch.ones(size // 4) for _ in range(30_000_000 // size)]
        assert memory.megabytes() > 15
        del again


def test_nothing_takes_no_memory():
    assert 0 <= PeakMemory("cpu").megabytes() < 5
