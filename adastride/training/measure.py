"""Measures how much time and memory training takes."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import resource
import sys
import time
from pathlib import Path

import torch

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def stopwatch(device: torch.device) -> float:
    """A time in seconds; the difference of two such times says how long something took.

    On a CPU with one thread it is the time that the processor has worked for this process. That hardly depends on other programs,
    so that runs of a grid can be compared. Elsewhere it is the clock's time, after the GPU has done what it was given.
    """
    if device.type == "cpu" and torch.get_num_threads() == 1:
        return time.process_time()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


class PeakMemory:
    """Measures the most memory that was in use since it was made.

    On CUDA that is the most that tensors took at a time. Elsewhere it is by how much the resident memory of the process has grown,
    which includes what allocators keep for later. Linux can forget an earlier peak; on other systems a higher peak before hides
    what comes after it.
    """

    def __init__(self, device: torch.device | str):
        self.cuda = torch.device(device).type == "cuda"
        if self.cuda:
            torch.cuda.reset_peak_memory_stats(device)
            return
        gc.collect()
        # What the allocator keeps of memory that was freed before would be used again without the process growing.
        with contextlib.suppress(AttributeError, OSError, TypeError):  # where there is no glibc
            ctypes.CDLL(None).malloc_trim(0)
        if _RESET.exists():
            _RESET.write_text("5")
        self.before = _peak_kilobytes()

    def megabytes(self) -> float:
        """The peak so far, in 10^6 bytes."""
        if self.cuda:
            return torch.cuda.max_memory_allocated() / 1e6
        return max(0, _peak_kilobytes() - self.before) * 1024 / 1e6  # Linux counts to within some pages


def _peak_kilobytes() -> int:
    """The process's highest resident memory."""
    if _STATUS.exists():
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1])
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used // 1024 if sys.platform == "darwin" else used
